"""What a planner is shown of one target, within a budget: chosen by rule, quoted as data.

The order is fixed: the target, its baseline, what earlier nights found, the reference, then the
repository (baseline, headers, callers, history, other watched files). What does not fit is left
out whole, and the planner is told.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rocm_pipeline.planning.claude.archive import Archive
from rocm_pipeline.planning.claude.facts import case_line, tensor_lines, tolerances
from rocm_pipeline.planning.claude.relevance import RankedFile, Why, ranked
from rocm_pipeline.planning.claude.tokens import CHARACTERS_PER_TOKEN, about_tokens
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.quoting.blocks import Block
from rocm_pipeline.quoting.untrusted import untrusted
from rocm_pipeline.targets.spec import Target

BUDGET = 2600
"""Tokens about one target, by `about_tokens`. The part that all targets share is several times as
long, so that most of a planner's prompt comes out of the cache from the second target on."""
MAX_COMMITS = 8
MAX_LINE = 120
"""Characters of a commit's subject and of a file's path."""
_OVERHEAD = 30
"""Tokens of a block's delimiters, name and fence."""
_RESERVED = 150
"""Tokens kept for the list of what was left out."""
_AT_PLACES = re.compile(r"^def reference_at\(.*?(?=^[^\s)]|\Z)", re.MULTILINE | re.DOTALL)
"""Down to the next line that begins a statement."""


@dataclass(frozen=True)
class ChosenContext:
    """The blocks about one target; `left_out` names what is not among them, with the reason."""

    blocks: tuple[Block, ...]
    files: tuple[str, ...]
    """Paths of repository files that are shown, or are the same as something shown."""
    left_out: tuple[str, ...]
    tokens: int
    """By `about_tokens`."""


@dataclass(frozen=True)
class _Piece:
    block: Block
    name: str
    """As it is called where it is left out."""
    path: str = ""
    is_needed: bool = False
    """Cut to what fits, where others are left out."""


def choose(
    target: Target,
    snapshot: RepoSnapshot,
    history: Sequence[Commit],
    archive: Archive,
    budget: int = BUDGET,
) -> ChosenContext:
    """Return the context for planning `target`; equal inputs give equal blocks."""
    room = budget - _RESERVED
    taken: list[_Piece] = []
    left_out = list(snapshot.left_out)
    for piece in _pieces(target, snapshot, history, archive):
        block, cost = _fitted(piece, room)
        if block is None:
            left_out.append(f"{piece.name}: {cost} tokens, more than the {max(room, 0)} left")
            continue
        taken.append(_Piece(block, piece.name, piece.path))
        room -= cost
    blocks = [piece.block for piece in taken]
    if left_out:
        blocks.append(_lines("LEFT OUT", [text[: 2 * MAX_LINE] for text in left_out], _RESERVED))
    return ChosenContext(
        blocks=tuple(blocks),
        files=tuple(piece.path for piece in taken if piece.path),
        left_out=tuple(left_out),
        tokens=sum(_cost(block) for block in blocks),
    )


def _pieces(
    target: Target, snapshot: RepoSnapshot, history: Sequence[Commit], archive: Archive
) -> Iterator[_Piece]:
    facts = json.dumps(_facts(target), indent=None, separators=(", ", ": "))
    yield _Piece(Block("TARGET", "json", untrusted(facts)), "the target", is_needed=True)
    source = untrusted(target.baseline.source)
    yield _Piece(Block("BASELINE", "hip", source), "the baseline", is_needed=True)
    if archive.judged:
        yield _Piece(Block("ARCHIVE", "", untrusted(archive.text())), "the archive")
    reference = Block("REFERENCE", "python", untrusted(_reference(target)))
    yield _Piece(reference, "the reference")
    files = ranked(target, snapshot.files)
    close = [file for file in files if file.why is not Why.WATCHED]
    for number, file in enumerate(close, start=1):
        yield _file_piece(target, file, number)
    if history:
        lines = [_described(commit) for commit in history[:MAX_COMMITS]]
        yield _Piece(_lines("HISTORY", lines), "the history")
    for number, file in enumerate(files[len(close) :], start=len(close) + 1):
        yield _file_piece(target, file, number)


def _file_piece(target: Target, file: RankedFile, number: int) -> _Piece:
    """Quote a file below its path, which is foreign text too."""
    same = file.text.strip() == target.baseline.source.strip()
    text = "[the same as BASELINE]" if same else file.text
    about = json.dumps({"path": file.path, "why": file.why.value})
    block = Block(f"FILE {number}", "", untrusted(f"{about}\n{text}"))
    return _Piece(block, file.path, file.path)


def _facts(target: Target) -> dict[str, object]:
    """Return the target without its sources and what nobody needs who plans."""
    facts = target.model_dump(
        mode="json",
        exclude_defaults=True,
        exclude={
            "reference": True,
            "reference_docs": True,
            "watch": True,
            "public_cases": True,
            "emulation_operations": True,
            "baseline": {"source"},
            "pytorch": {"gradcheck"},
        },
    )
    return {
        **facts,
        "tensors": tensor_lines(target),
        "timing_cases": [case_line(case) for case in target.timing_cases],
        "tolerance": tolerances(target),
        "architectures": target.architectures,
    }


def _reference(target: Target) -> str:
    """Return the reference without its second form, which says the same for a few elements."""
    return _AT_PLACES.sub("", target.reference)


def _described(commit: Commit) -> str:
    subject = commit.subject.partition("\n")[0]
    facts = {"commit": commit.sha[:12], "date": commit.date, "subject": subject[:MAX_LINE]}
    return json.dumps({**facts, "files": [path[:MAX_LINE] for path in commit.files[:4]]})


def _lines(name: str, lines: Sequence[str], tokens: int | None = None) -> Block:
    longest = {} if tokens is None else {"longest": (tokens - 2 * _OVERHEAD) * CHARACTERS_PER_TOKEN}
    return Block(name, "", untrusted("\n".join(lines), **longest))


def _fitted(piece: _Piece, room: int) -> tuple[Block | None, int]:
    """Return the piece's block as far as `room` allows, or None, and the tokens it takes."""
    cost = _cost(piece.block)
    if cost <= room:
        return piece.block, cost
    if not piece.is_needed:
        return None, cost
    block = piece.block
    # half of what is left, so that the next needed piece has a place, and some for saying so
    longest = max(room // 2 - 2 * _OVERHEAD, 0) * CHARACTERS_PER_TOKEN
    cut = Block(block.name, block.language, untrusted(block.content.text, longest))
    cut_cost = _cost(cut)
    return (cut, cut_cost) if cut_cost <= room else (None, cost)


def _cost(block: Block) -> int:
    return about_tokens(block.content.text) + _OVERHEAD
