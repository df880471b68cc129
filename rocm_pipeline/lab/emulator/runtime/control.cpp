// What the driver calls, through ctypes (driver.py).
#include "crash.h"
#include "deadline.h"
#include "memory.h"
#include "profile.h"
#include "shadow.h"
#include "sites.h"
#include "trace.h"

#pragma GCC visibility push(default)
extern "C" {

// Call before buffers are added. `check_races` is off for samples of large launches, where bounds are enough.
void hip_emulator_configure(int findings_fd, int reverse, int check_races) {
    findings_to(findings_fd);
    settings.reverse = reverse != 0;
    shadow_enabled = check_races != 0;
    catch_crashes();
}

void hip_emulator_set_program(
    const Site* site_table, int site_total, const Object* object_table, int object_total,
    char* lds_begin, char* lds_end, char* module_begin, char* module_end) {
    set_sites(site_table, site_total);
    set_objects(object_table, object_total);
    set_static_lds(lds_begin, static_cast<uint64_t>(lds_end - lds_begin));
    set_module(module_begin, module_end);
}

// Call after the program is known. Processor time.
void hip_emulator_set_deadline(uint64_t milliseconds, const uint64_t* counters, unsigned count) {
    set_deadline(milliseconds, counters, count);
}

// Which blocks the next launches run: `count` listed ones, else `spread` of them, else all.
// The list stays the caller's.
void hip_emulator_choose_blocks(uint64_t spread, const uint64_t* listed, uint64_t count) {
    settings.spread_blocks = spread;
    settings.listed_blocks = listed;
    settings.listed_count = count;
}

// The arena for all buffers, and the stacks, below or above it.
void hip_emulator_make_memory(uint64_t arena_size, int stacks_first) {
    char* begin = static_cast<char*>(reserve(arena_size + fiber_stacks_bytes));
    place_fibers(stacks_first ? begin : begin + arena_size);
    make_arena(stacks_first ? begin + fiber_stacks_bytes : begin, arena_size);
}

char* hip_emulator_add_buffer(uint64_t begin, uint64_t bytes, unsigned element, int poisoned) {
    return add_buffer(begin, bytes, element, poisoned != 0);
}

// Call after the program and the arena are known.
void hip_emulator_enable_profile() { prepare_profile(); }

// Call before the profile is enabled. The file is the caller's.
void hip_emulator_trace_to(int fd) { trace_to(fd); }
void hip_emulator_begin_trace(int number) { trace_begin_launch(number); }
void hip_emulator_flush_trace() { trace_flush(); }

// What runs from here on is not counted, or counted again.
void hip_emulator_pause_profile(int paused) { profile_enabled = !paused; }

// Local variables begin as this byte, from now on.
void hip_emulator_set_noise(int byte) { set_noise(static_cast<unsigned char>(byte)); }

void hip_emulator_begin_launch(int number) { findings_begin_launch(number); }

int hip_emulator_findings() { return findings_written; }

// Totals of the last launch: blocks, waves and barriers run, then LaunchTraffic.
void hip_emulator_totals(uint64_t* totals) {
    totals[0] = blocks_run;
    totals[1] = waves_run;
    totals[2] = barriers_passed;
    memcpy(totals + 3, &traffic, sizeof(traffic));
}

const SiteTraffic* hip_emulator_site_traffic() { return site_traffic; }
}
#pragma GCC visibility pop
