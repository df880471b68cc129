"""What a compiled AMDGPU code object says about its kernels.

The metadata is a msgpack document in the ELF note "AMDGPU" (LLVM, "User Guide for AMDGPU
Backend", code object V5 metadata).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import msgpack
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

_MACHINE_MASK = 0xFF
_MACHINES = {
    0x3F: "gfx90a",
    0x4C: "gfx942",
    0x4F: "gfx950",
    0x36: "gfx1030",
    0x41: "gfx1100",
    0x4E: "gfx1201",
}
"""EF_AMDGPU_MACH values of the ELF header's flags (LLVM, `BinaryFormat/ELF.h`)."""


class CodeObjectError(ValueError):
    """The bytes are not a code object with AMDGPU metadata."""


@dataclass(frozen=True)
class KernelArgument:
    """One explicit parameter of a kernel; `kind` is LLVM's `.value_kind`."""

    name: str
    offset: int
    size: int
    kind: str

    @property
    def is_pointer(self) -> bool:
        return self.kind in ("global_buffer", "dynamic_shared_pointer")


@dataclass(frozen=True)
class KernelMetadata:
    """One kernel of a code object. `vgprs` counts all vector registers, accumulators included."""

    name: str
    arguments: tuple[KernelArgument, ...]
    vgprs: int
    agprs: int
    sgprs: int
    lds_bytes: int
    scratch_bytes: int
    dynamic_stack: bool
    vgpr_spills: int
    sgpr_spills: int
    kernarg_bytes: int
    max_workgroup: int
    wave: int


@dataclass(frozen=True)
class CodeObject:
    """The architecture, kernels and defined symbols of a code object."""

    architecture: str
    kernels: tuple[KernelMetadata, ...]
    symbols: frozenset[str]

    def kernel(self, name: str) -> KernelMetadata | None:
        return next((kernel for kernel in self.kernels if kernel.name == name), None)


def read_code_object(content: bytes) -> CodeObject:
    """Read a linked code object; raises `CodeObjectError` when it is none."""
    try:
        elf = ELFFile(BytesIO(content))
        machine = int(elf["e_flags"]) & _MACHINE_MASK
        document = _metadata(elf)
        kernels = tuple(_kernel(entry) for entry in document["amdhsa.kernels"])
        symbols = frozenset(_symbols(elf))
    except (ELFError, KeyError, TypeError, ValueError, msgpack.exceptions.UnpackException) as error:
        raise CodeObjectError(f"not an AMDGPU code object: {error}") from error
    return CodeObject(_MACHINES.get(machine, hex(machine)), kernels, symbols)


def _metadata(elf: Any) -> dict[str, Any]:
    for segment in elf.iter_segments("PT_NOTE"):
        for note in segment.iter_notes():
            if note["n_name"] == "AMDGPU":
                raw = note["n_desc"]
                # pyelftools decodes the payload of notes it does not know as latin-1.
                return msgpack.unpackb(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
    raise ValueError("no AMDGPU note")


def _symbols(elf: Any) -> Iterator[str]:
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            for symbol in section.iter_symbols():
                if symbol["st_shndx"] != "SHN_UNDEF":
                    yield symbol.name


def _kernel(entry: dict[str, Any]) -> KernelMetadata:
    explicit = (a for a in entry.get(".args", ()) if not a[".value_kind"].startswith("hidden_"))
    return KernelMetadata(
        name=entry[".name"],
        arguments=tuple(_argument(a, index) for index, a in enumerate(explicit)),
        vgprs=entry[".vgpr_count"],
        agprs=entry.get(".agpr_count", 0),
        sgprs=entry[".sgpr_count"],
        lds_bytes=entry[".group_segment_fixed_size"],
        scratch_bytes=entry[".private_segment_fixed_size"],
        dynamic_stack=entry.get(".uses_dynamic_stack", False),
        vgpr_spills=entry.get(".vgpr_spill_count", 0),
        sgpr_spills=entry.get(".sgpr_spill_count", 0),
        kernarg_bytes=entry[".kernarg_segment_size"],
        max_workgroup=entry[".max_flat_workgroup_size"],
        wave=entry[".wavefront_size"],
    )


def _argument(entry: dict[str, Any], index: int) -> KernelArgument:
    return KernelArgument(
        name=entry.get(".name", f"parameter {index}"),
        offset=entry[".offset"],
        size=entry[".size"],
        kind=entry[".value_kind"],
    )
