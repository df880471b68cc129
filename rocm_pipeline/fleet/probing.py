"""A real one-token chat with each model of each host: what a list of models cannot tell."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rocm_pipeline.fleet import transport
from rocm_pipeline.fleet.catalogue import means
from rocm_pipeline.fleet.hosts import Host, Preferences
from rocm_pipeline.fleet.inventory import is_allowed
from rocm_pipeline.fleet.roster import HostStatus, ModelStatus
from rocm_pipeline.fleet.transport import Call, Deadlines
from rocm_pipeline.records.outcome import Outcome

_ALIVE = (Outcome.OK, Outcome.TRUNCATED)
"""One token was asked for, so an answer that was cut after it is a whole one."""


@dataclass(frozen=True)
class Probe:
    """What came of one chat; `model` is empty where there was none to ask."""

    host: str
    url: str
    outcome: Outcome
    error: str = ""
    model: str = ""
    digest: str = ""
    seconds: float = 0.0
    load_seconds: float = 0.0
    """Of these, loading the model."""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


@dataclass(frozen=True)
class Chosen:
    """Which models of the hosts are asked."""

    loaded_only: bool = False
    models: tuple[str, ...] = ()
    """Names, or models of which every tag is meant; empty: all."""

    def takes(self, model: ModelStatus) -> bool:
        named = not self.models or any(means(entry, model.name) for entry in self.models)
        return named and (model.resident or not self.loaded_only)


def probe_all(
    hosts: Sequence[tuple[Host, HostStatus]],
    preferences: Preferences,
    deadlines: Deadlines,
    on_result: Callable[[Probe], None],
    chosen: Chosen,
) -> list[Probe]:
    """Chat with the models of all hosts: hosts at once, the models of one in turn.

    A model that is not loaded is loaded for it, with the window that it is always given.
    `on_result` is called from several threads.
    """

    def told(pair: tuple[Host, HostStatus]) -> list[Probe]:
        found: list[Probe] = []
        for probe in _of_host(*pair, preferences, deadlines, chosen):
            on_result(probe)
            found.append(probe)
        return found

    with ThreadPoolExecutor(max(1, min(len(hosts), 32))) as pool:
        return [probe for found in pool.map(told, hosts) for probe in found]


def _of_host(
    host: Host, status: HostStatus, preferences: Preferences, deadlines: Deadlines, chosen: Chosen
) -> Iterator[Probe]:
    if not status.reachable:
        yield Probe(host.name, host.url, Outcome.UNREACHABLE, status.error)
        return
    allowed = [model for model in status.models if is_allowed(host, model.name, model.family)]
    asked = [model for model in allowed if chosen.takes(model)]
    if not asked:
        why = "it has no model to ask" if not allowed else "none of its models was chosen"
        yield Probe(host.name, host.url, Outcome.MODEL_MISSING, why)
    for model in asked:
        yield _chat(host, model, preferences.context_of(model.name), deadlines)


def _chat(host: Host, model: ModelStatus, num_ctx: int, deadlines: Deadlines) -> Probe:
    call = Call(
        model=model.name,
        system="You answer with one word.",
        prompt="Say: yes",
        options={"num_ctx": num_ctx, "num_predict": 1, "seed": 0, "temperature": 0.0},
        is_loaded=model.resident,
    )
    answer = transport.chat(host.url, call, deadlines)
    alive = answer.outcome in _ALIVE
    return Probe(
        host.name,
        host.url,
        Outcome.OK if alive else answer.outcome,
        "" if alive else answer.error,
        model.name,
        model.digest,
        answer.seconds,
        answer.load_ns / 1e9,
    )
