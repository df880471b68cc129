"""Data blocks: the only way by which foreign text enters a prompt.

A prompt quotes files of a repository, earlier replies and compiler output. All of that is data, and
some of it may try to be an instruction. Each quoted text therefore stands between two lines that
carry the prompt's marker:

    <<<DATA 0f1e2d3c4b5a6978 TARGET
    ```json
    ...
    ```
    DATA 0f1e2d3c4b5a6978>>>

The marker is drawn from a hash over everything quoted and drawn again while any quoted text holds
it, in whatever case or width. So no quoted text can end its block, and the same inputs give the
same prompt, byte for byte, on every machine: an answer that is stored need not be asked for again.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from rocm_pipeline.quoting.untrusted import Untrusted

MARKER_LINE = "Data marker: "
"""The user message starts with this line, so that a reader knows what closes a block."""

_FENCE_RUN = re.compile(r"`{3,}")
_NAME = re.compile(r"[A-Z][A-Z0-9 ]{0,39}")
_MARKER_DIGITS = 16


class Quoted(str):
    """A text between its delimiters. Made by `quote` alone, and all that a template takes."""

    __slots__ = ()


@dataclass(frozen=True)
class Block:
    """A quoted text: `name` is its stable heading, `language` the tag of its fence."""

    name: str
    language: str
    content: Untrusted

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be the name of a data block")


def drawn(digest: bytes, attempt: int) -> str:
    """Return the `attempt`-th marker of a digest: 16 hexadecimal digits."""
    return hashlib.sha256(digest + attempt.to_bytes(4, "big")).hexdigest()[:_MARKER_DIGITS]


def marker_of(blocks: Sequence[Block], draw: Callable[[bytes, int], str] = drawn) -> str:
    """Return the marker for a prompt that quotes exactly `blocks`; none of them holds it."""
    digest = hashlib.sha256()
    for block in blocks:
        for part in (block.name, block.language, block.content.text):
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    folded = [_folded(block.content.text) for block in blocks]
    markers = (draw(digest.digest(), attempt) for attempt in count())
    return next(marker for marker in markers if not any(marker in text for text in folded))


def quote(block: Block, marker: str) -> Quoted:
    """Return the block as it stands in a prompt; its text keeps at most one newline at the end."""
    fence = fence_for(block.content.text)
    text = block.content.text.rstrip("\n")
    return Quoted(
        f"<<<DATA {marker} {block.name}\n{fence}{block.language}\n{text}\n{fence}\nDATA {marker}>>>"
    )


def _folded(text: str) -> str:
    """Return the letters and digits of `text` as a lenient reader may take them."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, plain))


def fence_for(text: str) -> str:
    """Return a fence of backticks longer than any run of them in `text`."""
    longest = max((len(run) for run in _FENCE_RUN.findall(text)), default=2)
    return "`" * (longest + 1)


def read_blocks(prompt: str) -> dict[str, str]:
    """Return the texts of a prompt's data blocks by name; empty when it carries no marker line."""
    first, _, rest = prompt.partition("\n")
    marker = first.removeprefix(MARKER_LINE).strip()
    if not first.startswith(MARKER_LINE) or not re.fullmatch(r"[0-9a-f]{16}", marker):
        return {}
    pattern = re.compile(
        rf"^<<<DATA {marker} ([^\n]+)\n(`{{3,}})[^\n`]*\n(.*?)\n\2\nDATA {marker}>>>$",
        re.MULTILINE | re.DOTALL,
    )
    return {match[1]: match[3] + "\n" for match in pattern.finditer(rest)}
