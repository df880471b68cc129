"""Submissions that several tests of the reviews share."""

from dataclasses import replace

from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.planted.library import planted_kernels


def submitted(name: str = "tree_in_lds") -> Submission:
    """Return the final-review submission of a planted kernel."""
    return next(kernel for kernel in planted_kernels() if kernel.name == name).submission()


def with_source(before: str, after: str, name: str = "tree_in_lds") -> Submission:
    """Return a planted submission whose source says something else, with evidence about it."""
    given = submitted(name)
    assert before in given.candidate.source
    source = given.candidate.source.replace(before, after)
    candidate = given.candidate.model_copy(update={"source": source})
    identity = given.evidence.identity.model_copy(update={"source_sha256": candidate.source_sha256})
    evidence = given.evidence.model_copy(update={"identity": identity})
    assert given.cross is not None
    cross = given.cross.model_copy(update={"subject": candidate.id, "evidence_ids": (evidence.id,)})
    return replace(given, candidate=candidate, evidence=evidence, cross=cross)
