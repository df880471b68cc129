"""Every arm on the same jobs over HTTP, several plays at once: they mostly wait."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from statistics import mean

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.fleet import live
from benchmarks.fleet.bounds import makespan_bound
from benchmarks.fleet.live import Ended
from benchmarks.fleet.scenarios import Scenario

AIMS = {"unequal hosts, 3 models, 60 jobs": 1.10, "unequal hosts, 3 models, 200 jobs": 1.05}
"""Mean time over the bound."""
OURS = "ours"
_OURS_AT_ONCE, _OTHERS_AT_ONCE = 2, 3
"""Scenarios; with few hosts a play mostly waits."""


@dataclass(frozen=True)
class Play:
    """One arm with one of its settings on one seed."""

    scenario: Scenario
    arm: str
    setting: int
    seed: int
    bound: float

    def run(self) -> Ended:
        """Play it to its end, in this process."""
        return live.play(self.scenario, self.seed, live.arms()[self.arm][self.setting], self.bound)


@dataclass(frozen=True)
class ArmResult:
    """One arm in one scenario, at the best of its settings; by seed."""

    arm: str
    ended: tuple[Ended, ...]
    ratios: tuple[float, ...]
    """Time over the bound; infinite where it did not come to its end."""
    jobs: int

    @property
    def ratio(self) -> float:
        return mean(self.ratios)

    @property
    def lost(self) -> int:
        return sum(one.lost for one in self.ended)

    @property
    def wrong(self) -> int:
        return sum(one.wrong for one in self.ended)

    @property
    def cpu_ms(self) -> float | None:
        """Of our process, a task: scheduling, records and client."""
        spent = [one.cpu_seconds for one in self.ended if one.cpu_seconds is not None]
        return 1_000 * mean(spent) / self.jobs if spent else None

    @property
    def rank(self) -> tuple[int, float]:
        """What the best is told by: an answer lost or of another model is no answer."""
        return self.lost + self.wrong, self.ratio

    def of_first(self, seeds: int) -> float:
        """Return the mean time over the bound of so many seeds."""
        return mean(self.ratios[:seeds])


@dataclass
class Arena:
    """Plays scenarios. Ours goes before the others, some of which keep the machine busy."""

    arms: live.Arms
    seeds: int
    console: Console
    _best: dict[str, int] = field(default_factory=dict[str, int])
    """Which of its settings an arm is best with; found with the first scenario."""
    _begun: float = field(default_factory=time.monotonic)

    def play(self, scenarios: Sequence[Scenario]) -> dict[str, list[ArmResult]]:
        """Run every arm on the same jobs; print a table of each scenario, return all by name."""
        found: dict[str, list[ArmResult]] = {scenario.name: [] for scenario in scenarios}
        rivals = [name for name in self.arms if name != OURS]
        waiting = [scenario for scenario in scenarios if scenario.at_once > 1]
        for group in (waiting, *([one] for one in scenarios if one not in waiting)):
            for names in filter(None, ([OURS], rivals)):
                for scenario, results in self._in_turn(group, names):
                    found[scenario.name] += results
            for scenario in group:
                self.console.print(_table(scenario, found[scenario.name]))
        return found

    def _in_turn(
        self, group: Sequence[Scenario], names: Sequence[str]
    ) -> Iterator[tuple[Scenario, list[ArmResult]]]:
        # The first one alone: it says with which setting each arm plays the others.
        yield from ((scenario, self._play(scenario, names)) for scenario in group[:1])
        at_once = _OURS_AT_ONCE if OURS in names else _OTHERS_AT_ONCE
        with ThreadPoolExecutor(at_once) as pool:
            rest = group[1:]
            yield from zip(rest, pool.map(self._play, rest, repeat(names)), strict=True)

    def _play(self, scenario: Scenario, names: Sequence[str]) -> list[ArmResult]:
        every = {name: list(range(len(self.arms[name]))) for name in names}
        chosen = {name: [self._best[name]] if name in self._best else every[name] for name in names}
        # Ours on as many seeds as plays run at once: one says little, and the machine is as busy
        # as it is with the others.
        seeds = max(self.seeds, scenario.at_once) if OURS in names else self.seeds
        found: list[ArmResult] = []
        for name, results in _played(scenario, chosen, seeds).items():
            found.append(min(results.values(), key=lambda result: result.rank))
            self._best.setdefault(name, min(results, key=lambda setting: results[setting].rank))
        seconds = time.monotonic() - self._begun
        line = f"{scenario.name}: {', '.join(names)}; {seconds:.0f} s by now"
        self.console.print(line, style="dim", soft_wrap=True)
        return found


def _played(
    scenario: Scenario, settings: dict[str, list[int]], seeds: int
) -> dict[str, dict[int, ArmResult]]:
    """Play these settings of these arms, as many at once as the scenario allows."""
    bounds = [makespan_bound(scenario.hosts, scenario.draw(seed)) for seed in range(seeds)]
    plays = [
        Play(scenario, arm, setting, seed, bound)
        for arm, chosen in settings.items()
        for setting in chosen
        for seed, bound in enumerate(bounds)
    ]
    found: dict[str, dict[int, list[Ended]]] = {
        arm: {setting: [] for setting in chosen} for arm, chosen in settings.items()
    }
    with ProcessPoolExecutor(scenario.at_once, get_context("spawn")) as pool:
        for play, ended in zip(plays, pool.map(Play.run, plays), strict=True):
            found[play.arm][play.setting].append(ended)
    return {
        arm: {
            setting: ArmResult(
                arm,
                tuple(ended),
                tuple(one.makespan / bound for one, bound in zip(ended, bounds, strict=True)),
                scenario.jobs,
            )
            for setting, ended in by_setting.items()
        }
        for arm, by_setting in found.items()
    }


def _table(scenario: Scenario, found: Sequence[ArmResult]) -> Table:
    head = ("arm", "time over the bound", "lost", "wrong model", "loads", "wasted tokens")
    table = Table(*head, "CPU a task", title=scenario.name)
    for result in found:
        cells = (f"{result.ratio:.2f}", str(result.lost), str(result.wrong))
        cells = (*cells, f"{mean(one.loads for one in result.ended):.1f}")
        cells = (*cells, f"{mean(one.wasted for one in result.ended):.0f}")
        cpu = "" if result.cpu_ms is None else f"{result.cpu_ms:.1f} ms"
        table.add_row(result.arm, *cells, cpu)
    return table


def over_http(scenario: Scenario, results: Sequence[ArmResult]) -> Iterator[Figure]:
    """Yield our arm against the bound, and beside the best of the others, if any was played."""
    (mine,) = [result for result in results if result.arm == OURS]
    others = [result for result in results if result.arm != OURS]
    seeds = len(mine.ratios)
    name = f"{scenario.name}: over HTTP ({seeds} seed(s)), time over the bound"
    yield Figure(name, mine.ratio, "", aim=AIMS.get(scenario.name))
    if others:
        yield _beside(mine, others)
    yield Figure("  lost jobs", mine.lost, "", aim=0)
    yield Figure("  answers of a wrong model", mine.wrong, "", aim=0)


def _beside(mine: ArmResult, others: Sequence[ArmResult]) -> Figure:
    best = min(others, key=lambda result: result.rank)
    name = f"  against {best.arm}, the best other"
    if best.lost + best.wrong:
        name += f" ({best.lost} lost, {best.wrong} wrong)"
    if math.isinf(best.ratio):
        most = f"{live.MOST_TIMES_THE_BOUND:g} times the bound"
        name = f"  against {most}, which no other arm keeps to"
    ours = mine.of_first(len(best.ratios))
    return Figure(name, ours / min(best.ratio, live.MOST_TIMES_THE_BOUND), "", aim=1.0)
