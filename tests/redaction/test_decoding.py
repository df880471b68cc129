"""Secrets that are escaped in part, mixed or twice go too; reading escapes takes linear time."""

import base64
import json
import secrets
import sys
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocm_pipeline.redaction.decoding import COMPATIBLE_LEADS, decoded
from rocm_pipeline.redaction.encodings import SHORTEST_PREFIX, squeeze
from rocm_pipeline.redaction.fingerprints import Fingerprints
from rocm_pipeline.redaction.redactor import MARK, Redactor
from tests.redaction.canaries import CANARIES, ENCODINGS
from tests.scale import scaled

SECRET = CANARIES[25]
KNOWING = Redactor(Fingerprints.of(CANARIES))

ESCAPES: tuple[Callable[[str], str], ...] = (
    str,
    lambda c: f"%{ord(c):02x}",
    lambda c: f"%25{ord(c):02X}",
    lambda c: f"\\x{ord(c):02x}",
    lambda c: f"\\u{ord(c):04x}",
    lambda c: f"\\\\u{ord(c):04x}",
    lambda c: f"\\u{{{ord(c):x}}}",
    lambda c: f"\\U{ord(c):08x}",
    lambda c: f"\\{ord(c):03o}",
    lambda c: f"&#{ord(c)};",
    lambda c: f"&amp;#x{ord(c):x};",
    lambda c: f"<U+{ord(c):04X}>",
    lambda c: chr(ord(c) + 0xFEE0),
    lambda c: f"\\u{ord(c) + 0xFEE0:04x}",
)


@settings(max_examples=scaled(short=300, long=10_000), deadline=None)
@given(st.lists(st.sampled_from(ESCAPES), min_size=len(SECRET), max_size=len(SECRET)))
def test_any_mixture_of_escapes_goes_and_what_stands_around_it_stays(
    escapes: list[Callable[[str], str]],
) -> None:
    spelled = "".join(escape(char) for escape, char in zip(escapes, SECRET, strict=True))
    assert KNOWING.text(f"é%20 {spelled} \u65e5%41") == f"é%20 {MARK} \u65e5%41"


@settings(max_examples=scaled(short=300, long=10_000), deadline=None)
@given(st.binary(max_size=200))
def test_every_byte_that_was_read_has_its_place(data: bytes) -> None:
    read = decoded(data)
    if read is None:
        return
    spans = [read.source(i, i + 1) for i in range(len(read.data))]
    assert spans == sorted(spans)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(data)


def test_a_surrogate_pair_is_one_character() -> None:
    bold = "".join(
        chr(0x1D400 + ord(c) - ord("A")) if "A" <= c <= "Z" else c for c in SECRET
    )  # mathematical bold capitals, beyond the first 65536 characters
    assert bold != SECRET
    assert json.dumps(bold) != json.dumps(bold, ensure_ascii=False)
    assert KNOWING.text(json.dumps(bold)) == f'"{MARK}"'
    assert KNOWING.text(bold) == MARK


def test_the_leading_bytes_are_those_of_all_letters_and_digits_that_nfkc_knows() -> None:
    units = range(0x3000, 0x4000)  # squared units, which no one writes a secret in
    leads = {
        chr(code).encode()[0]
        for code in range(0x80, sys.maxunicode + 1)
        if not 0xD800 <= code < 0xE000
        and code not in units
        and (plain := unicodedata.normalize("NFKC", chr(code))).isascii()
        and any(char.isalnum() for char in plain)
    }
    assert leads <= set(COMPATIBLE_LEADS)


@pytest.mark.parametrize("secret", [CANARIES[25], CANARIES[39], "k" + CANARIES[0] * 20 + "Z"])
def test_a_secret_that_is_cut_goes_while_two_thirds_are_there(secret: str) -> None:
    knowing = Redactor(Fingerprints.of([secret]))
    size = len(squeeze(secret.encode()))
    least = max(SHORTEST_PREFIX, -(-2 * size // 3))
    for end in range(1, len(secret) + 1):
        clean = knowing.text(f"x {secret[:end]}")
        if len(squeeze(secret[:end].encode())) < least:
            assert clean == f"x {secret[:end]}"
        else:
            rest = clean.removeprefix(f"x {MARK}")
            assert rest != clean
            assert len(squeeze(rest.encode())) < max(4, size // 24)


def test_what_only_resembles_a_cut_secret_stays() -> None:
    """The control: the middle, the end, and a beginning that is too short."""
    for text in (SECRET[: SHORTEST_PREFIX - 1], SECRET[8:], SECRET[8:30]):
        assert KNOWING.text(text) == text


MIB = 1 << 20
HARD = {
    "escaped code": json.dumps(json.dumps("for (int i = 0; i < n; ++i) y[i] = x[i];\n" * 30_000)),
    "percents": "%41b%20" * MIB,
    "percents of percents": "%25" * MIB,
    "backslashes": "\\" * MIB,
    "backslashes and letters": "\\\\\\\\\\\\\\q" * MIB,
    "escapes": "\\u0041\\u00e9" * MIB,
    "pairs": "\\ud835\\udc00" * (MIB // 8),
    "entities": "&#65;&amp;" * MIB,
    "full width": "\uff21\uff11" * (MIB // 6),
    "Chinese": "\u65e5\u672c\u8a9e" * (MIB // 9),
    "user of a URL": ("://a1" + "b" * 220) * (MIB // 200),
    "first letters of a secret": CANARIES[7][:12] * MIB,
    "noise": base64.b64encode(secrets.token_bytes(MIB)).decode(),
}


@pytest.mark.parametrize("kind", HARD)
def test_a_mebibyte_of_what_is_hard_to_read_takes_no_more_for_each_part(kind: str) -> None:
    data = HARD[kind].encode()[:MIB]
    assert len(data) > MIB * 9 // 10
    quarter = data[: MIB // 4]
    KNOWING.data(quarter)
    small, large = _seconds(quarter), _seconds(data)
    assert large < 4.0, f"{large:.2f} s of CPU"
    assert large < 12 * small + 0.1, f"{small:.3f} s for a quarter, {large:.3f} s for all"


def _seconds(data: bytes) -> float:
    started = time.process_time()
    KNOWING.data(data)
    return time.process_time() - started


def test_the_fingerprints_of_many_secrets_fit_into_a_variable() -> None:
    many = [f"{canary}{canary}{number}" for number, canary in enumerate(CANARIES * 2)]
    assert len(Fingerprints.of(many).dump()) < 128 * 1024
    assert len(ENCODINGS) >= 40
