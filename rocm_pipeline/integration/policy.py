"""Rules for `op.py`, and for examples of its use, that are read from the source alone.

They are read before anything runs. They keep an operator from reaching around the harness (files,
processes, PyTorch's internals) and from hiding a fallback. They are no containment, which is the
sandbox's business; but the checks that run in the operator's own process (opcheck, gradcheck) rest
on them.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from rocm_pipeline.integration.one_behaviour import dependences
from rocm_pipeline.integration.package import NAMESPACE, parameters
from rocm_pipeline.targets.spec import Target

MAX_BYTES = 64 << 10

_MODULES = {"torch", "torch.nn", "torch.nn.functional", "torch.library", "math", "typing"}
_BUILTINS = {
    "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "filter", "float", "int",
    "isinstance", "len", "list", "map", "max", "min", "pow", "range", "reversed", "round", "set",
    "slice", "sorted", "str", "sum", "tuple", "zip",
    "AssertionError", "Exception", "NotImplementedError", "RuntimeError", "TypeError", "ValueError",
}  # fmt: skip
"""The only names that a file need not define itself."""

_ORDINARY_METHODS = {"copy", "math", "random", "select", "signal", "trace", "typing"}
_STDLIB = set(sys.stdlib_module_names) - _ORDINARY_METHODS
_REACHES_OUT = {
    "Library", "backends", "classes", "compile", "define", "distributed", "dump", "from_file", "fx",
    "hub", "impl", "jit", "lib", "load", "load_library", "manual_seed", "monkeypatch", "numpy",
    "onnx", "overrides", "package", "save", "serialization", "storage", "testing", "tofile",
    "untyped_storage", "use_deterministic_algorithms", "utils",
}  # fmt: skip
"""Attributes of PyTorch that lead to files, other code, its settings or its own machinery; so do
those that begin with `set_`."""

_FORBIDDEN_STATEMENTS: dict[type[ast.AST], str] = {
    ast.ClassDef: "defines a class",
    ast.AsyncFunctionDef: "defines a coroutine",
    ast.Await: "awaits",
    ast.Global: "changes a global name",
    ast.Nonlocal: "changes an outer name",
    ast.Delete: "deletes",
    ast.Try: "catches errors, which hides fallbacks",
}


@dataclass(frozen=True)
class _Rules:
    """What differs between the operator's module and an example that uses it."""

    module: str
    """The one module besides PyTorch's; nothing but `name` may be imported from it."""
    name: str
    kept: tuple[str, ...]
    """Names that no assignment may give another meaning."""
    modules: frozenset[str] = frozenset(_MODULES)
    builtins: frozenset[str] = frozenset(_BUILTINS)
    attributes: frozenset[str] = frozenset()
    """Those that are allowed although they reach out."""


_OPERATOR = _Rules(module=".runtime", name="launch", kept=("torch", "launch", "forward"))


def violations(target: Target, source: str) -> tuple[str, ...]:
    """Return every rule that `op.py` breaks, as `line 3: ...`; empty when it keeps them all."""
    found = _parsed(source, "op.py")
    if isinstance(found, str):
        return (found,)
    return _in_order(
        *_walk(found, _OPERATOR),
        *_names(found, _OPERATOR),
        *_top_level(found),
        *_structure(target, found),
        *dependences(target, found),
    )


def example_violations(package: str, operator: str, source: str) -> tuple[str, ...]:
    """Return every rule that an example of the use of `package` breaks; see `violations`.

    It may import PyTorch and the operator's function, seed, print, compile and compare; it defines
    and catches as little as an operator may. What asserts nothing shows nothing.
    """
    found = _parsed(source, "the example")
    if isinstance(found, str):
        return (found,)
    rules = _Rules(
        module=package,
        name=operator,
        kept=("torch", operator),
        modules=_OPERATOR.modules | {"torch.testing"},
        builtins=_OPERATOR.builtins | {"print"},
        attributes=frozenset({"compile", "manual_seed", "testing"}),
    )
    return _in_order(*_walk(found, rules), *_names(found, rules), *_assertions(found))


_Violation = tuple[int, str]


def _parsed(source: str, what: str) -> ast.Module | str:
    """Return the tree, or what is wrong with the text as a whole."""
    if len(source.encode()) > MAX_BYTES:
        return f"{what} is longer than {MAX_BYTES} bytes"
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        return f"line {line}: {what} is not Python ({error})"


def _in_order(*found: _Violation) -> tuple[str, ...]:
    return tuple(f"line {line}: {text}" for line, text in sorted(set(found)))


def _walk(tree: ast.Module, rules: _Rules) -> Iterator[_Violation]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        if type(node) in _FORBIDDEN_STATEMENTS or type(node).__name__ == "TryStar":
            yield line, _FORBIDDEN_STATEMENTS.get(type(node), "catches errors")
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.name not in rules.modules:
                        yield line, f"imports '{alias.name}'; allowed are torch, math and typing"
            case ast.ImportFrom():
                yield from _import_from(node, rules)
            case ast.Attribute(attr=name):
                yield from _attribute(node, name, rules)
            case _:
                pass


def _import_from(node: ast.ImportFrom, rules: _Rules) -> Iterator[_Violation]:
    names = {alias.name for alias in node.names}
    module = "." * node.level + (node.module or "")
    if module == rules.module:
        if names != {rules.name} or any(alias.asname for alias in node.names):
            yield node.lineno, f"imports more than '{rules.name}' from {rules.module}"
    elif module not in rules.modules | {"collections.abc"}:
        allowed = f"torch, math, typing and {rules.module}"
        yield node.lineno, f"imports from '{module}'; allowed are {allowed}"
    for name in sorted(names):
        if name == "*" or _reaches_out(name, rules):
            yield node.lineno, f"imports '{name}'"


def _attribute(node: ast.Attribute, name: str, rules: _Rules) -> Iterator[_Violation]:
    if _reaches_out(name, rules):
        yield node.lineno, f"uses the attribute '{name}'"
    kept_for_backward = isinstance(node.value, ast.Name) and node.value.id in ("ctx", "context")
    if not isinstance(node.ctx, ast.Load) and not kept_for_backward:
        yield node.lineno, f"assigns to the attribute '{name}' of something other than ctx"


def _reaches_out(name: str, rules: _Rules) -> bool:
    if name in rules.attributes:
        return False
    private = name.startswith("_") and name != "_check"
    setting = name.startswith("set_") and name != "set_materialize_grads"
    return private or setting or name in _STDLIB or name in _REACHES_OUT


def _names(tree: ast.Module, rules: _Rules) -> Iterator[_Violation]:
    """Names that are neither defined in the file nor harmless, and tricks with defined ones."""
    defined = set(_defined(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name):
            continue
        if isinstance(node.ctx, ast.Load) and node.id not in defined | rules.builtins:
            yield node.lineno, f"uses '{node.id}'"
        if node.id.startswith("__"):
            yield node.lineno, f"uses '{node.id}'"
        if not isinstance(node.ctx, ast.Load) and node.id in rules.kept:
            yield node.lineno, f"assigns to '{node.id}'"


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from ((alias.asname or alias.name).split(".")[0] for alias in names)
            case ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def _assertions(tree: ast.Module) -> Iterator[_Violation]:
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    if not asserts and not any(name.startswith("assert") for name in _calls(tree)):
        yield 1, "asserts nothing about the result"


def _top_level(tree: ast.Module) -> Iterator[_Violation]:
    for node in tree.body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef():
                continue
            case ast.Assign() | ast.AnnAssign() if not _calls(node):
                continue
            case ast.Expr(value=ast.Constant(value=str())):
                continue
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))) if name in (
                "register_autograd",
                "register_fake",
                "register_vmap",
            ):
                continue
            case _:
                yield node.lineno, "does more at the top level than define and register"


def _structure(target: Target, tree: ast.Module) -> Iterator[_Violation]:
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    public = functions.get(target.name)
    if public is None:
        yield 1, f"defines no function '{target.name}'"
    elif _parameters(public) != parameters(target):
        expected = ", ".join(parameters(target))
        yield public.lineno, f"'{target.name}' must have exactly the parameters ({expected})"
    forward = functions.get("forward")
    operator = f"{NAMESPACE}::{target.name}"
    if forward is None or not any(_is_custom_op(d, operator) for d in forward.decorator_list):
        yield (
            1,
            f"no function 'forward' is torch.library.custom_op(\"{operator}\", mutates_args=())",
        )
        return
    calls = _calls(forward)
    if "launch" not in calls:
        yield forward.lineno, "'forward' does not call launch"
    for name in sorted(calls & library_calls(target)):
        yield forward.lineno, f"'forward' calls '{name}', which the kernel stands for"


def library_calls(target: Target) -> frozenset[str]:
    """Return the names of PyTorch functions that the target's equivalent calls."""
    calls = _calls(ast.parse(target.pytorch.equivalent, mode="eval"))
    return frozenset(calls - _BUILTINS)


def _parameters(function: ast.FunctionDef) -> tuple[str, ...]:
    arguments = function.args
    extra = [f"*{a.arg}" for a in (arguments.vararg, arguments.kwarg) if a is not None]
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return (*(argument.arg for argument in every), *extra)


def _is_custom_op(decorator: ast.expr, operator: str) -> bool:
    match decorator:
        case ast.Call(func=function, args=[ast.Constant(value=value)], keywords=[keyword]):
            named = ast.unparse(function) in ("torch.library.custom_op", "custom_op")
            pure = keyword.arg == "mutates_args" and ast.unparse(keyword.value) in ("()", "[]")
            return named and value == operator and pure
        case _:
            return False


def _calls(tree: ast.AST) -> set[str]:
    """Return the last part of the name of everything that is called."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
                found.add(name)
            case _:
                pass
    return found
