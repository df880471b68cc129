import pytest

from rocm_pipeline.integration.policy import MAX_BYTES, library_calls, violations
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
