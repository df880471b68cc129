"""How well the fleet's policy keeps the hosts busy, against a bound and other routers.

Run: make show-fleet. First the policy on simulated time, many seeds of every scenario, against a
time that no schedule can beat; then every arm over HTTP on loopback, each at its best setting.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, show
from benchmarks.fleet import live
from benchmarks.fleet.bounds import makespan_bound
from benchmarks.fleet.cost import LARGEST, cpu_seconds_per_task
from benchmarks.fleet.scenarios import Scenario, scenarios
from benchmarks.fleet.simulation import Simulation
from benchmarks.machine import facts

AIMS = {"unequal hosts, 3 models, 60 jobs": 1.10, "unequal hosts, 3 models, 200 jobs": 1.05}
CPU_AIM_MS = 2.0
OURS = "ours"


def simulated(scenario: Scenario) -> Iterator[Figure]:
    """Yield what the policy makes of every seed of a scenario."""
    seeds = range(scenario.seeds)
    ended = [Simulation(scenario, seed).run() for seed in seeds]
    bounds = [makespan_bound(scenario.hosts, scenario.draw(seed)) for seed in seeds]
    ratios = [one.makespan / bound for one, bound in zip(ended, bounds, strict=True)]
    name = f"{scenario.name} ({scenario.seeds} seeds): time over the bound"
    yield Figure(name, mean(ratios), "", aim=AIMS.get(scenario.name))
    yield Figure("  the worst seed", max(ratios), "")
    yield Figure("  lost jobs", sum(one.lost for one in ended), "", aim=0)
    yield Figure("  loads", mean(one.loads for one in ended), "a run")
    yield Figure("  copies at the tail", mean(one.hedges for one in ended), "a run")
    yield Figure("  tokens wasted by them", mean(one.wasted_tokens for one in ended), "a run")
    cpu = 1_000 * mean(one.cpu_seconds_per_task for one in ended)
    yield Figure("  scheduling, CPU a task", cpu, "ms", aim=CPU_AIM_MS)


@dataclass(frozen=True)
class ArmResult:
    """One arm in one scenario, at the best of its settings."""

    arm: str
    ratio: float
    """Mean time over the bound; infinite when a seed did not end."""
    lost: int
    wrong: int
    loads: float
    wasted: float
    """Tokens that nobody read."""
    cpu_ms: float | None
    """Of our process, a task: scheduling, records and client."""

    @property
    def rank(self) -> tuple[int, float]:
        """What the best is told by: an answer lost or of another model is no answer."""
        return self.lost + self.wrong, self.ratio


def compare(
    scenario: Scenario, arms: live.Arms, seeds: int, best: dict[str, int], console: Console
) -> list[ArmResult]:
    """Run every arm on the same jobs and print the table of the scenario.

    `best`: which of its settings an arm is best with; found with the first scenario.
    """
    bounds = [makespan_bound(scenario.hosts, scenario.draw(seed)) for seed in range(seeds)]
    found: list[ArmResult] = []
    begun = time.monotonic()
    for name, settings in arms.items():
        chosen = [settings[best[name]]] if name in best else settings
        tried = [_result(name, scenario, bounds, arm) for arm in chosen]
        found.append(min(tried, key=lambda result: result.rank))
        best.setdefault(name, tried.index(found[-1]))
        line = f"{scenario.name}: {name}, {time.monotonic() - begun:.0f} s since its first arm"
        console.print(line, style="dim", soft_wrap=True)
    table = Table(
        "arm",
        "time over the bound",
        "lost",
        "wrong model",
        "loads",
        "wasted tokens",
        "CPU a task",
        title=scenario.name,
    )
    for result in found:
        cells = (f"{result.ratio:.2f}", str(result.lost), str(result.wrong), f"{result.loads:.1f}")
        cpu = "" if result.cpu_ms is None else f"{result.cpu_ms:.1f} ms"
        cells = (*cells, f"{result.wasted:.0f}", cpu)
        table.add_row(result.arm, *cells)
    console.print(table)
    return found


def _result(name: str, scenario: Scenario, bounds: Sequence[float], arm: live.ArmRun) -> ArmResult:
    ended = [live.play(scenario, seed, arm, bound) for seed, bound in enumerate(bounds)]
    return ArmResult(
        name,
        mean(one.makespan / bound for one, bound in zip(ended, bounds, strict=True)),
        sum(one.lost for one in ended),
        sum(one.wrong for one in ended),
        mean(one.loads for one in ended),
        mean(one.wasted for one in ended),
        None
        if ended[0].cpu_seconds is None
        else 1_000 * mean((one.cpu_seconds or 0.0) / scenario.jobs for one in ended),
    )


def over_http(scenario: Scenario, results: Sequence[ArmResult]) -> Iterator[Figure]:
    """Yield our arm against the bound, and beside the best of the others, if any was played."""
    (mine,) = [result for result in results if result.arm == OURS]
    others = [result for result in results if result.arm != OURS]
    name = f"{scenario.name}: over HTTP, time over the bound"
    yield Figure(name, mine.ratio, "", aim=AIMS.get(scenario.name))
    if others:
        yield _beside(mine, others)
    yield Figure("  lost jobs", mine.lost, "", aim=0)
    yield Figure("  answers of a wrong model", mine.wrong, "", aim=0)


def _beside(mine: ArmResult, others: Sequence[ArmResult]) -> Figure:
    whole = [result for result in others if not result.lost + result.wrong] or others
    best = min(whole, key=lambda result: result.ratio)
    name = f"  against {best.arm}, the best other"
    if math.isinf(best.ratio):
        most = f"{live.MOST_TIMES_THE_BOUND:g} times the bound"
        name = f"  against {most}, which no other arm keeps to"
    return Figure(name, mine.ratio / min(best.ratio, live.MOST_TIMES_THE_BOUND), "", aim=1.0)


def main() -> int:
    """Print the figures; 0 when every aim is met."""
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description=__doc__)
    parser.add_argument("--only", default="", help="scenarios whose name holds this, or one of A|B")
    parser.add_argument("--arms", default="", help="beside ours those whose name holds this, A|B")
    parser.add_argument("--alone", action="store_true", help="over HTTP without the other arms")
    parser.add_argument("--scale", type=float, help="real seconds for a simulated one over HTTP")
    parser.add_argument("--seeds", type=int, default=1, help="seeds over HTTP (default 1)")
    parser.add_argument("--no-simulation", action="store_true", help="over HTTP alone")
    parser.add_argument("--no-live", action="store_true", help="simulated time alone")
    options = parser.parse_args()
    console = Console()
    console.print(facts(), soft_wrap=True)
    names = options.only.split("|")
    chosen = [scene for scene in scenarios() if any(name in scene.name for name in names)]
    wanted = [OURS] if options.alone else [OURS, *options.arms.split("|")]
    arms = {k: v for k, v in live.arms().items() if any(name in k for name in wanted)}
    if not chosen:
        every = "; ".join(scenario.name for scenario in scenarios())
        parser.error(f"--only '{options.only}' is in no scenario's name; they are: {every}")
    if len(arms) < 2 and not options.alone:
        every = "; ".join(live.arms())
        parser.error(f"--arms '{options.arms}' is in no other arm's name; they are: {every}")
    if options.scale is not None:
        if not options.scale > 0:
            parser.error(f"--scale {options.scale:g} is not above 0")
        chosen = [replace(scenario, scale=options.scale) for scenario in chosen]
    figures: list[Figure] = []
    for scenario in () if options.no_simulation else chosen:
        figures += simulated(scenario)
        console.print(f"{scenario.name}: {figures[-7].value:.3f} times the bound", soft_wrap=True)
    if any(scenario.name == LARGEST for scenario in chosen):
        cost = 1_000 * cpu_seconds_per_task(LARGEST)
        name = f"{LARGEST}: dispatcher and its records, CPU a task"
        figures.append(Figure(name, cost, "ms", aim=CPU_AIM_MS))
    met = show("Fleet: the policy on simulated time", figures, console)
    if not options.no_live:
        beside: list[Figure] = []
        best: dict[str, int] = {}
        for scenario in chosen:
            found = compare(scenario, arms, options.seeds, best, console)
            beside += over_http(scenario, found)
        scales = ", ".join(f"{scale} s" for scale in sorted({one.scale for one in chosen}))
        words = f"1 simulated second is {scales}; {options.seeds} seed(s)"
        met &= show(f"Fleet: every arm over HTTP ({words})", beside, console)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
