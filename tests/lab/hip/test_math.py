"""HIP's mathematical functions against arithmetic of 40 digits, and their special values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest

from tests.lab.emulator.bench import Bench, Start

POINTS = 256
RANDOM = np.random.default_rng(11)
Doubles = npt.NDArray[np.float64]
Exact = Callable[..., Any]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Function:
    """A function of double: what it is, where it is measured, the units it may be wrong by."""

    name: str
    exact: Exact
    points: Doubles
    units: float
    second: Doubles | None = None


def _spread(low: float, high: float, both_signs: bool = True) -> Doubles:
    """Magnitudes evenly spread over the exponents of a range."""
    x = np.exp(RANDOM.uniform(np.log(low), np.log(high), POINTS))
    return x * RANDOM.choice([-1.0, 1.0], POINTS) if both_signs else x


def _even(low: float, high: float) -> Doubles:
    return RANDOM.uniform(low, high, POINTS)


def _nearest_multiple(x: Any, y: Any) -> Any:
    return x - y * mpmath.nint(x / y)


def _exp2(x: Any) -> Any:
    return mpmath.mpf(2) ** x


def _exp10(x: Any) -> Any:
    return mpmath.mpf(10) ** x


def _log2(x: Any) -> Any:
    return mpmath.log(x, 2)


def _rsqrt(x: Any) -> Any:
    return 1 / mpmath.sqrt(x)


def _rcbrt(x: Any) -> Any:
    return 1 / mpmath.cbrt(x)


FUNCTIONS = (
    Function("exp", mpmath.exp, _even(-700, 700), 2),
    Function("exp2", _exp2, _even(-1020, 1020), 2),
    Function("exp10", _exp10, _even(-300, 300), 2),
    Function("expm1", mpmath.expm1, _spread(1e-10, 700), 3),
    Function("log", mpmath.log, _spread(1e-300, 1e300, False), 3),
    Function("log2", _log2, _spread(1e-300, 1e300, False), 2),
    Function("log10", mpmath.log10, _even(0.5, 2), 2),
    Function("log1p", mpmath.log1p, np.abs(_spread(1e-18, 1e10)), 2),
    Function("pow", mpmath.power, _spread(1e-5, 1e5, False), 2, _even(-50, 50)),
    Function("cbrt", mpmath.cbrt, _spread(1e-300, 1e300, False), 2),
    Function("hypot", mpmath.hypot, _spread(1e-200, 1e200), 2, _spread(1e-200, 1e200)),
    Function("sin", mpmath.sin, _spread(1e-10, 1e300), 2),
    Function("cos", mpmath.cos, _spread(1e-10, 1e300), 2),
    Function("tan", mpmath.tan, _spread(1e-10, 1e15), 3),
    Function("sinpi", mpmath.sinpi, _spread(1e-5, 1e6), 2),
    Function("cospi", mpmath.cospi, _spread(1e-5, 1e6), 2),
    Function("asin", mpmath.asin, _even(-1, 1), 4),
    Function("acos", mpmath.acos, _even(-1, 1), 4),
    Function("atan", mpmath.atan, _spread(1e-10, 1e10), 3),
    Function("atan2", mpmath.atan2, _spread(1e-10, 1e10), 4, _spread(1e-10, 1e10)),
    Function("sinh", mpmath.sinh, _spread(1e-10, 709), 4),
    Function("cosh", mpmath.cosh, _spread(1e-10, 709), 4),
    Function("tanh", mpmath.tanh, _spread(1e-10, 20), 4),
    Function("asinh", mpmath.asinh, _spread(1e-10, 1e100), 4),
    Function("acosh", mpmath.acosh, 1 + _spread(1e-3, 1e20, False), 4),
    Function("atanh", mpmath.atanh, _even(-1, 1), 4),
    Function("erf", mpmath.erf, _spread(1e-10, 6), 3),
    Function("erfc", mpmath.erfc, _even(-3, 26), 6),
    Function("normcdf", mpmath.ncdf, _even(-5, 5), 32),
    Function("rsqrt", _rsqrt, _spread(1e-300, 1e300, False), 2),
    Function("rcbrt", _rcbrt, _spread(1e-300, 1e300, False), 3),
    Function("fmod", mpmath.fmod, np.abs(_spread(1e-10, 1e200)), 0, np.abs(_spread(1e-10, 1e10))),
    Function("remainder", _nearest_multiple, _spread(1, 1e30), 0, np.abs(_spread(1e-10, 1e3))),
)


def _source(kind: str, suffix: str, names: Sequence[tuple[str, bool]]) -> str:
    rows = "\n".join(
        f"  out[{row} * 256 + i] = {name}{suffix}(x[{row} * 256 + i]"
        + (f", y[{row} * 256 + i]);" if two else ");")
        for row, (name, two) in enumerate(names)
    )
    return (
        f'extern "C" __global__ void k(const {kind}* x, const {kind}* y, {kind}* out) {{\n'
        f"  int i = threadIdx.x;\n{rows}\n}}\n"
    )


def _units(got: npt.NDArray[np.floating[Any]], exact: Sequence[Any]) -> float:
    """Largest error in units in the last place of the result."""
    worst = 0.0
    for value, true in zip(got, exact, strict=True):
        step = float(np.spacing(np.abs(got.dtype.type(float(true)))))
        worst = max(worst, float(abs(mpmath.mpf(float(value)) - true) / step))
    return worst


def _measured(bench: Bench, dtype: type, suffix: str, points: Floats) -> dict[str, float]:
    seconds = np.array([f.points if f.second is None else f.second for f in FUNCTIONS], dtype=dtype)
    source = _source(
        "double" if dtype is np.float64 else "float",
        suffix,
        [(f.name, f.second is not None) for f in FUNCTIONS],
    )
    run = bench.run(
        source,
        Start("k", ("x", "y", "out"), block=(POINTS, 1, 1)),
        {"x": points, "y": seconds, "out": np.zeros_like(points)},
    )
    assert run.findings == ()
    with mpmath.workdps(400):
        return {
            f.name: _units(
                got,
                [
                    f.exact(mpmath.mpf(float(x)))
                    if f.second is None
                    else f.exact(mpmath.mpf(float(x)), mpmath.mpf(float(y)))
                    for x, y in zip(row, second, strict=True)
                ],
            )
            for f, got, row, second in zip(
                FUNCTIONS, run.outputs["out"], points, seconds, strict=True
            )
        }


def test_double_functions_are_as_exact_as_the_table_says(
    bench: Bench, record_figure: Callable[[str, object], None]
) -> None:
    points = np.array([f.points for f in FUNCTIONS])
    errors = _measured(bench, np.float64, "", points)

    for function in FUNCTIONS:
        record_figure(f"units {function.name}", round(errors[function.name], 2))
    assert {f.name: errors[f.name] for f in FUNCTIONS if errors[f.name] > f.units} == {}


def test_float_functions_round_what_double_gives(bench: Bench) -> None:
    # Where the result is a normal float.
    small = {"exp": 80, "exp2": 120, "exp10": 36, "expm1": 80, "sinh": 80, "cosh": 80, "erfc": 8}
    points = np.array([f.points for f in FUNCTIONS])
    for row, function in zip(points, FUNCTIONS, strict=True):
        limit = small.get(function.name, 1e4)
        row[:] = np.where(np.abs(row) > limit, np.abs(row) % limit, row)
        if function.name in ("pow", "log", "log2", "cbrt", "rsqrt", "rcbrt"):
            row[:] = np.abs(row) + 1e-3
        if function.name == "hypot" and function.second is not None:
            function.second[:] = np.abs(function.second) % 100
        if function.name == "pow":
            row[:] = row % 5 + 0.1
    errors = _measured(bench, np.float32, "f", points.astype(np.float32))

    assert {name: units for name, units in errors.items() if units > 3} == {}


SPECIAL = np.array([0.0, -0.0, 1, -1, 0.5, -2, np.inf, -np.inf, np.nan, 3, -3, 1e308])


@pytest.mark.parametrize("name", ["pow", "atan2", "fmod", "hypot", "remainder"])
def test_special_values_of_two_arguments_follow_c(bench: Bench, name: str) -> None:
    names = {"pow": "power", "atan2": "arctan2"}
    grid = np.array([a.ravel() for a in np.meshgrid(SPECIAL, SPECIAL)])
    x, y = np.zeros((2, POINTS))
    x[: grid.shape[1]], y[: grid.shape[1]] = grid
    run = bench.run(
        _source("double", "", [(name, True)]),
        Start("k", ("x", "y", "out"), block=(POINTS, 1, 1)),
        {"x": x, "y": y, "out": np.zeros(POINTS)},
    )
    with np.errstate(all="ignore"):
        if name == "remainder":
            exact = np.fmod(x, y)
            over = np.abs(exact) > np.abs(y) / 2
            exact = np.where(over, exact - np.copysign(y, x), exact)
            keep = np.abs(exact) != np.abs(y) / 2
        else:
            exact = getattr(np, names.get(name, name))(x, y)
            keep = np.ones(POINTS, bool)

    np.testing.assert_allclose(run.outputs["out"][keep], exact[keep], rtol=1e-15)


ENDS = {
    "exp2": np.exp2, "expm1": np.expm1, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "cbrt": np.cbrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}  # fmt: skip


def test_ends_of_the_domains(bench: Bench) -> None:
    x = np.zeros((len(ENDS), POINTS))
    x[:, :10] = [0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 800, -800, 5e-324]
    run = bench.run(
        _source("double", "", [(name, False) for name in ENDS]),
        Start("k", ("x", "x", "out"), block=(POINTS, 1, 1)),
        {"x": x, "out": np.zeros_like(x)},
    )
    for row, (name, function) in enumerate(ENDS.items()):
        with np.errstate(all="ignore"):
            exact = function(x[row])
        np.testing.assert_allclose(run.outputs["out"][row], exact, rtol=1e-14, err_msg=name)


def test_numbers_are_taken_apart(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const double* x, double* y, int* n) {
  int i = threadIdx.x, e;
  double whole, s, c;
  y[i * 8] = frexp(x[i], &e); n[i * 2] = e; y[i * 8 + 1] = modf(x[i], &whole);
  y[i * 8 + 2] = whole; y[i * 8 + 3] = nearbyint(x[i]); y[i * 8 + 4] = nextafter(x[i], 9.0);
  y[i * 8 + 5] = fdim(x[i], 1.5); sincos(x[i], &s, &c); y[i * 8 + 6] = s - c;
  y[i * 8 + 7] = ldexp(x[i], 3); n[i * 2 + 1] = lround(x[i]);
}"""
    x = np.array([0.75, -2.5, 3.5, 1e-310, 8.0, -0.5, 2.5, 1e6])
    run = bench.run(
        source,
        Start("k", ("x", "y", "n"), block=(8, 1, 1)),
        {"x": x, "y": np.zeros((8, 8)), "n": np.zeros((8, 2), np.int32)},
    )
    y, n = run.outputs["y"], run.outputs["n"]
    fraction, exponent = np.frexp(x)
    parts, wholes = np.modf(x)
    for column, exact in enumerate(
        [fraction, parts, wholes, np.rint(x), np.nextafter(x, 9.0), np.maximum(x - 1.5, 0)]
    ):
        np.testing.assert_array_equal(y[:, column], exact)
    np.testing.assert_allclose(y[:, 6], np.sin(x) - np.cos(x), rtol=1e-14)
    np.testing.assert_array_equal(y[:, 7], x * 8)
    np.testing.assert_array_equal(n[:, 0], exponent)
    np.testing.assert_array_equal(n[:, 1], [1, -3, 4, 0, 8, -1, 3, 1000000])
