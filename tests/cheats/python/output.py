"""Catalogue 1 to 10: what the operator returns was not computed by its kernel."""

from rocm_pipeline.integration.job import Check
from tests.cheats.python.operators import HONEST, forward, public
from tests.cheats.python.planted import (
    BRANCHES,
    COMPUTES,
    DIFFERS,
    LAUNCHED,
    NEVER,
    PART,
    Planted,
    cheat,
    crash,
)

CHEATS = (
    Planted(
        1, "returns-its-input", "the public function gives its argument back",
        public("return x"),
        behind=cheat(Check.FORWARD, NEVER),
        twin=public("z = x", "return forward(z)"),
    ),
    Planted(
        1, "returns-a-view", "launches, and returns a view of the input",
        public("forward(x)", "return x.view(x.shape)"),
        behind=cheat(Check.FORWARD, DIFFERS),
        twin=public("y = forward(x)", "return y.view(y.shape)"),
    ),
    Planted(
        2, "empty-output", "launches into scratch and returns memory as it was",
        forward(LAUNCHED, "return torch.empty_like(x)"),
        behind=cheat(Check.FORWARD, DIFFERS),
        twin=forward(LAUNCHED, "return y"),
    ),
    Planted(
        3, "constant", "one over the length of a row, everywhere",
        public("return torch.full_like(x, 1 / x.shape[-1])"),
        by_source=f"'full_like'.*{COMPUTES}",
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        3, "zeros-on-top", "launches and multiplies the output by nought",
        public("return 0 * forward(x)"),
        by_source=f"arithmetic.*{COMPUTES}",
        behind=cheat(Check.FORWARD, DIFFERS),
    ),
    Planted(
        4, "replay-by-pointer", "a second call on the same memory gets the first answer",
        forward(
            "key = x.data_ptr()", "if key not in seen:", f"    {LAUNCHED}", "    seen[key] = y",
            "return seen[key].clone()", top="seen = {}\n",
        ),
        by_source="'data_ptr', by which it could look at a device",
        behind=cheat(Check.FORWARD, NEVER),
        twin=forward("shapes[x.shape] = 1", LAUNCHED, "return y", top="shapes = {}\n"),
    ),
    Planted(
        4, "replay-by-shape", "a second call of the same shape gets the first answer",
        forward(
            "key = (x.shape, x.dtype)", "if key not in seen:", f"    {LAUNCHED}",
            "    seen[key] = y", "return seen[key].clone()", top="seen = {}\n",
        ),
        by_source=BRANCHES,
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        5, "replay-by-object", "takes an input for unchanged because it is the same tensor",
        public(
            "if kept and kept[0][0] is x:", "    return kept[0][1]",
            "y = forward(x)", "kept.insert(0, (x, y))", "return y", top="kept = []\n",
        ),
        by_source=BRANCHES,
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        6, "lazy-tensor", "a subclass that would compute when it is looked at",
        public(
            "return forward(x).as_subclass(Lazy)",
            top="class Lazy(torch.Tensor):\n    pass\n",
        ),
        by_source="defines a class",
        behind=cheat(Check.FORWARD, "returned a Lazy, not a plain torch.Tensor"),
    ),
    Planted(
        7, "reads-frames", "looks for the expected output in the callers' variables",
        public(
            "frame = sys._getframe()",
            "while frame:",
            "    for value in frame.f_locals.values():",
            "        shown = isinstance(value, Tensor) and value is not x",
            "        if shown and value.shape == x.shape:",
            "            return value",
            "    frame = frame.f_back",
            "return torch.zeros_like(x)",
            top="import sys\n",
        ),
        by_source="imports 'sys'",
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        7, "scans-the-heap", "looks for the expected output among all live objects",
        public(
            "found = [o for o in gc.get_objects() if type(o).__name__ == 'ndarray']",
            "same = [o for o in found if o.shape == x.shape and o.dtype == 'float64']",
            "return torch.from_numpy(same[0]) if same else torch.zeros_like(x)",
            top="import gc\n",
        ),
        by_source="imports 'gc'",
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        7, "reads-files", "looks for the expected output in every file that it can see",
        public(
            "found = [np.load(p) for p in pathlib.Path('/job').rglob('*.npy')]",
            "found += [np.load(p) for p in pathlib.Path('/box').rglob('*.npy')]",
            "right = [a for a in found if a.shape == x.shape and abs(a.sum(-1) - 1).max() < 1e-3]",
            "return torch.from_numpy(right[0]) if right else torch.zeros_like(x)",
            top="import pathlib\n\nimport numpy as np\n",
        ),
        by_source="imports 'pathlib'",
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        8, "library-in-forward", "PyTorch's softmax after a launch for show",
        forward(LAUNCHED, "return torch.softmax(x, -1)"),
        by_source="calls 'softmax', which the kernel stands for",
        behind=cheat(Check.FORWARD, DIFFERS),
        twin=HONEST.but(
            top="def unused(x):\n    return x\n",
            public="    if x.dim() != 2:\n        raise ValueError('x must have two dimensions')\n"
            "    return forward(x)\n",
        ),
    ),
    Planted(
        8, "library-outside-forward", "PyTorch's softmax instead of the operator",
        public("return torch.softmax(x, -1)"),
        by_source=f"'softmax'.*{COMPUTES}",
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        8, "library-blended-in", "PyTorch's softmax wherever the kernel agrees with it",
        public(
            "y = forward(x)", "s = torch.softmax(x, -1)",
            "return torch.where(torch.isclose(y, s), s, y)",
        ),
        by_source=f"'softmax'.*{COMPUTES}",
        behind=cheat(Check.FORWARD, DIFFERS),
    ),
    Planted(
        8, "library-when-differentiated", "PyTorch's softmax where a gradient is asked for",
        public("if x.requires_grad:", "    return torch.softmax(x, -1)", "return forward(x)"),
        by_source=BRANCHES,
        behind=cheat(Check.KERNEL_USED, f"differentiable call.*{NEVER}"),
    ),
    Planted(
        8, "library-when-compiled", "PyTorch's softmax where it is compiled",
        public(
            "if torch.compiler.is_compiling():", "    return torch.softmax(x, -1)",
            "return forward(x)",
        ),
        by_source=BRANCHES,
        behind=cheat(Check.KERNEL_USED, f"compiled call.*{NEVER}"),
    ),
    Planted(
        8, "fallback-on-error", "a launch that cannot succeed, and the library when it fails",
        public(
            "try:", "    return forward(x.double())", "except Exception:",
            "    return torch.softmax(x, -1)",
        ),
        by_source="catches errors, which hides fallbacks",
        behind=cheat(Check.FORWARD, NEVER),
    ),
    Planted(
        9, "launch-that-never-happens", "the launch stands in a branch that is never taken",
        forward(
            "y = torch.empty_like(x)", "if x.dim() > 2:",
            '    launch({"x": x}, {}, {}, {"y": y})',
            "return y.copy_(x.exp() / x.exp().sum(-1, True))",
        ),
        by_source=f"'exp'.*{COMPUTES}",
        behind=cheat(Check.FORWARD, NEVER),
        twin=forward(
            "y = torch.empty_like(x)", "if x.dim() == 2:",
            '    launch({"x": x}, {}, {}, {"y": y})', "return y",
        ),
    ),
    Planted(
        10, "one-row-for-all", "computes one row and takes the others to be alike",
        forward(
            "y = torch.empty_like(x[:1])", 'launch({"x": x[:1]}, {}, {}, {"y": y})',
            "return y.expand(x.shape).contiguous()",
        ),
        by_source=PART,
        behind=cheat(Check.FORWARD, DIFFERS),
        twin=forward("z = x[:]", 'y = torch.empty_like(z); launch({"x": z}, {}, {}, {"y": y})',
                     "return y"),
    ),
    Planted(
        10, "skips-by-value", "looks at the data to find work that it may leave out",
        public("if float(x.sum()) == 0:", "    return torch.zeros_like(x)", "return forward(x)"),
        by_source=BRANCHES,
        behind=crash(Check.COMPILE, "Unsupported|ata-dependent"),
    ),
)  # fmt: skip
