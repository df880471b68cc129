"""The product's fleet on the simulated hosts: its threads, its records database, its client.

It is told what a `fleet.yaml` tells: addresses, slots, models kept loaded at once. Its records hold
earlier work: an answer to each question, as long as the scenario has the policy believe, and the
speed of each model on each host as it is said to be, unless the scenario has nobody know it. Faults
it has to find out. Its waiting times are the product's, scaled like everything else.
"""

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.scenarios import Scenario, SimHost, SimJob
from benchmarks.fleet.server import identity
from rocm_pipeline.fleet.chat import PROVIDER, ChatFailedError, ChatRequest, NoHostError
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import Pace
from rocm_pipeline.fleet.estimates import ASSUMED, Timing
from rocm_pipeline.fleet.health import Finished, learn
from rocm_pipeline.fleet.hosts import Host, Preferences
from rocm_pipeline.fleet.service import CHARACTERS_PER_TOKEN, Fleet
from rocm_pipeline.fleet.state import Speed
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.records.journal import Intent, Journal, Received
from rocm_pipeline.records.leases import Leases
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records

YESTERDAY = 24 * 3600.0
"""Long enough ago that no host holds a model of then."""
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the records lie: time is scaled, but a disk is as slow as ever."""


def content(job: SimJob) -> str:
    """Return the question as the simulated servers read it, as long as it is said to be."""
    asked = f"job={job.id} in={job.tokens_in} out={job.tokens_out} "
    return asked.ljust(int(CHARACTERS_PER_TOKEN * job.tokens_in), ".")


@dataclass(frozen=True)
class Played:
    """What the fleet made of a run; times in real seconds."""

    seconds: float
    lost: int
    wrong: int
    cpu_seconds: float
    """Of this process: scheduling, records, client."""


def play(scenario: Scenario, urls: Mapping[str, str], jobs: Sequence[SimJob]) -> Played:
    """Ask every job of the fleet, each in a thread of its own as it arrives."""
    scale = scenario.scale
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        records = Records.open(f"{folder}/records.db", f"{folder}/store")
        for job in jobs:
            _remember(records.journal, job)
        if scenario.speeds_known:
            _remember_speeds(records.leases, scenario, urls)
        fleet = _fleet(scenario.hosts, urls, records, scale)
        fleet.survey(require=True)
        lost, wrong, count = 0, 0, threading.Lock()
        started, cpu = time.perf_counter(), time.process_time()

        def ask(job: SimJob) -> None:
            nonlocal lost, wrong
            time.sleep(max(0.0, started + job.arrives * scale - time.perf_counter()))
            try:
                reply = fleet.chat(_request(job))
            except (ChatFailedError, NoHostError):
                with count:
                    lost += 1
                return
            with count:
                wrong += reply.model.removesuffix(":latest") != job.model

        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(ask, jobs))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        return Played(seconds, lost, wrong, cpu)


def _fleet(
    hosts: Sequence[SimHost], urls: Mapping[str, str], records: Records, scale: float
) -> Fleet:
    models = {model for host in hosts for model in host.models}
    usual, pause, pace = Deadlines(), BackOff(), Pace()
    return Fleet(
        [Host(name=h.name, url=urls[h.name], slots=h.slots, max_loaded=h.room) for h in hosts],
        records.journal,
        records.leases,
        preferences=Preferences(roles={model: (model,) for model in models}),
        deadlines=Deadlines(
            load=usual.load * scale,
            first_token=usual.first_token * scale,
            stall=max(1.0, usual.stall * scale),
            total=usual.total * scale,
        ),
        back_off=BackOff(
            first=pause.first * scale,
            longest=pause.longest * scale,
            quarantine=pause.quarantine * scale,
        ),
        # Decisions cost CPU time, which does not run at the scaled time.
        pace=Pace(decide=max(0.1, pace.decide * scale), stopped=pace.stopped * scale),
        assumed=Speed(
            ASSUMED.prompt_tps / scale, ASSUMED.decode_tps / scale, ASSUMED.load_seconds * scale
        ),
    )


def _remember(journal: Journal, job: SimJob) -> None:
    """Put an earlier answer to the question on record."""
    asked = _request(job)
    earlier = Intent(
        provider=PROVIDER,
        model=job.model,
        model_digest="",
        system=asked.system,
        prompt=f"{job.id}, the round before",
        host="",
        target=asked.target,
        purpose=asked.purpose,
        role=asked.role,
    )
    length = max(1, round(job.believed_out))
    answer = Received(outcome=Outcome.OK, text="", t_done=time.time(), tokens_out=length)
    journal.finish(journal.intent(earlier), answer)


def _remember_speeds(leases: Leases, scenario: Scenario, urls: Mapping[str, str]) -> None:
    """Learn from one earlier answer of each model on each host."""
    tokens, scale = 1_000, scenario.scale
    with leases.deciding() as board:
        for host in scenario.hosts:
            for model, speed in host.models.items():
                earlier = Finished(
                    host=urls[host.name],
                    model=identity(model),
                    job="earlier",
                    attempt_no=1,
                    outcome=Outcome.OK,
                    timing=Timing(
                        tokens,
                        scale * tokens / speed.prompt_tps,
                        tokens,
                        scale * tokens / speed.decode_tps,
                        scale * speed.load_seconds,
                    ),
                )
                learn(board, earlier, BackOff())
                board.speed(earlier.host, earlier.model).used_at = board.now - YESTERDAY


def _request(job: SimJob) -> ChatRequest:
    return ChatRequest(
        role=job.model,
        system="",
        prompt=content(job),
        seed=int(job.id.rpartition("-")[2]),
        max_tokens=4000,
        target=job.id,
        purpose="code",
    )
