#include "parked.h"

#include "memory.h"
#include "shadow.h"

namespace {

// An LDS area and its shadow, which may have become finer when it is put back.
struct KeptArea {
    char* bytes;
    Cell* cells;
    unsigned shift;
};

struct Parked {
    Lane* lanes;
    KeptArea static_lds, dynamic_lds;
    uint32_t lds_since;
};

}  // namespace

static Parked parked[most_live_blocks];
static char *room, *room_next;
static size_t room_bytes;

static size_t cell_count(const Region& region) { return (region.size >> region.shift) + 1; }

static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t bytes_of(const Region& region) {
    return rounded(region.size) + rounded((region.size + 1) * sizeof(Cell));
}

static void* take(size_t bytes) {
    char* place = room_next;
    room_next += rounded(bytes);
    return place;
}

static KeptArea take_area(const Region& region) {
    char* bytes = static_cast<char*>(take(region.size));
    return {bytes, static_cast<Cell*>(take((region.size + 1) * sizeof(Cell))), 0};
}

void prepare_parking(unsigned blocks) {
    size_t lane_bytes = launch.lanes * sizeof(Lane);
    room_bytes = blocks * (rounded(lane_bytes) + bytes_of(static_lds) + bytes_of(dynamic_lds));
    room = room_next = static_cast<char*>(reserve(room_bytes));
    for (unsigned i = 0; i < blocks; ++i) {
        parked[i].lanes = static_cast<Lane*>(take(lane_bytes));
        parked[i].static_lds = take_area(static_lds);
        parked[i].dynamic_lds = take_area(dynamic_lds);
    }
    if (blocks > 1) prepare_more_fibers((blocks - 1) * launch.lanes);
}

void end_parking() {
    if (room) munmap(room, room_bytes);
    room = nullptr;
}

static void keep(KeptArea& kept, const Region& region) {
    memcpy(kept.bytes, region.begin, region.size);
    kept.shift = region.shift;
    if (region.cells) memcpy(kept.cells, region.cells, cell_count(region) * sizeof(Cell));
}

static void put_back(const KeptArea& kept, Region& region) {
    memcpy(region.begin, kept.bytes, region.size);
    if (!region.cells) return;
    for (size_t i = 0; i < cell_count(region); ++i)
        region.cells[i] = kept.cells[i << region.shift >> kept.shift];
}

void park(unsigned place) {
    Parked& block = parked[place];
    memcpy(block.lanes, lanes, launch.lanes * sizeof(Lane));
    keep(block.static_lds, static_lds);
    keep(block.dynamic_lds, dynamic_lds);
    block.lds_since = lds_since;
}

void unpark(unsigned place) {
    const Parked& block = parked[place];
    memcpy(lanes, block.lanes, launch.lanes * sizeof(Lane));
    put_back(block.static_lds, static_lds);
    put_back(block.dynamic_lds, dynamic_lds);
    lds_since = block.lds_since;
}
