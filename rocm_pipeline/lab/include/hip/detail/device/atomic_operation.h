// What atomics.h is made of: one read-modify-write, relaxed.
#pragma once

namespace hip_detail {

enum class operation { add, subtract, minimum, maximum, bit_and, bit_or, bit_xor, exchange };

template <operation op, int scope, class T> HIP_DETAIL_DEVICE T atomic_operation(T* place, T value) {
#define HIP_DETAIL_FETCH(name) \
    return __hip_atomic_##name(place, value, __ATOMIC_RELAXED, scope)
    if constexpr (op == operation::add) HIP_DETAIL_FETCH(fetch_add);
    if constexpr (op == operation::subtract) HIP_DETAIL_FETCH(fetch_sub);
    if constexpr (op == operation::minimum) HIP_DETAIL_FETCH(fetch_min);
    if constexpr (op == operation::maximum) HIP_DETAIL_FETCH(fetch_max);
    if constexpr (op == operation::bit_and) HIP_DETAIL_FETCH(fetch_and);
    if constexpr (op == operation::bit_or) HIP_DETAIL_FETCH(fetch_or);
    if constexpr (op == operation::bit_xor) HIP_DETAIL_FETCH(fetch_xor);
    if constexpr (op == operation::exchange) HIP_DETAIL_FETCH(exchange);
#undef HIP_DETAIL_FETCH
}

template <int scope, class T>
HIP_DETAIL_DEVICE T atomic_compare_exchange(T* place, T expected, T value) {
    __hip_atomic_compare_exchange_strong(
        place, &expected, value, __ATOMIC_RELAXED, __ATOMIC_RELAXED, scope);
    return expected;
}

}  // namespace hip_detail

template <class T> HIP_DETAIL_DEVICE T __ldg(const T* place) { return *place; }
