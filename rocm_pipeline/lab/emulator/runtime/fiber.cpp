#include "fiber.h"

char* fiber_stacks;

#if defined(__x86_64__)
constexpr unsigned saved_registers = 6;
constexpr unsigned return_address = 6;
asm(R"(
.text
.globl hip_emulator_switch
.hidden hip_emulator_switch
.type hip_emulator_switch,@function
hip_emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
#elif defined(__aarch64__)
constexpr unsigned saved_registers = 20;
constexpr unsigned return_address = 11;
asm(R"(
.text
.globl hip_emulator_switch
.hidden hip_emulator_switch
.type hip_emulator_switch,%function
hip_emulator_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
#else
#error "the emulator switches fibers on x86-64 and aarch64 only"
#endif

constexpr size_t guard_bytes = 64 * 1024;  // a multiple of every page size in use

void make_fibers(char* stacks) {
    // Running out of private memory must be a fault, not a write to the neighbour's stack.
    for (unsigned i = 0; i < most_lanes; ++i)
        mprotect(stacks + i * fiber_stack_bytes, guard_bytes, protection_none);
    fiber_stacks = stacks;
}

void prepare_fibers() {
    if (!fiber_stacks) make_fibers(static_cast<char*>(reserve(fiber_stacks_bytes)));
}

void* new_fiber(unsigned number, void (*entry)()) {
    // Stacks that start at the same offset of a page would share a few cache lines.
    size_t colour = (number % 61) * 64;
    char* top = fiber_stacks + (number + 1) * fiber_stack_bytes - colour - 64;
    void** frame = reinterpret_cast<void**>(top) - saved_registers - 2;
    // On x86-64 the entry must find its stack pointer 8 below a multiple of 16, as after a call.
    if ((reinterpret_cast<uintptr_t>(frame + saved_registers) & 15) != 0) --frame;
    for (unsigned i = 0; i < saved_registers + 2; ++i) frame[i] = nullptr;
    frame[return_address] = reinterpret_cast<void*>(entry);
    return frame;
}
