"""The hash of its source in a compiled object: read, missing, forged."""

import hashlib
import struct

import pytest

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.source_hash import carried_hash, hash_of, mismatch
from rocm_pipeline.lab.toolchain import Toolchain

OTHER_HASH = "ab" * 32
SECTIONS = (".note.gnu.build-id", ".note.forged")


def with_forged_note(source: str, section: str) -> str:
    """Add a build ID of the candidate's own, of another source."""
    words = struct.unpack("<12I", struct.pack("<III4s", 4, 32, 3, b"GNU") + b"\xab" * 32)
    note = ", ".join(f"{word}u" for word in words)
    return (
        f"{source}\n__attribute__((section({section!r}), used)) __constant__ "
        f"const unsigned forged[] = {{{note}}};\n"
    ).replace("'", '"')


def test_the_hash_is_that_of_the_sources_bytes() -> None:
    assert hash_of("\u03c0") == hashlib.sha256(b"\xcf\x80").hexdigest()


def test_an_object_carries_the_hash_of_its_source(toolchain: Toolchain, scale_source: str) -> None:
    build = toolchain.compile(scale_source, "gfx942")

    assert carried_hash(build.code_object) == hash_of(scale_source)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_source_cannot_give_itself_another_hash(
    toolchain: Toolchain, scale_source: str, section: str
) -> None:
    forged = with_forged_note(scale_source, section)
    build = toolchain.compile(forged, "gfx942")

    assert build.status is Status.PASSED, build.message
    assert bytes.fromhex(OTHER_HASH) in build.code_object or section == SECTIONS[0]
    assert carried_hash(build.code_object) == hash_of(forged)


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 200])
def test_what_is_no_object_carries_nothing(content: bytes) -> None:
    assert carried_hash(content) == ""


def test_damage_at_any_place_gives_the_hash_or_another_text_but_no_exception(
    toolchain: Toolchain, scale_source: str
) -> None:
    content = toolchain.compile(scale_source, "gfx942").code_object

    for place in range(len(content)):
        carried_hash(content[:place])
        carried_hash(content[:place] + b"\xff" + content[place + 1 :])
    assert carried_hash(content[:-64]) == ""


def test_two_notes_of_that_name_are_none(toolchain: Toolchain, scale_source: str) -> None:
    content = bytearray(toolchain.compile(scale_source, "gfx942").code_object)
    table, size, count = struct.unpack_from("<40xQ10xHH", content)
    names = [struct.unpack_from("<I", content, table + number * size)[0] for number in range(count)]
    assert len(set(names)) == count
    for number in range(1, count):
        struct.pack_into("<I", content, table + number * size, names[2])

    assert carried_hash(bytes(content)) == ""


def test_a_mismatch_says_what_was_found() -> None:
    assert mismatch(OTHER_HASH, OTHER_HASH) is None
    assert f"that of another source ({OTHER_HASH})" in str(mismatch(OTHER_HASH, hash_of("")))
    assert "it carries none" in str(mismatch("", OTHER_HASH))
