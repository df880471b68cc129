"""Rules that keep an operator what it was judged to be: on another device, and at other sizes.

It is judged on the CPU and with small tensors. So nothing that it does may depend on where its
tensors lie, nor on how large they are or what they hold, other than by raising. Besides the
backward, whose formula is held against the reference's gradients, it computes nothing at all: it
checks, allocates and calls its kernel. All this is read from the source and can be evaded with
enough arithmetic; it is no proof.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from rocm_pipeline.integration.operator_tree import MAKES_TENSORS, Tree
from rocm_pipeline.integration.package import NAMESPACE
from rocm_pipeline.targets.spec import Target

_DTYPES = {"float16", "float32", "float64", "int16", "int32", "int64", "int8", "uint8"}
_ASKS = {
    "Size", "SymInt", "Tensor", "_check", "device", "dim", "dtype", "element_size",
    "is_contiguous", "is_floating_point", "itemsize", "layout", "ndim", "numel", "shape", "size",
    "stride", "strided",
}  # fmt: skip
_OTHERWISE = {
    "append", "channels_last", "contiguous_format", "count", "custom_op", "default", "extend",
    "functional", "items", "join", "keys", "library", "nn", "ops", "preserve_format",
    "register_autograd", "register_fake", "register_vmap", "save_for_backward", "saved_tensors",
    "set_materialize_grads", "values", NAMESPACE,
}  # fmt: skip
_WITHOUT_COMPUTING = _DTYPES | MAKES_TENSORS | _ASKS | _OTHERWISE
"""Attributes of an operator outside its backward, besides those of `ctx`, math and typing."""

_DEVICES = {
    "accelerator", "cpu", "cuda", "data_ptr", "hip", "item", "mps", "mtia", "register_kernel",
    "register_torch_dispatch", "tolist", "type", "typename", "version", "xpu",
}  # fmt: skip
"""Attributes that tell where a tensor lies or what it holds, as do those with `device` in the name
and those that begin with `is_`."""
_HARMLESS_QUESTIONS = {"dim", "is_complex", "is_contiguous", "is_floating_point"}
_HARMLESS_FACTS = {"dtype", "layout", "ndim"}
_CHOOSERS = {
    "all", "any", "bool", "divmod", "filter", "max", "min", "pow", "round", "slice", "sorted",
}  # fmt: skip
"""Builtins by which a size can choose."""
_STEPS = (ast.FloorDiv, ast.Mod, ast.RShift, ast.LShift)
_SMALL = 8
"""A number so small that every size which is judged lies on either side of it."""

_Violation = tuple[int, str]

_BRANCH = (
    "branches on what is not the same everywhere; other than by raising, an operator may branch on "
    "flags, ranks and element types alone"
)
_CHOICE = "lets a size, a device or a value choose, other than by raising"
_TEXT = "writes text outside an error's message"
_DEVICE = "uses '.device' other than as `device=x.device` or in a check that raises"


def dependences(target: Target, tree: ast.Module) -> Iterator[_Violation]:
    """Yield what in `op.py` may do otherwise where it is not judged, with its line."""
    found = Tree.of(tree, target.name, target.inputs)
    for statement in tree.body:
        rules = _Rules(target, found, found.flags(statement))
        one = rules.in_backward if statement in found.backward else rules.elsewhere
        for node in ast.walk(statement):
            yield from rules.everywhere(node)
            yield from one(node)


@dataclass(frozen=True)
class _Rules:
    target: Target
    tree: Tree
    flags: frozenset[str]
    """Names that may decide something here (see `Tree.flags`)."""

    def everywhere(self, node: ast.AST) -> Iterator[_Violation]:
        guarded = node in self.tree.guarded
        match node:
            case ast.Attribute(attr="device"):
                if not self._may_tell_device(node):
                    yield node.lineno, _DEVICE
            case ast.Attribute(attr=name) if _tells_device(name):
                yield node.lineno, _looks(name)
            case ast.alias(name=name) if _tells_device(name.split(".")[-1]) or name == "device":
                yield node.lineno, _looks(name)
            case ast.keyword(arg="device", value=value) if not _is_device(value):
                yield node.lineno, "gives a device that is not an input's"
            case ast.Call(func=ast.Attribute(attr="to"), args=[ast.Constant(value=str()), *_]):
                yield node.lineno, "gives a device that is not an input's"
            case ast.Match():
                yield node.lineno, _BRANCH
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                if test not in self.tree.guarded and not self._is_harmless(test):
                    yield node.lineno, _BRANCH
            case ast.comprehension(ifs=tests):
                for test in tests:
                    if not guarded and not self._is_harmless(test):
                        yield test.lineno, _BRANCH
            case ast.JoinedStr() if not guarded:
                yield node.lineno, _TEXT
            case ast.Name(id="str") if not guarded and node not in self.tree.annotations:
                yield node.lineno, _TEXT
            case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()) if not guarded:
                yield node.lineno, _TEXT
            case ast.Call(func=ast.Name(id=name), args=arguments) if not guarded:
                told = any(self.tree.tells_size(argument) for argument in arguments)
                if told and (name in _CHOOSERS or (name == "range" and len(arguments) > 1)):
                    yield node.lineno, _CHOICE
            case ast.Subscript(slice=index, ctx=ast.Load()) if not guarded:
                if not _has_slice(index) and self.tree.tells_size(index):
                    yield node.lineno, _CHOICE
            case _:
                pass

    def in_backward(self, node: ast.AST) -> Iterator[_Violation]:
        """Yield what no formula of a gradient needs; which functions it calls is its own affair."""
        if node in self.tree.guarded:
            return
        tells = self.tree.tells_size
        match node:
            case ast.Compare(left=left, comparators=others):
                if any(tells(each) or _is_large(each) for each in (left, *others)):
                    yield node.lineno, _CHOICE
            case ast.BoolOp() if not self._is_harmless(node):
                yield node.lineno, _CHOICE
            case ast.BinOp(left=left, op=operation, right=right) if isinstance(operation, _STEPS):
                if tells(right) or (tells(left) and not _is_small(right)):
                    yield node.lineno, _CHOICE
            case ast.Call(func=ast.Name(id="int" | "float"), args=[ast.BinOp() as inner]):
                if tells(inner):
                    yield node.lineno, _CHOICE
            case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr=name)):
                if name in ("ceil", "floor", "trunc", "fmod") and any(map(tells, node.args)):
                    yield node.lineno, _CHOICE
            case _:
                pass

    def elsewhere(self, node: ast.AST) -> Iterator[_Violation]:
        """Yield what computes, or chooses, outside the backward."""
        match node:
            case ast.Attribute(value=value, attr=name) if not self._may_be_used(value, name):
                yield node.lineno, _computes(name)
            case ast.Name(id=name) if name in self.tree.imported:
                if (what := self.tree.imported[name]) not in _WITHOUT_COMPUTING:
                    yield node.lineno, _computes(what)
            case ast.Compare() | ast.BoolOp() if node not in self.tree.guarded:
                if not self._is_harmless(node):
                    yield node.lineno, _CHOICE
            case ast.BinOp(left=left, right=right):
                if self.tree.is_tensor(left) or self.tree.is_tensor(right):
                    yield node.lineno, _computes("arithmetic")
            case ast.AugAssign(target=changed, value=value):
                if self.tree.is_tensor(changed) or self.tree.is_tensor(value):
                    yield node.lineno, _computes("arithmetic")
            case ast.UnaryOp(operand=operand) if self.tree.is_tensor(operand):
                yield node.lineno, _computes("arithmetic")
            case ast.Subscript(value=value, slice=index) if self.tree.is_tensor(value):
                if not _is_whole(index):
                    yield node.lineno, "takes a part of a tensor outside the backward"
            case _:
                pass

    def _may_be_used(self, value: ast.expr, name: str) -> bool:
        of = value.id if isinstance(value, ast.Name) else ""
        return (
            of in ("ctx", "context", "math", "typing")
            or name in _WITHOUT_COMPUTING
            or name == self.target.name
        )

    def _may_tell_device(self, node: ast.Attribute) -> bool:
        is_torch = isinstance(node.value, ast.Name) and node.value.id == "torch"
        known = self.tree.guarded | self.tree.devices
        return (node in known and not is_torch) or node in self.tree.annotations

    def _is_harmless(self, node: ast.expr) -> bool:
        """Whether `node` is the same on every device and at every size."""
        match node:
            case ast.Constant(value=value):
                return not isinstance(value, int | float) or abs(value) <= _SMALL
            case ast.Name(id=name):
                return name in self.flags and name not in self.target.inputs
            case ast.Attribute(value=ast.Name(id="ctx" | "context"), attr=name):
                return name not in self.tree.sizes
            case ast.Attribute(value=ast.Name(id="torch")):
                return True
            case ast.Attribute(attr=name):
                return name in _HARMLESS_FACTS
            case ast.Call(func=ast.Attribute(attr=name), args=[]):
                return name in _HARMLESS_QUESTIONS
            case ast.Call(func=ast.Name(id="bool" | "int"), args=[value]):
                return self._is_harmless(value)
            case ast.Subscript(value=ast.Attribute(attr="needs_input_grad"), slice=ast.Constant()):
                return True
            case ast.UnaryOp(operand=operand):
                return self._is_harmless(operand)
            case ast.BoolOp(values=values) | ast.Tuple(elts=values):
                return all(map(self._is_harmless, values))
            case ast.Compare(left=left, comparators=others):
                return all(map(self._is_harmless, (left, *others)))
            case _:
                return False


def _computes(name: str) -> str:
    what = name if name == "arithmetic" else f"'{name}'"
    return f"uses {what} outside the backward, where it may only check, allocate and launch"


def _looks(name: str) -> str:
    return f"uses '{name}', by which it could look at a device, or at what a tensor holds"


def _tells_device(name: str) -> bool:
    asks = name.startswith("is_") and name not in _HARMLESS_QUESTIONS
    return asks or name in _DEVICES or ("device" in name and name != "device")


def _is_device(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "device"


def _is_large(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int(value)):
            return abs(value) > _SMALL
        case ast.BinOp(left=ast.Constant(), right=ast.Constant()):
            return True
        case _:
            return False


def _is_small(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not _is_large(node)


def _has_slice(index: ast.expr) -> bool:
    return any(isinstance(node, ast.Slice) for node in ast.walk(index))


def _is_whole(index: ast.expr) -> bool:
    """Whether an index takes everything: `[:]`, `[...]`, `[None, :]`."""
    match index:
        case ast.Slice(lower=None, upper=None, step=None):
            return True
        case ast.Constant(value=value):
            return value is None or value is ...
        case ast.Tuple(elts=parts):
            return all(map(_is_whole, parts))
        case _:
            return False
