"""Circuits: a host, or one model on it, that failed is left alone, probed, and asked again.

CLOSED counts failures. OPEN is asked nothing until its back-off has passed; then one process
probes it (HALF_OPEN) and closes it again or opens it for longer. AVOIDED works, but badly: it is
asked where nothing else is left.
"""

from dataclasses import dataclass
from enum import Enum

from rocm_pipeline.records.fleet_tables import CircuitRow
from rocm_pipeline.records.leases import Board


class State(str, Enum):
    """Of a circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    AVOIDED = "avoided"


@dataclass(frozen=True)
class BackOff:
    """Seconds that a circuit stays open: doubled each time it opens again."""

    first: float = 1.0
    longest: float = 300.0
    quarantine: float = 120.0
    """At first, for what answers but is not well."""
    patience: float = 90.0
    """How long a request waits for the next probe when everything it may ask is open. A host that
    has no card is deaf for up to a minute after a prompt was taken back: with 15 s a run failed."""

    def after(self, opened: int, first: float) -> float:
        return min(self.longest, first * 2 ** min(opened, 16))


WHOLE_HOST = ""
"""In place of a model."""


def fail(
    board: Board, host: str, model: str, reason: str, *, job: str, after: int, back_off: BackOff
) -> None:
    """Count a failure of `model` on `host`; the one numbered `after` opens the circuit."""
    row = _row(board, host, model, job)
    row.failures += 1
    row.reason, row.last_job = reason, job
    if row.failures >= after:
        _open(board, row, State.OPEN, back_off.first, back_off)


def quarantine(
    board: Board,
    host: str,
    model: str,
    reason: str,
    *,
    job: str,
    back_off: BackOff,
    softly: bool = False,
) -> None:
    """Ask no more of what gives bad answers; `softly`: of what is only slow, where others are."""
    row = _row(board, host, model, job)
    row.reason, row.last_job = reason, job
    _open(board, row, State.AVOIDED if softly else State.OPEN, back_off.quarantine, back_off)


def succeed(board: Board, host: str, model: str) -> None:
    """A good answer came: forget what was before, except that it is slow."""
    for key in ((host, WHOLE_HOST), (host, model)):
        row = board.circuits.get(key)
        if row is not None and row.state != State.AVOIDED.value:
            board.end_circuit(*key)


def forgive(board: Board, job: str) -> None:
    """Take back every blame that one job led to."""
    for row in [row for row in board.circuits.values() if row.last_job == job]:
        board.end_circuit(row.host, row.model)


def due(board: Board, hosts: frozenset[str], claim_seconds: float) -> list[CircuitRow]:
    """Claim the circuits of `hosts` whose back-off has passed; the caller probes each.

    The claim ends by itself after `claim_seconds`, should the caller end before.
    """
    found = [
        row
        for row in board.circuits.values()
        if row.host in hosts and row.state != State.CLOSED.value and row.retry_at <= board.now
    ]
    for row in found:
        if row.state == State.OPEN.value:
            row.state = State.HALF_OPEN.value
        row.retry_at = board.now + claim_seconds
    return found


def probed(board: Board, host: str, model: str, error: str, back_off: BackOff) -> None:
    """Note what a probe found; `error` is empty when all was well."""
    row = board.circuits.get((host, model))
    if row is None:
        return
    if not error:
        # How often it opened stays known until a real answer comes.
        row.state, row.failures = State.CLOSED.value, 0
        return
    row.reason = error
    _open(board, row, State.OPEN, back_off.first, back_off)


def is_open(board: Board, host: str, model: str) -> bool:
    row = board.circuits.get((host, model))
    return row is not None and row.state in (State.OPEN.value, State.HALF_OPEN.value)


def is_avoided(board: Board, host: str, model: str) -> bool:
    row = board.circuits.get((host, model))
    return row is not None and row.state == State.AVOIDED.value


def _row(board: Board, host: str, model: str, job: str) -> CircuitRow:
    if (host, model) not in board.circuits:
        board.put(
            CircuitRow(
                host=host,
                model=model,
                state=State.CLOSED.value,
                reason="",
                failures=0,
                opened=0,
                since=board.now,
                retry_at=0.0,
                last_job=job,
            )
        )
    return board.circuits[host, model]


def _open(board: Board, row: CircuitRow, state: State, first: float, back_off: BackOff) -> None:
    row.state = state.value
    row.since = board.now
    row.retry_at = board.now + back_off.after(row.opened, first)
    row.opened += 1
