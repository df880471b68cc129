"""The Dagster instance of a home: its settings, its storages, its pools and its partitions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

import rocm_pipeline
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.records.files import Files
from rocm_pipeline.resources.locks import locked
from rocm_pipeline.targets import library

SETTINGS_FILE = "dagster.yaml"
GPU_POOL = "gpu"
TARGET_PARTITIONS = "target"

_STATE = ".rocm_pipeline/"
"""How the settings file spells the home; replaced by where the home is."""
_LOCK = "prepare.lock"


def prepare_instance(home: Home) -> dg.DagsterInstance:
    """Return the instance of `home`, made ready once and used by every process of it.

    Sets the environment that Dagster's own processes take their home from. May be called by
    several processes at once and any number of times.
    """
    home.create()
    home.enter_environment()
    home.dagster.mkdir(exist_ok=True)
    _require_databases(home)
    # Two processes that open a fresh SQLite home at once leave it broken for ever.
    with locked(home.dagster / _LOCK):
        _write_settings(home)
        instance = dg.DagsterInstance.get()
        _open_storages(instance)
        _limit_pools(instance)
        add_targets(instance, library.names(home.targets))
    return instance


def add_targets(instance: dg.DagsterInstance, names: Sequence[str]) -> None:
    """Add a partition for each target that has none yet."""
    known = set(instance.get_dynamic_partitions(TARGET_PARTITIONS))
    missing = [name for name in names if name not in known]
    if missing:
        instance.add_dynamic_partitions(TARGET_PARTITIONS, missing)


def settings(home: Home) -> dict[str, Any]:
    """Return the project's Dagster settings with the paths of `home`."""
    found = _with_paths(yaml.safe_load(_settings_file().read_text(encoding="utf-8")), home.path)
    assert isinstance(found, dict)
    return found


def _settings_file() -> Path:
    """The file lies at the root of a checkout; an installed package carries a copy of it."""
    package = Path(rocm_pipeline.__file__).parent
    for folder in (package, package.parent):
        if (folder / SETTINGS_FILE).is_file():
            return folder / SETTINGS_FILE
    raise UserError(
        f"{SETTINGS_FILE} is missing", where=str(package.parent), fix="Install the package again."
    )


def _with_paths(value: Any, home: Path) -> Any:
    if isinstance(value, dict):
        return {key: _with_paths(inner, home) for key, inner in value.items()}
    if isinstance(value, str) and value.startswith(_STATE):
        return str(home / value.removeprefix(_STATE))
    return value


def _require_databases(home: Home) -> None:
    for damaged in home.damaged_databases():
        raise UserError(
            "this is no SQLite database any more",
            where=str(damaged),
            fix="Move the damaged file away, or restore it from a copy.",
        )


def _write_settings(home: Home) -> None:
    text = f"# Made from the project's {SETTINGS_FILE}.\n" + yaml.safe_dump(
        settings(home), sort_keys=False
    )
    place = home.dagster / SETTINGS_FILE
    if not place.is_file() or place.read_text(encoding="utf-8") != text:
        Files(str(home.dagster)).write(SETTINGS_FILE, text.encode())


def _open_storages(instance: dg.DagsterInstance) -> None:
    """Touch each storage, which makes its tables."""
    instance.get_runs(limit=1)
    instance.get_dynamic_partitions(TARGET_PARTITIONS)
    instance.all_instigator_state()


def _limit_pools(instance: dg.DagsterInstance) -> None:
    # Dagster keeps the limits of pools in its storage, and has no public call for them.
    storage = instance.event_log_storage
    if GPU_POOL not in storage.get_concurrency_keys():
        storage.set_concurrency_slots(GPU_POOL, 1)
