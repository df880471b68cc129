#include "sites.h"

const Site* sites;
int site_count;
const Object* objects;
int object_count;
int last_site;

static uint32_t* reported;

void set_sites(const Site* table, int count) {
    sites = table;
    site_count = count;
    reported = static_cast<uint32_t*>(reserve(sizeof(uint32_t) * (static_cast<size_t>(count) + 1)));
}

void set_objects(const Object* table, int count) {
    objects = table;
    object_count = count;
}

bool reported_before(int site, Kind kind) {
    if (site < 0 || site > site_count || !reported) return false;
    uint32_t bit = 1u << static_cast<int>(kind);
    bool before = (reported[site] & bit) != 0;
    reported[site] |= bit;
    return before;
}
