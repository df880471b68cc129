#include "deadline.h"

#include "findings.h"
#include "sites.h"

constexpr int signal_profiling = 27, on_own_stack = 0x08000000, restart_calls = 0x10000000;
constexpr int time_of_the_process = 2;
// Looks at how far the run is, until the deadline.
constexpr unsigned looks = 8;
// Before that many of them nothing can be said of the rest.
constexpr unsigned first_looks = 2;
// A launch that would take so many deadlines is not waited for. Blocks differ in what they do, so
// the forecast may be wrong by a good part of it.
constexpr uint64_t hopeless = 4;
constexpr unsigned most_waiting_sites = 8;

static const uint64_t* counters;
static uint64_t* before;
static unsigned counter_count;
static bool launched;
// Looks at the run; at the present launch; and those since a work-item last ended.
static unsigned looked, looked_at_launch, quiet;
static uint64_t ended_before;

void launch_is_running(bool running) {
    launched = running;
    looked_at_launch = quiet = 0;
    ended_before = 0;
}

// The basic block entered most often since the last look: the loop that does not end.
static int busiest_block() {
    int busiest = -1;
    uint64_t most = 0;
    for (unsigned i = 0; i < counter_count; ++i) {
        uint64_t entered = counters[i] - before[i];
        if (entered <= most) continue;
        most = entered;
        busiest = static_cast<int>(i);
    }
    return busiest;
}

static bool waits(const Lane& lane) {
    return lane.state != State::ready && lane.state != State::done;
}

static bool first_of_its_site(unsigned index) {
    for (unsigned i = 0; i < index; ++i)
        if (waits(lanes[i]) && lanes[i].site == lanes[index].site) return false;
    return true;
}

static void report_waiting() {
    unsigned told = 0;
    for (unsigned i = 0; i < launch.lanes && told < most_waiting_sites; ++i) {
        if (!waits(lanes[i]) || &lanes[i] == current || !first_of_its_site(i)) continue;
        Place place;
        for (unsigned j = i; j < launch.lanes; ++j)
            place.extent += waits(lanes[j]) && lanes[j].site == lanes[i].site;
        report(Kind::still_waiting, {&lanes[i], lanes[i].site}, place, {nullptr, 0});
        ++told;
    }
}

[[noreturn]] static void give_up_stuck() {
    Place place;
    place.object = busiest_block();
    report(Kind::still_running, last_site, place);
    report_waiting();
    _exit(exit_late);
}

[[noreturn]] static void give_up_slow(uint64_t all) {
    Place place;
    place.object = busiest_block();
    place.offset = static_cast<int64_t>(lanes_ended);
    place.extent = static_cast<int64_t>(all);
    report(Kind::too_much_work, last_site, place);
    _exit(exit_late);
}

static bool is_hopeless(uint64_t all) {
    if (looked_at_launch < first_looks || lanes_ended == 0) return false;
    double expected = static_cast<double>(looked_at_launch) * static_cast<double>(all);
    return expected > static_cast<double>(hopeless * looks) * static_cast<double>(lanes_ended);
}

static void on_look(int, void*, void*) {
    if (!launched) return;
    ++looked;
    ++looked_at_launch;
    bool advances = lanes_ended != ended_before;
    quiet = advances ? 0 : quiet + 1;
    ended_before = lanes_ended;
    uint64_t all = blocks_wanted * launch.lanes;
    if (quiet >= looks) give_up_stuck();
    if (advances && (looked >= looks || is_hopeless(all))) give_up_slow(all);
    memcpy(before, counters, counter_count * sizeof(uint64_t));
}

void set_deadline(uint64_t milliseconds, const uint64_t* block_counters, unsigned count) {
    counters = block_counters;
    counter_count = count;
    before = static_cast<uint64_t*>(reserve((count + 1) * sizeof(uint64_t)));
    signal_action action = {};
    action.handler = on_look;
    action.flags = on_own_stack | restart_calls;
    sigaction(signal_profiling, &action, nullptr);
    uint64_t each = milliseconds * 1000 / looks + 1;
    long seconds = static_cast<long>(each / 1000000), rest = static_cast<long>(each % 1000000);
    interval_timer timer = {seconds, rest, seconds, rest};
    setitimer(time_of_the_process, &timer, nullptr);
}
