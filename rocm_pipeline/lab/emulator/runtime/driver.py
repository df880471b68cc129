"""Runs one job in the sandbox: loads runtime and kernels, launches, writes what came out.

Started by a bare interpreter (`-I -S`), so it imports the standard library only, and little of it:
json, pathlib and typing take longer to import than many a job to run. It reads job.marshal and the
file of buffers that its argument names, and writes findings.txt (by the runtime, as things are
found), outputs.bin, profile.bin and, last, result.json.
"""

import ctypes
import marshal
import mmap
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader
    from typing import Any, BinaryIO

    Job = dict[str, Any]

SITE_FIELDS = 9
TOTALS = 11
SCALARS = {
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "uint32": ctypes.c_uint32,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}


class Emulator:
    """The runtime library and the kernel library, loaded for one job."""

    def __init__(self, job: "Job") -> None:
        self.job = job
        mode = os.RTLD_NOW | os.RTLD_GLOBAL
        # Kernels call its functions; musl has them in the C library itself.
        self.math = loaded("libm.so.6", mode)
        self.runtime = ctypes.CDLL("./runtime.so", mode=mode)
        self.runtime.hip_emulator_add_buffer.restype = ctypes.c_void_p
        self.runtime.hip_emulator_site_traffic.restype = ctypes.c_void_p
        # What is loaded first lies above what comes later, mostly.
        if job["stacks_first"]:
            self.make_memory()
        self.kernels = ctypes.CDLL("./kernel.so", mode=os.RTLD_NOW)
        if not job["stacks_first"]:
            self.make_memory()
        self.configure()
        self.addresses = self.load_buffers()
        if job["trace"]:
            self.runtime.hip_emulator_trace_to(
                os.open("trace.bin", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            )
        if job["profile"]:
            self.runtime.hip_emulator_enable_profile()

    def configure(self) -> None:
        job, runtime = self.job, self.runtime
        findings = os.open("findings.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        runtime.hip_emulator_configure(findings, job["reverse"], job["check_races"])
        self.sites = ctypes.create_string_buffer(contents("sites.bin"))
        objects = ctypes.addressof(ctypes.c_char.in_dll(self.kernels, "hip_emulator_objects"))
        ranges = (ctypes.c_void_p * 4).in_dll(self.kernels, "hip_emulator_module")
        runtime.hip_emulator_set_program(
            self.sites,
            job["sites"],
            ctypes.c_void_p(objects),
            job["objects"],
            *(ctypes.c_void_p(place) for place in ranges),
        )
        runtime.hip_emulator_set_deadline(
            ctypes.c_uint64(job["deadline"]), self.counters(), job["counters"]
        )

    def make_memory(self) -> None:
        size = ctypes.c_uint64(self.job["memory_bytes"])
        self.runtime.hip_emulator_make_memory(size, self.job["stacks_first"])

    def load_buffers(self) -> list[int]:
        return [
            self.runtime.hip_emulator_add_buffer(
                ctypes.c_uint64(buffer["begin"]),
                ctypes.c_uint64(buffer["bytes"]),
                buffer["element"],
                buffer["poisoned"],
            )
            for buffer in self.job["buffers"]
        ]

    def changed_buffers(self, number: int, values: "BufferedReader", place: int) -> list[int]:
        """Numbers of the buffers to watch that no longer hold what they held before a round.

        What they held begins at `place` of the file.
        """
        changed: list[int] = []
        compare = ctypes.CDLL(None).memcmp
        # Only now, when no kernel runs: one could write there.
        before = mapped(values)
        for buffer, (address, size, fill) in enumerate(self.contents_of(number)):
            if self.job["buffers"][buffer]["watched"] and size:
                held = ctypes.byref(before, place) if fill is None else bytes([fill]) * size
                if compare(ctypes.c_void_p(address), held, ctypes.c_size_t(size)):
                    changed.append(buffer)
            place += size if fill is None else 0
        return changed

    def fill_buffers(self, number: int, values: "BufferedReader") -> None:
        """Give the buffers what they hold before a round."""
        for address, size, fill in self.contents_of(number):
            if fill is None:
                values.readinto(memory(address, size))
            else:
                ctypes.memset(address, fill, size)

    def contents_of(self, number: int) -> "list[tuple[int, int, int | None]]":
        """Address and bytes of each buffer; and the byte that fills it, if one does."""
        sizes = [buffer["bytes"] for buffer in self.job["buffers"]]
        return list(zip(self.addresses, sizes, self.job["rounds"][number], strict=True))

    def launch(self, number: int, launch: "Job", profile: "BinaryIO | None") -> bool:
        """Run one launch, or the blocks wanted of it; False when the checker stopped it."""
        only_listed = launch["listed_blocks"] and not launch["spread_blocks"]
        self.choose_blocks(launch["spread_blocks"], launch["listed_blocks"] if only_listed else [])
        self.runtime.hip_emulator_begin_trace(number)
        if not self.start(number, launch):
            return False
        if profile:
            self.write_profile(profile)
        if only_listed or not launch["listed_blocks"]:
            return True
        self.choose_blocks(0, launch["listed_blocks"])
        self.runtime.hip_emulator_pause_profile(1)
        finished = self.start(number, launch)
        self.runtime.hip_emulator_pause_profile(int(not self.job["profile"]))
        return finished

    def choose_blocks(self, spread: int, listed: list[int]) -> None:
        self.listed = (ctypes.c_uint64 * max(len(listed), 1))(*listed)
        self.runtime.hip_emulator_choose_blocks(
            ctypes.c_uint64(spread), self.listed, ctypes.c_uint64(len(listed))
        )

    def start(self, number: int, launch: "Job") -> bool:
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
        return failed == 0

    def run_plan(self, profile: "BinaryIO | None") -> int:
        """Run the launches in order; return how many ran to their end."""
        for number, launch in enumerate(self.job["launches"]):
            if not self.launch(number, launch, profile):
                return number
        return len(self.job["launches"])

    def argument(self, kind: str, value: "Any") -> "Any":
        if kind == "buffer":
            return ctypes.c_void_p(self.addresses[value])
        return SCALARS[kind](value)

    def counters(self) -> "Any":
        words = ctypes.c_uint64 * self.job["counters"]
        return words.in_dll(self.kernels, "hip_emulator_counters")

    def clear_counters(self) -> None:
        counters = self.counters()
        ctypes.memset(counters, 0, ctypes.sizeof(counters))

    def write_profile(self, file: "BinaryIO") -> None:
        totals = (ctypes.c_uint64 * TOTALS)()
        self.runtime.hip_emulator_totals(totals)
        file.write(totals)
        size = 2 * (self.job["sites"] + 1) * SITE_FIELDS * 8
        file.write(memory(self.runtime.hip_emulator_site_traffic(), size))
        file.write(self.counters())

    def write_outputs(self, number: int, file: "BinaryIO") -> None:
        """Write the outputs of a round; of one that began as a single byte, its changed pages."""
        contents = self.contents_of(number)
        for address, size, fill in (contents[output] for output in self.job["outputs"]):
            if fill is None:
                file.write(memory(address, size))
            else:
                write_changed_pages(file, address, size, bytes([fill]) * self.job["page"])


def loaded(name: str, mode: int) -> "ctypes.CDLL | None":
    """A library of the system, or None without it."""
    try:
        return ctypes.CDLL(name, mode=mode)
    except OSError:
        return None


def contents(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


def mapped(file: "BufferedReader") -> ctypes.c_char:
    """The first byte of a file in memory; any byte for an empty one."""
    if not os.fstat(file.fileno()).st_size:
        return ctypes.c_char()
    return ctypes.c_char.from_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def write_changed_pages(file: "BinaryIO", address: int, size: int, unchanged: bytes) -> None:
    """Write a bit for each page, lowest first, and the pages that are not as they were."""
    page = len(unchanged)
    bits = bytearray(-(-size // (8 * page)))
    changed: list[bytes] = []
    for begin in range(0, size, page):
        content = ctypes.string_at(address + begin, min(page, size - begin))
        if content != unchanged[: len(content)]:
            bits[begin // page >> 3] |= 1 << (begin // page & 7)
            changed.append(content)
    file.write(bits)
    file.writelines(changed)


def memory(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


def main() -> None:
    job = marshal.loads(contents("job.marshal"))
    emulator = Emulator(job)
    done = 0
    changed: set[int] = set()
    with (
        open(sys.argv[1], "rb") as values,
        open("outputs.bin", "wb") as outputs,
        open("profile.bin", "wb") as profile,
    ):
        for number in range(len(job["rounds"])):
            begin = values.tell()
            emulator.fill_buffers(number, values)
            emulator.runtime.hip_emulator_set_noise(job["noise"][number])
            done += emulator.run_plan(profile if job["profile"] else None)
            emulator.write_outputs(number, outputs)
            emulator.runtime.hip_emulator_flush_trace()
            changed.update(emulator.changed_buffers(number, values, begin))
    with open("result.json", "w") as result:
        result.write(f'{{"launches": {done}, "changed": {sorted(changed)}}}')


if __name__ == "__main__":
    main()
    # all files are closed; to take an interpreter apart is a tenth of many a job
    os._exit(0)
