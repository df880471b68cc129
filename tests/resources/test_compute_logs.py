"""What steps print, kept in the home."""

from pathlib import Path

from rocm_pipeline.resources import compute_logs

WORDS = "a step's words\n" * 10_000


def test_a_step_goes_on_printing_where_a_full_disk_keeps_nothing_of_it(tmp_path: Path) -> None:
    redirected = compute_logs._redirected  # pyright: ignore[reportPrivateUsage]
    with (tmp_path / "terminal").open("w") as terminal, redirected(terminal, Path("/dev/full")):
        terminal.write(WORDS)
    assert (tmp_path / "terminal").read_text() == WORDS
