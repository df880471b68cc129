// How the runtime calls a kernel: HIP_EMULATOR_EXPORT(kernel), which the build appends.
#pragma once

namespace hip_emulator {

template <class T> struct plain { typedef T type; };
template <class T> struct plain<const T> { typedef T type; };

// One parameter as the driver checks it: size in bytes, plus 65536 times the kind
// (0 other, 1 pointer, 2 integer, 3 floating).
template <class T> constexpr unsigned describe() {
    unsigned kind = __is_pointer(T) ? 1 : __is_integral(T) ? 2 : __is_floating_point(T) ? 3 : 0;
    return (unsigned)sizeof(T) + 65536u * kind;
}

template <class... P> struct parameters {
    unsigned count = sizeof...(P);
    unsigned description[sizeof...(P) + 1] = {
        hip_emulator::describe<typename plain<P>::type>()..., 0};
};
template <class... P> constexpr parameters<P...> hip_emulator_parameters_of(void (*)(P...)) {
    return {};
}

template <class T, T... values> struct sequence {};

template <class... P, int... i>
HIP_DETAIL_FUNCTION void call_with(void (*kernel)(P...), void** arguments, sequence<int, i...>) {
    (void)arguments;
    kernel(*static_cast<typename plain<P>::type*>(arguments[i])...);
}
template <class... P> HIP_DETAIL_FUNCTION void hip_emulator_start(
    void (*kernel)(P...), void** arguments) {
    hip_emulator::call_with(
        kernel, arguments, __make_integer_seq<hip_emulator::sequence, int, sizeof...(P)>{});
}

}  // namespace hip_emulator

// This stands behind the candidate's code, macros included: every word here is a keyword, reserved
// or begins with hip_emulator. The kernel is reached by its symbol, whatever its name means here.
#define HIP_EMULATOR_EXPORT(hip_emulator_name)                                                 \
    extern "C" decltype(hip_emulator_name) hip_emulator_kernel_##hip_emulator_name             \
        __asm__(#hip_emulator_name);                                                           \
    extern "C" const auto hip_emulator_parameters_##hip_emulator_name =                        \
        hip_emulator::hip_emulator_parameters_of(&hip_emulator_kernel_##hip_emulator_name);    \
    extern "C" void hip_emulator_call_##hip_emulator_name(void** hip_emulator_arguments) {     \
        hip_emulator::hip_emulator_start(                                                      \
            &hip_emulator_kernel_##hip_emulator_name, hip_emulator_arguments);                 \
    }                                                                                          \
    extern "C" int hip_emulator_launch_##hip_emulator_name(                                    \
        const unsigned* hip_emulator_grid, const unsigned* hip_emulator_block,                 \
        decltype(sizeof 0) hip_emulator_shared_bytes, void** hip_emulator_arguments) {         \
        return hip_emulator_launch(                                                            \
            &hip_emulator_call_##hip_emulator_name, hip_emulator_arguments, hip_emulator_grid, \
            hip_emulator_block, hip_emulator_shared_bytes);                                    \
    }
