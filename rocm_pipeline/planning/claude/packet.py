"""The evidence packet: all that a reviewer is shown of a kernel, and all that it may cite.

It holds what the harness found, rendered by us, and the sources that would be published. What the
author says of the kernel is not in it: no explanation, no confidence, and of the sources neither
comments nor docstrings, whose lines stay as blank ones so that line numbers hold.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.source_tokens import without_comments
from rocm_pipeline.planning.claude.facts import evidence_facts, grouped, target_facts
from rocm_pipeline.planning.claude.prose import without_prose
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.rule_reviewer import REVIEWER, OperatorFacts
from rocm_pipeline.quoting.blocks import Block
from rocm_pipeline.quoting.untrusted import untrusted
from rocm_pipeline.redaction.cutting import cut
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Target

KERNEL_FILE = "kernel.hip"
LAUNCH_PLAN_FILE = "launch_plan.json"
OPERATOR_FILE = "op.py"
MAX_FILE = 40_000
"""Characters of one source; who would see only a part of it is not asked for a verdict."""
MAX_DIFF = 4_000
MAX_MESSAGE = 300
MAX_NOTES = 20


@dataclass(frozen=True)
class CheckFact:
    """One check of the operator package, of a reproduction or of a document: name and outcome."""

    name: str
    status: str
    message: str = ""


@dataclass(frozen=True)
class Facts:
    """A record that is no Evidence of the lab: its id, what came of it, and its checks."""

    id: str
    status: str
    checks: tuple[CheckFact, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A kernel and everything that a review of it is made from.

    A cross review comes before the operator; the final review has `operator` and `cross`.
    """

    target: Target
    candidate: Candidate
    evidence: Evidence
    operator: OperatorFacts | None = None
    operator_source: str = ""
    operator_checks: tuple[CheckFact, ...] = ()
    reproduction: Facts | None = None
    document: Facts | None = None
    cross: Review | None = None
    is_baseline: bool = False
    """Whether no agent's kernel was better: nothing can be proposed, whatever a review says."""


@dataclass(frozen=True)
class ShownFile:
    """A source as a reviewer sees it; a line's number is its place here, from 1."""

    name: str
    language: str
    lines: tuple[str, ...]

    @property
    def numbered(self) -> str:
        """The lines with their numbers; blank ones, which nobody may cite, are left out."""
        lines = enumerate(self.lines, start=1)
        return "\n".join(f"{number}|{line}" for number, line in lines if line.strip())


@dataclass(frozen=True)
class Packet:
    """What a reviewer is shown of one kernel."""

    kernel: str
    target: str
    facts: Mapping[str, JsonValue]
    files: tuple[ShownFile, ...]
    diff: str
    """From the baseline to this kernel, both without comments."""
    evidence_ids: tuple[str, ...]
    missing: tuple[str, ...] = ()
    """What could not be shown whole, and why."""

    def blocks(self, number: int) -> Iterator[Block]:
        """Yield the packet as data blocks of a prompt; `number` tells several kernels apart."""
        heading = f"KERNEL {number}"
        lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in self.facts.items())
        facts = "{\n" + ",\n".join(lines) + "\n}"
        yield Block(f"{heading} FACTS", "json", untrusted(facts))
        for place, file in enumerate(self.files, start=1):
            # a file's name is ours, and a block's name has no room for a dot
            text = f"{file.name}\n{file.numbered}"
            yield Block(f"{heading} FILE {place}", file.language, untrusted(text))
        if self.diff:
            yield Block(f"{heading} DIFF TO BASELINE", "diff", untrusted(self.diff))


def packet_of(submission: Submission) -> Packet:
    """Return the packet of a submission; what does not fit is named in `missing`."""
    files: list[ShownFile] = []
    missing: list[str] = []
    for name, language, text in _sources(submission):
        try:
            shown = without_prose(text) if language == "python" else text
        except ValueError as error:
            missing.append(f"{name}: {error}")
            continue
        if len(shown) > MAX_FILE:
            missing.append(f"{name} is longer than {MAX_FILE} characters")
            continue
        files.append(ShownFile(name, language, tuple(shown.rstrip("\n").split("\n"))))
    return Packet(
        kernel=submission.candidate.id,
        target=submission.target.name,
        facts=_facts(submission),
        files=tuple(files),
        diff=_diff(submission),
        evidence_ids=_evidence_ids(submission),
        missing=tuple(missing),
    )


def _sources(submission: Submission) -> Iterator[tuple[str, str, str]]:
    candidate = submission.candidate
    yield KERNEL_FILE, "hip", without_comments(candidate.source)
    yield LAUNCH_PLAN_FILE, "json", _plan_text(candidate.launch_plan)
    if submission.operator_source:
        yield OPERATOR_FILE, "python", submission.operator_source


def _plan_text(plan: LaunchPlan) -> str:
    """One line for each launch and each workspace, so that each can be cited."""
    launches = (launch.model_dump_json() for launch in plan.launches)
    workspace = (entry.model_dump_json() for entry in plan.workspace)
    return (
        '{"launches": [\n'
        + ",\n".join(launches)
        + '\n],\n"workspace": [\n'
        + ",\n".join(workspace)
        + "\n]}"
    )


def _evidence_ids(submission: Submission) -> tuple[str, ...]:
    records = (submission.reproduction, submission.document, submission.cross)
    operator = [submission.operator.evidence_id] if submission.operator else []
    return (submission.evidence.id, *operator, *(r.id for r in records if r is not None))


def _facts(submission: Submission) -> dict[str, JsonValue]:
    target, candidate = submission.target, submission.candidate
    facts: dict[str, JsonValue] = {
        "kernel": candidate.id,
        "target": target_facts(target),
        "evidence": evidence_facts(target, candidate.launch_plan, submission.evidence),
    }
    if submission.operator is not None:
        facts["operator"] = {
            "id": submission.operator.evidence_id,
            "status": submission.operator.status.value,
            "checks": _checks(submission.operator_checks),
        }
    for name, record in (
        ("reproduction", submission.reproduction),
        ("document", submission.document),
    ):
        if record is not None:
            facts[name] = {
                "id": record.id,
                "status": record.status,
                "checks": _checks(record.checks),
            }
    if submission.cross is not None:
        facts["cross_review"] = _cross(submission.cross)
    return facts


def _checks(checks: tuple[CheckFact, ...]) -> list[JsonValue]:
    """Return all checks by name, those that ended alike on one line with what they say."""
    return grouped((check.name, _outcome(check)) for check in checks)


def _outcome(check: CheckFact) -> str:
    if check.status == Status.PASSED.value or not check.message:
        return check.status
    return f"{check.status}, {cut(check.message, MAX_MESSAGE)}"


def _cross(review: Review) -> JsonValue:
    """Another model's words may repeat what an author planted: only ours are handed on."""
    return {
        "id": review.id,
        "reviewer": review.reviewer,
        "verdict": review.verdict.value,
        "findings": [
            f"{f.severity} ({f.heading.value}) at {f.cites}"
            + (f": {cut(f.message, MAX_MESSAGE)}" if review.reviewer == REVIEWER else "")
            for f in review.findings[:MAX_NOTES]
        ],
    }


def _diff(submission: Submission) -> str:
    before = without_comments(submission.target.baseline.source).split("\n")
    after = without_comments(submission.candidate.source).split("\n")
    text = "\n".join(difflib.unified_diff(before, after, "baseline", KERNEL_FILE, n=1, lineterm=""))
    # A diff that repeats most of the source tells a reader nothing that the source does not.
    if len(text) <= min(MAX_DIFF, sum(map(len, after)) // 2):
        return text
    kept = difflib.SequenceMatcher(None, before, after, autojunk=False)
    same = sum(block.size for block in kept.get_matching_blocks())
    return f"rewritten: {same} of {len(before)} lines of the baseline are left"
