"""Tables of figures: a missed aim is told, on the terminal and in a document."""

import io

from rich.console import Console

from benchmarks.figures import Figure, as_markdown, show

FIGURES = [
    Figure("attacks tried", 161, "", least=60),
    Figure("  contained", 160, "", least=161),
    Figure("median", 12.345, "ms"),
]


def test_a_missed_aim_is_short_and_the_table_says_so() -> None:
    written = io.StringIO()
    console = Console(file=written, width=100)
    assert not show("Figures", FIGURES, console)
    assert show("Figures", FIGURES[:1], console)
    (line,) = [line for line in written.getvalue().splitlines() if "contained" in line]
    assert "SHORT" in line


def test_a_document_gets_the_same_rows() -> None:
    assert as_markdown(FIGURES).splitlines() == [
        "| what | figure | aim | met |",
        "| --- | --- | --- | --- |",
        "| attacks tried | 161 | at least 60 | met |",
        "| &nbsp;&nbsp;contained | 160 | at least 161 | SHORT |",
        "| median | 12.35 ms |  |  |",
    ]
