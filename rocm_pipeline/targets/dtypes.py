"""The element types a kernel may read and write."""

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt


class DType(str, Enum):
    """An element type; `suffix` is its short name in kernel symbols (`row_softmax_f32`)."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"

    @property
    def suffix(self) -> str:
        return _SUFFIX[self]

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.value)

    @property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    @property
    def is_floating(self) -> bool:
        return self.numpy.kind == "f"

    @property
    def epsilon(self) -> float:
        """Spacing of the type at one; zero for integers."""
        return float(np.finfo(self.numpy).eps) if self.is_floating else 0.0


_SUFFIX = {
    DType.FLOAT16: "f16",
    DType.FLOAT32: "f32",
    DType.FLOAT64: "f64",
    DType.INT32: "i32",
    DType.INT64: "i64",
    DType.UINT8: "u8",
}

Array = npt.NDArray[Any]
