"""Which models the hosts of a fleet really have, and so who can answer for a role."""

import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from rocm_pipeline.fleet import transport
from rocm_pipeline.fleet.catalogue import means
from rocm_pipeline.fleet.hosts import Host, Preferences
from rocm_pipeline.fleet.transport import Deadlines, Installed

FRESH_SECONDS = 60.0
"""How long a host's list of models is believed."""
DOWN_SECONDS = 15.0
"""How long a host that did not answer is left alone."""
_EMBEDDING_FAMILIES = ("bert", "nomic-bert", "xlm-roberta")


@dataclass(frozen=True)
class Place:
    """A model on a host; the smaller the rank, the better the model for the role."""

    host: Host
    model: str
    digest: str
    rank: tuple[int, int, str, str]

    @property
    def identity(self) -> tuple[str, str]:
        return self.model, self.digest


@dataclass(frozen=True)
class HostReport:
    """What a host said; `error` is empty when it answered."""

    host: Host
    models: tuple[Installed, ...]
    error: str
    at: float

    @property
    def is_stale(self) -> bool:
        return time.monotonic() - self.at > (DOWN_SECONDS if self.error else FRESH_SECONDS)


class Inventory:
    """The hosts' own lists, asked for when needed; safe for threads."""

    def __init__(
        self, hosts: Sequence[Host], preferences: Preferences, deadlines: Deadlines
    ) -> None:
        self._hosts = tuple(hosts)
        self._preferences = preferences
        self._deadlines = deadlines
        self._reports: dict[str, HostReport] = {}
        self._lock = threading.Lock()

    def reports(self) -> list[HostReport]:
        """Return what each host has, asking those again whose last word is old."""
        with self._lock:
            stale = [h for h in self._hosts if self._is_stale(h)]
            if stale:
                with ThreadPoolExecutor(min(len(stale), 16)) as pool:
                    for report in pool.map(self._ask, stale):
                        self._reports[report.host.name] = report
            return [self._reports[host.name] for host in self._hosts]

    def mark_down(self, host: Host, error: str) -> None:
        """Leave a host alone for a while that failed to answer a call."""
        with self._lock:
            self._reports[host.name] = HostReport(host, (), error, time.monotonic())

    def forget(self, host: Host) -> None:
        """Ask a host again at the next chance: its list proved wrong."""
        with self._lock:
            self._reports.pop(host.name, None)

    def places(self, role: str, exclude_models: Collection[str] = ()) -> list[Place]:
        """Return who can answer for a role, best first, without the models named or digested."""
        found = [
            place
            for report in self.reports()
            if not report.host.roles or role in report.host.roles
            for place in self._places_on(report, role)
            if place.model not in exclude_models and place.digest not in exclude_models
        ]
        return sorted(found, key=lambda place: (place.rank, place.host.name))

    def _is_stale(self, host: Host) -> bool:
        report = self._reports.get(host.name)
        return report is None or report.is_stale

    def _ask(self, host: Host) -> HostReport:
        if closed := host.closed_at(datetime.now()):
            return HostReport(host, (), closed, time.monotonic())
        try:
            models, error = tuple(transport.installed(host.url, self._deadlines)), ""
        except ConnectionError as failure:
            models, error = (), str(failure)
        return HostReport(host, models, error, time.monotonic())

    def _places_on(self, report: HostReport, role: str) -> list[Place]:
        # A host's own list is the user's word: it decides alone, in the user's order, behind
        # what the role prefers. Without one, the role's list decides; failing that, anything.
        wanted = (*self._preferences.of(role), *report.host.models)
        usable = [m for m in report.models if is_allowed(report.host, m.name, m.family)]
        preferred = [m for m in usable if _index(m.name, wanted) < len(wanted)]
        return [
            Place(
                report.host,
                model.name,
                model.digest,
                (_index(model.name, wanted), -model.bytes, model.name, model.digest),
            )
            for model in preferred or usable
        ]


def is_allowed(host: Host, name: str, family: str) -> bool:
    """Say whether a host may be asked to chat with a model that it has."""
    if host.models:
        return _index(name, host.models) < len(host.models)
    return family not in _EMBEDDING_FAMILIES and "embed" not in name


def _index(name: str, wanted: Sequence[str]) -> int:
    """Return the position of the first entry that means `name`, or the length for none."""
    for index, entry in enumerate(wanted):
        if means(entry, name):
            return index
    return len(wanted)
