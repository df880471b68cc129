// HIP's atomics for int, unsigned, unsigned long (long), float and double.
#pragma once

namespace hip_detail {

// Who sees an atomic: the numbers are those of HIP's memory scopes.
constexpr int of_block = 3, of_device = 4, of_system = 5;

template <class T> constexpr bool is_atomic_integer =
    __is_same(T, int) || __is_same(T, unsigned) || __is_same(T, unsigned long) ||
    __is_same(T, unsigned long long);
template <class T> constexpr bool is_atomic =
    is_atomic_integer<T> || __is_same(T, float) || __is_same(T, double);

}  // namespace hip_detail

// Each in three reaches: of the block, of the device (no suffix), of the whole system.
#define HIP_DETAIL_ATOMIC_FOR(name, op, allowed, reach)                                        \
    template <class T>                                                                         \
    HIP_DETAIL_DEVICE T name(T* place, typename hip_detail_types::not_deduced<T>::type value) {      \
        static_assert(hip_detail::allowed<T>, #name " does not exist for this type");          \
        return hip_detail::atomic_operation<hip_detail::operation::op, hip_detail::reach>(     \
            place, value);                                                                     \
    }
#define HIP_DETAIL_ATOMIC(name, op, allowed)                                                   \
    HIP_DETAIL_ATOMIC_FOR(name, op, allowed, of_device)                                        \
    HIP_DETAIL_ATOMIC_FOR(name##_block, op, allowed, of_block)                                 \
    HIP_DETAIL_ATOMIC_FOR(name##_system, op, allowed, of_system)
HIP_DETAIL_ATOMIC(atomicAdd, add, is_atomic)
HIP_DETAIL_ATOMIC(atomicSub, subtract, is_atomic)
HIP_DETAIL_ATOMIC(atomicMin, minimum, is_atomic)
HIP_DETAIL_ATOMIC(atomicMax, maximum, is_atomic)
HIP_DETAIL_ATOMIC(atomicAnd, bit_and, is_atomic_integer)
HIP_DETAIL_ATOMIC(atomicOr, bit_or, is_atomic_integer)
HIP_DETAIL_ATOMIC(atomicXor, bit_xor, is_atomic_integer)
HIP_DETAIL_ATOMIC(atomicExch, exchange, is_atomic)
HIP_DETAIL_ATOMIC_FOR(unsafeAtomicAdd, add, is_atomic, of_device)
HIP_DETAIL_ATOMIC_FOR(safeAtomicAdd, add, is_atomic, of_device)
HIP_DETAIL_ATOMIC_FOR(unsafeAtomicMin, minimum, is_atomic, of_device)
HIP_DETAIL_ATOMIC_FOR(unsafeAtomicMax, maximum, is_atomic, of_device)
#undef HIP_DETAIL_ATOMIC
#undef HIP_DETAIL_ATOMIC_FOR

#define HIP_DETAIL_CAS(name, reach)                                                            \
    template <class T>                                                                         \
    HIP_DETAIL_DEVICE T name(                                                                  \
        T* place, typename hip_detail_types::not_deduced<T>::type expected,                    \
        typename hip_detail_types::not_deduced<T>::type value) {                               \
        static_assert(hip_detail::is_atomic_integer<T>, #name " does not exist for this type"); \
        return hip_detail::atomic_compare_exchange<hip_detail::reach>(place, expected, value); \
    }
HIP_DETAIL_CAS(atomicCAS, of_device)
HIP_DETAIL_CAS(atomicCAS_block, of_block)
HIP_DETAIL_CAS(atomicCAS_system, of_system)
#undef HIP_DETAIL_CAS

// atomicInc wraps to zero above `limit`; atomicDec wraps to `limit` below zero.
HIP_DETAIL_DEVICE unsigned atomicInc(unsigned* place, unsigned limit) {
    unsigned seen = atomicCAS(place, 0u, 0u), expected;
    do {
        expected = seen;
        seen = atomicCAS(place, expected, expected >= limit ? 0u : expected + 1u);
    } while (seen != expected);
    return seen;
}
HIP_DETAIL_DEVICE unsigned atomicDec(unsigned* place, unsigned limit) {
    unsigned seen = atomicCAS(place, 0u, 0u), expected;
    do {
        expected = seen;
        bool wraps = expected == 0u || expected > limit;
        seen = atomicCAS(place, expected, wraps ? limit : expected - 1u);
    } while (seen != expected);
    return seen;
}
