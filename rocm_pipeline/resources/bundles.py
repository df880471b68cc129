"""Evidence bundles from a home's records, and the pipeline's own check of them."""

import hashlib
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, Document
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.bundle.clean import verify_clean
from rocm_pipeline.bundle.contents import Bundle, LineageLink
from rocm_pipeline.bundle.environment import environment
from rocm_pipeline.bundle.failing import failing_arrays
from rocm_pipeline.bundle.folder import SUMS, sums, write_folder
from rocm_pipeline.bundle.manifest import baseline_of
from rocm_pipeline.bundle.outgoing import outgoing_files
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.same_code import speedups_over
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.review import Review
from rocm_pipeline.records.lineage import lineage
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import CandidateRow, EvidenceRow, ReviewRow
from rocm_pipeline.resources.artefacts import Artefacts
from rocm_pipeline.resources.protocols import BundleParts
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import NAME_PATTERN, Target
from rocm_pipeline.versions import package_sha256

_CHAIN = ("candidate", "reply", "attempt", "task", "plan", "commit")
"""Kinds of record that made the kernel; what was said of it later has files of its own."""
_PRIVATE = ("host",)
"""Facts that name a machine of the author's, and say nothing that a reader could check."""


class HomeBundles:
    """Puts bundles together from what a home holds."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._artefacts = Artefacts.open(home)

    def export(self, what: str, folder: Path | None) -> Path:
        """Write the bundle of a kernel (id, unique prefix, or target name); return its folder."""
        with _records(self._home) as records:
            bundle = self._recorded(records, self._candidate(records, what))
        place = folder or Path(f"evidence-{bundle.target.name}-{bundle.candidate.id}")
        write_folder(place.absolute(), outgoing_files(bundle))
        return place

    def of_kernel(
        self, target: Target, kernel: ChosenKernel, baseline_evidence: Evidence
    ) -> Bundle:
        """Return the bundle of the chosen kernel, with nothing of what was made of it later."""
        harness = Harness(Sandbox.detect(), self._home.cache)
        with _records(self._home) as records:
            return Bundle(
                target=target,
                candidate=kernel.candidate,
                evidence=kernel.evidence,
                baseline_evidence=baseline_evidence,
                exported_by=environment(Sandbox.detect(), harness.toolchain.identity),
                lineage=_chain(records, kernel.candidate.id),
            )

    def files(self, parts: BundleParts) -> dict[str, str]:
        """Return the files of the bundle that a pull request carries, SHA256SUMS included."""
        kernel = self.of_kernel(parts.target, parts.kernel, parts.baseline_evidence)
        bundle = replace(
            kernel,
            package=parts.operator.package,
            operator_evidence=parts.operator.evidence,
            document=parts.document.markdown,
            reviews=parts.reviews,
            reproduction=parts.reproduction,
        )
        files = outgoing_files(bundle)
        return {path: content.decode() for path, content in {**files, SUMS: sums(files)}.items()}

    def reproduce(
        self, target: Target, kernel: ChosenKernel, baseline_evidence: Evidence
    ) -> Reproduction:
        """Export the kernel's bundle and check it in a clean workspace, once for each evidence."""
        name = _memory_name(kernel.evidence, baseline_evidence)
        if self._artefacts.has(name):
            return self._artefacts.load(name, Reproduction)
        bundle = self.of_kernel(target, kernel, baseline_evidence)
        with tempfile.TemporaryDirectory(prefix="rocm-pipeline-bundle-") as folder:
            place = Path(folder) / "bundle"
            write_folder(place, outgoing_files(bundle))
            found = verify_clean(place, targets=self._home.targets, whole=False)
        if found.is_t5 or found.broken:  # the rest says as much of the machine's load
            self._artefacts.save(name, found)
        return found

    def _candidate(self, records: Records, what: str) -> CandidateRow:
        is_name = re.fullmatch(NAME_PATTERN, what) is not None
        kernel = self._artefacts.find("kernel", what, ChosenKernel) if is_name else None
        if kernel is not None and (row := records.candidate(kernel.candidate.id)):
            return row
        with records.database.reading() as session:
            query = select(CandidateRow).where(
                CandidateRow.candidate_id.startswith(what, autoescape=True)
            )
            found = list(session.scalars(query.limit(2)))
        if len(found) != 1:
            how = "several kernels begin" if found else "no kernel is, or begins"
            raise UserError(
                f"{how} with '{what}', and no target of that name has a chosen kernel",
                where="evidence export",
                fix="Give a whole kernel id (k-...) as tables and `pr.md` show it, or a target.",
            )
        return found[0]

    def _recorded(self, records: Records, row: CandidateRow) -> Bundle:
        candidate = Candidate(
            target=row.target,
            source=records.store.get_text(row.source_sha256),
            launch_plan=LaunchPlan.model_validate_json(records.store.get(row.plan_sha256)),
        )
        kernel = self._artefacts.find("kernel", row.target, ChosenKernel)
        chosen = kernel if kernel and kernel.candidate.id == candidate.id else None
        evidence = chosen.evidence if chosen else _newest(records, candidate.id)
        digest = evidence.identity.target_sha256
        target = Target.model_validate_json(records.store.get(digest))
        harness = Harness(Sandbox.detect(), self._home.cache)
        arrays = failing_arrays(candidate, target, evidence, harness.emulator)
        bundle = Bundle(
            target=target,
            candidate=candidate,
            evidence=evidence,
            baseline_evidence=self._baseline(records, target, evidence),
            exported_by=environment(Sandbox.detect(), harness.toolchain.identity),
            lineage=_chain(records, candidate.id),
            failing=arrays,
        )
        if chosen is not None:
            bundle = self._with_later(bundle, chosen)
        return replace(bundle, reviews=_reviews(records, bundle))

    def _with_later(self, bundle: Bundle, kernel: ChosenKernel) -> Bundle:
        """Add what was made of the chosen kernel, where it is there and about this very kernel."""
        name = bundle.target.name
        made = self._artefacts.find("torch_op", name, TorchOp)
        own = made is not None and made.evidence.candidate == kernel.candidate.id
        document = self._artefacts.find("documentation", name, Document)
        checked = self._artefacts.find("reproduction", name, Reproduction)
        is_checked = checked is not None and checked.evidence == bundle.evidence.id
        return replace(
            bundle,
            package=made.package if made and own else None,
            operator_evidence=made.evidence if made and own else None,
            document=document.markdown if document and own else None,
            reproduction=checked if is_checked else None,
        )

    def _baseline(self, records: Records, target: Target, evidence: Evidence) -> Evidence:
        """Return the baseline's evidence from which the speed-ups of `evidence` were made."""
        candidates = self._artefacts.find("kernel_candidates", target.name, CandidateSet)
        known = [] if candidates is None else [candidates.baseline_evidence]
        known += _all(records, baseline_of(target).id)
        for found in known:
            same = _experiment(found) == _experiment(evidence)
            if same and found.status is Status.PASSED and _explains(found, evidence):
                return found
        raise UserError(
            "the records hold no evidence of the baseline that it was compared with",
            where=evidence.id,
            fix=f"Run `rocm-pipeline run {target.name}` in this home first.",
        )


def _memory_name(evidence: Evidence, baseline: Evidence) -> str:
    parts = [evidence.id, baseline.id, package_sha256("rocm_pipeline.bundle")]
    return f"reproductions/{hashlib.sha256(' '.join(parts).encode()).hexdigest()}"


def _newest(records: Records, candidate_id: str) -> Evidence:
    found = _all(records, candidate_id)
    if not found:
        raise UserError(
            "it has never been judged",
            where=candidate_id,
            fix="Run the pipeline for its target.",
        )
    return found[0]


def _all(records: Records, candidate_id: str) -> list[Evidence]:
    """Return every evidence of a kernel, newest first."""
    query = (
        select(EvidenceRow)
        .where(EvidenceRow.candidate_id == candidate_id)
        .order_by(EvidenceRow.created_at.desc(), EvidenceRow.evidence_id)
    )
    with records.database.reading() as session:
        rows = list(session.scalars(query))
    return [Evidence.model_validate_json(records.store.get(row.json_sha256)) for row in rows]


def _experiment(evidence: Evidence) -> tuple[str, str, str]:
    identity = evidence.identity
    return identity.target_sha256, identity.harness, identity.toolchain


def _explains(baseline: Evidence, evidence: Evidence) -> bool:
    plan = evidence.identity.plan_sha256
    explained = speedups_over(baseline, plan, evidence.compiles, evidence.estimates)
    return all(each in explained for each in evidence.speedups)


def _chain(records: Records, candidate_id: str) -> tuple[LineageLink, ...]:
    return tuple(
        LineageLink(
            kind=link.kind,
            id=link.id,
            facts={name: fact for name, fact in link.facts.items() if name not in _PRIVATE},
        )
        for link in lineage(records, candidate_id)
        if link.kind in _CHAIN
    )


def _reviews(records: Records, bundle: Bundle) -> tuple[Review, ...]:
    """Return the newest review of each kind that cites nothing but what the bundle holds."""
    query = (
        select(ReviewRow)
        .where(ReviewRow.candidate_id == bundle.candidate.id)
        .order_by(ReviewRow.created_at, ReviewRow.review_id)
    )
    with records.database.reading() as session:
        rows = list(session.scalars(query))
    found = [Review.model_validate_json(records.store.get(row.json_sha256)) for row in rows]
    fitting = {r.kind: r for r in found if set(r.evidence_ids) <= bundle.evidence_ids}
    return tuple(fitting[kind] for kind in sorted(fitting))


@contextmanager
def _records(home: Home) -> Generator[Records, None, None]:
    if not home.path.exists():
        raise UserError(
            "nothing was recorded there yet", where=str(home.path), fix="Run `make run` first."
        )
    records = Records.open(home.records_url, str(home.store))
    try:
        yield records
    finally:
        records.close()
