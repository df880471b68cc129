"""The source of an operator, as the rules of `one_behaviour` look at it."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAKES_TENSORS = frozenset({
    "bfloat16", "bool", "clone", "contiguous", "detach", "double", "empty", "empty_like",
    "empty_strided", "flatten", "float", "half", "int", "long", "movedim", "new_empty",
    "new_empty_strided", "new_zeros", "permute", "reshape", "squeeze", "to", "transpose",
    "unflatten", "unsqueeze", "view", "view_as", "zeros", "zeros_like",
})  # fmt: skip
"""Functions and methods that give a tensor with nothing in it, or with what another one holds."""
_SIZES = {"device", "nbytes", "numel", "shape", "size", "storage_offset", "stride"}
"""Attributes that tell how large a tensor is, or where it lies."""
_PARTS = {"conjugate", "denominator", "imag", "numerator", "real"}
"""Attributes of a number that are the number itself, or nearly."""

_Functions = dict[str, ast.FunctionDef]
_Assignment = tuple[ast.expr | str, ast.expr]
"""A target, or the name of a parameter or a function, with what it is given or returns."""


@dataclass(frozen=True)
class Tree:
    """What is known of a module without running it. Names are those of the whole module."""

    tree: ast.Module
    backward: frozenset[ast.AST]
    """Functions that nothing but the backward uses, or nothing at all."""
    guarded: frozenset[ast.AST]
    """Nodes of checks that raise, and of what is done on the way to raising."""
    annotations: frozenset[ast.AST]
    devices: frozenset[ast.AST]
    """Values of arguments named `device`."""
    imported: dict[str, str]
    """What names from PyTorch's modules are called there."""
    sizes: frozenset[str]
    """Names, and attributes of ctx, that tell a size or a device."""
    computed: frozenset[str]
    """Names, and attributes of ctx, that calculations give a value, be it of sizes or not."""
    launching: frozenset[str]
    """The function that launches kernels, and those that lead to it."""
    tensors: frozenset[str]
    """Names that stand for a tensor outside the backward."""

    @staticmethod
    def of(tree: ast.Module, public: str, inputs: tuple[str, ...]) -> "Tree":
        """Read `tree`, of which `public` is called; `inputs` stand for tensors everywhere."""
        functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        backward = _backward(tree, public, functions)
        outside = [node for node in tree.body if node not in backward]
        assigned = _assignments([tree], functions)
        guarded = frozenset(_guarded(tree))
        # a name given within a check may depend on all that the check looks at
        known = frozenset(n.target.id for n in guarded if isinstance(n, ast.NamedExpr))
        keywords = (node for node in ast.walk(tree) if isinstance(node, ast.keyword))
        return Tree(
            tree=tree,
            backward=backward,
            guarded=guarded,
            annotations=frozenset(_annotations(tree)),
            devices=frozenset(word.value for word in keywords if word.arg == "device"),
            imported=_imported(tree),
            sizes=_spread(assigned, _tells_size, known),
            computed=_spread(assigned, _is_computed, known),
            launching=_launching(functions),
            tensors=_spread(_assignments(outside, functions), _is_tensor, frozenset(inputs)),
        )

    def flags(self, statement: ast.stmt) -> frozenset[str]:
        """Return names in `statement` that tell no size and may be flags.

        Parameters that keep their value, and what is given nothing but attributes of ctx.
        """
        assigned = list(_plain_assignments(statement))
        given = {n for target, _ in assigned for n in _targets(target)}
        other = {n for target, v in assigned if not _is_kept(v) for n in _targets(target)}
        parameters = {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
        return frozenset(((parameters - given) | (given - other)) - self.sizes)

    def tells_size(self, node: ast.expr) -> bool:
        """Whether `node` is made of a size, other than as a tensor of that size."""
        return _tells_size(node, self.sizes)

    def computes_size(self, node: ast.expr) -> bool:
        """Whether `node` is calculated from a size, and so may be 0 or nothing up to some size."""
        return _tells_size(node, self.sizes) and _is_computed(node, self.computed)

    def is_tensor(self, node: ast.expr) -> bool:
        """Whether `node` stands for a tensor, as far as can be read, outside the backward."""
        return _is_tensor(node, self.tensors)


def _backward(tree: ast.Module, public: str, functions: _Functions) -> frozenset[ast.AST]:
    registered = {
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr == "register_autograd"
        for argument in node.args
    }
    called = {name for name, node in functions.items() if node.decorator_list or name == public}
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef):
            names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
            called |= {n.id for n in names if n.id in functions and n not in registered}
    elsewhere = _reached(called, functions)
    return frozenset(node for name, node in functions.items() if name not in elsewhere)


def _reached(roots: set[str], functions: _Functions) -> set[str]:
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            names = (n for n in ast.walk(functions[name]) if isinstance(n, ast.Name))
            waiting += [node.id for node in names if node.id in functions]
    return found


def _launching(functions: _Functions) -> frozenset[str]:
    leading = (
        name
        for name in functions
        for reached in _reached({name}, functions)
        for node in ast.walk(functions[reached])
        if isinstance(node, ast.Name) and node.id == "launch"
    )
    return frozenset({"launch", *leading})


def _guarded(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.Raise() | ast.Assert():
                yield from ast.walk(node)
            case ast.Call(func=ast.Attribute(attr="_check"), args=arguments):
                yield from _all(arguments)
            case ast.If(test=test, body=body) if _raises(body):
                yield from _all([test, *body])
            case ast.If(test=test, orelse=orelse) if _raises(orelse):
                yield from _all([test, *orelse])
            case _:
                pass


def _raises(body: list[ast.stmt]) -> bool:
    """Whether a block does nothing but raise; it may put its message together before."""
    plain = all(isinstance(node, ast.Assign | ast.AnnAssign | ast.Raise) for node in body)
    return plain and bool(body) and isinstance(body[-1], ast.Raise)


def _all(nodes: list[ast.expr] | list[ast.expr | ast.stmt]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)


def _annotations(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.arg(annotation=ast.expr() as annotation)
                | ast.FunctionDef(returns=ast.expr() as annotation)
                | ast.AnnAssign(annotation=annotation)
            ):
                yield from ast.walk(annotation)
            case _:
                pass


def _imported(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch"
        for alias in node.names
    }


def _assignments(
    nodes: list[ast.Module] | list[ast.stmt], functions: _Functions
) -> list[_Assignment]:
    """Return what is given to names: assigned, handed to a function, or returned by one."""
    found: list[_Assignment] = []
    for tree in nodes:
        found += _plain_assignments(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in functions:
                    arguments = functions[name].args
                    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
                    found += zip(names, node.args, strict=False)
                    found += [(word.arg, word.value) for word in node.keywords if word.arg]
                case ast.FunctionDef(name=name):
                    returns = (n for n in ast.walk(node) if isinstance(n, ast.Return))
                    found += [(name, one.value) for one in returns if one.value is not None]
                case _:
                    pass
    return found


def _plain_assignments(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _unpacked(target, value)
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.NamedExpr(target=target, value=value)
                | ast.For(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ):
                yield target, value
            case ast.AugAssign(target=target, op=operation, value=value):
                yield target, ast.BinOp(target, operation, value)
            case _:
                pass


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if (
        isinstance(target, ast.Tuple)
        and isinstance(value, ast.Tuple)
        and len(target.elts) == len(value.elts)
    ):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


def _targets(target: ast.expr | str) -> Iterator[str]:
    """Yield the names, and the attributes of ctx, that an assignment gives a value."""
    if isinstance(target, str):
        yield target
        return
    for node in ast.walk(target):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def _spread(
    assignments: list[_Assignment],
    holds: Callable[[ast.expr, frozenset[str]], bool],
    known: frozenset[str],
) -> frozenset[str]:
    """Return the names for which `holds` is true of something that they are given."""
    while True:
        given = [target for target, value in assignments if holds(value, known)]
        more = known.union(name for target in given for name in _targets(target))
        if more == known:
            return known
        known = more


def _is_kept(node: ast.expr) -> bool:
    """Whether `node` is something that the forward kept for the backward, other than tensors."""
    match node:
        case ast.Attribute(value=ast.Name(id="ctx" | "context"), attr=name):
            return name != "saved_tensors"
        case ast.Call(func=ast.Name(id="bool" | "int"), args=[value]):
            return _is_kept(value)
        case _:
            return False


def _tells_size(node: ast.AST, names: frozenset[str]) -> bool:
    match node:
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(value=value, attr=name):
            of_ctx = isinstance(value, ast.Name) and value.id in ("ctx", "context")
            part = name in _PARTS and _tells_size(value, names)
            return name in _SIZES or part or (of_ctx and name in names)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math")), args=arguments):
            return any(_tells_size(argument, names) for argument in arguments)
        case ast.Call(func=ast.Attribute() as function):
            return _tells_size(function, names)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            told = any(_tells_size(argument, names) for argument in arguments)
            return told or name == "len" or name in names
        case ast.Subscript(value=value):
            return _tells_size(value, names)
        case _:
            return any(_tells_size(child, names) for child in ast.iter_child_nodes(node))


def _is_computed(node: ast.AST, names: frozenset[str]) -> bool:
    match node:
        case ast.BinOp() | ast.Call(func=ast.Attribute(value=ast.Name(id="math"))):
            return True
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(value=ast.Name(id="ctx" | "context"), attr=name):
            return name in names
        case ast.Attribute() | ast.Call(func=ast.Attribute()):
            return False
        case _:
            return any(_is_computed(child, names) for child in ast.iter_child_nodes(node))


def _is_tensor(node: ast.AST, names: frozenset[str]) -> bool:
    match node:
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)):
            return name in names or name == "forward"
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in MAKES_TENSORS
        case ast.Subscript(value=value) | ast.UnaryOp(operand=value) | ast.NamedExpr(value=value):
            return _is_tensor(value, names)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return any(_is_tensor(part, names) for part in parts)
        case ast.BinOp(left=left, right=right):
            return _is_tensor(left, names) or _is_tensor(right, names)
        case _:
            return False
