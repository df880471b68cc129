"""What the processes of a fleet share, one short transaction at a time.

Each process remembers the shared rows. A counter in the database says whether they were changed
since; only then are they read anew, and only what a transaction changed is written.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from rocm_pipeline.records import owner
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.driver import DriverCursor
from rocm_pipeline.records.fleet_tables import (
    ChangeRow,
    CircuitRow,
    HostRow,
    ParkedRow,
    SpeedRow,
    TicketRow,
)
from rocm_pipeline.records.row_writes import (
    Prepared,
    delete_rows,
    insert_rows,
    update_rows,
    values_of,
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
_BEAT = (
    update(TicketRow)
    .where(TicketRow.owner == bindparam("process"))
    .values(beat_at=bindparam("now"))
)
# Plain SQL, as it runs for every request.
_COUNT = f"SELECT count FROM {ChangeRow.__tablename__}"
_COUNTED = f"UPDATE {ChangeRow.__tablename__} SET count = count + 1"
_FIRST_COUNT = f"INSERT INTO {ChangeRow.__tablename__} (one, count) VALUES (1, 1)"


class Rows:
    """The shared rows as last read, kept up to date by this process's own changes."""

    def __init__(self, session: Session) -> None:
        self.waiting: dict[str, TicketRow] = {}
        self.running: dict[str, TicketRow] = {}
        self.running_on: defaultdict[str, dict[str, TicketRow]] = defaultdict(dict)
        """Of `running`, those of a host."""
        for row in session.scalars(_TICKETS):
            if row.host is None:
                self.waiting[row.ticket_id] = row
            else:
                self.running[row.ticket_id] = self.running_on[row.host][row.ticket_id] = row
        self.hosts = {row.host: row for row in session.scalars(_HOSTS)}
        self.speeds: defaultdict[str, dict[str, SpeedRow]] = defaultdict(dict)
        for speed in session.scalars(_SPEEDS):
            self.speeds[speed.host][speed.model] = speed
        self.circuits = {(row.host, row.model): row for row in session.scalars(_CIRCUITS)}
        self.touched = set(self.hosts)
        """Hosts of which something changed since somebody last cleared this."""
        self.queued = set(self.waiting)
        """Tickets that began or ceased to wait since somebody last cleared this."""
        self.stored = {_key(row): values_of(row) for row in self.lasting(self.hosts)}
        """What the database holds of the rows that are not tickets."""
        session.expunge_all()

    def lasting(self, hosts: Iterable[str]) -> Iterator[HostRow | SpeedRow | CircuitRow]:
        """Yield every circuit, and of these hosts what is not a ticket."""
        yield from self.circuits.values()
        for host in hosts:
            if host in self.hosts:
                yield self.hosts[host]
            if host in self.speeds:
                yield from self.speeds[host].values()


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
        self.running_on = rows.running_on
        self._touched: dict[str, None] = {}
        self._new_tickets: dict[str, TicketRow] = {}
        self._changed_tickets: dict[str, TicketRow] = {}
        self._removed: list[Base] = []
        self._parked: dict[str, ParkedRow] = {}
        self.is_to_be_read_anew = False

    @property
    def tickets(self) -> dict[str, TicketRow]:
        """All tickets: those that wait and those that hold a slot."""
        return {**self.waiting, **self.running}

    def ticket(self, ticket_id: str) -> TicketRow | None:
        return self.waiting.get(ticket_id) or self.running.get(ticket_id)

    def has_new(self, ticket_id: str) -> bool:
        """Say whether the ticket came with this transaction."""
        return ticket_id in self._new_tickets

    def put(self, row: TicketRow | HostRow | CircuitRow) -> None:
        """Add a row that was not there."""
        match row:
            case TicketRow():
                self._new_tickets[row.ticket_id] = row
                if row.host is None:
                    self.waiting[row.ticket_id] = row
                    self.rows.queued.add(row.ticket_id)
                else:
                    self._runs(row, row.host)
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
        self.rows.queued.add(ticket.ticket_id)
        self._changed_tickets[ticket.ticket_id] = ticket
        self._runs(ticket, host)

    def charge(self, ticket: TicketRow, seconds: float) -> None:
        """Keep the slot of a ticket taken for so long, and no longer."""
        ticket.give_up_at = self.now + seconds
        self._changed_tickets[ticket.ticket_id] = ticket

    def touch(self, host: str) -> None:
        """Say that something of this host changes: what is not said here is not written."""
        self.rows.touched.add(host)
        self._touched[host] = None

    def speed(self, host: str, model: str) -> SpeedRow:
        """Return what is known of a model on a host, to be added to."""
        self.touch(host)
        known = self.speeds[host]
        if model not in known:
            known[model] = SpeedRow(host=host, model=model, used_at=0.0, answers=0, rates=())
        return known[model]

    def end_ticket(self, ticket_id: str) -> None:
        row = self.waiting.pop(ticket_id, None) or self.running.pop(ticket_id, None)
        if row is None:
            return
        if row.host is None:
            self.rows.queued.add(ticket_id)
        else:
            del self.running_on[row.host][ticket_id]
            self.touch(row.host)
        self._changed_tickets.pop(ticket_id, None)
        if self._new_tickets.pop(ticket_id, None) is None:
            self._removed.append(row)

    def forget_hosts(self, unseen_since: float, unused_since: float) -> None:
        """Drop hosts that no process had in its fleet since, and speeds that nobody needed."""
        held = {ticket.host for ticket in self.running.values()}
        for row in [r for r in self.hosts.values() if r.seen_at < unseen_since]:
            if row.host not in held:
                self._forget(self.hosts.pop(row.host))
                self.touch(row.host)
        for known in self.speeds.values():
            for speed in [s for s in known.values() if s.used_at < unused_since]:
                self._forget(known.pop(speed.model))

    def end_circuit(self, host: str, model: str) -> None:
        row = self.circuits.pop((host, model), None)
        if row is not None:
            self._forget(row)

    def end_abandoned(self) -> None:
        """End the tickets of processes that are gone."""
        gone: dict[str, bool] = {}
        for ticket in [*self.waiting.values(), *self.running.values()]:
            process = ticket.owner
            if process not in gone:
                gone[process] = owner.is_gone(process)
            if gone[process] or self._is_over(ticket):
                self.end_ticket(ticket.ticket_id)
        for host in self.hosts.values():
            if host.reserved_by and (
                owner.is_gone(host.reserved_by) or host.reserved_until < self.now
            ):
                host.reserved_by = None
                self.touch(host.host)

    def park(self, row: ParkedRow) -> None:
        self._parked[row.job] = row

    def save(self, cursor: DriverCursor) -> bool:
        """Write what was changed; say whether anything was."""
        stored = self.rows.stored
        added, changed = list[Base](self._new_tickets.values()), list[Base]()
        changed += [t for name, t in self._changed_tickets.items() if name not in self._new_tickets]
        for row in self.rows.lasting(self._touched):
            key, values = _key(row), values_of(row)
            if stored.get(key) != values:
                (changed if key in stored else added).append(row)
                stored[key] = values
        parked = list(self._parked.values())
        for rows in _by_table([*self._removed, *parked]):
            delete_rows(cursor, rows)
        for rows in _by_table([*added, *parked]):
            insert_rows(cursor, rows)
        for rows in _by_table(changed):
            update_rows(cursor, rows)
        return bool(added or changed or self._removed or parked)

    def _runs(self, ticket: TicketRow, host: str) -> None:
        self.running[ticket.ticket_id] = self.running_on[host][ticket.ticket_id] = ticket
        self.started.append(ticket)
        self.touch(host)

    def _is_over(self, ticket: TicketRow) -> bool:
        if ticket.give_up_at < self.now:
            return True
        # Where it can be seen whether a process lives, its silence means nothing: the machine may
        # have slept, and all of its processes with it.
        silent = self.now - ticket.beat_at > SILENT_SECONDS
        return silent and not owner.is_known(ticket.owner)

    def _forget(self, row: HostRow | SpeedRow | CircuitRow) -> None:
        if self.rows.stored.pop(_key(row), None) is not None:
            self._removed.append(row)


def _key(row: HostRow | SpeedRow | CircuitRow) -> tuple[str, ...]:
    if isinstance(row, HostRow):
        return (row.__tablename__, row.host)
    return (row.__tablename__, row.host, row.model)


def _by_table(rows: Iterable[Base]) -> Iterable[list[Base]]:
    found: defaultdict[type[Base], list[Base]] = defaultdict(list)
    for row in rows:
        found[type(row)].append(row)
    return found.values()


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
            with self._database.writing_what_passes() as cursor:
                count = _count(cursor)
                is_news = rows is None or count != self._count
                if rows is None or is_news:
                    # Nobody else writes now, so another connection sees what this one would.
                    with self._database.reading() as session:
                        rows = Rows(session)
                board = Board(rows, time.time(), is_news=is_news)
                yield board
                if board.save(cursor):
                    count = self._counted(cursor, count)
            if not board.is_to_be_read_anew:
                self._rows, self._count = rows, count if count is not None else -1

    def has_news(self) -> bool:
        """Say whether another process changed the board since this one last saw it."""
        with self._database.looking() as cursor:
            return _count(cursor) != self._count

    @contextmanager
    def looking(self) -> Generator[Board, None, None]:
        """The board as it is now, without the tickets of processes that are gone.

        Changes are not kept.
        """
        with self._database.reading() as session:
            board = Board(Rows(session), time.time(), is_news=True)
        board.end_abandoned()
        yield board

    def beat(self, process: str) -> None:
        """Say that `process` still wants its tickets."""
        with self._one, self._database.writing_what_passes() as cursor:
            beat = Prepared.of(_BEAT, cursor.dialect)
            beat.run(cursor, [{"process": process, "now": time.time()}])
            self._counted(cursor, _count(cursor))

    def parked(self, job: str) -> ParkedRow | None:
        row = self._database.get(ParkedRow, job)
        return row if row is not None and row.until > time.time() else None

    def unpark(self, job: str) -> None:
        with self._database.writing() as session:
            session.execute(delete(ParkedRow).where(ParkedRow.job == job))

    def _counted(self, cursor: DriverCursor, count: int | None) -> int:
        cursor.run(_FIRST_COUNT if count is None else _COUNTED)
        return (count or 0) + 1


def _count(cursor: DriverCursor) -> int | None:
    return cursor.value(_COUNT)
