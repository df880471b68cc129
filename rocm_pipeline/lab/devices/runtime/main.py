"""Runs one job on a device, in the sandbox: job.json and *.bin in, outputs.bin, result.json out.

A job has programs (a module and its launches), sets of contents for the buffers, and a schedule of
(program, set). Before each run every buffer is written anew and the caches are flushed; afterwards
outputs are hashed, and each that differs from all before it is written out, so that the parent
judges every one of them.
"""

import ctypes
import hashlib
import json

from rocm_pipeline.lab.devices.runtime import cuda, hip
from rocm_pipeline.lab.devices.runtime.clocks import Clocks
from rocm_pipeline.lab.devices.runtime.library import DriverError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedRandom, BufferedWriter
    from typing import Any

    Job = dict[str, Any]
    Gpu = hip.Gpu | cuda.Gpu

GUARD = 4096
GUARD_BYTE = 0xA5
SCALARS = {
    "int8": ctypes.c_int8,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "uint8": ctypes.c_uint8,
    "uint32": ctypes.c_uint32,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}


class Buffer:
    """Device memory between two guards that no kernel may touch."""

    def __init__(self, gpu: "Gpu", size: int) -> None:
        self.gpu = gpu
        self.size = size
        self.begin = gpu.allocate(size + 2 * GUARD)
        self.place = self.begin + GUARD

    def fill(self, content: "bytes | int") -> None:
        """Write the content, or the byte it consists of, and both guards."""
        self.gpu.fill(self.begin, GUARD_BYTE, GUARD)
        self.gpu.fill(self.place + self.size, GUARD_BYTE, GUARD)
        if not self.size:
            return
        if isinstance(content, int):
            self.gpu.fill(self.place, content, self.size)
        else:
            self.gpu.write(self.place, content)

    def read(self) -> bytes:
        return self.gpu.read(self.place, self.size) if self.size else b""

    def intact(self) -> bool:
        """Whether both guards hold what they held."""
        guards = (self.begin, self.place + self.size)
        return all(self.gpu.read(at, GUARD) == bytes([GUARD_BYTE]) * GUARD for at in guards)


class Runner:
    """The device, everything loaded on it, and what came of each run."""

    def __init__(self, gpu: "Gpu", job: "Job", outputs: "BufferedWriter") -> None:
        self.gpu = gpu
        self.job = job
        self.outputs = outputs
        self.modules = [gpu.load(contents(f"image{n}.bin")) for n in range(len(job["programs"]))]
        self.hashes = [gpu.carried_hash(module) for module in self.modules]
        self.buffers = [Buffer(gpu, size) for size in job["bytes"]]
        self.flush_place = gpu.allocate(job["flush_bytes"]) if job["flush_bytes"] else 0
        self.first, self.last = gpu.event(), gpu.event()
        self.written: list[tuple[int, int, str]] = []
        self.functions = [self.functions_of(number) for number in range(len(self.modules))]

    def functions_of(self, program: int) -> "list[ctypes.c_void_p]":
        return [
            self.gpu.function(self.modules[program], launch["kernel"], launch["shared_bytes"])
            for launch in self.job["programs"][program]["launches"]
        ]

    def run(self, number: int, program: int, which: int, values: "BufferedRandom") -> "Job":
        """Do one run of the schedule."""
        held = self.prepare(which, values)
        if self.flush_place:
            self.gpu.fill(self.flush_place, number % 251, self.job["flush_bytes"])
        prepared = [self.arguments(launch) for launch in self.launches(program)]
        self.gpu.synchronise()
        self.gpu.record(self.first)
        for launch, function, (_, _, pointers) in zip(
            self.launches(program), self.functions[program], prepared, strict=True
        ):
            self.gpu.launch(
                function, launch["grid"], launch["block"], launch["shared_bytes"], pointers
            )
        self.gpu.record(self.last)
        passed = self.gpu.milliseconds(self.first, self.last)
        self.gpu.synchronise()
        return {
            "program": program,
            "set": which,
            "milliseconds": passed,
            "digest": self.keep_outputs(program, which),
            "changed": [n for n, before in held.items() if self.buffers[n].read() != before],
            "overrun": [n for n, buffer in enumerate(self.buffers) if not buffer.intact()],
        }

    def launches(self, program: int) -> "list[Job]":
        return self.job["programs"][program]["launches"]

    def prepare(self, which: int, values: "BufferedRandom") -> "dict[int, bytes]":
        """Write every buffer; return what those hold that no kernel may change."""
        held: dict[int, bytes] = {}
        for number, (buffer, where) in enumerate(
            zip(self.buffers, self.job["sets"][which], strict=True)
        ):
            if where is None:
                buffer.fill(self.job["poison"])
                continue
            values.seek(where)
            content = values.read(buffer.size)
            buffer.fill(content)
            if number in self.job["watched"]:
                held[number] = content
        return held

    def keep_outputs(self, program: int, which: int) -> str:
        contents_ = [self.buffers[number].read() for number in self.job["outputs"]]
        digest = hashlib.sha256(b"".join(contents_)).hexdigest()
        key = (program, which, digest)
        if key not in self.written:
            self.written.append(key)
            for content in contents_:
                self.outputs.write(content)
        return digest

    def arguments(self, launch: "Job") -> "Any":
        """Values, pointers to them and the array of these, which must live until the launch."""
        values = [
            ctypes.c_void_p(self.buffers[value].place) if kind == "buffer" else SCALARS[kind](value)
            for kind, value in launch["arguments"]
        ]
        pointers = [ctypes.cast(ctypes.pointer(value), ctypes.c_void_p) for value in values]
        return values, pointers, (ctypes.c_void_p * max(len(values), 1))(*pointers)


def contents(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


def perform(job: "Job") -> "Job":
    """Do what the job asks for; raises DriverError."""
    opened = (hip if job["kind"] == "amd" else cuda).Gpu(job["library"], job["number"])
    facts = opened.facts()
    if not job["programs"]:
        return {"facts": facts}
    clocks = Clocks(job["kind"], job["number"])
    runs: list[Job] = []
    with open("buffers.bin", "r+b") as values, open("outputs.bin", "wb") as outputs:
        runner = Runner(opened, job, outputs)
        for number, (program, which) in enumerate(job["schedule"]):
            runs.append(runner.run(number, program, which, values))
            clocks.sample()
    return {
        "facts": facts,
        "hashes": runner.hashes,
        "runs": runs,
        "written": runner.written,
        "clocks": clocks.seen,
    }


def main() -> None:
    job = json.loads(contents("job.json"))
    try:
        result = perform(job)
    except DriverError as error:
        result = {"error": str(error)}
    with open("result.json", "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
