// What kernels call: the interface of include/hip/detail/emulator/runtime_interface.h, and the
// checks that the build inserts before memory accesses.
#include "deadline.h"
#include "memory.h"
#include "profile.h"
#include "series.h"
#include "shadow.h"
#include "sites.h"

[[noreturn]] static void stop_with(Kind kind, int site, const Place& place) {
    report(kind, site, place);
    stop_launch();
}

static void check_object(char* place, uint64_t size, int site) {
    int number = sites[site].object;
    if (number < 0) return;
    const Object& object = objects[number];
    if (place >= object.begin && place + size <= object.begin + object.size) return;
    Place where;
    where.space = Space::lds;
    where.object = number;
    where.offset = place - object.begin;
    where.size = static_cast<int64_t>(size);
    where.extent = static_cast<int64_t>(object.size);
    stop_with(Kind::object_overrun, site, where);
}

static void outside(char* place, uint64_t size, Access access, int site) {
    if (in_module(place)) {
        if (access != Access::read) stop_with(Kind::device_variable_written, site, Place{});
        return;
    }
    bool write = access != Access::read;
    stop_with(
        write ? Kind::write_out_of_bounds : Kind::read_out_of_bounds, site, nearest(place, size));
}

static void check(char* place, uint64_t size, Access access, int site) {
    last_site = site;
    Region* region = find_region(place);
    check_object(place, size, site);
    if (!region) return outside(place, size, access, site);
    if (place < region->begin || place + size > region->begin + region->size)
        stop_with(
            access == Access::read ? Kind::read_out_of_bounds : Kind::write_out_of_bounds, site,
            place_in(*region, place, size));
    if (reinterpret_cast<uintptr_t>(place) & (sites[site].alignment - 1))
        stop_with(Kind::misaligned, site, place_in(*region, place, size));
    shadow_access(*region, place, size, access, site);
    if (profile_enabled)
        profile_access(region->space, place, size, access, site);
}

// The build passes a site's number negated where the index of the access has wrapped at 32 bits.
static int without_wrap(char* place, uint64_t size, int site) {
    if (site >= 0) return site;
    last_site = -site;
    Region* region = find_region(place);
    uint64_t bytes = sites[-site].size ? sites[-site].size : size;
    stop_with(
        Kind::index_wraps, -site,
        region ? place_in(*region, place, bytes) : nearest(place, bytes));
}

// Nearly every access of nearly every kernel ends here; what is out of the ordinary is left alone.
static bool plain_read(char* place, int site) {
    if (site < 0 || profile_enabled) return false;
    const Site& made = sites[site];
    if (made.is_write || (reinterpret_cast<uintptr_t>(place) & (made.alignment - 1))) return false;
    if (made.object >= 0) {
        const Object& object = objects[made.object];
        if (place < object.begin || place + made.size > object.begin + object.size) return false;
    }
    Region* region = find_region(place);
    if (!region || place < region->begin || place + made.size > region->begin + region->size)
        return false;
    last_site = site;
    uint64_t offset = static_cast<uint64_t>(place - region->begin);
    return shadow_plain_reads(*region, offset, 0, 1, made.size, site) == 1;
}

// Of `count` reads, `stride` bytes from each other, all inside of one LDS variable, how many are
// plain, from the first on.
static uint64_t plain_reads(char* first, int64_t stride, uint64_t count, int site) {
    const Site& made = sites[site];
    Region& region = made.object >= 0 ? static_lds : dynamic_lds;
    char* begin = made.object >= 0 ? objects[made.object].begin : region.begin;
    uint64_t extent = made.object >= 0 ? objects[made.object].size : region.size;
    char* last = first + stride * static_cast<int64_t>(count - 1);
    char *low = first < last ? first : last, *high = first < last ? last : first;
    if (profile_enabled || low < begin || high + made.size > begin + extent) return 0;
    if ((reinterpret_cast<uintptr_t>(first) | static_cast<uint64_t>(stride)) & (made.alignment - 1))
        return 0;
    last_site = site;
    uint64_t offset = static_cast<uint64_t>(first - region.begin);
    return series_reads(region, offset, stride, count, made.size, site);
}

#pragma GCC visibility push(default)
extern "C" {

void hip_emulator_access(char* place, int site) {
    if (plain_read(place, site)) return;
    site = without_wrap(place, 0, site);
    if (is_private(place)) return;
    check(place, sites[site].size, sites[site].is_write ? Access::write : Access::read, site);
}

// An access to a local variable of `extent` bytes at `begin`.
void hip_emulator_private_access(char* place, char* begin, uint64_t extent, int site) {
    uint64_t size = sites[site].size;
    if (place >= begin && place + size <= begin + extent) return;
    last_site = site;
    Place where;
    where.space = Space::private_memory;
    where.offset = place - begin;
    where.size = static_cast<int64_t>(size);
    where.extent = static_cast<int64_t>(extent);
    bool write = sites[site].is_write != 0;
    stop_with(write ? Kind::write_out_of_bounds : Kind::read_out_of_bounds, site, where);
}

// A copy or fill of `size` bytes, in pieces that the machine could do at once.
void hip_emulator_range(char* place, uint64_t size, int site) {
    site = without_wrap(place, size, site);
    if (is_private(place)) return;
    while (size) {
        uint64_t piece = size < 16 ? size : 16;
        check(place, piece, sites[site].is_write ? Access::write : Access::read, site);
        place += piece;
        size -= piece;
    }
}

// All reads that one site makes in a loop which is about to begin.
void hip_emulator_series(char* place, int64_t stride, uint64_t count, int site) {
    site = without_wrap(place, 0, site);
    while (count) {
        uint64_t done = plain_reads(place, stride, count, site);
        if (!done) {
            hip_emulator_access(place, site);
            done = 1;
        }
        place += stride * static_cast<int64_t>(done);
        count -= done;
    }
}

int hip_emulator_barrier(int predicate, int site) {
    vote_at_barrier(predicate != 0);
    wait(State::in_barrier, site);
    return barrier_count();
}

void hip_emulator_grid_barrier(int site) { wait(State::in_grid_barrier, site); }

void hip_emulator_assertion_failed(int site) { stop_with(Kind::assertion, site, Place{}); }

void hip_emulator_wave_barrier(int site) { wait(State::in_wave_barrier, site); }

uint64_t hip_emulator_vote(int predicate, int site) {
    current->exchanged = predicate != 0;
    wait(State::in_wave_operation, site);
    const Wave& wave = waves[current->wave];
    uint64_t result = 0;
    for (unsigned i = 0; i < wave_size; ++i)
        if (wave.mask >> i & 1) result |= wave.exchanged[i] << i;
    return result;
}

uint64_t hip_emulator_read_lane(uint64_t value, int source, int site) {
    current->exchanged = value;
    wait(State::in_wave_operation, site);
    const Wave& wave = waves[current->wave];
    unsigned from = static_cast<unsigned>(source) % wave_size;
    return wave.mask >> from & 1 ? wave.exchanged[from] : 0;
}

void hip_emulator_device_fence() { shadow_device_fence(); }

uint64_t hip_emulator_atomic_begin(void* place, int size, int site) {
    site = without_wrap(static_cast<char*>(place), static_cast<uint64_t>(size), site);
    // Without sites (a build for plain execution) there is nothing to check against.
    if (sites && !is_private(place))
        check(static_cast<char*>(place), static_cast<uint64_t>(size), Access::atomic, site);
    uint64_t bits = 0;
    memcpy(&bits, place, static_cast<size_t>(size));
    return bits;
}

void hip_emulator_atomic_end(void* place, int size, uint64_t bits) {
    memcpy(place, &bits, static_cast<size_t>(size));
}

// The constructor that -fsanitize=thread puts into every module calls it.
void __tsan_init() {}

int hip_emulator_launch(
    void (*kernel)(void**), void** arguments, const unsigned* grid, const unsigned* block,
    size_t shared_bytes) {
    if (shared_bytes > most_dynamic_lds) return 1;
    launch.kernel = kernel;
    launch.arguments = arguments;
    launch.shared_bytes = shared_bytes;
    begin_lds(shared_bytes);
    launch_is_running(true);
    bool finished = run_launch(grid, block);
    launch_is_running(false);
    return finished ? 0 : 1;
}
}
#pragma GCC visibility pop
