// Races and uninitialised reads: who touched each granule of memory last, and when.
#pragma once

#include "memory.h"

// Time is counted in intervals: a new one begins with each block and after each barrier. A stamp
// holds an interval, how often the wave had synchronised in it, and the work-item.
// `writer` and `reader` are the last of each kind; zero is nobody.
struct Cell {
    uint64_t writer, reader;
    int writer_site, reader_site;
};

enum class Access : uint8_t { read, write, atomic };

extern bool shadow_enabled;

Cell* new_cells(uint64_t bytes, unsigned shift);

void shadow_begin_launch();
void shadow_begin_block();
// What LDS holds from here on, only the block that begins has written.
void shadow_begin_lds();
extern uint32_t lds_since;  // the interval in which that was
void shadow_end_block();
void shadow_barrier();
void shadow_wave_barrier(const Lane& lane);
// The current work-item executed __threadfence().
void shadow_device_fence();

void shadow_enter(const Lane& lane);
void shadow_leave();
// What the current work-item did before has ended: its last store is in the memory.
void shadow_settle();

// Stamp of what the current work-item does now, as cells have it.
uint64_t shadow_now();
// Whether a work-item of the current wave did that, in this interval and synchronisation.
bool shadow_with_us(uint64_t stamp);

// A checked access, inside `region`. For a write the memory still holds what was there before.
void shadow_access(Region& region, char* place, uint64_t size, Access access, int site);
// The same for `count` reads of `size` bytes, from `offset` on, `stride` bytes from each other. Stops
// before the first that is not as nearly every read is: of whole cells, which were written, by a
// write that is ordered before it. Returns how many reads came before.
uint64_t shadow_plain_reads(
    Region& region, uint64_t offset, int64_t stride, uint64_t count, uint64_t size, int site);
// Whether those reads met a write of this interval, which then was the work-item's own.
bool shadow_met_own_write();
// Write down reads that were found plain as made by the work-item of the stamp `reader`.
void shadow_note_reads(
    Region& region, uint64_t offset, int64_t stride, uint64_t count, uint64_t size, int site,
    uint64_t reader);
