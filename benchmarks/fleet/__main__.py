"""How well the fleet's policy keeps the hosts busy, against a bound and other routers.

Run: make show-fleet. First the policy on simulated time, many seeds of every scenario, against a
time that no schedule can beat; then every arm over HTTP on loopback, each at its best setting.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from statistics import mean

from rich.console import Console

from benchmarks.figures import Figure, show
from benchmarks.fleet import live
from benchmarks.fleet.arena import AIMS, OURS, Arena, over_http
from benchmarks.fleet.bounds import makespan_bound
from benchmarks.fleet.cost import LARGEST, cpu_seconds_per_task
from benchmarks.fleet.scenarios import Scenario, scenarios
from benchmarks.fleet.simulation import Simulation
from benchmarks.machine import facts

CPU_AIM_MS = 2.0


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
    if options.seeds < 1:
        parser.error(f"--seeds {options.seeds} is not at least 1")
    figures: list[Figure] = []
    for scenario in () if options.no_simulation else chosen:
        figures += simulated(scenario)
        console.print(f"{scenario.name}: {figures[-7].value:.3f} times the bound", soft_wrap=True)
    if any(scenario.name == LARGEST for scenario in chosen):
        # In a process of its own: this one holds what the simulations left.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            cost = 1_000 * pool.submit(cpu_seconds_per_task, LARGEST).result()
        name = f"{LARGEST}: dispatcher and its records, CPU a task"
        figures.append(Figure(name, cost, "ms", aim=CPU_AIM_MS))
    met = show("Fleet: the policy on simulated time", figures, console)
    if not options.no_live:
        live.prepare(arms)
        beside: list[Figure] = []
        found = Arena(arms, options.seeds, console).play(chosen)
        for scenario in chosen:
            beside += over_http(scenario, found[scenario.name])
        scales = ", ".join(f"{scale} s" for scale in sorted({one.scale for one in chosen}))
        words = f"1 simulated second is {scales}; {options.seeds} seed(s)"
        met &= show(f"Fleet: every arm over HTTP ({words})", beside, console)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
