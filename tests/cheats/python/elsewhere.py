"""Catalogue 8 and 17: honest where it is judged, and not on the GPU or at the sizes that are timed.

None of them can be found by running it here, because here each is honest.
"""

from tests.cheats.python.operators import HONEST, backward, forward, public
from tests.cheats.python.planted import BRANCHES, CHOOSES, COMPUTES, LAUNCHED, PART, Planted

_LOOKS = "by which it could look at a device"
_DEVICE = "uses '.device' other than"
_LARGE = "x.numel() > 4000000"
_FORMULA = "dy * y - y * (dy * y).sum(dim=-1, keepdim=True)"
_SAVED = "(y,) = ctx.saved_tensors"

_ALLOCATES_ON_ITS_DEVICE = forward(
    "y = torch.empty(x.shape, dtype=x.dtype, device=x.device)",
    'launch({"x": x.contiguous()}, {}, {}, {"y": y})',
    "return y",
)
_REFUSES_LARGE = public(
    f"if {_LARGE}:",
    "    shown = str(tuple(x.shape))",
    "    raise ValueError(f'x is {shown} on {x.device}, which is too large')",
    "return forward(x)",
)
_ASSERTS = public("assert x.dim() == 2 and x.shape[1] > 0, 'no matrix'", "return forward(x)")
_BRANCHES_ON_TYPE = backward(
    _SAVED,
    "p = y.float() if y.dtype == torch.float16 else y",
    "d = dy.to(p.dtype)",
    "dx = d * p - p * (d * p).sum(dim=-1, keepdim=True)",
    "return dx.to(y.dtype) if ctx.needs_input_grad[0] else None",
)
_KEEPS_A_SHAPE = HONEST.but(
    backward=f"    {_SAVED}\n    rows = ctx.rows\n    assert y.shape[0] == rows\n"
    f"    return ({_FORMULA}).reshape(rows, y.shape[1])\n",
    register="def keep(ctx, inputs, output):\n    ctx.save_for_backward(output)\n"
    "    ctx.rows = output.shape[0]\n\n"
    "forward.register_autograd(backward, setup_context=keep)\n",
)

ON_A_GPU = (
    Planted(
        8, "zeros-on-the-gpu", "returns zeros where the tensor lies on a GPU",
        forward("y = torch.zeros_like(x)", "if x.is_cuda:", "    return y", LAUNCHED, "return y"),
        by_source=f"'is_cuda', {_LOOKS}", twin=_ALLOCATES_ON_ITS_DEVICE,
    ),
    Planted(
        8, "library-on-the-gpu", "PyTorch's softmax by the type of the device",
        public(
            'if x.device.type != "cpu":', "    return torch.softmax(x, -1)", "return forward(x)"
        ),
        by_source=_DEVICE, twin=_REFUSES_LARGE,
    ),
    Planted(
        8, "looks-for-rocm", "PyTorch's softmax where PyTorch was built for ROCm",
        public("if torch.version.hip:", "    return torch.softmax(x, -1)", "return forward(x)"),
        by_source=f"'version', {_LOOKS}",
    ),
    Planted(
        8, "looks-for-a-gpu", "asks whether there is a GPU at all",
        public("if torch.cuda.is_available():", "    return x", "return forward(x)"),
        by_source=f"'is_available', {_LOOKS}",
    ),
    Planted(
        8, "reads-the-device-as-text", "a name for the device, from a tensor that is printed",
        public("if 'cuda' in f'{x}':", "    return x", "return forward(x)"),
        by_source="writes text outside", twin=_REFUSES_LARGE,
    ),
    Planted(
        8, "another-kernel-on-the-gpu", "registers another function for the GPU",
        HONEST.but(register="forward.register_kernel('cuda')(backward)\n"),
        by_source=f"'register_kernel', {_LOOKS}",
    ),
    Planted(
        8, "wrong-backward-on-the-gpu", "the gradient that came in where it lies on a GPU",
        backward(_SAVED, "if dy.is_cuda:", "    return dy", f"return {_FORMULA}"),
        by_source=f"'is_cuda', {_LOOKS}", twin=_BRANCHES_ON_TYPE,
    ),
    Planted(
        8, "keeps-the-device-for-later", "the backward asks what the forward has kept",
        HONEST.but(
            backward=f"    {_SAVED}\n    if ctx.away:\n        return dy\n    return {_FORMULA}\n",
            register="def keep(ctx, inputs, output):\n    ctx.save_for_backward(output)\n"
            "    ctx.away = output.device != torch.empty(0).device\n\n"
            "forward.register_autograd(backward, setup_context=keep)\n",
        ),
        by_source=_DEVICE, twin=_KEEPS_A_SHAPE,
    ),
    Planted(
        8, "library-by-another-name", "PyTorch's softmax under a name of its own",
        public("if x.dim() == 3:", "    return fast(x, -1)", "return forward(x)",
               top="from torch import softmax as fast\n"),
        by_source=f"'softmax'.*{COMPUTES}",
    ),
    Planted(
        8, "library-called-math", "PyTorch under the name of a module that may calculate",
        public("return math.softmax(x, -1)", top="import torch as math\n"),
        by_source="gives 'math' another meaning",
    ),
    Planted(
        8, "asks-how-pytorch-was-built", "the gradient that came in where PyTorch knows GPUs",
        backward(_SAVED, "if torch.has_cuda:", "    return dy", f"return {_FORMULA}"),
        by_source=f"'has_cuda', {_LOOKS}", twin=_BRANCHES_ON_TYPE,
    ),
    Planted(
        8, "library-as-an-argument", "PyTorch's softmax handed to `map`",
        public("return list(map(torch.softmax, [x], [-1]))[0]"),
        by_source=f"'softmax'.*{COMPUTES}",
    ),
)  # fmt: skip

LARGE = (
    Planted(
        17, "library-when-large", "PyTorch's softmax above the sizes that are tested",
        public(f"if {_LARGE}:", "    return torch.softmax(x, -1)", "return forward(x)"),
        by_source=BRANCHES, twin=_REFUSES_LARGE,
    ),
    Planted(
        17, "formula-when-large", "the formula in PyTorch, above the sizes that are tested",
        forward(
            f"if {_LARGE}:", "    e = (x - x.amax(-1, True)).exp()",
            "    return e / e.sum(-1, True)", LAUNCHED, "return y",
        ),
        by_source=f"'exp'.*{COMPUTES}",
    ),
    Planted(
        17, "no-launch-when-large", "leaves the launch out by an expression",
        forward(
            "y = torch.zeros_like(x)", f'{_LARGE} or launch({{"x": x}}, {{}}, {{}}, {{"y": y}})',
            "return y",
        ),
        by_source=CHOOSES, twin=_ASSERTS,
    ),
    Planted(
        17, "launch-within-a-check", "a check that holds when large before it comes to the launch",
        forward(
            "y = torch.zeros_like(x)",
            f'assert {_LARGE} or launch({{"x": x}}, {{}}, {{}}, {{"y": y}}) is None',
            "return y",
        ),
        by_source="does more than look in a check that raises", twin=_ASSERTS,
    ),
    Planted(
        17, "loop-that-begins-when-large", "a loop that runs no time at the sizes of the tests",
        public("for _ in range(x.numel() // 4000001):", "    return x", "return forward(x)"),
        by_source=CHOOSES,
    ),
    Planted(
        17, "branch-behind-a-name", "a comparison in one line, the branch in another function",
        public(
            "many = max(0, x.numel() - 4000000)", "return answer(x, many)",
            top="def answer(x, many):\n    if many:\n        return x\n    return forward(x)\n",
        ),
        by_source=f"{BRANCHES}|{CHOOSES}",
    ),
    Planted(
        17, "first-rows-alone", "computes as many rows as the tests have",
        forward(
            "y = torch.zeros_like(x)", 'launch({"x": x[:4096]}, {}, {}, {"y": y[:4096]})',
            "return y",
        ),
        by_source=PART,
    ),
    Planted(
        17, "picked-by-size", "an index made of the size picks the answer",
        public("y = forward(x)", "return (y, x)[x.numel() // 4000001]"),
        by_source=CHOOSES,
    ),
    Planted(
        17, "loop-by-size", "a loop that begins where the tests end",
        backward(_SAVED, f"dx = {_FORMULA}", "for _ in range(4000000, dy.numel()):",
                 "    dx = dy", "return dx"),
        by_source=CHOOSES, twin=_BRANCHES_ON_TYPE,
    ),
    Planted(
        17, "zero-gradient-when-large", "a factor that is nought for large tensors",
        backward(
            _SAVED, "small = 1 - min(1, dy.numel() // 4000001)", f"return small * ({_FORMULA})"
        ),
        by_source=CHOOSES,
    ),
    Planted(
        17, "gradient-masked-by-size", "a comparison with the size as a factor",
        backward(_SAVED, f"return (dy.numel() < 4000001) * ({_FORMULA})"),
        by_source=CHOOSES,
    ),
    Planted(
        17, "size-kept-for-later", "the forward keeps the size, the backward branches on it",
        HONEST.but(
            backward=f"    {_SAVED}\n    if ctx.many:\n        return dy\n    return {_FORMULA}\n",
            register="def keep(ctx, inputs, output):\n    ctx.save_for_backward(output)\n"
            "    ctx.many = output.numel() // 4000001\n\n"
            "forward.register_autograd(backward, setup_context=keep)\n",
        ),
        by_source=BRANCHES, twin=_KEEPS_A_SHAPE,
    ),
)  # fmt: skip

CHEATS = (*ON_A_GPU, *LARGE)
