"""Every arm on the same jobs, over real HTTP to simulated Ollama servers on loopback."""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import httpx

from benchmarks.fleet import herd
from benchmarks.fleet import ours as product
from benchmarks.fleet.ours import content
from benchmarks.fleet.rivals import environment
from benchmarks.fleet.scenarios import Scenario, SimJob

GIVE_UP_SECONDS = 600.0
"""Simulated: what a request of the other arms may take before they try elsewhere."""
TRIES = 4
PER_SLOT = (2, 1_000)
"""Requests open at once of the other arms, for each slot: few, or all. Each arm has its better one.
"""
MOST_TIMES_THE_BOUND = 8.0
"""An arm that takes longer has not come to its end."""
_LEAST_PATIENCE = 180.0
"""Real seconds that it gets in any case, as some wait out a host that hangs."""


@dataclass(frozen=True)
class Ended:
    """What one arm made of one seed."""

    makespan: float
    """Simulated seconds; infinite when the arm did not come to its end."""
    lost: int = 0
    wrong: int = 0
    """Answers of another model than was asked for."""
    loads: int = 0
    wasted: int = 0
    """Tokens written that nobody read to the end."""
    cpu_seconds: float | None = None
    """Of our process; not measured of the other arms, some of which are several processes."""


@dataclass(frozen=True)
class Run:
    """What an arm gets."""

    scenario: Scenario
    jobs: list[SimJob]
    urls: Mapping[str, str]

    @property
    def slots(self) -> int:
        return sum(host.slots for host in self.scenario.hosts)

    @property
    def scale(self) -> float:
        return self.scenario.scale


ArmRun = Callable[[Run], Awaitable[Ended]]
Arms = dict[str, tuple[ArmRun, ...]]
"""By name, each with its settings."""


async def ours(run: Run) -> Ended:
    """The product's fleet."""
    played = await asyncio.to_thread(product.play, run.scenario, run.urls, run.jobs)
    return Ended(
        played.seconds / run.scale, played.lost, played.wrong, cpu_seconds=played.cpu_seconds
    )


def round_robin(at_once: int) -> ArmRun:
    """Return the arm that asks each host in turn, and the next one when it fails."""

    async def arm(run: Run) -> Ended:
        turn, urls = count(), list(run.urls.values())

        async def ask(http: httpx.AsyncClient, job: SimJob) -> str:
            for _ in range(TRIES):
                with contextlib.suppress(httpx.HTTPError):
                    return await _chat(http, urls[next(turn) % len(urls)], job)
            raise httpx.TransportError("no host answered")

        return await _all_jobs(run, ask, at_once * run.slots)

    return arm


def through_herd(fallback: bool, at_once: int) -> ArmRun:
    """Return the arm that asks ollama-herd, with so many requests open at most."""

    async def arm(run: Run) -> Ended:
        program = environment() / "herd"
        hosts = run.scenario.hosts
        with tempfile.TemporaryDirectory() as folder:
            async with herd.running(program, Path(folder), run.urls, hosts, fallback) as url:

                async def ask(http: httpx.AsyncClient, job: SimJob) -> str:
                    return await _chat(http, url, job)

                return await _all_jobs(run, ask, at_once * run.slots)

    return arm


def through_litellm(strategy: str, at_once: int) -> ArmRun:
    """Return the arm that asks LiteLLM's Router, with so many requests open at most."""

    async def arm(run: Run) -> Ended:
        asked = {
            "hosts": dict(run.urls),
            "models": list(run.scenario.models),
            "strategy": strategy,
            "at_once": at_once * run.slots,
            "timeout": GIVE_UP_SECONDS * run.scale,
            "jobs": [
                {"model": job.model, "content": content(job), "arrives": job.arrives * run.scale}
                for job in run.jobs
            ],
        }
        script = Path(__file__).with_name("rival_litellm.py")
        process = await asyncio.create_subprocess_exec(
            str(environment() / "python"),
            str(script),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            out, _ = await process.communicate(json.dumps(asked).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        found = json.loads(out.splitlines()[-1])
        return Ended(found["seconds"] / run.scale, found["lost"], found["wrong"])

    return arm


def arms() -> Arms:
    """Return the arms; of several settings of one the best counts."""
    found: Arms = {
        "ours": (ours,),
        "round robin": tuple(round_robin(n) for n in PER_SLOT),
    }
    for strategy in ("simple-shuffle", "least-busy", "latency-based-routing"):
        found[f"LiteLLM {strategy}"] = tuple(through_litellm(strategy, n) for n in PER_SLOT)
    for fallback in (False, True):
        words = "on" if fallback else "off"
        found[f"ollama-herd, fallback {words}"] = tuple(through_herd(fallback, n) for n in PER_SLOT)
    return found


def prepare(arms: Iterable[str]) -> None:
    """Install once, before several processes play them, what the other arms need."""
    if any("LiteLLM" in arm or "herd" in arm for arm in arms):
        environment()


def play(scenario: Scenario, seed: int, arm: ArmRun, bound: float) -> Ended:
    """Run one arm on one seed, against servers of its own; `bound` in simulated seconds."""
    jobs = scenario.draw(seed)
    patience = max(_LEAST_PATIENCE, MOST_TIMES_THE_BOUND * bound * scenario.scale)
    with _servers(scenario) as (urls, counts):
        try:
            ended = asyncio.run(asyncio.wait_for(arm(Run(scenario, jobs, urls)), patience))
        except asyncio.TimeoutError:
            return Ended(float("inf"), lost=len(jobs))
        seen = counts()
        return replace(ended, loads=seen.get("loads", 0), wasted=seen.get("wasted", 0))


@contextlib.contextmanager
def _servers(
    scenario: Scenario,
) -> Generator[tuple[dict[str, str], Callable[[], dict[str, int]]], None, None]:
    command = [sys.executable, "-m", "benchmarks.fleet.server", scenario.name, str(scenario.scale)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdin
    out, into = process.stdout, process.stdin

    def counts() -> dict[str, int]:
        into.close()
        return json.loads(out.readline())

    try:
        ports = json.loads(out.readline())
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}, counts
    finally:
        process.terminate()
        process.wait(10)


async def _all_jobs(
    run: Run, ask: Callable[[httpx.AsyncClient, SimJob], Awaitable[str]], at_once: int
) -> Ended:
    turns, lost, wrong = asyncio.Semaphore(at_once), 0, 0
    limits = httpx.Limits(max_connections=None)
    timeout = httpx.Timeout(GIVE_UP_SECONDS * run.scale, pool=None)

    async def one(http: httpx.AsyncClient, job: SimJob) -> None:
        nonlocal lost, wrong
        await asyncio.sleep(job.arrives * run.scale)
        async with turns:
            try:
                wrong += await ask(http, job) != job.model
            except (httpx.HTTPError, KeyError, ValueError):
                lost += 1

    async with httpx.AsyncClient(
        trust_env=False, timeout=timeout, limits=limits, verify=False
    ) as http:
        started = time.perf_counter()
        await asyncio.gather(*[one(http, job) for job in run.jobs])
    return Ended((time.perf_counter() - started) / run.scale, lost, wrong)


async def _chat(http: httpx.AsyncClient, url: str, job: SimJob) -> str:
    """Return the model that answered."""
    messages = [{"role": "user", "content": content(job)}]
    body = {"model": job.model, "messages": messages, "stream": False}
    reply = await http.post(f"{url}/api/chat", json=body)
    reply.raise_for_status()
    return str(reply.json()["model"]).removesuffix(":latest")
