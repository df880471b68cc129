"""The real resources. Each is opened by the step that uses it, in that step's process."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.agents.workshop import Workshop
from rocm_pipeline.home import Home
from rocm_pipeline.planning.planted.measure import latest
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.publishing.pull_request import Proposal, proposal_files, propose
from rocm_pipeline.records.lineage import lineage, render
from rocm_pipeline.records.records import Records
from rocm_pipeline.reporting.page import INDEX, ReportInputs, read_summaries, write_page
from rocm_pipeline.resources.artefacts import ArtefactIOManager, Artefacts
from rocm_pipeline.resources.bundles import HomeBundles
from rocm_pipeline.resources.locks import locked
from rocm_pipeline.resources.operators import HomeIntegration
from rocm_pipeline.resources.sources import HomeHistory, HomeSources


class HomePublishing:
    """Branches in the configured repository, noted in the records."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def propose(self, proposal: Proposal) -> PullRequest:
        # Several targets may be published at a time; git takes one writer of worktrees.
        with locked(self._home.path / "publishing.lock"):
            proposed = propose(self._home.repository, self._home.worktrees, proposal)
        if proposed.commit is not None:
            self._note(proposal, proposed, proposed.commit)
        return proposed

    def _note(self, proposal: Proposal, proposed: PullRequest, commit: str) -> None:
        name = hashlib.sha256(f"{proposed.branch} {commit}".encode()).hexdigest()[:16]
        pull_request = f"pr-{name}"
        with _records(self._home) as records:
            records.save_pull_request(
                pull_request,
                target=proposed.target,
                candidate_id=proposal.kernel.candidate.id,
                evidence_id=proposal.kernel.evidence.id,
                branch=proposed.branch,
                commit=commit,
                state="ready",
            )
            for path, text in proposal_files(proposal).items():
                records.save_artefact(
                    text.encode(), kind=f"{path} of a pull request", owner_id=pull_request
                )


class HomeReporting:
    """Pages in the home, and lineage from its records."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def lineage(self, kernel: ChosenKernel) -> str:
        with _records(self._home) as records:
            return render(lineage(records, kernel.candidate.id))

    def page(self, inputs: ReportInputs) -> Path:
        # Each page also renews the index over all of them.
        with locked(self._home.path / "reports.lock"):
            with _records(self._home) as records:
                measured = latest(records)
            page = write_page(self._home.reports, inputs, measured)
            self._note(page, inputs)
        return page

    def _note(self, page: Path, inputs: ReportInputs) -> None:
        """Note whose the page is, and the index, which is about every target's evidence."""
        rows = read_summaries(self._home.reports)
        owners = {
            # The plan leads to the commit, also for a baseline, which no agent wrote.
            page: [inputs.kernel.evidence.id, inputs.plan.id],
            page.with_name(INDEX): [row.evidence for row in rows if row.evidence],
        }
        with _records(self._home) as records:
            for file, ids in owners.items():
                for owner in ids:
                    records.save_artefact(file.read_bytes(), kind="report", owner_id=owner)


@contextmanager
def _records(home: Home) -> Generator[Records, None, None]:
    records = Records.open(home.records_url, str(home.store))
    try:
        yield records
    finally:
        records.close()


@dg.resource(description="The folder that holds all state.")
def home(_context: dg.InitResourceContext) -> Home:
    return Home.from_environment()


@dg.resource(description="Targets and the configured repository.")
def sources(_context: dg.InitResourceContext) -> HomeSources:
    return HomeSources(Home.from_environment())


@dg.resource(description="The commits of the configured repository.")
def history(_context: dg.InitResourceContext) -> HomeHistory:
    return HomeHistory(Home.from_environment())


@dg.resource(description="Agents at work: the fleet, the harness and the records.")
@contextmanager
def workshop(_context: dg.InitResourceContext) -> Generator[Workshop, None, None]:
    with Workshop.open(Home.from_environment()) as opened:
        yield opened


@dg.resource(description="Makes and judges operator packages.")
def integration(_context: dg.InitResourceContext) -> HomeIntegration:
    return HomeIntegration(Home.from_environment())


@dg.resource(description="Evidence bundles, and their check in a clean workspace.")
def bundles(_context: dg.InitResourceContext) -> HomeBundles:
    return HomeBundles(Home.from_environment())


@dg.resource(description="Branches in the configured repository.")
def publishing(_context: dg.InitResourceContext) -> HomePublishing:
    return HomePublishing(Home.from_environment())


@dg.resource(description="Pages and lineage.")
def reporting(_context: dg.InitResourceContext) -> HomeReporting:
    return HomeReporting(Home.from_environment())


@dg.io_manager(description="Values by content, in the store of the home.")
def artefacts(_context: dg.InitResourceContext) -> ArtefactIOManager:
    return ArtefactIOManager(Artefacts.open(Home.from_environment()))


def production_resources() -> dict[str, object]:
    return {
        "home": home,
        "sources": sources,
        "history": history,
        "workshop": workshop,
        "integration": integration,
        "bundles": bundles,
        "publishing": publishing,
        "reporting": reporting,
        "io_manager": artefacts,
    }
