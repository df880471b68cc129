"""The `rocm-pipeline` command."""

import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer
from rich.table import Table

from rocm_pipeline import __version__
from rocm_pipeline.commands.common import (
    HomeOption,
    home_of,
    require_current_folder,
    withhold_secrets,
)
from rocm_pipeline.commands.device import device_app
from rocm_pipeline.commands.economy import economy
from rocm_pipeline.commands.evidence import evidence_app
from rocm_pipeline.commands.fleet import fleet_app
from rocm_pipeline.commands.profile import profile
from rocm_pipeline.commands.reviewers import reviewers
from rocm_pipeline.commands.streams import end_without_output, open_closed_streams
from rocm_pipeline.commands.targets import targets_app
from rocm_pipeline.commands.verify import verify
from rocm_pipeline.errors import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    EXIT_NOT_ACCEPTED,
    UserError,
    one_line,
)
from rocm_pipeline.home import HOME_VARIABLE
from rocm_pipeline.importing import WithoutCollector
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, has_key, take_key
from rocm_pipeline.redaction import process as redaction
from rocm_pipeline.targets import library
from rocm_pipeline.terminal import err, out, print_json, say

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with it `x=float32[rows,cols]` is shown as `x=float32`
    help="A software factory for AMD GPU kernels: Claude plans and judges, Ollama machines write, "
    "a harness that trusts nobody measures.",
)
app.add_typer(targets_app, name="targets")
app.add_typer(fleet_app, name="fleet")
app.add_typer(evidence_app, name="evidence")
app.add_typer(device_app, name="device")
app.command()(verify)
app.command()(profile)
app.command()(economy)
app.command()(reviewers)

TargetArguments = Annotated[
    list[str] | None, typer.Argument(help="Targets; all built-in ones when none is named.")
]


def main() -> None:
    """Run the command; what a user can mend becomes one line and status 2. No secret is printed."""
    open_closed_streams()
    redaction.install()
    try:
        with redaction.clean_terminal():
            _run_app()
    except redaction.OutputLostError as lost:
        sys.exit(end_without_output(lost))


def _run_app() -> None:
    try:
        require_current_folder()
        _require_no_empty_argument()
        sys.exit(app(standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        sys.exit(EXIT_BAD_INPUT)
    except click.UsageError as error:
        _refuse(_usage(error))
    except UserError as error:
        _refuse(str(error))


@app.command()
def run(targets: TargetArguments = None, home: HomeOption = None) -> None:
    """Do the main job: plan, write, verify, integrate, document and review kernels."""
    from rocm_pipeline.automation.forking import start_server
    from rocm_pipeline.preflight import require_settings

    withhold_secrets(KEY_VARIABLE)
    place = home_of(home)
    names = tuple(dict.fromkeys(targets or library.builtin_names()))
    for name in names:
        library.load(name, place.targets)  # a mistake is told before anything is started
    require_settings(place)
    start_server(place)
    take_key()  # the server has it; nothing that this command starts itself needs it
    with WithoutCollector():
        from rocm_pipeline.main_job import run_main_job

    try:
        accepted = run_main_job(place, names, out)
    except KeyboardInterrupt as stop:
        err.print("stopped; what was received so far is kept, and a new run goes on from there")
        raise typer.Exit(EXIT_INTERRUPTED) from stop
    if not accepted:
        raise typer.Exit(EXIT_NOT_ACCEPTED)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 3000,
    home: HomeOption = None,
) -> None:
    """Open the Dagster UI with the same assets on 127.0.0.1."""
    from rocm_pipeline.resources.instance import prepare_instance

    withhold_secrets(KEY_VARIABLE)
    place = home_of(home)
    _require_free(port)
    prepare_instance(place).dispose()
    os.environ[HOME_VARIABLE] = str(place.path)
    # Of a setting that is wrong Dagster would show a stack trace, and serve a page without assets.
    import_module("rocm_pipeline.definitions")
    say(f"Dagster UI on http://127.0.0.1:{port} (Ctrl-C ends it)")
    dagster = str(Path(sys.executable).with_name("dagster"))
    arguments = ["dev", "-m", "rocm_pipeline.definitions", "-h", "127.0.0.1", "-p", str(port)]
    # A script's background command starts with it ignored, and Dagster then ignores SIGTERM too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(dagster, [dagster, *arguments])


@app.command()
def plan(
    target: Annotated[str, typer.Argument(help="Target to plan for.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """Show the plan for a target without running it."""
    from rocm_pipeline.resources.sources import HomeSources

    sources = HomeSources(home_of(home))
    made = sources.plan_without_claude(sources.target(target))
    if has_key():
        err.print("note: a run asks Claude for its plan; this is the one by rules")
    if as_json:
        print_json(made.model_dump_json(indent=2))
        return
    table = Table("task", "agent", "type", "priority", "after", "hours", "expects")
    for task in made.tasks:
        table.add_row(
            task.id,
            task.agent_id,
            task.task_type.value,
            task.priority.value,
            ", ".join(task.depends_on),
            f"{task.estimated_hours:g}",
            task.expected_output,
        )
    say(f"{made.id} for {made.target} at {made.commit[:12]}, by {made.planner}")
    out.print(table)


@app.command()
def lineage(
    what: Annotated[str, typer.Argument(help="An id (k-, ev-, plan-, a-), a commit, or a file.")],
    home: HomeOption = None,
) -> None:
    """Print the chain from a kernel, record or file back to the commit."""
    from rocm_pipeline.records.lineage import lineage as trace
    from rocm_pipeline.records.lineage import render
    from rocm_pipeline.records.records import Records

    place = home_of(home)
    if not place.path.exists():
        raise UserError(
            "nothing was recorded there yet", where=str(place.path), fix="Run `make run` first."
        )
    records = Records.open(place.records_url, str(place.store))
    try:
        say(render(trace(records, what)))
    finally:
        records.close()


@app.command()
def doctor(home: HomeOption = None) -> None:
    """Say what was found on this machine, what that enables and how to add what is missing."""
    from rocm_pipeline.doctor import examine

    checks = examine(home_of(home))
    table = Table("", "what", "found", "enables", "to add it")
    for check in checks:
        mark = "yes" if check.found else ("NO" if check.needed else "no")
        table.add_row(
            mark, check.name, check.detail, check.enables, "" if check.found else check.add
        )
    out.print(table)
    missing = [check.name for check in checks if check.needed and not check.found]
    if missing:
        say(f"The pipeline cannot run: mend {', '.join(missing)}.")
        raise typer.Exit(EXIT_BAD_INPUT)
    say("The pipeline can run: `make run`.")


@app.command()
def version() -> None:
    """Print the version."""
    say(__version__)


def _require_no_empty_argument() -> None:
    # a path that is empty (`verify "$FOLDER"`) would be the current folder
    if "" in sys.argv[1:]:
        raise UserError(
            "an argument is empty", where="rocm-pipeline", fix="Give it a value, or leave it out."
        )


def _usage(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "rocm-pipeline"
    return one_line(f"{command}: {error.format_message()} See `{command} --help`.")


def _refuse(line: str) -> NoReturn:
    err.print(f"error: {line}", style="red", soft_wrap=True)
    sys.exit(EXIT_BAD_INPUT)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # as the server does: connections that a stopped one left behind do not hold the port
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"port {port} is taken", where="ui", fix="Give another with `--port`."
            ) from error
