// Switching fibers by the C library's contexts, for processors without a switch by hand. Slower:
// each switch calls the system. glibc has these functions, musl does not.
#include "fiber.h"

#if defined(ROCM_PIPELINE_PORTABLE_FIBERS)

namespace {

// The beginning of glibc's ucontext_t on Linux; the rest is larger than on any processor.
struct alignas(16) Context {
    unsigned long flags;
    Context* link;
    stack_description stack;
    char rest[8 * 1024];
};

}  // namespace

extern "C" {
int getcontext(Context* context);
void makecontext(Context* context, void (*entry)(), int argument_count, ...);
int swapcontext(Context* save, const Context* to);

void hip_emulator_switch(void** save, void* to) {
    // On the stack that is left, where it lives until somebody comes back.
    Context here;
    *save = &here;
    swapcontext(&here, static_cast<const Context*>(to));
}
}

void* new_context(char* stack_begin, char* stack_end, void (*entry)()) {
    uintptr_t top = reinterpret_cast<uintptr_t>(stack_end) - sizeof(Context);
    Context* context = reinterpret_cast<Context*>(top & ~static_cast<uintptr_t>(15));
    getcontext(context);
    context->link = nullptr;
    context->stack.bottom = stack_begin;
    context->stack.size = static_cast<size_t>(reinterpret_cast<char*>(context) - stack_begin);
    makecontext(context, entry, 0);
    return context;
}

#endif
