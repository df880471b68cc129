"""Files that a user wrote: no pipe, device or giant is read, and nothing in JSON is meant twice."""

import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from rocm_pipeline.errors import UserError

MOST_BYTES = 1 << 20

_Model = TypeVar("_Model", bound=BaseModel)


def read_text(path: Path, *, fix: str = "Put the file there.") -> str:
    """Return a plain file's text; UserError where it has none, with `fix` where none is there."""
    where = str(path)
    try:
        # a pipe that nobody writes to must not be waited for
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UserError("is no plain file", where=where, fix="Put a file there.")
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero character in the name
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"cannot be read ({what})", where=where, fix=fix) from error
    if len(content) > MOST_BYTES:
        raise UserError(f"is larger than {MOST_BYTES} bytes", where=where, fix="Make it smaller.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError("is no UTF-8 text", where=where, fix="Save it as UTF-8.") from error


def read_model(model: type[_Model], path: Path) -> _Model:
    """Return what a JSON file holds; UserError where it holds no such thing."""
    text = read_text(path)
    try:
        return model.model_validate(_json(text))
    except ValidationError as error:
        raise invalid(error, path) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"is no plain JSON: {error}", where=str(path), fix="Mend the file."
        ) from error


def invalid(error: ValidationError, path: Path) -> UserError:
    """Return what a user is told of a file that is read but holds no such thing."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = _IN_A_FILE.get(first["type"], first["msg"].removeprefix("Value error, "))
    fix = f"Mend `{field}` in that file." if field else "Mend it in that file."
    return UserError(f"{field}: {message}" if field else message, where=str(path), fix=fix)


_IN_A_FILE = {
    "tuple_type": "Input should be a list",
    "list_type": "Input should be a list",
    "dict_type": "Input should be a mapping of names to values",
    "model_type": "Input should be a mapping of names to values",
}
"""Words for what Python calls otherwise than whoever writes JSON or YAML, by pydantic's type."""


def _json(text: str) -> Any:
    """Return what `text` says; ValueError also for what Python alone lets pass."""
    return json.loads(text, object_pairs_hook=_each_once, parse_constant=_refuse)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"it has '{name}' twice in one place")
        found[name] = value
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it has {constant}, which is no number")
