"""Kernels that do much: an honest one is never said to hang, and one that hangs always is."""

from functools import partialmethod
from pathlib import Path

import pytest

from rocm_pipeline.lab.emulator import Emulator
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.verification import Check, Verdict, verify
from tests.lab.verification.folders import Folder, write
from tests.scale import only_long


@pytest.fixture(autouse=True)
def _short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    run = partialmethod(Emulator.run, cpu_seconds=0.6)
    monkeypatch.setattr(Emulator, "run", run)
    monkeypatch.setattr("rocm_pipeline.lab.sampled.SAMPLE_SECONDS", 0.6)


# One block, whose work grows as the square of n: at the large size it would take hours.
PREFIXES = """extern "C" __global__ void __launch_bounds__(64)
    prefixes(const int* x, int* y, int n) {
  for (int i = threadIdx.x; i < n; i += 64) {
    int sum = 0;
    for (int j = 0; j <= i; ++j) sum += x[j];
    y[i] = sum;
  }
}
"""


# Its counter wraps at 65,536; up to there it is as quick as it is right.
WRAPS = """extern "C" __global__ void __launch_bounds__(64)
    prefixes(const int* x, int* y, int n) {
  int sum = 0;
  if (threadIdx.x == 0) for (unsigned short i = 0; i < n; ++i) y[i] = sum += x[i];
}
"""


def _folder(kernel: str, n: int) -> Folder:
    return Folder(
        "prefixes",
        kernel,
        [{"kernel": "prefixes", "grid": [1, 1, 1], "block": [64, 1, 1], "args": ["x", "y", "n"]}],
        {"x": ("int32", ["n"], "input"), "y": ("int32", ["n"], "output")},
        [{"n": n}],
        "{'x': rng.integers(-9, 9, symbols['n'])}",
        "{'y': np.cumsum(i['x'])}",
    )


def _judged(kernel: str, n: int, place: Path, cache: Path) -> Verdict:
    files = _folder(kernel, n).files()
    files["case.json"] = files["case.json"].replace('"extra_cases": false', '"extra_cases": true')
    return verify(write(place, files), cache, architectures=("gfx1100",), waves=(32,), seed=3)


def _check(verdict: Verdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)


def test_a_size_too_large_for_the_emulator_is_replaced_and_said(
    tmp_path: Path, cache: Path
) -> None:
    verdict = _judged(PREFIXES, 100, tmp_path / "honest", cache)
    assert verdict.status is Status.PASSED, verdict.finding
    large = _check(verdict, "large cases")
    assert "at smaller sizes, which the emulator can do: n=" in large.detail


@only_long
def test_a_loop_that_never_ends_at_large_sizes_alone_is_found(tmp_path: Path, cache: Path) -> None:
    verdict = _judged(WRAPS, 100, tmp_path / "hangs", cache)
    assert (verdict.status, verdict.origin, verdict.line) == (Status.TIMEOUT, "large", 5)


@only_long
def test_a_given_size_that_is_too_large_is_inconclusive(tmp_path: Path, cache: Path) -> None:
    verdict = _judged(PREFIXES, 40_000, tmp_path / "given", cache)
    assert verdict.status is Status.INCONCLUSIVE
    assert "do too much at this size for the emulator" in (verdict.finding or "")


def test_a_given_size_that_is_too_large_does_not_hide_what_is_wrong_at_smaller_ones(
    tmp_path: Path, cache: Path
) -> None:
    wrong = PREFIXES.replace("j <= i; ++j) sum +=", "j < n; ++j) if (j < i) sum +=")
    verdict = _judged(wrong, 400_000, tmp_path / "wrong", cache)
    assert (verdict.status, verdict.origin) == (Status.TIMEOUT, "public")
    assert verdict.case == "n=400000"
    assert ", where they end, WRONG_VALUE: y: " in (verdict.finding or "")
