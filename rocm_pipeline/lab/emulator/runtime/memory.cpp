#include "memory.h"

#include "shadow.h"
#include "sites.h"

constexpr uint64_t page = 4096;

Region static_lds = {nullptr, 0, nullptr, 2, Space::lds, -1, true};
Region dynamic_lds = {nullptr, 0, nullptr, 2, Space::lds, dynamic_lds_object, true};
char* arena;
uint64_t arena_bytes;

extern "C" {
EXPORTED alignas(256) char hip_emulator_dynamic_lds[most_dynamic_lds];
}

static Region buffers[most_regions];
static unsigned buffer_count;
// For each page of the arena, one more than the number of the buffer on it.
static uint16_t* owners;
static char *module_begin, *module_end;

void make_arena(char* begin, uint64_t bytes) {
    arena_bytes = bytes;
    arena = begin;
    owners = static_cast<uint16_t*>(reserve((bytes / page + 1) * sizeof(uint16_t)));
}

char* add_buffer(uint64_t begin, uint64_t bytes, unsigned element, bool poisoned) {
    if (buffer_count == most_regions || begin > arena_bytes || bytes > arena_bytes - begin)
        return nullptr;
    unsigned shift = element >= 4 ? 2 : element == 2 ? 1 : 0;
    Region& region = buffers[buffer_count];
    region = {
        arena + begin, bytes, new_cells(bytes, shift), shift, Space::global,
        static_cast<int>(buffer_count), poisoned};
    ++buffer_count;
    for (uint64_t i = begin / page; i * page < begin + bytes; ++i)
        owners[i] = static_cast<uint16_t>(buffer_count);
    return region.begin;
}

void set_static_lds(char* begin, uint64_t size) {
    static_lds.begin = begin;
    static_lds.size = size;
    static_lds.cells = new_cells(size, static_lds.shift);
}

void set_module(char* begin, char* end) {
    module_begin = begin;
    module_end = end;
}

void begin_lds(size_t dynamic_bytes) {
    dynamic_lds.begin = hip_emulator_dynamic_lds;
    dynamic_lds.size = dynamic_bytes;
    if (!dynamic_lds.cells) dynamic_lds.cells = new_cells(most_dynamic_lds, dynamic_lds.shift);
}

void poison_lds() {
    // All ones are NaN in every floating type.
    if (static_lds.size) memset(static_lds.begin, 0xff, static_lds.size);
    if (dynamic_lds.size) memset(dynamic_lds.begin, 0xff, dynamic_lds.size);
}

static bool inside(const char* place, const char* begin, uint64_t size) {
    return reinterpret_cast<uintptr_t>(place) - reinterpret_cast<uintptr_t>(begin) < size;
}

Region* find_region(const char* place) {
    uintptr_t offset = reinterpret_cast<uintptr_t>(place) - reinterpret_cast<uintptr_t>(arena);
    if (offset < arena_bytes) {
        unsigned owner = owners[offset / page];
        return owner ? &buffers[owner - 1] : nullptr;
    }
    if (inside(place, dynamic_lds.begin, dynamic_lds.size)) return &dynamic_lds;
    if (inside(place, static_lds.begin, static_lds.size)) return &static_lds;
    return nullptr;
}

bool in_module(const char* place) { return place >= module_begin && place < module_end; }

static uint64_t distance(const Region& region, const char* place) {
    if (place < region.begin) return static_cast<uint64_t>(region.begin - place);
    const char* end = region.begin + region.size;
    return place < end ? 0 : static_cast<uint64_t>(place - end);
}

Place nearest(const char* place, uint64_t size) {
    if (inside(place, hip_emulator_dynamic_lds, most_dynamic_lds))
        return place_in(dynamic_lds, place, size);
    const Region* best = nullptr;
    for (unsigned i = 0; i < buffer_count; ++i)
        if (!best || distance(buffers[i], place) < distance(*best, place)) best = &buffers[i];
    // Farther away the address is wild, and no buffer has to do with it.
    constexpr uint64_t far = 1ull << 30;
    Place wild;
    wild.size = static_cast<int64_t>(size);
    if (!best || distance(*best, place) > far) return wild;
    return place_in(*best, place, size);
}

Place place_in(const Region& region, const char* place, uint64_t size) {
    Place found;
    found.space = region.space;
    found.object = region.object;
    found.offset = place - region.begin;
    found.size = static_cast<int64_t>(size);
    found.extent = static_cast<int64_t>(region.size);
    if (&region != &static_lds) return found;
    for (int i = 0; i < object_count; ++i) {
        if (!inside(place, objects[i].begin, objects[i].size)) continue;
        found.object = i;
        found.offset = place - objects[i].begin;
        found.extent = static_cast<int64_t>(objects[i].size);
    }
    return found;
}
