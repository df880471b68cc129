#include "execution.h"

#include "findings.h"
#include "memory.h"
#include "parked.h"
#include "profile.h"
#include "shadow.h"
#include "sites.h"

Settings settings;
Launch launch;
Lane lanes[most_lanes];
Wave waves[most_waves];
Lane* current;
uint64_t blocks_run, waves_run, barriers_passed, block_order;
uint64_t blocks_wanted, lanes_ended;
unsigned hip_emulator_indices[12];
char hip_emulator_noise[256];

static void* scheduler;
static bool stopped;
static int votes, last_votes;

int barrier_count() { return last_votes; }
void vote_at_barrier(bool predicate) { votes += predicate; }

void wait(State state, int site) {
    current->state = state;
    current->site = site;
    hip_emulator_switch(&current->stack_pointer, scheduler);
}

void stop_launch() {
    stopped = true;
    hip_emulator_switch(&current->stack_pointer, scheduler);
    __builtin_unreachable();
}

void set_noise(unsigned char byte) { memset(hip_emulator_noise, byte, sizeof(hip_emulator_noise)); }

static void lane_entry() {
    launch.kernel(launch.arguments);
    ++lanes_ended;
    wait(State::done, 0);
}

static void resume(Lane& lane) {
    current = &lane;
    memcpy(hip_emulator_indices, lane.thread, sizeof(lane.thread));
    shadow_enter(lane);
    hip_emulator_switch(&scheduler, lane.stack_pointer);
    shadow_leave();
}

// `place` is where the block stands among those that are alive.
static void prepare_lanes(const unsigned* block, unsigned place) {
    for (unsigned i = 0; i < launch.lanes; ++i) {
        Lane& lane = lanes[i];
        lane.thread[0] = i % block[0];
        lane.thread[1] = i / block[0] % block[1];
        lane.thread[2] = i / (block[0] * block[1]);
        lane.index = static_cast<uint16_t>(i);
        lane.in_wave = static_cast<uint8_t>(i % wave_size);
        lane.wave = static_cast<uint8_t>(i / wave_size);
        lane.state = State::ready;
        lane.stack_pointer =
            place ? new_fiber_of_more((place - 1) * launch.lanes + i, lane_entry)
                  : new_fiber(i, lane_entry);
    }
}

static unsigned wave_begin(unsigned wave) { return wave * wave_size; }
static unsigned wave_end(unsigned wave) {
    unsigned end = (wave + 1) * wave_size;
    return end < launch.lanes ? end : launch.lanes;
}

static bool in_wave_operation(const Lane& lane) {
    return lane.state == State::in_wave_operation || lane.state == State::in_wave_barrier;
}

// Lets the lanes that wait at the earliest wave operation of the program go on together: they are
// the active lanes of that instruction. Earliest first brings diverged lanes back together where
// the GPU does, at the end of the branch.
static bool release_wave(unsigned wave) {
    unsigned begin = wave_begin(wave), end = wave_end(wave);
    const Lane* first = nullptr;
    for (unsigned i = begin; i < end; ++i)
        if (in_wave_operation(lanes[i]) && (!first || lanes[i].site < first->site))
            first = &lanes[i];
    if (!first) return false;
    if (first->state == State::in_wave_barrier) shadow_wave_barrier(*first);
    int site = first->site;
    Wave& group = waves[wave];
    group.mask = 0;
    for (unsigned i = begin; i < end; ++i) {
        if (!in_wave_operation(lanes[i]) || lanes[i].site != site) continue;
        group.mask |= 1ull << (i - begin);
        group.exchanged[i - begin] = lanes[i].exchanged;
        lanes[i].state = State::ready;
    }
    return true;
}

static void run_wave(unsigned wave) {
    unsigned begin = wave_begin(wave), count = wave_end(wave) - begin;
    do {
        for (unsigned i = 0; i < count; ++i) {
            Lane& lane = lanes[begin + (settings.reverse ? count - 1 - i : i)];
            if (lane.state != State::ready) continue;
            resume(lane);
            if (stopped) return;
        }
        profile_end_of_phase();
    } while (release_wave(wave));
}

namespace {
enum class Pause { at_barrier, at_grid_barrier, at_end };
}

// Every work-item now waits at a barrier or is done: says where the block is, and stops the launch
// where its work-items are not together.
static Pause where_block_is() {
    Lane *waiting = nullptr, *done = nullptr;
    for (unsigned i = 0; i < launch.lanes; ++i) {
        Lane& lane = lanes[i];
        if (lane.state == State::done) {
            if (!done) done = &lane;
        } else if (waiting && waiting->site != lane.site) {
            report(
                Kind::different_barriers, {&lane, lane.site}, Place{}, {waiting, waiting->site});
            stopped = true;
            return Pause::at_end;
        } else {
            waiting = &lane;
        }
    }
    if (waiting && done) {
        report(Kind::missed_barrier, {waiting, waiting->site}, Place{}, {done, 0});
        stopped = true;
    }
    if (!waiting || stopped) return Pause::at_end;
    return waiting->state == State::in_barrier ? Pause::at_barrier : Pause::at_grid_barrier;
}

static void release_block() {
    for (unsigned i = 0; i < launch.lanes; ++i) lanes[i].state = State::ready;
    last_votes = votes;
    votes = 0;
    ++barriers_passed;
}

static void begin_block(const unsigned* block, unsigned place) {
    ++blocks_run;
    waves_run += launch.waves;
    votes = 0;
    poison_lds();
    shadow_begin_block();
    shadow_begin_lds();
    profile_begin_block();
    prepare_lanes(block, place);
}

// A block that goes on behind a barrier of the grid finds nothing of its own in caches.
static void continue_block(unsigned place) {
    unpark(place);
    shadow_begin_block();
    profile_begin_block();
    release_block();
}

// Runs the block until it ends; true when it waits for the grid instead.
static bool run_block() {
    for (;;) {
        for (unsigned i = 0; i < launch.waves && !stopped; ++i)
            run_wave(settings.reverse ? launch.waves - 1 - i : i);
        Pause pause = stopped ? Pause::at_end : where_block_is();
        if (pause == Pause::at_end) {
            shadow_end_block();
            return false;
        }
        shadow_barrier();
        if (pause == Pause::at_grid_barrier) return true;
        release_block();
    }
}

static uint64_t blocks_to_run() {
    if (settings.listed_count) return settings.listed_count;
    uint64_t spread = settings.spread_blocks;
    return spread && spread < launch.blocks ? spread : launch.blocks;
}

// Block number `i` of the `count` to run.
static uint64_t chosen_block(uint64_t i, uint64_t count) {
    uint64_t ordinal = settings.reverse ? count - 1 - i : i;
    if (settings.listed_count) return settings.listed_blocks[ordinal];
    if (count == launch.blocks || count == 1) return ordinal;
    return ordinal * (launch.blocks - 1) / (count - 1);
}

static void place_block(const unsigned* grid, uint64_t number) {
    hip_emulator_indices[3] = static_cast<unsigned>(number % grid[0]);
    hip_emulator_indices[4] = static_cast<unsigned>(number / grid[0] % grid[1]);
    hip_emulator_indices[5] = static_cast<unsigned>(number / grid[0] / grid[1]);
}

static void stop_at_grid_barrier(Kind kind) {
    report(kind, {&lanes[0], lanes[0].site}, Place{}, Party{nullptr, 0});
    stopped = true;
}

static bool may_live_together(uint64_t count) {
    return count == launch.blocks && count <= most_live_blocks &&
           count * launch.lanes <= most_live_lanes;
}

// Runs every block up to its end; or up to a barrier of the grid, and then returns true.
static bool run_blocks(const unsigned* grid, const unsigned* block, uint64_t count, bool begun) {
    bool waiting = false;
    for (uint64_t i = 0; i < count && !stopped; ++i) {
        block_order = i;
        place_block(grid, chosen_block(i, count));
        unsigned place = waiting || begun ? static_cast<unsigned>(i) : 0;
        if (begun) continue_block(place);
        else begin_block(block, place);
        bool waits = run_block();
        if (stopped) return false;
        if (waits && !may_live_together(count)) {
            stop_at_grid_barrier(Kind::grid_too_large);
        } else if (i > 0 && waits != waiting) {
            if (!waits) {
                place_block(grid, chosen_block(i - 1, count));
                unpark(static_cast<unsigned>(i - 1));
            }
            stop_at_grid_barrier(Kind::missed_grid_barrier);
        } else if (waits) {
            if (i == 0 && !begun) prepare_parking(static_cast<unsigned>(count));
            park(static_cast<unsigned>(i));
        }
        waiting = waits;
    }
    return waiting && !stopped;
}

bool run_launch(const unsigned* grid, const unsigned* block) {
    stopped = false;
    launch.blocks = static_cast<uint64_t>(grid[0]) * grid[1] * grid[2];
    launch.lanes = block[0] * block[1] * block[2];
    prepare_fibers(launch.lanes);
    launch.waves = (launch.lanes + wave_size - 1) / wave_size;
    blocks_run = waves_run = barriers_passed = lanes_ended = 0;
    last_site = 0;
    memcpy(hip_emulator_indices + 6, block, 3 * sizeof(unsigned));
    memcpy(hip_emulator_indices + 9, grid, 3 * sizeof(unsigned));
    profile_begin_launch();
    uint64_t count = blocks_wanted = blocks_to_run();
    bool begun = false;
    do {
        // Everything before a barrier of the grid is in order, as before a launch.
        shadow_begin_launch();
        begun = run_blocks(grid, block, count, begun);
    } while (begun);
    end_parking();
    return !stopped;
}
