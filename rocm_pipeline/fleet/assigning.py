"""From the shared rows to what the policy sees, and from what it says back to the rows."""

import math
import time
import uuid
from collections.abc import Collection
from functools import lru_cache
from weakref import WeakValueDictionary

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.fleet import circuits
from rocm_pipeline.fleet.backlog import Backlog
from rocm_pipeline.fleet.circuits import WHOLE_HOST
from rocm_pipeline.fleet.estimates import ASSUMED, Speeds
from rocm_pipeline.fleet.gathering import Gathering
from rocm_pipeline.fleet.policy import Policy
from rocm_pipeline.fleet.residency import learnt_of, resident_on, room_of
from rocm_pipeline.fleet.state import Assignment, HostState, Job, Running, Speed
from rocm_pipeline.records.fleet_tables import HostRow, TicketRow
from rocm_pipeline.records.leases import Board, Rows

STATE_SECONDS = 5.0
"""How long a host counts as it was, while nothing happens there."""

Pair = tuple[str, str]
"""URL of a host, and a model there as `name@digest`."""


class Wish(BaseModel):
    """What a request needs: one of these places, best model first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    """Equal for equal questions, whoever asks."""
    places: tuple[Pair, ...]
    tokens_in: float
    tokens_out: float
    priority: int = 0

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for _, model in self.places))


_OURS: WeakValueDictionary[str, Wish] = WeakValueDictionary()
"""Of requests of this process, as long as they wait: reading one back costs more than making it."""


def text_of(wish: Wish) -> str:
    """Return the wish as it stands on the board."""
    text = wish.model_dump_json()
    _OURS[text] = wish
    return text


def wish_of(text: str) -> Wish:
    """Return the wish that stands so on the board, whichever process wrote it."""
    return _OURS.get(text) or _read(text)


@lru_cache(4096)
def _read(text: str) -> Wish:
    return Wish.model_validate_json(text)


class Assigner:
    """Asks the policy who starts next; remembers what did not change since the last time."""

    def __init__(
        self, policy: Policy, gathering: Gathering | None = None, assumed: Speed = ASSUMED
    ) -> None:
        self._policy = policy
        self._gathering = gathering or Gathering(0.0, 0.0)
        self._rows: Rows | None = None
        self._speeds = Speeds(assumed=assumed)
        self._answers: dict[Pair, int] = {}
        self._states: dict[str, HostState] = {}
        self._states_at = 0.0
        self._shut: set[str] = set()
        """Hosts of `_states` that are closed."""
        self._backlog = Backlog()
        self._closed: dict[Pair, str] = {}
        self._avoid: dict[tuple[Pair, ...], frozenset[Pair]] = {}

    def assign(self, board: Board, hedgeable: Collection[str] = ()) -> None:
        """Give slots to waiting tickets, whichever process they are of, as the policy decides.

        `hedgeable`: running tickets of this process whose request can read a second answer.
        """
        alone = not board.waiting and len(board.hosts) > 1
        running = [board.running[name] for name in hedgeable if name in board.running]
        if not board.waiting and not (alone and running):
            return
        self._refresh(board)
        hosts = [self._states[name] for name in board.hosts]
        free = [host for host in hosts if host.free]
        gathers = self._gathers_for > 0
        if not any(host.resident for host in free) if gathers else not free:
            return
        if alone:
            jobs = [self._job(board, ticket) for ticket in running]
            starts = self._policy.hedge(board.now, jobs, hosts)
        else:
            starts = self._policy.decide(board.now, self._backlog, hosts)
        for start in starts:
            must_load = start.model not in self._states[start.host].resident
            if not (gathers and must_load):
                self._start(board, start, must_load)

    def next_change(self, board: Board) -> float:
        """When, by itself, something else may be decided: a host is calm, or a batch whole."""
        times = [board.hosts[name].calm_at for name in self._shut if name in board.hosts]
        times = [at for at in times if at > board.now]
        if (left := self._gathers_for) > 0:
            times.append(board.now + left)
        return min(times, default=math.inf)

    @property
    def _gathers_for(self) -> float:
        """For so many seconds no model is loaded: more questions of the same batch may come."""
        return self._gathering.ends - time.monotonic()

    def _start(self, board: Board, start: Assignment, must_load: bool) -> None:
        if start.hedge:
            first = board.running[start.job_id]
            board.put(
                TicketRow(
                    ticket_id=f"t-{uuid.uuid4().hex[:20]}",
                    hedge_of=first.ticket_id,
                    owner=first.owner,
                    beat_at=board.now,
                    give_up_at=first.give_up_at,
                    wish_json=first.wish_json,
                    waiting_since=first.waiting_since,
                    host=start.host,
                    model=start.model,
                    must_load=must_load,
                    started_at=board.now,
                    expected_end=start.expected_end,
                )
            )
        else:
            ticket = board.waiting[start.job_id]
            board.start(ticket, start.host, start.model)
            ticket.must_load = must_load
            ticket.started_at, ticket.expected_end = board.now, start.expected_end
        board.speed(start.host, start.model).used_at = board.now

    def _refresh(self, board: Board) -> None:
        now = time.monotonic()
        known = self._backlog
        closed = {pair: row.state for pair, row in board.circuits.items()}
        if board.rows is not self._rows or closed != self._closed:
            self._rows, self._closed = board.rows, closed
            self._backlog = Backlog()
            self._avoid.clear()
            self._states.clear()
            board.rows.queued.update(board.waiting)
        if now - self._states_at > STATE_SECONDS:
            self._states_at = now
            self._states.clear()
        # What is closed may open by itself, at any time.
        changed = {*board.rows.touched, *self._shut}
        if not self._states:
            changed.update(board.hosts)
        board.rows.touched.clear()
        for name in board.rows.queued:
            ticket = board.waiting.get(name)
            if ticket is None:
                self._backlog.drop(name)
            else:
                if name not in known:
                    # What was asked long ago is new here only: a retry, or no slot was free.
                    self._gathering.arrived(now - max(0.0, board.now - ticket.waiting_since))
                self._backlog.put(self._job(board, ticket))
        board.rows.queued.clear()
        for host in changed:
            for model, row in board.speeds[host].items():
                if self._answers.get((host, model)) != row.answers:
                    self._answers[host, model] = row.answers
                    self._speeds.put(host, model, learnt_of(row))
        for host in changed:
            self._shut.discard(host)
            row = board.hosts.get(host)
            if row is None:
                self._states.pop(host, None)
                continue
            busy = tuple(map(_running, board.running_on[host].values()))
            state = self._states[host] = self._state(board, row, busy)
            if state.closed:
                self._shut.add(host)

    def _state(self, board: Board, row: HostRow, busy: tuple[Running, ...]) -> HostState:
        return HostState(
            name=row.host,
            slots=row.slots if row.most_at_once is None else min(row.slots, row.most_at_once),
            busy=busy,
            resident=resident_on(board, row),
            models={model: self._speeds.of(row.host, model) for model in row.models},
            room=room_of(row),
            closed=(
                circuits.is_open(board, row.host, WHOLE_HOST)
                or row.reserved_by is not None
                or row.calm_at > board.now
            ),
            closed_models=frozenset(m for m in row.models if circuits.is_open(board, row.host, m)),
        )

    def _job(self, board: Board, ticket: TicketRow) -> Job:
        wish = wish_of(ticket.wish_json)
        return Job(
            id=ticket.ticket_id,
            models=wish.models,
            tokens_in=wish.tokens_in,
            tokens_out=wish.tokens_out,
            priority=wish.priority,
            waiting_since=ticket.waiting_since,
            avoid=self._avoided(board, wish.places),
        )

    def _avoided(self, board: Board, places: tuple[Pair, ...]) -> frozenset[Pair]:
        """Return the places that a request for one of `places` must not get now."""
        if places not in self._avoid:
            allowed = set(places)
            avoided = {place for place in allowed if _is_avoided(board, place)}
            usable = {place for place in allowed if not _is_closed(board, place)}
            if usable - avoided:
                allowed -= avoided
            wanted = {model for _, model in places}
            served = ((row.host, model) for row in board.hosts.values() for model in row.models)
            self._avoid[places] = frozenset(
                place for place in served if place[1] in wanted and place not in allowed
            )
        return self._avoid[places]


def all_closed(board: Board, wish: Wish) -> bool:
    """Say whether nothing of what the request may ask is asked at the moment."""
    return bool(board.circuits) and all(_is_closed(board, place) for place in wish.places)


def _running(ticket: TicketRow) -> Running:
    return Running(
        ticket.hedge_of or ticket.ticket_id,
        ticket.model or "",
        ticket.started_at,
        ticket.expected_end,
        hedge=ticket.hedge_of is not None,
    )


def _is_closed(board: Board, place: Pair) -> bool:
    host, model = place
    return circuits.is_open(board, host, WHOLE_HOST) or circuits.is_open(board, host, model)


def _is_avoided(board: Board, place: Pair) -> bool:
    host, model = place
    return circuits.is_avoided(board, host, WHOLE_HOST) or circuits.is_avoided(board, host, model)
