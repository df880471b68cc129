"""Message Batches: accepted at once, carried out when due, results in another order."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.standins.claude.bodies import timestamp
from tests.standins.claude.request import BadRequestError, Json, Request, check

DAY = 24 * 3600.0
COUNTS = ("succeeded", "errored", "canceled", "expired")
MAX_ID = 64


@dataclass
class Batch:
    """One batch; `results` is None until it has ended."""

    batch_id: str
    requests: tuple[Request, ...]
    created_at: float
    due_at: float
    cancelled_at: float | None = None
    ended_at: float | None = None
    results: list[Json] | None = None

    def body(self, url: str) -> Json:
        """Return it as the API shows it; all requests are processing until the batch has ended."""
        counts = dict.fromkeys(COUNTS, 0)
        for line in self.results or ():
            counts[line["result"]["type"]] += 1
        ended = self.ended_at is not None
        stopping = self.cancelled_at is not None
        return {
            "id": self.batch_id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "canceling" if stopping else "in_progress",
            "request_counts": {"processing": 0 if ended else len(self.requests), **counts},
            "created_at": timestamp(self.created_at),
            "expires_at": timestamp(self.created_at + DAY),
            "ended_at": timestamp(self.ended_at) if self.ended_at is not None else None,
            "cancel_initiated_at": timestamp(self.cancelled_at) if self.cancelled_at else None,
            "archived_at": None,
            "results_url": f"{url}/v1/messages/batches/{self.batch_id}/results" if ended else None,
        }


@dataclass
class Batches:
    """All batches, oldest first. `carry_out` turns a request into the result of its entry."""

    carry_out: Callable[[Request], Json]
    clock: Callable[[], float]
    seconds: float
    """From creation until the batch is carried out."""
    kept: list[Batch] = field(default_factory=list[Batch])

    def create(self, body: Json) -> Batch:
        requests = tuple(_entry(entry) for entry in body.get("requests") or ())
        ids = [request.custom_id for request in requests]
        if not ids:
            raise BadRequestError("requests: at least one request is required")
        if len(set(ids)) != len(ids):
            raise BadRequestError("requests: custom_id must be unique within a batch")
        now = self.clock()
        batch = Batch(f"msgbatch_{uuid.uuid4().hex}", requests, now, now + self.seconds)
        self.kept.append(batch)
        return batch

    def get(self, batch_id: str) -> Batch | None:
        self._carry_out_due()
        return next((batch for batch in self.kept if batch.batch_id == batch_id), None)

    def cancel(self, batch: Batch) -> None:
        """Entries that were not carried out yet are "canceled" when the batch is looked at next."""
        if batch.ended_at is None and batch.cancelled_at is None:
            batch.cancelled_at = self.clock()

    def page(self, limit: int, after_id: str | None) -> Json:
        """Return the newest ones, or those that are next older than `after_id`."""
        self._carry_out_due()
        newest_first = self.kept[::-1]
        if after_id is not None:
            ids = [batch.batch_id for batch in newest_first]
            newest_first = newest_first[ids.index(after_id) + 1 :]
        shown = newest_first[:limit]
        return {
            "data": shown,
            "has_more": len(newest_first) > limit,
            "first_id": shown[0].batch_id if shown else None,
            "last_id": shown[-1].batch_id if shown else None,
        }

    def _carry_out_due(self) -> None:
        now = self.clock()
        for batch in self.kept:
            if batch.ended_at is not None or (batch.cancelled_at is None and now < batch.due_at):
                continue
            if batch.cancelled_at is not None:
                results = [_line(r, {"type": "canceled"}) for r in batch.requests]
            else:
                results = [_line(r, self.carry_out(r)) for r in batch.requests]
            batch.results = results[::-1]
            batch.ended_at = now


def _line(request: Request, result: Json) -> Json:
    return {"custom_id": request.custom_id, "result": result}


def _entry(entry: Json) -> Request:
    custom_id = str(entry.get("custom_id", ""))
    if not custom_id.replace("-", "").replace("_", "").isalnum() or len(custom_id) > MAX_ID:
        raise BadRequestError(f"custom_id: {custom_id!r} must match ^[a-zA-Z0-9_-]{{1,64}}$")
    check(entry["params"])
    if entry["params"].get("stream"):
        raise BadRequestError("stream: not supported in a batch")
    return Request(f"req_{uuid.uuid4().hex}", entry["params"], custom_id)
