"""Sizes of the harness's own: what only shows beyond the sizes that an author thought of."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rocm_pipeline.lab.verification import Verdict, verify
from tests.kernels.suite import ROOT, SEED, SuiteKernel
from tests.lab.verification.folders import HEAD, ROW_SUM, VECTOR_ADD, Folder, pointwise, write
from tests.scale import only_long

ARCHITECTURES = ("gfx1100",)


def _judged(folder: Folder, place: Path, cache: Path, **case: object) -> Verdict:
    files = folder.files()
    files["case.json"] = json.dumps(json.loads(files["case.json"]) | {"extra_cases": True} | case)
    return verify(write(place, files), cache, architectures=ARCHITECTURES, seed=5)


X = "x[(size_t)blockIdx.x * cols + i]"
HALF_SUM = Folder(
    "half_sum",
    ROW_SUM.kernel.replace("const float* x, float* y", "const __half* x, __half* y")
    .replace(f"+= {X}", f"+= __half2float({X})")
    .replace("y[blockIdx.x] = parts[0]", "y[blockIdx.x] = __float2half(parts[0] / (float)cols)"),
    ROW_SUM.launches,
    {"x": ("float16", ["rows", "cols"], "input"), "y": ("float16", ["rows"], "output")},
    [{"rows": 5, "cols": 301}],
    "{'x': 8 + rng.random((symbols['rows'], symbols['cols']))"
    " + 4 * rng.random((symbols['rows'], 1))}",
    "{'y': i['x'].mean(axis=1)}",
)
ROW_IN_LDS = Folder(
    "row_in_lds",
    """extern "C" __global__ void __launch_bounds__(64) flip(const float* x, float* y, int cols) {
  __shared__ float row[4096];
  const size_t begin = (size_t)blockIdx.x * cols;
  for (int i = threadIdx.x; i < cols; i += 64) row[i] = x[begin + i];
  __syncthreads();
  for (int i = threadIdx.x; i < cols; i += 64) y[begin + i] = row[cols - 1 - i];
}
""",
    [{"kernel": "flip", "grid": ["rows", 1, 1], "block": [64, 1, 1], "args": ["x", "y", "cols"]}],
    {"x": ("float32", ["rows", "cols"], "input"), "y": ("float32", ["rows", "cols"], "output")},
    [{"rows": 5, "cols": 301}],
    "{'x': rng.standard_normal((symbols['rows'], symbols['cols']))}",
    "{'y': i['x'][:, ::-1]}",
)
EVEN = pointwise(
    "pairs",
    "float32",
    "float",
    "x[i ^ 1]",
    "i['x'].reshape(-1, 2)[:, ::-1].ravel()",
)


@only_long
@pytest.mark.parametrize("folder", [VECTOR_ADD, ROW_SUM, HALF_SUM], ids=lambda f: f.name)
def test_an_honest_kernel_passes_at_all_sizes(folder: Folder, cache: Path, tmp_path: Path) -> None:
    verdict = _judged(folder, tmp_path / "case", cache)
    assert verdict.passed, verdict.finding
    assert all(check.status.value == "PASSED" for check in verdict.checks)


@only_long
def test_a_row_kept_in_lds_is_found_and_a_constraint_allows_it(cache: Path, tmp_path: Path) -> None:
    verdict = _judged(ROW_IN_LDS, tmp_path / "case", cache)
    assert verdict.status.value == "OUT_OF_BOUNDS"
    assert verdict.origin == "large"
    assert verdict.kernel == "flip"
    assert HEAD.count("\n") < (verdict.line or 0)
    assert _judged(ROW_IN_LDS, tmp_path / "again", cache, constraints=["cols <= 4096"]).passed


@only_long
def test_a_grid_cut_at_65535_blocks_is_found(cache: Path, tmp_path: Path) -> None:
    files = ROW_SUM.files()
    files["launch.json"] = files["launch.json"].replace('"rows"', '"min(rows, 65535)"')
    files["case.json"] = json.dumps(json.loads(files["case.json"]) | {"extra_cases": True})
    verdict = verify(write(tmp_path / "case", files), cache, architectures=ARCHITECTURES, seed=5)
    assert verdict.origin == "large"
    assert verdict.status.value in ("CHEAT", "NONFINITE"), verdict.finding


@only_long
def test_adding_a_long_row_in_half_precision_is_found(cache: Path, tmp_path: Path) -> None:
    files = HALF_SUM.files()
    kernel = files["kernel.hip"]
    for before, after in (
        ("float sum = 0.0f", "__half sum = __float2half(0.0f)"),
        (f"sum += __half2float({X})", f"sum = __hadd(sum, {X})"),
        ("parts[t] = sum", "parts[t] = __half2float(sum)"),
    ):
        assert before in kernel
        kernel = kernel.replace(before, after)
    files["kernel.hip"] = kernel
    files["case.json"] = json.dumps(json.loads(files["case.json"]) | {"extra_cases": True})
    verdict = verify(write(tmp_path / "case", files), cache, architectures=ARCHITECTURES, seed=5)
    assert verdict.status.value == "WRONG_VALUE"


@only_long
def test_extra_sizes_obey_the_constraints(cache: Path, tmp_path: Path) -> None:
    assert _judged(EVEN, tmp_path / "even", cache, constraints=["n % 2 == 0"]).passed


@only_long
def test_a_chunk_too_many_at_multiples_of_the_chunk_is_found(cache: Path, tmp_path: Path) -> None:
    kernel = SuiteKernel(ROOT / "gemm" / "split_k_two_step")
    [bug] = [bug for bug in kernel.bugs if bug.becomes == "chunks = k / CHUNK + 1;"]
    place = kernel.copied(tmp_path / "twin", bug=bug)
    case = place / "case.json"
    given = ',\n    {"m": 5, "n": 7, "k": 48}'
    text = case.read_text(encoding="utf-8")
    assert given in text
    case.write_text(text.replace(given, ""), encoding="utf-8")
    verdict = verify(place, cache, architectures=("gfx942",), seed=SEED)
    assert verdict.status.value == "OUT_OF_BOUNDS"
    assert verdict.origin == "held out"


def test_one_wave_size_alone_is_run_when_asked_for(cache: Path, tmp_path: Path) -> None:
    place = write(tmp_path / "case", VECTOR_ADD.files())
    verdict = verify(place, cache, architectures=ARCHITECTURES, waves=(64,))
    assert verdict.passed, verdict.finding
    assert verdict.waves == (64,)
    assert "2 of 2" not in verdict.checks[4].detail


def test_the_command_knows_no_dagster_and_no_client() -> None:
    code = (
        "import sys, rocm_pipeline.commands.verify, rocm_pipeline.lab.verification\n"
        "print([n for n in ('dagster', 'anthropic', 'ollama') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_the_docs_passes_and_a_barrier_less_is_a_race(
    cache: Path, tmp_path: Path
) -> None:
    page = Path(__file__).parents[3] / "docs" / "verify.md"
    texts = page.read_text(encoding="utf-8").split("```")[1::2]
    names = ("kernel.hip", "launch.json", "reference.py", "case.json")
    files = {name: text.split("\n", 1)[1] for name, text in zip(names, texts, strict=True)}
    assert verify(write(tmp_path / "case", files), cache, architectures=ARCHITECTURES).passed
    barrier = "  top = parts[0];\n  __syncthreads();"
    assert barrier in files["kernel.hip"]
    files["kernel.hip"] = files["kernel.hip"].replace(barrier, "  top = parts[0];")
    verdict = verify(write(tmp_path / "race", files), cache, architectures=ARCHITECTURES)
    assert verdict.status.value == "RACE"
    assert verdict.kernel == "row_softmax"
    assert verdict.line
