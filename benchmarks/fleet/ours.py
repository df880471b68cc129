"""The product's policy over HTTP: a thin client that keeps the state and asks the policy."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from benchmarks.fleet.scenarios import SimHost, SimJob
from benchmarks.fleet.simulation import (
    BUSY_SECONDS,
    DOWN_SECONDS,
    SILENCE_SECONDS,
    advertised,
    asked,
)
from rocm_pipeline.fleet.estimates import Speeds, Timing
from rocm_pipeline.fleet.policy import EarliestEnd
from rocm_pipeline.fleet.state import Assignment, HostState, Job, Policy, Running


def content(job: SimJob) -> str:
    """Return the question as the simulated servers read it."""
    return f"in={job.tokens_in} out={job.tokens_out}"


@dataclass
class _Seen:
    """What the client knows of one host."""

    truth: SimHost
    url: str
    resident: list[str] = field(default_factory=list[str])
    busy: dict[str, tuple[Running, "asyncio.Task[None]"]] = field(
        default_factory=dict[str, tuple[Running, "asyncio.Task[None]"]]
    )
    closed_until: float = 0.0
    refusals: int = 0


class Driver:
    """One run: asks every job of the hosts at `urls`, time scaled by `scale`."""

    def __init__(
        self,
        hosts: Sequence[SimHost],
        urls: Mapping[str, str],
        jobs: Sequence[SimJob],
        scale: float,
        policy: Policy | None = None,
    ) -> None:
        self._policy = policy or EarliestEnd()
        self._hosts = {host.name: _Seen(host, urls[host.name]) for host in hosts}
        self._jobs = {job.id: job for job in jobs}
        self._scale = scale
        self._speeds = Speeds(advertised(hosts))
        self._open: dict[str, Job] = {}
        self._done: set[str] = set()
        self._changed = asyncio.Event()
        self._started = 0.0

    async def run(self) -> float:
        """Ask all jobs; return simulated seconds until the last answer."""
        loop = asyncio.get_running_loop()
        timeout = httpx.Timeout(None, connect=3)
        async with httpx.AsyncClient(trust_env=False, timeout=timeout, verify=False) as http:
            self._started = loop.time()
            for job in self._jobs.values():
                loop.call_later(job.arrives * self._scale, self._arrive, job)
            while len(self._done) < len(self._jobs):
                self._changed.clear()
                self._decide(http)
                await self._changed.wait()
            spent = self._now()
            for seen in self._hosts.values():
                for _, task in seen.busy.values():
                    task.cancel()
        return spent

    def _now(self) -> float:
        return (asyncio.get_running_loop().time() - self._started) / self._scale

    def _arrive(self, job: SimJob) -> None:
        self._open[job.id] = asked(job)
        self._changed.set()

    def _decide(self, http: httpx.AsyncClient) -> None:
        now = self._now()
        states = [self._state(seen, now) for seen in self._hosts.values()]
        for start in self._policy.decide(now, list(self._open.values()), states):
            seen = self._hosts[start.host]
            running = Running(start.job_id, start.model, now, start.expected_end, start.hedge)
            was_loaded = start.model in seen.resident
            if was_loaded:
                seen.resident.remove(start.model)
            seen.resident = [*seen.resident, start.model][-seen.truth.room :]
            task = asyncio.ensure_future(self._ask(http, seen, start, was_loaded))
            seen.busy[start.job_id] = (running, task)

    def _state(self, seen: _Seen, now: float) -> HostState:
        truth = seen.truth
        return HostState(
            name=truth.name,
            slots=truth.slots,
            busy=tuple(running for running, _ in seen.busy.values()),
            resident=tuple(seen.resident),
            models={model: self._speeds.of(truth.name, model) for model in truth.models},
            room=truth.room,
            closed=now < seen.closed_until,
        )

    async def _ask(
        self, http: httpx.AsyncClient, seen: _Seen, start: Assignment, was_loaded: bool
    ) -> None:
        job, said = self._jobs[start.job_id], seen.truth.models[start.model]
        patience = said.load_seconds + job.tokens_in / said.prompt_tps + SILENCE_SECONDS
        # The stand-in sends nothing before the end, so the answer's own time is granted, too.
        patience += 8 * said.seconds(job.tokens_in, job.tokens_out)
        try:
            reply = await asyncio.wait_for(self._post(http, seen, job), patience * self._scale)
        except (httpx.HTTPError, asyncio.TimeoutError):
            seen.refusals += 1
            seen.resident.clear()
            self._close(seen, DOWN_SECONDS * 2 ** (seen.refusals - 1))
        else:
            if reply is None:
                self._close(seen, BUSY_SECONDS)
            else:
                seen.refusals = 0
                self._learn(seen, start.model, reply, was_loaded)
                self._finish(job.id, seen)
        seen.busy.pop(job.id, None)
        self._changed.set()

    async def _post(
        self, http: httpx.AsyncClient, seen: _Seen, job: SimJob
    ) -> dict[str, int] | None:
        """Return the final record, or None for a host that is busy."""
        body = {"model": job.model, "messages": [{"role": "user", "content": content(job)}]}
        reply = await http.post(f"{seen.url}/api/chat", json=body)
        if reply.status_code == 503:
            return None
        reply.raise_for_status()
        return json.loads(reply.text.splitlines()[-1])

    def _close(self, seen: _Seen, seconds: float) -> None:
        seen.closed_until = self._now() + seconds
        wake = seconds * self._scale + 0.001
        asyncio.get_running_loop().call_later(wake, self._changed.set)

    def _learn(self, seen: _Seen, model: str, reply: dict[str, int], was_loaded: bool) -> None:
        timing = Timing(
            reply["prompt_eval_count"],
            reply["prompt_eval_duration"] / 1e9,
            reply["eval_count"],
            reply["eval_duration"] / 1e9,
            reply["load_duration"] / 1e9,
        )
        self._speeds.observe(seen.truth.name, model, timing, was_loaded=was_loaded)

    def _finish(self, job_id: str, winner: _Seen) -> None:
        self._done.add(job_id)
        self._open.pop(job_id, None)
        for seen in self._hosts.values():
            if seen is not winner and job_id in seen.busy:
                seen.busy.pop(job_id)[1].cancel()
