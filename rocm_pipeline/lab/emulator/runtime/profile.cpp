#include "profile.h"

#include "sites.h"

bool profile_enabled;
LaunchTraffic traffic;
SiteTraffic* site_traffic;

// An attention kernel without LDS reads a key's row of 128 for each of 1024 keys in one phase.
constexpr unsigned most_repeats = 1 << 17;
constexpr unsigned first_repeats = 16;
constexpr unsigned banks = 32, bank_bytes = 4;

// A recorded access: address (48 bits), size (8), whether LDS (1), whether a write (1).
constexpr unsigned size_shift = 48, lds_shift = 56, write_shift = 57;

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
    unsigned count;
};

}  // namespace

static Log* logs;
static int* touched;
static int touched_count;
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

void profile_access(Space space, const char* place, uint64_t size, bool write, int site) {
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
    if (repeat >= log.longest) log.longest = repeat + 1;
    log.entries[repeat * wave_size + lane] =
        reinterpret_cast<uintptr_t>(place) | size << size_shift |
        static_cast<uint64_t>(lds) << lds_shift | static_cast<uint64_t>(write) << write_shift;
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

static void account_global(const Request& request, SiteTraffic& site) {
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
}

// The LDS serves 32 lanes at a time, each bank one word a cycle; lanes that want the same word
// share it. Wide accesses are taken as spread over passes in the best way.
static void account_lds(const Request& request, SiteTraffic& site) {
    for (unsigned begin = 0; begin < request.count; begin += 32) {
        unsigned end = begin + 32 < request.count ? begin + 32 : request.count;
        uint64_t words[banks][banks * 4];
        unsigned counts[banks] = {};
        unsigned total = 0, busiest = 0;
        for (unsigned i = begin; i < end; ++i) {
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

static void account(const Request& request, int number) {
    bool lds = (request.accesses[0] >> lds_shift & 1) != 0;
    SiteTraffic& site = site_traffic[2 * number + lds];
    ++site.requests;
    site.lanes += request.count;
    for (unsigned i = 0; i < request.count; ++i) site.bytes += size_of(request.accesses[i]);
    if (lds) account_lds(request, site);
    else account_global(request, site);
}

void profile_end_of_phase() {
    for (int t = 0; t < touched_count; ++t) {
        Log& log = logs[touched[t]];
        for (unsigned repeat = 0; repeat < log.longest; ++repeat) {
            Request request;
            request.count = 0;
            for (unsigned lane = 0; lane < wave_size; ++lane) {
                bool took_part = repeat < log.repeats[lane];
                if (took_part)
                    request.accesses[request.count++] = log.entries[repeat * wave_size + lane];
            }
            account(request, touched[t]);
        }
        log.longest = 0;
        memset(log.repeats, 0, sizeof(log.repeats));
    }
    touched_count = 0;
}
