#include "shadow.h"

#include "series.h"

bool shadow_enabled = true;

// Stamp: interval (32 bits), synchronisations of the wave (16), work-item (10), flags (6).
constexpr unsigned interval_shift = 32, synchronised_shift = 16, lane_shift = 6;
constexpr uint64_t atomic_flag = 1;             // writer: a read-modify-write
constexpr uint64_t several_lanes_flag = 2;      // reader: others of the wave, not ordered before
constexpr uint64_t several_waves_flag = 4;      // reader: others of another wave
constexpr uint64_t earlier_block_flag = 8;      // reader: a block before this one
constexpr uint64_t own_store_flag = 16;         // writer: stored plainly before, in this interval
constexpr uint64_t block_store_flag = 32;       // writer: its block stored plainly before
constexpr uint64_t flags = (1 << lane_shift) - 1;

static uint32_t interval_of(uint64_t stamp) {
    return static_cast<uint32_t>(stamp >> interval_shift);
}
static unsigned synchronised_of(uint64_t stamp) { return (stamp >> synchronised_shift) & 0xffff; }
static unsigned lane_of(uint64_t stamp) { return (stamp >> lane_shift) & 0x3ff; }
static unsigned wave_of(uint64_t stamp) { return lane_of(stamp) / wave_size; }

static uint32_t interval, first_of_launch, first_of_block;
uint32_t lds_since;
static uint16_t synchronised[most_waves];
static uint64_t self;

// Order between blocks: a block publishes its writes by a fence and then an atomic, and may read
// what others published after an atomic of its own. Blocks are numbered as they run.
constexpr uint64_t most_ordered_blocks = 1 << 20;
static uint32_t* block_begins;
static uint32_t* published;
static uint64_t block_number;
static bool fenced, acquired;

Cell* new_cells(uint64_t bytes, unsigned shift) {
    if (!shadow_enabled) return nullptr;
    return static_cast<Cell*>(reserve(((bytes >> shift) + 1) * sizeof(Cell)));
}

static void restamp(const Lane& lane) {
    self = static_cast<uint64_t>(interval) << interval_shift |
           static_cast<uint64_t>(synchronised[lane.wave]) << synchronised_shift |
           static_cast<uint64_t>(lane.index) << lane_shift;
}

void shadow_wave_barrier(const Lane& lane) {
    note_series_readers();
    if (synchronised[lane.wave] != 0xffff) ++synchronised[lane.wave];
}

void shadow_device_fence() { fenced = true; }

static bool published_to_us(uint64_t stamp) {
    if (!acquired) return false;
    uint64_t low = 0, high = block_number;
    while (low < high) {
        uint64_t middle = (low + high + 1) / 2;
        if (block_begins[middle] <= interval_of(stamp)) low = middle;
        else high = middle - 1;
    }
    return published[low] >= interval_of(stamp);
}

// Whether nothing orders the access of `stamp` before one made now by the current work-item.
static bool unordered(uint64_t stamp, bool global) {
    uint32_t when = interval_of(stamp);
    if (when < first_of_block)
        return global && when >= first_of_launch && !published_to_us(stamp);
    if (when != interval || lane_of(stamp) == lane_of(self)) return false;
    return wave_of(stamp) != wave_of(self) || synchronised_of(stamp) == synchronised_of(self);
}

namespace {

// A write that met another write. It counts only if it changes the value: several work-items
// storing the same value is common and harmless. The store happens after the check, so the verdict
// waits for the next event of the same work-item.
struct PendingWrite {
    bool active;
    char* place;
    uint64_t size;
    char before[16];
    Kind kind;
    int site;
    Party other;
    Place where;
};

// A read of LDS that nobody had written yet. Whether it is a race with a work-item that runs later
// or a read of nothing is known at the next barrier. Atomics do not race with each other, so that
// one which met only others has read nothing.
struct EarlyRead {
    const Cell* cell;
    Party reader;
    Place where;
    bool atomic;
};

}  // namespace

constexpr unsigned most_early_reads = 32;
static PendingWrite pending;
static EarlyRead early_reads[most_early_reads];
static unsigned early_read_count;

static void judge_early_reads() {
    for (unsigned i = 0; i < early_read_count; ++i) {
        const EarlyRead& read = early_reads[i];
        Party writer = {&lanes[lane_of(read.cell->writer)], read.cell->writer_site};
        bool both_atomic = read.atomic && (read.cell->writer & atomic_flag);
        if (!both_atomic && interval_of(read.cell->writer) == interval &&
            writer.lane != read.reader.lane)
            report(Kind::race_read_write, read.reader, read.where, writer);
        else
            report(Kind::uninitialised_lds, read.reader, read.where, Party{nullptr, 0});
    }
    early_read_count = 0;
}

static void note_early_read(const Cell& cell, int site, const Place& where, bool atomic) {
    // One for each site is enough for its finding.
    for (unsigned i = 0; i < early_read_count; ++i)
        if (early_reads[i].reader.site == site) return;
    if (early_read_count < most_early_reads)
        early_reads[early_read_count++] = {&cell, {current, site}, where, atomic};
}

void shadow_begin_launch() {
    if (!block_begins) {
        block_begins = static_cast<uint32_t*>(reserve(most_ordered_blocks * sizeof(uint32_t)));
        published = static_cast<uint32_t*>(reserve(most_ordered_blocks * sizeof(uint32_t)));
    }
    first_of_launch = interval + 1;
    block_number = 0;
}

void shadow_begin_block() {
    shadow_barrier();
    first_of_block = interval;
    fenced = acquired = false;
    if (block_order >= most_ordered_blocks) return;
    block_number = block_order;
    block_begins[block_number] = interval;
    published[block_number] = 0;
}

void shadow_begin_lds() { lds_since = interval; }

void shadow_end_block() { judge_early_reads(); }

void shadow_barrier() {
    judge_early_reads();
    drop_series();
    ++interval;
    memset(synchronised, 0, sizeof(synchronised));
}

static void settle() {
    if (!pending.active) return;
    pending.active = false;
    if (memcmp(pending.before, pending.place, pending.size) != 0)
        report(pending.kind, {current, pending.site}, pending.where, pending.other);
}

void shadow_enter(const Lane& lane) { restamp(lane); }
void shadow_leave() { settle(); }
void shadow_settle() { settle(); }

uint64_t shadow_now() { return self; }
bool shadow_with_us(uint64_t stamp) {
    return (stamp ^ self) < static_cast<uint64_t>(wave_size) << lane_shift;
}

static Kind race_kind(uint64_t stamp, Kind inside_block) {
    return interval_of(stamp) < first_of_block ? Kind::race_between_blocks : inside_block;
}

// Sub-word accesses make the shadow exact to the byte from here on.
static void refine(Region& region, uint64_t capacity) {
    judge_early_reads();
    Cell* fine = new_cells(capacity, 0);
    for (uint64_t i = 0; i < capacity; ++i) fine[i] = region.cells[i >> region.shift];
    munmap(region.cells, ((capacity >> region.shift) + 1) * sizeof(Cell));
    region.cells = fine;
    region.shift = 0;
}

static bool other_reader(uint64_t reader, bool global) {
    if (unordered(reader, global)) return true;
    bool in_launch = interval_of(reader) >= first_of_launch;
    if (global && in_launch && (reader & earlier_block_flag) && !acquired) return true;
    if (interval_of(reader) != interval) return false;
    return (reader & several_waves_flag) ||
           ((reader & several_lanes_flag) && synchronised_of(reader) == synchronised_of(self));
}

static Party last_writer(const Cell& cell) {
    return {&lanes[lane_of(cell.writer)], cell.writer_site};
}

// With several readers only the last is known, and it may be this work-item.
static Party last_reader(const Cell& cell) {
    bool own = lane_of(cell.reader) == lane_of(self) && interval_of(cell.reader) == interval;
    return {own ? nullptr : &lanes[lane_of(cell.reader)], cell.reader_site};
}

static uint64_t with_earlier_reader(uint64_t reader) {
    uint32_t when = interval_of(reader);
    if (when < first_of_launch) return self;
    if (when < first_of_block) return self | earlier_block_flag;
    uint64_t kept = reader & earlier_block_flag;
    if (when != interval) return self | kept;
    kept |= reader & several_waves_flag;
    if (wave_of(reader) != wave_of(self)) return self | kept | several_waves_flag;
    if (synchronised_of(reader) != synchronised_of(self)) return self | kept;
    bool others = lane_of(reader) != lane_of(self);
    return self | kept | (reader & several_lanes_flag) | (others ? several_lanes_flag : 0);
}

// `own` is `self`, which a loop over cells keeps in a register.
static inline uint64_t with_reader(uint64_t reader, uint64_t own) {
    // Mostly it is of this wave, interval and synchronisation, and differs in work-item and flags.
    uint64_t difference = reader ^ own;
    if (difference < 1ull << lane_shift) return own | reader;
    if (difference < static_cast<uint64_t>(wave_size) << lane_shift)
        return own | (reader & flags) | several_lanes_flag;
    return with_earlier_reader(reader);
}

static bool unwritten(const Region& region, const Cell& cell) {
    uint32_t needed = region.space == Space::global ? 1 : lds_since;
    return region.poisoned && interval_of(cell.writer) < needed;
}

static void check_unwritten(
    Region& region, Cell& cell, char* place, uint64_t size, int site, bool atomic) {
    Place where = place_in(region, place, size);
    if (region.space == Space::lds) note_early_read(cell, site, where, atomic);
    else report(Kind::uninitialised_buffer, site, where);
}

static void check_read(Region& region, Cell& cell, char* place, uint64_t size, int site) {
    if (unwritten(region, cell))
        check_unwritten(region, cell, place, size, site, false);
    else if (cell.writer && unordered(cell.writer, region.space == Space::global))
        report(
            race_kind(cell.writer, Kind::race_read_write), {current, site},
            place_in(region, place, size), last_writer(cell));
    cell.reader = with_reader(cell.reader, self);
    cell.reader_site = site;
}

// Keeps a meeting of two writes until it is known whether they differ.
static void note_write(Region& region, const Cell& cell, char* place, uint64_t size, int site) {
    if (pending.active) return;
    Kind kind = race_kind(cell.writer, Kind::race_write_write);
    pending = {true, place, size, {}, kind, site, last_writer(cell), place_in(region, place, size)};
    memcpy(pending.before, place, size);
}

// An atomic hides no plain store before it that others are not ordered after.
static uint64_t writer_stamp(uint64_t last, bool atomic) {
    if (!atomic) return self;
    bool plain = last && !(last & atomic_flag);
    uint64_t stamp = self | atomic_flag;
    if (interval_of(last) >= first_of_block && (plain || (last & block_store_flag)))
        stamp |= block_store_flag;
    if (interval_of(last) == interval && lane_of(last) == lane_of(self) &&
        (plain || (last & own_store_flag)))
        stamp |= own_store_flag;
    return stamp;
}

// Whether an atomic made now may meet the write of `last`. Inside a wave the store before it may
// have been ordered since.
static bool atomics_meet(uint64_t last) {
    if (!(last & atomic_flag)) return false;
    if (interval_of(last) < first_of_block) return !(last & block_store_flag);
    return !(last & own_store_flag) || wave_of(last) == wave_of(self);
}

static void check_write(
    Region& region, Cell& cell, char* place, uint64_t size, int site, bool atomic) {
    bool global = region.space == Space::global;
    if (atomic && unwritten(region, cell)) check_unwritten(region, cell, place, size, site, true);
    if (cell.reader && other_reader(cell.reader, global))
        report(
            race_kind(cell.reader, Kind::race_read_write), {current, site},
            place_in(region, place, size), last_reader(cell));
    else if (cell.writer && unordered(cell.writer, global) &&
             !(atomic && atomics_meet(cell.writer)))
        note_write(region, cell, place, size, site);
    cell.writer = writer_stamp(cell.writer, atomic);
    if (!(cell.writer & (own_store_flag | block_store_flag))) cell.writer_site = site;
}

void shadow_access(Region& region, char* place, uint64_t size, Access access, int site) {
    settle();
    if (!shadow_enabled) return;
    uint64_t offset = static_cast<uint64_t>(place - region.begin);
    uint64_t granule = 1ull << region.shift;
    if ((offset | size) & (granule - 1)) {
        bool dynamic = &region == &dynamic_lds;
        refine(region, dynamic ? most_dynamic_lds : region.size);
        granule = 1;
    }
    if (access == Access::atomic && region.space == Space::global) {
        acquired = true;
        if (fenced && block_number < most_ordered_blocks) published[block_number] = interval;
    }
    if (access != Access::read && region.space == Space::lds) forget_series();
    Cell* cell = region.cells + (offset >> region.shift);
    Cell* end = cell + (size >> region.shift);
    if (access == Access::read) {
        for (; cell != end; ++cell) check_read(region, *cell, place, size, site);
    } else {
        bool atomic = access == Access::atomic;
        for (; cell != end; ++cell) check_write(region, *cell, place, size, site, atomic);
    }
}

static bool met_own_write;

uint64_t shadow_plain_reads(
    Region& region, uint64_t offset, int64_t stride, uint64_t count, uint64_t size, int site) {
    settle();
    if (!shadow_enabled) return count;
    met_own_write = false;
    uint64_t granule = 1ull << region.shift;
    if ((offset | size | static_cast<uint64_t>(stride)) & (granule - 1)) return 0;
    const bool global = region.space == Space::global;
    const uint32_t needed = !region.poisoned ? 0 : global ? 1 : lds_since;
    const uint32_t now = interval;
    const uint64_t own = self;
    const int64_t step = stride / static_cast<int64_t>(granule);
    const uint64_t cells = size >> region.shift;
    Cell* first = region.cells + (offset >> region.shift);
    for (uint64_t read = 0; read < count; ++read, first += step) {
        for (Cell* cell = first; cell != first + cells; ++cell) {
            uint32_t when = interval_of(cell->writer);
            if (when < needed) return read;
            if (when == now) {
                if (lane_of(cell->writer) != lane_of(own)) return read;
                met_own_write = true;
            }
            if (global && when < first_of_block && when >= first_of_launch) return read;
            cell->reader = with_reader(cell->reader, own);
            cell->reader_site = site;
        }
    }
    return count;
}

bool shadow_met_own_write() { return met_own_write; }

void shadow_note_reads(
    Region& region, uint64_t offset, int64_t stride, uint64_t count, uint64_t size, int site,
    uint64_t reader) {
    const uint64_t kept = self;
    self = reader;
    // Reads of single bytes may have refined the region since.
    const int64_t step = stride / (1ll << region.shift);
    const uint64_t cells = size >> region.shift;
    Cell* first = region.cells + (offset >> region.shift);
    for (uint64_t read = 0; read < count; ++read, first += step) {
        for (Cell* cell = first; cell != first + cells; ++cell) {
            cell->reader = with_reader(cell->reader, reader);
            cell->reader_site = site;
        }
    }
    self = kept;
}
