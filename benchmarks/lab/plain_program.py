"""Runs in the sandbox: times a launch plan on a plain build, its blocks spread over processes.

Started by a bare interpreter, like the emulator's own driver: the standard library only. It reads
job.json and buffers.bin and writes outputs.bin and times.json: for each number of processes a list
of [seconds, seconds of processor time of the busiest process]. Buffers lie in memory that the
processes share; each process has a runtime, stacks and LDS of its own, and takes the blocks whose
number leaves its own number as remainder.
"""

import ctypes
import json
import mmap
import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Job = dict[str, Any]

SECONDS = struct.Struct("=d")
SCALARS = {"int32": ctypes.c_int32, "float32": ctypes.c_float}


class Plan:
    """The libraries, the buffers and the launches of one job."""

    def __init__(self, job: "Job") -> None:
        self.launches = job["launches"]
        # kernels call its functions
        self.math = ctypes.CDLL("libm.so.6", mode=os.RTLD_NOW | os.RTLD_GLOBAL)
        self.runtime = ctypes.CDLL("./runtime.so", mode=os.RTLD_NOW | os.RTLD_GLOBAL)
        self.kernels = ctypes.CDLL("./kernel.so", mode=os.RTLD_NOW)
        self.buffers = [mmap.mmap(-1, size) for size in job["sizes"]]
        self.addresses = [
            ctypes.addressof(ctypes.c_char.from_buffer(buffer)) for buffer in self.buffers
        ]
        with open("buffers.bin", "rb") as file:
            for buffer, size in zip(self.buffers, job["sizes"], strict=True):
                buffer[:] = file.read(size)

    def run_share(self, number: int, process: int, processes: int) -> None:
        """Run this process's blocks of a launch; ends the process when they do not run."""
        launch = self.launches[number]
        grid, block = launch["grid"], launch["block"]
        share = range(process, grid[0] * grid[1] * grid[2], processes)
        if not share:
            return
        # no list means all blocks
        listed = (ctypes.c_uint64 * len(share))(*share) if processes > 1 else None
        self.runtime.hip_emulator_choose_blocks(
            ctypes.c_uint64(0), listed, ctypes.c_uint64(len(share) if listed else 0)
        )
        values = [self._argument(*argument) for argument in launch["arguments"]]
        places = [ctypes.cast(ctypes.pointer(value), ctypes.c_void_p) for value in values]
        stopped = getattr(self.kernels, "hip_emulator_launch_" + launch["kernel"])(
            (ctypes.c_uint * 3)(*grid),
            (ctypes.c_uint * 3)(*block),
            ctypes.c_size_t(launch["shared_bytes"]),
            (ctypes.c_void_p * len(places))(*places),
        )
        if stopped:
            os._exit(1)

    def _argument(self, kind: str, value: "Any") -> "Any":
        if kind == "buffer":
            return ctypes.c_void_p(self.addresses[value])
        return SCALARS[kind](value)


class Team:
    """Processes that run their shares of a launch whenever they are told its number."""

    def __init__(self, plan: Plan, processes: int) -> None:
        self._ends = [self._start(plan, number, processes) for number in range(processes)]

    def run(self, launches: int) -> list[float]:
        """Run the plan; each launch begins when all blocks of the one before it have ended."""
        begun = time.perf_counter()
        busiest = 0.0
        for number in range(launches):
            for tell, _ in self._ends:
                os.write(tell, bytes([number]))
            answers = [os.read(hear, SECONDS.size) for _, hear in self._ends]
            if not all(answers):
                raise SystemExit(f"launch {number} did not run to its end")
            busiest += max(SECONDS.unpack(answer)[0] for answer in answers)
        return [time.perf_counter() - begun, busiest]

    def end(self) -> None:
        for tell, hear in self._ends:
            os.close(tell)
            os.read(hear, 1)

    @staticmethod
    def _start(plan: Plan, process: int, processes: int) -> tuple[int, int]:
        orders, tell = os.pipe()
        hear, answers = os.pipe()
        # so that no process holds the other end of another's orders open
        os.set_inheritable(tell, False)
        if os.fork() == 0:
            os.close(tell)
            while order := os.read(orders, 1):
                begun = time.process_time()
                plan.run_share(order[0], process, processes)
                os.write(answers, SECONDS.pack(time.process_time() - begun))
            os._exit(0)
        os.close(orders)
        os.close(answers)
        return tell, hear


def main() -> None:
    with open("job.json", "rb") as file:
        job = json.load(file)
    plan = Plan(job)
    times: list[list[list[float]]] = []
    for processes in job["processes"]:
        team = Team(plan, processes)
        team.run(len(plan.launches))  # the first touches stacks and caches
        times.append([team.run(len(plan.launches)) for _ in range(job["repeats"])])
    with open("outputs.bin", "wb") as file:
        file.write(plan.buffers[job["output"]])
    with open("times.json", "w") as file:
        json.dump(times, file)


if __name__ == "__main__":
    main()
