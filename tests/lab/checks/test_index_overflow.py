"""Indices that wrap at 32 bits are found where they stay inside the buffer; hashes are not."""

from dataclasses import dataclass

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import EmulatorRun
from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start
from tests.scale import only_long

_WAVES = [64, pytest.param(32, marks=only_long)]

_ELEMENTS = 128


@dataclass(frozen=True)
class Wrapping:
    """`line` wraps for rows = cols = 65536; `honest` is the same thought in 64 bits."""

    name: str
    line: str
    honest: str


WRAPPING = [
    Wrapping(
        "int product",
        "int i = rows * cols + (int)threadIdx.x; y[i] = x[threadIdx.x];",
        "size_t i = (size_t)rows * cols + threadIdx.x; if (i < 64) y[i] = x[threadIdx.x];",
    ),
    Wrapping(
        "unsigned product",
        "unsigned i = (unsigned)rows * cols + threadIdx.x; y[i] = x[threadIdx.x];",
        "unsigned i = (unsigned)rows / cols * 64 - 64 + threadIdx.x; y[i] = x[threadIdx.x];",
    ),
    Wrapping(
        "shift",
        "int i = (rows << 16) + (int)threadIdx.x; y[i] = x[threadIdx.x];",
        "int i = (rows >> 16) + (int)threadIdx.x; y[i] = x[threadIdx.x];",
    ),
    Wrapping(
        "sum carried round a loop",
        "int i = threadIdx.x; for (int j = 0; j < rows; ++j) i += cols; y[i] = x[threadIdx.x];",
        "size_t i = threadIdx.x; for (int j = 0; j < rows; ++j) i += cols; y[i % 64] = 1.0f;",
    ),
    Wrapping(
        "product with a loop's counter",
        "for (int j = 0; j < 128; j += 64) y[threadIdx.x + j * (rows * 1024)] = 1.0f;",
        "for (int j = 0; j < 128; j += 64) y[threadIdx.x + j * (rows / 65536)] = 1.0f;",
    ),
    Wrapping(
        "product that is divided",
        "int i = (rows * cols + (int)threadIdx.x) / 2; y[i] = 1.0f;",
        "int i = (int)(((size_t)rows * cols + threadIdx.x) / (size_t)rows / 1024); y[i] = 1.0f;",
    ),
    Wrapping(
        "chosen index",
        "int i = x[0] > 0 ? rows * cols : 64; y[i] = 1.0f;",
        "int i = x[0] < 0 ? rows * cols : 64; y[i] = 1.0f;",
    ),
    Wrapping(
        "narrow product inside a wide sum",
        "size_t i = (size_t)(rows * cols) + threadIdx.x; y[i] = 1.0f;",
        "size_t i = (size_t)rows - cols + threadIdx.x; y[i] = 1.0f;",
    ),
    Wrapping(
        "atomic",
        "atomicAdd(&y[rows * cols + (int)threadIdx.x], 1.0f);",
        "atomicAdd(&y[rows - cols + (int)threadIdx.x], 1.0f);",
    ),
    Wrapping(
        "LDS",
        "__shared__ float s[64]; s[rows * cols + (int)threadIdx.x] = 1.0f; y[0] = s[threadIdx.x];",
        "__shared__ float s[64]; s[rows - cols + (int)threadIdx.x] = 1.0f; y[0] = s[threadIdx.x];",
    ),
]

MEANT_TO_WRAP = {
    "hash": (
        "unsigned h = threadIdx.x * 2654435761u; h ^= h >> 15; h *= 0x85ebca6bu; h ^= h >> 13; "
        "y[threadIdx.x] = x[h % 128u] + x[h & 127u] + x[h >> 25];"
    ),
    "random numbers": (
        "unsigned s = threadIdx.x; for (int j = 0; j < 9; ++j) s = s * 1664525u + 1013904223u; "
        "y[threadIdx.x] = x[s >> 25] + x[s % (unsigned)(rows >> 9)];"
    ),
    "hash as int": ("int h = (int)(threadIdx.x * 2654435761u); y[threadIdx.x] = x[abs(h % 128)];"),
    "64-bit hash": (
        "unsigned long long h = threadIdx.x * 0x9e3779b97f4a7c15ull; "
        "y[threadIdx.x] = x[(unsigned)(h >> 57)] + x[h % 128];"
    ),
    "steps back in unsigned": (
        "unsigned i = threadIdx.x - 64u; y[i + 64u] = x[i + (unsigned)rows - 65536u + 64u];"
    ),
    "downwards in unsigned": (
        "float s = 0; for (unsigned j = threadIdx.x + 1; j-- > 0;) s += x[j]; y[threadIdx.x] = s;"
    ),
    "negative distance": (
        "const float* end = x + 127; int back = -(int)threadIdx.x; y[threadIdx.x] = end[back];"
    ),
    "wrap that nobody indexes with": (
        "int checksum = rows * cols * 3; y[threadIdx.x] = (float)checksum;"
    ),
}


@pytest.mark.parametrize("wave", _WAVES)
def test_an_index_that_wraps_into_the_buffer_is_found(bench: Bench, wave: int) -> None:
    """One build has all kernels; each runs alone."""
    for number, case in enumerate(WRAPPING):
        run = _run(bench, [each.line for each in WRAPPING], number, wave)

        assert run.status is Status.OUT_OF_BOUNDS, case.name
        first = run.findings[0]
        assert first.message.startswith("integer overflow: the index of this "), case.name
        assert "64 bits, by a cast before the multiplication" in first.message
        assert first.line == 2 + number
        assert first.kernel == f"k{number}"
        assert first.buffer == (None if case.name == "LDS" else "y")
        assert (first.block, first.thread) != (None, None)


@pytest.mark.parametrize("wave", _WAVES)
def test_the_same_thought_in_64_bits_is_not_flagged(bench: Bench, wave: int) -> None:
    for number, case in enumerate(WRAPPING):
        run = _run(bench, [each.honest for each in WRAPPING], number, wave)
        of_indices = [each for each in run.findings if "integer overflow" in each.message]
        assert of_indices == [], case.name


def test_arithmetic_that_is_meant_to_wrap_is_not_flagged(bench: Bench) -> None:
    for number, name in enumerate(MEANT_TO_WRAP):
        run = _run(bench, list(MEANT_TO_WRAP.values()), number, 64)
        assert (run.status, run.findings) == (Status.PASSED, ()), name


def _run(bench: Bench, lines: list[str], number: int, wave: int) -> EmulatorRun:
    parameters = "const float* x, float* y, int rows, int cols"
    source = "".join(
        f'extern "C" __global__ void k{i}({parameters}) {{ {line} }}\n'
        for i, line in enumerate(lines)
    )
    buffers = {
        "x": np.arange(1, _ELEMENTS + 1, dtype=np.float32),
        "y": np.zeros(_ELEMENTS, np.float32),
    }
    start = Start(f"k{number}", ("x", "y", 65536, 65536))
    names = [f"k{i}" for i in range(len(lines))]
    return bench.run(source, start, buffers, wave=wave, kernels=names)
