"""Every name that our header offers to kernels, and what is known about it.

`data/hip_names.yaml` is the table; docs/hip.md and the tests are made from it, and a test compares
it with the header.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

ARCHITECTURES = ("gfx90a", "gfx942", "gfx950", "gfx1030", "gfx1100", "gfx1201")
"""What names are compiled for, oldest first; CDNA, then RDNA."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(_Row):
    """Names of one kind: all of them run on the emulator and compile for every architecture."""

    title: str
    header: str = "hip/hip_runtime.h"
    note: str = ""
    names: tuple[str, ...]


class Builtin(_Row):
    """A builtin of the AMDGPU compiler that the emulator has, too."""

    name: str
    use: str
    """Statements that use it, with `int* y` and `float* f` to read and write."""
    architectures: tuple[str, ...] = ARCHITECTURES
    """Those for which it compiles."""


class BuiltinGroup(_Row):
    title: str
    note: str = ""
    builtins: tuple[Builtin, ...]


class Refusal(_Row):
    """Names of HIP that a kernel cannot use here, and why."""

    names: tuple[str, ...]
    reason: str


class HipNames(_Row):
    """The whole table."""

    groups: tuple[Group, ...]
    builtins: tuple[BuiltinGroup, ...]
    refused: tuple[Refusal, ...] = Field(min_length=1)

    def offered(self) -> frozenset[str]:
        return frozenset(name for group in self.groups for name in group.names)

    def offered_builtins(self) -> frozenset[str]:
        return frozenset(each.name for group in self.builtins for each in group.builtins)

    def markdown(self) -> str:
        """Return the tables of docs/hip.md."""
        parts = [_group_text(group) for group in self.groups]
        parts += [_builtins_text(group) for group in self.builtins]
        rows = [f"| {_code(each.names)} | {each.reason} |" for each in self.refused]
        parts.append("\n".join(["### Refused", "", "| Names | Why |", "|---|---|", *rows, ""]))
        return "\n".join(parts)


@cache
def hip_names() -> HipNames:
    """Read the table."""
    text = (files("rocm_pipeline.lab") / "data" / "hip_names.yaml").read_text(encoding="utf-8")
    return HipNames.model_validate(yaml.safe_load(text))


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _group_text(group: Group) -> str:
    note = f"{group.note}\n\n" if group.note else ""
    where = f" (`#include <{group.header}>`)" if group.header != "hip/hip_runtime.h" else ""
    return f"### {group.title}{where}\n\n{note}{_code(group.names)}\n"


def _builtins_text(group: BuiltinGroup) -> str:
    head = ["| Builtin | " + " | ".join(ARCHITECTURES) + " | emulated |", "|---" * 8 + "|"]
    rows = [
        f"| `{each.name}` | "
        + " | ".join("yes" if name in each.architectures else "-" for name in ARCHITECTURES)
        + " | yes |"
        for each in group.builtins
    ]
    note = [group.note, ""] if group.note else []
    return "\n".join([f"### {group.title}", "", *note, *head, *rows, ""])
