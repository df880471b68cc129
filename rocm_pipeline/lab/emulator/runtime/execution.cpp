#include "execution.h"

#include "findings.h"
#include "memory.h"
#include "profile.h"
#include "shadow.h"
#include "sites.h"

Settings settings;
Launch launch;
Lane lanes[most_lanes];
Wave waves[most_waves];
Lane* current;
uint64_t blocks_run, waves_run, barriers_passed;
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
    wait(State::done, 0);
}

static void resume(Lane& lane) {
    current = &lane;
    memcpy(hip_emulator_indices, lane.thread, sizeof(lane.thread));
    shadow_enter(lane);
    hip_emulator_switch(&scheduler, lane.stack_pointer);
    shadow_leave();
}

static void prepare_lanes(const unsigned* block) {
    for (unsigned i = 0; i < launch.lanes; ++i) {
        Lane& lane = lanes[i];
        lane.thread[0] = i % block[0];
        lane.thread[1] = i / block[0] % block[1];
        lane.thread[2] = i / (block[0] * block[1]);
        lane.index = static_cast<uint16_t>(i);
        lane.in_wave = static_cast<uint8_t>(i % wave_size);
        lane.wave = static_cast<uint8_t>(i / wave_size);
        lane.state = State::ready;
        lane.stack_pointer = new_fiber(i, lane_entry);
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

// Every work-item now waits at a barrier or is done. Returns false when the block has ended.
static bool release_barrier() {
    Lane *waiting = nullptr, *done = nullptr;
    for (unsigned i = 0; i < launch.lanes; ++i) {
        Lane& lane = lanes[i];
        if (lane.state == State::done) {
            if (!done) done = &lane;
        } else if (waiting && waiting->site != lane.site) {
            report(
                Kind::different_barriers, {&lane, lane.site}, Place{}, {waiting, waiting->site});
            stopped = true;
            return false;
        } else {
            waiting = &lane;
        }
    }
    if (waiting && done) {
        report(Kind::missed_barrier, {waiting, waiting->site}, Place{}, {done, 0});
        stopped = true;
    }
    if (!waiting || stopped) return false;
    for (unsigned i = 0; i < launch.lanes; ++i)
        if (lanes[i].state == State::in_barrier) lanes[i].state = State::ready;
    last_votes = votes;
    votes = 0;
    ++barriers_passed;
    shadow_barrier();
    return true;
}

static void run_block(const unsigned* block) {
    ++blocks_run;
    waves_run += launch.waves;
    votes = 0;
    poison_lds();
    shadow_begin_block();
    profile_begin_block();
    prepare_lanes(block);
    do {
        for (unsigned i = 0; i < launch.waves && !stopped; ++i)
            run_wave(settings.reverse ? launch.waves - 1 - i : i);
    } while (!stopped && release_barrier());
    shadow_end_block();
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

bool run_launch(const unsigned* grid, const unsigned* block) {
    prepare_fibers();
    stopped = false;
    launch.blocks = static_cast<uint64_t>(grid[0]) * grid[1] * grid[2];
    launch.lanes = block[0] * block[1] * block[2];
    launch.waves = (launch.lanes + wave_size - 1) / wave_size;
    blocks_run = waves_run = barriers_passed = 0;
    last_site = 0;
    memcpy(hip_emulator_indices + 6, block, 3 * sizeof(unsigned));
    memcpy(hip_emulator_indices + 9, grid, 3 * sizeof(unsigned));
    shadow_begin_launch();
    profile_begin_launch();
    uint64_t count = blocks_to_run();
    for (uint64_t i = 0; i < count && !stopped; ++i) {
        uint64_t number = chosen_block(i, count);
        hip_emulator_indices[3] = static_cast<unsigned>(number % grid[0]);
        hip_emulator_indices[4] = static_cast<unsigned>(number / grid[0] % grid[1]);
        hip_emulator_indices[5] = static_cast<unsigned>(number / grid[0] / grid[1]);
        run_block(block);
    }
    return !stopped;
}
