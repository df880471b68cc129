"""A tolerance where nobody gave one: what honest implementations of a case differ by.

An honest kernel rounds its inputs and every step to the type it computes in, and adds in an order
of its own. The first is measured: the reference's answers to inputs that differ by one rounding.
How rounding grows along a sum is the square root of its length, for which the largest size stands.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from rocm_pipeline.lab.controls import ROOM
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.subject import Calibration, Tolerance

PERTURBED = 3
"""Sets of perturbed inputs for each case."""
_STEP = 2.0**-24
"""The perturbation: half the spacing of float32 at one; for float64 the effect is scaled."""
_HOW = "the reference on inputs one rounding apart, grown by the root of the largest size"


def perturbed(inputs: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """Return inputs of which each floating-point value is off by up to one rounding."""
    rng = np.random.default_rng(seed)
    return {
        name: array * (1 + _STEP * rng.uniform(-1, 1, array.shape))
        if array.dtype.kind == "f"
        else array
        for name, array in inputs.items()
    }


def measured(
    dtype: DType,
    outputs: Sequence[str],
    right: Mapping[str, Array],
    others: Sequence[Mapping[str, Array]],
    longest: int,
) -> Tolerance:
    """Return the tolerance of the outputs of one type, from the answers to perturbed inputs."""
    spread = 0.0
    for other in others:
        for name in outputs:
            if other[name].shape == right[name].shape and right[name].size:
                spread = max(spread, float(np.abs(other[name] - right[name]).max()))
    growth = max(1.0, longest**0.5 / 2)
    # kernels compute half and quarter types in float32
    unit = 2.0**-53 if dtype is DType.FLOAT64 else _STEP
    return Tolerance(
        absolute=ROOM * growth * spread * unit / _STEP + dtype.smallest,
        relative=dtype.epsilon + ROOM * growth * unit,
        calibration=Calibration(how=_HOW),
    )
