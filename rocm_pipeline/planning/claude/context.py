"""What a planner is shown of one target, within a budget: chosen by rule, quoted as data.

The order is fixed: the target, its baseline, what earlier nights found, the reference, then the
repository (baseline, headers, callers, history, other watched files). The archive, the reference,
and the files close to the baseline with their history share what the first two leave, so that a
long archive takes no caller's place. What is longer than its share is cut at a line, and the
planner is told, as it is of what is left out whole.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rocm_pipeline.planning.claude.archive import Archive
from rocm_pipeline.planning.claude.facts import case_line, tensor_lines, tolerances
from rocm_pipeline.planning.claude.fitting import (
    OVERHEAD,
    Fitted,
    Piece,
    cost,
    fit,
    fit_in_turn,
    fit_together,
    shares,
)
from rocm_pipeline.planning.claude.relevance import RankedFile, Why, ranked
from rocm_pipeline.planning.claude.tokens import CHARACTERS_PER_TOKEN
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


def choose(
    target: Target,
    snapshot: RepoSnapshot,
    history: Sequence[Commit],
    archive: Archive,
    budget: int = BUDGET,
) -> ChosenContext:
    """Return the context for planning `target`; equal inputs give equal blocks."""
    fitted = _fitted(target, snapshot, history, archive, budget)
    if snapshot.left_out or any(each.block is None for each in fitted):
        fitted = _fitted(target, snapshot, history, archive, budget - _RESERVED)
    left_out = [*snapshot.left_out, *(each.words for each in fitted if each.block is None)]
    blocks = [each.block for each in fitted if each.block]
    if left_out:
        blocks.append(_lines("LEFT OUT", [text[: 2 * MAX_LINE] for text in left_out], _RESERVED))
    return ChosenContext(
        blocks=tuple(blocks),
        files=tuple(each.piece.path for each in fitted if each.block and each.piece.path),
        left_out=tuple(left_out),
        tokens=sum(map(cost, blocks)),
    )


def _fitted(
    target: Target, snapshot: RepoSnapshot, history: Sequence[Commit], archive: Archive, room: int
) -> list[Fitted]:
    """Return all that there is about a target in its order, each as far as it is shown."""
    first: list[Fitted] = []
    for piece in _needed(target):
        first.append(_begun(piece, room))
        room -= first[-1].cost
    known = [*_archived(archive), _reference_piece(target)]
    files = ranked(target, snapshot.files)
    pieces = [_file_piece(target, file, number) for number, file in enumerate(files, start=1)]
    near = sum(file.why is not Why.WATCHED for file in files)
    commits = _committed(history)
    close = [*commits, *pieces[:near]]
    *given, for_close = shares([*(p.cost for p in known), sum(p.cost for p in close)], room)
    shown = fit_together(close, for_close)
    shared = [
        *(fit(piece, part) for piece, part in zip(known, given, strict=True)),
        *shown[len(commits) :],
        *shown[: len(commits)],
    ]
    room -= sum(each.cost for each in shared)
    return [*first, *shared, *fit_in_turn(pieces[near:], max(room, 0))]


def _needed(target: Target) -> tuple[Piece, Piece]:
    facts = json.dumps(_facts(target), indent=None, separators=(", ", ": "))
    return (
        Piece(Block("TARGET", "json", untrusted(facts)), "the target"),
        Piece(Block("BASELINE", "hip", untrusted(target.baseline.source)), "the baseline"),
    )


def _begun(piece: Piece, room: int) -> Fitted:
    """Cut a needed piece anywhere: to half of what is left, so that the next one has a place."""
    if piece.cost <= room:
        return Fitted(piece, piece.block, room)
    longest = max(room // 2 - 2 * OVERHEAD, 0) * CHARACTERS_PER_TOKEN
    cut = replace(piece.block, content=untrusted(piece.block.content.text, longest))
    return Fitted(piece, cut if cost(cut) <= room else None, max(room, 0))


def _archived(archive: Archive) -> tuple[Piece, ...]:
    if not archive.judged:
        return ()
    return (Piece(Block("ARCHIVE", "", untrusted(archive.text())), "the archive"),)


def _reference_piece(target: Target) -> Piece:
    """Quote the reference without its second form, which says the same for a few elements."""
    shown = _AT_PLACES.sub("", target.reference)
    return Piece(Block("REFERENCE", "python", untrusted(shown)), "the reference")


def _committed(history: Sequence[Commit]) -> tuple[Piece, ...]:
    lines = [_described(commit) for commit in history[:MAX_COMMITS]]
    return (Piece(_lines("HISTORY", lines), "the history"),) if lines else ()


def _file_piece(target: Target, file: RankedFile, number: int) -> Piece:
    """Quote a file below its path, which is foreign text too."""
    same = file.text.strip() == target.baseline.source.strip()
    text = "[the same as BASELINE]" if same else file.text
    about = json.dumps({"path": file.path, "why": file.why.value})
    block = Block(f"FILE {number}", "", untrusted(f"{about}\n{text}"))
    return Piece(block, file.path, file.path)


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


def _described(commit: Commit) -> str:
    subject = commit.subject.partition("\n")[0]
    facts = {"commit": commit.sha[:12], "date": commit.date, "subject": subject[:MAX_LINE]}
    return json.dumps({**facts, "files": [path[:MAX_LINE] for path in commit.files[:4]]})


def _lines(name: str, lines: Sequence[str], tokens: int | None = None) -> Block:
    longest = {} if tokens is None else {"longest": (tokens - 2 * OVERHEAD) * CHARACTERS_PER_TOKEN}
    return Block(name, "", untrusted("\n".join(lines), **longest))
