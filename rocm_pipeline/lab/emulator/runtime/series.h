// Series of reads of LDS, which the work-items of a wave mostly have in common.
#pragma once

#include "memory.h"

extern uint64_t series_time;       // a series is known if it was checked at this time
extern unsigned repeated_readers;  // known series whose last reader is not in the cells yet

// What shadow_plain_reads does, for LDS. A series that was plain for one work-item, and met no write
// of this interval, is plain for the others of its wave until LDS is written: it is not looked at
// again, and who reads it last is noted when that may matter.
uint64_t series_reads(
    Region& region, uint64_t offset, int64_t stride, uint64_t count, uint64_t size, int site);

// Writes down who read. To be called before the order among work-items changes.
void note_series_readers();

// To be called before LDS is written.
inline void forget_series() {
    if (repeated_readers) note_series_readers();
    ++series_time;
}

// To be called at a barrier, behind which nobody asks who read LDS before it.
inline void drop_series() {
    repeated_readers = 0;
    ++series_time;
}
