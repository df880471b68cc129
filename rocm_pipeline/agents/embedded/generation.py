"""Cutting an answer into tokens, as an Ollama server would.

The embedded agent has no tokenizer. Its token is four characters (the last one may be shorter):
simple, stated, and the same for prompts and answers, so that `num_predict`, counts and speeds
that a client sees are consistent with each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_CHUNK = 64
"""Tokens in one line of a streamed answer."""


def count_tokens(text: str) -> int:
    """Return the tokens of `text`: its characters over four, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True)
class Generation:
    """An answer as it leaves: cut at `num_predict` or at a stop text."""

    text: str
    done_reason: Literal["stop", "length"]

    @classmethod
    def of(cls, text: str, num_predict: int, stop: Sequence[str]) -> "Generation":
        """Cut `text`; a `num_predict` below zero is no limit, as in Ollama."""
        ends = [text.index(mark) for mark in stop if mark and mark in text]
        whole = text[: min(ends)] if ends else text
        if num_predict < 0 or count_tokens(whole) <= num_predict:
            return cls(whole, "stop")
        return cls(whole[: num_predict * CHARACTERS_PER_TOKEN], "length")

    @property
    def tokens(self) -> int:
        return count_tokens(self.text)

    def chunks(self) -> Iterator[str]:
        """Yield the text in pieces of whole tokens."""
        size = _TOKENS_PER_CHUNK * CHARACTERS_PER_TOKEN
        for start in range(0, len(self.text), size):
            yield self.text[start : start + size]
