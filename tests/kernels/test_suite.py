"""The kernels of the suite pass, and each of their bugs gets the status that fits it."""

import importlib.util
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rocm_pipeline.lab.case_files import REFERENCE, CaseFile, read_case_files
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.verification import Verdict
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.expressions import evaluate
from rocm_pipeline.targets.subject import Role
from tests.conftest import RecordFigure
from tests.kernels.suite import Bug, SuiteKernel, judged, judged_twin, suite
from tests.scale import is_long, only_long

FAMILIES = {
    *("pointwise", "reductions", "scans", "norms", "gemm", "attention", "convolution", "stencils"),
    *("histogram", "sort", "sparse", "transpose", "rng"),
}
SUITE = suite()
FOUND_WHERE_IT_HAPPENS = (Status.RACE, Status.OUT_OF_BOUNDS)
"""These name kernel and line; wrong values are found in the outputs."""
SAMPLE = tuple(
    kernel
    for kernel in SUITE
    if kernel.name in ("pointwise/saxpy_float4", "scans/wave_scan", "transpose/tiled_32x8")
)
"""What a short run verifies, on the given sizes only."""
SAMPLE_TWINS = [(kernel, kernel.bugs[0]) for kernel in SAMPLE]
TWINS = [(kernel, bug) for kernel in SUITE for bug in kernel.bugs]

of_suite = pytest.mark.parametrize("kernel", SUITE, ids=lambda kernel: kernel.name)


def _of_twins(twins: list[tuple[SuiteKernel, Bug]]) -> pytest.MarkDecorator:
    seen = Counter[str]()
    names: list[str] = []
    for kernel, _ in twins:
        seen[kernel.name] += 1
        names.append(f"{kernel.name}-{seen[kernel.name]}")
    return pytest.mark.parametrize(("kernel", "bug"), twins, ids=names)


def test_the_suite_has_at_least_60_kernels_of_all_families() -> None:
    assert len(SUITE) >= 60
    assert {kernel.family for kernel in SUITE} == FAMILIES


@of_suite
def test_a_folder_is_well_formed(kernel: SuiteKernel) -> None:
    files = read_case_files(kernel.folder)
    launched = {launch.kernel for launch in files.launch_plan.launches}
    assert all(name in files.source for name in launched)
    assert kernel.bugs
    for bug in kernel.bugs:
        assert kernel.source.count(bug.was) == 1, bug.was


@of_suite
def test_a_reference_answers_with_finite_arrays_of_the_right_shape(kernel: SuiteKernel) -> None:
    case = read_case_files(kernel.folder).case
    symbols = dict(case.symbols[0])
    scalars = {
        name: _number(scalar.dtype, scalar.values[0]) for name, scalar in case.scalars.items()
    }
    make_inputs, reference = _functions(kernel.folder / REFERENCE)
    inputs = make_inputs(np.random.default_rng(0), symbols)
    assert {name: array.shape for name, array in inputs.items()} == _shapes(
        case, (Role.INPUT, Role.INOUT)
    )
    answers = reference(inputs, {**symbols, **scalars})
    assert {name: array.shape for name, array in answers.items()} == _shapes(
        case, (Role.OUTPUT, Role.INOUT)
    )
    assert all(np.isfinite(array).all() for array in answers.values())


@pytest.mark.skipif(is_long(), reason="the long run verifies all of them")
@pytest.mark.parametrize("kernel", SAMPLE, ids=lambda kernel: kernel.name)
def test_a_kernel_of_the_sample_passes(kernel: SuiteKernel, cache: Path, tmp_path: Path) -> None:
    verdict = judged(kernel, kernel.copied(tmp_path / "case", own_sizes=False), cache)
    assert verdict.passed, verdict.finding


@pytest.mark.skipif(is_long(), reason="the long run verifies all of them")
@_of_twins(SAMPLE_TWINS)
def test_a_bug_in_the_sample_is_found(
    kernel: SuiteKernel, bug: Bug, cache: Path, tmp_path: Path
) -> None:
    _require_found(judged_twin(kernel, bug, tmp_path, cache), kernel, bug)


@only_long
@of_suite
def test_a_kernel_passes(kernel: SuiteKernel, cache: Path, record_figure: RecordFigure) -> None:
    verdict = judged(kernel, kernel.folder, cache)
    record_figure("suite kernels", 1)
    record_figure("suite false alarms", int(not verdict.passed))
    assert verdict.passed, verdict.finding
    assert verdict.tier == "T2"


@only_long
@_of_twins(TWINS)
def test_a_bug_is_found(
    kernel: SuiteKernel, bug: Bug, cache: Path, tmp_path: Path, record_figure: RecordFigure
) -> None:
    verdict = judged_twin(kernel, bug, tmp_path, cache)
    record_figure("suite bugs", 1)
    record_figure("suite bugs found", int(not verdict.passed))
    _require_found(verdict, kernel, bug)


def _require_found(verdict: Verdict, kernel: SuiteKernel, bug: Bug) -> None:
    assert verdict.status is bug.status, f"{bug.why}: {verdict.finding}"
    assert verdict.finding
    if bug.status in FOUND_WHERE_IT_HAPPENS:
        assert verdict.kernel
        assert verdict.kernel in kernel.source
        assert verdict.line
        named = kernel.source + "".join(read_case_files(kernel.folder).case.tensors)
        assert verdict.buffer is None or verdict.buffer in named


def _functions(path: Path) -> tuple[Callable[..., dict[str, Array]], ...]:
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_inputs, module.reference


def _number(dtype: str, value: float) -> float:
    return value if dtype.startswith("float") else int(value)


def _shapes(case: CaseFile, roles: tuple[Role, ...]) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(evaluate(text, case.symbols[0]) for text in tensor.shape)
        for name, tensor in case.tensors.items()
        if tensor.role in roles
    }
