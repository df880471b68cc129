"""Each word and condition of the rules about devices and sizes: what it refuses, and what not.

The tables say it a second time, apart from the rules. A row is a line in the public function or in
the backward of an operator, where `x` is one of its tensors.
"""

import ast

import pytest

from rocm_pipeline.integration.one_behaviour import dependences

from .conftest import builtin
from .test_operator_tree import MAKES_TENSORS

PUBLIC = """
def row_softmax(x):
    LINE
    return forward(x)
"""
BACKWARD = """
def backward(ctx, dy):
    (x,) = ctx.saved_tensors
    LINE
    return dy * x
"""

BRANCH = (
    "branches on what is not the same everywhere; other than by raising, an operator may branch on "
    "flags, ranks and element types alone"
)
CHOICE = "lets a size, a device or a value choose, other than by raising"
TEXT = "writes text outside an error's message"
ACTS = "does more than look in a check that raises, which may leave it out"
DEVICE = "uses '.device' other than as `device=x.device` or in a check that raises"
OTHER_DEVICE = "gives a device that is not an input's"
PART = "takes a part of a tensor outside the backward"


def looks(name: str) -> str:
    return f"uses '{name}', by which it could look at a device, or at what a tensor holds"


def computes(what: str) -> str:
    return f"uses {what} outside the backward, where it may only check, allocate and launch"


def renames(name: str) -> str:
    return f"gives '{name}' another meaning"


ARITHMETIC = computes("arithmetic")

SOFTMAX = builtin("row_softmax")


def in_public(line: str) -> set[str]:
    return complaints(PUBLIC.replace("LINE", line))


def in_backward(line: str) -> set[str]:
    return complaints(BACKWARD.replace("LINE", line))


def complaints(source: str) -> set[str]:
    return {text for _, text in dependences(SOFTMAX, ast.parse(source))}


# What may be used outside the backward: each word, in a line that needs it.
USES = {
    "float16": "z = x.to(torch.float16)",
    "float32": "z = x.to(torch.float32)",
    "float64": "z = x.to(torch.float64)",
    "int8": "z = x.to(torch.int8)",
    "int16": "z = x.to(torch.int16)",
    "int32": "z = x.to(torch.int32)",
    "int64": "z = x.to(torch.int64)",
    "uint8": "z = x.to(torch.uint8)",
    "bfloat16": "z = x.to(torch.bfloat16)",
    "Size": "def inner(s: torch.Size): return x",
    "SymInt": "def inner(n: torch.SymInt): return x",
    "Tensor": "def inner(t: torch.Tensor): return x",
    "_check": "torch._check(x.dim() == 2)",
    "device": "z = torch.empty(1, device=x.device)",
    "dim": "n = x.dim()",
    "dtype": "z = torch.empty(1, dtype=x.dtype)",
    "element_size": "n = x.element_size()",
    "is_contiguous": "flat = x.is_contiguous()",
    "is_floating_point": "real = x.is_floating_point()",
    "itemsize": "n = x.itemsize",
    "layout": "z = torch.empty(1, layout=x.layout)",
    "ndim": "n = x.ndim",
    "numel": "n = x.numel()",
    "shape": "n = x.shape",
    "size": "n = x.size()",
    "stride": "n = x.stride()",
    "strided": "z = torch.empty(1, layout=torch.strided)",
    "append": "names = []; names.append(1)",
    "extend": "names = []; names.extend([1])",
    "items": "for key, value in {}.items(): pass",
    "keys": "for key in {}.keys(): pass",
    "values": "for value in {}.values(): pass",
    "join": "if x.dim() > 2: raise ValueError(', '.join(map(str, x.shape)))",
    "channels_last": "z = torch.empty_like(x, memory_format=torch.channels_last)",
    "contiguous_format": "z = torch.empty_like(x, memory_format=torch.contiguous_format)",
    "preserve_format": "z = torch.empty_like(x, memory_format=torch.preserve_format)",
    "library": "made = torch.library",
    "custom_op": "made = torch.library.custom_op",
    "register_autograd": "forward.register_autograd(None)",
    "register_fake": "forward.register_fake(None)",
    "register_vmap": "forward.register_vmap(None)",
    "needs_input_grad": "def keep(ctx, inputs, output): ctx.wanted = ctx.needs_input_grad[0]",
    "save_for_backward": "def keep(kept, inputs, output): kept.save_for_backward(output)",
    "set_materialize_grads": "def keep(kept, inputs, output): kept.set_materialize_grads(False)",
    "ops": "made = torch.ops",
    "rocm_pipeline": "made = torch.ops.rocm_pipeline",
    "row_softmax": "made = torch.ops.rocm_pipeline.row_softmax(x)",
    "default": "made = torch.ops.rocm_pipeline.row_softmax.default(x)",
}
COMPUTES = (
    "count", "exp", "fill_", "functional", "full", "grad_fn", "index", "mark_dirty", "nn", "ones",
    "requires_grad", "saved_tensors", "select", "softmax", "sum", "where",
)  # fmt: skip


@pytest.mark.parametrize("word", USES)
def test_what_checks_allocates_or_launches_may_be_used(word: str) -> None:
    assert in_public(USES[word]) == set()


@pytest.mark.parametrize("name", MAKES_TENSORS)
def test_what_makes_a_tensor_may_be_used_and_gives_a_tensor(name: str) -> None:
    assert in_public(f"z = x.{name}()") == set()
    assert in_public(f"z = x.{name}() + 1") == {ARITHMETIC}
    assert in_public(f"from torch import {name} as made; z = made") == set()


@pytest.mark.parametrize("name", COMPUTES)
def test_nothing_else_may_be_used_outside_the_backward(name: str) -> None:
    assert in_public(f"z = x.{name}") == {computes(f"'{name}'")}
    assert in_public(f"from torch import {name} as other; z = other") == {computes(f"'{name}'")}
    assert in_backward(f"z = x.{name}") == set()
    assert in_backward(f"from torch import {name} as other; z = other") == set()


# Attributes that tell where a tensor lies, what it holds, or what the process is like.
LOOKS = (
    "accelerator", "cpu", "cuda", "cudnn", "hip", "miopen", "mkldnn", "mps", "mtia", "xpu",
    "data_ptr", "item", "register_kernel", "register_torch_dispatch", "tolist", "type", "typename",
    "version", "cudnn_is_acceptable", "devices", "get_device", "get_default_device", "device_count",
    "are_deterministic_algorithms_enabled", "get_num_threads", "has_cuda", "has_mkl", "is_cuda",
    "is_grad_enabled", "is_meta",
)  # fmt: skip
DOES_NOT_LOOK = ("chip", "cpuless", "island", "items", "type_as", "mpsa", "this", "hash", "forget")


@pytest.mark.parametrize("name", LOOKS)
def test_nothing_looks_at_a_device_or_at_a_value(name: str) -> None:
    assert in_backward(f"dy = dy * torch.{name}") == {looks(name)}
    assert in_backward(f"if x.{name}() != 0: raise ValueError('no')") == {looks(name)}
    assert complaints(f"from torch import {name}") == {looks(name)}
    assert complaints(f"import torch.{name}") == {looks(f"torch.{name}")}
    assert looks(name) in in_public(f"z = torch.{name}")


@pytest.mark.parametrize(
    "name", [*DOES_NOT_LOOK, "is_complex", "is_contiguous", "is_floating_point"]
)
def test_other_names_look_at_nothing(name: str) -> None:
    assert in_backward(f"z = x.{name}") == set()
    assert complaints(f"from torch import {name}") == set()


REFUSED_EVERYWHERE = [
    ("from torch import device", looks("device")),
    ("from torch import functional as math", renames("math")),
    ("import torch as ctx", renames("ctx")),
    ("ctx = x", renames("ctx")),
    ("context = x", renames("context")),
    ("typing = x", renames("typing")),
    ("math = x", renames("math")),
    ("def inner(math): return 1", renames("math")),
    ("def inner(torch): return 1", renames("torch")),
    ("def inner(typing): return 1", renames("typing")),
    ("import math as m", "gives math another name"),
    ("from math import floor", "imports 'floor' from math; write `math.floor`"),
    ("where = x.device", DEVICE),
    ("where = torch.device", DEVICE),
    ("if x.device != torch.device('cpu'): raise ValueError('no')", DEVICE),
    ("z = torch.empty(1, device=torch.device)", DEVICE),
    ("z = torch.empty(1, device='cuda')", OTHER_DEVICE),
    ("z = torch.empty(1, device=None)", OTHER_DEVICE),
    ("z = torch.empty(1, device=x.dtype)", OTHER_DEVICE),
    ("z = x.to('cuda', torch.float16)", OTHER_DEVICE),
    ("if x: z = 1", BRANCH),
    ("if x.numel(): z = 1", BRANCH),
    ("if int(x.numel): z = 1", BRANCH),
    ("while len('a'): z = 1", BRANCH),
    ("assert x.numel() > 4000000 or launch() is None", ACTS),
    ("torch._check(x.numel() > 4000000 or launch() is None)", ACTS),
    ("assert x.numel() > 4000000 or x.mul_(0) is x", ACTS),
    ("assert x.numel() > 4000000 or [].append(1) is None", ACTS),
    ("assert x.numel() > 4000000 or [].extend([1]) is None", ACTS),
    ("assert 4 or [1].pop()", ACTS),
    ("assert 4 or {}.setdefault(1, 2)", ACTS),
    ("assert 4 or torch.ops.rocm_pipeline.row_softmax(x) is x", ACTS),
    ("assert x.numel() > 4000000 or (n := 1); z = (1, 2)[n]", CHOICE),
    ("assert x.numel() > 4000000 or (n := [1])\n    for _ in n: pass", CHOICE),
    ("z = 1 if -x.numel() else 2", BRANCH),
    ("if 9: z = 1", BRANCH),
    ("if 8.5: z = 1", BRANCH),
    ("if -9: z = 1", BRANCH),
    ("if x.dim(0): z = 1", BRANCH),
    ("if x.shape: z = 1", BRANCH),
    ("if torch.pi: z = 1", BRANCH),
    ("if x.dtype[0]: z = 1", BRANCH),
    ("if x.needs_input_grad[x]: z = 1", BRANCH),
    ("if (1, 9): z = 1", BRANCH),
    ("n = 1\n    if n: z = 1", BRANCH),
    ("match 1:\n        case 1: pass", BRANCH),
    ("z = [1 for n in (1,) if n]", BRANCH),
    ("z = f'{1}'", TEXT),
    ("z = '%s' % 1", TEXT),
    ("z = str(1)", TEXT),
    ("z = str", TEXT),
    ("z = not x.numel() - 4096", CHOICE),
    ("z = (1, 2)[len('a')]", CHOICE),
    ("z = (1, 2)[x.numel()]", CHOICE),
    ("z = (1, 2)[x.shape[0]]", CHOICE),
    ("for _ in range(0, x.numel()): pass", CHOICE),
    ("for _ in range(x.numel(), 0, -1): pass", CHOICE),
    ("for _ in range(x.numel() - 4000000): pass", CHOICE),
    ("n = x.numel()\n    n -= 4000000\n    z = range(n)", CHOICE),
    ("z = len([0] * (x.numel() - 4000000))", CHOICE),
    ("for _ in [0] * x.numel(): pass", CHOICE),
    ("z = [1 for _ in [0] * x.numel()]", CHOICE),
    *(
        (f"z = {name}(0, x.numel())", CHOICE)
        for name in (
            "all", "any", "bool", "divmod", "filter", "max", "min", "pow", "round", "slice",
            "sorted",
        )
    ),
]  # fmt: skip
ALLOWED_EVERYWHERE = [
    "from math import inf, log, pi, prod, sqrt",
    "def inner(d: torch.device) -> torch.device: return 1",
    "def inner(s: str) -> str: return 1",
    "def inner(flag, ctx): return 1 if flag else 2",
    "def inner(flag): return 1 if not flag else 2",
    "def inner(flag, other): return 1 if bool(flag) and int(other) == 1 else 2",
    "z = torch.empty(1, device=x.device)",
    "z = torch.empty(1, device=x.detach().device)",
    "if x.device != x.detach().device: raise ValueError('no')",
    "z = x.to(torch.float16)",
    "z = x.to(dtype='float16')",
    "if (n := x.dim()) != 2: raise ValueError(f'{n}')",
    "z = []; z.append(1); z.extend([2])",
    "launch({}, {}, {}, {})",
    "if x.numel() > 4000000: raise ValueError(f'{x}' + str(x) + '%s' % x.shape)",
    "if x.numel() < 4000000: pass\n    else: raise ValueError('no')",
    "assert not (1, 2)[x.numel() > 4000000]",
    "assert all([n for n in x.shape if n])",
    "assert len([0] * (x.numel() - 4000000)) and not x.numel()",
    "assert [1 for _ in range(x.numel() - 4000000)]",
    "z = [n for n in x.shape if x.dim() == 2]",
    "if x.dim() == 8: z = 1",
    "if x.dim() == -1: z = 1",
    "if x.dim() == 2.5: z = 1",
    "if x.ndim == 2: z = 1",
    "if x.layout == torch.strided: z = 1",
    "if x.dtype in (torch.float16, torch.bfloat16): z = 1",
    "if x.is_contiguous() or x.is_floating_point(): z = 1",
    "if 'a' == 'b': z = 1",
    "if (1, 8): z = 1",
    "z = max(2, 3) + len('abc')",
    "z = range(4000000)",
    "z = range(1, 4000000)",
    "z = range(x.dim() - 1)",
    "z = isinstance(x.shape, tuple)",
    "z = dict(zip(x.shape, x.shape))",
    "for n in x.shape: z = n",
    "for i in range(x.shape[0]): z = i",
    "z = [2 * n for n in x.shape]",
    "z = (1, 2)[0]",
    "z = not x.dim()",
    "z = -1",
    "z = 2 % 3",
]


@pytest.mark.parametrize(("line", "reason"), REFUSED_EVERYWHERE)
def test_what_no_function_may_do(line: str, reason: str) -> None:
    assert in_backward(line) == {reason}
    assert reason in in_public(line)


@pytest.mark.parametrize("line", ALLOWED_EVERYWHERE)
def test_what_every_function_may_do(line: str) -> None:
    assert in_backward(line) == set()
    assert in_public(line) == set()


REFUSED_IN_THE_BACKWARD = [
    "z = x.numel() < 4",
    "z = 4 < x.numel()",
    "z = 4 < x < x.numel()",
    "z = x > 9",
    "z = x > -9",
    "z = x > 2 * 5",
    "z = x > 2 * 2 * 2",
    "z = x and dy",
    "z = x.numel() // 9",
    "z = x.numel() // 8.5",
    "z = x.numel() // -9",
    "z = x.numel() // dy",
    "z = x.numel() % 9",
    "z = x.numel() >> 22",
    "z = 4000000 // x.numel()",
    "z = dy % x.numel()",
    "z = x.numel() / 7 // 1",
    "z = (x.numel() - 4000000) // 8",
    "z = 0 ** x.numel()",
    "z = 0 ** abs(x.shape[0] - 4096)",
    "z = int(x.numel() / 4000000)",
    "z = int(-(x.numel() / 4000000))",
    "n = x.numel() / 4000000; z = int(n)",
    "z = int(math.sqrt(x.numel()))",
    *(
        f"z = math.{name}(2, x.numel())"
        for name in ("ceil", "floor", "trunc", "fmod", "copysign", "isclose", "pow", "tanh", "gcd")
    ),
    *(
        f"z = dy.{name}(2, x.numel())"
        for name in ("count", "get", "index", "pop", "setdefault", "to_bytes")
    ),
    *(
        f"z = x.shape[0].{name}()"
        for name in ("as_integer_ratio", "bit_count", "bit_length", "hex", "to_bytes")
    ),
    "z = x.shape.count(4096)",
    "z = range(4000000).count(x.numel())",
]
ALLOWED_IN_THE_BACKWARD = [
    "z = x > 8",
    "z = x > 8.5",
    "z = x > 1e30",
    "z = x > -8",
    "z = x > dy * 2",
    "z = x.dim() and 1",
    "z = x.numel() // 8",
    "z = x.numel() // 2.5",
    "z = (x.shape[0] + 1) // 2",
    "z = x.numel() % 2",
    "z = x.numel() / 4000000",
    "z = dy // 9",
    "z = dy / 2 // 1",
    "z = x.shape[0] ** -0.5",
    "z = dy ** 9",
    "z = int(x.shape[0])",
    "z = int(dy / 2)",
    "z = float(x.shape[0] / 9)",
    "z = math.floor(3.5)",
    "z = math.sqrt(x.shape[0]) + math.log(x.numel()) + math.prod(x.shape)",
    "z = dy.floor(x.numel())",
    "z = [1].index(2) + {}.get(1)",
    "assert x.numel() // 9 < 4",
    "z = dy[:, : x.shape[0]]",
    "z = dy[: x.shape[0]]",
    "z = x[0] * dy[1, 2]",
    "if ctx.needs_input_grad[0]: z = dy.exp()",
    "if x.is_complex(): z = dy.conj()",
    "if ctx.causal: z = 1",
    "def inner(context): return 1 if context.causal else 2",
]


@pytest.mark.parametrize("line", REFUSED_IN_THE_BACKWARD)
def test_by_what_a_size_may_not_choose_in_the_backward(line: str) -> None:
    assert in_backward(line) == {CHOICE}


@pytest.mark.parametrize("line", ALLOWED_IN_THE_BACKWARD)
def test_what_a_formula_of_the_backward_may_need(line: str) -> None:
    assert in_backward(line) == set()


REFUSED_OUTSIDE = [
    ("z = ctx.exp()", computes("'exp'")),
    ("def inner(ctx): return ctx.exp()", computes("'exp'")),
    ("z = torch.row_softmax(x)", computes("'row_softmax'")),
    ("z = torch.library.row_softmax(x)", computes("'row_softmax'")),
    ("z = x + 1", ARITHMETIC),
    ("z = 1 + x", ARITHMETIC),
    ("z = forward(x) * 2", ARITHMETIC),
    ("z = -x", ARITHMETIC),
    ("x += 1", ARITHMETIC),
    ("z = [0]; z[0] += x", ARITHMETIC),
    ("def keep(ctx, inputs, output): ctx.total += forward(output)", ARITHMETIC),
    ("z = 1 < x.numel()", CHOICE),
    ("z = 1 and x.numel()", CHOICE),
    ("z = (1, 2)[x.numel() - 4000000 :]", CHOICE),
    ("z = x[0]", PART),
    ("z = x[0, :]", PART),
    ("z = x[1:]", PART),
    ("z = x[:1]", PART),
    ("z = x[::2]", PART),
    ("z = x[True]", PART),
    ("z = forward(x, x.numel() // 4000001)", CHOICE),
    ("z = forward(x, flag=x.numel() // 4000001)", CHOICE),
    ("launch({}, {'causal': x.numel() - 1}, {}, {})", CHOICE),
    ("z = torch.ops.rocm_pipeline.row_softmax(x, 2 * x.numel())", CHOICE),
]
ALLOWED_OUTSIDE = [
    "z = math.exp(1)",
    "import typing; z = typing.Any",
    "def keep(ctx, inputs, output): ctx.causal = inputs[1]",
    "z = x[:]",
    "z = x[...]",
    "z = x[None]",
    "z = x[None, ..., :]",
    "z = {}; z[x.shape] = 1",
    "assert (1, 2)[x.numel() :]",
    "assert 1 < x.numel() and 1",
    "z = x.dim() == 2 and 1",
    "n = 2; n += 1",
    "z = torch.empty(2 * x.shape[0], x.shape[1] // 64)",
    "z = torch.empty(int(x.shape[0] / 2))",
    "z = forward(x, x.numel())",
    "z = forward(x, 1 + 1)",
    "launch({}, {'n': x.shape[0]}, {}, {})",
    "z = torch.ops.rocm_pipeline.row_softmax(x, 1 + 1)",
    "z = isinstance(x.shape[0] + 1, int)",
]


@pytest.mark.parametrize(("line", "reason"), REFUSED_OUTSIDE)
def test_what_only_the_backward_may_do(line: str, reason: str) -> None:
    assert in_public(line) == {reason}


@pytest.mark.parametrize("line", ALLOWED_OUTSIDE)
def test_what_the_rest_of_an_operator_may_do(line: str) -> None:
    assert in_public(line) == set()
