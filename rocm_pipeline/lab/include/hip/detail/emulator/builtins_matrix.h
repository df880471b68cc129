// The matrix builtins: MFMA of CDNA, WMMA of RDNA 3 (gfx11) and RDNA 4 (gfx12).
//
// The runtime computes them from the parts of all lanes (runtime/matrix.cpp, which knows the
// layouts). Modifiers that rearrange or negate are refused when they are compiled.
#pragma once

namespace hip_detail {

template <class T, int count> struct packed {
    typedef T type __attribute__((vector_size(sizeof(T) * count)));
};
template <class T> struct packed<T, 1> { typedef T type; };

// Numbers known to runtime/matrix.cpp.
enum element { f16 = 0, bf16 = 1, f32 = 2, f64 = 3, i8 = 4, u8 = 5 };
enum layout { cdna = 0, cdna_double = 1, gfx11 = 2, gfx12 = 3 };

constexpr unsigned matrix_shape(
    layout where, element left, element right, int side, int depth) {
    return (unsigned)where | (unsigned)left << 4 | (unsigned)right << 8 |
           (unsigned)side << 12 | (unsigned)depth << 20;
}

template <unsigned shape, int wave, class part, class sums>
HIP_DETAIL_DEVICE sums matrix_product(part a, part b, sums c) {
    static_assert(wave == ROCM_PIPELINE_WAVE, "UNSUPPORTED: a matrix builtin of the other wave size");
    sums d;
    hip_emulator_matrix(&a, &b, &c, &d, shape, 0);
    return d;
}

// `items` of T in the left and right part of each lane; sums of `result`.
template <class T, int items, class result, element kind, int side, int depth, int x, int y, int z>
HIP_DETAIL_DEVICE typename packed<result, side * side / 64>::type mfma(
    typename packed<T, items>::type a, typename packed<T, items>::type b,
    typename packed<result, side * side / 64>::type c) {
    static_assert(x == 0 && y == 0 && z == 0, "UNSUPPORTED: cbsz, abid and blgp must be zero");
    constexpr layout where = kind == f64 ? cdna_double : cdna;
    return matrix_product<matrix_shape(where, kind, kind, side, depth), 64>(a, b, c);
}
template <layout where, element kind, class part>
HIP_DETAIL_DEVICE packed<float, 8>::type wmma(part a, part b, packed<float, 8>::type c) {
    return matrix_product<matrix_shape(where, kind, kind, 16, 16), 32>(a, b, c);
}
template <layout where, class part, bool left_signed, bool right_signed, bool clamp>
HIP_DETAIL_DEVICE packed<int, 8>::type integer_wmma(part a, part b, packed<int, 8>::type c) {
    static_assert(!clamp, "UNSUPPORTED: a matrix product that clamps");
    constexpr element left = left_signed ? i8 : u8, right = right_signed ? i8 : u8;
    return matrix_product<matrix_shape(where, left, right, 16, 16), 32>(a, b, c);
}

}  // namespace hip_detail

#define HIP_DETAIL_MFMA(T, items, result, kind, side, depth, a, b, c, x, y, z) \
    hip_detail::mfma<T, items, result, hip_detail::kind, side, depth, (x), (y), (z)>(a, b, c)

#define __builtin_amdgcn_mfma_f32_32x32x2f32(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(float, 1, float, f32, 32, 2, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x4f32(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(float, 1, float, f32, 16, 4, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x8f16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(_Float16, 4, float, f16, 32, 8, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x16f16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(_Float16, 4, float, f16, 16, 16, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x4bf16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(short, 2, float, bf16, 32, 4, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x8bf16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(short, 2, float, bf16, 16, 8, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(short, 4, float, bf16, 32, 8, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(short, 4, float, bf16, 16, 16, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x16_f16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(_Float16, 8, float, f16, 32, 16, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x32_f16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(_Float16, 8, float, f16, 16, 32, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x16_bf16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(__bf16, 8, float, bf16, 32, 16, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x32_bf16(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(__bf16, 8, float, bf16, 16, 32, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_32x32x8i8(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(int, 1, int, i8, 32, 8, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_16x16x16i8(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(int, 1, int, i8, 16, 16, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_32x32x16_i8(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(long, 1, int, i8, 32, 16, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_16x16x32_i8(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(long, 1, int, i8, 16, 32, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_32x32x32_i8(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(int, 4, int, i8, 32, 32, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_16x16x64_i8(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(int, 4, int, i8, 16, 64, a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f64_16x16x4f64(a, b, c, x, y, z) \
    HIP_DETAIL_MFMA(double, 1, double, f64, 16, 4, a, b, c, x, y, z)
#define __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(a, b, c) \
    hip_detail::wmma<hip_detail::gfx11, hip_detail::f16, hip_detail::packed<_Float16, 16>::type>(a, b, c)
#define __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32(a, b, c) \
    hip_detail::wmma<hip_detail::gfx11, hip_detail::bf16, hip_detail::packed<short, 16>::type>(a, b, c)
#define __builtin_amdgcn_wmma_f32_16x16x16_f16_w32_gfx12(a, b, c) \
    hip_detail::wmma<hip_detail::gfx12, hip_detail::f16, hip_detail::packed<_Float16, 8>::type>(a, b, c)
#define __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32_gfx12(a, b, c) \
    hip_detail::wmma<hip_detail::gfx12, hip_detail::bf16, hip_detail::packed<short, 8>::type>(a, b, c)
#define __builtin_amdgcn_wmma_i32_16x16x16_iu8_w32(left, a, right, b, c, clamp) \
    hip_detail::integer_wmma<hip_detail::gfx11, hip_detail::packed<int, 4>::type, (left), (right), \
                             (clamp)>(a, b, c)
#define __builtin_amdgcn_wmma_i32_16x16x16_iu8_w32_gfx12(left, a, right, b, c, clamp) \
    hip_detail::integer_wmma<hip_detail::gfx12, hip_detail::packed<int, 2>::type, (left), (right), \
                             (clamp)>(a, b, c)
