"""What each trivial kernel answers, where it applies, and which tolerance would reject it."""
# pyright: reportPrivateUsage=false

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab import controls
from rocm_pipeline.lab.cases import draw_inputs
from rocm_pipeline.lab.controls import controls_of, low_precision, require_sound, run_controls
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.spec import BoundTensor, Calibration, Role, Target, Tolerance
from tests.fakes.values import a_target

CASE = a_target().public_cases[0]
HEAD = "import numpy as np\ndef reference(inputs, symbols, scalars):\n"
INTEGERS = {"values": "integers", "below": "100000"}
EXACT: dict[str, Any] = {"absolute": 0, "relative": 1e-6, "calibration": "exact"}
ALWAYS = ("zeros", "ones", "copy of x", "no-op")


def answer(
    name: str,
    expected: Array,
    inputs: Mapping[str, Array] | None = None,
    lowered: Array | None = None,
    dtype: DType = DType.FLOAT32,
) -> Array:
    """Return what a control gives for an output `y` of which `expected` is the right value."""
    tensor = BoundTensor("y", Role.OUTPUT, dtype, expected.shape)
    question = controls._Question(
        CASE,
        (tensor,),
        inputs or {},
        inputs or {},
        {"y": expected},
        {} if lowered is None else {"y": lowered},
    )
    given = controls._controls(a_target())[name].answer(tensor, question)
    assert given.shape == expected.shape
    assert given.dtype == dtype.numpy
    return given


def test_a_constant_is_everywhere() -> None:
    assert (answer("zeros", np.full((2, 3), 7.0)) == 0).all()
    assert (answer("ones", np.full((2, 3), 7.0)) == 1).all()


def test_a_copy_repeats_or_cuts_the_input_to_the_outputs_shape() -> None:
    x = np.array([[1.0, 2.0], [3.0, 70000.0]], dtype=np.float32)
    assert answer("copy of x", np.zeros(6), {"x": x}).tolist() == [1, 2, 3, 70000, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small = answer("copy of x", np.zeros(4), {"x": x}, dtype=DType.FLOAT16)
    assert small.tolist() == [1, 2, 3, float("inf")]


def test_a_kernel_that_does_nothing_leaves_what_was_there() -> None:
    assert np.isnan(answer("no-op", np.zeros(3))).all()
    before = np.arange(3, dtype=np.float32)
    assert answer("no-op", np.zeros(3), {"y": before}).tolist() == [0, 1, 2]


def test_the_means_are_those_of_the_right_answer() -> None:
    expected = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    assert (answer("mean", expected) == 2).all()
    assert answer("mean of each row", expected).tolist() == [[3, 3, 3], [1, 1, 1]]


@pytest.mark.parametrize("name", ["mean", "mean of each row"])
def test_the_mean_of_no_elements_is_asked_of_nobody(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert answer(name, np.zeros((2, 0))).size == 0


def test_low_precision_rounds_the_answer_to_rounded_inputs() -> None:
    lowered = np.array([1 + 2**-10, 1 + 2**-11, 1 + 3 * 2**-11])
    given = answer("low precision", np.zeros(3), lowered=lowered)
    assert given.tolist() == [1 + 2**-10, 1, 1 + 2**-9]
    assert low_precision(np.array([3e300])).dtype == np.float64


def test_only_floating_inputs_are_rounded() -> None:
    target = made(
        tensors={
            "x": {"role": "input", "dtype": "io", "shape": ["n"]},
            "i": {"role": "input", "dtype": "int32", "shape": ["n"], **INTEGERS},
            "y": {"role": "output", "dtype": "io", "shape": ["n"]},
        },
        reference="return {'y': inputs['x'] + inputs['i']}",
    )
    case = target.public_cases[0]
    inputs = draw_inputs(target, case, 5)
    asked = controls._question(target, Reference(target), case, 5, True)
    assert np.array_equal(asked.expected["y"], inputs["x"].astype(np.float64) + inputs["i"])
    rounded = low_precision(inputs["x"])
    assert not np.array_equal(rounded, inputs["x"])
    assert np.array_equal(asked.lowered["y"], rounded.astype(np.float64) + inputs["i"])
    assert not controls._question(target, Reference(target), case, 5, False).lowered


def made(
    shape: tuple[int, ...] = (1000,),
    *,
    reference: str = "return {'y': 2 * inputs['x']}",
    tolerance: Mapping[str, Any] = EXACT,
    dtypes: tuple[str, ...] = ("float32",),
    **changes: Any,
) -> Target:
    """Return a target of the tests whose output `y` is like its input `x`, of this shape."""
    names = [f"n{i}" for i in range(len(shape))] if len(shape) > 1 else ["n"]
    case = {"symbols": dict(zip(names, shape, strict=True)), "dtypes": {"io": dtypes[0]}}
    launch = {"kernel": "k_{io}", "grid": [1, 1, 1], "block": [64, 1, 1], "args": ["x", "y"]}
    given: dict[str, Any] = {
        "name": "made",
        "title": "Made up",
        "family": "elementwise",
        "objective": "Be fast.",
        "symbols": {name: {"max": 1 << 24} for name in names},
        "dtypes": {"io": list(dtypes)},
        "tensors": {
            "x": {"role": "input", "dtype": "io", "shape": names},
            "y": {"role": "output", "dtype": "io", "shape": names},
        },
        "public_cases": [case],
        "timing_cases": [case],
        "tolerance": dict.fromkeys(dtypes, tolerance),
        "work": {"bytes": "8", "operations": "1"},
        "baseline": {"source": "//", "launch_plan": {"launches": [launch]}, "why_slow": "-"},
        "reference": f"{HEAD}    {reference}\n",
        "pytorch": {"equivalent": "2 * x"},
    }
    return Target.model_validate({**given, **changes})


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ((1,), ("low precision",)),
        ((2,), ("mean", "low precision")),
        ((1, 5), ("mean", "low precision")),
        ((5, 1), ("mean", "low precision")),
        ((5, 2), ("mean", "mean of each row", "low precision")),
        ((2, 5), ("mean", "mean of each row", "low precision")),
    ],
)
def test_a_control_applies_where_its_answer_is_not_the_right_one(
    shape: tuple[int, ...], more: tuple[str, ...]
) -> None:
    assert controls_of(made(shape)) == (*ALWAYS, *more)


def test_low_precision_applies_to_wide_outputs_of_floating_inputs() -> None:
    assert "low precision" not in controls_of(made(dtypes=("float16",)))
    integers = made(
        tensors={
            "x": {"role": "input", "dtype": "int32", "shape": ["n"], **INTEGERS},
            "y": {"role": "output", "dtype": "io", "shape": ["n"]},
        }
    )
    assert controls_of(integers) == (*ALWAYS, "mean")


def test_every_combination_of_types_is_asked_for_once() -> None:
    both = made(dtypes=("float32", "float16"))
    asked = [case.dtypes["io"] for case in controls._cases(both)]
    assert asked == [DType.FLOAT32, DType.FLOAT16]
    assert [case.dtypes["io"] for case in controls._cases(a_target())] == asked


def test_every_control_is_run_and_a_sound_target_rejects_it() -> None:
    target = made((4, 8))
    records = run_controls(target, Reference(target), seed=0)
    assert tuple(record.name for record in records) == controls_of(target)
    assert all(record.rejected for record in records)
    require_sound(target)


def test_a_target_that_a_trivial_kernel_passes_is_refused() -> None:
    with pytest.raises(UserError, match="the control 'zeros' passes"):
        require_sound(made((4, 8), reference="return {'y': 0 * inputs['x']}"))


def test_a_reference_that_disagrees_with_itself_is_refused() -> None:
    target = made((4, 8))
    other = (
        "def reference_at(inputs, symbols, scalars, places):\n"
        "    return {'y': 3.0 + 0 * inputs['x'][places['y']]}\n"
    )
    with pytest.raises(UserError, match="other values"):
        require_sound(target.model_copy(update={"reference": target.reference + other}))


HALF_OFF = "return {'y': 1.5 + 0 * inputs['x']}"
"""Ones are wrong by a half."""


def loose(suggested: float, reference: str = HALF_OFF) -> Target:
    """Return a target on which ones pass with half the error allowed."""
    calibration = {
        "how": "made up",
        "draws": 1,
        "worst_ratio": 0.1,
        "suggested_absolute": suggested,
        "suggested_relative": 0.0,
    }
    tolerance = {"absolute": 0.25, "relative": 0.5, "calibration": calibration}
    return made((4, 8), reference=reference, tolerance=tolerance)


@pytest.mark.parametrize(
    ("suggested", "absolute", "relative"),
    [(0.125, "6.2e-02", "1.2e-01"), (0.2, "7.9e-02", "1.6e-01")],
)
def test_the_suggested_tolerance_lies_between_the_honest_error_and_the_controls(
    suggested: float, absolute: str, relative: str
) -> None:
    """Geometrically: an honest error of an eighth and a control's of a half give a quarter."""
    assert controls._suggestion(loose(suggested), "ones") == (
        f"Tighten float32 to absolute: {absolute}, relative: {relative}, then measure it with "
        "`rocm-pipeline targets calibrate made`."
    )


def test_nothing_is_suggested_where_an_honest_kernel_would_not_have_room() -> None:
    words = controls._suggestion(loose(0.25), "ones")
    assert words.startswith("No tolerance tells it from an honest kernel: change public_cases[0] (")
    assert loose(0.25).public_cases[0].name in words


def test_no_tolerance_is_suggested_for_integers() -> None:
    target = made(
        tensors={
            "x": {"role": "input", "dtype": "io", "shape": ["n"]},
            "i": {"role": "output", "dtype": "int32", "shape": ["n"]},
            "y": {"role": "output", "dtype": "io", "shape": ["n"]},
        },
        reference="return {'i': np.ones(inputs['x'].shape, np.int32), 'y': 1.5 + 0 * inputs['x']}",
        tolerance=loose(0.125).tolerance[DType.FLOAT32].model_dump(mode="json"),
    )
    assert controls._suggestion(target, "ones").startswith("Tighten float32 to absolute: 6.2e-02")


def test_the_suggestion_looks_at_the_draw_that_was_judged() -> None:
    target = loose(0.001, "return {'y': 1 + 0.2 * np.tanh(inputs['x'])}")
    judged = {each.name: each for each in controls._run(target, Reference(target), 0)}
    (worst,) = judged["ones"].worst
    assert worst.status is Status.PASSED
    factor = (0.001 * worst.ratio) ** 0.5
    assert f"absolute: {0.25 * factor:.1e}," in controls._suggestion(target, "ones")


@pytest.mark.parametrize(
    ("tolerance", "suggested", "ratio"),
    [
        ((1e-7, 1e-6), (8e-7, 4e-5), 2.0),
        ((1e-7, 1e-6), (0.0, 4e-5), 10.0),
        ((0.0, 1e-6), (8e-7, 4e-5), 10.0),
        ((1e-7, 0.0), (0.0, 4e-5), 0.0),
        ((1e-7, 1e-6), (0.0, 0.0), 0.0),
        ((1e-7, 1e-6), (None, None), 0.0),
    ],
)
def test_an_honest_kernel_is_granted_what_was_measured(
    tolerance: tuple[float, float], suggested: tuple[float | None, float | None], ratio: float
) -> None:
    """Measured suggestions hold four times the worst error; here rounding loses nothing."""
    target = made(reference="return {'y': 1.5 + 0 * inputs['x']}")
    assert honest(target, tolerance, suggested) == pytest.approx(ratio, rel=1e-12)


def honest(
    target: Target,
    tolerance: tuple[float, float],
    suggested: tuple[float | None, float | None] = (None, None),
    dtype: DType = DType.FLOAT32,
) -> float:
    calibration = Calibration.model_construct(
        how="made up", suggested_absolute=suggested[0], suggested_relative=suggested[1]
    )
    width = Tolerance.model_construct(
        absolute=tolerance[0], relative=tolerance[1], calibration=calibration
    )
    return controls._honest_ratio(target, dtype, width, Reference(target))


def test_an_honest_kernel_that_was_not_measured_is_granted_four_roundings() -> None:
    cases = [
        {"symbols": {"n": size}, "dtypes": {"io": dtype}}
        for size, dtype in ((1000, "float32"), (3, "float16"))
    ]
    target = made(
        reference="return {'y': 1 + inputs['x'] ** 2}",
        dtypes=("float32", "float16"),
        public_cases=cases,
    )
    for dtype, case in zip((DType.FLOAT32, DType.FLOAT16), controls._cases(target), strict=True):
        inputs = draw_inputs(target, case, 0)
        right = Reference(target).outputs(case, inputs)["y"]
        lost = float(np.abs(right.astype(dtype.numpy).astype(np.float64) - right).max())
        assert 0 < lost < 0.25
        assert honest(target, (0.25, 0.0), dtype=dtype) == pytest.approx(4 * lost / 0.25)


def test_what_a_type_cannot_hold_grants_nothing() -> None:
    target = made(reference="return {'y': 1e6 + 0 * inputs['x']}", dtypes=("float16",))
    with np.errstate(over="ignore"):
        assert honest(target, (1e-3, 0.0), dtype=DType.FLOAT16) == 0
