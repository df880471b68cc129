"""`rocm-pipeline economy`: what each accepted kernel cost of Claude."""

from typing import Annotated

import typer

from rocm_pipeline.commands.common import HomeOption, home_of, withhold_secrets
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, api_key, take_key
from rocm_pipeline.targets import library
from rocm_pipeline.terminal import out, print_json, say


def economy(
    paired: Annotated[
        int | None,
        typer.Option(
            help="First let Claude do the coding alone, so many times for each built-in target; "
            "needs a key, and costs money.",
            min=1,
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """Print what each accepted kernel cost of Claude, beside what Claude alone would have cost."""
    from rocm_pipeline.planning.claude.economy.table import economy_table
    from rocm_pipeline.resources.economy import (
        counting,
        read_economy,
        require_key,
        run_paired,
        with_key,
    )

    place = home_of(home)
    if paired is not None:
        require_key()
    withhold_secrets(KEY_VARIABLE)
    take_key()
    key = api_key()
    if paired is not None and key is not None:
        for trial in run_paired(place, library.builtin_names(), paired, with_key(key)):
            verdict = "accepted" if trial.accepted else "not accepted"
            say(f"{trial.arm.value}: {trial.target}, run {trial.repeat}: {verdict}")
    if key is not None and place.path.exists():
        with counting(place, key) as count:
            found = read_economy(place, count)
    else:
        found = read_economy(place)
    if as_json:
        print_json(found.model_dump_json(indent=1))
    else:
        out.print(economy_table(found))
