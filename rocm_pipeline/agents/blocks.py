"""Data blocks: the only way by which foreign text enters a prompt.

A prompt quotes files of a repository, earlier replies and compiler output. All of that is data, and
some of it may try to be an instruction. Each quoted text therefore stands between two lines that
carry the prompt's marker:

    <<<DATA 0f1e2d3c4b5a6978 TARGET
    ```json
    ...
    ```
    DATA 0f1e2d3c4b5a6978>>>

The marker is a hash over everything quoted, so no quoted text can contain it (it would have to
hold its own hash), and the same inputs give the same prompt, byte for byte.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

MARKER_LINE = "Data marker: "
"""The user message starts with this line, so that a reader knows what closes a block."""

_FENCE_RUN = re.compile(r"`{3,}")
_NAME = re.compile(r"[A-Z][A-Z ]*(: [\x21-\x7e][\x20-\x7e]{0,199})?")


@dataclass(frozen=True)
class Block:
    """A quoted text: `name` is its stable heading, `language` the tag of its fence."""

    name: str
    language: str
    text: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be the name of a data block")


def marker_of(blocks: Iterable[Block]) -> str:
    """Return the marker for a prompt that quotes exactly `blocks`: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for block in blocks:
        for part in (block.name, block.language, block.text):
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:16]


def quote(block: Block, marker: str) -> str:
    """Return the block as it stands in a prompt; its text keeps at most one newline at the end."""
    fence = fence_for(block.text)
    text = block.text.rstrip("\n")
    return (
        f"<<<DATA {marker} {block.name}\n{fence}{block.language}\n{text}\n{fence}\nDATA {marker}>>>"
    )


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
