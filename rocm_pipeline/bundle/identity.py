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
    row = _compared(kind, claim, recorded, found, Verdict.NOT_REPRODUCED, "another one")
    return row.model_copy(update={"about_baseline": about_baseline})


def version(kind: Kind, claim: str, recorded: str, found: str) -> Row:
    why = "another one is installed here, so figures need not be equal"
    return _compared(kind, claim, recorded, found, Verdict.UNCHECKED, why)


def contained_by(evidence: Evidence, here: str, about_baseline: bool) -> list[Row]:
    """Return the row of what contained the run; none where nothing was run."""
    if not evidence.sandbox:
        return []
    why = "another one is used here; what was used there is its word"
    row = _compared(Kind.SANDBOX, "contained by", evidence.sandbox, here, Verdict.UNCHECKED, why)
    return [row.model_copy(update={"about_baseline": about_baseline})]


def device(evidence: Evidence) -> Row:
    """Return the row of what the kernel ran on: here the emulator, also where there is a GPU."""
    why = "verifying takes the CPU emulator; `rocm-pipeline device` runs a kernel on a GPU"
    return _compared(
        Kind.DEVICE, "measured on", evidence.measured_on, NO_DEVICE, Verdict.UNCHECKED, why
    )


def _compared(
    kind: Kind, claim: str, recorded: str, found: str, otherwise: Verdict, why: str
) -> Row:
    """Return the row of a claim that holds if both texts are equal, and is `otherwise` if not."""
    same = recorded == found
    return Row(
        kind=kind,
        claim=claim,
        recorded=recorded,
        found=found,
        verdict=Verdict.REPRODUCED if same else otherwise,
        reason="" if same else why,
    )
