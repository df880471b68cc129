import numpy as np
import pytest

from rocm_pipeline.integration.operator_cases import bad_calls, gradient_cases, operator_cases
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target

from .conftest import builtin


def test_central_differences_of_the_reference_are_the_gradient_of_softmax(softmax: Target) -> None:
    case = next(c for c in operator_cases(softmax, seed=5) if c.kind == "gradient")
    y, dy = case.outputs["y"], case.cotangents["y"].astype(np.float64)
    expected = y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    assert np.abs(case.gradients["x"] - expected).max() < 1e-8


def test_gradients_are_asked_for_in_every_element_type(softmax: Target) -> None:
    assert [c.dtypes["io"] for c in gradient_cases(softmax)] == [DType.FLOAT32, DType.FLOAT16]


def test_a_target_without_a_backward_has_no_gradient_cases(softmax: Target) -> None:
    pytorch = softmax.pytorch.model_copy(update={"backward": None})
    assert gradient_cases(softmax.model_copy(update={"pytorch": pytorch})) == []


def test_another_seed_draws_other_inputs(softmax: Target) -> None:
    one, other = operator_cases(softmax, seed=1), operator_cases(softmax, seed=2)
    assert not np.array_equal(one[0].inputs["x"], other[0].inputs["x"])


@pytest.mark.parametrize("name", ["row_softmax", "flash_attention", "vae_decoder_block"])
def test_every_input_gets_a_wrong_shape_and_a_wrong_type(name: str) -> None:
    target = builtin(name)
    calls = bad_calls(target)
    for tensor in target.inputs:
        mine = [call for call in calls if call.tensor == tensor]
        assert {call.dtype for call in mine} >= {"float64"}
        assert len({len(call.shape) for call in mine}) == 2


def test_sizes_that_another_tensor_or_a_number_fixes_are_changed() -> None:
    told = {call.what for call in bad_calls(builtin("vae_decoder_block"))}
    assert {"weight of another size", "bias of another size"} <= told
