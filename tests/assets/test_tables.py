"""Tables take what agents wrote as data."""

from rocm_pipeline.assets.tables import cell, round_verdict, source, table
from rocm_pipeline.planning.rules import make_plan
from tests.fakes.values import a_round, a_target


def test_an_agent_s_text_cannot_leave_its_cell() -> None:
    rows = table(("a", "b"), [("x | y\n| z |", "`code`")]).value
    assert rows is not None
    assert len(rows.splitlines()) == 3
    assert "x \\| y" in rows
    assert "`" not in rows


def test_a_long_cell_is_cut() -> None:
    assert len(cell("word " * 100)) == 160


def test_a_source_cannot_end_its_own_fence() -> None:
    text = source("int x; // ```` \n# heading").value
    assert text is not None
    first, *_, last = text.splitlines()
    assert first == "`````cpp"
    assert last == "`````"


def test_the_verdict_on_a_round_is_one_line() -> None:
    target = a_target()
    task = make_plan(target, "c0ffee", ()).tasks[1]
    assert round_verdict(a_round(target, task, "a")) == "T2 PASSED"
    failing = round_verdict(a_round(target, task, "a", passes=False))
    assert failing == "T0 COMPILE_ERROR expected ';' | in 'line'"
