"""Half, bfloat16 and 8-bit floating types, over all of their values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.lab.emulator.bench import Bench, Start

Array = npt.NDArray[Any]
CODES = np.arange(256, dtype=np.uint8)


def _decoded(mantissa: int, bias: int, kind: str) -> Array:
    """The value of each code: OCP's formats and the FNUZ ones."""
    magnitude = np.arange(128)
    exponent, fraction = magnitude >> mantissa, magnitude & ((1 << mantissa) - 1)
    normal = exponent > 0
    whole = np.where(normal, fraction + (1 << mantissa), fraction).astype(float)
    values = whole * 2.0 ** (np.where(normal, exponent, 1) - bias - mantissa)
    if kind == "e4m3":
        values[127] = np.nan
    if kind == "e5m2":
        values[124], values[125:] = np.inf, np.nan
    both = np.concatenate([values, -values])
    if kind.endswith("fnuz"):
        both[128] = np.nan
    return both


FORMATS = {
    "e4m3": _decoded(3, 7, "e4m3"),
    "e5m2": _decoded(2, 15, "e5m2"),
    "e4m3_fnuz": _decoded(3, 8, "e4m3_fnuz"),
    "e5m2_fnuz": _decoded(2, 16, "e5m2_fnuz"),
}
FP8 = """#include <hip/hip_fp8.h>
extern "C" __global__ void k(const unsigned char* c, float* y, const float* x, unsigned char* r,
    unsigned char* n, float* v) {
  int i = threadIdx.x;
  __hip_fp8_NAME code;
  code.__x = c[i];
  y[i] = (float)code;
  for (int k = i; k < 1024; k += 256) {
    r[k] = __hip_fp8_NAME(x[k]).__x;
    n[k] = __hip_cvt_float_to_fp8(x[k], __HIP_NOSAT, __HIP_KIND);
  }
  __hip_fp8x4_NAME four(float4(x[i], x[i + 1], x[i + 2], x[i + 3]));
  float4 back = four;
  v[i] = back.x + back.w;
}"""


def test_fp8_values_convert_exactly_and_round_to_nearest_even(bench: Bench) -> None:
    rng = np.random.default_rng(3)
    for name, values in FORMATS.items():
        finite = np.sort(np.unique(values[np.isfinite(values)]))
        ties = (finite[1:] + finite[:-1]) / 2
        x = np.concatenate([ties, finite, rng.normal(size=400) * 100, rng.normal(size=400) * 1e-3])
        x = x[:1024].astype(np.float32)
        x = np.concatenate([x, np.zeros(1024 - x.size, np.float32)])
        x[-5:] = [np.nan, np.inf, -np.inf, 1e9, -1e9]
        run = bench.run(
            FP8.replace("NAME", name).replace("KIND", name.upper()),
            Start("k", ("c", "y", "x", "r", "n", "v"), block=(256, 1, 1)),
            {
                "c": CODES, "y": np.zeros(256, np.float32), "x": x,
                "r": np.zeros(1024, np.uint8), "n": np.zeros(1024, np.uint8),
                "v": np.zeros(256, np.float32),
            },
        )  # fmt: skip
        assert run.findings == ()
        np.testing.assert_array_equal(run.outputs["y"], values)

        rounded = _nearest_even(x.astype(float), values)
        got = values[run.outputs["r"]]
        largest = np.max(finite)
        nan = np.isnan(x) | (np.isinf(x) & name.endswith("fnuz"))
        np.testing.assert_array_equal(
            got, np.where(nan, np.nan, np.clip(rounded, -largest, largest))
        )
        beyond = np.inf if name == "e5m2" else np.nan
        step = largest - finite[-2]
        over = np.abs(x) >= largest + step / 2
        free = values[run.outputs["n"]]
        exact = np.where(over | nan, np.where(np.isnan(x), np.nan, np.sign(x) * beyond), rounded)
        np.testing.assert_array_equal(free, exact)
        np.testing.assert_array_equal(run.outputs["v"][:250], got[:250] + got[3:253])


def _nearest_even(x: Array, values: Array) -> Array:
    """Of the finite values the nearest to each x; on a tie the one with the even code."""
    codes = np.flatnonzero(np.isfinite(values[:128]))
    magnitude = np.minimum(np.nan_to_num(np.abs(x), nan=0.0), values[codes[-1]])
    distance = np.abs(magnitude[:, None] - values[codes][None, :])
    best = distance.min(axis=1, keepdims=True)
    candidates = np.where(distance == best, codes % 2, 2).argmin(axis=1)
    return np.copysign(values[codes[candidates]], x)


HALF = """extern "C" __global__ void k(const __half* a, const __half* b, __half* y, int* n,
    float* f) {
  int i = threadIdx.x;
  __half p = a[i], q = b[i];
  __half2 u = __half2(p, q), w = __half2(q, p);
  __half r[32] = {__hadd(p, q), __hsub(p, q), __hmul(p, q), __hdiv(p, q), __hfma(p, q, p),
    __hadd_sat(p, q), __hmul_sat(p, q), hceil(p), hfloor(p), htrunc(p), hrint(p), __habs(p),
    __hneg(p), __hmax(p, q), __hmin(p, q), hsqrt(__habs(p)), hrcp(p), hexp2(q), hsin(p),
    __float2half_ru(f[i]), __float2half_rd(f[i]), __float2half_rz(f[i]), __float2half_rn(f[i]),
    __hadd2(u, w).x, __hmul2(u, w).y, __hfma2(u, w, u).x, __lowhigh2highlow(u).x,
    __heq2(u, w).x, __hlt2(u, w).y, h2floor(u).y, __int2half_rn(i * 100), __ushort_as_half(i)};
  for (int k = 0; k < 32; ++k) y[i * 32 + k] = r[k];
  n[i * 8] = __half2int_rn(p); n[i * 8 + 1] = __half2int_rz(p); n[i * 8 + 2] = __half2int_ru(p);
  n[i * 8 + 3] = __half2int_rd(p); n[i * 8 + 4] = __hltu(p, q) + 2 * __hisnan(p);
  n[i * 8 + 5] = __hbeq2(u, w); n[i * 8 + 6] = __half_as_ushort(p);
  n[i * 8 + 7] = __half2uint_rn(__habs(p));
}"""


def _directed(x: Array, up: bool) -> Array:
    nearest = x.astype(np.float16)
    wrong = nearest.astype(float) < x if up else nearest.astype(float) > x
    towards = np.float16(np.inf if up else -np.inf)
    return np.where(wrong, np.nextafter(nearest, towards), nearest)


def test_half_intrinsics_round_once(bench: Bench) -> None:
    rng = np.random.default_rng(4)
    a, b = (rng.normal(size=64).astype(np.float16) for _ in range(2))
    a[:3], b[:3] = [np.nan, 2.5, -2.5], [1, 2.5, -2.5]
    f = rng.normal(size=64).astype(np.float32)
    f[:4] = [1e-9, -1e-9, 1e5, 2048.5]
    run = bench.run(
        HALF,
        Start("k", ("a", "b", "y", "n", "f")),
        {"a": a, "b": b, "y": np.zeros((64, 32), np.float16), "n": np.zeros((64, 8), np.int32), "f": f},  # noqa: E501
    )  # fmt: skip
    assert run.findings == ()
    y, n, i = run.outputs["y"], run.outputs["n"], np.arange(64)
    p, q, x = a.astype(float), b.astype(float), f.astype(float)

    def clipped(v: Array) -> Array:
        return np.where(np.isnan(v), 0, np.clip(v.astype(np.float16), 0, 1))

    fma = p * q + p
    with np.errstate(all="ignore"):
        exact = [
            p + q, p - q, p * q, p / q, fma, clipped(p + q), clipped(p * q), np.ceil(p),
            np.floor(p), np.trunc(p), np.rint(p), np.abs(p), -p, np.fmax(p, q), np.fmin(p, q),
            np.sqrt(np.abs(p)), 1 / p, np.exp2(q), np.sin(p), _directed(x, True),
            _directed(x, False), np.where(x < 0, _directed(x, True), _directed(x, False)), x,
            p + q, p * q, p * q + p, q, p == q, q < p, np.floor(q), i * 100.0,
            i.astype(np.uint16).view(np.float16),
        ]  # fmt: skip
    for column, values in enumerate(exact):
        rounded = np.asarray(values).astype(np.float16)
        within = 2e-3 if column in (15, 16, 17, 18) else 0
        np.testing.assert_allclose(y[:, column], rounded, rtol=within, err_msg=str(column))
    number = ~np.isnan(p)
    for column, function in enumerate([np.rint, np.trunc, np.ceil, np.floor]):
        np.testing.assert_array_equal(n[number, column], function(p[number]))
    np.testing.assert_array_equal(n[:, 4], np.where(number, p < q, 3))
    np.testing.assert_array_equal(n[:, 5], p == q)
    np.testing.assert_array_equal(n[:, 6], a.view(np.uint16))


BFLOAT16 = """extern "C" __global__ void k(const __hip_bfloat16* a, const __hip_bfloat16* b,
    __hip_bfloat16* y, __hip_bfloat162* z, const double* d, int* n) {
  int i = threadIdx.x;
  __hip_bfloat16 p = a[i], q = b[i];
  __hip_bfloat162 u = __hip_bfloat162(p, q), w = __halves2bfloat162(q, p);
  __hip_bfloat16 r[16] = {__hadd(p, q), __hsub(p, q), __hmul(p, q), __hdiv(p, q),
    __hfma(p, q, p), __habs(p), __hneg(p), __hmax(p, q), __hmin(p, q), hsqrt(__habs(p)),
    hexp(q), hfloor(p), __double2bfloat16(d[i]), hrcp(p), __hadd2(u, w).x, __hfma2(u, w, u).y};
  for (int k = 0; k < 16; ++k) y[i * 16 + k] = r[k];
  z[i] = u * w + __float2bfloat162_rn(1.0f);
  n[i] = __hlt(p, q) + 2 * __heq(p, q) + 4 * __hge(p, q) +
      8 * (__bfloat1622float2(u).y == (float)q);
}"""


def _bfloat16(x: Array) -> Array:
    """Rounded to nearest even, once, as float64."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.rint(mantissa * 256), exponent - 8)


def _bits(x: Array) -> npt.NDArray[np.uint16]:
    return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def _floats(bits: Array) -> Array:
    return (bits.view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(float)


def test_bfloat16_intrinsics_round_once(bench: Bench) -> None:
    rng = np.random.default_rng(5)
    p, q = (_bfloat16(rng.normal(size=64)) for _ in range(2))
    q[:4] = p[:4]
    d = rng.normal(size=64)
    d[:3] = [1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-8, 1 + 2.0**-8 - 2.0**-40]
    run = bench.run(
        BFLOAT16,
        Start("k", ("a", "b", "y", "z", "d", "n")),
        {
            "a": _bits(p), "b": _bits(q), "y": np.zeros((64, 16), np.uint16),
            "z": np.zeros((64, 2), np.uint16), "d": d, "n": np.zeros(64, np.int32),
        },
    )  # fmt: skip
    assert run.findings == ()
    y = _floats(run.outputs["y"])
    exact = [
        p + q, p - q, p * q, p / q, p * q + p, np.abs(p), -p, np.maximum(p, q), np.minimum(p, q),
        np.sqrt(np.abs(p)), np.exp(q), np.floor(p), d, 1 / p, p + q, p * q + q,
    ]  # fmt: skip
    for column, values in enumerate(exact):
        np.testing.assert_array_equal(y[:, column], _bfloat16(values), err_msg=str(column))
    product = _bfloat16(_bfloat16(p * q) + 1)
    np.testing.assert_array_equal(_floats(run.outputs["z"])[:, 0], product)
    np.testing.assert_array_equal(run.outputs["n"], (p < q) + 2 * (p == q) + 4 * (p >= q) + 8)


INTEGERS = """extern "C" __global__ void k(const unsigned* x, unsigned* y, unsigned long long* z) {
  int i = threadIdx.x;
  unsigned a = x[3 * i], b = x[3 * i + 1], c = x[3 * i + 2];
  unsigned r[20] = {__umulhi(a, b), (unsigned)__mulhi(a, b), __umul24(a, b),
    (unsigned)__mul24(a, b), __byte_perm(a, b, c), __funnelshift_l(a, b, c),
    __funnelshift_r(a, b, c), __funnelshift_lc(a, b, c & 63), __funnelshift_rc(a, b, c & 63),
    __usad(a, b, c),
    (unsigned)__hadd((int)a, (int)b), (unsigned)__rhadd((int)a, (int)b), __uhadd(a, b),
    __urhadd(a, b), __bitextract_u32(a, 5, 7), __bitinsert_u32(a, b, 9, 11), __brev(a),
    (unsigned)__popc(a), (unsigned)__clz(a), (unsigned)__ffs(a)};
  for (int k = 0; k < 20; ++k) y[20 * i + k] = r[k];
  unsigned long long l = (unsigned long long)a << 32 | b, m = (unsigned long long)c << 32 | a;
  z[4 * i] = __umul64hi(l, m); z[4 * i + 1] = (unsigned long long)__mul64hi(l, m);
  z[4 * i + 2] = __brevll(l); z[4 * i + 3] = __bitextract_u64(l, 20, 33);
}"""


def _signed(x: int, bits: int) -> int:
    return x - (1 << bits) if x >> (bits - 1) & 1 else x


def _integers(a: int, b: int, c: int) -> tuple[list[int], list[int]]:
    both, s, t = b << 32 | a, _signed(a, 32), _signed(b, 32)
    low = [x & 0xFFFFFF for x in (a, b)]
    bytes_ = both.to_bytes(8, "little")
    clamp = min(c & 63, 32)
    rows: list[int] = [
        a * b >> 32, s * t >> 32, low[0] * low[1], _signed(low[0], 24) * _signed(low[1], 24),
        int.from_bytes(bytes(bytes_[c >> 4 * i & 7] for i in range(4)), "little"),
        both << (c & 31) >> 32, both >> (c & 31), both << clamp >> 32, both >> clamp,
        abs(a - b) + c, (s + t) >> 1, (s + t + 1) >> 1, (a + b) >> 1, (a + b + 1) >> 1,
        a >> 5 & 127, a & ~(2047 << 9) | (b & 2047) << 9, int(f"{a:032b}"[::-1], 2),
        a.bit_count(), 32 - a.bit_length(), (a & -a).bit_length(),
    ]  # fmt: skip
    long, more = a << 32 | b, c << 32 | a
    wide = [
        long * more >> 64, _signed(long, 64) * _signed(more, 64) >> 64,
        int(f"{long:064b}"[::-1], 2), long >> 20 & ((1 << 33) - 1),
    ]  # fmt: skip
    return [x & 0xFFFFFFFF for x in rows], [x & (1 << 64) - 1 for x in wide]


def test_integer_intrinsics_are_exact(bench: Bench) -> None:
    x = np.random.default_rng(6).integers(0, 1 << 32, (64, 3), np.uint32)
    x[:3] = [[0, 0, 0], [1, 0xFFFFFFFF, 32], [0x80000000, 1, 31]]
    run = bench.run(
        INTEGERS,
        Start("k", ("x", "y", "z")),
        {
            "x": x.view(np.int32), "y": np.zeros((64, 20), np.int32),
            "z": np.zeros((64, 4), np.int64),
        },
    )  # fmt: skip
    assert run.findings == ()
    for row in range(64):
        words, wide = _integers(*map(int, x[row]))
        assert [int(v) & 0xFFFFFFFF for v in run.outputs["y"][row]] == words
        assert [int(v) & (1 << 64) - 1 for v in run.outputs["z"][row]] == wide
