"""How long it takes to start a sandbox, run nothing in it, and have all of it gone again."""

import time

from rocm_pipeline.lab.sandbox import Sandbox, temporary_box


def sandbox_startup_seconds(count: int = 200) -> list[float]:
    """Return the wall time of `count` runs of `true`, one after another, in seconds."""
    sandbox = Sandbox.detect()
    times: list[float] = []
    with temporary_box() as box:
        sandbox.run(["/usr/bin/true"], box=box)
        for _ in range(count):
            started = time.perf_counter()
            sandbox.run(["/usr/bin/true"], box=box)
            times.append(time.perf_counter() - started)
    return times
