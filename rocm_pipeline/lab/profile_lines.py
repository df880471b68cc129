"""What each line of the source does to memory, and what limits a launch, in words."""

from dataclasses import dataclass

from rocm_pipeline.lab.architectures import Architecture
from rocm_pipeline.lab.cache_model import Counts
from rocm_pipeline.lab.emulator import SiteKind
from rocm_pipeline.lab.emulator.trace import LINE_BYTES
from rocm_pipeline.lab.launch_work import LaunchWork
from rocm_pipeline.lab.profile_run import LaunchReport
from rocm_pipeline.lab.roofline import LAUNCH_MICROSECONDS


@dataclass
class LineFigures:
    """Figures of one source line over the whole launch."""

    line: int
    requests: float = 0
    """Wave instructions to global memory or LDS."""
    lanes: float = 0
    slots: float = 0
    """Lanes that these instructions had room for."""
    bytes: float = 0
    """Asked of global memory by work-items."""
    transactions: float = 0
    """Lines of 64 bytes touched, wave instruction by wave instruction."""
    memory_bytes: float = 0
    """Between the last cache and device memory."""
    lds_passes: float = 0
    lds_ideal: float = 0
    atomics: float = 0
    """Wave instructions that are atomics."""
    serial: float = 0
    """Passes that atomics of a wave at one address make."""
    share: float = 0
    """Of the launch's transactions."""

    @property
    def efficiency(self) -> float | None:
        """Bytes asked for over bytes of the lines touched; above 1 where lanes share words."""
        moved = self.transactions * LINE_BYTES
        return self.bytes / moved if moved else None

    @property
    def active(self) -> float | None:
        """Share of lanes that took part: below 1 where the wave diverged or was not full."""
        return self.lanes / self.slots if self.slots else None

    @property
    def conflicts(self) -> float | None:
        """LDS passes over those without bank conflicts."""
        return self.lds_passes / self.lds_ideal if self.lds_ideal else None

    @property
    def contention(self) -> float | None:
        """Work-items of a wave that meet at one address, on average."""
        return self.serial / self.atomics if self.atomics else None


def line_figures(report: LaunchReport) -> dict[int, LineFigures]:
    """Return the figures by line, for lines that touch memory."""
    found: dict[int, LineFigures] = {}
    scale, wave = report.profile.scale, report.kernel.wave
    for each in report.profile.traffic:
        if each.site.line is None:
            continue
        figures = found.setdefault(each.site.line, LineFigures(each.site.line))
        times = scale * each.whole
        figures.requests += times * each.requests
        figures.lanes += times * each.lanes
        figures.slots += times * each.requests * wave
        if each.space == "global":
            figures.bytes += times * each.bytes
            figures.transactions += times * each.lines_64
        figures.lds_passes += times * each.bank_cycles
        figures.lds_ideal += times * each.ideal_cycles
        if each.site.kind is SiteKind.ATOMIC:
            figures.atomics += times * each.requests
            figures.serial += times * each.serial
    for number, counts in report.caches.by_site.items():
        line = report.build.sites[number].line
        if line in found:
            found[line].memory_bytes += counts.memory_bytes
    whole = sum(each.transactions for each in found.values())
    for each in found.values():
        each.share = each.transactions / whole if whole else 0.0
    return found


def buffer_figures(report: LaunchReport) -> dict[str, Counts]:
    """Return what each buffer asked of the caches, the busiest first."""
    found = report.caches.by_buffer
    return dict(sorted(found.items(), key=lambda item: -item[1].requested))


def bottleneck(report: LaunchReport) -> str:
    """Return the name of the resource that takes longest."""
    terms = {name: term.low for name, term in report.estimate.terms.items()}
    terms["launch"] = LAUNCH_MICROSECONDS.low
    return max(terms, key=lambda name: terms[name])


def limit_in_words(report: LaunchReport, facts: Architecture) -> str:
    """Say what limits the launch, and by which figures."""
    name = bottleneck(report)
    kernel, work, total = report.kernel, report.work, report.caches.total
    if name == "launch":
        return (
            "launch: the work takes less time than starting it, "
            f"{LAUNCH_MICROSECONDS.low:g} to {LAUNCH_MICROSECONDS.high:g} us"
        )
    term = report.estimate.terms[name]
    took = f"{term.low:.3g} to {term.high:.3g} us"
    lds = sum(each.bank_cycles for each in report.profile.select("lds"))
    ideal = sum(each.ideal_cycles for each in report.profile.select("lds"))
    evidence = {
        "device memory": f"memory bandwidth: {in_bytes(total.memory_bytes)} to and from device "
        f"memory, {in_bytes(work.compulsory_lines * LINE_BYTES)} of them needed at least, at "
        f"{facts.memory_gb_per_s:g} GB/s",
        "Infinity Cache": f"memory bandwidth: {in_bytes(total.l2_read_misses * LINE_BYTES)} from "
        "the Infinity Cache",
        "L2": "memory bandwidth: "
        f"{in_bytes((total.l2_reads + total.l2_writes) * LINE_BYTES)} between L1 and L2",
        "L1": f"memory bandwidth: {total.requested:.3g} lines asked of the L1",
        "atomics": f"atomics: {work.atomics:.3g} on global memory",
        "latency": f"latency: {kernel.waves_per_simd:g} waves a SIMD "
        f"({_limited(report)}) are too few to hide the waits",
        "LDS": f"LDS: {work.lds_passes:.3g} passes, {lds / ideal if ideal else 1:.2f} times "
        "those without bank conflicts",
        "matrix": f"matrix unit: {work.matrix_flops:.3g} operations",
        "transcendental": f"transcendental: {work.transcendental_operations:.3g} exponentials, "
        "divisions, roots and the like",
        "arithmetic": f"arithmetic: {_arithmetic(work)}",
    }
    return f"{evidence[name]}; {took}"


def _limited(report: LaunchReport) -> str:
    kernel = report.kernel
    match kernel.limited_by:
        case "registers":
            return f"limited by {kernel.vgprs} registers"
        case "LDS":
            return (
                f"limited by {kernel.lds_bytes + report.launch.shared_bytes} bytes of LDS a block"
            )
        case "workgroup size":
            return f"limited by blocks of {kernel.block_threads}"
        case _:
            return "as many as there can be"


def _arithmetic(work: LaunchWork) -> str:
    counts = {
        "fp32": work.fp32_operations,
        "fp16": work.fp16_operations,
        "fp64": work.fp64_operations,
        "integer": work.integer_operations,
    }
    return ", ".join(f"{count:.3g} {name}" for name, count in counts.items() if count)


def in_bytes(value: float) -> str:
    """Return a size for people: `1.07 GB`."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
