"""Finding Ollama servers among the machines that a person names, and writing them down."""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.hosts import FleetConfig, Host, read_config, url_to_call

_NETWORK = re.compile(r"[0-9.]+/\d+|[0-9a-fA-F:]+/\d+")
_HEADER = """\
# Written by `rocm-pipeline fleet discover`. Every field is explained in docs/fleet.md.
# slots: set it to OLLAMA_NUM_PARALLEL of that machine.
"""


def hosts_named(words: Sequence[str]) -> tuple[Host, ...]:
    """Return a host for each name, address or URL; without a port 11434 is meant.

    Raises UserError for what is none of these.
    """
    hosts: list[Host] = []
    for word in dict.fromkeys(words):
        if _NETWORK.fullmatch(word):
            raise _refused(word, "it is a network, and only machines that are named are asked")
        try:
            url = url_to_call(word.strip())
            draft = Host(name="draft", url=url)
            host = draft.model_copy(update={"name": _name(draft.url, [h.name for h in hosts])})
        except ValidationError as error:
            raise _refused(word, error.errors()[0]["msg"].removeprefix("Value error, ")) from error
        if all(host.url != other.url for other in hosts):
            hosts.append(host)
    return tuple(hosts)


def write_fleet(path: Path, hosts: Sequence[Host], *, force: bool = False) -> None:
    """Write a fleet file whole or not at all; without `force` never over one that is there."""
    entries = [{"name": h.name, "url": h.url, "slots": h.slots} for h in hosts]
    text = _HEADER + yaml.safe_dump({"hosts": entries}, sort_keys=False)
    FleetConfig(hosts=tuple(hosts))
    try:
        _write(path, text, force=force)
    except FileExistsError as error:
        raise UserError(
            "is there already", where=str(path), fix="Give `--force` to write over it."
        ) from error
    except OSError as error:
        raise UserError(
            f"the fleet file cannot be written ({error.strerror or error})",
            where=str(path),
            fix="Give another place with `--to`.",
        ) from error
    read_config(path)


def _write(path: Path, text: str, *, force: bool) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        if force:
            os.replace(draft, path)
            return
        # unlike a rename, a link never takes the place of a file, whoever wrote it meanwhile
        os.link(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _name(url: str, taken: Sequence[str]) -> str:
    parts = urlsplit(url)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", parts.hostname or "").strip("-.") or "host"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def _refused(word: str, why: str) -> UserError:
    return UserError(
        f"'{word}' cannot be asked: {why}",
        where="fleet discover",
        fix="Give names, addresses or URLs, for example alpha 10.0.0.7:11434.",
    )
