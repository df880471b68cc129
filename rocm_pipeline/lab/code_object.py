"""What a compiled AMDGPU code object says about its kernels.

The metadata is a msgpack document in the ELF note "AMDGPU" (LLVM, "User Guide for AMDGPU
Backend", code object V5 metadata).
"""

from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from struct import error as StructError  # noqa: N812
from typing import Any

import msgpack
from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

from rocm_pipeline.errors import one_line
from rocm_pipeline.lab.machine_code import machine_code_sha256
from rocm_pipeline.lab.source_hash import carried_hash

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


MAX_BYTES = 64 << 20
MAX_HEADERS = 1000
MAX_KERNELS = 1000
_LARGEST = 1 << 31
"""No count, size or offset in the metadata of a kernel is larger."""


class CodeObjectError(ValueError):
    """The bytes are not a code object with AMDGPU metadata, or more than is read of one."""

    def __init__(self, reason: object) -> None:
        super().__init__(one_line(f"the code object cannot be read: {reason}"))


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
    """The architecture and kernels of a code object, and the hash of the source it was made of."""

    architecture: str
    kernels: tuple[KernelMetadata, ...]
    source_sha256: str
    """What the linker wrote; "" when the object carries no hash, or more than one."""
    code_sha256: str = ""
    """Of the instructions, constants and kernel descriptors; "" where it has too many symbols."""

    def kernel(self, name: str) -> KernelMetadata | None:
        return next((kernel for kernel in self.kernels if kernel.name == name), None)


def read_code_object(content: bytes) -> CodeObject:
    """Read a linked code object; raises `CodeObjectError` when it is none."""
    if len(content) > MAX_BYTES:
        raise CodeObjectError(f"{len(content)} bytes")
    try:
        elf = ELFFile(BytesIO(content))
        _check_headers(elf, len(content))
        machine = int(elf["e_flags"]) & _MACHINE_MASK
        entries = _metadata(elf)["amdhsa.kernels"]
        if not isinstance(entries, list):
            raise ValueError("no list of kernels")
        if len(entries) > MAX_KERNELS:
            raise ValueError(f"{len(entries)} kernels; at most {MAX_KERNELS} are read")
        kernels = tuple(_kernel(entry) for entry in entries)
        source_sha256 = carried_hash(content)
        code_sha256 = machine_code_sha256(elf, content)
    except _MALFORMED as error:
        raise CodeObjectError(str(error) or type(error).__name__) from error
    return CodeObject(_MACHINES.get(machine, hex(machine)), kernels, source_sha256, code_sha256)


_MALFORMED = (
    *(ELFError, ConstructError, msgpack.exceptions.UnpackException, StructError),
    *(ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, OverflowError),
)
"""What pyelftools and msgpack raise on bytes that are not what their headers say."""


def _check_headers(elf: Any, size: int) -> None:
    """Refuse headers that claim more than the file holds: pyelftools believes every count."""
    if elf.num_sections() > MAX_HEADERS or elf.num_segments() > MAX_HEADERS:
        raise ValueError("too many headers")
    for segment in elf.iter_segments():
        if segment["p_offset"] + segment["p_filesz"] > size:
            raise ValueError("a segment beyond the end")
    for section in elf.iter_sections():
        is_in_file = section["sh_type"] != "SHT_NOBITS"
        if is_in_file and section["sh_offset"] + section["sh_size"] > size:
            raise ValueError("a section beyond the end")


def _metadata(elf: Any) -> dict[str, Any]:
    for segment in elf.iter_segments("PT_NOTE"):
        for note in islice(segment.iter_notes(), MAX_HEADERS):
            if note["n_name"] == "AMDGPU":
                raw = note["n_desc"]
                # pyelftools decodes the payload of notes it does not know as latin-1.
                return msgpack.unpackb(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
    raise ValueError("no AMDGPU note")


def _kernel(entry: dict[str, Any]) -> KernelMetadata:
    explicit = (
        a for a in entry.get(".args", ()) if not _text(a, ".value_kind").startswith("hidden_")
    )
    return KernelMetadata(
        name=_text(entry, ".name"),
        arguments=tuple(_argument(a, index) for index, a in enumerate(explicit)),
        vgprs=_number(entry, ".vgpr_count"),
        agprs=_number(entry, ".agpr_count", 0),
        sgprs=_number(entry, ".sgpr_count"),
        lds_bytes=_number(entry, ".group_segment_fixed_size"),
        scratch_bytes=_number(entry, ".private_segment_fixed_size"),
        dynamic_stack=bool(entry.get(".uses_dynamic_stack", False)),
        vgpr_spills=_number(entry, ".vgpr_spill_count", 0),
        sgpr_spills=_number(entry, ".sgpr_spill_count", 0),
        kernarg_bytes=_number(entry, ".kernarg_segment_size"),
        max_workgroup=_number(entry, ".max_flat_workgroup_size"),
        wave=_number(entry, ".wavefront_size"),
    )


def _argument(entry: dict[str, Any], index: int) -> KernelArgument:
    return KernelArgument(
        name=_text(entry, ".name", f"parameter {index}"),
        offset=_number(entry, ".offset"),
        size=_number(entry, ".size"),
        kind=_text(entry, ".value_kind"),
    )


def _number(entry: dict[str, Any], key: str, absent: int | None = None) -> int:
    value = entry.get(key, absent)
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"{key} is no number")
    return value


def _text(entry: dict[str, Any], key: str, absent: str | None = None) -> str:
    value = entry.get(key, absent)
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value
