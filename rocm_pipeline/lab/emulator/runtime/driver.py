"""Runs one job in the sandbox: loads runtime and kernels, launches, writes what came out.

Started by a bare interpreter (`-I -S`), so it imports the standard library only. It reads job.json
and buffers.bin, and writes findings.txt (by the runtime, as things are found), outputs.bin,
profile.bin and, last, result.json.
"""

import contextlib
import ctypes
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

Json = dict[str, Any]

PAGE = 4096
SITE_FIELDS = 8
TOTALS = 11
SCALARS = {"int32": ctypes.c_int32, "float32": ctypes.c_float, "float64": ctypes.c_double}


class Emulator:
    """The runtime library and the kernel library, loaded for one job."""

    def __init__(self, job: Json) -> None:
        self.job = job
        mode = os.RTLD_NOW | os.RTLD_GLOBAL
        # Kernels call its functions; musl has them in the C library itself.
        with contextlib.suppress(OSError):
            ctypes.CDLL("libm.so.6", mode=mode)
        self.runtime = ctypes.CDLL("./runtime.so", mode=mode)
        self.runtime.hip_emulator_add_buffer.restype = ctypes.c_void_p
        self.runtime.hip_emulator_site_traffic.restype = ctypes.c_void_p
        self.kernels = ctypes.CDLL("./kernel.so", mode=os.RTLD_NOW)
        self.configure()
        self.addresses = self.load_buffers()
        if job["profile"]:
            self.runtime.hip_emulator_enable_profile()

    def configure(self) -> None:
        job, runtime = self.job, self.runtime
        findings = os.open("findings.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        runtime.hip_emulator_configure(
            findings, job["reverse"], ctypes.c_uint64(job["sample_blocks"]), job["check_races"]
        )
        self.sites = ctypes.create_string_buffer(Path("sites.bin").read_bytes())
        objects = ctypes.addressof(ctypes.c_char.in_dll(self.kernels, "hip_emulator_objects"))
        ranges = (ctypes.c_void_p * 4).in_dll(self.kernels, "hip_emulator_module")
        runtime.hip_emulator_set_program(
            self.sites,
            job["sites"],
            ctypes.c_void_p(objects),
            job["objects"],
            *(ctypes.c_void_p(place) for place in ranges),
        )

    def load_buffers(self) -> list[int]:
        sizes = [buffer["bytes"] for buffer in self.job["buffers"]]
        total = sum((size + PAGE - 1) // PAGE + 2 for size in sizes) + 2
        self.runtime.hip_emulator_make_arena(ctypes.c_uint64(total * PAGE))
        addresses: list[int] = []
        with open("buffers.bin", "rb") as file:
            for buffer in self.job["buffers"]:
                address = self.runtime.hip_emulator_add_buffer(
                    ctypes.c_uint64(buffer["bytes"]), buffer["element"], buffer["poisoned"]
                )
                file.readinto(memory(address, buffer["bytes"]))
                addresses.append(address)
        return addresses

    def launch(self, number: int, launch: Json, profile: BinaryIO | None) -> bool:
        """Run one launch; False when the checker stopped it."""
        runtime = self.runtime
        values = [self.argument(kind, value) for kind, value in launch["arguments"]]
        pointers = [ctypes.cast(ctypes.pointer(value), ctypes.c_void_p) for value in values]
        arguments = (ctypes.c_void_p * max(len(values), 1))(*pointers)
        triple = ctypes.c_uint * 3
        self.clear_counters()
        runtime.hip_emulator_begin_launch(number)
        failed = runtime.hip_emulator_launch(
            getattr(self.kernels, "hip_emulator_call_" + launch["kernel"]),
            arguments,
            triple(*launch["grid"]),
            triple(*launch["block"]),
            ctypes.c_size_t(launch["shared_bytes"]),
        )
        if profile:
            self.write_profile(profile)
        return failed == 0

    def argument(self, kind: str, value: Any) -> Any:
        if kind == "buffer":
            return ctypes.c_void_p(self.addresses[value])
        return SCALARS[kind](value)

    def counters(self) -> Any:
        words = ctypes.c_uint64 * self.job["counters"]
        return words.in_dll(self.kernels, "hip_emulator_counters")

    def clear_counters(self) -> None:
        counters = self.counters()
        ctypes.memset(counters, 0, ctypes.sizeof(counters))

    def write_profile(self, file: BinaryIO) -> None:
        totals = (ctypes.c_uint64 * TOTALS)()
        self.runtime.hip_emulator_totals(totals)
        file.write(totals)
        size = 2 * (self.job["sites"] + 1) * SITE_FIELDS * 8
        file.write(memory(self.runtime.hip_emulator_site_traffic(), size))
        file.write(self.counters())

    def write_outputs(self) -> None:
        with open("outputs.bin", "wb") as file:
            for number in self.job["outputs"]:
                file.write(memory(self.addresses[number], self.job["buffers"][number]["bytes"]))


def memory(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


def main() -> None:
    job = json.loads(Path("job.json").read_text())
    emulator = Emulator(job)
    done = 0
    with open("profile.bin", "wb") as file:
        for number, launch in enumerate(job["launches"]):
            if not emulator.launch(number, launch, file if job["profile"] else None):
                break
            done += 1
    emulator.write_outputs()
    Path("result.json").write_text(json.dumps({"launches": done}))


if __name__ == "__main__":
    main()
