"""What the fleet's scheduling costs: the product's dispatcher and its records, without the answers.

Run: python -m benchmarks.fleet.cost. A thread for each task waits for its slot, sleeps as long as
the answer would take, and gives the slot back; all CPU time of the process in between counts, its
threads included.
"""

import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.fleet.ours import MEMORY
from benchmarks.fleet.scenarios import Scenario, SimHost, SimJob, scenarios
from rocm_pipeline.fleet.assigning import Wish
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import Dispatcher, Lease, Seen
from rocm_pipeline.fleet.estimates import Timing
from rocm_pipeline.fleet.health import Finished
from rocm_pipeline.fleet.policy import EarliestEnd
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.leases import Leases
from rocm_pipeline.records.outcome import Outcome

LARGEST = "64 hosts, 1,000 jobs"
SCALE = 0.02
"""Real seconds for a simulated one."""


def cpu_seconds_per_task(name: str, scale: float = SCALE, seed: int = 0) -> float:
    """Return the CPU seconds that the slots of one run of this scenario cost a task."""
    (scenario,) = [scenario for scenario in scenarios() if scenario.name == name]
    jobs = scenario.draw(seed)
    hosts = {host.name: host for host in scenario.hosts}
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        database = Database(f"{folder}/records.db")
        dispatcher = Dispatcher(Leases(database), EarliestEnd(), _is_well, BackOff())
        dispatcher.announce([_seen(host) for host in scenario.hosts])

        def answer(job: SimJob) -> None:
            lease = dispatcher.acquire(_wish(job, scenario), since=time.time(), give_up_seconds=600)
            speed = hosts[lease.host].speed(lease.model)
            timing = Timing(
                job.tokens_in,
                scale * job.tokens_in / speed.prompt_tps,
                job.tokens_out,
                scale * job.tokens_out / speed.decode_tps,
                0.0 if lease.is_loaded else scale * speed.load_seconds,
            )
            time.sleep(timing.prompt_seconds + timing.decode_seconds + timing.load_seconds)
            dispatcher.release(lease, _finished(job, lease, timing))

        with ThreadPoolExecutor(len(jobs)) as pool:
            _start_threads(pool, len(jobs))
            before = time.process_time()
            list(pool.map(answer, jobs))
            spent = time.process_time() - before
        database.close()
    return spent / len(jobs)


def _start_threads(pool: ThreadPoolExecutor, count: int) -> None:
    """Have the pool make its threads, which are the benchmark's and not the dispatcher's."""
    barrier = threading.Barrier(count)
    for started in [pool.submit(barrier.wait) for _ in range(count)]:
        started.result()


def _is_well(_host: str, _model: str) -> str:
    return ""


def _seen(host: SimHost) -> Seen:
    return Seen(host.name, host.name, host.slots, tuple(host.models), host.room)


def _wish(job: SimJob, scenario: Scenario) -> Wish:
    return Wish(
        job=job.id,
        places=tuple((host.name, job.model) for host in scenario.hosts if job.model in host.models),
        tokens_in=job.tokens_in,
        tokens_out=job.believed_out,
    )


def _finished(job: SimJob, lease: Lease, timing: Timing) -> Finished:
    return Finished(
        host=lease.host,
        model=lease.model,
        job=job.id,
        attempt_no=1,
        outcome=Outcome.OK,
        timing=timing,
    )


def main() -> int:
    """Print milliseconds a task of the largest scenario."""
    print(f"{LARGEST}: {1_000 * cpu_seconds_per_task(LARGEST):.2f} ms of CPU a task")
    return 0


if __name__ == "__main__":
    sys.exit(main())
