"""Eleven ways by which foreign text comes into a prompt."""

from collections.abc import Callable, Mapping

from rocm_pipeline.agents.brief import (
    Brief,
    CompileSummary,
    EstimateSummary,
    EvidenceSummary,
    RoundFeedback,
)
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.targets.spec import Target

Carrier = Callable[[Brief, str], Brief]


def _file(brief: Brief, text: str) -> Brief:
    return brief.model_copy(update={"files": {"kernels/a.hip": f"// {text}\n"}})


def _file_name(brief: Brief, text: str) -> Brief:
    return brief.model_copy(update={"files": {f"{text}.hip": "int x;\n"}})


def _document(brief: Brief, text: str) -> Brief:
    hidden = f"# Notes\n<!-- {text} -->\n\u200b\u202e{text}\u202c\x1b[8m\n"
    return brief.model_copy(update={"files": {"README.md": hidden}})


def _target(brief: Brief, **changes: object) -> Brief:
    target: Target = brief.target.model_copy(update=changes)
    return brief.model_copy(update={"target": target})


def _title(brief: Brief, text: str) -> Brief:
    return _target(brief, title=text)


def _reference(brief: Brief, text: str) -> Brief:
    return _target(brief, reference=f"# {text}\n{brief.target.reference}")


def _baseline(brief: Brief, text: str) -> Brief:
    baseline = brief.target.baseline
    source = f"// {text}\n{baseline.source}"
    return _target(brief, baseline=baseline.model_copy(update={"source": source}))


def _task(brief: Brief, text: str) -> Brief:
    context = brief.task.context.model_copy(update={"constraints": (text,)})
    task: Task = brief.task.model_copy(update={"context": context})
    return brief.model_copy(update={"task": task})


def _earlier_reply(brief: Brief, text: str) -> Brief:
    candidate = Candidate(
        target=brief.target.name,
        source=f"// {text}\n",
        launch_plan=brief.target.baseline.launch_plan,
    )
    feedback = RoundFeedback(
        round=1, candidate=candidate, evidence=_summary(findings=(), compiles=())
    )
    return brief.model_copy(update={"feedback": (feedback,)})


def _compiler(brief: Brief, text: str) -> Brief:
    compiles = (
        CompileSummary(
            architecture="gfx942",
            status=Status.COMPILE_ERROR,
            message=f"kernel.hip:1: {text}",
            kernels=(),
        ),
    )
    feedback = RoundFeedback(round=1, evidence=_summary(findings=(), compiles=compiles))
    return brief.model_copy(update={"feedback": (feedback,)})


def _test_output(brief: Brief, text: str) -> Brief:
    findings = (Finding(status=Status.WRONG_VALUE, message=text),)
    feedback = RoundFeedback(
        round=1, evidence=_summary(findings=findings, compiles=()), reply_error=text
    )
    return brief.model_copy(update={"feedback": (feedback,)})


def _profile(brief: Brief, text: str) -> Brief:
    """As far as it is text: what the machine's model names as holding a kernel back."""
    estimate = EstimateSummary(
        architecture="gfx942",
        low_microseconds=1,
        high_microseconds=2,
        bottlenecks=(text,),
        speedup_low=1,
        speedup_high=2,
    )
    found = _summary(findings=(), compiles=()).model_copy(update={"estimates": (estimate,)})
    feedback = RoundFeedback(round=1, evidence=found)
    return brief.model_copy(update={"feedback": (feedback,), "evidence": found})


def _summary(
    findings: tuple[Finding, ...], compiles: tuple[CompileSummary, ...]
) -> EvidenceSummary:
    return EvidenceSummary(
        evidence_id="ev-1",
        tier=None,
        status=Status.COMPILE_ERROR if compiles else Status.WRONG_VALUE,
        cases_run=1,
        cases_passed=0,
        findings=findings,
        failed_cases=(),
        compiles=compiles,
        estimates=(),
    )


CARRIERS: Mapping[str, Carrier] = {
    "repository file": _file,
    "file name": _file_name,
    "document with hidden text": _document,
    "title of a target": _title,
    "reference": _reference,
    "baseline": _baseline,
    "task": _task,
    "earlier reply": _earlier_reply,
    "compiler output": _compiler,
    "test output": _test_output,
    "profiler text": _profile,
}
