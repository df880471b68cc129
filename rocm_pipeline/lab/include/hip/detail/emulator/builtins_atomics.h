// The compiler's __hip_atomic_*, which the GPU's compiler has built in.
//
// An order other than relaxed, for the device or the system, is a fence between blocks as well.
#pragma once

#define __HIP_MEMORY_SCOPE_SINGLETHREAD 1
#define __HIP_MEMORY_SCOPE_WAVEFRONT 2
#define __HIP_MEMORY_SCOPE_WORKGROUP 3
#define __HIP_MEMORY_SCOPE_AGENT 4
#define __HIP_MEMORY_SCOPE_SYSTEM 5

namespace hip_detail {

HIP_DETAIL_DEVICE void order(int memory_order, int scope) {
    if (memory_order != __ATOMIC_RELAXED && scope >= of_device) hip_emulator_device_fence();
}

template <class T>
HIP_DETAIL_DEVICE T hip_atomic_load(const T* place, int memory_order, int scope) {
    T old = atomic_begin(const_cast<T*>(place));
    order(memory_order, scope);
    return old;
}
template <class T>
HIP_DETAIL_DEVICE void hip_atomic_store(
    T* place, typename hip_detail_types::not_deduced<T>::type value, int memory_order, int scope) {
    order(memory_order, scope);
    atomic_begin(place);
    atomic_end(place, value);
}
template <operation op, class T>
HIP_DETAIL_DEVICE T hip_atomic_fetch(
    T* place, typename hip_detail_types::not_deduced<T>::type value, int memory_order, int scope) {
    order(memory_order, scope);
    T old = atomic_operation<op, of_device>(place, value);
    order(memory_order, scope);
    return old;
}
template <class T>
HIP_DETAIL_DEVICE bool hip_atomic_compare_exchange(
    T* place, T* expected, typename hip_detail_types::not_deduced<T>::type value,
    int memory_order, int, int scope) {
    order(memory_order, scope);
    T old = atomic_compare_exchange<of_device>(place, *expected, (T)value);
    order(memory_order, scope);
    bool exchanged = old == *expected;
    *expected = old;
    return exchanged;
}

}  // namespace hip_detail

#define __hip_atomic_load(...) hip_detail::hip_atomic_load(__VA_ARGS__)
#define __hip_atomic_store(...) hip_detail::hip_atomic_store(__VA_ARGS__)
#define __hip_atomic_exchange(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::exchange>(__VA_ARGS__)
#define __hip_atomic_fetch_add(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::add>(__VA_ARGS__)
#define __hip_atomic_fetch_sub(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::subtract>(__VA_ARGS__)
#define __hip_atomic_fetch_min(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::minimum>(__VA_ARGS__)
#define __hip_atomic_fetch_max(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::maximum>(__VA_ARGS__)
#define __hip_atomic_fetch_and(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::bit_and>(__VA_ARGS__)
#define __hip_atomic_fetch_or(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::bit_or>(__VA_ARGS__)
#define __hip_atomic_fetch_xor(...) \
    hip_detail::hip_atomic_fetch<hip_detail::operation::bit_xor>(__VA_ARGS__)
#define __hip_atomic_compare_exchange_strong(...) \
    hip_detail::hip_atomic_compare_exchange(__VA_ARGS__)
#define __hip_atomic_compare_exchange_weak(...) \
    hip_detail::hip_atomic_compare_exchange(__VA_ARGS__)
