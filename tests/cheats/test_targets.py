"""A target whose reference or baseline is wrong is refused before any candidate is judged."""

from collections.abc import Iterator

import pytest

from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.controls import require_sound
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.spec import Target
from tests.cheats.hip.honest import ROW_SUM
from tests.cheats.model import record_cheat, record_honest
from tests.cheats.target_cheats import CHEATS, SLOW, TargetCheat, with_baseline
from tests.conftest import RecordFigure


@pytest.fixture(scope="module")
def bench(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("records")
    records = Records.open(str(folder / "records.db"), str(folder / "store"))
    yield Bench(harness, records)
    records.close()


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.id)
def test_a_target_that_cheats_is_refused(
    cheat: TargetCheat, bench: Bench, record_figure: RecordFigure
) -> None:
    require_sound(cheat.target)  # nothing before the baseline sees it
    reasons = _refusals(bench, cheat.target)
    outcome = cheat.outcome(None, reasons)
    record_cheat(record_figure, cheat, outcome)
    against = _refusals(bench, cheat.honest)
    record_honest(record_figure, f"twin of {cheat.id}", not against)

    assert outcome == "caught", reasons
    assert against == []


def test_a_slow_baseline_is_not_found_and_its_own_time_is_in_its_evidence(bench: Bench) -> None:
    """What docs/cheats.md says of entry 32: nothing knows how fast a baseline could be."""
    _, honest = bench.baseline(with_baseline(ROW_SUM), ())
    _, slow = bench.baseline(SLOW, ())
    assert slow.estimates[0].low_microseconds > honest.estimates[0].high_microseconds
    over = bench.judge(ROW_SUM.candidate, SLOW, (), slow)
    assert (score(over) or 0) > 1
    assert slow.identity.target_sha256 != honest.identity.target_sha256


def _refusals(bench: Bench, target: Target) -> list[str]:
    try:
        bench.baseline(target, ())
    except UserError as error:
        return [str(error)]
    return []
