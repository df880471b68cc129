"""`rocm-pipeline evidence`: carry a kernel's evidence away, and check what was carried here."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rocm_pipeline.commands.common import HomeOption, home_of
from rocm_pipeline.errors import EXIT_NOT_ACCEPTED
from rocm_pipeline.terminal import out, print_json, say

evidence_app = typer.Typer(
    no_args_is_help=True, help="Carry a kernel's evidence away; check what was carried here."
)


@evidence_app.command("export")
def export_evidence(
    what: Annotated[str, typer.Argument(help="Id of a kernel, its beginning, or a target.")],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="Folder to make; else evidence-<target>-<kernel> here.", show_default=False
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write a folder from which anybody can judge a kernel again."""
    from rocm_pipeline.resources.bundles import HomeBundles

    folder = HomeBundles(home_of(home)).export(what, to)
    say(f"Wrote {folder}")
    say(f"Check it: rocm-pipeline evidence verify {shlex.quote(str(folder))}")


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

    found = verify_clean(folder, targets=home_of(home).targets)
    if as_json:
        print_json(found.model_dump_json(indent=1))
    else:
        out.print(claims_table(found))
        say(found.words)
    if not found.holds:
        raise typer.Exit(EXIT_NOT_ACCEPTED)
