"""Reads that work-items of a wave have in common are found racing as if each were looked at."""

import random
import re

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import EmulatorRun
from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start, checks_loops_at_once
from tests.scale import scaled

_KERNELS = scaled(short=40, long=400)
_READS = ("i", "lane / 16 * 8 + i", "i * 8 + lane % 8", "63 - i", "8 + i", "lane % 4 * 2 + i")
_OTHERS = (
    "tile[lane % 64] = x[lane];",
    "if (lane == {lane}) tile[{place}] = x[{place}] + 1.0f;",
    "if (lane == {lane}) atomicAdd(&tile[{place}], 1.0f);",
    "__syncthreads();",
    "__syncthreads();",
    "__syncwarp();",
    "sum += __shfl_xor(sum, 1);",
    "sum += (float)((char*)tile)[lane % 3];",
)


def _statement(rng: random.Random) -> str:
    if rng.random() < 0.5:
        loop = f"for (int i = 0; i < 8; ++i) sum += tile[{rng.choice(_READS)}];"
        return f"if (lane % {rng.choice((2, 3))} == 0) {loop}" if rng.random() < 0.1 else loop
    places = {"lane": rng.choice((0, 1, 31, 40, 127)), "place": rng.randrange(16)}
    return rng.choice(_OTHERS).format(**places)


def _kernel(seed: int) -> str:
    rng = random.Random(seed)
    body = "\n  ".join(_statement(rng) for _ in range(rng.randint(3, 7)))
    return f"""extern "C" __global__ void drawn_{seed}(const float* x, float* y) {{
  __shared__ float tile[64];
  const int lane = threadIdx.x;
  float sum = 0.0f;
  tile[lane % 64] = x[lane % 64];
  __syncthreads();
  {body}
  y[lane] = sum;
}}
"""


_TOGETHER = "".join(map(_kernel, range(_KERNELS)))
_ALONE = f"{_TOGETHER}// each read is checked by itself\n"


def _run(bench: Bench, source: str, seed: int, wave: int) -> EmulatorRun:
    buffers = {"x": np.arange(1, 129, dtype=np.float32), "y": np.zeros(128, np.float32)}
    start = Start(f"drawn_{seed}", ["x", "y"], block=(128, 1, 1))
    names = [f"drawn_{number}" for number in range(_KERNELS)]
    return bench.run(source, start, buffers, wave=wave, kernels=names)


def _told(run: EmulatorRun) -> tuple[Status, list[tuple[int | None, str]]]:
    """What was found and where; not which of several readers is named as the other, if any is."""
    other = re.compile(r"(?: by work-item \([^)]*\))|\d+")
    found = {(each.line, other.sub("", each.message)) for each in run.findings}
    return run.status, sorted(found, key=str)


@pytest.mark.parametrize("wave", [32, 64])
def test_what_is_found_is_what_is_found_when_each_read_is_looked_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, wave: int
) -> None:
    names = [f"drawn_{seed}" for seed in range(_KERNELS)]
    bench.build_with_each_read_alone(_ALONE, names, wave, monkeypatch)
    assert checks_loops_at_once(bench.build(_TOGETHER, names, wave))
    met = set[Status]()
    for seed in range(_KERNELS):
        found, expected = (_run(bench, source, seed, wave) for source in (_TOGETHER, _ALONE))
        assert _told(found) == _told(expected), _kernel(seed)
        assert found.outputs.keys() == expected.outputs.keys()
        for name, array in expected.outputs.items():
            assert np.array_equal(found.outputs[name], array)
        met.add(found.status)
    assert {Status.PASSED, Status.RACE} <= met
