#include "profile.h"

#include "sites.h"
#include "trace.h"

bool profile_enabled;
LaunchTraffic traffic;
SiteTraffic* site_traffic;

// An attention kernel without LDS reads a key's row of 128 for each of 1024 keys in one phase.
constexpr unsigned most_repeats = 1 << 17;
constexpr unsigned first_repeats = 16;
constexpr unsigned banks = 32, bank_bytes = 4;

// A recorded access: address (48 bits), size (8), whether LDS (1), whether a write (1), an atomic (1).
constexpr unsigned size_shift = 48, lds_shift = 56, write_shift = 57, atomic_shift = 58;

namespace {

// What one site did in the running phase; entry [k * wave_size + lane] is the lane's k-th access.
struct Log {
    uint64_t* entries;
    unsigned capacity;  // repeats
    unsigned longest;
    uint32_t repeats[wave_size];
};

// Which block touched a line last: 32-bit numbers of blocks, counted over all launches.
struct Stamps {
    uint32_t* lines_64;
    uint32_t* lines_128;
};

struct Request {
    uint64_t accesses[wave_size];
    uint8_t lanes[wave_size];
    unsigned count;
};

// A request of the running phase: one site's k-th.
struct Turn {
    int site;
    unsigned repeat;
};

}  // namespace

static Log* logs;
static int* touched;
static int touched_count;
// In the order in which the first lane came to them, which is the program's.
static Turn* turns;
static unsigned turn_count, turn_capacity;
static Stamps read_stamps, write_stamps;
static uint32_t block_stamp, launch_stamp;

static uint64_t address_of(uint64_t access) { return access & ((1ull << size_shift) - 1); }
static uint64_t size_of(uint64_t access) { return access >> size_shift & 0xff; }

static Stamps new_stamps() {
    size_t lines = arena_bytes / 64 + 2;
    return {static_cast<uint32_t*>(reserve(lines * sizeof(uint32_t))),
            static_cast<uint32_t*>(reserve((lines / 2 + 1) * sizeof(uint32_t)))};
}

void prepare_profile() {
    size_t count = static_cast<size_t>(site_count) + 1;
    logs = static_cast<Log*>(reserve(count * sizeof(Log)));
    touched = static_cast<int*>(reserve(count * sizeof(int)));
    site_traffic = static_cast<SiteTraffic*>(reserve(2 * count * sizeof(SiteTraffic)));
    read_stamps = new_stamps();
    write_stamps = new_stamps();
    profile_enabled = true;
}

void profile_begin_launch() {
    if (!profile_enabled) return;
    launch_stamp = block_stamp;
    memset(&traffic, 0, sizeof(traffic));
    memset(site_traffic, 0, 2 * (static_cast<size_t>(site_count) + 1) * sizeof(SiteTraffic));
}

void profile_begin_block() { ++block_stamp; }

static void grow(Log& log) {
    unsigned capacity = log.capacity ? log.capacity * 4 : first_repeats;
    size_t row = wave_size * sizeof(uint64_t);
    uint64_t* entries = static_cast<uint64_t*>(reserve(capacity * row));
    if (log.capacity) {
        memcpy(entries, log.entries, log.capacity * row);
        munmap(log.entries, log.capacity * row);
    }
    log.entries = entries;
    log.capacity = capacity;
}

static void add_turn(Turn turn) {
    if (turn_count == turn_capacity) {
        unsigned capacity = turn_capacity ? turn_capacity * 4 : 1 << 10;
        Turn* larger = static_cast<Turn*>(reserve(capacity * sizeof(Turn)));
        if (turn_capacity) {
            memcpy(larger, turns, turn_capacity * sizeof(Turn));
            munmap(turns, turn_capacity * sizeof(Turn));
        }
        turns = larger;
        turn_capacity = capacity;
    }
    turns[turn_count++] = turn;
}

void profile_access(Space space, const char* place, uint64_t size, Access access, int site) {
    Log& log = logs[site];
    unsigned lane = current->in_wave;
    unsigned repeat = log.repeats[lane]++;
    bool lds = space == Space::lds;
    if (repeat >= most_repeats) {
        ++site_traffic[2 * site + lds].dropped;
        return;
    }
    if (repeat >= log.capacity) grow(log);
    if (log.longest == 0) touched[touched_count++] = site;
    if (repeat >= log.longest) {
        log.longest = repeat + 1;
        add_turn({site, repeat});
    }
    log.entries[repeat * wave_size + lane] =
        reinterpret_cast<uintptr_t>(place) | size << size_shift |
        static_cast<uint64_t>(lds) << lds_shift |
        static_cast<uint64_t>(access != Access::read) << write_shift |
        static_cast<uint64_t>(access == Access::atomic) << atomic_shift;
}

static unsigned distinct(uint64_t* values, unsigned& count, uint64_t value) {
    // Neighbouring lanes mostly touch the line of the lane before.
    for (unsigned i = count; i > 0; --i)
        if (values[i - 1] == value) return 0;
    values[count++] = value;
    return 1;
}

static void count_line(
    uint32_t& stamp, uint64_t& per_block, uint64_t& per_launch) {
    if (stamp == block_stamp) return;
    ++per_block;
    if (stamp <= launch_stamp) ++per_launch;
    stamp = block_stamp;
}

static void account_global(const Request& request, SiteTraffic& site, int number) {
    uint64_t lines[2 * wave_size], halves[2 * wave_size];
    unsigned line_count = 0, half_count = 0;
    uint64_t base = reinterpret_cast<uintptr_t>(arena);
    bool write = (request.accesses[0] >> write_shift & 1) != 0;
    Stamps& stamps = write ? write_stamps : read_stamps;
    LineReuse& reuse = write ? traffic.written : traffic.read;
    for (unsigned i = 0; i < request.count; ++i) {
        uint64_t begin = address_of(request.accesses[i]) - base;
        uint64_t last = begin + size_of(request.accesses[i]) - 1;
        for (uint64_t half = begin / 64; half <= last / 64; ++half)
            if (distinct(halves, half_count, half))
                count_line(stamps.lines_64[half], reuse.per_block_64, reuse.launch_64);
        for (uint64_t line = begin / 128; line <= last / 128; ++line)
            if (distinct(lines, line_count, line))
                count_line(stamps.lines_128[line], reuse.per_block_128, reuse.launch_128);
    }
    site.lines_64 += half_count;
    site.lines_128 += line_count;
    if (trace_enabled) {
        uint64_t bytes = 0;
        for (unsigned i = 0; i < request.count; ++i) bytes += size_of(request.accesses[i]);
        trace_request(number, current->wave, request.count, bytes, halves, half_count);
    }
}

// Which lanes the LDS serves together: 32 with accesses of 4 bytes, 16 with 8, 8 with 16, neighbours
// all. Only the reads of 16 bytes of GPUs with waves of 64 go in fours from both halves of 32 lanes:
// 0-3 with 20-23, 4-7 with 16-19, 8-11 with 28-31, 12-15 with 24-27.
static unsigned lds_group(unsigned lane, uint64_t size, bool write) {
    static const uint8_t of_fours[8] = {0, 1, 2, 3, 1, 0, 3, 2};
    if (size <= 4) return lane / 32;
    if (size <= 8) return lane / 16;
    if (wave_size == 32 || write) return lane / 8;
    return lane / 32 * 4 + of_fours[lane % 32 / 4];
}

static unsigned lds_groups(uint64_t size) {
    return wave_size / (size <= 4 ? 32 : size <= 8 ? 16 : 8);
}

// Each bank gives one word a cycle; lanes that want the same word share it.
static void account_lds(const Request& request, SiteTraffic& site) {
    uint64_t size = size_of(request.accesses[0]);
    bool write = (request.accesses[0] >> write_shift & 1) != 0;
    for (unsigned group = 0; group < lds_groups(size); ++group) {
        uint64_t words[banks][banks * 4];
        unsigned counts[banks] = {};
        unsigned total = 0, busiest = 0;
        for (unsigned i = 0; i < request.count; ++i) {
            if (lds_group(request.lanes[i], size, write) != group) continue;
            uint64_t first = address_of(request.accesses[i]) / bank_bytes;
            uint64_t last =
                (address_of(request.accesses[i]) + size_of(request.accesses[i]) - 1) / bank_bytes;
            for (uint64_t word = first; word <= last; ++word) {
                unsigned bank = word % banks;
                total += distinct(words[bank], counts[bank], word);
                if (counts[bank] > busiest) busiest = counts[bank];
            }
        }
        site.bank_cycles += busiest;
        site.ideal_cycles += (total + banks - 1) / banks;
    }
}

// Work-items at the address where most meet: they go one after the other.
static unsigned most_at_one_address(const Request& request) {
    unsigned most = 0;
    for (unsigned i = 0; i < request.count; ++i) {
        unsigned here = 0;
        for (unsigned j = 0; j < request.count; ++j)
            here += request.accesses[j] == request.accesses[i];
        if (here > most) most = here;
    }
    return most;
}

static void account(const Request& request, int number) {
    bool lds = (request.accesses[0] >> lds_shift & 1) != 0;
    SiteTraffic& site = site_traffic[2 * number + lds];
    ++site.requests;
    site.lanes += request.count;
    for (unsigned i = 0; i < request.count; ++i) site.bytes += size_of(request.accesses[i]);
    if (request.accesses[0] >> atomic_shift & 1) site.serial += most_at_one_address(request);
    if (lds) account_lds(request, site);
    else account_global(request, site, number);
}

static void account_turn(Turn turn) {
    const Log& log = logs[turn.site];
    Request request;
    request.count = 0;
    for (unsigned lane = 0; lane < wave_size; ++lane) {
        if (turn.repeat >= log.repeats[lane]) continue;
        request.lanes[request.count] = static_cast<uint8_t>(lane);
        request.accesses[request.count++] = log.entries[turn.repeat * wave_size + lane];
    }
    account(request, turn.site);
}

void profile_end_of_phase() {
    for (unsigned i = 0; i < turn_count; ++i) account_turn(turns[i]);
    turn_count = 0;
    for (int t = 0; t < touched_count; ++t) {
        logs[touched[t]].longest = 0;
        memset(logs[touched[t]].repeats, 0, sizeof(logs[touched[t]].repeats));
    }
    touched_count = 0;
}
