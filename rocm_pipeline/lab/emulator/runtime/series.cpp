#include "series.h"

#include "shadow.h"

namespace {

struct Series {
    uint64_t checked;  // `series_time` of then
    Region* region;
    uint64_t offset, count, size;
    int64_t stride;
    int site;
    uint64_t reader;  // stamp of the last
    bool repeated;    // it is not in the cells yet
};

}  // namespace

uint64_t series_time = 1;
unsigned repeated_readers;

constexpr unsigned series_bits = 9;
constexpr unsigned most_series = 1u << series_bits;
static Series known[most_series];

static Series& place_of(uint64_t offset, int64_t stride, int site) {
    uint64_t key = offset ^ static_cast<uint64_t>(stride) << 20 ^ static_cast<uint64_t>(site) << 40;
    return known[key * 0x9e3779b97f4a7c15 >> (64 - series_bits)];
}

static void note_reader(Series& series) {
    if (series.checked != series_time || !series.repeated) return;
    series.repeated = false;
    --repeated_readers;
    shadow_note_reads(
        *series.region, series.offset, series.stride, series.count, series.size, series.site,
        series.reader);
}

void note_series_readers() {
    for (unsigned i = 0; repeated_readers && i < most_series; ++i) note_reader(known[i]);
}

uint64_t series_reads(
    Region& region, uint64_t offset, int64_t stride, uint64_t count, uint64_t size, int site) {
    Series& series = place_of(offset, stride, site);
    bool same = series.checked == series_time && series.region == &region &&
                series.offset == offset && series.stride == stride && series.count == count &&
                series.size == size && series.site == site;
    if (same && shadow_with_us(series.reader)) {
        shadow_settle();
        if (!series.repeated) ++repeated_readers;
        series.repeated = true;
        series.reader = shadow_now();
        return count;
    }
    note_reader(series);
    series.checked = 0;
    uint64_t plain = shadow_plain_reads(region, offset, stride, count, size, site);
    if (plain == count && shadow_enabled && !shadow_met_own_write())
        series = {series_time, &region, offset, count, size, stride, site, shadow_now(), false};
    return plain;
}
