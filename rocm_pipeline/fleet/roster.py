"""The fleet as a person looks at it: every host with its models, and what happens there now."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import repeat

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.fleet import servers, transport
from rocm_pipeline.fleet.activity import Activity, FleetActivity
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.servers import Loaded
from rocm_pipeline.fleet.transport import Deadlines, Installed


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelStatus(_Frozen):
    """A model that a host has."""

    name: str
    digest: str
    bytes: int
    family: str = ""
    resident: bool = False
    bytes_vram: int = 0
    """In the card's memory; less than `bytes_loaded` means that a part runs on the CPU."""
    bytes_loaded: int = 0
    context: int = 0

    @property
    def on_cpu(self) -> bool:
        """Whether a part of it runs on the CPU."""
        return self.resident and self.bytes_vram < self.bytes_loaded


class HostStatus(_Frozen):
    """One host as of now."""

    name: str
    url: str
    reachable: bool
    error: str = ""
    """Why nothing is to be had from it; or, of one that is reachable, what it does not tell."""
    answered_seconds: float = 0.0
    slots: int
    tags: dict[str, str] = {}
    roles: tuple[str, ...] = ()
    hours: str = ""
    benchmarks: bool = False
    models: tuple[ModelStatus, ...] = ()
    activity: Activity = Activity()


def look(hosts: Sequence[Host], activity: FleetActivity, deadlines: Deadlines) -> list[HostStatus]:
    """Ask all hosts at once what they have; a dead one costs its connect deadline."""
    if not hosts:
        return []
    seen = [activity.of(host.url) for host in hosts]
    with ThreadPoolExecutor(min(len(hosts), 32)) as pool:
        return list(pool.map(_status, hosts, seen, repeat(deadlines)))


def _status(host: Host, activity: Activity, deadlines: Deadlines) -> HostStatus:
    started = time.monotonic()
    installed: list[Installed] = []
    loaded: list[Loaded] = []
    reachable, error = True, host.closed_at(datetime.now())
    try:
        installed = transport.installed(host.url, deadlines)
    except ConnectionError as failure:
        reachable, error = False, str(failure)
    answered = time.monotonic() - started
    if reachable:
        try:
            loaded = servers.loaded(host.url, deadlines)
        except ConnectionError as failure:
            error = error or f"it does not say what is loaded: {failure}"
    return HostStatus(
        name=host.name,
        url=host.url,
        reachable=reachable,
        error=error,
        answered_seconds=answered,
        slots=host.slots,
        tags=host.tags,
        roles=host.roles,
        hours=host.hours_words,
        benchmarks=host.benchmarks,
        models=_models(installed, loaded),
        activity=activity,
    )


def _models(installed: Sequence[Installed], loaded: Sequence[Loaded]) -> tuple[ModelStatus, ...]:
    resident = {model.name: model for model in loaded}
    return tuple(_model(model, resident.get(model.name)) for model in installed)


def _model(model: Installed, loaded: Loaded | None) -> ModelStatus:
    found = ModelStatus(
        name=model.name, digest=model.digest, bytes=model.bytes, family=model.family
    )
    if loaded is None:
        return found
    return found.model_copy(
        update={
            "resident": True,
            "bytes_vram": loaded.bytes_vram,
            "bytes_loaded": loaded.bytes,
            "context": loaded.context,
        }
    )
