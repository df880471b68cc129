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
    "append", "channels_last", "contiguous_format", "custom_op", "default", "extend", "items",
    "join", "keys", "library", "needs_input_grad", "ops", "preserve_format", "register_autograd",
    "register_fake", "register_vmap", "save_for_backward", "set_materialize_grads", "values",
    NAMESPACE,
}  # fmt: skip
_WITHOUT_COMPUTING = _DTYPES | MAKES_TENSORS | _ASKS | _OTHERWISE
"""Attributes of an operator outside its backward, besides those of math and typing."""

_KEPT = {"context", "ctx", "math", "typing"}
"""Names with a meaning here, which nothing may change; the policy keeps that of `torch`."""

_LOOKS = {
    "data_ptr", "item", "register_kernel", "register_torch_dispatch", "tolist", "type", "typename",
    "version",
}  # fmt: skip
"""Attributes that tell where a tensor lies or what it holds; see `_tells_device` for more."""
_DEVICES = {
    "accelerator", "cpu", "cuda", "cudnn", "hip", "miopen", "mkldnn", "mps", "mtia", "xpu",
}  # fmt: skip
"""Words in a name such as `cudnn_is_acceptable` that make it depend on a device."""
_QUESTIONS = ("are_", "get_", "has_", "is_")
"""How the names begin of what asks the process, or a tensor, how things are there."""
_HARMLESS_QUESTIONS = {"dim", "is_complex", "is_contiguous", "is_floating_point"}
_HARMLESS_FACTS = {"dtype", "layout", "ndim"}
_CHOOSERS = {
    "all", "any", "bool", "divmod", "filter", "max", "min", "pow", "round", "slice", "sorted",
}  # fmt: skip
"""Builtins by which a size can choose."""
_LOOK_UPS = {
    "as_integer_ratio", "bit_count", "bit_length", "count", "get", "hex", "index", "pop",
    "setdefault", "to_bytes",
}  # fmt: skip
"""Methods of numbers and of Python's containers by which a size can choose."""
_CHANGES = {"append", "extend", "pop", "setdefault"}
"""Methods that leave something behind, as do those whose names end in `_`."""
_SMOOTH = {"log", "prod", "sqrt"}
"""Functions of math by which no size can choose; with the constants, all to be imported."""
_CONSTANTS = {"inf", "pi"}
_STEPS = (ast.FloorDiv, ast.Mod, ast.RShift)
_SMALL = 8
"""A number so small that every size which is judged lies on either side of it."""

_Violation = tuple[int, str]

_BRANCH = (
    "branches on what is not the same everywhere; other than by raising, an operator may branch on "
    "flags, ranks and element types alone"
)
_CHOICE = "lets a size, a device or a value choose, other than by raising"
_TEXT = "writes text outside an error's message"
_ACTS = "does more than look in a check that raises, which may leave it out"
_DEVICE = "uses '.device' other than as `device=x.device` or in a check that raises"
_OTHER_DEVICE = "gives a device that is not an input's"


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
            case ast.alias(name=name) if _tells_device(name.split(".")[-1]):
                yield node.lineno, _looks(name)
            case ast.alias(asname=name) | ast.Name(id=name, ctx=ast.Store()) if name in _KEPT:
                yield node.lineno, f"gives '{name}' another meaning"
            case ast.arg(arg="math" | "torch" | "typing" as name):
                yield node.lineno, f"gives '{name}' another meaning"
            case ast.alias(name="math", asname=str()):
                yield node.lineno, "gives math another name"
            case ast.ImportFrom(module="math", names=names):
                for name in sorted({alias.name for alias in names} - _SMOOTH - _CONSTANTS):
                    yield node.lineno, f"imports '{name}' from math; write `math.{name}`"
            case ast.keyword(arg="device", value=value) if not _is_device(value):
                yield node.lineno, _OTHER_DEVICE
            case ast.Call(func=ast.Attribute(attr="to"), args=[ast.Constant(value=str()), *_]):
                yield node.lineno, _OTHER_DEVICE
            case ast.Match():
                yield node.lineno, _BRANCH
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                if test not in self.tree.guarded and not self._is_harmless(test):
                    yield node.lineno, _BRANCH
            case _ if not guarded:
                yield from self._unless_it_raises(node)
            case ast.Name(id=name) if name in self.tree.launching:
                yield node.lineno, _ACTS
            case ast.Attribute(attr=name) if name in _CHANGES or name.endswith("_"):
                yield node.lineno, _ACTS
            case ast.Attribute(attr=self.target.name):
                yield node.lineno, _ACTS
            case _:
                pass

    def _unless_it_raises(self, node: ast.AST) -> Iterator[_Violation]:
        tells = self.tree.tells_size
        match node:
            case ast.For(iter=over) if self.tree.computes_size(over):
                yield node.lineno, _CHOICE
            case ast.comprehension(iter=over, ifs=tests):
                if self.tree.computes_size(over):
                    yield over.lineno, _CHOICE
                for test in tests:
                    if not self._is_harmless(test):
                        yield test.lineno, _BRANCH
            case ast.JoinedStr() | ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()):
                yield node.lineno, _TEXT
            case ast.Name(id="str") if node not in self.tree.annotations:
                yield node.lineno, _TEXT
            case ast.UnaryOp(op=ast.Not(), operand=operand) if tells(operand):
                yield node.lineno, _CHOICE
            case ast.Call(func=ast.Name(id="range"), args=[_, _, *_] as arguments):
                if any(map(tells, arguments)):
                    yield node.lineno, _CHOICE
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in _CHOOSERS:
                if any(map(tells, arguments)):
                    yield node.lineno, _CHOICE
            case ast.Call(func=ast.Name(id="len" | "range"), args=[one]):
                if self.tree.computes_size(one):
                    yield node.lineno, _CHOICE
            case ast.Subscript(slice=index, ctx=ast.Load()):
                if not _has_slice(index) and tells(index):
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
                halves = _is_small(right) and not _divides(left)
                if tells(right) or (tells(left) and not halves):
                    yield node.lineno, _CHOICE
            case ast.BinOp(op=ast.Pow(), right=right) if tells(right):
                yield node.lineno, _CHOICE
            case ast.Call(func=ast.Name(id="int"), args=[one]) if self.tree.computes_size(one):
                yield node.lineno, _CHOICE
            case ast.Call(func=ast.Attribute(value=of, attr=name), args=arguments):
                is_math = isinstance(of, ast.Name) and of.id == "math"
                chooses = name in _LOOK_UPS or (is_math and name not in _SMOOTH)
                if chooses and any(map(tells, (of, *arguments))):
                    yield node.lineno, _CHOICE
            case _:
                pass

    def elsewhere(self, node: ast.AST) -> Iterator[_Violation]:
        """Yield what computes, or chooses, outside the backward."""
        is_tensor = self.tree.is_tensor
        match node:
            case ast.Attribute() if not self._may_be_used(node):
                yield node.lineno, _computes(f"'{node.attr}'")
            case ast.Name(id=name) if name in self.tree.imported:
                if (what := self.tree.imported[name]) not in _WITHOUT_COMPUTING:
                    yield node.lineno, _computes(f"'{what}'")
            case ast.Compare() | ast.BoolOp() if node not in self.tree.guarded:
                if not self._is_harmless(node):
                    yield node.lineno, _CHOICE
            case (
                ast.BinOp(left=one, right=other)
                | ast.AugAssign(target=one, value=other)
                | ast.UnaryOp(operand=one as other)
            ) if is_tensor(one) or is_tensor(other):
                yield node.lineno, _computes("arithmetic")
            case ast.Subscript(value=value, slice=index) if is_tensor(value):
                if not _is_whole(index):
                    yield node.lineno, "takes a part of a tensor outside the backward"
            case ast.Subscript(slice=index, ctx=ast.Load()) if node not in self.tree.guarded:
                if self.tree.tells_size(index):
                    yield node.lineno, _CHOICE
            case ast.Call() if self._is_kernel(node.func):
                given = [*node.args, *(word.value for word in node.keywords)]
                if any(map(self.tree.computes_size, given)):
                    yield node.lineno, _CHOICE
            case _:
                pass

    def _may_be_used(self, node: ast.Attribute) -> bool:
        match node:
            case ast.Attribute(ctx=ast.Store()) | ast.Attribute(value=ast.Name("math" | "typing")):
                return True
            case ast.Attribute(value=ast.Attribute(attr=before), attr=self.target.name):
                return before == NAMESPACE
            case _:
                return node.attr in _WITHOUT_COMPUTING

    def _is_kernel(self, function: ast.expr) -> bool:
        match function:
            case ast.Name(id=name):
                return name in ("forward", "launch")
            case _:
                return isinstance(function, ast.Attribute) and function.attr == self.target.name

    def _may_tell_device(self, node: ast.Attribute) -> bool:
        match node.value:
            case ast.Name(id="torch"):
                return node in self.tree.annotations
            case _:
                return node in self.tree.guarded or node in self.tree.devices

    def _is_harmless(self, node: ast.expr) -> bool:
        """Whether `node` is the same on every device and at every size."""
        match node:
            case ast.Constant(value=int() | float()):
                return _is_small(node)
            case ast.Constant():
                return True
            case ast.Name(id=name):
                return name in self.flags and name not in self.target.inputs
            case ast.Attribute(value=ast.Name(id="ctx" | "context"), attr=name):
                return name not in self.tree.sizes
            case ast.Attribute(value=ast.Name(id="torch"), attr=name):
                return name in _WITHOUT_COMPUTING
            case ast.Attribute(attr=name):
                return name in _HARMLESS_FACTS
            case ast.Call(func=ast.Attribute(attr=name), args=[]):
                return name in _HARMLESS_QUESTIONS
            case ast.Subscript(value=ast.Attribute(attr="needs_input_grad"), slice=ast.Constant()):
                return True
            case ast.Call(func=ast.Name(id="bool" | "int"), args=[one]) | ast.UnaryOp(operand=one):
                return self._is_harmless(one)
            case ast.BoolOp(values=values) | ast.Tuple(elts=values):
                return all(map(self._is_harmless, values))
            case ast.Compare(left=left, comparators=others):
                return all(map(self._is_harmless, (left, *others)))
            case _:
                return False


def _computes(what: str) -> str:
    return f"uses {what} outside the backward, where it may only check, allocate and launch"


def _looks(name: str) -> str:
    return f"uses '{name}', by which it could look at a device, or at what a tensor holds"


def _tells_device(name: str) -> bool:
    asks = name.startswith(_QUESTIONS) and name not in _HARMLESS_QUESTIONS
    return asks or name in _LOOKS or "device" in name or not _DEVICES.isdisjoint(name.split("_"))


def _is_device(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "device"


def _is_large(node: ast.AST) -> bool:
    """Whether `node` is a large number, or calculates with numbers alone."""
    match node:
        case ast.Constant(value=int(value)):
            return value > _SMALL
        case ast.UnaryOp(operand=operand):
            return _is_large(operand)
        case ast.BinOp(left=left, right=right):
            return all(isinstance(each, ast.Constant) or _is_large(each) for each in (left, right))
        case _:
            return False


def _is_small(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int(value) | float(value)):
            return value <= _SMALL
        case _:
            return False


def _divides(node: ast.expr) -> bool:
    """Whether `node` holds a division or a large number, which brings a large size near 0."""
    return any(isinstance(each, ast.Div) or _is_large(each) for each in ast.walk(node))


def _has_slice(index: ast.expr) -> bool:
    return any(isinstance(node, ast.Slice) for node in ast.walk(index))


def _is_whole(index: ast.expr) -> bool:
    """Whether an index takes everything: `[:]`, `[...]`, `[None, :]`."""
    match index:
        case ast.Slice(lower=None, upper=None, step=None):
            return True
        case ast.Constant(value=value):
            return value in (None, ...)
        case ast.Tuple(elts=parts):
            return all(map(_is_whole, parts))
        case _:
            return False
