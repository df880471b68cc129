"""The machine code of a code object, apart from what says of which source it was made.

Two sources that differ in a comment, or in a way that the compiler undoes, give objects that differ
in the source's hash and in the names of parameters, and nothing else.
"""

import hashlib
import struct
from itertools import islice
from typing import Any

_MOST_SYMBOLS = 10_000
_DESCRIPTOR = ".kd"
_ENTRY = slice(16, 24)
"""Of a kernel descriptor: how far away its code begins, which moves with the length of names.

LLVM, "User Guide for AMDGPU Backend", kernel descriptor.
"""
_WRITTEN_BY_THE_COMPILER = (".text", ".rodata", ".data")


def machine_code_sha256(elf: Any, content: bytes) -> str:
    """Return the hash of instructions, constants, initial values and kernel descriptors.

    `elf` is the `ELFFile` of `content`, its headers checked. "" for more symbols than are read.
    """
    exported = elf.get_section_by_name(".dynsym")
    symbols = [] if exported is None else list(islice(exported.iter_symbols(), _MOST_SYMBOLS + 1))
    if len(symbols) > _MOST_SYMBOLS:
        return ""
    descriptors = [int(s["st_value"]) for s in symbols if s.name.endswith(_DESCRIPTOR)]
    digest = hashlib.sha256()
    for name in _WRITTEN_BY_THE_COMPILER:
        section = elf.get_section_by_name(name)
        if section is None or section["sh_type"] == "SHT_NOBITS":
            continue
        begin, size = int(section["sh_offset"]), int(section["sh_size"])
        data = bytearray(content[begin : begin + size])
        for address in descriptors:
            at = address - int(section["sh_addr"])
            if 0 <= at <= len(data) - _ENTRY.stop:
                data[at + _ENTRY.start : at + _ENTRY.stop] = bytes(_ENTRY.stop - _ENTRY.start)
        digest.update(struct.pack("<16sQ", name.encode(), len(data)) + data)
    return digest.hexdigest()
