// Which work-item runs: blocks one after another, work-items of a block as fibers. Where the blocks
// of a grid wait for each other, each runs up to there before any goes on.
#pragma once

#include "fiber.h"

#if !defined(ROCM_PIPELINE_WAVE) || (ROCM_PIPELINE_WAVE != 32 && ROCM_PIPELINE_WAVE != 64)
#error "the runtime needs -DROCM_PIPELINE_WAVE=32 or 64"
#endif
constexpr unsigned wave_size = ROCM_PIPELINE_WAVE;
constexpr unsigned most_waves = most_lanes / wave_size;

enum class State : uint8_t {
    ready,
    in_wave_operation,
    in_wave_barrier,
    in_barrier,
    in_grid_barrier,
    done,
};

struct Lane {
    void* stack_pointer;
    uint64_t exchanged;
    unsigned thread[3];
    int site;
    uint16_t index;
    uint8_t in_wave;
    uint8_t wave;
    State state;
};

struct Wave {
    uint64_t mask;
    uint64_t exchanged[wave_size];
};

// The launch in progress.
struct Launch {
    void (*kernel)(void** arguments);
    void** arguments;
    uint64_t blocks;
    unsigned lanes, waves;
    size_t shared_bytes;
};

struct Settings {
    bool reverse;
    // Which blocks run: those listed, else a sample spread over the grid; 0 of both: all.
    const uint64_t* listed_blocks;
    uint64_t listed_count;
    uint64_t spread_blocks;
};

extern Settings settings;
extern Launch launch;
extern Lane lanes[most_lanes];
extern Wave waves[most_waves];
extern Lane* current;
// Blocks and waves that began, and barriers that blocks passed, in this launch.
extern uint64_t blocks_run, waves_run, barriers_passed;
// Of this launch: blocks that are to run, and work-items that ended.
extern uint64_t blocks_wanted, lanes_ended;
// Place of the running block in the order in which they run.
extern uint64_t block_order;
// What may be alive at once. As many compute units are in every GPU that we know.
constexpr uint64_t most_live_blocks = 32, most_live_lanes = 16 * 1024;

extern "C" EXPORTED unsigned hip_emulator_indices[12];
// What local variables hold before they are written (device_semantics.py).
extern "C" EXPORTED char hip_emulator_noise[256];
void set_noise(unsigned char byte);

// Runs the launch; false when it was stopped.
bool run_launch(const unsigned* grid, const unsigned* block);

// Called on a fiber: lets others run until this work-item may go on.
void wait(State state, int site);
// Called on a fiber: ends the launch. Does not return.
[[noreturn]] void stop_launch();
// Predicates that came with the last barrier.
int barrier_count();
void vote_at_barrier(bool predicate);
