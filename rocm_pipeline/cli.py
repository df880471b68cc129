"""The `rocm-pipeline` command."""

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rocm_pipeline import __version__
from rocm_pipeline.errors import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_NOT_ACCEPTED, UserError
from rocm_pipeline.home import HOME_VARIABLE, Home
from rocm_pipeline.importing import WithoutCollector
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, api_key, take_key
from rocm_pipeline.redaction import process as redaction
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A software factory for AMD GPU kernels: Claude plans and judges, Ollama machines write, "
    "a harness that trusts nobody measures.",
)
targets_app = typer.Typer(no_args_is_help=True, help="List, show and make targets.")
app.add_typer(targets_app, name="targets")
evidence_app = typer.Typer(
    no_args_is_help=True, help="Carry a kernel's evidence away; check what was carried here."
)
app.add_typer(evidence_app, name="evidence")

# without a terminal (a log, a pipe) tables keep a readable width instead of 80 columns
out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder for all state.", envvar=HOME_VARIABLE, show_default=False),
]
TargetArguments = Annotated[
    list[str] | None, typer.Argument(help="Targets; all built-in ones when none is named.")
]


def main() -> None:
    """Run the command; a `UserError` becomes one line and status 2. No secret is printed."""
    redaction.install()
    with redaction.clean_terminal():
        try:
            app()
        except UserError as error:
            err.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            sys.exit(EXIT_BAD_INPUT)


@app.command()
def run(targets: TargetArguments = None, home: HomeOption = None) -> None:
    """Do the main job: plan, write, verify, integrate, document and review kernels."""
    from rocm_pipeline.automation.forking import start_server

    _withhold_secrets(KEY_VARIABLE)
    place = _home(home)
    names = tuple(dict.fromkeys(targets or library.builtin_names()))
    for name in names:
        library.load(name, place.targets)  # a mistake is told before anything is started
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

    _withhold_secrets(KEY_VARIABLE)
    place = _home(home)
    _require_free(port)
    prepare_instance(place).dispose()
    os.environ[HOME_VARIABLE] = str(place.path)
    out.print(f"Dagster UI on http://127.0.0.1:{port} (Ctrl-C ends it)")
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
    from rocm_pipeline.planning.rules import make_plan
    from rocm_pipeline.resources.sources import HomeSources

    sources = HomeSources(_home(home))
    found = sources.target(target)
    snapshot = sources.snapshot(found)
    made = make_plan(found, snapshot.commit, tuple(snapshot.files))
    if as_json:
        print(made.model_dump_json(indent=2))
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
    out.print(f"{made.id} for {made.target} at {made.commit[:12]}, by {made.planner}")
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

    place = _home(home)
    if not place.path.exists():
        raise UserError(
            "nothing was recorded there yet", where=str(place.path), fix="Run `make run` first."
        )
    records = Records.open(place.records_url, str(place.store))
    try:
        print(render(trace(records, what)))
    finally:
        records.close()


@app.command()
def doctor(home: HomeOption = None) -> None:
    """Say what was found on this machine, what that enables and how to add what is missing."""
    from rocm_pipeline.doctor import examine

    checks = examine(_home(home))
    table = Table("", "what", "found", "enables", "to add it")
    for check in checks:
        mark = "yes" if check.found else ("NO" if check.needed else "no")
        table.add_row(
            mark, check.name, check.detail, check.enables, "" if check.found else check.add
        )
    out.print(table)
    missing = [check.name for check in checks if check.needed and not check.found]
    if missing:
        out.print(f"The pipeline cannot run: mend {', '.join(missing)}.")
        raise typer.Exit(EXIT_BAD_INPUT)
    out.print("The pipeline can run: `make run`.")


@targets_app.command("list")
def list_targets(home: HomeOption = None) -> None:
    """List every target."""
    place = _home(home)
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

    target: Target = library.load(name, _home(home).targets)
    require_sound(target)
    print(json.dumps(target.model_dump(mode="json"), indent=2))


@targets_app.command("new")
def new_target(
    name: Annotated[str, typer.Argument(help="Name of the new target.")],
    home: HomeOption = None,
) -> None:
    """Make a target folder to start from; it works as it is."""
    from rocm_pipeline.lab.controls import require_sound

    place = _home(home)
    place.create()
    folder = library.create(name, place.targets)
    require_sound(library.load_folder(folder))
    out.print(f"Made {folder}", soft_wrap=True)
    out.print(f"Change its files, then: rocm-pipeline run {name}")
    out.print("The embedded agent has no schedule for its family: a kernel needs an Ollama host.")


@evidence_app.command("export")
def export_evidence(
    what: Annotated[str, typer.Argument(help="Id of a kernel, its beginning, or a target.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder to make.", show_default=False)
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write a folder from which anybody can judge a kernel again."""
    from rocm_pipeline.resources.bundles import HomeBundles

    folder = HomeBundles(_home(home)).export(what, to)
    out.print(f"Wrote {folder}", soft_wrap=True, markup=False, highlight=False)
    out.print(f"Check it: rocm-pipeline evidence verify {folder}", soft_wrap=True, markup=False)


@evidence_app.command("verify")
def verify_evidence(
    folder: Annotated[Path, typer.Argument(help="A folder that `evidence export` wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """Judge a bundle again on this machine, and say of each claim what came of it.

    Exit status 0: all that can be checked here was reproduced; 1: some claim was not; 2: the
    folder is no intact bundle, or this machine cannot contain untrusted code.
    """
    from rocm_pipeline.bundle.clean import verify_clean
    from rocm_pipeline.bundle.wording import claims_table

    found = verify_clean(folder, targets=_home(home).targets)
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        out.print(claims_table(found))
        out.print(found.words, soft_wrap=True, markup=False, highlight=False)
    if not found.holds:
        raise typer.Exit(EXIT_NOT_ACCEPTED)


@app.command()
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

    place = _home(home)
    if paired is not None:
        require_key()
    _withhold_secrets(KEY_VARIABLE)
    take_key()
    key = api_key()
    if paired is not None and key is not None:
        for trial in run_paired(place, library.builtin_names(), paired, with_key(key)):
            verdict = "accepted" if trial.accepted else "not accepted"
            out.print(f"{trial.arm.value}: {trial.target}, run {trial.repeat}: {verdict}")
    if key is not None and place.path.exists():
        with counting(place, key) as count:
            found = read_economy(place, count)
    else:
        found = read_economy(place)
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        out.print(economy_table(found))


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

    place = _home(home)
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
        out.print(
            f"tolerance.{dtype.value}.calibration: {measured.model_dump_json()}", soft_wrap=True
        )


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def _home(option: Path | None) -> Home:
    """Return the home, which need not be there yet but must be one that can be looked into."""
    # by os.path: pathlib's own error for a link to itself is no OSError
    home = Home(Path(os.path.realpath(option))) if option else Home.from_environment()
    try:
        os.stat(home.targets / library.TARGET_FILE)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UserError(
            f"the home cannot be used ({error.strerror or error})",
            where=str(home.path),
            fix=f"Mend its permissions, or set {HOME_VARIABLE} to another folder.",
        ) from error
    return home


def _withhold_secrets(*handed_on: str) -> None:
    try:
        redaction.withhold(handed_on)
    except redaction.TooManySecretsError as error:
        raise UserError(
            str(error), where="environment", fix="Start without the variables that are not needed."
        ) from error


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
