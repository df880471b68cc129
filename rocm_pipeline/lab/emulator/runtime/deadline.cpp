#include "deadline.h"

#include "findings.h"
#include "sites.h"

constexpr int signal_alarm = 14, on_own_stack = 0x08000000;
constexpr int real_time = 0;
constexpr uint64_t look_milliseconds = 50;
constexpr unsigned most_waiting_sites = 8;

static const uint64_t* counters;
static uint64_t* before;
static unsigned counter_count;
static bool launched, looked;

void launch_is_running(bool running) { launched = running; }

static void wake_after(uint64_t milliseconds) {
    long seconds = static_cast<long>(milliseconds / 1000);
    interval_timer timer = {0, 0, seconds, static_cast<long>(milliseconds % 1000) * 1000};
    setitimer(real_time, &timer, nullptr);
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

static void on_deadline(int, void*, void*) {
    if (!launched) return wake_after(look_milliseconds);
    if (!looked) {
        looked = true;
        memcpy(before, counters, counter_count * sizeof(uint64_t));
        return wake_after(look_milliseconds);
    }
    Place place;
    place.object = busiest_block();
    report(Kind::still_running, last_site, place);
    report_waiting();
    _exit(exit_late);
}

void set_deadline(uint64_t milliseconds, const uint64_t* block_counters, unsigned count) {
    counters = block_counters;
    counter_count = count;
    before = static_cast<uint64_t*>(reserve((count + 1) * sizeof(uint64_t)));
    signal_action action = {};
    action.handler = on_deadline;
    action.flags = on_own_stack;
    sigaction(signal_alarm, &action, nullptr);
    wake_after(milliseconds);
}
