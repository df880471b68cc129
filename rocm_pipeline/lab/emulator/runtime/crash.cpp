#include "crash.h"

#include "findings.h"
#include "sites.h"

constexpr int signal_illegal = 4, signal_bus = 7, signal_arithmetic = 8, signal_segment = 11;
constexpr int on_own_stack = 0x08000000;

static void on_crash(int signal, void*, void*) {
    if (current) {
        Place place;
        // The finding says which fault it was.
        place.extent = signal;
        report(Kind::crash, last_site, place);
    }
    _exit(exit_crashed);
}

void catch_crashes() {
    // The fault may be an overflow of the fiber's own stack.
    constexpr size_t size = 64 * 1024;
    stack_description stack = {reserve(size), 0, size};
    sigaltstack(&stack, nullptr);
    signal_action action = {};
    action.handler = on_crash;
    action.flags = on_own_stack;
    const int signals[] = {signal_illegal, signal_bus, signal_arithmetic, signal_segment};
    for (int signal : signals) sigaction(signal, &action, nullptr);
}
