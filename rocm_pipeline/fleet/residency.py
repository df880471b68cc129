"""Which models a host is taken to hold, and how many it can: as far as its answers tell."""

from rocm_pipeline.fleet.estimates import Learnt
from rocm_pipeline.records.fleet_tables import HostRow, SpeedRow
from rocm_pipeline.records.leases import Board

RESIDENT_SECONDS = 300.0
"""Servers unload a model that was not used for so long (Ollama's `keep_alive`, unless set)."""


def learnt_of(row: SpeedRow) -> Learnt:
    return Learnt(row.prompt_tps, row.decode_tps, row.load_seconds, row.answers)


def room_of(row: HostRow) -> int | None:
    """Return how many models the host keeps loaded at once; None: nobody knows yet."""
    return row.learnt_room if row.max_loaded is None else row.max_loaded


def resident_on(board: Board, row: HostRow) -> tuple[str, ...]:
    """Return the models that the host is taken to hold, least recently used first."""
    since = board.now - RESIDENT_SECONDS
    used = sorted(
        (s.used_at, s.model) for s in board.speeds[row.host].values() if s.used_at > since
    )
    held = tuple(model for _, model in used)
    room = room_of(row)
    return held if room is None else held[-room:]


def learn_room(board: Board, host: str, loaded: frozenset[str]) -> None:
    """Take in what a host had in memory just after it loaded a model.

    Where one is missing that was in use lately, it had to make room, and this is all that it keeps.
    """
    row = board.hosts.get(host)
    if row is None:
        return
    missing = set(resident_on(board, row)) - loaded
    for model in missing:
        board.speed(host, model).used_at = 0.0
    if missing or (row.learnt_room is not None and len(loaded) > row.learnt_room):
        row.learnt_room = len(loaded)
