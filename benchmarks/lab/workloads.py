"""The kernels whose emulation is timed, with inputs and the right answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan

_KERNELS = Path(__file__).parents[1] / "kernels"
_GEMM = 256
_ROWS = _COLUMNS = 1024
_COUNT = 1 << 20
_PARTS = 256
_HEADS, _LENGTH, _DIM = 4, 256, 64


@dataclass(frozen=True)
class Workload:
    """One launch plan on one set of inputs; float32 throughout."""

    name: str
    file: str
    launches: tuple[BoundLaunch, ...]
    scalars: Mapping[str, np.generic]
    buffers: Mapping[str, Array]
    """Inputs, and zeros for what the kernels write."""
    output: str
    right: Callable[[Mapping[str, Array]], Array]
    """The output in float64, from the inputs."""

    @property
    def source(self) -> str:
        return (_KERNELS / self.file).read_text(encoding="utf-8")

    @property
    def kernels(self) -> tuple[str, ...]:
        return tuple(launch.kernel for launch in self.launches)

    @property
    def plan(self) -> BoundPlan:
        return BoundPlan(self.launches, ())

    @property
    def written(self) -> tuple[str, ...]:
        """Buffers that hold nothing before the kernels write them."""
        return tuple(name for name, array in self.buffers.items() if not array.any())

    def check(self, found: Array, how: str) -> None:
        """Stop the command where an answer is wrong: its time would mean nothing."""
        expected = self.right(self.buffers)
        if not np.allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4):
            raise SystemExit(f"{self.name}: {how} gave a wrong answer")


def workloads() -> tuple[Workload, ...]:
    """Return the four of them, with inputs drawn from a fixed seed."""
    rng = np.random.default_rng(1)
    return (_gemm(rng), _softmax(rng), _sum(rng), _attention(rng))


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def _gemm(rng: np.random.Generator) -> Workload:
    tiles = _GEMM // 16
    launch = BoundLaunch("gemm_tiled", (tiles, tiles, 1), (16, 16, 1), 0, ("a", "b", "c", "n"))
    return Workload(
        "GEMM 256 x 256 x 256, tiles of 16 x 16",
        "gemm_tiled.hip",
        (launch,),
        {"n": np.int32(_GEMM)},
        {
            "a": _normal(rng, _GEMM, _GEMM),
            "b": _normal(rng, _GEMM, _GEMM),
            "c": np.zeros((_GEMM, _GEMM), np.float32),
        },
        "c",
        lambda given: given["a"].astype(np.float64) @ given["b"],
    )


def _softmax(rng: np.random.Generator) -> Workload:
    launch = BoundLaunch("softmax_shuffle", (_ROWS, 1, 1), (256, 1, 1), 0, ("x", "y", "columns"))
    return Workload(
        "softmax of 1,024 rows of 1,024",
        "softmax_shuffle.hip",
        (launch,),
        {"columns": np.int32(_COLUMNS)},
        {"x": _normal(rng, _ROWS, _COLUMNS), "y": np.zeros((_ROWS, _COLUMNS), np.float32)},
        "y",
        lambda given: _softmax_of(given["x"].astype(np.float64)),
    )


def _sum(rng: np.random.Generator) -> Workload:
    first = BoundLaunch("sum_parts", (_PARTS, 1, 1), (256, 1, 1), 0, ("x", "parts", "count"))
    second = BoundLaunch("sum_of_parts", (1, 1, 1), (256, 1, 1), 0, ("parts", "total", "blocks"))
    return Workload(
        "sum of 1,048,576, two launches",
        "sum_two_launches.hip",
        (first, second),
        {"count": np.int32(_COUNT), "blocks": np.int32(_PARTS)},
        {
            "x": rng.random(_COUNT, np.float32),
            "parts": np.zeros(_PARTS, np.float32),
            "total": np.zeros(1, np.float32),
        },
        "total",
        lambda given: given["x"].sum(dtype=np.float64, keepdims=True),
    )


def _attention(rng: np.random.Generator) -> Workload:
    launch = BoundLaunch(
        "attention_online",
        (_LENGTH // 64, _HEADS, 1),
        (64, 1, 1),
        0,
        ("q", "k", "v", "out", "length"),
    )
    shape = (_HEADS, _LENGTH, _DIM)
    return Workload(
        f"attention, {_HEADS} heads, {_LENGTH} queries and keys, dimension {_DIM}",
        "attention_online.hip",
        (launch,),
        {"length": np.int32(_LENGTH)},
        {name: _normal(rng, *shape) for name in ("q", "k", "v")}
        | {"out": np.zeros(shape, np.float32)},
        "out",
        _attention_of,
    )


def _softmax_of(scores: Array) -> Array:
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _attention_of(given: Mapping[str, Array]) -> Array:
    q, k, v = (given[name].astype(np.float64) for name in ("q", "k", "v"))
    return _softmax_of(q @ k.swapaxes(1, 2) / np.sqrt(_DIM)) @ v
