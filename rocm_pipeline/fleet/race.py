"""One request, asked once and, at the tail, once more elsewhere; the first whole answer counts."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rocm_pipeline.fleet.dispatch import Dispatcher
from rocm_pipeline.fleet.inventory import Place
from rocm_pipeline.fleet.stopping import Stop
from rocm_pipeline.fleet.transport import Answer
from rocm_pipeline.fleet.waiting import Lease
from rocm_pipeline.records.outcome import Outcome


@dataclass(eq=False)
class Copy:
    """One call of the request; what is known of it fills as it goes on."""

    lease: Lease
    place: Place
    copy_of: "Copy | None" = None
    stop: Stop = field(default_factory=Stop)
    attempt_id: str = ""
    began: threading.Event = field(default_factory=threading.Event)
    """It has its attempt id, or will have none."""
    answer: Answer | None = None
    error: BaseException | None = None

    @property
    def is_whole(self) -> bool:
        return self.answer is not None and self.answer.outcome is Outcome.OK


@dataclass(frozen=True)
class Ended:
    """A copy that ended by itself."""

    attempt_id: str
    place: Place
    answer: Answer


Attempt = Callable[[Copy], Answer]
"""Makes the call of a copy and gives its slot back; `attempt_id` and `began` are set before."""


class Race:
    """The copies of one request."""

    def __init__(self, first: Copy, attempt: Attempt, place_of: Callable[[Lease], Place]) -> None:
        self._attempt = attempt
        self._place_of = place_of
        self._lock = threading.Lock()
        self._copies = [first]
        self._threads: list[threading.Thread] = []
        self._winner: Copy | None = None

    def run(self, dispatcher: Dispatcher) -> list[Ended]:
        """Return the copies that ended by themselves, a whole answer first."""
        first = self._copies[0]
        try:
            with dispatcher.hedging(first.lease, self._join):
                self._make(first)
        finally:
            if first.error is not None:
                self._end_others(first)
            for thread in self._threads:
                thread.join()
        if first.error is not None:
            raise first.error
        in_order = sorted(self._copies, key=lambda copy: copy is not self._winner)
        return [
            Ended(copy.attempt_id, copy.place, copy.answer)
            for copy in in_order
            if copy.answer is not None and copy.answer.outcome is not Outcome.CANCELLED
        ]

    def _join(self, lease: Lease) -> None:
        """Start a second copy. Called while the first one runs."""
        copy = Copy(lease, self._place_of(lease), copy_of=self._copies[0])
        with self._lock:
            if self._winner is not None:
                copy.stop.set()
            self._copies.append(copy)
        thread = threading.Thread(target=self._make, args=(copy,), daemon=True, name="fleet-hedge")
        self._threads.append(thread)
        thread.start()

    def _make(self, copy: Copy) -> None:
        try:
            copy.answer = self._attempt(copy)
        except BaseException as error:
            copy.error = error
            return
        finally:
            copy.began.set()
        with self._lock:
            if copy.is_whole and self._winner is None:
                self._winner = copy
        if self._winner is copy:
            self._end_others(copy)

    def _end_others(self, copy: Copy) -> None:
        with self._lock:
            for other in self._copies:
                if other is not copy:
                    other.stop.set()
