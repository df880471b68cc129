"""Where memory lies: anew in each run, as a GPU promises it, and guarded on both sides."""

from itertools import pairwise

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import EmulatorRun
from rocm_pipeline.lab.emulator.conditions import draw_conditions
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan
from tests.lab.emulator.bench import Bench

_SIZES = [4, 5000, 4096, 256, 0, 70_000]
_SEEDS = [f"seed {number}" for number in range(40)]


@pytest.mark.parametrize("seed", _SEEDS)
def test_buffers_lie_where_a_gpu_may_put_them_and_share_no_page(seed: str) -> None:
    drawn = draw_conditions(seed, _SIZES, rounds=3, reverse=False)
    order = sorted(range(len(_SIZES)), key=lambda each: drawn.begins[each])

    assert all(begin % 256 == 0 and begin % 4096 for begin in drawn.begins)
    assert drawn.begins[order[0]] >= 4096
    for one, other in pairwise(order):
        last = (drawn.begins[one] + max(_SIZES[one], 1) - 1) // 4096
        assert drawn.begins[other] // 4096 >= last + 2
    assert drawn.begins[order[-1]] + _SIZES[order[-1]] + 4096 <= drawn.total_bytes
    assert drawn == draw_conditions(seed, _SIZES, rounds=3, reverse=False)


def test_orders_distances_and_noise_differ_from_seed_to_seed() -> None:
    drawn = [draw_conditions(seed, [4, 4], rounds=2, reverse=False) for seed in _SEEDS]

    assert {each.begins[0] < each.begins[1] for each in drawn} == {True, False}
    assert len({each.begins[1] - each.begins[0] for each in drawn}) > 30
    assert {each.stacks_first for each in drawn} == {True, False}
    assert len({each.noise[1] for each in drawn}) > 20


def _reads(bench: Bench, offset: int, conditions: str) -> EmulatorRun:
    source = """extern "C" __global__ void k(const float* x, float* y, int offset) {
  y[0] = x[offset];
}"""
    buffers = {name: np.ones(1000, np.float32) for name in ("x", "y")}
    return bench.emulator.run(
        bench.build(source, ["k"], 64),
        BoundPlan((BoundLaunch("k", (1, 1, 1), (1, 1, 1), 0, ("x", "y", "offset")),), ()),
        buffers,
        {"offset": np.int32(offset)},
        outputs=["y"],
        conditions=conditions,
    )


@pytest.mark.parametrize("seed", _SEEDS[:4])
@pytest.mark.parametrize("offset", [-1, -300, 1000, 1300])
def test_an_access_next_to_a_buffer_is_found_wherever_it_lies(
    bench: Bench, seed: str, offset: int
) -> None:
    run = _reads(bench, offset, seed)

    assert run.status is Status.OUT_OF_BOUNDS
    assert f"element {offset} of 'x'" in run.findings[0].message


@pytest.mark.parametrize("offset", [0, 999])
def test_the_first_and_the_last_element_are_inside(bench: Bench, offset: int) -> None:
    assert _reads(bench, offset, "seed").findings == ()


def test_buffers_lie_elsewhere_in_another_run(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, const float* z, long long* y) {
  y[0] = z - x;
}"""

    def distance(conditions: str) -> int:
        buffers = {
            "x": np.ones(9, np.float32),
            "z": np.ones(9, np.float32),
            "y": np.zeros(1, np.int64),
        }
        run = bench.emulator.run(
            bench.build(source, ["k"], 64),
            BoundPlan((BoundLaunch("k", (1, 1, 1), (1, 1, 1), 0, ("x", "z", "y")),), ()),
            buffers,
            {},
            outputs=["y"],
            conditions=conditions,
        )
        return int(run.outputs["y"][0])

    found = [distance(seed) for seed in _SEEDS[:6]]
    assert distance(_SEEDS[0]) == found[0]
    assert len(set(found)) == 6
    assert min(found) < 0 < max(found)
