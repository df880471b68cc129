import pytest

from rocm_pipeline.integration.policy import (
    MAX_BYTES,
    example_violations,
    library_calls,
    violations,
)
from rocm_pipeline.targets.spec import Target

from .conftest import builtin, changed, honest_operator

LAUNCH = '    launch({"x": x}, {}, {}, {"y": y})\n'
PUBLIC = "    return forward(x)\n"
CATCHING = "    try:\n        return forward(x)\n    except ValueError:\n        return x\n"
EXTENSION = "import torch\nimport torch.utils.cpp_extension\n"
OPCHECK = "    torch.library.opcheck = abs\n"
VARIADIC = "def row_softmax(x: Tensor, *more)"


@pytest.mark.parametrize("name", ["row_softmax", "flash_attention", "vae_decoder_block"])
def test_an_honest_operator_breaks_no_rule(name: str) -> None:
    assert violations(builtin(name), honest_operator(name)) == ()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("import torch\n", "import torch\nimport os\n", "imports 'os'"),
        ("import torch\n", EXTENSION, "imports 'torch.utils"),
        ("import torch\n", "import torch\nfrom torch import hub\n", "imports 'hub'"),
        ("import torch\n", "import torch\nfrom torch import *\n", "imports '*'"),
        ("import torch\n", "import torch\nfrom . import runtime\n", "imports from '.'"),
        ("import launch\n", "import launch, run_plan\n", "more than 'launch'"),
        (PUBLIC, "    exec('1')\n" + PUBLIC, "uses 'exec'"),
        (PUBLIC, "    open('/etc/passwd')\n" + PUBLIC, "uses 'open'"),
        (PUBLIC, "    print('PASSED')\n" + PUBLIC, "uses 'print'"),
        (PUBLIC, "    getattr(x, 'sum')()\n" + PUBLIC, "uses 'getattr'"),
        (PUBLIC, "    x.__class__\n" + PUBLIC, "attribute '__class__'"),
        (PUBLIC, "    __builtins__\n" + PUBLIC, "uses '__builtins__'"),
        (PUBLIC, "    torch.os.getcwd()\n" + PUBLIC, "attribute 'os'"),
        (PUBLIC, "    torch._C\n" + PUBLIC, "attribute '_C'"),
        (PUBLIC, "    torch.save(x, 'x')\n" + PUBLIC, "attribute 'save'"),
        (PUBLIC, "    x.numpy().tofile('x')\n" + PUBLIC, "attribute 'tofile'"),
        (PUBLIC, OPCHECK + PUBLIC, "assigns to the attribute 'opcheck'"),
        (PUBLIC, "    torch.autograd.gradcheck = abs\n" + PUBLIC, "assigns to the attribute"),
        (PUBLIC, CATCHING, "catches"),
        (PUBLIC, "    class A:\n        pass\n" + PUBLIC, "defines a class"),
        ("def setup_context", "torch.manual_seed(0)\n\ndef setup_context", "at the top level"),
        ("def setup_context", "y = torch.ones(1)\n\ndef setup_context", "at the top level"),
        (LAUNCH, "", "does not call launch"),
        (LAUNCH, LAUNCH + "    y = torch.softmax(x, -1)\n", "calls 'softmax'"),
        (LAUNCH, LAUNCH + "    y = x.softmax(-1)\n", "calls 'softmax'"),
        ("def row_softmax(x: Tensor)", "def softmax(x: Tensor)", "no function 'row_softmax'"),
        ("def row_softmax(x: Tensor)", VARIADIC, "exactly the parameters"),
        ("rocm_pipeline::row_softmax", "aten::softmax", "no function 'forward'"),
        ("mutates_args=()", 'mutates_args=("x",)', "no function 'forward'"),
        ("    return forward(x)\n", "    return forward(x\n", "not Python"),
    ],
)  # fmt: skip
def test_each_rule_is_broken_with_its_line_and_reason(
    softmax: Target, old: str, new: str, complaint: str
) -> None:
    found = violations(softmax, changed(honest_operator("row_softmax"), (old, new)))
    assert any(complaint in text for text in found), found
    assert all(text.startswith("line ") for text in found)


def test_a_huge_file_is_refused_before_it_is_parsed(softmax: Target) -> None:
    assert violations(softmax, "#" * (MAX_BYTES + 1)) == (
        f"op.py is longer than {MAX_BYTES} bytes",
    )


def test_the_library_functions_that_the_kernel_stands_for_come_from_the_target() -> None:
    assert library_calls(builtin("row_softmax")) == {"softmax"}
    assert library_calls(builtin("vae_decoder_block")) == {"silu", "conv2d", "interpolate"}


EXAMPLE = """\
import math
import torch
import torch.testing
import torch.nn.functional as F
from row_softmax_op import row_softmax
from torch.testing import assert_close

torch.manual_seed(0)
x = torch.rand(2, 3)
y = torch.compile(row_softmax)(x)
print(y)
torch.testing.assert_close(y, F.softmax(x, dim=-1))
"""
IMPORT_OPERATOR = "from row_softmax_op import row_softmax\n"
COMPARE = "torch.testing.assert_close(y, F.softmax(x, dim=-1))\n"


def example_violations_of(*replacements: tuple[str, str]) -> tuple[str, ...]:
    return example_violations("row_softmax_op", "row_softmax", changed(EXAMPLE, *replacements))


@pytest.mark.parametrize("comparison", [COMPARE, "assert True\n", "assert_close(y, y)\n"])
def test_an_honest_example_breaks_no_rule(comparison: str) -> None:
    assert example_violations_of((COMPARE, comparison)) == ()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("import math\n", "import os\n", "line 1: imports 'os'; allowed are torch, math and"),
        (IMPORT_OPERATOR, "import row_softmax_op\n", "line 5: imports 'row_softmax_op'"),
        (
            IMPORT_OPERATOR,
            "from row_softmax_op import runtime\n",
            "line 5: imports more than 'row_softmax' from row_softmax_op",
        ),
        (
            IMPORT_OPERATOR,
            "from other import x\n",
            "line 5: imports from 'other'; allowed are torch, math, typing and row_softmax_op",
        ),
        (IMPORT_OPERATOR, "from .runtime import launch\n", "line 5: imports from '.runtime'"),
        ("x = torch.rand(2, 3)\n", "x = open('x')\n", "line 9: uses 'open'"),
        ("x = torch.rand(2, 3)\n", "x = torch.load('x')\n", "line 9: uses the attribute 'load'"),
        ("y = torch", "row_softmax = torch", "line 10: assigns to 'row_softmax'"),
        ("y = torch", "torch = torch", "line 10: assigns to 'torch'"),
        ("print(y)\n", "try:\n    print(y)\nfinally:\n    print(y)\n", "line 11: catches errors"),
        (COMPARE, "", "line 1: asserts nothing about the result"),
        ("print(y)\n", "print(y\n", "the example is not Python"),
        ("print(y)\n", f"# {'x' * MAX_BYTES}\n", f"the example is longer than {MAX_BYTES} bytes"),
    ],
)  # fmt: skip
def test_each_rule_of_examples_is_broken_with_its_line_and_reason(
    old: str, new: str, complaint: str
) -> None:
    found = example_violations_of((old, new))
    assert any(complaint in text for text in found), found


def test_what_an_example_may_do_an_operator_may_not(softmax: Target) -> None:
    for statement in ("print(x)", "torch.testing", "torch.compile", "torch.manual_seed"):
        source = changed(honest_operator("row_softmax"), (PUBLIC, f"    {statement}\n{PUBLIC}"))
        assert violations(softmax, source), statement
