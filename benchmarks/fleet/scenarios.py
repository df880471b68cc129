"""The fleets and the work of the fleet's benchmark: what is true, and what is known of it.

Sizes follow a batch of kernel tasks: three models of different weight, answers of a few hundred
tokens with a long tail, hosts whose speeds differ by up to six. Seconds here are simulated ones.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from rocm_pipeline.fleet.state import Speed

PROMPT_TO_DECODE = 20.0
"""Prompts are read this many times faster than answers are written."""
ESTIMATE_SIGMA = 0.6
"""Log-normal error of what the policy believes about the length of an answer."""
MODELS = {"coder": (1.0, 18.0, 5), "expert": (0.7, 25.0, 2), "small": (2.2, 6.0, 3)}
"""Relative speed, seconds to load on the fastest host, weight in the mix."""


class Fault(str, Enum):
    """What is wrong with a host, unknown to every arm."""

    NONE = "none"
    DEAD = "dead"
    """Refuses every connection from the start."""
    DIES = "dies"
    """Refuses connections, and breaks those open, from `fault_at` on."""
    HANGS = "hangs"
    """Takes requests and never answers."""
    SLOW = "slow"
    """Four times slower than it is said to be."""
    STORMS = "storms"
    """Answers 503 during a part of every half minute."""


SLOW_FACTOR = 4.0
STORM_PERIOD, STORM_LENGTH = 30.0, 8.0


@dataclass(frozen=True)
class SimHost:
    """One simulated server: its truth, by model."""

    name: str
    models: Mapping[str, Speed]
    slots: int = 1
    room: int = 1
    fault: Fault = Fault.NONE
    fault_at: float = 60.0

    @property
    def works(self) -> bool:
        """Whether it ever answers anything to its end; one that dies may."""
        return self.fault not in (Fault.DEAD, Fault.HANGS)

    def speed(self, model: str) -> Speed:
        """Return the true speed, which only a secretly slow host hides."""
        said = self.models[model]
        if self.fault is not Fault.SLOW:
            return said
        return Speed(
            said.prompt_tps / SLOW_FACTOR, said.decode_tps / SLOW_FACTOR, said.load_seconds
        )

    def storms_at(self, now: float) -> bool:
        """Say whether the server answers 503 at this time."""
        return self.fault is Fault.STORMS and now % STORM_PERIOD < STORM_LENGTH


@dataclass(frozen=True)
class SimJob:
    """One question: its true size, and what is believed of it."""

    id: str
    model: str
    tokens_in: int
    tokens_out: int
    believed_out: float
    arrives: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """A fleet and a number of jobs; `draw` makes the jobs of one seed."""

    name: str
    hosts: tuple[SimHost, ...]
    jobs: int = 60
    models: tuple[str, ...] = tuple(MODELS)
    arrivals_over: float = 0.0
    """Seconds over which the jobs arrive, evenly at random; 0: all are there from the start."""
    seeds: int = 20
    speeds_known: bool = True
    """Whether the fleet starts with the speeds that earlier work showed, or with none."""
    scale: float = 0.25
    """Real seconds for a simulated one over HTTP. What an arm computes between two answers is not
    scaled: with too small a scale the routers' CPU time is compared and not their decisions."""
    at_once: int = 6
    """Plays over HTTP at the same time: with four hosts each of them waits most of the time."""

    def draw(self, seed: int) -> list[SimJob]:
        """Return the same jobs for the same seed, to every arm."""
        rng = random.Random(seed)
        weights = [MODELS[model][2] for model in self.models]
        jobs = [_job(rng, number, self.models, weights) for number in range(self.jobs)]
        if self.arrivals_over:
            times = sorted(rng.uniform(0, self.arrivals_over) for _ in jobs)
            jobs = [replace(job, arrives=at) for job, at in zip(jobs, times, strict=True)]
        return jobs


def _job(rng: random.Random, number: int, models: tuple[str, ...], weights: list[int]) -> SimJob:
    (model,) = rng.choices(models, weights)
    tokens_out = int(min(4000, max(60, rng.lognormvariate(6.2, 0.8))))
    tokens_in = int(min(16000, max(200, rng.lognormvariate(7.5, 0.8))))
    believed = tokens_out * rng.lognormvariate(0, ESTIMATE_SIGMA)
    return SimJob(f"job-{number:04}", model, tokens_in, tokens_out, believed)


def host(name: str, base: float, load_factor: float, *, room: int = 1, slots: int = 1) -> SimHost:
    """Return a healthy host that writes `base` tokens a second with a model of weight 1."""
    models = {
        model: Speed(base * weight * PROMPT_TO_DECODE, base * weight, load * load_factor)
        for model, (weight, load, _) in MODELS.items()
    }
    return SimHost(name, models, slots, room)


def unequal(*, slots: int = 1) -> tuple[SimHost, ...]:
    """Four hosts whose speeds are as 6 : 3.5 : 2 : 1."""
    return (
        host("a", 60, 1.0, room=2, slots=slots),
        host("b", 35, 1.2, slots=slots),
        host("c", 20, 1.5, slots=slots),
        host("d", 10, 2.0, slots=slots),
    )


def equal() -> tuple[SimHost, ...]:
    """Four hosts alike."""
    return tuple(host(name, 30, 1.2) for name in "abcd")


def many() -> tuple[SimHost, ...]:
    """Sixty-four hosts: sixteen of each of the four unequal ones."""
    return tuple(
        replace(kind, name=f"{kind.name}{number:02}") for number in range(16) for kind in unequal()
    )


def with_fault(name: str, fault: Fault) -> tuple[SimHost, ...]:
    """Return the unequal hosts, one of them with a fault."""
    return tuple(replace(h, fault=fault) if h.name == name else h for h in unequal())


def scenarios() -> tuple[Scenario, ...]:
    """Return every scenario of the benchmark."""
    return (
        Scenario("equal hosts, one model", equal(), models=("coder",)),
        Scenario("unequal hosts, 3 models, 60 jobs", unequal()),
        Scenario("unequal hosts, 3 models, 200 jobs", unequal(), jobs=200),
        Scenario("unequal hosts, speeds unknown", unequal(), speeds_known=False),
        Scenario("one dead from the start", with_fault("b", Fault.DEAD)),
        Scenario("one dies mid-run", with_fault("b", Fault.DIES)),
        Scenario("one hangs", with_fault("b", Fault.HANGS)),
        Scenario("one secretly 4x slower", with_fault("b", Fault.SLOW)),
        Scenario("503 storms on one", with_fault("b", Fault.STORMS)),
        Scenario("arrivals over time", unequal(), arrivals_over=240.0),
        Scenario("4 slots on each host", unequal(slots=4), jobs=200),
        Scenario("64 hosts, 1,000 jobs", many(), jobs=1000, seeds=5, at_once=1),
    )
