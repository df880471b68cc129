"""What of an operator may depend on a device, a size or a value: nothing but what raises."""

import ast

import pytest

from rocm_pipeline.agents.embedded.operator import operator_source
from rocm_pipeline.integration.one_behaviour import dependences
from rocm_pipeline.integration.policy import violations
from rocm_pipeline.targets.spec import Target

from .conftest import builtin, changed, honest_operator

PUBLIC = "    return forward(x)\n"
SAVED = "    (y,) = ctx.saved_tensors\n"
COMPUTES = "outside the backward"
BRANCHES = "branches on what is not the same everywhere"
CHOOSES = "lets a size, a device or a value choose"
LOOKS = "by which it could look at a device"
DEVICE = "uses '.device' other than"
OTHER_DEVICE = "gives a device that is not an input's"
TEXT = "writes text outside an error's message"


def in_public(target: Target, *lines: str) -> tuple[str, ...]:
    return _with(target, PUBLIC, *lines, PUBLIC.strip())


def in_backward(target: Target, *lines: str) -> tuple[str, ...]:
    return _with(target, SAVED, SAVED.strip(), *lines)


def _with(target: Target, place: str, *lines: str) -> tuple[str, ...]:
    body = "".join(f"    {line}\n" for line in lines)
    source = changed(honest_operator("row_softmax"), (place, body))
    return tuple(text for _, text in sorted(set(dependences(target, ast.parse(source)))))


@pytest.mark.parametrize("name", ["row_softmax", "flash_attention", "vae_decoder_block"])
def test_the_operators_that_the_embedded_agent_writes_keep_every_rule(name: str) -> None:
    target = builtin(name)
    assert violations(target, operator_source(target)) == ()


@pytest.mark.parametrize(
    "lines",
    [
        ("if x.shape[0] > 4000000: raise ValueError(f'{x.shape} on {x.device}')",),
        ("if x.dim() == 2:", "    x = x.contiguous()", "else:", "    raise ValueError('rank')"),
        ("assert x.numel() < 4000000 and x.is_contiguous(), 'no'",),
        ("torch._check(x.numel() < 4000000)",),
        ("for size in x.shape:", "    if size == 0:", "        raise ValueError('empty')"),
        ("y = torch.empty((2 * x.shape[0], x.shape[1] // 64), dtype=x.dtype, device=x.device)",),
        ("y = x if x.is_contiguous() else x.contiguous()",),
        ("if x.dtype in (torch.float16, torch.float32) and x.dim() <= 3: x = x.contiguous()",),
        ("y = x[None, :].view(x.shape)",),
        ("y = torch.ops.rocm_pipeline.row_softmax(x)",),
        ("def inner(flag: bool): return x if flag else x.clone()",),
    ],
)
def test_checking_allocating_and_launching_are_allowed(
    softmax: Target, lines: tuple[str, ...]
) -> None:
    assert in_public(softmax, *lines) == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("if x.is_cuda: return x", LOOKS),
        ("if x.device.type != 'cpu': return x", DEVICE),
        ("if x.device.type != 'cpu': raise ValueError('no')", LOOKS),
        ("where = x.device", DEVICE),
        ("y = torch.empty(1, device='cuda')", OTHER_DEVICE),
        ("y = torch.empty(1, device=torch.device('cuda'))", OTHER_DEVICE),
        ("y = x.to('cuda')", OTHER_DEVICE),
        ("y = torch.version.hip", LOOKS),
        ("y = torch.cuda.is_available()", LOOKS),
        ("y = x.get_device()", LOOKS),
        ("y = torch.get_default_device()", LOOKS),
        ("y = x.type()", LOOKS),
        ("y = x.data_ptr()", LOOKS),
        ("from torch import cuda", LOOKS),
        ("y = f'{x}'", TEXT),
        ("y = str(x)", TEXT),
        ("y = list(map(str, [x]))", TEXT),
        ("y = '%s' % x", TEXT),
        ("y = '{0.grad_fn}'.format(x)", COMPUTES),
        ("if x.numel() > 4000000: return x", BRANCHES),
        ("if x.sum() == 0: return x", BRANCHES),
        ("if len(x) > 3: return x", BRANCHES),
        ("if x.dim() > 9: pass\n    elif x.numel() > 4000000: return x", BRANCHES),
        ("if (n := x.numel() > 9): raise ValueError('no')\n    if n: return x", BRANCHES),
        ("if x.numel() > 9:\n        if True: return x\n        raise ValueError('no')", BRANCHES),
        ("n = x.numel()\n    while n: return x", BRANCHES),
        ("y = x if x.numel() > 4000000 else forward(x)", BRANCHES),
        ("y = [x for _ in (1,) if x.numel() > 4000000]", BRANCHES),
        ("match x.numel():\n        case 4000000: return x", BRANCHES),
        ("y = x.numel() > 4000000 and forward(x)", CHOOSES),
        ("y = (x, x)[x.numel() > 4000000]", CHOOSES),
        ("y = (x, x)[x.numel() // 4000001]", CHOOSES),
        ("y = max(0, x.numel() - 4000000)", CHOOSES),
        ("y = any(n > 4000000 for n in x.shape)", CHOOSES),
        ("for _ in range(4000000, x.numel()): return x", CHOOSES),
        ("y = x[:4000000]", "takes a part of a tensor"),
        ("y = 2 * x", COMPUTES),
        ("y = -x", COMPUTES),
        ("x *= 2", COMPUTES),
        ("y = forward(x) * 0", COMPUTES),
        ("y = torch.exp(x)", COMPUTES),
        ("f = torch.softmax", COMPUTES),
        ("y = torch.func.vmap(abs)(x)", COMPUTES),
        ("y = x.register_hook(abs)", COMPUTES),
        ("y = backward(x, x)", COMPUTES),
    ],
)  # fmt: skip
def test_what_may_be_otherwise_elsewhere_is_named(
    softmax: Target, line: str, complaint: str
) -> None:
    found = in_public(softmax, line)
    assert any(complaint in text for text in found), found


@pytest.mark.parametrize(
    "line",
    [
        "mean = dy.sum(dim=-1, keepdim=True) / y.shape[-1]",
        "hidden = torch.ones(y.shape, dtype=torch.bool, device=y.device).triu(1)",
        "passed = dy * (y > 0)",
        "half = dy.reshape(y.shape[0], y.shape[1] // 2, 2).sum(dim=-1)",
        "if ctx.needs_input_grad[0]: dy = dy.float()",
        "causal, scale = ctx.causal, ctx.scale\n    if causal: dy = dy * scale",
        "if ctx.causal: dy = dy.masked_fill(y > 0, float('-inf'))",
        "dy = dy.float() if y.dtype == torch.float16 else dy",
        "for _ in range(y.shape[0]): dy = dy + 0",
        "if dy.shape != y.shape: raise ValueError('shape')",
    ],
)
def test_a_formula_of_any_form_is_allowed_in_the_backward(softmax: Target, line: str) -> None:
    assert in_backward(softmax, line) == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("if dy.is_cuda: return dy", LOOKS),
        ("if dy.numel() > 4000000: return dy", BRANCHES),
        ("if dy.sum() == 0: return dy", BRANCHES),
        ("(t,) = ctx.saved_tensors\n    if t: return dy", BRANCHES),
        ("n = ctx.causal\n    n = y.sum()\n    if n: return dy", BRANCHES),
        ("n = y.shape[0]\n    if n == 5: return dy", BRANCHES),
        ("dy = dy * (y.numel() < 4000000)", CHOOSES),
        ("dy = dy * (torch.arange(9) < 4000000)", CHOOSES),
        ("dy = dy * (torch.arange(9) < 2000 * 2000)", CHOOSES),
        ("dy = dy * (1 - y.numel() // 4000001)", CHOOSES),
        ("dy = dy * (4000000 // y.numel())", CHOOSES),
        ("dy = dy * (y.numel() >> 22)", CHOOSES),
        ("dy = dy * int(y.numel() / 4000000)", CHOOSES),
        ("import math\n    dy = dy * math.floor(y.numel() / 4000000)", CHOOSES),
        ("dy = dy * min(1, y.numel())", CHOOSES),
        ("dy = dy * bool(y.numel())", CHOOSES),
        ("dy = y.numel() and dy", CHOOSES),
        ("dy = dy * y.max().item()", LOOKS),
    ],
)  # fmt: skip
def test_a_backward_that_may_be_otherwise_elsewhere_is_named(
    softmax: Target, line: str, complaint: str
) -> None:
    found = in_backward(softmax, line)
    assert any(complaint in text for text in found), found


def test_what_the_forward_keeps_of_a_size_decides_nothing_in_the_backward(softmax: Target) -> None:
    kept = "    ctx.save_for_backward(output)\n"
    source = changed(
        honest_operator("row_softmax"),
        (kept, f"{kept}    ctx.many = output.numel() // 4000001\n"),
        (SAVED, f"{SAVED}    if ctx.many:\n        return dy\n"),
    )
    assert [text for _, text in dependences(softmax, ast.parse(source)) if BRANCHES in text]


def test_a_function_that_the_forward_uses_too_is_none_of_the_backward(softmax: Target) -> None:
    helper = "def scaled(t):\n    return t.exp()\n\n\n"
    source = changed(
        honest_operator("row_softmax"),
        ("def setup_context", f"{helper}def setup_context"),
        (SAVED, f"{SAVED}    dy = scaled(dy)\n"),
    )
    assert list(dependences(softmax, ast.parse(source))) == []
    shared = changed(source, (PUBLIC, "    return forward(scaled(x))\n"))
    assert [text for _, text in dependences(softmax, ast.parse(shared)) if COMPUTES in text]


def test_another_function_for_the_gpu_cannot_be_registered(softmax: Target) -> None:
    for line in (
        "forward.register_kernel('cuda')(abs)",
        "torch.library.register_kernel(1, 'cuda')",
    ):
        source = changed(
            honest_operator("row_softmax"), ("def setup_context", f"{line}\n\n\ndef setup_context")
        )
        found = violations(softmax, source)
        assert any(LOOKS in text for text in found), found
