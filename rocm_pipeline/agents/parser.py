"""Reads an agent's reply: tolerant of form, strict on ambiguity.

Small models forget headings, use longer fences or talk around the answer; all of that is read.
What could mean two things is refused, with a `ReplyError` whose text goes back to the agent.
"""

import json
import re
from collections.abc import Collection

from pydantic import ValidationError

from rocm_pipeline.agents.paths import PathRefusedError, check_path, check_paths
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.reply_blocks import (
    Fenced,
    FileHeading,
    Part,
    Prose,
    SectionHeading,
    UnclosedBlockError,
    is_blank,
    split,
)
from rocm_pipeline.agents.roles import (
    ANALYSIS_FILE,
    CASES_FILE,
    DOCUMENTATION_FILE,
    KERNEL_FILE,
    LAUNCH_PLAN_FILE,
    OPERATOR_FILE,
)
from rocm_pipeline.errors import one_line
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Target

MAX_REPLY = 400_000
"""Characters of a whole reply; more is a model that runs away."""
MAX_FILE = 100_000
MAX_EXPLANATION = 8_000
MAX_LIMITATIONS = 30
MAX_LIMITATION = 500

_THINKING = ("<think>", "</think>")
_CODE_LANGUAGES = ("hip", "cpp", "c++", "c", "cuda", "cu", "h", "hpp")
_NAME_IN_INFO = re.compile(r"[\s:=\"'(]([\w-]+\.[A-Za-z]\w*)")
_NAME_IN_COMMENT = re.compile(
    r"\A\s*(?://|#)\s*(?:FILE:?\s*)?([\w-]+\.[A-Za-z]\w*)\s*\n", re.IGNORECASE
)
_FIGURE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(?:(%)|/\s*(\d+(?:\.\d+)?))?")
_BULLET = re.compile(r"^\s{0,3}(?:[-*\u2022+]|\d+[.)])\s+(.*)$")
_NOTHING = ("", "none", "n/a", "none known", "no limitations", "nothing")
_WORDS = (
    ("very low", 0.1),
    ("very high", 0.9),
    ("medium", 0.5),
    ("moderate", 0.5),
    ("low", 0.25),
    ("high", 0.75),
)
"""What words of confidence count as; longer phrases first."""


class ReplyError(ValueError):
    """The reply cannot be used; the message tells the agent in one line what to send instead."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def parse(text: str, allowed: Collection[str] | None = None) -> Reply:
    """Return the reply that `text` holds.

    `allowed` are the only file names that it may hold (None: any plain relative path). Raises
    `ReplyError` when a file is cut off, named twice, not asked for or too large, or when a block
    without a heading could be more than one file.
    """
    if len(text) > MAX_REPLY:
        raise ReplyError(f"The reply is longer than {MAX_REPLY} characters. Send less.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ReplyError("The reply holds halves of characters (surrogates). Send plain text.")
    text = _without_thinking(text.replace("\r\n", "\n").lstrip("\ufeff")).strip()
    if not text:
        raise ReplyError("The reply is empty. Send the files and sections that were asked for.")
    as_json = _parse_json(text, allowed)
    if as_json is not None:
        return as_json
    try:
        parts = split(text)
    except UnclosedBlockError as error:
        raise ReplyError(
            f"The reply is cut off: {error}. Send every file whole, in fewer words."
        ) from error
    return Reply(
        files=_checked(_files(parts, allowed)),
        explanation=_explanation(parts)[:MAX_EXPLANATION],
        confidence=_confidence(_section(parts, "CONFIDENCE")),
        limitations=_limitations(_section(parts, "LIMITATIONS")),
    )


def kernel_from(reply: Reply, target: Target, parents: tuple[str, ...] = ()) -> Candidate:
    """Return the candidate of a kernel_dev reply; raises `ReplyError` when it holds none."""
    source, plan = reply.file(KERNEL_FILE), reply.file(LAUNCH_PLAN_FILE)
    missing = [n for n, t in ((KERNEL_FILE, source), (LAUNCH_PLAN_FILE, plan)) if not t]
    if source is None or plan is None or missing:
        own_words = f" It says: {' '.join(reply.limitations)}" if reply.limitations else ""
        raise ReplyError(
            f"The reply lacks {' and '.join(missing)}: send each whole, under its own "
            f"'### FILE:' heading.{own_words}"
        )
    return Candidate(
        target=target.name, source=source, launch_plan=_launch_plan(plan), parents=parents
    )


def _found_at(text: str, error: Exception) -> str:
    """Quote what stands where JSON ends: a position alone is of little use to a model."""
    if not isinstance(error, json.JSONDecodeError) or error.pos >= len(text):
        return ""
    return f", at {text[error.pos : error.pos + 20]!r}"


def _launch_plan(text: str) -> LaunchPlan:
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # JSON can spell what is no Unicode text
    except (ValueError, RecursionError) as error:
        raise ReplyError(
            f"{LAUNCH_PLAN_FILE} is not JSON: {error}{_found_at(text, error)}. Send JSON with no "
            "comments and no trailing commas; names and expressions stand in double quotes, "
            'such as "WAVE".'
        ) from error
    try:
        return LaunchPlan.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'the whole file'}: "
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()[:5]
        )
        raise ReplyError(f"{LAUNCH_PLAN_FILE} is not a launch plan: {problems}.") from error


def _without_thinking(text: str) -> str:
    """Drop what a reasoning model thinks aloud; by hand, because a regex would take n^2 steps."""
    opening, closing = _THINKING
    kept: list[str] = []
    place = 0
    while (start := text.find(opening, place)) >= 0:
        end = text.find(closing, start)
        if end < 0:
            break
        kept.append(text[place:start])
        place = end + len(closing)
    return "".join((*kept, text[place:]))


def _parse_json(text: str, allowed: Collection[str] | None) -> Reply | None:
    """Read a reply that is one JSON object of the Reply's own form, as `format` asks for."""
    if not text.startswith("{"):
        return None
    try:
        reply = Reply.model_validate_json(text)
    except ValidationError:
        return None
    named = [ReplyFile(path=_checked_path(f.path, allowed), text=f.text) for f in reply.files]
    return reply.model_copy(update={"files": _checked(named)})


def _files(parts: list[Part], allowed: Collection[str] | None) -> list[ReplyFile]:
    """Return the files under headings, then those that an unlabelled block can only be."""
    files: list[ReplyFile] = []
    unlabelled: list[Fenced] = []
    heading: str | None = None
    filled = False
    for index, part in enumerate(parts):
        if isinstance(part, FileHeading) and (part.explicit or _block_follows(parts, index)):
            _require_block(heading, filled)
            heading, filled = _checked_path(part.path, allowed), False
        elif isinstance(part, SectionHeading):
            _require_block(heading, filled)
            heading = None
        elif isinstance(part, Fenced):
            if heading is not None and not filled:
                files.append(ReplyFile(path=heading, text=part.text))
                filled = True
            elif heading is not None and _guess(part, allowed) in (None, heading):
                raise ReplyError(
                    f"Two blocks follow the heading of {heading}. Send one block a file."
                )
            else:
                unlabelled.append(part)
    _require_block(heading, filled)
    return files + _unlabelled_files(unlabelled, {f.path for f in files}, allowed)


def _block_follows(parts: list[Part], index: int) -> bool:
    following = range(index + 1, len(parts))
    place = next((i for i in following if not is_blank(parts[i])), None)
    return place is not None and isinstance(parts[place], Fenced)


def _require_block(heading: str | None, filled: bool) -> None:
    if heading is not None and not filled:
        raise ReplyError(f"No fenced block follows the heading of {heading}. Send the whole file.")


def _unlabelled_files(
    blocks: list[Fenced], labelled: set[str], allowed: Collection[str] | None
) -> list[ReplyFile]:
    found: dict[str, str] = {}
    for block in blocks:
        path = _guess(block, allowed)
        if path is None or path in labelled:
            continue
        if found.setdefault(path, block.text) != block.text:
            raise ReplyError(
                f"More than one block without a heading could be {path}. "
                f"Put '### FILE: {path}' above the one that is meant."
            )
    return [ReplyFile(path=path, text=text) for path, text in found.items()]


def _guess(block: Fenced, allowed: Collection[str] | None) -> str | None:
    """Return the file that a block without a heading can only be, by name or by content."""
    named = _NAME_IN_INFO.search(block.info) or _NAME_IN_COMMENT.match(block.text)
    if named is not None and (allowed is None or named[1] in allowed):
        return named[1]
    path = _guess_by_content(block)
    return path if allowed is None or path in allowed else None


def _guess_by_content(block: Fenced) -> str | None:
    if block.language in (*_CODE_LANGUAGES, "") and "__global__" in block.text:
        return KERNEL_FILE
    if block.language in ("json", ""):
        try:
            data = json.loads(block.text)
        except (ValueError, RecursionError):
            return LAUNCH_PLAN_FILE if '"launches"' in block.text else None
        if isinstance(data, list):
            return CASES_FILE
        return LAUNCH_PLAN_FILE if isinstance(data, dict) and "launches" in data else None
    if block.language in ("python", "py") and "custom_op" in block.text:
        return OPERATOR_FILE
    if block.language in ("markdown", "md"):
        return ANALYSIS_FILE if "# Performance analysis" in block.text else DOCUMENTATION_FILE
    return None


def _checked_path(path: str, allowed: Collection[str] | None) -> str:
    """Return the plain name of a file that was asked for; plain folders before it are dropped."""
    path = path.removeprefix("./")
    try:
        name = check_path(path)[-1]
    except PathRefusedError as error:
        name, reason = "", str(error)
    else:
        reason = f"'{path[:200]}'"
    if allowed is None:
        if not name:
            raise ReplyError(f"{reason}: not a plain relative path. Send a plain file name.")
        return path
    if name not in allowed:
        raise ReplyError(f"{reason} was not asked for. Send only {', '.join(sorted(allowed))}.")
    return name


def _checked(files: list[ReplyFile]) -> tuple[ReplyFile, ...]:
    kept: dict[str, ReplyFile] = {}
    for file in files:
        if len(file.text) > MAX_FILE:
            raise ReplyError(f"{file.path} is longer than {MAX_FILE} characters. Send less.")
        if not file.text.strip():
            raise ReplyError(f"{file.path} is empty. Send the whole file.")
        if "\0" in file.text:
            raise ReplyError(f"{file.path} holds a zero character. Send plain text.")
        if kept.setdefault(file.path, file).text != file.text:
            raise ReplyError(f"{file.path} is there twice with different text. Send it once.")
    try:
        check_paths(kept)
    except PathRefusedError as error:
        raise ReplyError(f"{error}. Send it once.") from error
    return tuple(kept.values())


def _section(parts: list[Part], name: str) -> str:
    """Return the text under the headings of that name; code in it keeps its fences out."""
    lines: list[str] = []
    inside = False
    for part in parts:
        match part:
            case SectionHeading():
                inside = part.name == name
            case FileHeading(explicit=True):
                inside = False
            case Prose() | Fenced() | FileHeading() if inside:
                lines.append(part.path if isinstance(part, FileHeading) else part.text)
            case _:
                pass
    return "\n".join(lines).strip()


def _explanation(parts: list[Part]) -> str:
    """Return the EXPLANATION, or without one the prose before the first section."""
    explained = _section(parts, "EXPLANATION")
    if explained or any(isinstance(part, SectionHeading) for part in parts):
        return explained
    return "\n".join(part.text for part in parts if isinstance(part, Prose)).strip()


def _confidence(text: str) -> float | None:
    """Return an opinion from 0 to 1, or None when the words give none."""
    found = _FIGURE.search(text)
    if found is None:
        lowered = text.lower()
        return next((value for word, value in _WORDS if word in lowered), None)
    value = float(found[1])
    if found[2] == "%" or (found[2] is None and value > 10):
        value /= 100
    elif found[3] is not None:
        value = value / float(found[3]) if float(found[3]) else -1
    return value if 0 <= value <= 1 else None


def _limitations(text: str) -> tuple[str, ...]:
    items: list[str] = []
    for line in text.split("\n"):
        bullet = _BULLET.match(line)
        if bullet is not None:
            items.append(bullet[1].strip())
        elif line.strip() and items and line.startswith((" ", "\t")):
            items[-1] += " " + line.strip()
        elif line.strip():
            items.append(line.strip())
    real = [item[:MAX_LIMITATION] for item in items if item.lower().strip(" .*") not in _NOTHING]
    return tuple(real[:MAX_LIMITATIONS])
