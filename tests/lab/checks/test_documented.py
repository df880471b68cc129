"""docs/checks.md tells of every finding that the checker can write."""

from pathlib import Path

from rocm_pipeline.lab.emulator import findings

_PAGE = Path(__file__).parents[3] / "docs" / "checks.md"


def test_every_kind_of_finding_is_on_the_page_once() -> None:
    kinds = [kind.name for kind in findings._Kind]  # pyright: ignore[reportPrivateUsage]
    rows = [line for line in _PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    named = [line.split("`")[1] for line in rows]
    assert sorted(name for name in named if name in kinds) == sorted(kinds)
