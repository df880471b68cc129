"""Reading an array that untrusted code wrote: numpy's own file format, and only its plain part."""

from io import BytesIO
from math import prod
from pathlib import Path
from tokenize import TokenError

import numpy as np

from rocm_pipeline.lab.sandbox.results import ResultRefused, read_result
from rocm_pipeline.targets.dtypes import Array

_VERSION = (1, 0)
"""What `numpy.save` writes for numbers; the later ones are for records and non-ASCII names."""
_NUMBERS = "biuf"
_LONGEST_HEADER = 10_000


def read_array(box: Path, name: str, limit: int) -> Array:
    """Return the array in the `.npy` file `name` of `box`; raises ResultRefused."""
    return plain_array(read_result(box, name, limit), name)


def plain_array(content: bytes, name: str) -> Array:
    """Return the array that the `.npy` file `name` of this content holds; raises ResultRefused.

    Numbers only. `numpy.load` also reads archives and allocates what a header claims before it
    looks for the data; here the file must hold exactly what its header says.
    """
    file = BytesIO(content)
    try:
        if np.lib.format.read_magic(file) != _VERSION:
            raise ValueError("another version of the format")
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file, _LONGEST_HEADER)
        if dtype.kind not in _NUMBERS or dtype.hasobject:
            raise ValueError(f"elements of type {dtype.str}")
        if any(size < 0 for size in shape):
            raise ValueError("a negative size")
        data = content[file.tell() :]
        if prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"{len(data)} bytes of data for another shape")
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
    except (
        *(ValueError, TypeError, KeyError, SyntaxError, TokenError, EOFError),
        *(MemoryError, RecursionError, OverflowError),
    ) as error:
        raise ResultRefused(f"{name} is not an array: {error}") from error
    return array.copy()
