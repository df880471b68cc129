"""What the records say of each host: slots held, who waits, speeds, failures, quarantine.

The one place from which `fleet status` learns what the servers do not say themselves.
"""

from collections import Counter, defaultdict

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from rocm_pipeline.fleet.circuits import State
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.fleet_tables import CircuitRow
from rocm_pipeline.records.leases import Leases
from rocm_pipeline.records.ledger import ANTHROPIC
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.schema import AttemptRow

RECENT_SECONDS = 24 * 3600.0
"""How far back calls are counted."""
_NO_FAILURE = frozenset({Outcome.OK, Outcome.PENDING, Outcome.CANCELLED})


class Closed(BaseModel):
    """A host, or one model there (`model` is not empty), that is not asked for now."""

    model_config = ConfigDict(frozen=True)

    model: str
    state: str
    reason: str
    retry_at: float
    """Seconds since the epoch."""


class Activity(BaseModel):
    """What happens on one host, and its calls within the last day."""

    model_config = ConfigDict(frozen=True)

    slots_busy: int = 0
    reserved: bool = False
    """Kept free for a measurement on its card."""
    closed: tuple[Closed, ...] = ()
    calls: int = 0
    failures: dict[str, int] = {}
    """Outcomes other than a whole answer, and how often."""
    tokens_out: int = 0
    eval_seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens written a second, by the server's own counts; None before the first answer."""
        return self.tokens_out / self.eval_seconds if self.eval_seconds else None

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


class FleetActivity(BaseModel):
    """Every host that is known to the records, by its URL, and how many requests wait for one."""

    model_config = ConfigDict(frozen=True)

    queue: int = 0
    hosts: dict[str, Activity] = {}

    def of(self, url: str) -> Activity:
        return self.hosts.get(url, Activity())


def read_activity(database: Database) -> FleetActivity:
    """Return what is going on as of now."""
    closed: dict[str, list[Closed]] = defaultdict(list)
    with Leases(database).looking() as board:
        now, queue = board.now, len(board.waiting)
        busy = Counter(ticket.host for ticket in board.running.values() if ticket.host)
        reserved = {row.host for row in board.hosts.values() if row.reserved_by}
        for row in board.circuits.values():
            if row.state != State.CLOSED.value:
                closed[row.host].append(_closed(row))
    with database.reading() as session:
        calls = _calls(session, now)
    known = {*busy, *reserved, *closed, *calls}
    return FleetActivity(
        queue=queue,
        hosts={
            host: calls.get(host, Activity()).model_copy(
                update={
                    "slots_busy": busy[host],
                    "reserved": host in reserved,
                    "closed": tuple(closed[host]),
                }
            )
            for host in known
        },
    )


def _closed(row: CircuitRow) -> Closed:
    return Closed(model=row.model, state=row.state, reason=row.reason, retry_at=row.retry_at)


def _calls(session: Session, now: float) -> dict[str, Activity]:
    recent = select(AttemptRow).where(
        AttemptRow.provider != ANTHROPIC, AttemptRow.t_sent > now - RECENT_SECONDS
    )
    by_host: dict[str, list[AttemptRow]] = defaultdict(list)
    for row in session.scalars(recent):
        by_host[row.host].append(row)
    return {host: _sum(rows) for host, rows in by_host.items()}


def _sum(rows: list[AttemptRow]) -> Activity:
    timed = [row for row in rows if row.eval_ns > 0]
    failures = [row.status for row in rows if Outcome(row.status) not in _NO_FAILURE]
    return Activity(
        calls=len(rows),
        failures=dict(Counter(failures)),
        tokens_out=sum(row.tokens_out for row in timed),
        eval_seconds=sum(row.eval_ns for row in timed) / 1e9,
    )
