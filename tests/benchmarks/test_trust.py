"""The table of trust: what the tests recorded is added up, and what is absent is short."""

from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from benchmarks.figures import Figure, NotRun, Row
from benchmarks.trust import PAGE, Report, conditions, figures, read_report
from tests.cheats.catalogue import ELSEWHERE

GOOD: list[tuple[str, str]] = [
    *(("attack", f"bubblewrap/a{i}:contained:control_ok") for i in range(60)),
    *(("cheat", f"{number}/c:caught") for number in range(1, 44)),
    *(("honest", f"h{i}:passed") for i in range(60)),
    ("injection", "readme: 600 replies, 0 effects"),
    ("injection", "commit: 400 replies, 0 effects"),
    ("secrets", "40"),
    ("encodings", "10"),
    ("canaries", "journal: 400 checks, 0 leaks"),
    ("mutants", "numerics: 90/100, equivalent 10"),
    *(("fuzz", f"parser{i}: 10000 examples, 0 crashes") for i in range(5)),
]


def shown(
    recorded: list[tuple[str, str]],
    endings: Counter[str] | None = None,
    skipped: Counter[tuple[str, str]] | None = None,
) -> dict[str, Row]:
    report = Report(tuple(recorded), endings or Counter(passed=3), skipped=skipped or Counter())
    return {row.what.strip(): row for row in figures(report)}


def short(found: dict[str, Row]) -> set[str]:
    return {name for name, row in found.items() if not row.met}


def value(row: Row) -> float:
    assert isinstance(row, Figure)
    return row.value


def test_a_complete_report_meets_every_aim() -> None:
    assert short(shown(GOOD)) == set()


def test_an_empty_report_meets_none_of_the_aims_that_ask_for_something() -> None:
    assert {
        "attacks tried, bubblewrap",
        "entries of the catalogue of cheats that are shown",
        "honest kernels and operators tried",
        "replies of a model that obeys injections",
        "canary secrets",
        "checks",
        "mutants of the checkers",
        "parsers fuzzed",
    } <= short(shown([]))


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (("attack", "bubblewrap/x:escaped:control_ok"), "contained, with a control that succeeds"),
        (
            ("attack", "bubblewrap/x:contained:control_failed"),
            "contained, with a control that succeeds",
        ),
        (("cheat", "7/x:missed"), "caught for the stated reason"),
        (("cheat", "7/x:wrong reason"), "caught for the stated reason"),
        (("honest", "x:rejected"), "rejected"),
        (("injection", "docs: 1 replies, 1 effects"), "effects outside the reply"),
        (("canaries", "logs: 1 checks, 1 leaks"), "leaks"),
        (("mutants", "policy: 1/2, equivalent 0"), "killed or shown to be equivalent"),
        (("fuzz", "x: 10000 examples, 1 crashes"), "crashes, hangs, errors of more than a line"),
        (("fuzz", "x: 9999 examples, 0 crashes"), "inputs fuzzed, x"),
    ],
)
def test_one_bad_entry_makes_its_row_short(change: tuple[str, str], row: str) -> None:
    assert short(shown([*GOOD, change])) == {row}


def test_a_known_limit_is_a_row_of_its_own_and_not_among_the_contained() -> None:
    weaker = [
        ("attack", "landlock without root/a:contained:control_ok"),
        ("attack", "landlock without root/b:known_limit:control_ok"),
    ]
    found = shown([*GOOD, *weaker])
    assert short(found) == set()
    assert value(found["NOT contained: limits that docs/safety.md names"]) == 1
    assert value(found["contained, with a control that succeeds"]) == 1


def test_the_first_mechanism_has_no_known_limit() -> None:
    found = shown([*GOOD, ("attack", "bubblewrap/b:known_limit:control_ok")])
    assert short(found) == {"NOT contained: limits that docs/safety.md names"}


@pytest.mark.parametrize("ending", ["failed", "skipped"])
def test_tests_that_failed_or_were_skipped_are_shown(ending: str) -> None:
    name = "failure" if ending == "failed" else ending
    assert short(shown(GOOD, Counter({name: 1, "passed": 2}))) == {f"of them {ending}"}


def test_what_was_skipped_has_a_row_with_its_reason_and_what_lacks_for_it_is_not_run() -> None:
    few = [entry for entry in GOOD if entry[0] not in ("attack", "honest")]
    matrix = ("tests.lab.sandbox.test_attack_matrix", "the controls need root")
    operators = ("tests.cheats.python.test_operators", "PyTorch is not installed")
    found = shown(few, skipped=Counter({matrix: 7, operators: 2}))
    not_run = {name: row.reason for name, row in found.items() if isinstance(row, NotRun)}
    assert not_run == {
        "attacks tried, bubblewrap": "0 seen, at least 60: the controls need root",
        "honest kernels and operators tried": "0 seen, at least 60: PyTorch is not installed",
        "7 of tests.lab.sandbox.test_attack_matrix": "the controls need root",
        "2 of tests.cheats.python.test_operators": "PyTorch is not installed",
    }
    assert short(found) == set(not_run)


def test_a_skipped_test_is_no_excuse_for_an_attack_that_was_not_contained() -> None:
    escaped = ("attack", "bubblewrap/x:escaped:control_ok")
    skipped = Counter({("tests.lab.sandbox.test_attack_matrix", "the controls need root"): 1})
    row = shown([*GOOD, escaped], skipped=skipped)["contained, with a control that succeeds"]
    assert isinstance(row, Figure)
    assert not row.met


def test_sinks_and_parsers_whose_names_begin_alike_count_by_themselves() -> None:
    sinks = ("logs", "logs: names of loggers", "logs: names of threads")
    found = shown([("canaries", f"{sink}: 400 checks, 0 leaks") for sink in sinks])
    assert value(found["sinks"]) == 3
    fuzzed = shown([("fuzz", "plans: of launches: 9 examples, 0 crashes")])
    assert value(fuzzed["inputs fuzzed, plans: of launches"]) == 9


def test_the_conditions_name_user_processor_and_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.trust.os.geteuid", lambda: 1000)
    monkeypatch.setattr("benchmarks.trust.platform.machine", lambda: "aarch64")
    monkeypatch.setattr("benchmarks.trust.torch_version", lambda: None)
    assert conditions() == "not root, aarch64, no PyTorch"
    monkeypatch.setattr("benchmarks.trust.os.geteuid", lambda: 0)
    monkeypatch.setattr("benchmarks.trust.torch_version", lambda: "2.6")
    assert conditions() == "root, aarch64, PyTorch 2.6"


def test_the_document_says_what_the_command_would_write() -> None:
    document = Path(__file__).parents[2] / "docs" / "trust.md"
    assert document.read_text(encoding="utf-8").startswith(PAGE.partition("{facts}")[0])


def test_a_record_of_another_form_stops_the_command() -> None:
    with pytest.raises(SystemExit, match="not of the form"):
        shown([("fuzz", "parser: many examples")])


def test_the_report_of_the_tests_is_read() -> None:
    report = read_report(
        fromstring(
            "<testsuites><testsuite>"
            "<testcase name='a'><properties><property name='cheat' value='1/a:caught'/>"
            "</properties></testcase>"
            "<testcase name='b'><failure/></testcase>"
            "<testcase name='c' classname='tests.x'><skipped message='not root'/></testcase>"
            "<testcase name='d'><error/></testcase>"
            "</testsuite></testsuites>"
        )
    )
    assert report.values("cheat") == ["1/a:caught"]
    assert report.endings == Counter(passed=1, failure=1, skipped=1, error=1)
    assert report.skipped == Counter({("tests.x", "not root"): 1})


def test_an_entry_shown_by_other_tests_counts_only_when_all_of_them_passed() -> None:
    planted = tuple(("cheat", f"{number}/HIP/x:caught") for number in range(1, 42))
    tests = {entry.test for entry in ELSEWHERE}
    every = Report(planted, Counter(passed=1), frozenset(tests))
    one_failed = Report(planted, Counter(passed=1), frozenset(tests - {ELSEWHERE[-1].test}))

    assert _shown_entries(every) == 43
    assert _shown_entries(one_failed) == 42


def test_a_test_with_a_case_that_did_not_pass_has_not_passed() -> None:
    report = read_report(
        fromstring(
            '<testsuite><testcase name="a[1]"/><testcase name="a[2]"><skipped/></testcase>'
            '<testcase name="b[1]"/></testsuite>'
        )
    )
    assert report.passed == {"b"}


def _shown_entries(report: Report) -> float:
    (found,) = [each for each in figures(report) if each.what.startswith("entries of")]
    return value(found)
