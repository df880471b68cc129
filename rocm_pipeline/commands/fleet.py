"""The commands of `rocm-pipeline fleet`. What they do is imported when one is called."""

from pathlib import Path
from typing import Annotated

import typer

from rocm_pipeline.commands.common import HomeOption, home_of
from rocm_pipeline.errors import EXIT_NOT_ACCEPTED

fleet_app = typer.Typer(
    no_args_is_help=True, help="Find Ollama hosts, look at them, give them models, try them."
)

HostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--host", help="Only this host, by its name; may be repeated.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")]


@fleet_app.command()
def discover(
    machines: Annotated[list[str], typer.Argument(help="Names, addresses or URLs; port 11434.")],
    write: Annotated[
        bool, typer.Option("--write", help="Write those that answer to a fleet file.")
    ] = False,
    to: Annotated[Path, typer.Option("--to", help="The file to write.")] = Path("fleet.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask each machine whether it is an Ollama host, and what it has.

    Exit status 1 when none of them answers.
    """
    from rocm_pipeline.commands import fleet_actions

    _end(fleet_actions.discover(machines, to if write else None, force=force, as_json=as_json))


@fleet_app.command()
def status(
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show every host: its models, slots, speed, failures, and whether it is left alone.

    On a terminal the table is kept up to date until Ctrl-C. Exit status 1 when the last look found
    no host that answers.
    """
    from rocm_pipeline.commands import fleet_actions

    _end(fleet_actions.show_status(home_of(home), once=once, as_json=as_json))


@fleet_app.command()
def pull(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models to fetch; those for each host's roles when none is named.",
            show_default=False,
        ),
    ] = None,
    host: HostOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be fetched.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Let the hosts fetch the models that their roles need: the largest that fit.

    Exit status 1 when some host could not be asked or some model not be fetched.
    """
    from rocm_pipeline.commands import fleet_actions

    _end(fleet_actions.pull(home_of(home), models or (), host or (), dry_run=dry_run))


@fleet_app.command()
def probe(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Models to try; all when none is named.", show_default=False),
    ] = None,
    host: HostOption = None,
    loaded: Annotated[
        bool, typer.Option("--loaded", help="Only models that are loaded: loads and evicts none.")
    ] = False,
    patience: Annotated[
        float, typer.Option(help="Seconds to the first token, loading included.", min=0.1)
    ] = 600.0,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Let every model of every host answer with one token.

    Exit status 1 when one of them does not.
    """
    from rocm_pipeline.commands import fleet_actions

    _end(
        fleet_actions.probe(
            home_of(home), models or (), host or (), patience, loaded=loaded, as_json=as_json
        )
    )


def _end(well: bool) -> None:
    if not well:
        raise typer.Exit(EXIT_NOT_ACCEPTED)
