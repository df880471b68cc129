"""Takes secrets out of texts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rocm_pipeline.redaction.fingerprints import Fingerprints, Span, merged
from rocm_pipeline.redaction.keywords import places

MARK = "[redacted]"
"""Stands in the place of every secret. Holds no character that needs an escape in any format."""

_HALF_ESCAPE = re.compile(rb"(?:^|[^\\])(?:\\\\)*(\\(?:u[0-9a-fA-F]{0,3})?)$")
_LONGEST_HALF = 64
_MOST_PASSES = 8


@dataclass(frozen=True)
class Redactor:
    """Known secrets and rules. Redacting twice is redacting once."""

    known: Fingerprints = field(default_factory=lambda: Fingerprints.of(()))

    def text(self, text: str) -> str:
        """Return `text` with every secret replaced; JSON stays JSON."""
        data = text.encode("utf-8", "surrogatepass")
        clean = self.data(data)
        return text if clean == data else clean.decode("utf-8", "surrogatepass")

    def data(self, data: bytes) -> bytes:
        """Return `data`, of whatever format, with every secret replaced."""
        for _ in range(_MOST_PASSES):
            spans = self.spans(data)
            if not spans:
                break
            # a mark ends what stood beside it, so that a rule may apply that did not before
            data = replaced(data, spans)
        return data

    def spans(self, data: bytes) -> list[Span]:
        """Return where the secrets are, in order, not overlapping."""
        return merged((*self.known.spans(data), *_by_rules(data)))


def replaced(data: bytes, spans: list[Span]) -> bytes:
    """Return `data` with a mark in the place of each span."""
    parts: list[bytes] = []
    place = 0
    for start, end in spans:
        # a backslash, or the head of \u0041, must not be left without its tail
        half = _HALF_ESCAPE.search(data[max(place, start - _LONGEST_HALF) : start])
        parts += [data[place : start - (len(half[1]) if half else 0)], MARK.encode()]
        place = end
    return b"".join((*parts, data[place:]))


def _by_rules(data: bytes) -> Iterator[Span]:
    text = data.decode("latin-1")  # one character for each byte; the rules are about ASCII alone
    start = end = 0
    for place, rules in places(data):
        if start <= place < end:  # what stands before the secret of a match may be another one
            continue
        for rule in rules:
            match = rule.pattern.match(text, place)
            if match is not None:
                start, end = match.span(rule.group)
                yield start, end
                break
