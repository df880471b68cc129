"""Claims about who wrote and who said what: they can be held against the files, not repeated."""

from collections.abc import Iterator

from rocm_pipeline.bundle.claims import Kind, Row, Verdict
from rocm_pipeline.bundle.contents import Bundle

_CANDIDATE = "candidate"


def rows(bundle: Bundle) -> list[Row]:
    """Return the rows about lineage, reviews, documentation and the pipeline's own check."""
    return [*_exporter(bundle), *_lineage(bundle), *_reviews(bundle), *_documents(bundle)]


def _exporter(bundle: Bundle) -> Iterator[Row]:
    made_by = bundle.exported_by
    yield _row(
        "machine that exported it",
        f"{made_by.system} {made_by.machine}, {made_by.cpu}, {made_by.device}",
        True,
        unchecked="it is the author's word, and no figure is believed for it",
    )


def _lineage(bundle: Bundle) -> Iterator[Row]:
    chain = " <- ".join(f"{link.kind} {link.id}" for link in bundle.lineage) or "nothing"
    own = next((link for link in bundle.lineage if link.kind == _CANDIDATE), None)
    fits = (
        own is not None
        and own.id == bundle.candidate.id
        and own.facts.get("source") == bundle.candidate.source_sha256
    )
    yield _row(
        "lineage to the commit",
        chain,
        fits or not bundle.lineage,
        refuted="the chain is about another kernel",
        unchecked="no model is asked again; the chain names this kernel's hash"
        if bundle.lineage
        else "none was recorded",
    )


def _reviews(bundle: Bundle) -> Iterator[Row]:
    known = bundle.evidence_ids
    for review in bundle.reviews:
        yield _row(
            f"{review.kind} review",
            f"{review.verdict.value} by {review.reviewer}, citing {', '.join(review.evidence_ids)}",
            review.subject == bundle.candidate.id and set(review.evidence_ids) <= known,
            refuted="it is about another kernel, or cites evidence that is not here",
            unchecked="a judgement is not repeated; it is about this kernel and this evidence",
        )


def _documents(bundle: Bundle) -> Iterator[Row]:
    if bundle.document is not None:
        yield _row("documentation", "text", True, unchecked="it is prose, for a person to read")
    own = bundle.reproduction
    if own is not None:
        yield _row(
            "the pipeline's own check",
            own.words,
            own.candidate == bundle.candidate.id and own.evidence == bundle.evidence.id,
            refuted="it is about another kernel or evidence",
            unchecked="it is the author's word; the other rows are this machine's",
        )


def _row(claim: str, recorded: str, fits: bool, *, unchecked: str, refuted: str = "") -> Row:
    """Return a row that can be refuted by the files, but not reproduced."""
    return Row(
        kind=Kind.PROVENANCE,
        claim=claim,
        recorded=recorded,
        found="" if fits else refuted,
        verdict=Verdict.UNCHECKED if fits else Verdict.NOT_REPRODUCED,
        reason=unchecked if fits else "",
    )
