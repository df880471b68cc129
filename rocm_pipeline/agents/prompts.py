"""Prompts: from a role and a Brief to the text that a model reads.

The system prompt depends on the role alone, so that a server can keep it in its prefix cache. The
user prompt quotes everything else as data blocks under stable names, which people, models and the
embedded agent read alike. Equal inputs give equal bytes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, JsonValue

from rocm_pipeline.agents.blocks import MARKER_LINE, Block, marker_of, quote
from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.placeholders import PLACEHOLDERS
from rocm_pipeline.agents.roles import EXPECTED_FILES
from rocm_pipeline.agents.round_note import note_of
from rocm_pipeline.agents.wording import describe_evidence, describe_round
from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.records.prompt import prompt_sha256
from rocm_pipeline.targets.launch_plan import MAX_BLOCK
from rocm_pipeline.targets.spec import Target

MAX_CASES = 8
"""Cases a tester may propose."""
MAX_FILE = 12_000
"""Characters quoted of one repository file."""
_SOURCES = ("prompts.py", "brief.py", "blocks.py", "round_note.py", "wording.py")


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
        _environment()
        .get_template("_user.md")
        .render(
            marker_line=MARKER_LINE,
            marker=marker,
            role=role,
            task=brief.task,
            target=brief.target,
            round=len(brief.feedback) + 1,
            feedback=brief.feedback,
            best=brief.best,
            files=EXPECTED_FILES[role],
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


def _blocks(brief: Brief) -> Iterator[Block]:
    target = brief.target
    yield _json("TASK", brief.task.model_dump(mode="json"))
    yield _json("TARGET", _target_without_sources(target))
    yield _json("ARCHITECTURES", [_facts(name) for name in target.architectures])
    yield Block("REFERENCE", "python", target.reference)
    yield Block("BASELINE", "hip", target.baseline.source)
    for path in sorted(brief.files):
        yield Block(f"FILE: {path}", "", _cut(brief.files[path]))
    yield from _feedback_blocks(brief)
    if brief.kernel is not None:
        yield from _kernel_blocks("", brief.kernel)
    if brief.evidence is not None:
        yield _json("EVIDENCE", brief.evidence.model_dump(mode="json"))
        yield Block("EVIDENCE IN WORDS", "", describe_evidence(brief.evidence, resources=True))


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
    yield Block("FEEDBACK IN WORDS", "", "\n\n".join(words))
    if latest.candidate is not None and latest.candidate != brief.best:
        yield from _kernel_blocks("LATEST ", latest.candidate)
    if brief.best is not None:
        yield from _kernel_blocks("BEST ", brief.best)


def _kernel_blocks(prefix: str, candidate: Candidate) -> Iterator[Block]:
    yield Block(f"{prefix}KERNEL", "hip", candidate.source)
    yield _json(f"{prefix}LAUNCH PLAN", candidate.launch_plan.model_dump(mode="json"))


def _target_without_sources(target: Target) -> dict[str, JsonValue]:
    return target.model_dump(
        mode="json", exclude_none=True, exclude={"reference": True, "baseline": {"source"}}
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
    return Block(name, "json", text)


def _cut(text: str) -> str:
    if len(text) <= MAX_FILE:
        return text
    return text[:MAX_FILE] + f"\n[... {len(text) - MAX_FILE} more characters are not shown]"
