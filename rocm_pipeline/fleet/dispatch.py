"""Slots of hosts, shared by every process that uses the same records.

A request is a ticket; the policy gives it a slot, whichever process runs the policy at that moment.
A process that ends gives its slots back by being gone.
"""

import math
import threading
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rocm_pipeline.fleet import circuits
from rocm_pipeline.fleet.assigning import Assigner, Wish
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.estimates import ASSUMED
from rocm_pipeline.fleet.gathering import Gathering
from rocm_pipeline.fleet.health import Finished
from rocm_pipeline.fleet.policy import Policy
from rocm_pipeline.fleet.releasing import Released
from rocm_pipeline.fleet.state import Speed
from rocm_pipeline.fleet.waiting import AllClosedError, Lease, Waiting
from rocm_pipeline.records import owner
from rocm_pipeline.records.fleet_tables import HostRow
from rocm_pipeline.records.leases import Board, Leases, Rows

__all__ = ["AllClosedError", "Dispatcher", "Lease", "Pace", "Seen"]

PROBE_SECONDS = 60.0
"""A probe takes less; the claim of a process that ended in the middle of one ends then."""
UNSEEN_SECONDS = 2 * 3600.0
UNUSED_SECONDS = 30 * 24 * 3600.0
GATHER_AT_MOST = 10.0
"""Times `Pace.gather`: requests that come and come are not waited for any longer."""

Probe = Callable[[str, str], str]
"""Asks a host (URL) about itself or a model there; returns what is wrong, empty when well."""
OnHedge = Callable[[Lease], None]
"""Takes the slot for a second copy and returns at once."""


@dataclass(frozen=True)
class Pace:
    """Seconds between what is done again and again."""

    look: float = 0.03
    """While a request waits: whether another process gave it a slot."""
    decide: float = 0.5
    """While any waits or may be hedged: for slots of processes that are gone, and for back-offs."""
    beat: float = 15.0
    """For other machines: this process lives."""
    gather: float = 0.1
    """While new requests come at shorter intervals, none is started that needs a load."""
    rest: float = 0.02
    """After a decision: answers that end meanwhile have the next one together."""
    stopped: float = 3.0
    """For so long a slot counts as taken whose connection we closed; the server has to notice."""


@dataclass(frozen=True)
class Seen:
    """A host as its own list of models shows it."""

    host: str
    name: str
    slots: int
    models: tuple[str, ...]
    max_loaded: int | None = None


class Dispatcher:
    """Gives out slots; safe for threads, and for processes that use the same records."""

    def __init__(
        self,
        leases: Leases,
        policy: Policy,
        probe: Probe,
        back_off: BackOff,
        pace: Pace | None = None,
        assumed: Speed = ASSUMED,
    ) -> None:
        self._leases = leases
        self._probe = probe
        self._back_off = back_off
        self._pace = pace or Pace()
        gathering = Gathering(self._pace.gather, GATHER_AT_MOST * self._pace.gather)
        self._assigner = Assigner(policy, gathering, assumed)
        self._changed = threading.Condition()
        self._waiting: dict[str, Waiting] = {}
        self._arriving: list[Waiting] = []
        """Of those that wait: not on the board yet. The next decision puts them there."""
        self._arrived_at = 0.0
        self._released: list[Released] = []
        self._ending = threading.Lock()
        """Of threads that release: most find that the one before them did it for all."""
        self._decided_at = 0.0
        self._held: set[str] = set()
        self._hedges: dict[str, OnHedge] = {}
        """By running ticket of this process: who reads a second answer."""
        self._announced: frozenset[Seen] = frozenset()
        self._announced_at = 0.0
        self._cleaned_at = 0.0
        self._handed_out: Rows | None = None
        """Of which rows those that wait were last told all."""
        self._wake_at = 0.0
        """When something changes by itself and deciding may help (seconds since the epoch)."""
        self._attendant: threading.Thread | None = None

    def announce(self, hosts: Sequence[Seen]) -> None:
        """Tell every process what these hosts have."""
        now = frozenset(hosts)
        if now == self._announced and time.monotonic() - self._announced_at < UNSEEN_SECONDS / 4:
            return
        with self._board() as board:
            for seen in hosts:
                row = board.hosts.get(seen.host)
                if row is None:
                    row = HostRow(
                        host=seen.host,
                        name=seen.name,
                        slots=seen.slots,
                        models=seen.models,
                        seen_at=board.now,
                        max_loaded=seen.max_loaded,
                        calm_at=0.0,
                        waits=(),
                        reserved_until=0.0,
                    )
                    board.put(row)
                # What requests may ask for changes with the models.
                board.is_to_be_read_anew |= row.models != seen.models
                row.name, row.slots, row.models = seen.name, seen.slots, seen.models
                row.max_loaded, row.seen_at = seen.max_loaded, board.now
                board.touch(seen.host)
            board.forget_hosts(board.now - UNSEEN_SECONDS, board.now - UNUSED_SECONDS)
        self._announced, self._announced_at = now, time.monotonic()

    def acquire(self, wish: Wish, *, since: float, give_up_seconds: float) -> Lease:
        """Wait for a slot of one of the wished places.

        `since` (epoch) is when the request came; a second attempt keeps its turn. Raises
        AllClosedError when every place is left alone and stays so for longer than the patience.
        """
        mine = Waiting(
            ticket_id=f"t-{uuid.uuid4().hex[:20]}",
            wish=wish,
            since=since,
            give_up_at=time.time() + give_up_seconds,
        )
        try:
            with self._changed:
                self._waiting[mine.ticket_id] = mine
                self._arriving.append(mine)
                is_alone = time.monotonic() - self._arrived_at > self._pace.look
                self._arrived_at = time.monotonic()
            # Of many that come together the first goes on the board at once, the others together.
            if is_alone:
                self._look_again()
            while not mine.ended.is_set():
                self._attend()
                mine.ended.wait(self._pace.beat)
            if mine.error is not None:
                raise mine.error
            assert mine.lease is not None
        except BaseException:
            self._drop(mine)
            raise
        with self._changed:
            del self._waiting[mine.ticket_id]
            self._held.add(mine.ticket_id)
        self._attend()
        return mine.lease

    def release(self, lease: Lease, call: Finished, charged_seconds: float = 0.0) -> None:
        """Give a slot back, and learn from how its call ended.

        `charged_seconds`: the server may go on with what we no longer read, for so long; until
        then the slot stays taken.
        """
        released = Released(lease, call, charged_seconds)
        with self._changed:
            self._released.append(released)
        time.sleep(max(0.0, self._decided_at + self._pace.rest - time.monotonic()))
        with self._ending:
            if released.board is None:
                with self._board() as board:
                    self._decide(board)

    @contextmanager
    def hedging(self, lease: Lease, on_hedge: OnHedge) -> Generator[None, None, None]:
        """While the block lasts, the answer of `lease` may be given a second slot elsewhere."""
        with self._changed:
            self._hedges[lease.ticket_id] = on_hedge
            if len(self._announced) > 1:
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._hedges.pop(lease.ticket_id, None)

    @contextmanager
    def reserved(self, host: str, give_up_seconds: float) -> Generator[None, None, None]:
        """Keep a host (URL) free of new requests, and wait until those under way have ended."""
        me = owner.this_process()
        try:
            while True:
                with self._board() as board:
                    row = board.hosts.get(host)
                    if row is None:
                        break
                    if row.reserved_by in (None, me):
                        row.reserved_by = me
                        row.reserved_until = board.now + give_up_seconds
                        board.touch(host)
                        board.end_abandoned()
                        if not any(t.host == host for t in board.running.values()):
                            break
                time.sleep(self._pace.look)
            yield
        finally:
            with self._board() as board:
                row = board.hosts.get(host)
                if row is not None and row.reserved_by == me:
                    row.reserved_by = None
                    board.touch(host)
                self._decide(board)

    @contextmanager
    def _board(self) -> Generator[Board, None, None]:
        board = None
        try:
            with self._leases.deciding() as board:
                yield board
            orphans = self._hand_out(board)
        except BaseException:
            self._handed_out = None  # what was given out may not have been told
            with self._changed:
                for released in self._released:
                    if released.board is board is not None:
                        released.failed()
            raise
        if orphans:
            with self._leases.deciding() as board:
                for ticket_id in orphans:
                    board.end_ticket(ticket_id)

    def _hand_out(self, board: Board) -> list[str]:
        """Tell those that wait what they got; return the tickets that nobody wants any more."""
        orphans: list[str] = []
        with self._changed:
            self._arriving = [
                mine
                for mine in self._arriving
                if mine.ticket_id in self._waiting and not board.has_new(mine.ticket_id)
            ]
            done = [released for released in self._released if released.board is board]
            for released in done:
                self._released.remove(released)
                self._held.discard(released.lease.ticket_id)
            if board.is_news or board.rows is not self._handed_out:
                self._handed_out = board.rows
                for name in [name for name in self._waiting if name in board.running]:
                    self._waiting[name].granted(board.running[name])
            for ticket in board.started:
                if ticket.hedge_of is None:
                    if ticket.ticket_id in self._waiting:
                        self._waiting[ticket.ticket_id].granted(ticket)
                elif ticket.hedge_of in self._hedges:
                    self._held.add(ticket.ticket_id)
                    # once, so that a request never has more than two copies
                    self._hedges.pop(ticket.hedge_of)(Lease.of(ticket))
                else:
                    orphans.append(ticket.ticket_id)  # its answer came in between
        return orphans

    def _decide(self, board: Board) -> None:
        with self._changed:
            arriving = [mine for mine in self._arriving if mine.ticket_id in self._waiting]
            ending = [released for released in self._released if released.board is None]
        for released in ending:
            released.end(board, self._back_off)
        for mine in arriving:
            if board.ticket(mine.ticket_id) is None:
                # A new row each time: one of a transaction that failed may say that it started.
                board.put(mine.ticket())
        if board.now - self._cleaned_at > self._pace.decide / 2:
            self._cleaned_at = board.now
            board.end_abandoned()
        self._assigner.assign(board, tuple(self._hedges))
        self._decided_at = time.monotonic()
        self._wake_at = min(self._wake_at, self._next_change(board))

    def _due(self, board: Board) -> list[tuple[str, str]]:
        """Claim the circuits that are to be probed now, of hosts that somebody waits for."""
        if not board.circuits:
            return []
        with self._changed:
            hosts = frozenset().union(*(mine.hosts for mine in self._waiting.values()))
        found = circuits.due(board, hosts, claim_seconds=PROBE_SECONDS)
        return [(row.host, row.model) for row in found]

    def _examine(self, host: str, model: str) -> None:
        error = self._probe(host, model)
        with self._board() as board:
            circuits.probed(board, host, model, error, self._back_off)
            self._decide(board)
            self._judge(board)

    def _judge(self, board: Board) -> None:
        """Tell those that wait for what is not asked at all."""
        with self._changed:
            for mine in self._waiting.values():
                if not mine.ended.is_set() and mine.ticket_id not in board.running:
                    mine.judge(board, self._back_off.patience)

    def _drop(self, mine: Waiting) -> None:
        with self._changed:
            self._waiting.pop(mine.ticket_id, None)
        with self._board() as board:
            board.end_ticket(mine.ticket_id)
            self._decide(board)

    def _attend(self) -> None:
        """Have a thread look after what this process waits for and holds."""
        with self._changed:
            if self._attendant is None or not self._attendant.is_alive():
                self._attendant = threading.Thread(
                    target=self._look_after, daemon=True, name="fleet-attendant"
                )
                self._attendant.start()
            elif self._waiting:
                self._changed.notify_all()

    def _look_after(self) -> None:
        beaten = decided = time.monotonic()
        while True:
            with self._changed:
                if not self._waiting:
                    hedging = self._hedges and len(self._announced) > 1
                    self._changed.wait(self._pace.decide if hedging else self._pace.beat)
                    if not self._waiting and not self._held:
                        self._attendant = None
                        return
                waits = bool(self._waiting or self._released)
                may_hedge = bool(self._hedges) and len(self._announced) > 1
            try:
                now = time.monotonic()
                if now - beaten > self._pace.beat:
                    beaten = now
                    self._leases.beat(owner.this_process())
                if not waits and not may_hedge:
                    continue
                is_time = now - decided > self._pace.decide or time.time() >= self._wake_at
                # A decision sees the news, too.
                is_old = now - self._decided_at > self._pace.look
                if is_time or self._arriving or (is_old and self._leases.has_news()):
                    decided = now
                    self._look_again()
            except BaseException as error:
                with self._changed:
                    for mine in self._waiting.values():
                        mine.failed(error)
                    self._attendant = None
                raise
            if waits:
                time.sleep(self._pace.look)

    def _look_again(self) -> None:
        with self._board() as board:
            self._wake_at = math.inf
            self._decide(board)
            due = self._due(board)
            if not due:
                self._judge(board)
        for host, model in due:
            threading.Thread(target=self._examine, args=(host, model), daemon=True).start()

    def _next_change(self, board: Board) -> float:
        """When something changes by itself: a back-off ends, a batch is taken to be whole."""
        closed = circuits.State.CLOSED.value
        retries = [row.retry_at for row in board.circuits.values() if row.state != closed]
        opens = min((at for at in retries if at > board.now), default=math.inf)
        return min(opens, self._assigner.next_change(board))
