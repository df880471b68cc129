"""The elementary functions written for the GPU, measured on the CPU against better arithmetic."""

import ctypes
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.emulator.compiler import CpuCompiler
from rocm_pipeline.lab.sandbox import Sandbox

SOURCE = """
#define HIP_DETAIL_FUNCTION static inline
#include <hip/detail/own_math.h>
using namespace hip_detail;
#define EACH(name, T, expression) \\
  extern "C" void name(const T* x, const T* y, T* out, int n) { \\
    for (int i = 0; i < n; ++i) { T a = x[i], b = y[i]; (void)b; out[i] = expression; } \\
  }
EACH(tanh_, float, own_tanhf(a, __builtin_expf(2.0f * __builtin_fabsf(a))))
EACH(erf_, float, own_erff(a))
EACH(pow_, float, own_powf(a, b))
EACH(sin_, float, own_sine(a, 0))
EACH(cos_, float, own_sine(a, 1))
EACH(exp_, double, own_exp(a))
EACH(log_, double, own_log(a))
"""

Floating = npt.NDArray[np.floating]
Call = Callable[[str, Floating, Floating], Floating]
RANDOM = np.random.default_rng(5)


@pytest.fixture(scope="module")
def call(sandbox: Sandbox, builds: Path, tmp_path_factory: pytest.TempPathFactory) -> Call:
    compiler = CpuCompiler(sandbox, BuildCache(builds / "emulator"))
    path: Path = tmp_path_factory.mktemp("own-math") / "own_math.so"
    ir = compiler.to_ir(SOURCE, 64, "-O1").replace("@__tsan_init", "@no_such_init")
    ir += "\ndefine weak void @no_such_init() { ret void }\n"
    path.write_bytes(compiler.to_library(_without_declaration(ir), "-O1", "00" * 32))
    library = ctypes.CDLL(str(path))

    def apply(name: str, x: Floating, y: Floating) -> Floating:
        out = np.empty_like(x)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (x, y, out)]
        getattr(library, name)(*pointers, ctypes.c_int(x.size))
        return out

    return apply


def _without_declaration(ir: str) -> str:
    return "\n".join(line for line in ir.splitlines() if not line.startswith("declare void @no_su"))


def _units(got: Floating, exact: npt.NDArray[np.longdouble]) -> float:
    """Largest error in units in the last place of the result."""
    spacing = np.abs(np.spacing(exact.astype(got.dtype))).astype(np.longdouble)
    return float(np.max(np.abs(got.astype(np.longdouble) - exact) / spacing))


def _spread(low: float, high: float) -> npt.NDArray[np.float32]:
    """Values of both signs, with magnitudes evenly spread over the exponents of a range."""
    magnitude = np.exp(RANDOM.uniform(np.log(low), np.log(high), 200_000))
    return (magnitude * RANDOM.choice([-1, 1], magnitude.size)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "exact", "low", "high", "allowed"),
    [
        ("tanh_", np.tanh, 1e-30, 100, 2),
        ("erf_", np.vectorize(math.erf), 1e-30, 10, 2),
        ("sin_", np.sin, 1e-30, 2.0**30, 2),
        ("cos_", np.cos, 1e-30, 2.0**30, 2),
    ],
)
def test_float_functions_are_as_exact_as_their_comment_says(
    call: Call,
    name: str,
    exact: Callable[[Floating], Floating],
    low: float,
    high: float,
    allowed: float,
) -> None:
    x = _spread(low, high)

    assert _units(call(name, x, x), exact(x.astype(float)).astype(np.longdouble)) <= allowed


def test_powf_is_as_exact_as_its_comment_says(call: Call) -> None:
    x, y = np.abs(_spread(1e-6, 1e6)), _spread(0.01, 6)
    exact = np.power(x.astype(float), y.astype(float))
    normal = (exact < 3e38) & (exact > 1.2e-38)

    got = call("pow_", x, y)
    assert _units(got[normal], exact[normal].astype(np.longdouble)) <= 1


def test_powf_follows_c_for_special_values(call: Call) -> None:
    values = np.array([0.0, -0.0, 1, -1, 2, -2, 0.5, -3, np.inf, -np.inf, np.nan, 2.5, -2.5, 3])
    x, y = (grid.ravel().astype(np.float32) for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        exact = np.power(x, y)

    np.testing.assert_allclose(call("pow_", x, y), exact, rtol=1e-6)


def test_double_functions_are_as_exact_as_their_comment_says(call: Call) -> None:
    if np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("this machine has no arithmetic better than double to compare with")
    x = RANDOM.uniform(-700, 700, 200_000)
    assert _units(call("exp_", x, x), np.exp(x.astype(np.longdouble))) <= 2
    positive = np.exp(RANDOM.uniform(-700, 700, 200_000))
    near_one = RANDOM.uniform(0.5, 2, 200_000)
    for values in (positive, near_one):
        assert _units(call("log_", values, values), np.log(values.astype(np.longdouble))) <= 3


def test_ends_of_the_domains(call: Call) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, 800, -800])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(call("exp_", x, x), np.exp(x))
        np.testing.assert_array_equal(call("log_", x, x), np.log(x))
    edges = np.array([np.inf, -np.inf, 0.0, 20, -20], np.float32)
    np.testing.assert_array_equal(call("tanh_", edges, edges), [1, -1, 0, 1, -1])
    np.testing.assert_array_equal(call("erf_", edges, edges), [1, -1, 0, 1, -1])
    nan = np.array([np.nan], np.float32)
    for name in ("tanh_", "erf_", "sin_", "cos_"):
        assert np.isnan(call(name, nan, nan)).all()
