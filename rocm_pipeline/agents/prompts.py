"""Prompts: from a role and a Brief to the text that a model reads.

The system prompt depends on the role alone, so that a server can keep it in its prefix cache. The
user prompt quotes everything else as data blocks under stable names, which people, models and the
embedded agent read alike. Equal inputs give equal bytes.

The template of the user prompt takes three kinds of value and fails on any other: quoted blocks,
names of our own form (`plain`) and whole numbers. No foreign text gets in beside the blocks.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, JsonValue

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.placeholders import PLACEHOLDERS
from rocm_pipeline.agents.roles import EXPECTED_FILES
from rocm_pipeline.agents.round_note import note_of
from rocm_pipeline.agents.wording import describe_evidence, describe_round
from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.planning.follow_up import subject_of
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.quoting.blocks import MARKER_LINE, Block, Quoted, marker_of, quote
from rocm_pipeline.quoting.untrusted import untrusted
from rocm_pipeline.records.prompt import prompt_sha256
from rocm_pipeline.targets.launch_plan import MAX_BLOCK
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.versions import package_sha256

MAX_CASES = 8
"""Cases a tester may propose."""
MAX_FILE = 12_000
"""Characters quoted of one repository file."""
_SOURCES = ("prompts.py", "brief.py", "round_note.py", "wording.py")
_PLAIN = re.compile(r"[A-Za-z0-9_.:, -]{1,400}")


class Plain(str):
    """A name or list of names in our own form: nothing that could be an instruction's sentence."""

    __slots__ = ()


def plain(text: str) -> Plain:
    """Return `text` as a value for a template; ValueError when it is no such name."""
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{text[:200]!r} may not stand in a prompt outside a data block")
    return Plain(text)


class Prompt(BaseModel):
    """The two messages of a request; `sha256` is over both, as in the journal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    user: str
    sha256: str


def render(role: Role, brief: Brief) -> Prompt:
    """Return the prompt that asks an agent of `role` for its task."""
    blocks = tuple(_blocks(brief))
    marker = marker_of(blocks)
    user = (
        user_environment()
        .get_template("_user.md")
        .render(
            marker_line=plain(MARKER_LINE),
            marker=plain(marker),
            role=plain(role.value),
            is_kernel=role is Role.KERNEL_DEV,
            task=plain(brief.task.id),
            target=plain(brief.target.name),
            round=len(brief.feedback) + 1,
            max_tokens=brief.task.max_tokens,
            has_files=bool(brief.files),
            is_returned=bool(subject_of(brief.task)),
            has_feedback=bool(brief.feedback),
            has_best=brief.best is not None,
            has_hint=bool(brief.hint),
            files=plain(", ".join(file.path for file in EXPECTED_FILES[role])),
            quoted=[quote(block, marker) for block in blocks],
        )
    )
    system = system_prompt(role)
    return Prompt(system=system, user=user, sha256=prompt_sha256(system, user))


@cache
def system_prompt(role: Role) -> str:
    """Return the instructions of a role."""
    template = _environment().get_template(f"{role.value}.md")
    return template.render(
        files=EXPECTED_FILES[role],
        placeholders=PLACEHOLDERS,
        max_block=MAX_BLOCK,
        max_cases=MAX_CASES,
    )


@cache
def template_sha256(role: Role) -> str:
    """Return the hash of everything that shapes a role's prompts; the assets' code version."""
    package = files("rocm_pipeline.agents")
    digest = hashlib.sha256(system_prompt(role).encode())
    digest.update(package.joinpath("prompt_templates/_user.md").read_bytes())
    for name in _SOURCES:
        digest.update(package.joinpath(name).read_bytes())
    digest.update(package_sha256("rocm_pipeline.quoting").encode())
    return digest.hexdigest()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("rocm_pipeline.agents", "prompt_templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def user_environment() -> Environment:
    """Return the templates of user prompts, which refuse every value that is not safe."""
    return _environment().overlay(finalize=_only_safe)


def _only_safe(value: object) -> object:
    if not isinstance(value, (Quoted, Plain, int)):
        raise TypeError(f"a {type(value).__name__} may not stand in a prompt: quote it")
    return value


def _blocks(brief: Brief) -> Iterator[Block]:
    target = brief.target
    yield _json("TASK", brief.task.model_dump(mode="json"))
    yield _json("TARGET", _target_without_sources(target))
    yield _json("ARCHITECTURES", [_facts(name) for name in target.architectures])
    yield Block("REFERENCE", "python", untrusted(target.reference))
    yield Block("BASELINE", "hip", untrusted(target.baseline.source))
    plan = target.baseline.launch_plan.model_dump(mode="json", exclude_defaults=True)
    yield _json("BASELINE LAUNCH PLAN", plan)
    yield from _file_blocks(brief.files)
    yield from _feedback_blocks(brief)
    if brief.kernel is not None:
        yield from _kernel_blocks("", brief.kernel)
    if brief.evidence is not None:
        yield _json("EVIDENCE", brief.evidence.model_dump(mode="json"))
        words = describe_evidence(brief.evidence, resources=True)
        yield Block("EVIDENCE IN WORDS", "", untrusted(words))


def _file_blocks(files: Mapping[str, str]) -> Iterator[Block]:
    """Quote the files under numbers; their paths are foreign text too, so they stand in a block."""
    if not files:
        return
    named = {f"FILE {number}": path for number, path in enumerate(sorted(files), start=1)}
    yield _json("FILES", {**named})
    for name, path in named.items():
        yield Block(name, "", untrusted(files[path], MAX_FILE))


def _feedback_blocks(brief: Brief) -> Iterator[Block]:
    if not brief.feedback:
        return
    latest = brief.feedback[-1]
    notes = [note_of(feedback) for feedback in brief.feedback]
    yield _json("FEEDBACK", [note.model_dump(mode="json", exclude_defaults=True) for note in notes])
    words = [
        describe_round(feedback, resources=feedback is latest or feedback.candidate == brief.best)
        for feedback in brief.feedback
    ]
    yield Block("FEEDBACK IN WORDS", "", untrusted("\n\n".join(words)))
    if latest.candidate is not None and latest.candidate != brief.best:
        yield from _kernel_blocks("LATEST ", latest.candidate)
    if brief.best is not None:
        yield from _kernel_blocks("BEST ", brief.best)
    if brief.hint:
        yield Block("HINT", "", untrusted(brief.hint))


def _kernel_blocks(prefix: str, candidate: Candidate) -> Iterator[Block]:
    yield Block(f"{prefix}KERNEL", "hip", untrusted(candidate.source))
    yield _json(f"{prefix}LAUNCH PLAN", candidate.launch_plan.model_dump(mode="json"))


def _target_without_sources(target: Target) -> dict[str, JsonValue]:
    return target.model_dump(
        mode="json",
        exclude_none=True,
        exclude={"reference": True, "baseline": {"source", "launch_plan"}},
    )


def _facts(name: str) -> dict[str, JsonValue]:
    facts = architecture(name)
    return {
        "name": facts.name,
        "family": facts.family,
        "product": facts.product,
        "wave": facts.wave,
        "lds_per_block": facts.lds_per_block,
        "vgprs_per_lane": facts.vgprs_per_lane,
        "max_waves_per_simd": facts.max_waves_per_simd,
        "compute_units": facts.compute_units,
        "memory_gb_per_s": facts.memory_gb_per_s,
        "l2_bytes": facts.l2_bytes,
    }


def _json(name: str, value: Mapping[str, JsonValue] | list[dict[str, JsonValue]]) -> Block:
    """Quote `value` as JSON with one entry a line: readable, and cheap in tokens."""
    if isinstance(value, list):
        text = "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
    else:
        lines = (f"{json.dumps(key)}: {json.dumps(item)}" for key, item in value.items())
        text = "{\n" + ",\n".join(lines) + "\n}"
    return Block(name, "json", untrusted(text))
