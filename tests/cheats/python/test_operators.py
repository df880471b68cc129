"""Planted operators are refused for the stated reason, by their source and by running them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from rocm_pipeline.integration import policy
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.integration.job import Check
from rocm_pipeline.integration.package import generate
from rocm_pipeline.integration.verify import Subject, verify_all
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.emulator import Emulator, TorchLibrary
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.library import load
from rocm_pipeline.targets.spec import Target
from tests.cheats.model import record_cheat, record_honest
from tests.cheats.python.catalogue import PLANTED
from tests.cheats.python.operators import HONEST, Source
from tests.cheats.python.planted import Planted
from tests.conftest import RecordFigure
from tests.scale import is_long, only_long

_BATCH = 16

BY_SOURCE = [planted for planted in PLANTED if planted.by_source]
_ALL_RUNNING = [planted for planted in PLANTED if planted.behind]
_FIRST_RUNNING = {p.running.number: p for p in reversed(_ALL_RUNNING) if not p.alone}
RUNNING = _ALL_RUNNING if is_long() else list(_FIRST_RUNNING.values())[:_BATCH]
"""Each start of PyTorch takes seconds, so that the short run has one batch of distinct numbers."""
TWINS = list(dict.fromkeys(planted.twin for planted in PLANTED))[: None if is_long() else 6]


def _batches(planted: list[Planted]) -> Iterator[list[Planted]]:
    together = iter([one for one in planted if not one.alone])
    while batch := list(islice(together, _BATCH)):
        yield batch
    yield from ([one] for one in planted if one.alone)


@pytest.fixture(scope="module")
def softmax() -> Target:
    return load("row_softmax", Path("no user targets"))


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox.detect()


@pytest.fixture(scope="module")
def libraries(softmax: Target, sandbox: Sandbox, builds: Path) -> TorchLibrary:
    """The baseline's kernels: honest, so that whatever is wrong is the operator's doing."""
    emulator = Emulator(sandbox, builds / "emulator")
    kernels = softmax.kernel_names(softmax.baseline.launch_plan)
    return emulator.library_for_torch(softmax.baseline.source, kernels)


def _subject(target: Target, libraries: TorchLibrary, source: Source, *checks: Check) -> Subject:
    candidate = Candidate(
        target=target.name,
        source=target.baseline.source,
        launch_plan=target.baseline.launch_plan,
    )
    return Subject(generate(target, candidate, source.text), target, libraries, checks)


def _checks(planted: Planted) -> tuple[Check, ...]:
    """The check that must find it, and those that it rests on."""
    assert planted.behind is not None
    before = (Check.FORWARD,) if planted.behind.check is Check.EQUIVALENT else ()
    early = (Check.LOAD,) if planted.behind.reason == "ended early" else ()
    return (*early, *before, planted.behind.check)


@pytest.mark.parametrize("planted", BY_SOURCE, ids=lambda planted: planted.name)
def test_the_source_of_a_planted_operator_gives_it_away(
    planted: Planted, softmax: Target, record_figure: RecordFigure
) -> None:
    cheat = planted.cheats()[0]
    broken = policy.violations(softmax, planted.source.text)
    outcome = cheat.outcome(Status.POLICY_VIOLATION, broken)
    record_cheat(record_figure, cheat, outcome)
    assert outcome == "caught", broken


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_the_source_of_its_honest_neighbour_is_let_through(
    planted: Planted, softmax: Target
) -> None:
    assert policy.violations(softmax, planted.twin.text) == ()


def test_a_planted_operator_is_not_its_honest_neighbour() -> None:
    for planted in PLANTED:
        assert planted.source.text != planted.twin.text
        assert planted.cheats(), f"{planted.name} is expected nowhere"


@pytest.mark.torch
@pytest.mark.parametrize(
    "batch", list(_batches(RUNNING)), ids=lambda batch: f"{batch[0].name}-and-{len(batch) - 1}-more"
)
def test_running_a_planted_operator_gives_it_away(
    batch: list[Planted],
    softmax: Target,
    libraries: TorchLibrary,
    sandbox: Sandbox,
    record_figure: RecordFigure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_rules = {p.source.text: policy.violations(softmax, p.source.text) for p in batch}
    for planted in batch:
        assert bool(by_rules[planted.source.text]) == bool(planted.by_source), planted.name
    monkeypatch.setattr(policy, "violations", _nothing)
    subjects = [_subject(softmax, libraries, p.source, *_checks(p)) for p in batch]
    wrong: list[str] = []
    for planted, evidence in zip(batch, verify_all(subjects, sandbox), strict=True):
        assert planted.behind is not None
        record = evidence.record(planted.behind.check)
        messages = [record.message] if record.status is not Status.PASSED else []
        outcome = planted.running.outcome(record.status, messages)
        record_cheat(record_figure, planted.running, outcome)
        if outcome != "caught" or evidence.status is Status.PASSED:
            wrong.append(f"{planted.name} {outcome}: {_shown(evidence)}")
    assert not wrong, "\n".join(wrong)


@only_long
@pytest.mark.torch
def test_honest_neighbours_pass_every_check(
    softmax: Target, libraries: TorchLibrary, sandbox: Sandbox, record_figure: RecordFigure
) -> None:
    """The honest operator itself passes every check in the tests of the integration."""
    sources = [twin for twin in TWINS if twin != HONEST]
    subjects = [_subject(softmax, libraries, source, *_asked(source)) for source in sources]
    rejected: list[str] = []
    for source, evidence in zip(sources, verify_all(subjects, sandbox), strict=True):
        names = [planted.name for planted in PLANTED if planted.twin == source]
        for name in names:
            record_honest(record_figure, f"py-{name}", not evidence.failures)
        if evidence.failures or evidence.record(Check.FORWARD).status is not Status.PASSED:
            rejected.append(f"{', '.join(names)}: {_shown(evidence)}")
    assert not rejected, "\n".join(rejected)


def _asked(twin: Source) -> set[Check]:
    """The checks that find the cheats which `twin` is the neighbour of."""
    found = {p.behind.check for p in PLANTED if p.twin == twin and p.behind}
    own = set() if twin.backward == HONEST.backward else {Check.BACKWARD}
    return {Check.FORWARD, *own, *found}


def _nothing(_target: Target, _source: str) -> tuple[str, ...]:
    """Rules that see nothing: what lies behind them must hold without them."""
    return ()


def _shown(evidence: OperatorEvidence) -> str:
    ran = [one for one in evidence.checks if one.status is not Status.NOT_RUN]
    return "; ".join(f"{one.check.value}: {one.status.value} {one.message[:300]}" for one in ran)
