"""How far nobody has to be trusted, in figures against their aims. Run: make show-trust

The tests are the measurement: each attack, cheat, injected instruction, canary and fuzzed input is
a test of the project, run here at its full size; what they put into the test report is added up.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Figure, NotRun, Row, as_markdown, show
from benchmarks.machine import facts
from benchmarks.sandbox_startup import sandbox_startup_seconds
from rocm_pipeline.integration.interpreter import torch_version
from tests.cheats.catalogue import ELSEWHERE, Elsewhere

STARTS = 200
STARTUP_AIM_MILLISECONDS = 50.0
SUITES = (
    "tests/lab/sandbox",
    "tests/cheats",
    "tests/injection",
    "tests/redaction",
    "tests/mutation",
    "tests/fuzz",
)
_SUITE_SECONDS = 3600


@dataclass(frozen=True)
class Report:
    """What the tests said: named figures as they were recorded, and how many tests ended how."""

    recorded: tuple[tuple[str, str], ...]
    endings: Counter[str]
    passed: frozenset[str] = frozenset()
    """Names of the test functions of which every case passed."""
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """How many tests of a module were skipped for a reason."""

    def values(self, name: str) -> list[str]:
        """Return all values recorded under `name`."""
        return [value for key, value in self.recorded if key == name]

    def why_skipped(self, modules: str) -> str:
        """Return the reasons of the tests skipped in modules whose names begin so."""
        return "; ".join(sorted({why for name, why in self.skipped if name.startswith(modules)}))


def _outside_the_suites() -> list[Elsewhere]:
    return [entry for entry in ELSEWHERE if not entry.file.startswith(SUITES)]


def run_suites() -> Report:
    """Run the suites at full size and read their report."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-n", "2", "--long", f"--junitxml={file}"]
        tests = [*SUITES, *(f"{entry.file}::{entry.test}" for entry in _outside_the_suites())]
        subprocess.run([*command, *tests], check=False, timeout=_SUITE_SECONDS)
        if not file.is_file():
            raise SystemExit("the tests did not come to their end: see what pytest said above")
        # our own pytest wrote it
        return read_report(ElementTree.parse(file).getroot())


def read_report(root: ElementTree.Element) -> Report:
    """Read a JUnit report."""
    recorded: list[tuple[str, str]] = []
    endings: Counter[str] = Counter()
    tests: set[str] = set()
    others: set[str] = set()
    skipped: Counter[tuple[str, str]] = Counter()
    for case in root.iter("testcase"):
        found = {child.tag for child in case} & {"failure", "error", "skipped"}
        ending = min(found, default="passed")
        endings[ending] += 1
        test = case.attrib["name"].partition("[")[0]
        (tests if ending == "passed" else others).add(test)
        for skip in case.iter("skipped"):
            skipped[case.attrib.get("classname", ""), skip.attrib.get("message", "")] += 1
        recorded += [(each.attrib["name"], each.attrib["value"]) for each in case.iter("property")]
    return Report(tuple(recorded), endings, frozenset(tests - others), skipped)


def figures(report: Report) -> list[Row]:
    """Return every figure that the tests can give, and why any of them was not run."""
    ended = report.endings
    return [
        *_attacks(report.values("attack"), report.why_skipped("tests.lab.sandbox")),
        *_cheats(report),
        *_injections(report.values("injection")),
        *_canaries(report.values("canaries"), report.values("secrets"), report.values("encodings")),
        *_mutants(report.values("mutants")),
        *_fuzzing(report.values("fuzz")),
        Figure("tests behind this table", sum(ended.values()), ""),
        Figure("  of them failed", ended["failure"] + ended["error"], "", aim=0),
        Figure("  of them skipped", ended["skipped"], "", aim=0),
        *(
            NotRun(f"  {count} of {module}", reason)
            for (module, reason), count in sorted(report.skipped.items())
        ),
    ]


def _unless_skipped(figure: Figure, reason: str) -> Row:
    """Fewer than there should be, where tests were skipped, is not run, and has their reason."""
    if figure.met or not reason:
        return figure
    return NotRun(figure.what, f"{figure.value:,.0f} seen, {figure.bounds}: {reason}")


def _attacks(values: Sequence[str], why_skipped: str) -> Iterator[Row]:
    tried = Counter(value.split("/", 1)[0] for value in values)
    contained = Counter(
        value.split("/", 1)[0] for value in values if value.endswith(":contained:control_ok")
    )
    limits = Counter(value.split("/", 1)[0] for value in values if ":known_limit:" in value)
    for mechanism, count in sorted(tried.items()):
        least = 60 if mechanism == "bubblewrap" else None
        yield Figure(f"attacks tried, {mechanism}", count, "", least=least)
        yield Figure(
            "  contained, with a control that succeeds",
            contained[mechanism],
            "",
            least=count - limits[mechanism],
        )
        if limits[mechanism]:
            yield Figure(
                "  NOT contained: limits that docs/safety.md names",
                limits[mechanism],
                "",
                aim=0 if mechanism == "bubblewrap" else None,
            )
    if not tried["bubblewrap"]:
        yield _unless_skipped(Figure("attacks tried, bubblewrap", 0, "", least=60), why_skipped)


def _cheats(report: Report) -> Iterator[Row]:
    cheats, honest = report.values("cheat"), report.values("honest")
    why_skipped = report.why_skipped("tests.")
    planted = {int(value.split("/", 1)[0]) for value in cheats}
    elsewhere = {entry.number for entry in ELSEWHERE} - planted
    elsewhere -= {entry.number for entry in ELSEWHERE if entry.test not in report.passed}
    caught = sum(value.endswith(":caught") for value in cheats)
    passed = sum(value.endswith(":passed") for value in honest)
    both = len(planted | elsewhere)
    entries = Figure("entries of the catalogue of cheats that are shown", both, "of 43", least=43)
    yield _unless_skipped(entries, why_skipped)
    yield Figure("  by a planted case", len(planted), "")
    yield Figure(
        "  by tests that the catalogue names, where nothing can be planted", len(elsewhere), ""
    )
    yield Figure("cheats planted", len(cheats), "")
    yield Figure("  caught for the stated reason", caught, "", least=len(cheats))
    tried = Figure("honest kernels and operators tried", len(honest), "", least=60)
    yield _unless_skipped(tried, report.why_skipped("tests.cheats"))
    yield Figure("  rejected", len(honest) - passed, "", aim=0)


def _injections(values: Sequence[str]) -> Iterator[Figure]:
    replies, effects = _sums(values, r": (\d+) replies, (\d+) effects")
    yield Figure("replies of a model that obeys injections", replies, "", least=1000)
    yield Figure("  effects outside the reply", effects, "", aim=0)


def _canaries(
    values: Sequence[str], secrets: Sequence[str], encodings: Sequence[str]
) -> Iterator[Figure]:
    checks, leaks = _sums(values, r": (\d+) checks, (\d+) leaks")
    yield Figure("canary secrets", max(map(int, secrets), default=0), "", least=40)
    yield Figure("  encodings of each", max(map(int, encodings), default=0), "", least=10)
    yield Figure("  sinks", len({_subject(value) for value in values}), "")
    yield Figure("  checks", checks, "", least=1)
    yield Figure("  leaks", leaks, "", aim=0)


def _mutants(values: Sequence[str]) -> Iterator[Figure]:
    killed, total, equivalent = _sums(values, r": (\d+)/(\d+), equivalent (\d+)")
    yield Figure("mutants of the checkers", total, "", least=1)
    yield Figure("  killed or shown to be equivalent", killed + equivalent, "", least=total)


def _fuzzing(values: Sequence[str]) -> Iterator[Figure]:
    crashes = 0
    for value in sorted(values):
        examples = _sums([value], r": (\d+) examples, (\d+) crashes")
        yield Figure(f"inputs fuzzed, {_subject(value)}", examples[0], "", least=10_000)
        crashes += examples[1]
    yield Figure("parsers fuzzed", len(values), "", least=5)
    yield Figure("  crashes, hangs, errors of more than a line", crashes, "", aim=0)


def _subject(value: str) -> str:
    """Return what a record is about; its name may hold colons of its own."""
    return value.rpartition(": ")[0]


def _sums(values: Sequence[str], pattern: str) -> list[int]:
    """Add up the groups of `pattern` over all values; each must match."""
    columns = re.compile(pattern).groups
    rows: list[list[int]] = []
    for value in values:
        found = re.search(pattern, value)
        if found is None:
            raise SystemExit(f"a test recorded {value!r}, which is not of the form {pattern!r}")
        rows.append([int(group) for group in found.groups()])
    return [sum(row[column] for row in rows) for column in range(columns)]


def startup() -> list[Figure]:
    """Return how long the sandbox takes to start; measured before the tests load the machine."""
    seconds = sorted(sandbox_startup_seconds(STARTS))
    median, p95 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.95)]
    return [
        Figure(f"sandbox start-up, median of {STARTS}", median * 1e3, "ms"),
        Figure("  95th percentile", p95 * 1e3, "ms", aim=STARTUP_AIM_MILLISECONDS),
    ]


PAGE = """\
# How far nobody has to be trusted, in figures

Written by `python -m benchmarks.trust --write docs/trust.md`; `make show-trust` measures the same
and writes nothing. What each row means: [safety.md](safety.md), [cheats.md](cheats.md).

A whole table needs root on x86-64 Linux with control groups and kernel headers, and PyTorch in
`.venv` (its CPU build is enough). Tests that lack one of these are skipped; a row that falls short
for it says "not run" with the reason, as does a row for each reason at the end.

{facts}

{table}"""


def conditions() -> str:
    """Return what some of the tests need, as it is here."""
    user = "root" if os.geteuid() == 0 else "not root"
    torch = torch_version()
    return f"{user}, {platform.machine()}, {f'PyTorch {torch}' if torch else 'no PyTorch'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table there as well")
    file: Path | None = parser.parse_args().write
    console = Console()
    machine = f"{facts()}; {conditions()}"
    console.print(machine, soft_wrap=True)
    measured = [*startup(), *figures(run_suites())]
    if file is not None:
        file.write_text(PAGE.format(facts=machine, table=as_markdown(measured)), encoding="utf-8")
    return 0 if show("Trust nobody", measured, console) else 1


if __name__ == "__main__":
    sys.exit(main())
