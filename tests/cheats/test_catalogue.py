"""All 43 entries are planted or met elsewhere, and the table in the documentation says so."""

import re
from pathlib import Path

import pytest

from tests.cheats.catalogue import ELSEWHERE, HARNESS, HIP, REPLIES, TARGETS, Elsewhere, planted
from tests.cheats.model import TITLES
from tests.cheats.test_hip import HONEST

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "cheats.md"
_ROW = re.compile(r"\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")

Rows = dict[int, tuple[str, str, str]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Title, defence and planted cases of each row of the table."""
    found = _ROW.findall(DOCUMENT.read_text())
    assert len(found) == len({number for number, *_ in found})
    return {int(number): (title, defence, cases) for number, title, defence, cases in found}


@pytest.mark.parametrize("number", TITLES)
def test_every_number_is_planted_or_met_elsewhere(number: int) -> None:
    assert planted(number)


def test_there_are_43_numbers() -> None:
    assert list(TITLES) == list(range(1, 44))


def test_at_least_sixty_cheats_and_sixty_honest_kernels() -> None:
    assert len(HIP) + len(REPLIES) >= 60
    assert len(HONEST) >= 60


def test_names_are_unique() -> None:
    ids = [cheat.id for cheat in (*HIP, *REPLIES, *HARNESS, *TARGETS)]
    assert len(ids) == len(set(ids))


def test_no_honest_kernel_is_also_a_cheat() -> None:
    cheats = {cheat.kernel.candidate.id for cheat in HIP}
    assert cheats.isdisjoint(kernel.candidate.id for kernel in HONEST.values())


@pytest.mark.parametrize("entry", ELSEWHERE, ids=lambda entry: f"{entry.number}-{entry.test}")
def test_what_is_shown_elsewhere_is_there(entry: Elsewhere) -> None:
    assert f"def {entry.test}(" in (REPOSITORY / entry.file).read_text()


@pytest.mark.parametrize("number", TITLES)
def test_the_table_says_what_is_planted(number: int, rows: Rows) -> None:
    title, defence, cases = rows[number]
    counts = ", ".join(
        where if where == "Python" else f"{count} {where}"
        for where, count in planted(number).items()
    )

    assert title == TITLES[number]
    assert len(defence) > 20
    assert cases == counts
