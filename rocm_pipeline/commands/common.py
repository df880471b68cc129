"""What the commands share: the home they work in, secrets."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from rocm_pipeline.errors import UserError
from rocm_pipeline.home import HOME_VARIABLE, Home
from rocm_pipeline.redaction import process as redaction
from rocm_pipeline.targets import library

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder for all state.", envvar=HOME_VARIABLE, show_default=False),
]


def require_current_folder() -> None:
    """Refuse a current folder that was deleted: relative paths and new processes need one."""
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(
            f"it cannot be used ({error.strerror})",
            where="current folder",
            fix="It may have been deleted: change to one that is there.",
        ) from error


def home_of(option: Path | None) -> Home:
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


def withhold_secrets(*handed_on: str) -> None:
    try:
        redaction.withhold(handed_on)
    except redaction.TooManySecretsError as error:
        raise UserError(
            str(error), where="environment", fix="Start without the variables that are not needed."
        ) from error


@contextmanager
def compiled_files() -> Generator[Path]:
    """Where compiled objects are kept: in the home if there is one, else nowhere afterwards."""
    home = Home.from_environment()
    if home.path.is_dir():
        yield home.cache
        return
    with tempfile.TemporaryDirectory(prefix="rocm-pipeline-compiled-") as folder:
        yield Path(folder)
