"""Small defects planted into a module of ours, to see whether anything notices.

The published tools (mutmut, cosmic-ray) start the test suite once for every defect; with a second
and a half to start it, the thousand defects here would take half an hour. These are compiled in
this process and asked a few direct questions, which takes milliseconds each.
"""

import ast
import copy
import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_CHANGED_ITSELF = (ast.Compare, ast.BoolOp, ast.UnaryOp)
_COLLECTS = {"append", "add", "extend", "update", "setdefault"}
_SHORTEST_TUPLE = 3
"""Shorter ones are pairs; without an element they fail where they are unpacked."""


@dataclass(frozen=True)
class Mutant:
    """One defect. `name` stays the same while the code around it changes."""

    name: str
    code: CodeType

    def load(self, module: str) -> ModuleType:
        """Return the module with the defect in it; the real one stays as it is."""
        return _execute(self.code, module)


def source_of(module: str) -> Path:
    """Return the file of a module, without importing it."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def load_whole(module: str) -> ModuleType:
    """Return a fresh copy of the module with no defect."""
    return _execute(_compiled(source_of(module)), module)


@cache
def _compiled(file: Path) -> CodeType:
    return compile(file.read_text(encoding="utf-8"), str(file), "exec")


def mutants_of(
    module: str, only: Collection[str] = (), most: int | None = None
) -> Iterator[Mutant]:
    """Yield every defect of the module, in `only` these functions and names (all by default).

    With `most` there are no more than so many of them, the same each time, from all over it.
    """
    file = source_of(module)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    total = sum(1 for _ in _named(tree, only))
    step = 1 if most is None else math.ceil(total / most)
    for number, (name, node, apply) in enumerate(_named(tree, only)):
        if number % step:
            continue
        undo = copy.copy(node.__dict__)
        apply()
        try:
            yield Mutant(name, compile(ast.fix_missing_locations(tree), str(file), "exec"))
        finally:
            node.__dict__.clear()
            node.__dict__.update(undo)


def _named(
    tree: ast.Module, only: Collection[str]
) -> Iterator[tuple[str, ast.AST, Callable[[], None]]]:
    """Yield each defect's name, the node that it changes and what changes it."""
    seen: dict[str, int] = {}
    for scope, node in _scoped(tree):
        if only and scope.split(".")[0] not in only:
            continue
        for words, apply in _defects(node):
            name = f"{scope}: {words}"
            seen[name] = seen.get(name, 0) + 1
            yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), node, apply


def _execute(code: CodeType, name: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = code.co_filename
    module.__package__ = name.rpartition(".")[0]
    exec(code, module.__dict__)  # noqa: S102
    return module


def _scoped(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node that runs, with the function, class or variable that it belongs to."""
    for node in tree.body:
        yield from _within(node, _name_of(node))


def _within(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
    yield scope, node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns") or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                inner = _name_of(child)
                yield from _within(child, f"{scope}.{inner}" if inner != "module" else scope)


def _name_of(node: ast.AST) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return "module"


_Defect = tuple[str, Callable[[], None]]


def _defects(node: ast.AST) -> Iterator[_Defect]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            for other in _COMPARISONS[type(op)]:
                yield _swap(node, "ops", [other()])
        case ast.BoolOp(op=op):
            yield _swap(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
            for index in range(len(node.values)):
                if len(node.values) > 1:
                    kept = node.values[:index] + node.values[index + 1 :]
                    yield _swap(node, "values", kept if len(kept) > 1 else [*kept, *kept])
        case ast.UnaryOp(op=ast.Not()):
            # `not not x` has the truth of `x`
            yield _swap(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
            yield _swap(node, "op", _ARITHMETIC[type(op)]())
        case ast.Constant(value=bool() as value):
            yield _swap(node, "value", not value)
        case ast.Constant(value=int() | float() as value):
            yield _swap(node, "value", value + 1)
        case ast.Constant(value=str() as value) if "|" in value:
            yield from _without_alternatives(node, value)
        case ast.If() | ast.IfExp() if not isinstance(node.test, _CHANGED_ITSELF):
            test = node.test
            swapped = _swap(node, "test", ast.UnaryOp(ast.Not(), test))[1]
            yield f"if {ast.unparse(test)} -> if not", swapped
        case ast.FunctionDef():
            yield from _early_answers(node)
        case ast.Call():
            yield from _without_keywords(node)
        case _:
            pass
    yield from _without_elements(node)
    if not isinstance(node, ast.ClassDef):
        for field in ("body", "orelse", "finalbody"):
            if isinstance(getattr(node, field, None), list):
                yield from _without_statements(node, field, _has_effect)


def _swap(node: Any, field: str, value: Any) -> _Defect:
    before = ast.unparse(node)
    old = getattr(node, field)
    setattr(node, field, value)
    after = ast.unparse(node)
    setattr(node, field, old)
    return _words(before, after), lambda: setattr(node, field, value)


def _words(before: str, after: str) -> str:
    """Return what changed, without what both sides share at their ends."""
    if len(before) <= 100:
        return f"{before} -> {after}"
    begin = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    begin = max(0, begin - 20)
    return f"...{before[begin : begin + 60]}... -> ...{after[begin : begin + 60]}..."


def _without_elements(node: ast.AST) -> Iterator[_Defect]:
    match node:
        case ast.List(elts=elements, ctx=ast.Load()) | ast.Set(elts=elements):
            shortest = 1
        case ast.Tuple(elts=elements, ctx=ast.Load()):
            shortest = _SHORTEST_TUPLE
        case ast.Dict(keys=keys, values=values) if len(keys) > 1:
            for index, key in enumerate(keys):
                words = f"without {ast.unparse(key) if key else ast.unparse(values[index])}"

                def drop(index: int = index) -> None:
                    node.keys = keys[:index] + keys[index + 1 :]
                    node.values = values[:index] + values[index + 1 :]

                yield words, drop
            return
        case _:
            return
    if len(elements) < shortest:
        return
    for index, element in enumerate(elements):
        kept = elements[:index] + elements[index + 1 :]

        def drop_element(kept: list[ast.expr] = kept) -> None:
            node.elts = kept  # pyright: ignore[reportAttributeAccessIssue]

        yield f"without {ast.unparse(element)[:100]}", drop_element


def _without_alternatives(node: ast.Constant, pattern: str) -> Iterator[_Defect]:
    """Yield the pattern without one of the words between its bars."""
    for found in re.finditer(r"[^|()]+", pattern):
        begin, end = found.span()
        if end < len(pattern) and pattern[end] == "|":
            end += 1
        elif begin and pattern[begin - 1] == "|":
            begin -= 1
        else:
            continue
        changed = pattern[:begin] + pattern[end:]
        try:
            re.compile(changed)
        except re.error:
            continue

        def drop(changed: str = changed) -> None:
            node.value = changed

        yield f"pattern without {found.group()!r}", drop


def _early_answers(node: ast.FunctionDef) -> Iterator[_Defect]:
    """The function that finds nothing: a generator that ends, `()`, True or False, or None."""
    yields = any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in ast.walk(node))
    returns = ast.unparse(node.returns) if node.returns else ""
    values: tuple[object, ...] = (None,)
    if not yields and returns == "bool":
        values = (True, False)
    elif not yields and returns.startswith("tuple"):
        values = ((),)
    for value in values:
        statements: list[ast.stmt] = [ast.Return(ast.parse(repr(value), mode="eval").body)]
        if yields:
            statements = [ast.Return(), ast.Expr(ast.Yield())]

        def answer(statements: list[ast.stmt] = statements) -> None:
            node.body = statements

        yield f"{node.name}() only returns {value!r}", answer
    for index, decorator in enumerate(node.decorator_list):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("validator"):
            kept = node.decorator_list[:index] + node.decorator_list[index + 1 :]

            def undecorate(kept: list[ast.expr] = kept) -> None:
                node.decorator_list = kept

            yield f"{node.name}() is no validator", undecorate


def _without_keywords(node: ast.Call) -> Iterator[_Defect]:
    """Yield a model's field or configuration without one of its limits."""
    if not isinstance(node.func, ast.Name) or node.func.id not in ("Field", "ConfigDict"):
        return
    for index, keyword in enumerate(node.keywords):
        if keyword.arg in ("default", "default_factory"):
            continue
        kept = node.keywords[:index] + node.keywords[index + 1 :]

        def drop(kept: list[ast.keyword] = kept) -> None:
            node.keywords = kept

        yield f"{node.func.id} without {keyword.arg}={ast.unparse(keyword.value)}", drop


def _without_statements(
    node: Any, field: str, wanted: Callable[[ast.stmt], bool]
) -> Iterator[_Defect]:
    statements: list[ast.stmt] = getattr(node, field)
    for index, statement in enumerate(statements):
        if not wanted(statement):
            continue
        kept: list[ast.stmt] = statements[:index] + statements[index + 1 :]

        def drop(kept: list[ast.stmt] = kept) -> None:
            setattr(node, field, kept or [ast.Pass()])

        words = ast.unparse(statement).splitlines()
        yield f"without `{' '.join(words)[:100]}`", drop


def _has_effect(statement: ast.stmt) -> bool:
    """Whether leaving the statement out could hide something without breaking the code."""
    match statement:
        case ast.Raise() | ast.Continue() | ast.Break() | ast.AugAssign():
            return True
        case ast.Return():
            return True
        case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))):
            return name in _COLLECTS or name.startswith("_")
        case ast.Expr(value=ast.Call()):
            return True
        case _:
            return False
