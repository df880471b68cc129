"""The bench: the harness with a memory, so that no experiment is run twice."""

import hashlib
from collections.abc import Sequence

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.spec import Case, Target


class Bench:
    """Judges candidates through the harness and keeps candidate and evidence in the records."""

    def __init__(self, harness: Harness, records: Records) -> None:
        self._harness = harness
        self._records = records

    def baseline(self, target: Target, agent_cases: Sequence[Case]) -> tuple[Candidate, Evidence]:
        """Judge the target's own baseline; a target whose baseline is wrong is refused."""
        candidate = Candidate(
            target=target.name,
            source=target.baseline.source,
            launch_plan=target.baseline.launch_plan,
        )
        self._save(candidate, None, None, 0)
        evidence = self.judge(candidate, target, agent_cases)
        if evidence.status is not Status.PASSED:
            first = evidence.findings[0].message
            raise UserError(
                f"the baseline does not pass ({evidence.status.value}: {first})",
                where=f"target {target.name}",
                fix="Mend the baseline, its launch plan or the reference.",
            )
        return candidate, evidence

    def judge_reply(
        self,
        candidate: Candidate,
        target: Target,
        agent_cases: Sequence[Case],
        baseline: Evidence,
        *,
        task_id: str,
        reply_id: str,
        round: int,
    ) -> Evidence:
        """Judge a candidate that came in a reply."""
        self._save(candidate, task_id, reply_id, round)
        return self.judge(candidate, target, agent_cases, baseline)

    def judge(
        self,
        candidate: Candidate,
        target: Target,
        agent_cases: Sequence[Case],
        baseline: Evidence | None = None,
    ) -> Evidence:
        """Return the evidence of this experiment, from the records when it was made before."""
        key = self._key(candidate, target, agent_cases, baseline)
        known = self._records.find_evidence(key)
        if known is not None:
            return Evidence.model_validate_json(self._records.store.get(known.json_sha256))
        evidence = self._harness.judge(
            candidate, target, agent_cases=agent_cases, baseline=baseline
        )
        self._records.save_evidence(
            evidence.id,
            identity=key,
            candidate_id=candidate.id,
            target=target.name,
            tier=None if evidence.tier is None else int(evidence.tier),
            status=evidence.status.value,
            document=evidence.model_dump_json(),
            speedup_low=min((s.low for s in evidence.speedups), default=None),
        )
        return evidence

    def _save(
        self, candidate: Candidate, task_id: str | None, reply_id: str | None, round: int
    ) -> None:
        self._records.save_candidate(
            candidate.id,
            target=candidate.target,
            source=candidate.source,
            launch_plan=candidate.launch_plan.model_dump_json(),
            task_id=task_id,
            reply_id=reply_id,
            parents=candidate.parents,
            round=round,
        )

    def _key(
        self,
        candidate: Candidate,
        target: Target,
        agent_cases: Sequence[Case],
        baseline: Evidence | None,
    ) -> str:
        parts = [
            self._harness.identify(candidate, target).model_dump_json(),
            *(case.model_dump_json() for case in agent_cases),
            baseline.id if baseline else "",
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
