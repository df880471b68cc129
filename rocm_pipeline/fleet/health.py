"""How hosts are: what each call says about them, and the probe that lets them back in."""

import random
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from rocm_pipeline.fleet import circuits, residency, servers, transport
from rocm_pipeline.fleet.circuits import WHOLE_HOST, BackOff
from rocm_pipeline.fleet.estimates import Timing
from rocm_pipeline.fleet.reactions import Blame, reaction
from rocm_pipeline.fleet.residency import learnt_of
from rocm_pipeline.fleet.transport import Call, Deadlines
from rocm_pipeline.records.fleet_tables import ParkedRow
from rocm_pipeline.records.leases import Board
from rocm_pipeline.records.outcome import Outcome

COLLAPSE = 0.4
"""An answer written at less than this share of the pair's own median rate is a bad sign."""
RATES_KEPT = 15
ENOUGH_RATES = 5
ENOUGH_TOKENS = 32
"""A shorter answer says little about a rate."""
WAITS_KEPT = 8
GROWING = 4
"""So many waits in a row, each longer than the one before, are a queue that is not ours."""
NOTICED_WAIT = 0.5
LONG_WAIT = 5.0
"""Seconds; shorter waits inside a server are nobody's concern."""
PARK_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a call ended, as far as its host is concerned. Seconds throughout."""

    host: str
    model: str
    job: str
    attempt_no: int
    outcome: Outcome
    error: str = ""
    timing: Timing | None = None
    waited: float = 0.0
    """Inside the server, before it began."""
    offloaded: str = ""
    """In words, when part of the model runs on the CPU."""
    also_failed_on: tuple[str, ...] = ()
    """Other hosts on which the same job met a fault that may be its own."""
    loaded: tuple[str, ...] = ()
    """The models in the host's memory after a load; empty where nobody looked."""


def learn(board: Board, call: Finished, back_off: BackOff) -> None:
    """Put what one call says to the shared state."""
    board.touch(call.host)
    met = reaction(call.outcome, call.error)
    if met.may_be_the_job and call.also_failed_on:
        _park(board, call)
    elif met.blame is Blame.HOST:
        _fail(board, call, WHOLE_HOST, met.after, back_off)
    elif call.outcome is Outcome.DEGENERATE:
        circuits.quarantine(
            board, call.host, call.model, call.error, job=call.job, back_off=back_off
        )
    elif met.blame is Blame.MODEL_THERE:
        _fail(board, call, call.model, met.after, back_off)
    elif met.blame is Blame.LOAD:
        _slow_down(board, call, back_off)
    elif call.outcome is not Outcome.CANCELLED:
        circuits.succeed(board, call.host, call.model)
        _speed_up(board, call, back_off)
        if call.timing is not None:
            _measure(board, call, call.timing, back_off)


def _park(board: Board, call: Finished) -> None:
    circuits.forgive(board, call.job)
    board.park(
        ParkedRow(
            job=call.job,
            hosts=(*call.also_failed_on, call.host),
            reason=f"{call.outcome.value}, {call.error}",
            until=board.now + PARK_SECONDS,
        )
    )


def _fail(board: Board, call: Finished, model: str, after: int, back_off: BackOff) -> None:
    reason = f"{call.outcome.value}, {call.error}"
    circuits.fail(board, call.host, model, reason, job=call.job, after=after, back_off=back_off)


def _slow_down(board: Board, call: Finished, back_off: BackOff) -> None:
    """A busy server gets a pause, and one request less at a time."""
    host = board.hosts.get(call.host)
    if host is None:
        return
    running = sum(ticket.host == call.host for ticket in board.running.values())
    host.most_at_once = max(1, min(running, (host.most_at_once or host.slots) - 1))
    # Jitter keeps several requests from coming back in step.
    pause = back_off.after(call.attempt_no - 1, back_off.first) * random.uniform(0.5, 1.5)
    host.calm_at = max(host.calm_at, board.now + pause)


def _speed_up(board: Board, call: Finished, back_off: BackOff) -> None:
    host = board.hosts.get(call.host)
    if host is None or host.most_at_once is None or host.calm_at + back_off.first > board.now:
        return
    more = host.most_at_once + 1
    host.most_at_once = None if more >= host.slots else more
    host.calm_at = board.now


def _measure(board: Board, call: Finished, timing: Timing, back_off: BackOff) -> None:
    row = board.speed(call.host, call.model)
    known = learnt_of(row).after(timing, was_loaded=timing.load_seconds <= 0)
    row.prompt_tps, row.decode_tps = known.prompt_tps, known.decode_tps
    row.load_seconds, row.answers = known.load_seconds, known.answers
    if call.loaded:
        residency.learn_room(board, call.host, frozenset(call.loaded))
    if call.offloaded:
        _avoid(board, call, call.model, call.offloaded, back_off)
    elif slow := _collapse(row.rates, timing):
        _avoid(board, call, call.model, slow, back_off)
    elif timing.tokens_out >= ENOUGH_TOKENS and timing.decode_seconds > 0:
        row.rates = (*row.rates, timing.tokens_out / timing.decode_seconds)[-RATES_KEPT:]
    host = board.hosts.get(call.host)
    if host is not None and (call.waited > NOTICED_WAIT or host.waits):
        host.waits = (*host.waits, call.waited)[-WAITS_KEPT:]
        if _grows(host.waits):
            reason = f"requests wait longer and longer inside it, now {call.waited:.0f} s"
            _avoid(board, call, WHOLE_HOST, reason, back_off)


def _avoid(board: Board, call: Finished, model: str, reason: str, back_off: BackOff) -> None:
    if not circuits.is_avoided(board, call.host, model):
        circuits.quarantine(
            board, call.host, model, reason, job=call.job, back_off=back_off, softly=True
        )


def _collapse(rates: tuple[float, ...], timing: Timing) -> str:
    if len(rates) < ENOUGH_RATES or timing.tokens_out < ENOUGH_TOKENS:
        return ""
    usual = median(rates)
    rate = timing.tokens_out / timing.decode_seconds if timing.decode_seconds > 0 else usual
    if rate >= COLLAPSE * usual:
        return ""
    return f"it writes {rate:.1f} tokens a second where it wrote {usual:.1f}"


def _grows(waits: tuple[float, ...]) -> bool:
    last = waits[-GROWING:]
    rising = all(earlier < later for earlier, later in pairwise(last))
    return len(last) == GROWING and rising and last[-1] > LONG_WAIT


def probe(url: str, allowed: frozenset[str], deadlines: Deadlines) -> str:
    """Ask a server for one token and return what is wrong, in words; empty when it is well.

    Only a model that is loaded already, and that is one of ours (`allowed`, names), is asked: a
    probe must not push another out of memory. With none loaded, the list of models must do.
    """
    patience = Deadlines(
        connect=deadlines.connect,
        load=0.0,
        first_token=min(deadlines.first_token, 20.0),
        stall=min(deadlines.stall, 10.0),
        total=min(deadlines.total, 30.0),
    )
    try:
        loaded = [m for m in servers.loaded(url, patience) if m.name in allowed]
        if not loaded:
            transport.installed(url, patience)
            return ""
    except ConnectionError as error:
        return str(error)
    # The window it was loaded with: any other would make the server load it anew.
    window = {"num_ctx": loaded[0].context} if loaded[0].context else {}
    options = {"num_predict": 1, **window}
    call = Call(model=loaded[0].name, system="", prompt="Say yes.", options=options)
    answer = transport.chat(url, call, patience)
    if answer.outcome in (Outcome.OK, Outcome.TRUNCATED, Outcome.EMPTY):
        return ""
    return f"{answer.outcome.value}, {answer.error}"
