"""The element types a kernel may read and write."""

from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class DType(str, Enum):
    """An element type; `suffix` is its short name in kernel symbols (`row_softmax_f32`)."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    BFLOAT16 = "bfloat16"
    FLOAT8_E4M3FN = "float8_e4m3fn"
    FLOAT8_E5M2 = "float8_e5m2"
    FLOAT8_E4M3FNUZ = "float8_e4m3fnuz"
    FLOAT8_E5M2FNUZ = "float8_e5m2fnuz"
    INT8 = "int8"
    UINT32 = "uint32"
    BOOL = "bool"

    @property
    def suffix(self) -> str:
        return _SUFFIX[self]

    @property
    def numpy(self) -> np.dtype[Any]:
        """The type of an array that holds it; bit patterns where numpy has no such type."""
        return np.dtype(_STORED_AS.get(self, self.value))

    @property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    @property
    def is_floating(self) -> bool:
        return self in _STORED_AS or self.numpy.kind == "f"

    @property
    def epsilon(self) -> float:
        """Spacing of the type at one; zero for integers."""
        if not self.is_floating:
            return 0.0
        if self not in _STORED_AS:
            return float(np.finfo(self.numpy).eps)
        one = int(self.pack(np.ones(1))[0])
        return float(self.unpack(np.array([one + 1], self.numpy))[0]) - 1.0

    @property
    def largest(self) -> float:
        """The largest finite value of a floating-point type."""
        if self not in _STORED_AS:
            return float(np.finfo(self.numpy).max)
        return float(_values(self).max())

    @property
    def smallest(self) -> float:
        """The smallest value above zero of a floating-point type."""
        if self not in _STORED_AS:
            return float(np.finfo(self.numpy).smallest_subnormal)
        values = _values(self)
        return float(values[values > 0].min())

    def pack(self, values: Array) -> Array:
        """Return numbers as a kernel's memory holds them, rounded to nearest, ties to even.

        What is too large becomes the type's infinity, or its NaN where it has no infinity.
        """
        if self not in _STORED_AS:
            with np.errstate(over="ignore", invalid="ignore"):
                return values.astype(self.numpy, copy=False)
        values = np.asarray(values, np.float64)
        finite = _values(self)
        magnitude = np.abs(values)
        above = np.minimum(np.searchsorted(finite, magnitude), len(finite) - 1)
        below = np.maximum(above - 1, 0)
        up, down = finite[above] - magnitude, magnitude - finite[below]
        nearer_below = (down < up) | ((down == up) & (below % 2 == 0))
        codes = np.where(nearer_below, below, above)
        half_step = (finite[-1] - finite[-2]) / 2
        beyond = ~(magnitude < finite[-1] + half_step)
        if _has_infinity(self):
            codes = np.where(beyond, len(finite), codes)
        negative = np.signbit(values)
        sign = 1 << (8 * self.itemsize - 1)
        if self in _WITHOUT_NEGATIVE_ZERO:
            negative &= codes != 0
        codes = np.where(negative, codes + sign, codes)
        nan = np.isnan(values) if _has_infinity(self) else beyond
        return np.where(nan, _NAN[self], codes).astype(self.numpy)

    def unpack(self, stored: Array) -> Array:
        """Return what a kernel's memory holds as numbers that numpy can compute with."""
        if self not in _STORED_AS:
            return stored
        return _table(self)[stored]


_SUFFIX = {
    DType.FLOAT16: "f16",
    DType.FLOAT32: "f32",
    DType.FLOAT64: "f64",
    DType.INT32: "i32",
    DType.INT64: "i64",
    DType.UINT8: "u8",
    DType.BFLOAT16: "bf16",
    DType.FLOAT8_E4M3FN: "e4m3fn",
    DType.FLOAT8_E5M2: "e5m2",
    DType.FLOAT8_E4M3FNUZ: "e4m3fnuz",
    DType.FLOAT8_E5M2FNUZ: "e5m2fnuz",
    DType.INT8: "i8",
    DType.UINT32: "u32",
    DType.BOOL: "bool",
}

_STORED_AS = {
    DType.BFLOAT16: "uint16",
    DType.FLOAT8_E4M3FN: "uint8",
    DType.FLOAT8_E5M2: "uint8",
    DType.FLOAT8_E4M3FNUZ: "uint8",
    DType.FLOAT8_E5M2FNUZ: "uint8",
}
_WITHOUT_NEGATIVE_ZERO = (DType.FLOAT8_E4M3FNUZ, DType.FLOAT8_E5M2FNUZ)
_NAN = {
    DType.BFLOAT16: 0x7FC0,
    DType.FLOAT8_E4M3FN: 0x7F,
    DType.FLOAT8_E5M2: 0x7E,
    DType.FLOAT8_E4M3FNUZ: 0x80,
    DType.FLOAT8_E5M2FNUZ: 0x80,
}
# (bits of the fraction, bias of the exponent), OCP 8-bit floating point and the FNUZ forms of CDNA3
_FORM = {
    DType.BFLOAT16: (7, 127),
    DType.FLOAT8_E4M3FN: (3, 7),
    DType.FLOAT8_E5M2: (2, 15),
    DType.FLOAT8_E4M3FNUZ: (3, 8),
    DType.FLOAT8_E5M2FNUZ: (2, 16),
}
# how many codes from zero up are finite: infinities and NaNs follow
_FINITE = {
    DType.BFLOAT16: 0x7F80,
    DType.FLOAT8_E4M3FN: 0x7F,
    DType.FLOAT8_E5M2: 0x7C,
    DType.FLOAT8_E4M3FNUZ: 0x80,
    DType.FLOAT8_E5M2FNUZ: 0x80,
}


def _has_infinity(dtype: DType) -> bool:
    return dtype in (DType.BFLOAT16, DType.FLOAT8_E5M2)


@lru_cache(maxsize=len(_FORM))
def _values(dtype: DType) -> Array:
    """Return the finite values from zero up, by code."""
    fraction, bias = _FORM[dtype]
    codes = np.arange(_FINITE[dtype])
    exponent, rest = codes >> fraction, codes & ((1 << fraction) - 1)
    significand = rest + np.where(exponent > 0, 1 << fraction, 0)
    return np.ldexp(significand.astype(np.float64), np.maximum(exponent, 1) - bias - fraction)


@lru_cache(maxsize=len(_FORM))
def _table(dtype: DType) -> Array:
    """Return the value of every bit pattern."""
    half = 1 << (8 * dtype.itemsize - 1)
    finite = _values(dtype)
    positive = np.full(half, np.nan)
    positive[: len(finite)] = finite
    if _has_infinity(dtype):
        positive[len(finite)] = np.inf
    table = np.concatenate([positive, -positive])
    if dtype in _WITHOUT_NEGATIVE_ZERO:
        table[half] = np.nan
    return table
