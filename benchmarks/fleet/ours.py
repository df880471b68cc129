"""The product's fleet on the simulated hosts: its threads, its records database, its client.

It is told what a `fleet.yaml` tells: addresses, slots, models kept loaded at once. Speeds, lengths
and faults it has to learn. Its waiting times are the product's, scaled like everything else.
"""

import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet.scenarios import SimHost, SimJob
from rocm_pipeline.fleet.chat import ChatFailedError, ChatRequest, NoHostError
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import Pace
from rocm_pipeline.fleet.estimates import ASSUMED
from rocm_pipeline.fleet.hosts import Host, Preferences
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.fleet.state import Speed
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.records.records import Records

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the records lie: time is scaled, but a disk is as slow as ever."""


def content(job: SimJob) -> str:
    """Return the question as the simulated servers read it."""
    return f"job={job.id} in={job.tokens_in} out={job.tokens_out}"


@dataclass(frozen=True)
class Played:
    """What the fleet made of a run; times in real seconds."""

    seconds: float
    lost: int
    wrong: int
    cpu_seconds: float
    """Of this process: scheduling, records, client."""


def play(
    hosts: Sequence[SimHost], urls: Mapping[str, str], jobs: Sequence[SimJob], scale: float
) -> Played:
    """Ask every job of the fleet, each in a thread of its own as it arrives."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        records = Records.open(f"{folder}/records.db", f"{folder}/store")
        fleet = _fleet(hosts, urls, records, scale)
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


def _request(job: SimJob) -> ChatRequest:
    return ChatRequest(
        role=job.model,
        system="",
        prompt=content(job),
        seed=int(job.id.rpartition("-")[2]),
        max_tokens=4000,
        target="simulated",
        purpose="code",
    )
