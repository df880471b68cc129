"""A request of this process that waits for a slot, and how it learns what became of it."""

import threading
import time
from dataclasses import dataclass, field

from rocm_pipeline.fleet import circuits
from rocm_pipeline.fleet.assigning import Wish, all_closed, text_of
from rocm_pipeline.records import owner
from rocm_pipeline.records.fleet_tables import TicketRow
from rocm_pipeline.records.leases import Board


@dataclass(frozen=True)
class Lease:
    """One slot of `host` (URL), for one answer of `model` (`name@digest`)."""

    ticket_id: str
    host: str
    model: str
    is_loaded: bool
    """As far as we know: the host answered with it lately."""

    @classmethod
    def of(cls, ticket: TicketRow) -> "Lease":
        return cls(ticket.ticket_id, ticket.host or "", ticket.model or "", not ticket.must_load)


class AllClosedError(Exception):
    """Everything that a request may ask is left alone for now; `reasons` says why, by URL."""

    def __init__(self, reasons: dict[str, str]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(f"{host}: {why}" for host, why in reasons.items()))


@dataclass(eq=False)
class Waiting:
    """Ends with a lease or with an error; whoever brings it sets `ended`."""

    ticket_id: str
    wish: Wish
    since: float
    """When the request came (seconds since the epoch)."""
    give_up_at: float
    """Seconds since the epoch."""
    lease: Lease | None = None
    error: BaseException | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    closed_since: float | None = None

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(host for host, _ in self.wish.places)

    def ticket(self) -> TicketRow:
        """Return a new row for the board."""
        return TicketRow(
            ticket_id=self.ticket_id,
            owner=owner.this_process(),
            beat_at=time.time(),
            give_up_at=self.give_up_at,
            wish_json=text_of(self.wish),
            waiting_since=self.since,
            must_load=False,
            started_at=0.0,
            expected_end=0.0,
        )

    def granted(self, ticket: TicketRow) -> None:
        self.lease = Lease.of(ticket)
        self.ended.set()

    def failed(self, error: BaseException) -> None:
        self.error = error
        self.ended.set()

    def judge(self, board: Board, patience: float) -> None:
        """Fail when nothing may be asked, and will not be for longer than the patience."""
        if board.now > self.give_up_at:
            self.failed(AllClosedError(dict.fromkeys(self.hosts, "no slot came free in time")))
        if not all_closed(board, self.wish):
            self.closed_since = None
            return
        self.closed_since = self.closed_since or time.monotonic()
        waited = time.monotonic() - self.closed_since
        if waited + _seconds_to_probe(board, self.hosts) > patience:
            self.failed(AllClosedError(_reasons(board, self.hosts)))


def _reasons(board: Board, hosts: frozenset[str]) -> dict[str, str]:
    return {
        row.host: row.reason
        for row in board.circuits.values()
        if row.host in hosts and row.state != circuits.State.CLOSED.value
    }


def _seconds_to_probe(board: Board, hosts: frozenset[str]) -> float:
    # What somebody probes just now may be back at any moment.
    times = [
        row.retry_at
        for row in board.circuits.values()
        if row.host in hosts and row.state == circuits.State.OPEN.value
    ]
    return max(0.0, min(times, default=board.now) - board.now)
