"""Each rule about `op.py`: a source that breaks it alone, and one of its near twins that passes."""

import pytest

from rocm_pipeline.integration.policy import library_calls, violations
from rocm_pipeline.targets.spec import Target
from tests.integration.conftest import builtin, changed, honest_operator

SOFTMAX = builtin("row_softmax")
HONEST = honest_operator("row_softmax")
SAVED = "    (y,) = ctx.saved_tensors\n"
LAUNCH = '    launch({"x": x}, {}, {}, {"y": y})\n'
HARMLESS_NAMES = [
    "abs",
    "all",
    "any",
    "bool",
    "dict",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "int",
    "isinstance",
    "len",
    "list",
    "map",
    "max",
    "min",
    "pow",
    "range",
    "reversed",
    "round",
    "set",
    "slice",
    "sorted",
    "sum",
    "tuple",
    "zip",
    "AssertionError",
    "Exception",
    "NotImplementedError",
    "RuntimeError",
    "TypeError",
    "ValueError",
]
ORDINARY_METHODS = ["copy", "math", "random", "select", "signal", "trace", "typing"]
REACHES_OUT = [
    "Library",
    "classes",
    "compile",
    "define",
    "distributed",
    "dump",
    "from_file",
    "fx",
    "hub",
    "impl",
    "jit",
    "lib",
    "load",
    "load_library",
    "monkeypatch",
    "numpy",
    "onnx",
    "overrides",
    "package",
    "save",
    "serialization",
    "storage",
    "testing",
    "backends",
    "manual_seed",
    "use_deterministic_algorithms",
    "set_x",
    "set_",
    "tofile",
    "untyped_storage",
    "utils",
    "os",
    "sys",
    "_C",
    "__class__",
]
MODULES = ["torch", "torch.nn", "torch.nn.functional", "torch.library", "math", "typing"]


def found(
    *changes: tuple[str, str], source: str = HONEST, target: Target = SOFTMAX
) -> tuple[str, ...]:
    return violations(target, changed(source, *changes))


def with_line(line: str) -> tuple[str, ...]:
    """Put a line into the backward, which may compute what it likes."""
    return found((SAVED, f"{SAVED}    {line}\n"))


def with_import(line: str) -> tuple[str, ...]:
    return found(("import torch\n", f"import torch\n{line}\n"))


def words(violations: tuple[str, ...]) -> list[str]:
    return [text.partition(": ")[2] for text in violations]


def test_the_harmless_names_may_be_used() -> None:
    assert with_line(f"y = ({', '.join(HARMLESS_NAMES)})") == ()


@pytest.mark.parametrize("name", ["eval", "open", "getattr", "object", "type", "vars", "undefined"])
def test_any_other_name_is_named(name: str) -> None:
    assert words(with_line(f"y = {name}")) == [f"uses '{name}'"]


def test_text_may_be_written_for_an_error_alone() -> None:
    assert with_line("if y.dim() == 9: raise ValueError(str(y.dtype))") == ()
    assert words(with_line("z = str")) == ["writes text outside an error's message"]


def test_methods_that_are_called_like_modules_may_be_used() -> None:
    assert with_line(f"y = ({', '.join(f'x.{name}' for name in ORDINARY_METHODS)})") == ()


def test_each_attribute_that_reaches_out_is_named() -> None:
    found_words = words(with_line(f"y = ({', '.join(f'x.{name}' for name in REACHES_OUT)})"))
    assert found_words == sorted(f"uses the attribute '{name}'" for name in REACHES_OUT)


def test_checks_of_pytorch_may_be_used() -> None:
    assert with_line("torch._check(x.dim() == 2)") == ()


@pytest.mark.parametrize("name", MODULES)
def test_these_modules_may_be_imported(name: str) -> None:
    assert with_import(f"import {name}") == ()


@pytest.mark.parametrize("name", [*MODULES, "collections.abc"])
def test_names_may_be_imported_from_these_modules(name: str) -> None:
    assert with_import(f"from {name} import {'sqrt' if name == 'math' else 'something'}") == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("import os", "imports 'os'; allowed are torch, math and typing"),
        ("import collections.abc", "imports 'collections.abc'; allowed are torch, math and typing"),
        ("import math, json", "imports 'json'; allowed are torch, math and typing"),
        ("from os import path", "imports from 'os'; allowed are torch, math, typing and .runtime"),
        (
            "from .other import a",
            "imports from '.other'; allowed are torch, math, typing and .runtime",
        ),
        (
            "from ..runtime import launch",
            "imports from '..runtime'; allowed are torch, math, typing and .runtime",
        ),
        (
            "from .torch import a",
            "imports from '.torch'; allowed are torch, math, typing and .runtime",
        ),
        ("from .runtime import launch as go", "imports more than 'launch' from .runtime"),
        ("from .runtime import plan", "imports more than 'launch' from .runtime"),
        ("from torch import hub", "imports 'hub'"),
        ("from torch import *", "imports '*'"),
        ("from torch import _C", "imports '_C'"),
    ],
)
def test_an_import_that_is_not_allowed_is_named(line: str, complaint: str) -> None:
    assert words(with_import(line)) == [complaint]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("class A: pass", "defines a class"),
        ("async def f(): return 1", "defines a coroutine"),
        ("global x", "changes a global name"),
        ("del x", "deletes"),
        ("try: y = 1\n    finally: y = 2", "catches errors, which hides fallbacks"),
        ("torch.nn = 1", "assigns to the attribute 'nn' of something other than ctx"),
        ("x.grad = 1", "assigns to the attribute 'grad' of something other than ctx"),
        ("torch = 1", "assigns to 'torch'"),
        ("launch = 1", "assigns to 'launch'"),
        ("forward = 1", "assigns to 'forward'"),
    ],
)
def test_a_statement_that_is_not_allowed_is_named(line: str, complaint: str) -> None:
    assert complaint in words(with_line(line))
    assert len(with_line(line)) == 1 or "global" in line or "class" in line


@pytest.mark.parametrize(
    "line", ["def inner(ctx): ctx.shape2 = 1", "def inner(context): context.y = 1", "y = 1"]
)
def test_what_is_kept_for_the_backward_may_be_assigned(line: str) -> None:
    assert with_line(line) == ()


def test_a_deeply_nested_expression_is_refused() -> None:
    for nested in ("-" * 60_000 + "1", "(" * 30_000, "[" * 150 + "]" * 150, "x" + ".x" * 20_000):
        assert violations(SOFTMAX, nested), nested[:10]


def test_what_the_backward_keeps_may_be_told_to_pytorch() -> None:
    assert with_line("x.set_materialize_grads(False)") == ()


def test_deleting_an_unknown_name_is_only_deleting() -> None:
    assert words(with_line("del unknown")) == ["deletes"]


def test_an_outer_name_and_a_wait_are_named() -> None:
    inner = "y = 1\n    def inner():\n        nonlocal y\n        y = 2"
    assert words(with_line(inner)) == ["changes an outer name"]
    assert "awaits" in words(with_line("async def f():\n        await x"))


def test_groups_of_errors_are_caught_no_more_than_errors() -> None:
    for line in ("try:\n        y = 1\n    except* ValueError:\n        y = 2",):
        assert any("catches errors" in text for text in with_line(line))


def test_a_dunder_is_named_even_where_it_is_defined() -> None:
    assert words(with_line("__y = 1")) == ["uses '__y'"]


@pytest.mark.parametrize(
    "line",
    ["'a note'", "A = 1", "B: int = 2", "def helper(x): return x", "import math"],
)
def test_the_top_level_may_define(line: str) -> None:
    assert found(("def setup_context", f"{line}\n\n\ndef setup_context")) == ()


@pytest.mark.parametrize(
    "line",
    ["1", "len('a')", "A = len('a')", "B: int = len('a')", "if 1: pass", "torch.zeros(1)"],
)
def test_the_top_level_may_do_nothing_else(line: str) -> None:
    complaint = "does more at the top level than define and register"
    assert words(found(("def setup_context", f"{line}\n\n\ndef setup_context"))) == [complaint]


@pytest.mark.parametrize("name", ["autograd", "fake", "vmap"])
def test_registering_is_allowed_at_the_top_level(name: str) -> None:
    assert found(("def setup_context", f"forward.register_{name}(1)\n\n\ndef setup_context")) == ()


def test_the_function_has_the_parameters_of_the_target_and_no_others() -> None:
    for wrong in (
        "x: Tensor, y=1",
        "*x",
        "",
        "x: Tensor, *more",
        "x: Tensor, **more",
        "x: Tensor, *, k=1",
        "z, /, x",
    ):
        complaints = words(found(("def row_softmax(x: Tensor)", f"def row_softmax({wrong})")))
        assert "'row_softmax' must have exactly the parameters (x)" in complaints, wrong
    for right in ("x", "x, /", "*, x"):
        assert found(("def row_softmax(x: Tensor)", f"def row_softmax({right})")) == ()
    assert found(("def row_softmax(", "def softmax(")) == (
        "line 1: defines no function 'row_softmax'",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rocm_pipeline::row_softmax", "aten::softmax"),
        ("mutates_args=()", 'mutates_args=("x",)'),
        ("mutates_args=()", "schema=()"),
        ("torch.library.custom_op(", "torch.library.other("),
        ("def forward(", "def onward("),
        (
            '@torch.library.custom_op("rocm_pipeline::row_softmax", mutates_args=())',
            "@torch.no_grad",
        ),
    ],
)
def test_forward_is_the_operator(old: str, new: str) -> None:
    (text,) = (text for text in found((old, new)) if "no function 'forward'" in text)
    assert text.startswith("line 1: ")


def test_forward_may_say_in_two_ways_that_it_changes_nothing() -> None:
    assert found(("mutates_args=()", "mutates_args=[]")) == ()


def test_forward_calls_the_kernel_and_not_what_it_stands_for() -> None:
    assert words(found((LAUNCH, ""))) == ["'forward' does not call launch"]
    assert words(found((LAUNCH, LAUNCH + "    y = x.softmax(-1)\n"))) == [
        "'forward' calls 'softmax', which the kernel stands for",
        "uses 'softmax' outside the backward, where it may only check, allocate and launch",
    ]
    assert library_calls(SOFTMAX) == {"softmax"}


def test_a_file_of_64_kibibytes_is_read_and_one_byte_more_is_not() -> None:
    room = (64 << 10) - len(HONEST.encode()) - 1
    assert violations(SOFTMAX, HONEST + "#" * room + "\n") == ()
    assert violations(SOFTMAX, HONEST + "#" * (room + 1) + "\n") == (
        "op.py is longer than 65536 bytes",
    )


def test_what_is_not_python_is_named_with_its_line() -> None:
    (text,) = violations(SOFTMAX, "x = 1\ny = (\n")
    assert text.startswith("line 2: op.py is not Python")
    (text,) = violations(SOFTMAX, "x\0")
    assert text.startswith("line 1: op.py is not Python")


def test_violations_come_in_the_order_of_their_lines_and_once() -> None:
    lines = with_line("y = eval; z = eval; a = open\n    b = eval\n    c = abs")
    assert words(lines) == ["uses 'eval'", "uses 'open'", "uses 'eval'"]
    assert lines == tuple(sorted(lines, key=lambda text: int(text.split()[1].strip(":"))))
