"""What several tests of the lab share: a real sandbox, a real device compiler, a small target."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Target


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    try:
        return Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")


@pytest.fixture(scope="session")
def toolchain(sandbox: Sandbox, builds: Path) -> Toolchain:
    return Toolchain(sandbox, builds / "device")


MakeCandidate = Callable[..., Candidate]

SCALE_SOURCE = """\
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256)
    scale_f32(const float* x, float* y, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * x[i];
}
"""


def _plan(**changes: object) -> LaunchPlan:
    launch: dict[str, object] = {
        "kernel": "scale_{io}",
        "grid": ["ceildiv(n, 256)", 1, 1],
        "block": [256, 1, 1],
        "args": ["x", "y", "n", "factor"],
    }
    return LaunchPlan.model_validate({"launches": [launch | changes]})


@pytest.fixture(scope="session")
def target() -> Target:
    """y = factor * x."""
    case = {"symbols": {"n": 1000}, "dtypes": {"io": "float32"}, "scalars": {"factor": 2.0}}
    return Target.model_validate(
        {
            "name": "scale",
            "title": "Scale a vector",
            "family": "elementwise",
            "objective": "Be fast.",
            "symbols": {"n": {"max": 1 << 24}},
            "dtypes": {"io": ["float32"]},
            "scalars": {"factor": {"values": [2.0]}},
            "tensors": {
                "x": {"role": "input", "dtype": "io", "shape": ["n"]},
                "y": {"role": "output", "dtype": "io", "shape": ["n"]},
            },
            "public_cases": [case],
            "timing_cases": [case | {"symbols": {"n": 1 << 22}}],
            "tolerance": {"float32": {"absolute": 0, "relative": 1e-6, "calibration": "exact"}},
            "work": {"bytes": "8 * n", "operations": "n"},
            "baseline": {
                "source": SCALE_SOURCE,
                "launch_plan": _plan().model_dump(),
                "why_slow": "It is not.",
            },
            "reference": (
                "def reference(inputs, symbols, scalars):\n"
                "    return {'y': scalars['factor'] * inputs['x']}\n"
            ),
            "pytorch": {"equivalent": "factor * x"},
        }
    )


@pytest.fixture(scope="session")
def narrow_target(target: Target) -> Target:
    """The same for one architecture of each wave size, where more would show no more."""
    return target.model_copy(update={"architectures": ("gfx942", "gfx1100")})


@pytest.fixture(scope="session")
def scale_source() -> str:
    """An honest kernel for the target."""
    return SCALE_SOURCE


@pytest.fixture(scope="session")
def candidate_of() -> MakeCandidate:
    """Make a candidate from a source, with some fields of its only launch changed."""

    def make(source: str, **changes: object) -> Candidate:
        return Candidate(target="scale", source=source, launch_plan=_plan(**changes))

    return make
