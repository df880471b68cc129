// A fault in a kernel becomes a finding instead of a silent death.
#pragma once

// Exit status of a process that died of a fault and could still say so.
constexpr int exit_crashed = 71;

void catch_crashes();
