"""The product's policy on simulated time: no sockets, every seed in a fraction of a second.

The servers follow Ollama's rules: a loaded model answers at once; another is loaded when there is
room, or once the least recently used one has nothing left to answer; loads wait for one another.
The driver follows the fleet's: what fails goes back to the queue, a refusing or silent host is
closed for a while, speeds are learnt from the answers.
"""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from benchmarks.fleet.scenarios import Fault, Scenario, SimHost, SimJob
from rocm_pipeline.fleet.backlog import Backlog
from rocm_pipeline.fleet.estimates import Learnt, Speeds, Timing
from rocm_pipeline.fleet.policy import EarliestEnd, Policy
from rocm_pipeline.fleet.state import Assignment, HostState, Job, Running

DOWN_SECONDS = 15.0
"""A host that refused is left alone this long; doubled each time."""
BUSY_SECONDS = 4.0
"""A host that said 503 is left alone this long."""
SILENCE_SECONDS = 45.0
"""Beyond load and prompt, as expected, without a first token: the host is taken to hang."""


@dataclass(frozen=True)
class Outcome:
    """What one run of a scenario came to."""

    makespan: float
    lost: int
    loads: int
    hedges: int
    wasted_tokens: float
    cpu_seconds_per_task: float


@dataclass(frozen=True)
class _Work:
    """An answer being written: as the fleet sees it, its true end, the load it waited for."""

    running: Running
    end: float
    load: float = 0.0


@dataclass
class _Server:
    """The truth about one host at one moment."""

    truth: SimHost
    resident: list[str] = field(default_factory=list[str])
    ready_at: dict[str, float] = field(default_factory=dict[str, float])
    loader_free_at: float = 0.0
    busy: dict[str, "_Work"] = field(default_factory=dict[str, "_Work"])
    """By job."""
    closed_until: float = 0.0
    refusals: int = 0
    loads: int = 0

    def begin(self, model: str, now: float) -> tuple[float, float]:
        """Return when the answer starts and the load time paid for it."""
        load = 0.0
        if model not in self.resident:
            load = self.truth.speed(model).load_seconds
            start = max(now, self.loader_free_at)
            if len(self.resident) >= self.truth.room:
                start = max(start, self._evict())
            self.loader_free_at = self.ready_at[model] = start + load
            self.loads += 1
        else:
            self.resident.remove(model)
        self.resident.append(model)
        return max(now, self.ready_at[model]), load

    def _evict(self) -> float:
        ends = {
            model: max((w.end for w in self.busy.values() if w.running.model == model), default=0.0)
            for model in self.resident
        }
        idle = [model for model in self.resident if ends[model] == 0.0]
        victim = (idle or self.resident)[0]
        self.resident.remove(victim)
        return ends[victim]


class Simulation:
    """One seed of one scenario."""

    def __init__(self, scenario: Scenario, seed: int, policy: Policy | None = None) -> None:
        self._policy = policy or EarliestEnd()
        self._jobs = {job.id: job for job in scenario.draw(seed)}
        self._asked = {job.id: asked(job) for job in self._jobs.values()}
        self._servers = {host.name: _Server(host) for host in scenario.hosts}
        self._speeds = Speeds(advertised(scenario.hosts) if scenario.speeds_known else {})
        self._open: dict[str, Job] = {}
        """Without an answer so far, waiting or running."""
        self._backlog = Backlog()
        self._events: list[tuple[float, int, str, str]] = []
        self._order = count()
        self._done: dict[str, float] = {}
        self._hedges = 0
        self._wasted = 0.0
        self._cpu = 0.0

    def run(self) -> Outcome:
        """Play the scenario to its end."""
        for job in self._jobs.values():
            self._at(job.arrives, "", job.id)
        while self._events and len(self._done) < len(self._jobs):
            now = self._events[0][0]
            while self._events and self._events[0][0] <= now:
                _, _, host, job_id = heapq.heappop(self._events)
                self._happen(now, host, job_id)
            self._decide(now)
        return Outcome(
            makespan=max(self._done.values(), default=float("inf")),
            lost=len(self._jobs) - len(self._done),
            loads=sum(server.loads for server in self._servers.values()),
            hedges=self._hedges,
            wasted_tokens=self._wasted,
            cpu_seconds_per_task=self._cpu / len(self._jobs),
        )

    def _at(self, when: float, host: str, job_id: str) -> None:
        heapq.heappush(self._events, (when, next(self._order), host, job_id))

    def _happen(self, now: float, host: str, job_id: str) -> None:
        if not host:
            if job_id:
                self._open[job_id] = self._asked[job_id]
                self._backlog.put(self._asked[job_id])
            return
        server = self._servers[host]
        work = server.busy.get(job_id)
        if work is None or work.end > now:
            return  # it was cancelled, or the slot does something else by now
        del server.busy[job_id]
        if self._fails(server, now):
            self._give_back(job_id)
            return
        server.refusals = 0
        self._learn(server, self._jobs[job_id], work.running.model, work.load)
        if job_id in self._done:
            self._wasted += self._jobs[job_id].tokens_out
            return
        self._done[job_id] = now
        self._open.pop(job_id, None)
        self._cancel(job_id, now)

    def _fails(self, server: _Server, now: float) -> bool:
        """Close the host when the attempt that ends now is a failure."""
        truth = server.truth
        broken = truth.fault is Fault.DIES and now >= truth.fault_at
        if truth.works and not broken:
            return False
        server.refusals += 1
        pause = DOWN_SECONDS * 2 ** (server.refusals - 1)
        server.resident.clear()
        server.closed_until = now + pause
        self._at(server.closed_until, "", "")
        return True

    def _cancel(self, job_id: str, now: float) -> None:
        for server in self._servers.values():
            work = server.busy.pop(job_id, None)
            if work is None:
                continue
            started = work.running.started
            spent = (now - started) / max(work.end - started, 1e-9)
            self._wasted += spent * self._jobs[job_id].tokens_out

    def _give_back(self, job_id: str) -> None:
        """Let a question wait again whose only copy came to nothing."""
        runs = any(job_id in server.busy for server in self._servers.values())
        if job_id in self._open and not runs:
            self._backlog.put(self._open[job_id])

    def _learn(self, server: _Server, job: SimJob, model: str, load: float) -> None:
        speed = server.truth.speed(model)
        timing = Timing(
            job.tokens_in,
            job.tokens_in / speed.prompt_tps,
            job.tokens_out,
            job.tokens_out / speed.decode_tps,
            load,
        )
        self._speeds.observe(server.truth.name, model, timing, was_loaded=load == 0)

    def _decide(self, now: float) -> None:
        before = time.process_time()
        hosts = [self._state(server, now) for server in self._servers.values()]
        if self._backlog:
            decided = self._policy.decide(now, self._backlog, hosts)
        else:
            decided = self._policy.hedge(now, list(self._open.values()), hosts)
        self._cpu += time.process_time() - before
        for assignment in decided:
            self._start(assignment, now)

    def _state(self, server: _Server, now: float) -> HostState:
        truth = server.truth
        return HostState(
            name=truth.name,
            slots=truth.slots,
            busy=tuple(work.running for work in server.busy.values()),
            resident=tuple(server.resident),
            models={model: self._speeds.of(truth.name, model) for model in truth.models},
            room=truth.room,
            closed=now < server.closed_until,
        )

    def _start(self, decision: Assignment, now: float) -> None:
        server, job = self._servers[decision.host], self._jobs[decision.job_id]
        truth, load = server.truth, 0.0
        self._hedges += decision.hedge
        self._backlog.drop(job.id)
        running = Running(job.id, decision.model, now, decision.expected_end, decision.hedge)
        if truth.storms_at(now):
            server.closed_until = now + BUSY_SECONDS
            self._at(server.closed_until, "", "")
            self._give_back(job.id)
            return
        if truth.fault is Fault.DEAD or (truth.fault is Fault.DIES and now >= truth.fault_at):
            end = now + 0.01
        elif truth.fault is Fault.HANGS:
            said = truth.models[decision.model]
            end = now + said.load_seconds + job.tokens_in / said.prompt_tps + SILENCE_SECONDS
        else:
            start, load = server.begin(decision.model, now)
            end = start + truth.speed(decision.model).seconds(job.tokens_in, job.tokens_out)
            if truth.fault is Fault.DIES:
                end = min(end, truth.fault_at)
        server.busy[job.id] = _Work(running, end, load)
        self._at(end, truth.name, job.id)


def advertised(hosts: Sequence[SimHost]) -> dict[tuple[str, str], Learnt]:
    """Return what earlier work told of the hosts; of a secretly slow one, it is out of date."""
    return {
        (host.name, model): Learnt(speed.prompt_tps, speed.decode_tps, speed.load_seconds)
        for host in hosts
        for model, speed in host.models.items()
    }


def asked(job: SimJob) -> Job:
    """Return the job as the policy sees it: with the length that is believed."""
    return Job(
        id=job.id,
        models=(job.model,),
        tokens_in=job.tokens_in,
        tokens_out=job.believed_out,
        waiting_since=job.arrives,
    )


def play(scenario: Scenario, seeds: Sequence[int]) -> list[Outcome]:
    """Run the scenario for each seed."""
    return [Simulation(scenario, seed).run() for seed in seeds]
