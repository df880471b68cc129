"""Code objects and assembly: what a compiler made of an agent's source, read by the harness."""

import struct
from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.lab.code_object import CodeObject, CodeObjectError, read_code_object
from rocm_pipeline.lab.instruction_mix import instruction_mix
from rocm_pipeline.lab.source_hash import carried_hash
from tests.conftest import RecordFigure
from tests.fuzz.mutations import (
    mutated_bytes,
    mutated_document,
    mutated_lines,
    mutated_text,
    nudged_document,
)
from tests.fuzz.oracle import LONGEST_LINE, Oracle, fuzzing

HEADERS = 64 + 20 * 56
"""Bytes of an ELF header and the program headers behind it."""
NOTE = b"AMDGPU\0\0"
DEEP = b"\x91" * 3000 + b"\xc0"
BOMBS = (
    *(b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", DEEP, b""),
    *(b"\x81\x91\x01\x02", b"\xc7\x04\xffaaaa", b"\xc1", b"\x00\x00", b"\xd9\x04\xff\xff\xff\xff"),
    *(
        b"\x81\xaeamdhsa.kernels" + tail
        for tail in (b"\x01", b"\xc0", DEEP, b"\x91\x80", b"\x92\x01")
    ),
)
INSTRUCTIONS = (
    *(
        "\tglobal_load_b" + "9" * 5000 + " v0\n",
        "\n" * 50_000,
        " " * 50_000,
        "\t.type x,@function\n",
    ),
    *("x:\n", "\t" * 50_000 + ".type", "\ts_waitcnt vmcnt(0)\n", "\tv_mfma_\n", "a" * 50_000 + ":"),
)


def with_note(payload: bytes) -> bytes:
    """Return the smallest ELF file whose only content is an AMDGPU note of this payload."""
    note = struct.pack("<III", len(NOTE) - 1, len(payload), 32) + NOTE + payload
    note += b"\0" * (-len(note) % 4)
    ident = b"\x7fELF\x02\x01\x01\x40\x03" + b"\0" * 7
    header = struct.pack("<HHIQQQIHHHHHH", 3, 224, 1, 0, 64, 0, 0x3F, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(note), len(note), 4)
    return ident + header + segment + note


def metadata_of(code_object: bytes) -> dict[str, Any]:
    """Return the metadata of a real code object, found by its name and size."""
    place = code_object.index(NOTE)
    (size,) = struct.unpack_from("<I", code_object, place - 8)
    return msgpack.unpackb(code_object[place + len(NOTE) :][:size])


def read(content: bytes) -> CodeObject:
    found = read_code_object(content)
    for kernel in found.kernels:
        numbers = (kernel.vgprs, kernel.sgprs, kernel.lds_bytes, kernel.wave, kernel.max_workgroup)
        assert all(type(number) is int and number >= 0 for number in numbers)
        assert isinstance(kernel.name, str)
        assert all(isinstance(a.is_pointer, bool) and a.size >= 0 for a in kernel.arguments)
    return found


def test_metadata_in_an_elf_file_of_ours_reads_as_in_the_compilers(code_object: bytes) -> None:
    ours = read_code_object(with_note(_packed(metadata_of(code_object))))
    assert ours.kernels == read_code_object(code_object).kernels
    assert ours.kernels


def test_a_hostile_code_object_is_read_or_refused_in_one_line(
    code_object: bytes, record_figure: RecordFigure
) -> None:
    oracle = Oracle("code-object metadata", (CodeObjectError,))
    document = metadata_of(code_object)
    small = with_note(_packed(document))
    inputs = st.one_of(
        mutated_bytes([code_object], head=HEADERS),
        mutated_bytes([small], head=120),
        mutated_document([document], _PACKABLE).map(_packed).map(with_note),
        nudged_document([document]).map(_packed).map(with_note),
        mutated_bytes([_packed(document)]).map(with_note),
        st.sampled_from(BOMBS).map(with_note),
    )

    @fuzzing()
    @given(inputs)
    def fuzz(content: bytes) -> None:
        oracle.feed(lambda: read(content))
        assert len(carried_hash(content)) <= LONGEST_LINE

    fuzz()
    record_figure("fuzz", oracle.figure())


def test_headers_that_claim_what_the_file_lacks_are_refused(code_object: bytes) -> None:
    oracle = Oracle("code-object metadata", (CodeObjectError,))
    for offset, width in (
        (0x20, 8),
        (0x28, 8),
        (0x36, 2),
        (0x38, 2),
        (0x3A, 2),
        (0x3C, 2),
        (0x3E, 2),
    ):
        for number in (0, 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1):
            changed = bytearray(code_object)
            changed[offset : offset + width] = number.to_bytes(width, "little")
            oracle.feed(lambda changed=changed: read(bytes(changed)))
    assert oracle.refused


def test_hostile_assembly_is_counted_without_end_or_error(
    assembly: tuple[str, ...], record_figure: RecordFigure
) -> None:
    oracle = Oracle("assembly")
    inputs = st.one_of(mutated_text(assembly, INSTRUCTIONS), mutated_lines(assembly))

    @fuzzing()
    @given(inputs)
    def fuzz(text: str) -> None:
        mixes = oracle.feed(lambda: instruction_mix(text))
        assert mixes is not None
        assert all(count > 0 for mix in mixes.values() for count in mix.values())

    fuzz()
    record_figure("fuzz", oracle.figure())


_PACKABLE: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, 2**64 - 1, 1e300, float("nan"), "", "x\n\x1b", "hidden_", b"\xff"),
    *([], {}, [[]], [None], {"": 1}, ["x"] * 2000, "a" * 5000, {".value_kind": 7}, [{}], [[[[]]]]),
)


def _packed(document: Any) -> bytes:
    packed = msgpack.packb(document, unicode_errors="surrogatepass")
    assert isinstance(packed, bytes)
    return packed
