// float4 and its relatives, with HIP's layout, element-wise arithmetic and real members.
//
// A copy moves the whole vector in one access of up to 16 bytes (as the GPU does), not member by
// member: that is what the emulator's memory profile counts.
#pragma once

// Argument-dependent lookup sees this namespace from a kernel: it holds what is the same on both
// sides, and nothing else.
namespace hip_detail_types {

template <class T, int count> struct whole {
    typedef T type __attribute__((ext_vector_type(count)));
};
template <class T> struct whole<T, 1> { typedef T type; };

// How a vector is moved: vectors of 32 bytes (double4) as two halves.
template <class T, int count> struct storage {
    static constexpr int parts = sizeof(T) * count > 16 ? 2 : 1;
    typedef typename whole<T, count / parts>::type part;
    part data[parts];
};

template <class T, int count> struct members;

template <class T> struct members<T, 1> {
    union { storage<T, 1> moved; T x; };
    members() = default;
    HIP_DETAIL_MEMBER constexpr members(T a) : x(a) {}
};
template <class T> struct members<T, 2> {
    union { storage<T, 2> moved; struct { T x, y; }; };
    members() = default;
    HIP_DETAIL_MEMBER constexpr members(T a) : x(a), y(a) {}
    HIP_DETAIL_MEMBER constexpr members(T a, T b) : x(a), y(b) {}
};
template <class T> struct members<T, 4> {
    union { storage<T, 4> moved; struct { T x, y, z, w; }; };
    members() = default;
    HIP_DETAIL_MEMBER constexpr members(T a) : x(a), y(a), z(a), w(a) {}
    HIP_DETAIL_MEMBER constexpr members(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {}
};

template <class T, int count> struct vector : members<T, count> {
    using members<T, count>::members;
    vector() = default;
    HIP_DETAIL_MEMBER vector(const vector& other) { move(other); }
    HIP_DETAIL_MEMBER vector& operator=(const vector& other) {
        move(other);
        return *this;
    }
    HIP_DETAIL_MEMBER T& operator[](int i) { return (&this->x)[i]; }
    HIP_DETAIL_MEMBER const T& operator[](int i) const { return (&this->x)[i]; }

  private:
    HIP_DETAIL_MEMBER void move(const vector& other) {
        this->moved.data[0] = other.moved.data[0];
        if constexpr (storage<T, count>::parts == 2) this->moved.data[1] = other.moved.data[1];
    }
};

// Three elements stay packed: float3 takes 12 bytes and has the alignment of float.
template <class T> struct vector<T, 3> {
    T x, y, z;
    vector() = default;
    HIP_DETAIL_MEMBER constexpr vector(T a) : x(a), y(a), z(a) {}
    HIP_DETAIL_MEMBER constexpr vector(T a, T b, T c) : x(a), y(b), z(c) {}
    HIP_DETAIL_MEMBER T& operator[](int i) { return (&x)[i]; }
    HIP_DETAIL_MEMBER const T& operator[](int i) const { return (&x)[i]; }
};

template <class T> struct not_deduced { typedef T type; };

#define HIP_DETAIL_ELEMENTWISE(op)                                                             \
    template <class T, int count>                                                              \
    HIP_DETAIL_FUNCTION vector<T, count>& operator op##=(                                      \
        vector<T, count>& a, const vector<T, count>& b) {                                      \
        if constexpr (count == 3) {                                                            \
            a.x op##= b.x, a.y op##= b.y, a.z op##= b.z;                                       \
        } else {                                                                               \
            a.moved.data[0] op##= b.moved.data[0];                                             \
            if constexpr (storage<T, count>::parts == 2) a.moved.data[1] op##= b.moved.data[1];\
        }                                                                                      \
        return a;                                                                              \
    }                                                                                          \
    template <class T, int count>                                                              \
    HIP_DETAIL_FUNCTION vector<T, count>& operator op##=(                                      \
        vector<T, count>& a, typename not_deduced<T>::type b) {                                \
        return a op##= vector<T, count>(b);                                                    \
    }                                                                                          \
    template <class T, int count>                                                              \
    HIP_DETAIL_FUNCTION vector<T, count> operator op(                                          \
        vector<T, count> a, const vector<T, count>& b) {                                       \
        return a op##= b;                                                                      \
    }                                                                                          \
    template <class T, int count>                                                              \
    HIP_DETAIL_FUNCTION vector<T, count> operator op(                                          \
        vector<T, count> a, typename not_deduced<T>::type b) {                                 \
        return a op##= vector<T, count>(b);                                                    \
    }                                                                                          \
    template <class T, int count>                                                              \
    HIP_DETAIL_FUNCTION vector<T, count> operator op(                                          \
        typename not_deduced<T>::type a, const vector<T, count>& b) {                          \
        vector<T, count> left(a);                                                              \
        return left op##= b;                                                                   \
    }
HIP_DETAIL_ELEMENTWISE(+)
HIP_DETAIL_ELEMENTWISE(-)
HIP_DETAIL_ELEMENTWISE(*)
HIP_DETAIL_ELEMENTWISE(/)
#undef HIP_DETAIL_ELEMENTWISE

template <class T, int count>
HIP_DETAIL_FUNCTION vector<T, count> operator-(vector<T, count> a) {
    if constexpr (count == 3) {
        a.x = -a.x, a.y = -a.y, a.z = -a.z;
    } else {
        a.moved.data[0] = -a.moved.data[0];
        if constexpr (storage<T, count>::parts == 2) a.moved.data[1] = -a.moved.data[1];
    }
    return a;
}
template <class T, int count>
HIP_DETAIL_FUNCTION bool operator==(const vector<T, count>& a, const vector<T, count>& b) {
    if constexpr (count == 1) return a.x == b.x;
    if constexpr (count == 2) return a.x == b.x && a.y == b.y;
    if constexpr (count == 3) return a.x == b.x && a.y == b.y && a.z == b.z;
    if constexpr (count == 4) return a.x == b.x && a.y == b.y && a.z == b.z && a.w == b.w;
}
template <class T, int count>
HIP_DETAIL_FUNCTION bool operator!=(const vector<T, count>& a, const vector<T, count>& b) {
    return !(a == b);
}

}  // namespace hip_detail_types

#define HIP_DETAIL_VECTORS(T, name)                                                            \
    typedef hip_detail_types::vector<T, 1> name##1;                                                  \
    typedef hip_detail_types::vector<T, 2> name##2;                                                  \
    typedef hip_detail_types::vector<T, 3> name##3;                                                  \
    typedef hip_detail_types::vector<T, 4> name##4;                                                  \
    HIP_DETAIL_FUNCTION name##1 make_##name##1(T x) { return name##1(x); }                     \
    HIP_DETAIL_FUNCTION name##2 make_##name##2(T x, T y) { return name##2(x, y); }             \
    HIP_DETAIL_FUNCTION name##3 make_##name##3(T x, T y, T z) { return name##3(x, y, z); }     \
    HIP_DETAIL_FUNCTION name##4 make_##name##4(T x, T y, T z, T w) {                           \
        return name##4(x, y, z, w);                                                            \
    }
HIP_DETAIL_VECTORS(signed char, char)
HIP_DETAIL_VECTORS(unsigned char, uchar)
HIP_DETAIL_VECTORS(short, short)
HIP_DETAIL_VECTORS(unsigned short, ushort)
HIP_DETAIL_VECTORS(int, int)
HIP_DETAIL_VECTORS(unsigned, uint)
HIP_DETAIL_VECTORS(long, long)
HIP_DETAIL_VECTORS(unsigned long, ulong)
HIP_DETAIL_VECTORS(long long, longlong)
HIP_DETAIL_VECTORS(unsigned long long, ulonglong)
HIP_DETAIL_VECTORS(float, float)
HIP_DETAIL_VECTORS(double, double)
#undef HIP_DETAIL_VECTORS

struct dim3 {
    unsigned x, y, z;
    HIP_DETAIL_MEMBER constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1)
        : x(x_), y(y_), z(z_) {}
};
