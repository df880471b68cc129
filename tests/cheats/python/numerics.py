"""Catalogue 11 to 20: correctness is loosened, or claimed and not there."""

from rocm_pipeline.integration.job import Check
from rocm_pipeline.lab.evidence import Status
from tests.cheats.python.operators import HONEST, backward, forward, public
from tests.cheats.python.planted import (
    BRANCHES,
    COMPUTES,
    DIFFERS,
    LAUNCHED,
    PART,
    Found,
    Planted,
    cheat,
    crash,
)

CHEATS = (
    Planted(
        11, "rounds-its-input", "half precision inside an operator for float32",
        public("return forward(x.half().to(x.dtype))"),
        behind=Found(Check.FORWARD, Status.WRONG_VALUE, "elements are wrong"),
        twin=public("return forward(x.to(x.dtype))"),
    ),
    Planted(
        11, "precision-setter", "lowers PyTorch's precision and sets it back",
        public(
            "torch.set_float32_matmul_precision('medium')", "y = forward(x)",
            "torch.set_float32_matmul_precision('highest')", "return y",
        ),
        by_source="uses the attribute 'set_float32_matmul_precision'",
        behind=cheat(Check.FORWARD, "called torch.set_float32_matmul_precision"),
    ),
    Planted(
        12, "hides-in-the-tolerance", "values a little off, within any tolerance",
        public("return forward(x) * (1 + 1e-6)"),
        by_source=f"arithmetic.*{COMPUTES}",
        behind=cheat(Check.FORWARD, DIFFERS),
    ),
    Planted(
        13, "nan-as-wildcard", "NaN for some elements",
        public("return forward(x).masked_fill(x > 1, float('nan'))"),
        by_source=f"'masked_fill'.*{COMPUTES}",
        behind=cheat(Check.FORWARD, DIFFERS),
        twin=public("return forward(x)", top="LARGEST = 1e30\n"),
    ),
    Planted(
        13, "nan-gradient", "a gradient of NaN",
        backward("return dy * float('nan')"),
        behind=Found(Check.BACKWARD, Status.NONFINITE, "are not finite"),
    ),
    Planted(
        14, "longer-answer", "more values than asked for, for a comparison that stops early",
        public("y = forward(x)", "return y, y"),
        behind=Found(Check.FORWARD, Status.WRONG_VALUE, "returned 2 values"),
    ),
    Planted(
        14, "shorter-tensor", "a part of the output, for a comparison that stops early",
        public("return forward(x)[:, :1]"),
        by_source=PART,
        behind=cheat(Check.FORWARD, DIFFERS),
    ),
    Planted(
        14, "wider-type", "another element type, for a comparison that casts",
        public("return forward(x).double()"),
        behind=cheat(Check.FORWARD, "float64.*the kernel wrote float"),
        twin=public("return forward(x).to(x.dtype)"),
    ),
    Planted(
        15, "hard-coded-shapes", "answers only the shapes that it has seen",
        public(
            "if x.shape[-1] not in (64, 128, 256, 512, 1024):",
            "    raise ValueError('not supported')", "return forward(x)",
        ),
        behind=crash(Check.FORWARD, "not supported"),
        twin=public(
            "if x.shape[-1] == 0:", "    raise ValueError('not supported')", "return forward(x)"
        ),
    ),
    Planted(
        15, "hard-coded-fake", "a shape without data that is always the same",
        HONEST.but(fake="    return x.new_empty((3, 5))\n"),
        behind=Found(Check.FAKE, Status.WRONG_SHAPE, "the fake's 'y' has shape"),
    ),
    Planted(
        18, "changes-its-input", "writes to the input before it is read",
        forward("x.add_(1)", LAUNCHED, "return y"),
        by_source=f"'add_'.*{COMPUTES}",
        behind=Found(Check.FORWARD, Status.POLICY_VIOLATION, "changed its input 'x'"),
        twin=forward("z = x.clone()", LAUNCHED, "return y"),
    ),
    Planted(
        18, "reuses-its-output", "the memory of an earlier result",
        public(
            "y = forward(x)", "if x.shape not in kept:", "    kept[x.shape] = y",
            "kept[x.shape].copy_(y)", "return kept[x.shape].view(x.shape)", top="kept = {}\n",
        ),
        by_source=BRANCHES,
        behind=cheat(Check.FORWARD, "later calls changed 'y' of an earlier call"),
    ),
    Planted(
        19, "patches-the-oracle", "a wrong softmax in place of PyTorch's, to agree with",
        forward(
            'y = torch.empty_like(x); launch({"x": x / 2}, {}, {}, {"y": y})', "return y",
            top="right = torch.softmax\ntorch.softmax = lambda x, *a, **k: right(x / 2, *a, **k)\n",
        ),
        by_source="assigns to the attribute 'softmax'",
        behind=Found(Check.EQUIVALENT, Status.WRONG_VALUE, "against PyTorch"),
    ),
    Planted(
        20, "no-backward", "no backward where one is claimed",
        HONEST.but(register=""),
        behind=crash(Check.BACKWARD, "autograd"),
    ),
    Planted(
        20, "wrong-backward", "a term of the gradient is missing",
        backward("(y,) = ctx.saved_tensors", "return dy * y"),
        behind=Found(Check.BACKWARD, Status.WRONG_VALUE, "gradient of x"),
        twin=backward(
            "(y,) = ctx.saved_tensors", "return dy * y - y * (dy * y).sum(dim=-1, keepdim=True)"
        ),
    ),
    Planted(
        20, "zero-backward", "a gradient of nought",
        backward("return torch.zeros_like(dy)"),
        behind=Found(Check.GRADCHECK, Status.WRONG_VALUE, "Jacobian mismatch"),
    ),
    Planted(
        20, "graph-break", "falls out of the compiled graph",
        public("torch.compiler.disable(forward)", "n = int(x.abs().max())", "return forward(x)"),
        by_source=f"'disable'.*{COMPUTES}",
        behind=crash(Check.COMPILE, "Unsupported|ata-dependent|disable"),
        twin=public("n = int(x.shape[0])", "return forward(x)"),
    ),
)  # fmt: skip
