// What atomics.h is made of: one read-modify-write. Work-items never run at the same time, so
// whatever lies between begin and end is atomic.
#pragma once

namespace hip_detail {

enum class operation { add, subtract, minimum, maximum, bit_and, bit_or, bit_xor, exchange };

template <class T> HIP_DETAIL_DEVICE T atomic_begin(T* place) {
    unsigned long long bits = hip_emulator_atomic_begin(place, sizeof(T), 0);
    T old;
    __builtin_memcpy(&old, &bits, sizeof(T));
    return old;
}

template <class T> HIP_DETAIL_DEVICE void atomic_end(T* place, T value) {
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    hip_emulator_atomic_end(place, sizeof(T), bits);
}

template <operation op, class T> HIP_DETAIL_DEVICE T combine(T old, T value) {
    if constexpr (op == operation::add) return old + value;
    if constexpr (op == operation::subtract) return old - value;
    if constexpr (op == operation::minimum) return min(old, value);
    if constexpr (op == operation::maximum) return max(old, value);
    if constexpr (op == operation::bit_and) return old & value;
    if constexpr (op == operation::bit_or) return old | value;
    if constexpr (op == operation::bit_xor) return old ^ value;
    if constexpr (op == operation::exchange) return value;
}

template <operation op, int, class T> HIP_DETAIL_DEVICE T atomic_operation(T* place, T value) {
    T old = atomic_begin(place);
    atomic_end(place, combine<op>(old, value));
    return old;
}

template <int, class T> HIP_DETAIL_DEVICE T atomic_compare_exchange(T* place, T expected, T value) {
    T old = atomic_begin(place);
    atomic_end(place, old == expected ? value : old);
    return old;
}

}  // namespace hip_detail

template <class T> HIP_DETAIL_DEVICE T __ldg(const T* place) { return *place; }
