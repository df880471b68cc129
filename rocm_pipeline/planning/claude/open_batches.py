"""The Message Batches that have attempts of ours in them: sent, found again, and collected.

Every attempt's id is the `custom_id` of its request. So a batch whose creation was never confirmed,
because process or connection ended, is found among the server's. Ids show in the results alone:
that a request is in no batch is known only when every batch that may hold it has ended.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import anthropic
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
from anthropic.types.messages.batch_create_params import Request
from sqlalchemy import select

from rocm_pipeline.planning.claude import failures, wire
from rocm_pipeline.planning.claude.failures import Failure
from rocm_pipeline.planning.claude.settings import ClaudeSettings
from rocm_pipeline.records import owner
from rocm_pipeline.records.journal import Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow

_log = logging.getLogger(__name__)

CLOCKS_DIFFER_BY = timedelta(hours=1)
"""The server's clock and ours, at most."""
PAGE = 100

_in_hand: set[str] = set()
"""Attempts that a thread of this process is just submitting."""


class OpenBatches:
    """Attempts in batches whose outcome is still to come.

    An attempt that no batch has held since `grace_seconds` after it was lost was never accepted:
    by then the server has long done with a request whose connection is gone.
    """

    def __init__(
        self,
        client: anthropic.Anthropic,
        records: Records,
        settings: ClaudeSettings,
        *,
        grace_seconds: float = 60.0,
    ) -> None:
        self._batches = client.messages.batches
        self._database = records.database
        self._journal = records.journal
        self._settings = settings
        self._prices = settings.price_table()
        self._grace_seconds = grace_seconds
        self._missed_since: dict[str, float] = {}
        self._ids: dict[str, frozenset[str]] = {}

    def rows(self) -> list[AttemptRow]:
        """Return the open attempts of everybody."""
        return self._journal.in_batches()

    def lost(self) -> list[AttemptRow]:
        """Return those of which nobody knows whether the server has them."""
        return [row for row in self.rows() if _is_lost(row)]

    def submit(self, bodies: Mapping[str, Any]) -> None:
        """Send one batch of requests, by attempt id.

        Afterwards each attempt is in a batch, or turned away with its outcome, or lost.
        """
        _in_hand.update(bodies)
        try:
            self._submit(bodies)
        finally:
            _in_hand.difference_update(bodies)

    def collect(self) -> None:
        """Look up what is lost and settle what has ended.

        Raises `anthropic.APIError` or what `failures.BROKEN` names; what was settled before stays
        so.
        """
        lost = self.lost()
        if lost:
            self._look_up(lost)
        by_batch: dict[str, list[AttemptRow]] = {}
        for row in self.rows():
            if row.batch_id is not None:
                by_batch.setdefault(row.batch_id, []).append(row)
        for batch_id, rows in by_batch.items():
            self._settle(batch_id, rows)

    def _submit(self, bodies: Mapping[str, Any]) -> None:
        requests = [Request(custom_id=name, params=body) for name, body in bodies.items()]
        for attempt in range(1, self._settings.attempts + 1):
            try:
                batch = self._batches.create(requests=requests)
            except anthropic.APIStatusError as error:
                if not failures.is_surely_refused(error):
                    _log.warning("it is unknown whether a batch was accepted: %s", error)
                    return
                failure = failures.turned_away(error, attempt)
                if not self._may_try_again(failure, attempt):
                    self._end_all(bodies, failure.received)
                    return
                time.sleep(failure.pause or 0.0)
            except failures.BROKEN as error:
                _log.warning("it is unknown whether a batch was accepted: %s", error)
                return
            else:
                self._journal.put_in_batch(list(bodies), batch.id)
                return

    def _may_try_again(self, failure: Failure, attempt: int) -> bool:
        if failure.pause is None or attempt == self._settings.attempts:
            return False
        return failure.pause <= self._settings.longest_wait_seconds

    def _look_up(self, lost: Sequence[AttemptRow]) -> None:
        """Find the batches of lost attempts, and settle those that surely are in none."""
        since = datetime.fromtimestamp(min(row.t_sent for row in lost), timezone.utc)
        wanted = {row.attempt_id for row in lost}
        may_be_open, may_be_archived = False, False
        for batch in self._strange(since - CLOCKS_DIFFER_BY):
            if batch.archived_at is not None:
                may_be_archived = True
            elif batch.processing_status != "ended":
                may_be_open = True
            else:
                held = wanted & self._ids_in(batch.id)
                self._journal.put_in_batch(sorted(held), batch.id)
                wanted -= held
        if may_be_open:
            return
        missed = self._missed_long(wanted)
        if may_be_archived:
            self._end_as_unknown([row for row in lost if row.attempt_id in missed])
        else:
            why = "the process or connection ended before the batch was accepted"
            self._end_all(missed, _unpaid(Outcome.UNREACHABLE, why))

    def _ids_in(self, batch_id: str) -> frozenset[str]:
        """Return the ids in a batch that has ended, which stay what they are."""
        if batch_id not in self._ids:
            results = self._batches.results(batch_id)
            self._ids[batch_id] = frozenset(entry.custom_id for entry in results)
        return self._ids[batch_id]

    def _strange(self, since: datetime) -> Iterable[MessageBatch]:
        """Yield the batches made after `since` that hold no attempt we know of, newest first."""
        with self._database.reading() as session:
            known = set(session.scalars(select(AttemptRow.batch_id).distinct()))
        for batch in self._batches.list(limit=PAGE):
            if batch.created_at < since:
                return
            if batch.id not in known:
                yield batch

    def _missed_long(self, attempt_ids: Iterable[str]) -> list[str]:
        now = time.monotonic()
        since = {name: self._missed_since.setdefault(name, now) for name in attempt_ids}
        return [name for name, first in since.items() if now - first >= self._grace_seconds]

    def _settle(self, batch_id: str, rows: Sequence[AttemptRow]) -> None:
        """Write the outcome of each of `rows` when their batch has ended."""
        try:
            batch = self._batches.retrieve(batch_id)
        except anthropic.NotFoundError:
            self._end_as_unknown(rows)
            return
        if batch.archived_at is not None:
            self._end_as_unknown(rows)
        elif batch.processing_status == "ended":
            results = {entry.custom_id: entry for entry in self._batches.results(batch_id)}
            for row in rows:
                if row.attempt_id in results:
                    ended = self._received(results[row.attempt_id], row)
                    self._journal.finish(row.attempt_id, ended)
            self._end_as_unknown([row for row in rows if row.attempt_id not in results])

    def _received(self, entry: MessageBatchIndividualResponse, row: AttemptRow) -> Received:
        result = entry.result
        if result.type == "succeeded":
            return wire.received(result.message, row.model_requested, self._prices, batch=True)
        if result.type == "errored":
            said = result.error.error
            return _unpaid(failures.outcome_of_type(said.type), said.message)
        if result.type == "canceled":
            return _unpaid(Outcome.CANCELLED, "the batch was cancelled")
        return _unpaid(Outcome.EXPIRED, "the batch ended before it came to this call")

    def _end_all(self, attempt_ids: Iterable[str], ended: Received) -> None:
        for attempt_id in attempt_ids:
            self._journal.finish(attempt_id, ended)

    def _end_as_unknown(self, rows: Sequence[AttemptRow]) -> None:
        """Book at their worst case attempts whose results the server no longer has."""
        for row in rows:
            ended = Received(
                outcome=Outcome.UNKNOWN,
                error="the results of the batch are no longer there",
                t_done=time.time(),
                usd=row.usd_at_most,
                usd_is_bound=True,
            )
            self._journal.finish(row.attempt_id, ended)


def _is_lost(row: AttemptRow) -> bool:
    if row.batch_id is not None or row.attempt_id in _in_hand:
        return False
    mine = row.owner == owner.this_process()
    return mine or owner.is_gone(row.owner) or row.give_up_at < time.time()


def _unpaid(outcome: Outcome, error: str) -> Received:
    return Received(outcome=outcome, error=error, t_done=time.time())
