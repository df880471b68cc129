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
    unsigned description[sizeof...(P) + 1] = {describe<typename plain<P>::type>()..., 0};
};
template <class... P> constexpr parameters<P...> parameters_of(void (*)(P...)) { return {}; }

template <class T, T... values> struct sequence {};

template <class... P, int... i>
HIP_DETAIL_FUNCTION void call(void (*kernel)(P...), void** arguments, sequence<int, i...>) {
    (void)arguments;
    kernel(*static_cast<typename plain<P>::type*>(arguments[i])...);
}
template <class... P> HIP_DETAIL_FUNCTION void call(void (*kernel)(P...), void** arguments) {
    call(kernel, arguments, __make_integer_seq<sequence, int, sizeof...(P)>{});
}

}  // namespace hip_emulator

#define HIP_EMULATOR_EXPORT(kernel)                                                            \
    extern "C" const auto hip_emulator_parameters_##kernel =                                   \
        hip_emulator::parameters_of(&kernel);                                                  \
    extern "C" void hip_emulator_call_##kernel(void** arguments) {                             \
        hip_emulator::call(&kernel, arguments);                                                \
    }                                                                                          \
    extern "C" int hip_emulator_launch_##kernel(                                               \
        const unsigned* grid, const unsigned* block, size_t shared_bytes, void** arguments) {  \
        return hip_emulator_launch(                                                            \
            &hip_emulator_call_##kernel, arguments, grid, block, shared_bytes);                \
    }
