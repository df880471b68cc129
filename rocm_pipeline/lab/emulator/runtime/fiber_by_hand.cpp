// Switching fibers by hand, on processors that we know.
#include "fiber.h"

#if !defined(ROCM_PIPELINE_PORTABLE_FIBERS)

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
#error "no switch by hand for this processor: build with -DROCM_PIPELINE_PORTABLE_FIBERS"
#endif

void* new_context(char* stack_begin, char* stack_end, void (*entry)()) {
    (void)stack_begin;
    void** frame = reinterpret_cast<void**>(stack_end) - saved_registers - 2;
    // On x86-64 the entry must find its stack pointer 8 below a multiple of 16, as after a call.
    if ((reinterpret_cast<uintptr_t>(frame + saved_registers) & 15) != 0) --frame;
    for (unsigned i = 0; i < saved_registers + 2; ++i) frame[i] = nullptr;
    frame[return_address] = reinterpret_cast<void*>(entry);
    return frame;
}

#endif
