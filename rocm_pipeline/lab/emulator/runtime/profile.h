// What the memory traffic of a launch looks like to the machine, counted wave by wave.
#pragma once

#include "memory.h"
#include "shadow.h"

// Totals of one site, for one kind of memory. The k-th execution of a site by each lane of a wave
// between two synchronisations is taken as one wave instruction.
struct SiteTraffic {
    uint64_t requests;     // wave instructions
    uint64_t lanes;        // work-items that took part
    uint64_t bytes;        // asked for
    uint64_t lines_64;     // cache lines of 64 bytes that the requests touched
    uint64_t lines_128;
    uint64_t bank_cycles;  // LDS: passes over 32 banks of 4 bytes, 32 lanes at a time
    uint64_t ideal_cycles; // LDS: passes if words were spread evenly over the banks
    uint64_t dropped;      // accesses beyond what a phase records; not in the other figures
    uint64_t serial;       // atomics: the most work-items at one address, summed over requests
};

// Lines that a block touched at least once, summed over blocks, and lines that the launch touched.
struct LineReuse {
    uint64_t per_block_64, per_block_128;
    uint64_t launch_64, launch_128;
};

struct LaunchTraffic {
    LineReuse read, written;
};

extern bool profile_enabled;
extern LaunchTraffic traffic;
// Two entries for each site: global memory, then LDS.
extern SiteTraffic* site_traffic;

void prepare_profile();
void profile_begin_launch();
void profile_begin_block();
// All lanes of the running wave wait or are done: what they did since is complete.
void profile_end_of_phase();
void profile_access(Space space, const char* place, uint64_t size, Access access, int site);
