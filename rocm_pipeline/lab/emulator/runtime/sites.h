// Sites: the memory accesses and collective calls of the program, numbered from 1 by the build.
#pragma once

#include "findings.h"

// As the build writes them (rocm_pipeline/lab/emulator/instrumentation.py).
struct Site {
    uint32_t size;       // bytes; 0 when the call says how many
    uint32_t alignment;  // what the program promises
    uint32_t is_write;
    int32_t object;      // LDS variable that the address was made from, or -1
};

// An LDS variable.
struct Object {
    char* begin;
    uint64_t size;
};

extern const Site* sites;
extern int site_count;
extern const Object* objects;
extern int object_count;
// Last site that an access was made from: where a crash is likely to be.
extern int last_site;

void set_sites(const Site* table, int count);
void set_objects(const Object* table, int count);
// Marks (site, kind); true when it was marked already.
bool reported_before(int site, Kind kind);
