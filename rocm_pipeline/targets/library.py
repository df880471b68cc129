"""Targets on disk: a folder with `target.yaml`, the reference and the baseline beside it."""

import ast
import os
import re
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rocm_pipeline.errors import UserError
from rocm_pipeline.strict_yaml import StrictYamlError, read_mapping
from rocm_pipeline.targets.spec import NAME_PATTERN, Target
from rocm_pipeline.user_files import invalid, read_text

TARGET_FILE = "target.yaml"


def builtin_names() -> tuple[str, ...]:
    """Return the names of the targets that come with the package."""
    return tuple(sorted(p.name for p in _builtin_folder().iterdir() if (p / TARGET_FILE).is_file()))


def names(user_folder: Path) -> tuple[str, ...]:
    """Return every known target: the built-in ones, then those in `user_folder`."""
    own = user_folder.iterdir() if user_folder.is_dir() else ()
    found = {path.name for path in own if (path / TARGET_FILE).is_file()}
    return (*builtin_names(), *sorted(found - set(builtin_names())))


def load(name: str, user_folder: Path) -> Target:
    """Return the target `name`; a folder of the user's comes before a built-in of that name."""
    is_name = re.fullmatch(NAME_PATTERN, name) is not None
    for folder in (user_folder / name, _builtin_folder() / name):
        # a folder without the file is one that must be mended, not one that may be made
        if is_name and os.path.lexists(folder):
            return load_folder(folder)
    known = f"Known are {', '.join(names(user_folder))}"
    new = f"; make one with `rocm-pipeline targets new {name}`." if is_name else "."
    raise UserError(f"there is no target '{name}'", where="targets", fix=known + new)


def load_folder(folder: Path) -> Target:
    """Read one target folder; a `UserError` names the file, the field and the fix."""
    path = folder / TARGET_FILE
    data = _read_yaml(path)
    baseline = data.get("baseline")
    if isinstance(baseline, dict) and isinstance(baseline.get("source"), str):
        baseline["source"] = _read_beside(folder, baseline["source"], path, "baseline.source")
    if isinstance(data.get("reference"), str):
        data["reference"] = _read_program(folder, data["reference"], path, "reference")
    try:
        target = Target.model_validate(data)
    except ValidationError as error:
        raise invalid(error, path) from error
    if target.name != folder.name:
        raise UserError(
            f"name: is '{target.name}', but the folder is '{folder.name}'",
            where=str(path),
            fix="Give both the same name; it is the partition key.",
        )
    return target


def create(name: str, user_folder: Path) -> Path:
    """Make a new target folder from the template, ready to run and to be changed."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise UserError(
            f"'{name}' is no name for a target",
            where="targets new",
            fix="Use lower-case letters, digits and _, starting with a letter, at most 48.",
        )
    if name in builtin_names():
        raise UserError(
            f"'{name}' is a built-in target, whose place the new one would take",
            where="targets new",
            fix="Choose another name.",
        )
    folder = user_folder / name
    try:
        _write_template(name, folder)
    except OSError as error:
        raise UserError(
            f"the target cannot be written ({error.strerror or error})",
            where=str(folder),
            fix="Mend the permissions there, or free space.",
        ) from error
    return folder


def _write_template(name: str, folder: Path) -> None:
    if folder.exists():
        raise UserError("is there already", where=str(folder), fix="Choose another name.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    template = Path(str(files("rocm_pipeline.targets") / "template"))
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as temporary:
        draft = Path(temporary) / name
        draft.mkdir()
        for source in sorted(template.iterdir()):
            text = source.read_text(encoding="utf-8").replace("NAME", name)
            (draft / source.name).write_text(text, encoding="utf-8")
        draft.rename(folder)


def _builtin_folder() -> Path:
    return Path(str(files("rocm_pipeline.targets") / "builtin"))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        return read_mapping(read_text(path, fix="Put it there, or remove the folder."))
    except StrictYamlError as error:
        raise UserError(error.problem, where=str(path), fix=error.fix) from error


def _read_beside(folder: Path, name: str, path: Path, field: str) -> str:
    beside = folder / name
    if not name.isprintable() or beside.parent.resolve() != folder.resolve():
        raise UserError(
            f"{field}: '{name}' is not a file beside it", where=str(path), fix="Give a plain name."
        )
    return read_text(beside, fix=f"Put it there, or name another file as `{field}` in {path.name}.")


def _read_program(folder: Path, name: str, path: Path, field: str) -> str:
    """Read a file of Python beside the target; one that does not parse is told with its path."""
    text = _read_beside(folder, name, path, field)
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UserError(
            f"is no Python program ({error})", where=str(folder / name), fix="Mend that file."
        ) from error
    return text
