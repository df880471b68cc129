"""Sizes of the compiler's types in memory, as its textual intermediate code writes them."""

import re
from collections.abc import Sequence

from rocm_pipeline.lab.emulator.build import BuildFailed
from rocm_pipeline.lab.emulator.ir import first_type, size_in_bytes, split_operands
from rocm_pipeline.lab.emulator.source import SOURCE_NAME

_NAMED = re.compile(r'(?P<name>%(?:[\w.$-]+|"[^"]*")) = type (?P<body>.*)')
_ARRAY = re.compile(r"\[(?P<count>\d+) x (?P<element>.+)\]")
_NAME = re.compile(r'%(?:[\w.$-]+|"[^"]*")')


class TypeLayout:
    """Knows the named types of one module."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._named = {match["name"]: match["body"] for match in map(_NAMED.match, lines) if match}

    def first_type(self, text: str) -> str:
        """The type that `text` begins with; a quoted name may hold blanks and brackets."""
        name = _NAME.match(text)
        return name[0] if name else first_type(text).removesuffix(",")

    def size(self, kind: str) -> int:
        """Bytes between two elements of an array of `kind`; raises BuildFailed if unknown."""
        return self._size_and_alignment(kind)[0]

    def _size_and_alignment(self, kind: str) -> tuple[int, int]:
        if kind in self._named:
            return self._size_and_alignment(self._named[kind])
        array = _ARRAY.fullmatch(kind)
        if array:
            size, alignment = self._size_and_alignment(array["element"])
            return int(array["count"]) * size, alignment
        if kind.startswith("<{"):
            return sum(self.size(each) for each in _members(kind[2:-2])), 1
        if kind.startswith("{"):
            return self._structure(_members(kind[1:-1]))
        size = size_in_bytes(kind)
        if size is None:
            raise BuildFailed(
                f"{SOURCE_NAME}:1:1: error: UNSUPPORTED: a local variable of type {kind}"
            )
        # Scalars and vectors lie at multiples of their size, the next power of two.
        alignment = 1 << (size - 1).bit_length()
        return alignment, alignment

    def _structure(self, members: Sequence[str]) -> tuple[int, int]:
        end, largest = 0, 1
        for member in members:
            size, alignment = self._size_and_alignment(member)
            end = _rounded_up(end, alignment) + size
            largest = max(largest, alignment)
        return _rounded_up(end, largest), largest


def _members(body: str) -> list[str]:
    return [each.strip() for each in split_operands(body.strip())] if body.strip() else []


def _rounded_up(value: int, multiple: int) -> int:
    return (value + multiple - 1) // multiple * multiple
