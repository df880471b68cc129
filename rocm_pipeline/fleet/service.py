"""The fleet: give it a request, get an answer from whichever host and model is best placed."""

import logging
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from functools import partial

from rocm_pipeline.fleet import servers
from rocm_pipeline.fleet.answers import failure_of, fresh_reply, replayed_reply
from rocm_pipeline.fleet.assigning import Wish
from rocm_pipeline.fleet.attempts import Attempts
from rocm_pipeline.fleet.chat import (
    ChatFailedError,
    ChatReply,
    ChatRequest,
    Failure,
    NoHostError,
    NoModelError,
    PoisonJobError,
)
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import AllClosedError, Dispatcher, Lease, Pace, Seen
from rocm_pipeline.fleet.estimates import ASSUMED
from rocm_pipeline.fleet.health import probe
from rocm_pipeline.fleet.hosts import FleetConfig, Host, Preferences, default_preferences
from rocm_pipeline.fleet.inventory import HostReport, Inventory, Place
from rocm_pipeline.fleet.lengths import Lengths
from rocm_pipeline.fleet.policy import EarliestEnd, Policy
from rocm_pipeline.fleet.race import Copy, Ended, Race
from rocm_pipeline.fleet.reactions import left_after, reaction
from rocm_pipeline.fleet.state import Speed
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.records.journal import Journal, Replay
from rocm_pipeline.records.leases import Leases
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.store import StoreCorruptError

MAX_ATTEMPTS = 4
"""Calls for one request that cost a host work, over all hosts and models."""
MAX_CALLS = 12
"""Calls for one request, those included that no host began."""
WAIT_SECONDS = 24 * 3600.0
"""A request that waited so long for a slot has no owner any more."""
CHARACTERS_PER_TOKEN = 3.5

_log = logging.getLogger(__name__)


class Fleet:
    """Hosts, their models and the records that remember every call; safe for threads.

    All processes that use the same records share the hosts' slots.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        journal: Journal,
        leases: Leases,
        *,
        preferences: Preferences | None = None,
        deadlines: Deadlines | None = None,
        policy: Policy | None = None,
        back_off: BackOff | None = None,
        pace: Pace | None = None,
        assumed: Speed = ASSUMED,
    ) -> None:
        self._journal = journal
        self._leases = leases
        self._preferences = preferences or default_preferences()
        self._deadlines = deadlines or Deadlines()
        self._inventory = Inventory(hosts, self._preferences, self._deadlines)
        self._lengths = Lengths(journal)
        pace = pace or Pace()
        self._dispatcher = Dispatcher(
            leases, policy or EarliestEnd(), self._probe, back_off or BackOff(), pace, assumed
        )
        self._attempts = Attempts(
            journal, self._dispatcher, self._preferences, self._deadlines, pace.stopped
        )

    def survey(self, *, require: bool = False) -> list[HostReport]:
        """Ask every host for its models; with `require`, UserError unless one has any."""
        reports = self._inventory.reports()
        for report in reports:
            if report.error:
                _log.warning("%s", _complaint(report))
        if require and not any(report.models for report in reports):
            raise _nothing_there(reports)
        return reports

    def models_for(self, role: str) -> tuple[str, ...]:
        """Return the models that may answer for a role, best first."""
        places = self._inventory.places(role)
        return tuple(dict.fromkeys(place.model for place in places))

    def room_for(self, role: str) -> int:
        """Return how many requests of a role can be answered at once, by all hosts together."""
        hosts = {place.host.url: place.host.slots for place in self._inventory.places(role)}
        return sum(hosts.values())

    def context_for(self, role: str) -> int:
        """Return the smallest window, in tokens, of the models that may answer for a role."""
        windows = map(self._preferences.context_of, self.models_for(role))
        return min(windows, default=self._preferences.num_ctx)

    def chat(self, request: ChatRequest, exclude_models: Collection[str] = ()) -> ChatReply:
        """Answer a request, from the journal when an equal one was answered before.

        `exclude_models` holds names or digests. Raises ChatFailedError when every attempt failed,
        PoisonJobError when the request is what makes hosts fail, NoModelError when no model is
        left to ask, NoHostError when no host answers at all.
        """
        queued = time.time()
        places = self._places(request.role, exclude_models)
        places.sort(key=lambda place: place.model != request.prefer_model)
        stored = self._stored(request, places)
        if stored is not None:
            return replayed_reply(stored)
        self._refuse_parked(request, ())
        failures: list[Failure] = []
        while places and _may_go_on(failures):
            for copy in self._ask(request, places, queued, failures):
                answer, place = copy.answer, copy.place
                if answer.outcome is Outcome.OK:
                    self._lengths.observe(request, answer.tokens_out)
                    return fresh_reply(copy.attempt_id, place, answer)
                failures.append(failure_of(copy.attempt_id, place, answer))
                _log.warning("%s", failures[-1].words)
                if answer.outcome in (Outcome.MODEL_MISSING, Outcome.WRONG_MODEL):
                    self._inventory.forget(place.host)
                places = left_after(place, answer.outcome, places)
            self._refuse_parked(request, failures)
        raise ChatFailedError(failures)

    @contextmanager
    def reserved(self, host: Host, give_up_seconds: float) -> Generator[None, None, None]:
        """Keep a host's card free for a measurement: no requests, no models in its memory.

        Waits until the answers under way have ended, for all processes; new ones go elsewhere or
        wait. The slots come back when the block ends, or after `give_up_seconds`. Raises
        ConnectionError when the host does not unload its models.
        """
        with self._dispatcher.reserved(host.url, give_up_seconds):
            for model in servers.loaded(host.url, self._deadlines):
                servers.unload(host.url, model.name, self._deadlines)
            yield

    def _ask(
        self,
        request: ChatRequest,
        places: Sequence[Place],
        queued: float,
        failures: Sequence[Failure],
    ) -> list[Ended]:
        """Wait for a slot and ask there, at the tail on a second host, too."""
        by_pair = {_pair(place): place for place in places}
        self._dispatcher.announce(
            [
                Seen(
                    report.host.url,
                    report.host.name,
                    report.host.slots,
                    tuple(f"{model.name}@{model.digest}" for model in report.models),
                    report.host.max_loaded,
                )
                for report in self._inventory.reports()
                if report.models
            ]
        )
        wish = Wish(
            job=request.job,
            places=tuple(by_pair),
            tokens_in=(len(request.system) + len(request.prompt)) / CHARACTERS_PER_TOKEN,
            tokens_out=self._lengths.expected(request),
            priority=request.priority,
        )
        try:
            lease = self._dispatcher.acquire(
                wish, since=queued, give_up_seconds=WAIT_SECONDS + 2 * self._deadlines.total
            )
        except AllClosedError as error:
            if failures:
                raise ChatFailedError(failures) from error
            raise _all_closed(places, error) from error

        def place_of(lease: Lease) -> Place:
            return by_pair[lease.host, lease.model]

        attempt = partial(self._attempts.make, request, tuple(failures), queued)
        return Race(Copy(lease, place_of(lease)), attempt, place_of).run(self._dispatcher)

    def _probe(self, url: str, model: str) -> str:
        names = [m.name for r in self._inventory.reports() if r.host.url == url for m in r.models]
        wanted = model.rpartition("@")[0]
        return probe(url, frozenset([wanted] if wanted in names else names), self._deadlines)

    def _refuse_parked(self, request: ChatRequest, failures: Sequence[Failure]) -> None:
        parked = self._leases.parked(request.job)
        if parked is not None:
            hosts = ", ".join(parked.hosts)
            raise PoisonJobError(failures, f"it failed on {hosts}, at last with {parked.reason}")

    def _places(self, role: str, exclude_models: Collection[str]) -> list[Place]:
        places = self._inventory.places(role, exclude_models)
        if places:
            return places
        reports = self._inventory.reports()
        if not any(report.models for report in reports):
            raise _nothing_there(reports)
        wanted = ", ".join(self._preferences.of(role)[:3])
        barred = f" other than {', '.join(sorted(exclude_models))}" if exclude_models else ""
        raise NoModelError(
            f"no host has a model for the role '{role}'{barred}",
            where="fleet",
            fix=f"Pull one there ({wanted}, ...), or name one of its models in fleet.yaml.",
        )

    def _stored(self, request: ChatRequest, places: Sequence[Place]) -> Replay | None:
        # Equal models give equal intents, whatever the host: one look-up for each is enough.
        for place in {place.identity: place for place in places}.values():
            try:
                replay = self._journal.replay(self._attempts.intent(request, place, 1, 0.0))
            except StoreCorruptError as error:
                # The fleet's answers cost nothing: asking again mends the store.
                _log.warning("a stored answer is damaged and is asked for again: %s", error)
                continue
            if replay is not None:
                return replay
        return None


def _may_go_on(failures: Sequence[Failure]) -> bool:
    """Say whether another attempt is worth it: those that cost a host nothing are cheap."""
    paid = [f for f in failures if reaction(f.outcome, f.error).costs_an_attempt]
    return len(paid) < MAX_ATTEMPTS and len(failures) < MAX_CALLS


def _pair(place: Place) -> tuple[str, str]:
    return place.host.url, f"{place.model}@{place.digest}"


def _all_closed(places: Sequence[Place], error: AllClosedError) -> NoHostError:
    names = {place.host.url: place.host.name for place in places}
    met = "; ".join(
        f"host '{names.get(url, url)}' at {url}: {reason}" for url, reason in error.reasons.items()
    )
    return NoHostError(
        f"no Ollama server can be used now: {met}",
        where="fleet",
        fix="Wait until it is well again, start it (ollama serve), or correct fleet.yaml.",
    )


def _complaint(report: HostReport) -> str:
    if report.error:
        return f"host '{report.host.name}' at {report.host.url}: {report.error}"
    return f"host '{report.host.name}' at {report.host.url} has no models"


def require_models(config: FleetConfig) -> None:
    """Raise UserError unless a host of the configured fleet answers and has a model."""
    reports = Inventory(config.hosts, config.preferences, Deadlines()).reports()
    if not any(report.models for report in reports):
        raise _nothing_there(reports)


def _nothing_there(reports: Sequence[HostReport]) -> NoHostError:
    return NoHostError(
        "no Ollama server can be used: " + "; ".join(_complaint(report) for report in reports),
        where="fleet",
        fix="Start it (ollama serve) and pull a model, or correct fleet.yaml or OLLAMA_HOST.",
    )
