"""The hash of its source that every compiled kernel carries: its ELF build ID.

The linker writes it from its command line (`--build-id=0x...`), after the compiler has seen the
last of the candidate. It is a note beside the code, so that it changes no instruction, register or
byte of LDS; it survives stripping; `readelf -n` shows it. What a source puts into a section of that
name is dropped by lld, and what it puts into other notes is not read.
"""

import hashlib
import struct
from collections.abc import Iterator

# elf(5): 64-bit little-endian files, their section headers, and a note with 32 bytes.
_MAGIC = b"\x7fELF\x02\x01"
_TABLE = struct.Struct("<40xQ10xHHH")
_SECTION = struct.Struct("<I20xQQ")
_NAME = b".note.gnu.build-id\0"
_NOTE_HEAD = struct.pack("<III4s", 4, 32, 3, b"GNU")
_NOTE_SIZE = len(_NOTE_HEAD) + 32


def hash_of(source: str) -> str:
    """The SHA-256 of `source` in UTF-8, as hex digits."""
    return hashlib.sha256(source.encode()).hexdigest()


def linker_option(source_sha256: str) -> str:
    """What makes lld and GNU ld write the hash into what they link."""
    return f"--build-id=0x{source_sha256}"


def carried_hash(content: bytes) -> str:
    """Return the source hash in an ELF file; "" when there is none, more than one, or no ELF."""
    try:
        notes = list(_build_id_sections(content))
    except (struct.error, OverflowError):
        return ""
    if len(notes) != 1 or len(notes[0]) != _NOTE_SIZE or not notes[0].startswith(_NOTE_HEAD):
        return ""
    return notes[0][len(_NOTE_HEAD) :].hex()


def mismatch(carried: str, source_sha256: str) -> str | None:
    """Say why an object with the hash `carried` is not of the source, or return None."""
    if carried == source_sha256:
        return None
    found = f"that of another source ({carried})" if carried else "none, or more than one"
    return f"the compiled object must carry its source's hash ({source_sha256}); it carries {found}"


def _build_id_sections(content: bytes) -> Iterator[bytes]:
    if not content.startswith(_MAGIC):
        return
    table, entry_size, count, names_number = _TABLE.unpack_from(content)
    _, names, _ = _SECTION.unpack_from(content, table + names_number * entry_size)
    for number in range(count):
        name, offset, size = _SECTION.unpack_from(content, table + number * entry_size)
        if content.startswith(_NAME, names + name):
            yield content[offset : offset + min(size, 2 * _NOTE_SIZE)]
