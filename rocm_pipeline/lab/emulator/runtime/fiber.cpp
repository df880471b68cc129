#include "fiber.h"

char *fiber_stacks, *more_fiber_stacks;
size_t more_fiber_stacks_bytes;

static unsigned guarded_stacks;

constexpr size_t guard_bytes = 64 * 1024;  // a multiple of every page size in use

static void guard(char* stacks, unsigned begin, unsigned end) {
    // Running out of private memory must be a fault, not a write to the neighbour's stack.
    for (unsigned i = begin; i < end; ++i)
        mprotect(stacks + i * fiber_stack_bytes, guard_bytes, protection_none);
}

void place_fibers(char* stacks) {
    fiber_stacks = stacks;
    guarded_stacks = 0;
}

void prepare_fibers(unsigned count) {
    if (!fiber_stacks) place_fibers(static_cast<char*>(reserve(fiber_stacks_bytes)));
    if (count <= guarded_stacks) return;
    guard(fiber_stacks, guarded_stacks, count);
    guarded_stacks = count;
}

void prepare_more_fibers(unsigned count) {
    size_t size = count * fiber_stack_bytes;
    if (size <= more_fiber_stacks_bytes) return;
    if (more_fiber_stacks) munmap(more_fiber_stacks, more_fiber_stacks_bytes);
    more_fiber_stacks = static_cast<char*>(reserve(size));
    more_fiber_stacks_bytes = size;
    guard(more_fiber_stacks, 0, count);
}

static void* fiber_on(char* stack, unsigned number, void (*entry)()) {
    // Stacks that start at the same offset of a page would share a few cache lines.
    size_t colour = (number % 61) * 64;
    return new_context(stack + guard_bytes, stack + fiber_stack_bytes - colour - 64, entry);
}

void* new_fiber(unsigned number, void (*entry)()) {
    return fiber_on(fiber_stacks + number * fiber_stack_bytes, number, entry);
}

void* new_fiber_of_more(unsigned number, void (*entry)()) {
    return fiber_on(more_fiber_stacks + number * fiber_stack_bytes, number, entry);
}
