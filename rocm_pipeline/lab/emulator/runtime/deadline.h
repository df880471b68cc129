// A run that takes too long says where it is, and whether it is stuck or has too much to do.
#pragma once

#include "libc.h"

// Exit status of a process that ended itself at the deadline.
constexpr int exit_late = 72;

// Processor time, from now on: how much other processes run does not matter. No work-item that ends
// for so long is still_running; when some end to the last, it is too_much_work, which is said
// earlier where it can be foreseen. `counters` counts how often each of the program's basic blocks
// was entered.
void set_deadline(uint64_t milliseconds, const uint64_t* counters, unsigned count);
// Only the time of launches counts, and only a launch that is running has a place to tell.
void launch_is_running(bool running);
