"""`rocm-pipeline profile`: what a HIP file's kernels do to memory, line by line."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rocm_pipeline.commands.common import compiled_files
from rocm_pipeline.terminal import err, print_json


def profile(
    file: Annotated[Path, typer.Argument(help="HIP source.")],
    plan: Annotated[Path, typer.Option("--plan", help="Launch plan (JSON).")],
    arch: Annotated[
        list[str] | None,
        typer.Option("--arch", help="Architecture, as gfx1100; may be repeated."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="rows=256, alpha=0.5, eps=float64:1e-6 (or with commas)."),
    ] = None,
    tensors: Annotated[
        list[str] | None,
        typer.Option("--tensor", help="x=float32[rows,cols]; may be repeated."),
    ] = None,
    zeros: Annotated[bool, typer.Option("--zeros", help="Fill buffers with zeros.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with the heat of each line.")
    ] = None,
    seconds: Annotated[
        int,
        typer.Option(help="Processor time in which some work-item must end.", min=1, max=3600),
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Show where a kernel's memory traffic comes from, what limits it, and an estimated time."""
    from rocm_pipeline.commands.profile_view import architectures_named, as_data, show, write_page
    from rocm_pipeline.lab.profile_case import read_case
    from rocm_pipeline.lab.profile_page import page
    from rocm_pipeline.lab.profile_run import Profiler
    from rocm_pipeline.lab.sandbox import Sandbox

    names = architectures_named(arch or ["gfx1100"])
    assignments = [part for text in settings or [] for part in text.split(",")]
    case = read_case(file, plan, assignments, tensors or [])
    running = err.status(f"running; given up where no work-item ends for {seconds} s")
    with compiled_files() as cache, running:
        profiler = Profiler(Sandbox.detect(), cache)
        reports = profiler.profile(case, names, zeros=zeros, cpu_seconds=seconds)
    if html is not None:
        write_page(html, page(f"Profile of {file.name}", case.source, reports))
    if as_json:
        print_json(json.dumps([as_data(report) for report in reports], indent=1))
        return
    for report in reports:
        show(report, case.source)
