"""What Claude costs, and that nothing is paid twice, in figures. Run: make show-claude

Nobody pays for this: a server on loopback stands in for Claude's, which counts and caches by a rule
of its own. The three built-in targets go through the whole pipeline with it, over the real SDK; its
plans and reviews are valid and no more. So calls, shares of cached tokens and the account are real,
and how many tokens a real plan takes is not known from here. The kill tests are run at full size.

The claim is against Claude doing all that the agents did, since its plans and reviews are of all of
that; how much is saved against the kernels alone is printed beside it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Figure, show
from benchmarks.machine import facts
from benchmarks.trust import Report, read_report
from rocm_pipeline.home import Home
from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.economy.account import cached_after_first
from rocm_pipeline.planning.claude.economy.baselines import Arm, Grade
from rocm_pipeline.planning.claude.economy.reading import attempt_of
from rocm_pipeline.planning.claude.economy.replay import EVERYTHING
from rocm_pipeline.planning.claude.economy.report import Economy
from rocm_pipeline.planning.claude.economy.spend import Quantity
from rocm_pipeline.planning.claude.instructions import planner_instructions
from rocm_pipeline.planning.claude.planner import ClaudePlanner
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, URL_VARIABLE, read_settings
from rocm_pipeline.records.ledger import Usage
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources.economy import counting, read_economy
from rocm_pipeline.resources.sources import HomeSources
from tests.standins.claude import KEY, Request, StandIn, says, serving

SAVED_AT_LEAST, SAVED_AIM = 0.90, 0.97
REVIEW_CALLS_AIM = 1.2
CACHED_AIM = 0.70
CACHE_MINIMUM = 4096
"""Tokens of the shortest prefix that is cached: the largest minimum of any model."""
TESTS = "tests/planning/claude"
_TEST_SECONDS = 1800


def answer(request: Request) -> str:
    """Return a valid plan, or a review that approves every kernel it is shown."""
    text = json.dumps(request.body["messages"])
    kernels = dict.fromkeys(re.findall(r"\bk-[0-9a-f]{16}\b", text))
    if "reviews" in json.dumps(request.schema):
        return json.dumps({"reviews": [_approved(kernel) for kernel in kernels]})
    (example,) = re.findall(r"```json\n(.*?)```", planner_instructions(), re.DOTALL)
    together = re.findall(r"`(\w+)` \(T\d\)", request.prompt)
    if not together:
        return example
    plan = json.loads(example)
    return json.dumps({"plans": [{"target": name, **plan} for name in together]})


def _approved(kernel: str) -> dict[str, object]:
    headings = ("architecture", "integration", "security", "upstream")
    return {"kernel": kernel, "verdict": "approve", **{heading: [] for heading in headings}}


def run_job(home: Path, server: StandIn) -> None:
    """Run the main job as a user with a key runs it."""
    command = Path(sys.executable).with_name("rocm-pipeline")
    environment = {**os.environ, KEY_VARIABLE: KEY, URL_VARIABLE: server.url}
    done = subprocess.run(
        [str(command), "run", "--home", str(home)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the main job ended with status {done.returncode}:\n{done.stdout}")


def economy_of(home: Home, server: StandIn) -> Economy:
    """Return the economy of a home, with texts counted by the server."""
    os.environ[URL_VARIABLE] = server.url
    with counting(home, KEY) as count:
        return read_economy(home, count)


def measure_job() -> Iterator[Figure]:
    """Run the three targets and yield what they cost."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        with serving(says(answer), minimum_prefix=CACHE_MINIMUM) as server:
            run_job(home.path, server)
            found = economy_of(home, server)
            yield from _figures(found)
            records = Records.open(home.records_url, str(home.store))
            spent = records.ledger.totals().claude
            records.close()
            yield Figure(
                "  tokens in the ledger beside the server's", _off(spent, server), "off", aim=0
            )


def measure_cache() -> Iterator[Figure]:
    """Plan the three targets one by one, as runs apart do, and yield what came from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.create()
        sources = HomeSources(home)
        records = Records.open(home.records_url, str(home.store))
        with serving(says(answer), minimum_prefix=CACHE_MINIMUM) as server:
            claude = AnthropicClaude(records, read_settings(), key=KEY, url=server.url)
            for target in map(sources.target, sources.names()):
                snapshot = sources.snapshot(target)
                ClaudePlanner(claude).plan(target, snapshot, sources.history(snapshot))
            claude.close()
        attempts = [attempt_of(row) for row in records.ledger.attempts()]
        records.close()
    cached = cached_after_first(attempts, Purpose.PLAN)
    if cached is None:
        raise SystemExit("Claude made no plan")
    words = "planner's prompt cached from the second on, one by one"
    yield Figure(words, 100 * cached, "%", least=100 * CACHED_AIM)


def _figures(found: Economy) -> Iterator[Figure]:
    kernel = found.per_kernel
    if kernel is None:
        raise SystemExit("no kernel was accepted")
    yield Figure("accepted kernels, three targets", found.accepted, "", least=3)
    yield Figure("  Claude's tokens for each", kernel.tokens.value, "")
    yield Figure("  Claude's calls for each", kernel.calls.value, "")
    yield Figure("  review calls for each", kernel.review_calls, "", aim=REVIEW_CALLS_AIM)
    yield Figure("  dollars for each (list price)", kernel.usd.value, "USD")
    for baseline in found.baselines:
        for quantity in (Quantity.TOKENS, Quantity.USD):
            compared = baseline.of(quantity)
            if compared is None or compared.reduction is None:
                continue
            is_claim = (
                baseline.arm is Arm.BEST_ALONE
                and baseline.grade is Grade.G2
                and baseline.scope == EVERYTHING
                and quantity is Quantity.TOKENS
            )
            words = f"{baseline.grade.name}, {baseline.arm.value} ({baseline.scope})"
            yield Figure(
                f"{quantity.value} saved against {words}",
                100 * compared.reduction.value,
                "%",
                least=100 * SAVED_AT_LEAST if is_claim else None,
            )
            if is_claim:
                yield Figure(
                    "  the same, against the higher aim",
                    100 * compared.reduction.value,
                    "%",
                    least=100 * SAVED_AIM,
                )


def _off(spent: Usage, server: StandIn) -> int:
    charged = server.tally.total()
    return abs(spent.tokens - charged.prompt - charged.out)


def run_tests() -> Report:
    """Run the tests of Claude's part at full size and read their report."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--long"]
        subprocess.run(
            [*command, f"--junitxml={file}", TESTS, "tests/standins"],
            check=False,
            timeout=_TEST_SECONDS,
        )
        if not file.is_file():
            raise SystemExit("the tests did not come to their end: see what pytest said above")
        # our own pytest wrote it
        return read_report(ElementTree.parse(file).getroot())


def measure_tests() -> Iterator[Figure]:
    """Yield what the kill tests, and the tests of every ending of a call, found."""
    report = run_tests()
    for mode in ("batch", "direct"):
        calls = _recorded(report, f"claude calls ({mode})")
        yield Figure(f"paid calls, {mode} mode", calls, "", least=200)
        yield Figure("  killed processes", _recorded(report, f"claude kills ({mode})"), "")
        yield Figure("  paid twice", _recorded(report, f"claude duplicates ({mode})"), "", aim=0)
        off = _recorded(report, f"claude tokens off ({mode})")
        yield Figure("  tokens off, known calls", off, "", aim=0)
    killed = _recorded(report, "claude scheduled runs killed")
    yield Figure("scheduled runs killed with their batch out", killed, "")
    twice = _recorded(report, "claude duplicates (scheduled)")
    yield Figure("  paid twice", twice, "", aim=0)
    reported = _recorded(report, "claude unknown reported (direct)")
    yield Figure("direct mode: unknown calls, each reported", reported, "")
    charged = _recorded(report, "claude unknown charged (direct)")
    yield Figure("  of them charged", charged, "")
    margin = _recorded(report, "claude bound of unknown over charge (direct)")
    yield Figure("  their bound, less what was charged", margin, "USD", least=0)
    ended = report.endings
    yield Figure("tests of Claude's part", sum(ended.values()), "")
    yield Figure("  of them failed", ended["failure"] + ended["error"], "", aim=0)
    yield Figure("  of them skipped", ended["skipped"], "", aim=0)


def _recorded(report: Report, name: str) -> float:
    values = report.values(name)
    if len(values) != 1:
        raise SystemExit(f"the tests recorded '{name}' {len(values)} times")
    return float(values[0])


if __name__ == "__main__":
    console = Console()
    console.print(facts(), soft_wrap=True)
    figures = [*measure_job(), *measure_cache(), *measure_tests()]
    sys.exit(0 if show("Claude", figures, console) else 1)
