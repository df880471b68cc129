// What the checker found, written as it is found: one line of integers each.
#pragma once

#include "execution.h"

// The numbers are known to rocm_pipeline/lab/emulator/findings.py.
enum class Kind : int {
    read_out_of_bounds = 1,
    write_out_of_bounds = 2,
    misaligned = 3,
    race_write_write = 4,
    race_read_write = 5,
    race_between_blocks = 6,
    uninitialised_lds = 7,
    uninitialised_buffer = 8,
    missed_barrier = 9,
    different_barriers = 10,
    device_variable_written = 11,
    crash = 12,
    object_overrun = 13,
    partial_matrix = 14,
    matrix_not_repeated = 15,
    assertion = 16,
    missed_grid_barrier = 17,
    grid_too_large = 18,
    index_wraps = 19,
    still_running = 20,
    still_waiting = 21,
    too_much_work = 22,
};

enum class Space : int { none = 0, global = 1, lds = 2, private_memory = 3 };

// Where an access went: bytes `offset` to `offset + size` of buffer or LDS variable `object`,
// which holds `extent` bytes. `object` is -1 when nothing is near.
struct Place {
    Space space = Space::none;
    int object = -1;
    int64_t offset = 0;
    int64_t size = 0;
    int64_t extent = 0;
};

// Findings so far; further ones of the same kind at the same site are dropped.
extern int findings_written;
void findings_to(int fd);
void findings_begin_launch(int number);

// The side of an event that the finding is about, and the other side of a race or barrier.
struct Party {
    const Lane* lane;  // null when it is not known
    int site;
};

void report(Kind kind, const Party& self, const Place& place, const Party& other);
void report(Kind kind, int site, const Place& place);  // by the current work-item, alone
