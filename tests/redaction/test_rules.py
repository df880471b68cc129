"""Every rule takes its secret and leaves what only looks like one."""

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rocm_pipeline
from rocm_pipeline.redaction.fingerprints import Fingerprints
from rocm_pipeline.redaction.keywords import places
from rocm_pipeline.redaction.redactor import MARK, Redactor
from rocm_pipeline.redaction.rules import RULES
from tests.redaction.canaries import CANARIES, ENCODINGS
from tests.redaction.samples import NEGATIVE, POSITIVE
from tests.scale import scaled

PLAIN = Redactor()


@pytest.mark.parametrize(("name", "around", "secret"), POSITIVE, ids=[p[0] for p in POSITIVE])
def test_a_secret_is_taken_and_what_stands_around_it_stays(
    name: str, around: str, secret: str
) -> None:
    del name
    text = f"before\n{around.replace('{}', secret)}\nafter"
    clean = PLAIN.text(text)
    assert secret not in clean
    assert MARK in clean
    assert clean.startswith("before\n")
    assert clean.endswith("\nafter") or "PRIVATE KEY" in around
    assert PLAIN.text(clean) == clean


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_is_no_secret_stays(text: str) -> None:
    assert PLAIN.text(text) == text


def test_every_rule_has_a_sample() -> None:
    taken = set[str]()
    for _, around, secret in POSITIVE:
        data = around.replace("{}", secret)
        for place, rules in places(data.encode()):
            taken |= {rule.pattern.pattern for rule in rules if rule.pattern.match(data, place)}
    assert [rule.name for rule in RULES if rule.pattern.pattern not in taken] == []
    assert len(RULES) >= 40


def test_our_own_code_and_targets_hold_nothing_that_is_taken() -> None:
    folder = Path(rocm_pipeline.__file__).parent
    paths = [p for p in folder.rglob("*") if p.suffix in (".py", ".hip", ".md", ".yaml", ".j2")]
    assert len(paths) > 100
    touched = [path for path in paths if PLAIN.data(path.read_bytes()) != path.read_bytes()]
    assert touched == []


def test_json_stays_json_with_its_secrets_gone() -> None:
    texts = [around.replace("{}", secret) for _, around, secret in POSITIVE]
    clean = PLAIN.text(json.dumps({"texts": texts, "n": 1}))
    assert len(json.loads(clean)["texts"]) == len(texts)
    for _, _, secret in POSITIVE:
        assert json.dumps(secret)[1:-1] not in clean


def _head(text: str, cut: int) -> str:
    return text[:cut]


def _tail(text: str, cut: int) -> str:
    return text[cut:]


_SECRETS = (
    *CANARIES,
    *(spell(CANARIES[9]) for spell in ENCODINGS.values()),
    *(around.replace("{}", secret) for _, around, secret in POSITIVE),
)
_PIECES = st.one_of(
    st.sampled_from(_SECRETS),
    st.builds(_head, st.sampled_from(_SECRETS), st.integers(1, 40)),
    st.builds(_tail, st.sampled_from(_SECRETS), st.integers(1, 40)),
    st.sampled_from((MARK, "\\", "\\u00", "\\n", '"', "://", "@", "=", ":", " ", "Bearer ", "é")),
    st.text(max_size=4),
)
KNOWING = Redactor(Fingerprints.of(CANARIES))


@settings(max_examples=scaled(short=300, long=5000), deadline=None)
@given(st.lists(_PIECES, max_size=8).map("".join))
def test_redacting_again_changes_nothing(text: str) -> None:
    clean = KNOWING.text(text)
    assert KNOWING.text(clean) == clean
    assert not [canary for canary in CANARIES if canary in clean]


@settings(max_examples=scaled(short=200, long=5000), deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_can_be_redacted(data: bytes) -> None:
    clean = KNOWING.data(data)
    assert KNOWING.data(clean) == clean


def test_what_a_mark_uncovers_goes_too() -> None:
    after_it = "12345678:AA" + "x" * 33
    text = f"https://ghp_{'a1' * 18}:x-oauth-basic@github.com {after_it}{CANARIES[0]}"
    clean = KNOWING.text(text)
    assert clean == f"https://{MARK}:{MARK}@github.com 12345678:{MARK}{MARK}"


@pytest.mark.parametrize(
    "unit", [k for rule in RULES for k in rule.keywords] + ["://a:b", 'password="', "eyJa.", "-"]
)
def test_no_text_makes_a_rule_slow(unit: str) -> None:
    filler = "".join(random.Random(1).choices("abcXYZ019_-./+=:\"'@ ", k=200))
    for text in (unit * (40_000 // len(unit)), (unit + filler) * (40_000 // len(unit + filler))):
        started = time.process_time()
        PLAIN.text(text.upper() if unit == "akia" else text)
        assert time.process_time() - started < 1.0
