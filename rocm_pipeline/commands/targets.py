"""`rocm-pipeline targets`: list, show, make and calibrate targets."""

import json
from typing import Annotated

import typer
from rich.table import Table

from rocm_pipeline.commands.common import HomeOption, home_of
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.terminal import out, print_json, say

targets_app = typer.Typer(no_args_is_help=True, help="List, show and make targets.")


@targets_app.command("list")
def list_targets(home: HomeOption = None) -> None:
    """List every target."""
    place = home_of(home)
    table = Table("target", "title", "family", "types")
    for name in library.names(place.targets):
        target = library.load(name, place.targets)
        types = ", ".join(d.value for dtypes in target.dtypes.values() for d in dtypes)
        table.add_row(name, target.title, target.family, types)
    out.print(table)


@targets_app.command("show")
def show_target(
    name: Annotated[str, typer.Argument(help="Target to show.")],
    home: HomeOption = None,
) -> None:
    """Print a target as JSON; refuse one that a trivial kernel passes."""
    from rocm_pipeline.lab.controls import require_sound

    target: Target = library.load(name, home_of(home).targets)
    require_sound(target)
    print_json(json.dumps(target.model_dump(mode="json"), indent=2))


@targets_app.command("new")
def new_target(
    name: Annotated[str, typer.Argument(help="Name of the new target.")],
    home: HomeOption = None,
) -> None:
    """Make a target folder to start from; it works as it is."""
    from rocm_pipeline.lab.controls import require_sound

    place = home_of(home)
    place.create()
    folder = library.create(name, place.targets)
    require_sound(library.load_folder(folder))
    say(f"Made {folder}")
    say(f"Change its files, then: rocm-pipeline run {name}")
    say("The embedded agent has no schedule for its family: a kernel needs an Ollama host.")


@targets_app.command("calibrate")
def calibrate_target(
    name: Annotated[str, typer.Argument(help="Target to measure honest kernels on.")],
    draws: Annotated[int, typer.Option(help="Held-out cases to draw.", min=1, max=1000)] = 48,
    seed: Annotated[int, typer.Option(help="Seed of the cases.", min=0)] = 0,
    home: HomeOption = None,
) -> None:
    """Measure what tolerance honest implementations need, beside the recorded one."""
    from rocm_pipeline.lab.calibration import calibrate
    from rocm_pipeline.lab.harness import Harness
    from rocm_pipeline.lab.sandbox import Sandbox

    place = home_of(home)
    target = library.load(name, place.targets)
    place.create()
    found = calibrate(target, Harness(Sandbox.detect(), place.path / "cache"), draws, seed)
    table = Table("type", "", "draws", "worst ratio", "absolute", "relative")
    for dtype, measured in found.items():
        tolerance = target.tolerance[dtype]
        recorded = tolerance.calibration
        worst = "-" if recorded.worst_ratio is None else f"{recorded.worst_ratio:g}"
        table.add_row(
            dtype.value,
            "recorded",
            str(recorded.draws),
            worst,
            f"{tolerance.absolute:g}",
            f"{tolerance.relative:g}",
        )
        table.add_row(
            "",
            "measured, suggested",
            str(measured.draws),
            f"{measured.worst_ratio:g}",
            f"{measured.suggested_absolute:g}",
            f"{measured.suggested_relative:g}",
        )
    out.print(table)
    for dtype, measured in found.items():
        say(f"tolerance.{dtype.value}.calibration: {measured.model_dump_json()}")
