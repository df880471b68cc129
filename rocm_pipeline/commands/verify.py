"""`rocm-pipeline verify`: for people who only have a kernel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from rocm_pipeline.commands.common import compiled_files
from rocm_pipeline.errors import EXIT_NOT_ACCEPTED, UserError
from rocm_pipeline.targets.subject import ARCHITECTURES, WAVES, Wave
from rocm_pipeline.terminal import out, print_json, say

if TYPE_CHECKING:
    from rocm_pipeline.lab.verification import Verdict


def verify(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of kernel.hip, launch.json, reference.py, case.json."),
    ],
    kernel: Annotated[
        Path | None,
        typer.Option("--kernel", help="HIP file in kernel.hip's place.", show_default=False),
    ] = None,
    arch: Annotated[
        str, typer.Option("--arch", help="Architectures to compile for, with commas.")
    ] = ",".join(ARCHITECTURES),
    wave: Annotated[
        str, typer.Option("--wave", help="Wave sizes to run on, with commas.")
    ] = "32,64",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    seed: Annotated[
        int | None,
        typer.Option(help="Repeat the verdict that had this seed.", min=0, show_default=False),
    ] = None,
) -> None:
    """Judge a kernel with all checks, on a machine without a GPU.

    Exit status 0: passed; 1: not passed; 2: the files cannot judge it.
    """
    from rocm_pipeline.lab.verification import verify as judge

    architectures = _architectures(arch)
    waves = _waves(wave)
    with compiled_files() as cache:
        verdict = judge(
            folder, cache, kernel=kernel, architectures=architectures, waves=waves, seed=seed
        )
    if as_json:
        print_json(verdict.model_dump_json(indent=1))
    else:
        _show(verdict)
    if not verdict.passed:
        raise typer.Exit(EXIT_NOT_ACCEPTED)


def _architectures(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in ARCHITECTURES:
            raise UserError(
                f"'{name}' is no architecture that is known here",
                where="--arch",
                fix=f"Known are {', '.join(ARCHITECTURES)}.",
            )
    return names


def _waves(text: str) -> tuple[Wave, ...]:
    known: dict[str, Wave] = {str(wave): wave for wave in WAVES}
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in known:
            raise UserError(f"'{name}' is no wave size", where="--wave", fix="Give 32, 64 or both.")
    return tuple(known[name] for name in names)


def _show(verdict: "Verdict") -> None:
    table = Table("check", "status", "detail")
    for check in verdict.checks:
        status = check.status.value.replace("NOT_RUN", "not run")
        table.add_row(check.name, status, check.detail)
    out.print(table)
    place = f"{verdict.file}:{verdict.line}" if verdict.line else verdict.file
    words = [verdict.status.value, verdict.tier or "", place]
    for name, value in (("kernel", verdict.kernel), ("case", verdict.case)):
        words += [f"{name} {value}"] if value else []
    words += [f"wave {verdict.wave}"] if verdict.wave else []
    say("  ".join(word for word in words if word))
    if verdict.finding:
        say(verdict.finding)
    if verdict.origin not in (None, "public"):
        say(
            "These sizes are the harness's own: where they are not meant, say so in `constraints` "
            "of case.json, or set `extra_cases` to false.",
        )
