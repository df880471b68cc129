"""What the processes of a fleet share, one short transaction at a time.

Each process remembers the shared rows. A counter in the database says whether they were changed
since; only then are they read anew, and only what a transaction changed is written.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import instance_state

from rocm_pipeline.records import owner
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.fleet_tables import (
    ChangeRow,
    CircuitRow,
    HostRow,
    ParkedRow,
    SpeedRow,
    TicketRow,
)
from rocm_pipeline.records.schema import Base

SILENT_SECONDS = 60.0
"""A process of another machine that says nothing for so long has lost its tickets."""
# Made once: building a statement costs more than running it.
_TICKETS = select(TicketRow)
_HOSTS = select(HostRow)
_SPEEDS = select(SpeedRow).join(HostRow, HostRow.host == SpeedRow.host)
"""Of the hosts on the board: the others may be known for long, and many."""
_CIRCUITS = select(CircuitRow)
_COUNT = select(ChangeRow.count)
_COUNTED = update(ChangeRow).values(count=ChangeRow.count + 1)
_FIRST_COUNT = insert(ChangeRow).values(one=1, count=1)


class Rows:
    """The shared rows as last read, kept up to date by this process's own changes."""

    def __init__(self, session: Session) -> None:
        self.waiting: dict[str, TicketRow] = {}
        self.running: dict[str, TicketRow] = {}
        for row in session.scalars(_TICKETS):
            (self.waiting if row.host is None else self.running)[row.ticket_id] = row
        self.hosts = {row.host: row for row in session.scalars(_HOSTS)}
        self.speeds: defaultdict[str, dict[str, SpeedRow]] = defaultdict(dict)
        for speed in session.scalars(_SPEEDS):
            self.speeds[speed.host][speed.model] = speed
        self.circuits = {(row.host, row.model): row for row in session.scalars(_CIRCUITS)}
        self.touched = set(self.hosts)
        """Hosts of which something changed since somebody last cleared this."""


class Board:
    """The shared state inside a transaction. Changes to its rows are kept when that ends."""

    def __init__(self, rows: Rows, now: float, *, is_news: bool) -> None:
        self.rows = rows
        self.now = now
        self.is_news = is_news
        """Whether another process changed something since this one last looked."""
        self.started: list[TicketRow] = []
        """Tickets that got their slot in this transaction."""
        self.hosts, self.speeds, self.circuits = rows.hosts, rows.speeds, rows.circuits
        self.waiting, self.running = rows.waiting, rows.running
        self._added: list[Base] = []
        self._changed: list[Base] = []
        self._removed: list[Base] = []
        self._parked: list[ParkedRow] = []
        self.is_to_be_read_anew = False

    @property
    def tickets(self) -> dict[str, TicketRow]:
        """All tickets: those that wait and those that hold a slot."""
        return {**self.waiting, **self.running}

    def ticket(self, ticket_id: str) -> TicketRow | None:
        return self.waiting.get(ticket_id) or self.running.get(ticket_id)

    def put(self, row: TicketRow | HostRow | CircuitRow) -> None:
        """Add a row that was not there."""
        self._added.append(row)
        match row:
            case TicketRow():
                (self.waiting if row.host is None else self.running)[row.ticket_id] = row
                if row.host is not None:
                    self.started.append(row)
                    self.touch(row.host)
            case HostRow():
                self.hosts[row.host] = row
                # What was learnt of it in earlier times is not among the rows yet.
                self.is_to_be_read_anew = True
                self.touch(row.host)
            case CircuitRow():
                self.circuits[row.host, row.model] = row

    def start(self, ticket: TicketRow, host: str, model: str) -> None:
        """Give a slot to a waiting ticket."""
        ticket.host, ticket.model = host, model
        del self.waiting[ticket.ticket_id]
        self.running[ticket.ticket_id] = ticket
        self._changed.append(ticket)
        self.started.append(ticket)
        self.touch(host)

    def charge(self, ticket: TicketRow, seconds: float) -> None:
        """Keep the slot of a ticket taken for so long, and no longer."""
        ticket.give_up_at = self.now + seconds
        self._changed.append(ticket)

    def touch(self, host: str) -> None:
        """Say that something of this host changes."""
        self.rows.touched.add(host)

    def speed(self, host: str, model: str) -> SpeedRow:
        """Return what is known of a model on a host, to be added to."""
        self.touch(host)
        known = self.speeds[host]
        if model not in known:
            known[model] = SpeedRow(host=host, model=model, used_at=0.0, answers=0, rates=())
            self._added.append(known[model])
        return known[model]

    def end_ticket(self, ticket_id: str) -> None:
        row = self.waiting.pop(ticket_id, None) or self.running.pop(ticket_id, None)
        if row is not None and row.host is not None:
            self.touch(row.host)
        self._remove(row)

    def forget_hosts(self, unseen_since: float, unused_since: float) -> None:
        """Drop hosts that no process had in its fleet since, and speeds that nobody needed."""
        held = {ticket.host for ticket in self.running.values()}
        for row in [r for r in self.hosts.values() if r.seen_at < unseen_since]:
            if row.host not in held:
                self._remove(self.hosts.pop(row.host))
                self.touch(row.host)
        for known in self.speeds.values():
            for speed in [s for s in known.values() if s.used_at < unused_since]:
                self._remove(known.pop(speed.model))

    def end_circuit(self, host: str, model: str) -> None:
        self._remove(self.circuits.pop((host, model), None))

    def end_abandoned(self) -> None:
        """End the tickets of processes that are gone."""
        tickets = [*self.waiting.values(), *self.running.values()]
        gone = {name for name in {t.owner for t in tickets} if owner.is_gone(name)}
        for ticket in tickets:
            if ticket.owner in gone or self._is_over(ticket):
                self.end_ticket(ticket.ticket_id)
        for host in self.hosts.values():
            if host.reserved_by and (
                owner.is_gone(host.reserved_by) or host.reserved_until < self.now
            ):
                host.reserved_by = None
                self.touch(host.host)

    def park(self, row: ParkedRow) -> None:
        self._parked.append(row)

    def save(self, session: Session) -> bool:
        """Write what was changed; say whether anything was."""
        speeds = [row for known in self.speeds.values() for row in known.values()]
        for row in (*self.hosts.values(), *speeds, *self.circuits.values()):
            if instance_state(row).modified:
                self._changed.append(row)
        for row in self._removed:
            session.delete(row)
        session.add_all(self._added)
        session.add_all(self._changed)
        for parked in self._parked:
            session.merge(parked)
        return bool(self._added or self._changed or self._removed or self._parked)

    def _is_over(self, ticket: TicketRow) -> bool:
        if ticket.give_up_at < self.now:
            return True
        # Where it can be seen whether a process lives, its silence means nothing: the machine may
        # have slept, and all of its processes with it.
        silent = self.now - ticket.beat_at > SILENT_SECONDS
        return silent and not owner.is_known(ticket.owner)

    def _remove(self, row: Base | None) -> None:
        if row is None:
            return
        self._changed = [other for other in self._changed if other is not row]
        if any(row is other for other in self._added):
            self._added = [other for other in self._added if other is not row]
        else:
            self._removed.append(row)


class Leases:
    """The board of all processes that use one database; safe for threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Threads of one process queue here: SQLite would have them sleep and try again.
        self._one = threading.Lock()
        self._rows: Rows | None = None
        self._count = -1

    @contextmanager
    def deciding(self) -> Generator[Board, None, None]:
        """One transaction in which nobody else changes the board."""
        with self._one:
            rows, self._rows = self._rows, None  # forgotten, should anything go wrong
            with self._database.writing_what_passes() as session:
                count = session.scalar(_COUNT)
                is_news = rows is None or count != self._count
                if rows is None or is_news:
                    rows = Rows(session)
                    session.expunge_all()
                board = Board(rows, time.time(), is_news=is_news)
                yield board
                if board.save(session):
                    session.flush()
                    count = self._counted(session, count)
            if not board.is_to_be_read_anew:
                self._rows, self._count = rows, count if count is not None else -1

    def has_news(self) -> bool:
        """Say whether another process changed the board since this one last saw it."""
        with self._database.reading() as session:
            return session.scalar(_COUNT) != self._count

    @contextmanager
    def looking(self) -> Generator[Board, None, None]:
        """The board as it is now; changes are not kept."""
        with self._database.reading() as session:
            rows = Rows(session)
            session.expunge_all()
            yield Board(rows, time.time(), is_news=True)

    def beat(self, process: str) -> None:
        """Say that `process` still wants its tickets."""
        with self._one, self._database.writing_what_passes() as session:
            session.execute(
                update(TicketRow).where(TicketRow.owner == process).values(beat_at=time.time())
            )
            self._counted(session, session.scalar(_COUNT))

    def parked(self, job: str) -> ParkedRow | None:
        row = self._database.get(ParkedRow, job)
        return row if row is not None and row.until > time.time() else None

    def unpark(self, job: str) -> None:
        with self._database.writing_what_passes() as session:
            session.execute(delete(ParkedRow).where(ParkedRow.job == job))

    def _counted(self, session: Session, count: int | None) -> int:
        session.execute(_FIRST_COUNT if count is None else _COUNTED)
        return (count or 0) + 1
