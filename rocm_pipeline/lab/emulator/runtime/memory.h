// Memory that a kernel may touch: the launch plan's buffers, and LDS.
#pragma once

#include "findings.h"

struct Cell;

// A buffer, or one of the two LDS areas, with its shadow: a cell for every 1 << shift bytes.
struct Region {
    char* begin;
    uint64_t size;
    Cell* cells;
    unsigned shift;
    Space space;
    int object;
    bool poisoned;  // holds nothing until the kernels write it
};

constexpr unsigned most_regions = 256;
constexpr size_t most_dynamic_lds = 256 * 1024;
// What findings and profiles call the dynamic LDS array, beside the numbers of static variables.
constexpr int dynamic_lds_object = -2;

extern Region static_lds, dynamic_lds;
extern char* arena;
extern uint64_t arena_bytes;

// The arena holds all buffers, and is zero. No page holds two of them, nor do two pages next to
// each other.
void make_arena(char* begin, uint64_t bytes);
// Next buffer, `begin` bytes into the arena; `element` is its element size in bytes. Null when it
// does not fit.
char* add_buffer(uint64_t begin, uint64_t bytes, unsigned element, bool poisoned);
void set_static_lds(char* begin, uint64_t size);
// Constants and variables of the kernel's own module.
void set_module(char* begin, char* end);

void begin_lds(size_t dynamic_bytes);
void poison_lds();

// The region that holds `place`, or null.
Region* find_region(const char* place);
bool in_module(const char* place);
// The buffer or LDS area nearest to a place outside all of them.
Place nearest(const char* place, uint64_t size);
Place place_in(const Region& region, const char* place, uint64_t size);
