"""How a profile is shown: a table of the source's lines, JSON, or a page."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.lab.emulator.trace import LINE_BYTES
from rocm_pipeline.lab.profile_lines import (
    bottleneck,
    buffer_figures,
    in_bytes,
    limit_in_words,
    line_figures,
)
from rocm_pipeline.lab.profile_page import HEADINGS, cells
from rocm_pipeline.lab.profile_run import LaunchReport, ProfileReport
from rocm_pipeline.targets.subject import ARCHITECTURES
from rocm_pipeline.terminal import out

_WIDEST_SOURCE = 72


def architectures_named(names: Sequence[str]) -> list[str]:
    """Return the architectures; each name may hold several, with commas between."""
    found = [name for text in names for name in text.split(",") if name]
    for name in found:
        if name not in ARCHITECTURES:
            raise UserError(
                f"'{one_line(name)}' is not an architecture that is described",
                where="--arch",
                fix=f"Take one of {', '.join(ARCHITECTURES)}.",
            )
    return found


def write_page(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise UserError(
            f"cannot be written ({error.strerror})", where=str(path), fix="Name another file."
        ) from error


def show(report: ProfileReport, source: str) -> None:
    """Print a report as a person reads it: each launch, then its source line by line."""
    facts = report.facts
    out.print(Text.assemble((facts.name, "bold"), f" ({facts.product}); all times are estimates"))
    for number, launch in enumerate(report.launches):
        _show_launch(number, launch, report)
        out.print(_listing(launch, source))


def _show_launch(number: int, launch: LaunchReport, report: ProfileReport) -> None:
    time, kernel, caches = launch.estimate.time, launch.kernel, launch.caches
    out.print(
        Text.assemble(
            f"\nlaunch {number}: ",
            (launch.launch.kernel, "bold"),
            f"  {time.low:.3g} to {time.high:.3g} us  grid {launch.launch.grid} block "
            f"{launch.launch.block}",
        )
    )
    out.print(f"  limited by {limit_in_words(launch, report.facts)}")
    out.print(
        f"  {kernel.vgprs} registers, {kernel.lds_bytes + launch.launch.shared_bytes} bytes of "
        f"LDS, {kernel.scratch_bytes} of scratch; {kernel.waves_per_simd:g} waves a SIMD "
        f"({kernel.occupancy:.0%}); {launch.work.barriers:.4g} barriers"
    )
    out.print(
        f"  caches: {caches.total.requested:.4g} lines asked for, "
        f"{caches.total.l2_reads + caches.total.l2_writes:.4g} go to the L2, "
        f"{in_bytes(caches.total.memory_bytes)} to memory "
        f"({caches.blocks_played} of {caches.blocks} blocks played)"
    )
    for name, counts in buffer_figures(launch).items():
        out.print(
            f"    {name}: {counts.requested:.4g} lines, {counts.l2_reads:.4g} L2 reads, "
            f"{counts.l2_writes:.4g} L2 writes, {in_bytes(counts.memory_bytes)} memory"
        )


def _listing(launch: LaunchReport, source: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right", style="dim")
    table.add_column("source", no_wrap=True, max_width=_WIDEST_SOURCE)
    for name in HEADINGS:
        table.add_column(name, justify="right", no_wrap=True)
    found = line_figures(launch)
    hottest = max((each.share for each in found.values()), default=0)
    for number, text in enumerate(source.splitlines(), start=1):
        figures = found.get(number)
        style = "red" if figures and figures.share and figures.share == hottest else None
        given = cells(figures) if figures else ()
        table.add_row(str(number), text, *given, style=style)
    return table


def as_data(report: ProfileReport) -> dict[str, Any]:
    """Return what `--json` prints of a report."""
    return {
        "architecture": report.facts.name,
        "product": report.facts.product,
        "launches": [
            {
                "kernel": each.launch.kernel,
                "estimated_microseconds": [each.estimate.time.low, each.estimate.time.high],
                "bottleneck": bottleneck(each),
                "limit": limit_in_words(each, report.facts),
                "terms": {
                    name: [term.low, term.high] for name, term in each.estimate.terms.items()
                },
                "resources": each.kernel.model_dump(),
                "operations": {
                    name: count * each.profile.scale
                    for name, count in each.profile.operations.items()
                },
                "barriers": each.work.barriers,
                "blocks": each.caches.blocks,
                "blocks_played": each.caches.blocks_played,
                "sector_bytes": LINE_BYTES,
                "caches": asdict(each.caches.total),
                "buffers": {name: asdict(c) for name, c in buffer_figures(each).items()},
                "lines": [
                    asdict(figures)
                    | {
                        "efficiency": figures.efficiency,
                        "active": figures.active,
                        "conflicts": figures.conflicts,
                        "contention": figures.contention,
                    }
                    for _, figures in sorted(line_figures(each).items())
                ],
            }
            for each in report.launches
        ],
    }
