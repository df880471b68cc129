"""From one call's answer to what the journal, the asker and the dispatcher are told of it."""

from rocm_pipeline.fleet.chat import ChatReply, Failure
from rocm_pipeline.fleet.estimates import Timing
from rocm_pipeline.fleet.inventory import Place
from rocm_pipeline.fleet.transport import Answer
from rocm_pipeline.records.journal import Received, Replay

NOTICED_LOAD_NS = 100_000_000
"""A loaded model reports less; more means that it was loaded for this answer."""


def received_of(answer: Answer) -> Received:
    return Received(
        outcome=answer.outcome,
        text=answer.text or None,
        error=answer.error,
        model_returned=answer.model,
        t_first=answer.t_first,
        t_done=answer.t_done,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        load_ns=answer.load_ns,
        prompt_ns=answer.prompt_ns,
        eval_ns=answer.eval_ns,
        total_ns=answer.total_ns,
    )


def replayed_reply(replay: Replay) -> ChatReply:
    row = replay.attempt
    return ChatReply(
        text=replay.text,
        model=row.model_requested,
        digest=row.model_digest,
        host=row.host,
        attempt_id=row.attempt_id,
        replayed=True,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        seconds=(row.t_done or row.t_sent) - row.t_sent,
    )


def fresh_reply(attempt_id: str, place: Place, answer: Answer) -> ChatReply:
    return ChatReply(
        text=answer.text,
        model=place.model,
        digest=place.digest,
        host=place.host.url,
        attempt_id=attempt_id,
        replayed=False,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        seconds=answer.seconds,
    )


def failure_of(attempt_id: str, place: Place, answer: Answer) -> Failure:
    return Failure(
        attempt_id=attempt_id,
        place=place,
        outcome=answer.outcome,
        error=answer.error,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
    )


def timing_of(answer: Answer) -> Timing | None:
    if not answer.eval_ns:
        return None
    return Timing(
        tokens_in=answer.tokens_in,
        # What else the server was busy with before it began is part of what it costs to ask it.
        prompt_seconds=answer.prompt_ns / 1e9 + seconds_waited(answer),
        tokens_out=answer.tokens_out,
        decode_seconds=answer.eval_ns / 1e9,
        load_seconds=answer.load_ns / 1e9 if answer.load_ns > NOTICED_LOAD_NS else 0.0,
    )


def seconds_waited(answer: Answer) -> float:
    """Return the seconds inside the server that none of its own figures accounts for."""
    known = answer.load_ns + answer.prompt_ns + answer.eval_ns
    return max(0, answer.total_ns - known) / 1e9 if answer.total_ns else 0.0
