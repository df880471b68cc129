"""The tables of the lab: what is missing is never met, and what is timed gives right answers."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.figures import Figure, NotRun, Row, as_markdown, show
from benchmarks.lab import constructs, emulation, suite
from benchmarks.lab.__main__ import BEGIN, END, replace_figures
from benchmarks.lab.compile_time import SystemClang
from benchmarks.lab.emulation import EmulationBench, Time, Times
from benchmarks.lab.suite import Outcome
from benchmarks.lab.workloads import workloads
from benchmarks.trust import Report
from rocm_pipeline.lab.sandbox import Sandbox
from tests.scale import only_long


def outcomes(
    count: int = 60, false_alarms: int = 0, missed: int = 0, misnamed: int = 0
) -> list[Outcome]:
    honest = [
        Outcome(f"k{i}", f"f{i % 12}", "", i >= false_alarms, False, "RACE: x", 1.0)
        for i in range(count)
    ]
    bugs = [
        Outcome(f"k{i}", f"f{i % 12}", "no barrier", i < missed, i >= missed + misnamed, "x", 1.0)
        for i in range(count)
    ]
    return honest + bugs


def short(rows: list[Row]) -> set[str]:
    return {row.what.strip() for row in rows if not row.met}


def times(name: str, plain: float, on_two: float, checked: float) -> Times:
    return Times(name, Time(plain, plain), Time(on_two, on_two), Time(checked, checked), 1.0, 1.0)


def test_a_figure_that_was_not_taken_is_not_met_and_says_why() -> None:
    rows = [Figure("a", 1, "", aim=2), NotRun("b", "no GPU")]
    console = Console(record=True, width=80)

    assert not show("x", rows, console)
    assert "no GPU" in console.export_text()
    assert "| b | not run | no GPU | not run |" in as_markdown(rows)


def test_a_suite_in_which_all_is_right_meets_every_aim() -> None:
    assert short(suite.rows(outcomes(), 1.0)) == set()


@pytest.mark.parametrize(
    ("found", "row"),
    [
        (outcomes(false_alarms=1), "false alarms"),
        (outcomes(missed=4), "found"),
        (outcomes()[:60] + outcomes()[60:119], "seeded bugs"),
        (outcomes()[1:], "kernels of the suite"),
    ],
)
def test_what_a_suite_lacks_makes_its_row_short(found: list[Outcome], row: str) -> None:
    assert short(suite.rows(found, 1.0)) == {row}


def test_a_suite_of_nothing_is_short() -> None:
    assert {"kernels of the suite", "seeded bugs", "found"} <= short(suite.rows([], 0.0))


def test_a_bug_that_was_found_under_another_name_is_found_and_counted_apart() -> None:
    rows = {row.what.strip(): row for row in suite.rows(outcomes(misnamed=2), 1.0)}
    named = rows["found, and called what they are"]

    assert isinstance(named, Figure)
    assert named.value == 58


def test_the_aims_of_speed_are_those_of_the_gemm_and_of_every_ratio() -> None:
    good = emulation.rows(times("GEMM", 0.15, 0.09, 0.7))
    slow = emulation.rows(times("GEMM", 0.2, 0.11, 1.1))
    other = emulation.rows(times("attention", 0.2, 0.11, 1.1))

    assert short(list(good)) == set()
    assert short(list(slow)) == {
        "plain, blocks spread over two processes",
        "checked over plain, processor time",
    }
    assert short(list(other)) == {"checked over plain, processor time"}


def test_tests_that_failed_or_were_skipped_are_short() -> None:
    bad = constructs.rows("x", Report((), Counter(passed=3, failure=1, skipped=1)))

    assert short(bad) == {"failed", "skipped"}
    assert short(constructs.rows("x", Report((), Counter()))) == {"tests of x, passed"}


def test_the_names_are_those_of_the_table() -> None:
    offered, builtins, refused = constructs.names()

    assert all(isinstance(row, Figure) and row.value > 20 for row in (offered, builtins, refused))


def test_a_system_without_clang_or_without_headers_has_no_system_clang(tmp_path: Path) -> None:
    compiler = tmp_path / "usr/lib/llvm-19/bin/clang++"
    compiler.parent.mkdir(parents=True)
    compiler.touch()
    assert SystemClang.find(tmp_path) is None

    header = tmp_path / "usr/include/hip/hip_runtime.h"
    header.parent.mkdir(parents=True)
    header.touch()
    found = SystemClang.find(tmp_path)
    assert found is not None
    assert found.folder == "usr/lib/llvm-19/bin"

    compiler.unlink()
    assert SystemClang.find(tmp_path) is None


def test_only_what_lies_between_the_marks_of_a_page_is_replaced() -> None:
    page = f"before\n{BEGIN}old\n{END}after\n"

    assert replace_figures(page, "new\n") == f"before\n{BEGIN}new\n{END}after\n"
    with pytest.raises(SystemExit, match="has no lines"):
        replace_figures("a page without marks", "new")


def test_a_plan_of_two_launches_is_timed_in_every_way_with_right_answers(tmp_path: Path) -> None:
    (small,) = [each for each in workloads() if len(each.launches) == 2]
    found = EmulationBench(Sandbox.detect(), tmp_path).times(small, repeats=1)

    for each in (found.plain, found.plain_on_two, found.checked):
        assert each.processor > 0
        assert each.wall > 0
    assert found.whole_run > 0


def test_a_wrong_answer_stops_the_command() -> None:
    workload = workloads()[0]
    with pytest.raises(SystemExit, match="wrong answer"):
        workload.check(np.zeros_like(workload.buffers["c"]), "a test")


@only_long
def test_a_kernel_of_the_suite_passes_and_its_twins_do_not() -> None:
    rows = {
        row.what.strip(): row
        for row in suite.measure(Console(quiet=True), ["transpose/tiled_32x8"])
        if isinstance(row, Figure)
    }

    assert rows["kernels of the suite"].value == 1
    assert rows["false alarms"].value == 0
    assert rows["seeded bugs"].value >= 1
    assert rows["found"].value == 100
