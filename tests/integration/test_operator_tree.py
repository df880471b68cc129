"""What is known of an operator's source without running it."""

import ast

import pytest

from rocm_pipeline.integration.operator_tree import Tree

MAKES_TENSORS = (
    "bfloat16", "bool", "clone", "contiguous", "detach", "double", "empty", "empty_like",
    "empty_strided", "flatten", "float", "half", "int", "long", "movedim", "new_empty",
    "new_empty_strided", "new_zeros", "permute", "reshape", "squeeze", "to", "transpose",
    "unflatten", "unsqueeze", "view", "view_as", "zeros", "zeros_like",
)  # fmt: skip


def read(source: str) -> Tree:
    return Tree.of(ast.parse(source), "f", ("x",))


def texts(nodes: frozenset[ast.AST]) -> set[str]:
    """Return the expressions among the nodes; names of contexts and operators say nothing."""
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.expr)}


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


FUNCTIONS = """
def used(x): pass
def helper(x): used(x)
def gradient(ctx, dy): used(dy); lonely(dy)
def lonely(x): pass
def keep(ctx, inputs, output): kept(output)
def kept(x): pass
def unused(x): pass
def assigned(x): pass
def noted(x): pass
ALIAS = assigned
g.register_autograd(gradient, setup_context=keep)
g.register_fake(noted)
print(noted)
@wrap
def g(x): pass
@g.register_fake
def fake(x): pass
def f(x): helper(x)
"""


def test_the_backward_is_what_nothing_else_leads_to() -> None:
    backward = read(FUNCTIONS).backward
    names = {node.name for node in backward if isinstance(node, ast.FunctionDef)}
    assert names == {"gradient", "lonely", "unused"}
    assert len(backward) == len(names)


@pytest.mark.parametrize(
    "line", ["register_autograd(gradient)", "g.register(gradient)", "g.register_autograd"]
)
def test_only_what_is_registered_as_a_backward_is_one(line: str) -> None:
    assert read(f"def gradient(x): pass\n{line}; gradient").backward == frozenset()


@pytest.mark.parametrize(
    ("source", "leading"),
    [
        ("", {"launch"}),
        ("def g(): launch()\ndef h(): g()\ndef i(): j()\ndef j(): g", {"launch", *"ghij"}),
        ("def g(): x.launch()\ndef h(): launched()", {"launch"}),
    ],
)
def test_it_is_known_which_functions_lead_to_a_launch(source: str, leading: set[str]) -> None:
    assert read(source).launching == leading


@pytest.mark.parametrize(
    ("line", "guarded"),
    [
        ("raise a", {"a"}),
        ("assert a, b", {"a", "b"}),
        ("t._check(a, b)", {"a", "b"}),
        ("_check(a)", set[str]()),
        ("t.check(a)", set[str]()),
        ("if a: raise b", {"a", "b"}),
        ("if a:\n    c = b\n    raise d", {"a", "b", "c", "d"}),
        ("if a:\n    c: str = b\n    raise d", {"a", "b", "c", "d", "str"}),
        ("if a:\n    g()\n    raise d", {"d"}),
        ("if a:\n    raise d\n    b = 1", {"d"}),
        ("if a: b = c", set[str]()),
        ("if a: b\nelse: raise c", {"a", "c"}),
        ("if a: b\nelse:\n    g()\n    raise c", {"c"}),
        ("if a: b\nelse:\n    c = d\n    raise e", {"a", "c", "d", "e"}),
        ("if a: b", set[str]()),
        ("while a: raise b", {"b"}),
    ],
)
def test_checks_that_raise_are_found(line: str, guarded: set[str]) -> None:
    assert texts(read(line).guarded) == guarded


def test_annotations_and_the_values_of_devices_are_found() -> None:
    tree = read("def g(a: b, *c: d, e=h, **i: j) -> k: l: m = n\ng(device=o, other=p)")
    assert texts(tree.annotations) == {"b", "d", "j", "k", "m"}
    assert texts(tree.devices) == {"o"}


def test_names_from_pytorch_are_known_by_what_they_are_there() -> None:
    tree = read(
        "import torch.a\nfrom torch import b, c as d\nfrom torch.nn import e\n"
        "from math import g\nfrom . import h\nfrom .torch2 import i"
    )
    assert tree.imported == {"b": "b", "d": "c", "e": "e"}


GIVES = {
    "a = VALUE": {"a"},
    "a = 1, VALUE": {"a"},
    "a = b = VALUE": {"a", "b"},
    "a: int = VALUE": {"a"},
    "a: int": set[str](),
    "a += VALUE": {"a"},
    "g((a := VALUE))": {"a"},
    "for a in VALUE: pass": {"a"},
    "[a for a in VALUE]": {"a"},
    "a, b = VALUE": {"a", "b"},
    "a, b = 1, VALUE": {"b"},
    "a, b, *c = 1, VALUE": {"a", "b", "c"},
    "[a, b] = VALUE": {"a", "b"},
    "(a, b), c = VALUE, 1": {"a", "b"},
    "ctx.a = VALUE": {"a"},
    "a[b] = VALUE": set[str](),
    "def g(a, b): pass\ng(1, VALUE)": {"b"},
    "def g(a, /, b): pass\ng(VALUE, 1)": {"a"},
    "def g(a, b): pass\ng(b=VALUE)": {"b"},
    "def g(a): pass\nh(VALUE)": set[str](),
    "def g(a): pass\ng(**VALUE)": set[str](),
    "def g(): return VALUE\ng()": {"g"},
    "def g(): return": set[str](),
    "a = VALUE; b = a; c = b": {"a", "b", "c"},
    "c = b; b = a; a = VALUE": {"a", "b", "c"},
}


@pytest.mark.parametrize("source", GIVES)
def test_a_size_is_followed_from_name_to_name(source: str) -> None:
    assert read(source.replace("VALUE", "y.numel()")).sizes == GIVES[source]


@pytest.mark.parametrize("source", [s for s in GIVES if "ctx" not in s and "+=" not in s])
def test_a_calculation_and_a_tensor_are_followed_too(source: str) -> None:
    assert read(source.replace("VALUE", "(1 + 2)")).computed == GIVES[source]
    assert read(source.replace("VALUE", "x")).tensors - {"x"} == GIVES[source]


def test_what_is_added_to_is_calculated() -> None:
    tree = read("a += 1; b -= y.numel(); c: int = 1")
    assert tree.computed == {"a", "b"}
    assert tree.sizes == {"b"}


def test_what_a_check_names_may_be_of_any_size() -> None:
    tree = read("assert (a := 1)\nif (b := 2): raise c\nd = (e := 3)")
    assert tree.sizes == tree.computed == {"a", "b"}


def test_tensors_of_the_backward_are_none_of_the_rest() -> None:
    source = "def g(ctx): z = x\ndef f(x): y = x; ctx.a = forward(x)"
    assert read(source).tensors == {"x", "y", "a"}


SIZES = (
    "n", "n + 1", "1 + n", "-n", "[n]", "[i for i in n]", "(1, n)", "n[0]", "n.real", "n.numerator",
    "n.denominator", "n.imag", "n.conjugate()", "g(n)", "g(1, n)", "size_of(1)", "len(a)",
    "math.sqrt(n)", "math.pow(2, n)", "ctx.n", "context.n", "a.device", "a.nbytes", "a.numel()",
    "a.shape", "a.shape[0]", "a.size(0)", "a.storage_offset()", "a.stride(0)",
    "a.shape[0] if b else c",
)  # fmt: skip
NO_SIZES = (
    "a", "1", "a.n", "n.a", "other.n", "ctx.a", "a.n()", "torch.empty(n)", "a[n]", "g(a)",
    "math.sqrt(2)", "a.view(n).real", "n.view(2)", "a.dim()",
)  # fmt: skip


@pytest.mark.parametrize("text", SIZES)
def test_what_is_made_of_a_size_tells_it(text: str) -> None:
    tree = read("n = y.numel()\ndef size_of(a): return a.shape")
    assert tree.tells_size(expression(text))


@pytest.mark.parametrize("text", NO_SIZES)
def test_a_tensor_of_some_size_tells_none(text: str) -> None:
    tree = read("n = y.numel()\ndef size_of(a): return a.shape")
    assert not tree.tells_size(expression(text))


COMPUTES_SIZE = (
    "m", "n - 1", "1 - n", "(n - 1,)", "range(n - 1)", "math.sqrt(n)", "-m", "ctx.m", "context.m",
    "less(n)", "[0] * n", "abs(m)", "m[0]",
)  # fmt: skip
COMPUTES_NO_SIZE = (
    "n", "-n", "range(n)", "(n, 1)", "a.shape", "a.size(b - 1)", "1 - 2", "math.sqrt(2)",
    "torch.empty(n - 1)", "a.m", "c", "n[0]", "len(a)", "other.m",
)  # fmt: skip
COMPUTED = "n = y.numel(); m = n - 1; c = 1 - 2\ndef less(a): return a - 1"


@pytest.mark.parametrize("text", COMPUTES_SIZE)
def test_what_is_calculated_from_a_size_is_known(text: str) -> None:
    assert read(COMPUTED).computes_size(expression(text))


@pytest.mark.parametrize("text", COMPUTES_NO_SIZE)
def test_a_size_itself_is_not_calculated(text: str) -> None:
    assert not read(COMPUTED).computes_size(expression(text))


TENSORS = (
    "x", "t", "forward", "forward(1)", "made(1)", "x[0]", "-x", "(y := x)", "(1, x)", "[1, x]",
    "x + 1", "1 + x", *(f"torch.{name}(1)" for name in MAKES_TENSORS),
)  # fmt: skip
NO_TENSORS = (
    "a", "a()", "1", "x.a", "x.shape", "a.b(x)", "a(x)", "(1, 2)", "1 + 2", "a[x]", "-1", "{x}",
)  # fmt: skip


@pytest.mark.parametrize("text", TENSORS)
def test_what_stands_for_a_tensor_is_known(text: str) -> None:
    assert read("t = x\ndef f(x): return made(x)\ndef made(x): return x").is_tensor(
        expression(text)
    )


@pytest.mark.parametrize("text", NO_TENSORS)
def test_other_things_stand_for_no_tensor(text: str) -> None:
    assert not read("t = x").is_tensor(expression(text))


@pytest.mark.parametrize(
    ("function", "flags"),
    [
        ("def g(a, *b, c=1, **d): pass", {"a", "b", "c", "d"}),
        ("def g(a): a = 1", set[str]()),
        ("def g(a): a = ctx.a", {"a"}),
        ("def g(): a = ctx.a; b = context.b", {"a", "b"}),
        ("def g(): a = bool(ctx.a); b = int(ctx.b)", {"a", "b"}),
        ("def g(): a, b = ctx.a, 1", {"a"}),
        ("def g(): a = other.a", set[str]()),
        ("def g(): a = float(ctx.a)", set[str]()),
        ("def g(): a = ctx.a; a = 1", set[str]()),
        ("def g(): a = ctx.a; a += ctx.b", set[str]()),
        ("def g(): a = ctx.saved_tensors", set[str]()),
        ("def g(a): a = y.numel()", set[str]()),
        ("def g(a): pass\ng(y.numel())", set[str]()),
        ("def g(): a = ctx.n\nctx.n = y.numel()", set[str]()),
    ],
)
def test_flags_are_parameters_and_what_the_forward_has_kept(function: str, flags: set[str]) -> None:
    tree = ast.parse(function)
    assert Tree.of(tree, "f", ("x",)).flags(tree.body[0]) == flags
