// A launch that does not end says where it is before it is killed.
#pragma once

#include "libc.h"

// Exit status of a process that ended itself at the deadline.
constexpr int exit_late = 72;

// From now on; `counters` counts how often each of the program's basic blocks was entered.
void set_deadline(uint64_t milliseconds, const uint64_t* counters, unsigned count);
// Only a launch that is running has a place to tell.
void launch_is_running(bool running);
