"""The first page of a bundle: what it is about, what it claims, and the hash of everything."""

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.bundle.environment import Environment
from rocm_pipeline.bundle.parts import Claim, claims_of
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status, Tier
from rocm_pipeline.targets.spec import Target

SCHEMA = "rocm-pipeline evidence 1"


class Hashes(BaseModel):
    """SHA-256 of what the verdict depends on, and the identities of what cannot be put in a file.

    `target` is of the target's JSON without spaces, as evidence has it; `operator` of the operator
    package's. Every file's own hash is in SHA256SUMS.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    launch_plan: str
    target: str
    reference: str
    baseline: str
    operator: str | None
    harness: str
    toolchain: str


class Manifest(BaseModel):
    """Everything here follows from the other files, so an altered copy of it is found out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["rocm-pipeline evidence 1"] = SCHEMA
    target: str
    kernel: str
    evidence: str
    baseline: str
    baseline_evidence: str
    status: Status
    tier: Tier | None
    measured_on: str
    hashes: Hashes
    exported_by: Environment
    claims: tuple[Claim, ...]


def manifest_of(
    target: Target,
    candidate: Candidate,
    evidence: Evidence,
    baseline_evidence: Evidence,
    exported_by: Environment,
    *,
    operator: str | None,
) -> Manifest:
    """Return the manifest of these records; `operator` is the package's hash."""
    return Manifest(
        target=target.name,
        kernel=candidate.id,
        evidence=evidence.id,
        baseline=baseline_of(target).id,
        baseline_evidence=baseline_evidence.id,
        status=evidence.status,
        tier=evidence.tier,
        measured_on=evidence.measured_on,
        hashes=Hashes(
            source=candidate.source_sha256,
            launch_plan=candidate.plan_sha256,
            target=target.sha256,
            reference=hashlib.sha256(target.reference.encode()).hexdigest(),
            baseline=hashlib.sha256(target.baseline.source.encode()).hexdigest(),
            operator=operator,
            harness=evidence.identity.harness,
            toolchain=evidence.identity.toolchain,
        ),
        exported_by=exported_by,
        claims=(*claims_of(evidence), *claims_of(baseline_evidence, about_baseline=True)),
    )


def baseline_of(target: Target) -> Candidate:
    """Return the target's own kernel as a candidate."""
    return Candidate(
        target=target.name,
        source=target.baseline.source,
        launch_plan=target.baseline.launch_plan,
    )
