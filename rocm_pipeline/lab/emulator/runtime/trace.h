// The requests to global memory, as they were made: what the model of the caches works on.
#pragma once

#include "execution.h"

extern bool trace_enabled;

// Where to write them; each launch begins with a record of its own.
void trace_to(int fd);
void trace_begin_launch(int number);
// One wave instruction: `lines` are numbers of 64 bytes from the arena's begin.
void trace_request(
    int site, unsigned wave, unsigned lanes, uint64_t bytes, const uint64_t* lines, unsigned count);
void trace_flush();
