"""Claims about what was judged, by what, and where: they are compared without running anything."""

from rocm_pipeline.bundle.claims import Kind, Row, Verdict
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import NO_DEVICE, Evidence


def same_kernel(
    name: str, candidate: Candidate, evidence: Evidence, about_baseline: bool
) -> list[Row]:
    identity = evidence.identity
    pairs = (
        (f"source of the {name}", identity.source_sha256, candidate.source_sha256),
        (f"launch plan of the {name}", identity.plan_sha256, candidate.plan_sha256),
    )
    return [equal(Kind.SOURCE, *pair, about_baseline) for pair in pairs]


def equal(kind: Kind, claim: str, recorded: str, found: str, about_baseline: bool = False) -> Row:
    same = recorded == found
    return Row(
        kind=kind,
        claim=claim,
        recorded=recorded,
        found=found,
        verdict=Verdict.REPRODUCED if same else Verdict.NOT_REPRODUCED,
        reason="" if same else "another one",
        about_baseline=about_baseline,
    )


def version(kind: Kind, claim: str, recorded: str, found: str) -> Row:
    same = recorded == found
    return Row(
        kind=kind,
        claim=claim,
        recorded=recorded,
        found=found,
        verdict=Verdict.REPRODUCED if same else Verdict.UNCHECKED,
        reason="" if same else "another one is installed here, so figures need not be equal",
    )


def contained_by(evidence: Evidence, here: str, about_baseline: bool) -> list[Row]:
    """Return the row of what contained the run; none where nothing was run."""
    if not evidence.sandbox:
        return []
    same = evidence.sandbox == here
    return [
        Row(
            kind=Kind.SANDBOX,
            claim="contained by",
            recorded=evidence.sandbox,
            found=here,
            verdict=Verdict.REPRODUCED if same else Verdict.UNCHECKED,
            reason="" if same else "another one is used here; what was used there is its word",
            about_baseline=about_baseline,
        )
    ]


def device(evidence: Evidence) -> Row:
    same = evidence.measured_on == NO_DEVICE
    return Row(
        kind=Kind.DEVICE,
        claim="measured on",
        recorded=evidence.measured_on,
        found=NO_DEVICE,
        verdict=Verdict.REPRODUCED if same else Verdict.UNCHECKED,
        reason="" if same else "this version runs nothing on a device",
    )
