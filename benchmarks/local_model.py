"""What a real model of the user's own fleet makes of a kernel. Run: make show-model

The fleet is the configured one (`OLLAMA_HOST=... make show-model` is enough). By default the main
job runs on a fresh home for row_softmax and a vector operation, from the plan to the report. With
`--kernels-only` the kernel tasks alone are done, with the same prompts, journal and harness: for a
machine on which a model takes minutes for each answer. Nothing here is an aim: the figures say how
good the model is.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from sqlalchemy import select

from benchmarks.figures import Figure, as_markdown, show
from benchmarks.machine import facts
from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.desk import Desk
from rocm_pipeline.agents.kernel_task import KernelTask, develop
from rocm_pipeline.agents.outcome import KernelRound, TestSuite
from rocm_pipeline.errors import EXIT_BAD_INPUT, UserError
from rocm_pipeline.fleet.hosts import FleetConfig, find_config
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.home import ROUNDS_VARIABLE, Home
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.plan import Role, Task, Work
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.records.ledger import ANTHROPIC
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow, CandidateRow, EvidenceRow, OriginRow
from rocm_pipeline.resources.sources import HomeSources
from rocm_pipeline.targets.spec import Target

OWN_TARGETS = Path(__file__).with_name("targets")
TARGETS = ("saxpy", "row_softmax")
PATIENCE = Deadlines(first_token=3600.0, stall=600.0, total=7200.0)
"""A model on a few cores reads a prompt for minutes."""


@dataclass
class Tally:
    """What the records of a home hold of one target; every number is of kernel tasks."""

    attempts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    verdicts: Counter[str] = field(default_factory=Counter[str])
    """Status of each different kernel."""

    @property
    def answers(self) -> int:
        """Answers that came whole."""
        return self.outcomes[Outcome.OK.value]

    @property
    def kernels(self) -> int:
        """Different kernels that came in those answers."""
        return self.verdicts.total()

    @property
    def compiled(self) -> int:
        refused = (Status.COMPILE_ERROR, Status.POLICY_VIOLATION)
        return self.kernels - sum(self.verdicts[status.value] for status in refused)

    @property
    def verified(self) -> int:
        return self.verdicts[Status.PASSED.value]


def configured(home: Home) -> FleetConfig:
    """Return the user's fleet; the embedded agent is no model, so there must be one."""
    config = find_config(home.path)
    if config is None:
        raise UserError(
            "no fleet is configured",
            where="show-model",
            fix="Set OLLAMA_HOST, or write fleet.yaml.",
        )
    return config


def do_kernel_tasks(
    home: Home, targets: Sequence[str], rounds: int, max_tokens: int, directions: int
) -> None:
    """Do `directions` kernel tasks of each target, with `rounds` answers each."""
    config, sources, console = configured(home), HomeSources(home), Console()
    records = Records.open(home.records_url, str(home.store))
    try:
        fleet = Fleet(
            config.hosts,
            records.journal,
            records.leases,
            preferences=config.preferences,
            deadlines=PATIENCE,
        )
        fleet.survey(require=True)
        desk, bench = Desk(fleet, records), Bench(Harness(Sandbox.detect(), home.cache), records)
        for name in targets:
            target = sources.target(name)
            snapshot = sources.snapshot(target)
            _, baseline = bench.baseline(target, ())
            plan = make_plan(target, snapshot.commit, tuple(snapshot.files))
            for task in _kernel_tasks(plan.tasks)[:directions]:
                work = KernelTask(
                    target=target,
                    plan_id=plan.id,
                    task=task.model_copy(update={"max_tokens": max_tokens}),
                    files=dict(snapshot.files),
                    suite=TestSuite(target=name, cases=(), refused=(), exchanges=()),
                    baseline=baseline,
                    rounds=rounds,
                )
                develop(work, desk, bench, lambda found, on=target: _tell(found, on, console))
    finally:
        records.close()


def _kernel_tasks(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.task_type.work is Work.KERNEL]


def _tell(found: KernelRound, target: Target, console: Console) -> None:
    verdict = found.evidence.status.value if found.evidence else f"refused: {found.refused}"
    message = (
        found.evidence.findings[0].message if found.evidence and found.evidence.findings else ""
    )
    place = f"{target.name}, {found.exchange.task_id}, round {found.exchange.round}"
    console.print(f"{place}: {verdict} {message[:300]}", markup=False, soft_wrap=True)


def run_main_job(home: Home, targets: Sequence[str], rounds: int) -> None:
    """Run the main job as a user runs it; kernels that are not accepted are no error here."""
    configured(home)
    command = Path(sys.executable).with_name("rocm-pipeline")
    done = subprocess.run(
        [str(command), "run", *targets, "--home", str(home.path)],
        env={**os.environ, ROUNDS_VARIABLE: str(rounds)},
        check=False,
    )
    if done.returncode == EXIT_BAD_INPUT:
        raise SystemExit(EXIT_BAD_INPUT)


def tally(records: Records, target: str) -> Tally:
    """Add up what the records hold of `target`."""
    found = Tally()
    with records.database.reading() as session:
        asked = select(AttemptRow.status).where(
            AttemptRow.target == target, AttemptRow.role == Role.KERNEL_DEV.value
        )
        found.outcomes.update(session.scalars(asked))
        judged = (
            select(EvidenceRow.candidate_id, EvidenceRow.status)
            .join(CandidateRow, CandidateRow.candidate_id == EvidenceRow.candidate_id)
            .join(OriginRow, OriginRow.candidate_id == CandidateRow.candidate_id)
            .where(EvidenceRow.target == target)
            .order_by(EvidenceRow.created_at)
        )
        newest = {row.candidate_id: row.status for row in session.execute(judged)}
    found.verdicts.update(newest.values())
    found.attempts = found.outcomes.total()
    return found


def models(records: Records) -> list[str]:
    """Return each model with digest, answers, and tokens a second by the server's own counts."""
    asked = select(AttemptRow).where(AttemptRow.provider != ANTHROPIC, AttemptRow.eval_ns > 0)
    by_model: dict[tuple[str, str], list[AttemptRow]] = {}
    with records.database.reading() as session:
        for row in session.scalars(asked):
            by_model.setdefault((row.model_requested, row.model_digest), []).append(row)
    return [
        f"{name} (sha256 {digest[:12]}): {len(rows)} answers, "
        f"{sum(r.tokens_in for r in rows)} tokens read, {sum(r.tokens_out for r in rows)} written, "
        f"{sum(r.tokens_out for r in rows) / (sum(r.eval_ns for r in rows) / 1e9):.1f} tokens/s"
        for (name, digest), rows in by_model.items()
    ]


def figures(target: str, found: Tally) -> list[Figure]:
    """Return the figures of one target."""
    compile_rate = 100 * found.compiled / found.kernels if found.kernels else 0.0
    return [
        Figure(f"{target}: attempts of kernel tasks", found.attempts, ""),
        Figure("  whole answers", found.answers, ""),
        Figure("  different kernels in them", found.kernels, ""),
        Figure("  of them compiled for every architecture", compile_rate, "%"),
        Figure("  of them verified", found.verified, ""),
        *(
            Figure(f"    {status}", count, "")
            for status, count in sorted(found.verdicts.items())
            if status != Status.PASSED.value
        ),
    ]


def measure(home: Home, targets: Sequence[str], console: Console) -> list[Figure]:
    """Print the models and return the figures of every target, from the records of `home`."""
    records = Records.open(home.records_url, str(home.store))
    try:
        for line in models(records):
            console.print(line, soft_wrap=True, highlight=False)
        return [f for name in targets for f in figures(name, tally(records, name))]
    finally:
        records.close()


def main() -> int:
    """Run, print the table, and once more as Markdown for docs/models.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=TARGETS)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--kernels-only", action="store_true")
    parser.add_argument("--directions", type=int, default=2, help="kernel tasks of each target")
    parser.add_argument("--max-tokens", type=int, default=Work.KERNEL.max_tokens)
    parser.add_argument("--home", type=Path, help="kept; a temporary folder when left out")
    chosen = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        home = Home((chosen.home or Path(folder) / "home").resolve())
        home.create()
        shutil.copytree(OWN_TARGETS, home.targets, dirs_exist_ok=True)
        if chosen.kernels_only:
            do_kernel_tasks(
                home, chosen.targets, chosen.rounds, chosen.max_tokens, chosen.directions
            )
        else:
            run_main_job(home, chosen.targets, chosen.rounds)
        console.print(facts(), soft_wrap=True)
        found = measure(home, chosen.targets, console)
    show("A model of this fleet", found, console)
    console.print(as_markdown(found), markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
