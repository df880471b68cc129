"""The example of an operator's use that the embedded agent puts into its documentation."""

from rocm_pipeline.agents.embedded.example import write_example
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Role, Target, TensorSpec


def test_an_example_imports_draws_calls_and_compares(target: Target) -> None:
    assert write_example(target) == [
        "import torch",
        "import torch.nn.functional as F",
        "from row_softmax_op import row_softmax",
        "",
        "torch.manual_seed(0)",
        "x = torch.randn(3, 17)",
        "expected = F.softmax(x, dim=-1)",
        "y = row_softmax(x)",
        "torch.testing.assert_close(y, expected, atol=8e-08, rtol=4e-06)",
    ]


def test_inputs_have_the_types_and_values_that_the_target_names(target: Target) -> None:
    integers = TensorSpec(
        role=Role.INPUT, dtype="int64", shape=("rows",), values="integers", below="cols"
    )
    uniform = TensorSpec(role=Role.INPUT, dtype="io", shape=("cols",), values="uniform")
    pytorch = target.pytorch.model_copy(update={"gradcheck": None, "equivalent": "(x, x)"})
    changed = target.model_copy(
        update={
            "dtypes": {"io": (DType.FLOAT16,)},
            "tensors": {
                **target.tensors,
                "index": integers,
                "weight": uniform,
                "z": target.tensors["y"],
            },
            "pytorch": pytorch,
        }
    )
    lines = write_example(changed)
    assert "import torch.nn.functional as F" not in lines
    assert lines[4:] == [
        "x = torch.randn(7, 33).to(torch.float16)",
        "index = torch.randint(33, (7,), dtype=torch.int64)",
        "weight = torch.rand(33).to(torch.float16)",
        "expected = (x, x)",
        "y, z = row_softmax(x, index, weight)",
        "torch.testing.assert_close((y, z), expected, atol=2e-06, rtol=0.004)",
    ]
