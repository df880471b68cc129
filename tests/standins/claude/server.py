"""The HTTP server, and what tests hold in their hands of it."""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.standins.claude import bodies
from tests.standins.claude.batches import Batch, Batches
from tests.standins.claude.cache import PromptCache
from tests.standins.claude.endings import (
    Accepts,
    Behaviour,
    Cancels,
    Ending,
    Expires,
    Fails,
    Lost,
    Refuses,
    Says,
    Then,
    UsesTool,
)
from tests.standins.claude.request import BadRequestError, Json, Request, check
from tests.standins.claude.tally import Charge, Charged, Tally, Tier

API_VERSION = "2026-10-21"
KEY = "sk-ant-stand-in"
"""The only key that is let in."""
ONE_BATCH = re.compile(r"/v1/messages/batches/(?P<id>[^/]+)(?P<rest>/results|/cancel)?")


@dataclass
class StandIn:
    """A server: `behaviour` answers questions, `on_batch` requests to create a batch.

    Both may be exchanged at any time. `requests` are the questions that were put directly.
    """

    behaviour: Behaviour
    on_batch: Behaviour
    cache: PromptCache
    clock: Callable[[], float]
    batch_seconds: float
    cut_results: int = 0
    """So many times from now on, the connection breaks in the middle of a batch's results."""
    url: str = ""
    tally: Tally = field(default_factory=Tally)
    requests: list[Request] = field(default_factory=list[Request])
    lock: threading.RLock = field(default_factory=threading.RLock)
    batches: Batches = field(init=False)

    def __post_init__(self) -> None:
        self.batches = Batches(self._entry_result, self.clock, self.batch_seconds)

    def charged_message(
        self, request: Request, ending: Says | UsesTool | Refuses, tier: Tier
    ) -> Json:
        """Charge for an answer and return its body."""
        with self.lock:
            prompt = self.cache.charge(request)
            out, thinking = bodies.output_tokens(request, ending)
            charge = prompt + Charge(out=out, thinking=thinking)
            name = request.custom_id or request.request_id
            self.tally.charged.append(
                Charged(name, request.fingerprint, request.model, tier, charge)
            )
        return bodies.message(request, ending, charge, tier)

    def _entry_result(self, request: Request) -> Json:
        ending = self.behaviour(request)
        if isinstance(ending, Fails) and ending.after is None:
            return {"type": "errored", "error": bodies.error(ending, None)}
        if isinstance(ending, Expires):
            return {"type": "expired"}
        if isinstance(ending, Cancels):
            return {"type": "canceled"}
        if isinstance(ending, Says | UsesTool | Refuses):
            message = self.charged_message(request, ending, "batch")
            return {"type": "succeeded", "message": message}
        raise TypeError(f"an entry of a batch cannot end as {ending}")


class Reply(BaseHTTPRequestHandler):
    """One request to the stand-in."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    """Else every answer waits 40 ms for the acknowledgement of its headers."""
    stand_in: StandIn
    request_id = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output clean."""

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def _handle(self, method: str) -> None:
        self.request_id = f"req_{uuid.uuid4().hex}"
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        found = ONE_BATCH.fullmatch(address.path)
        endpoint = f"{method} {address.path}"
        if found is not None:
            endpoint = f"{method} /v1/messages/batches/{{id}}{found['rest'] or ''}"
        with self.stand_in.lock:
            self.stand_in.tally.requests[endpoint] += 1
        try:
            self._check_headers()
            body = json.loads(content) if content else {}
            self._route(endpoint, found["id"] if found else "", body, parse_qs(address.query))
        except BadRequestError as wrong:
            self._fail(Fails(400, str(wrong)))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _check_headers(self) -> None:
        if self.headers.get("anthropic-version") != API_VERSION:
            raise BadRequestError(f"anthropic-version: must be {API_VERSION}")

    def _route(self, endpoint: str, batch_id: str, body: Json, query: dict[str, list[str]]) -> None:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self._fail(Fails(401, "invalid key"))
        elif endpoint == "POST /v1/messages":
            self._ask(body)
        elif endpoint == "POST /v1/messages/count_tokens":
            check(body, required=("model", "messages"))
            self._whole(200, {"input_tokens": Request(self.request_id, body).tokens})
        elif endpoint == "POST /v1/messages/batches":
            self._create_batch(self.stand_in.on_batch(Request(self.request_id, body)), body)
        elif endpoint == "GET /v1/messages/batches":
            self._list_batches(query)
        else:
            self._one_batch(endpoint, batch_id)

    def _ask(self, body: Json) -> None:
        check(body)
        request = Request(self.request_id, body)
        with self.stand_in.lock:
            self.stand_in.requests.append(request)
        self._end(request, self.stand_in.behaviour(request))

    def _end(self, request: Request, ending: Ending) -> None:
        if isinstance(ending, Then):
            prepared = self._prepare(request, ending.ending)
            ending.action()
            self._send(request, prepared)
        elif isinstance(ending, Lost):
            self._lose(request, ending)
        else:
            self._send(request, self._prepare(request, ending))

    def _prepare(self, request: Request, ending: Ending) -> Json | Fails:
        """Carry the request out: charge it, unless it fails before."""
        if isinstance(ending, Says | UsesTool | Refuses):
            return self.stand_in.charged_message(request, ending, "standard")
        if isinstance(ending, Fails):
            if ending.after is not None:
                self._prepare(request, ending.after)
            return ending
        raise TypeError(f"a message cannot end as {ending}")

    def _send(self, request: Request, prepared: Json | Fails) -> None:
        if isinstance(prepared, Fails):
            self._fail(prepared)
        elif request.stream:
            self._start_stream()
            for event in bodies.events(prepared):
                self._event(event)
            self._chunk(b"")
        else:
            self._whole(200, prepared)

    def _lose(self, request: Request, lost: Lost) -> None:
        self.close_connection = True
        if lost.ending is None:
            return
        prepared = self._prepare(request, lost.ending)
        if request.stream and lost.events and not isinstance(prepared, Fails):
            self._start_stream()
            for event in list(bodies.events(prepared))[: lost.events]:
                self._event(event)
            if lost.error is not None:
                self._event(bodies.error(lost.error, self.request_id))
        if lost.action is not None:
            lost.action()

    def _create_batch(self, ending: Ending, body: Json) -> None:
        outcome = ending.ending if isinstance(ending, Lost | Then) else ending
        if isinstance(outcome, Fails):
            if outcome.after is not None:
                self._accept(outcome.after, body)
            self._fail(outcome)
            return
        if outcome is None:
            self.close_connection = True
            return
        batch = self._accept(outcome, body)
        if isinstance(ending, Then):
            ending.action()
        if isinstance(ending, Lost):
            self.close_connection = True
            return
        self._whole(200, self._shown(batch))

    def _accept(self, ending: Ending, body: Json) -> Batch:
        if not isinstance(ending, Accepts):
            raise TypeError(f"the creation of a batch cannot end as {ending}")
        with self.stand_in.lock:
            return self.stand_in.batches.create(body)

    def _list_batches(self, query: dict[str, list[str]]) -> None:
        limit = int(query.get("limit", ["20"])[0])
        with self.stand_in.lock:
            page = self.stand_in.batches.page(limit, query.get("after_id", [None])[0])
        self._whole(200, {**page, "data": [self._shown(batch) for batch in page["data"]]})

    def _one_batch(self, endpoint: str, batch_id: str) -> None:
        with self.stand_in.lock:
            batch = self.stand_in.batches.get(batch_id)
            if batch is None:
                self._fail(Fails(404, f"no such thing: {endpoint} {batch_id}"))
            elif endpoint.endswith("/cancel"):
                self.stand_in.batches.cancel(batch)
                self._whole(200, self._shown(batch))
            elif not endpoint.endswith("/results"):
                self._whole(200, self._shown(batch))
            elif batch.results is None:
                self._fail(Fails(400, "the batch has not ended yet"))
            else:
                self._results(batch.results)

    def _results(self, results: list[Json]) -> None:
        lines = "".join(json.dumps(line) + "\n" for line in results).encode()
        if not self.stand_in.cut_results:
            self._content(200, lines, "application/x-jsonl")
            return
        self.stand_in.cut_results -= 1
        self.close_connection = True
        self._head(200, {"Content-Length": str(len(lines)), "Content-Type": "application/x-jsonl"})
        self.wfile.write(lines[: 2 * len(lines) // 3])

    def _shown(self, batch: Batch) -> Json:
        return batch.body(self.stand_in.url)

    def _fail(self, fails: Fails) -> None:
        headers = {} if fails.retry_after is None else {"retry-after": str(fails.retry_after)}
        self._whole(fails.status, bodies.error(fails, self.request_id), **headers)

    def _whole(self, status: int, body: Json, **headers: str) -> None:
        self._content(status, json.dumps(body).encode(), "application/json", **headers)

    def _content(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(content)), **headers})
        self.wfile.write(content)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        with self.stand_in.lock:
            self.stand_in.tally.statuses[status] += 1
        self.send_response(status)
        self.send_header("request-id", self.request_id)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _start_stream(self) -> None:
        # in chunks, so that a connection that breaks off is seen as broken, not as ended
        self._head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})

    def _event(self, body: Json) -> None:
        self._chunk(f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode())

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()


@contextmanager
def serving(
    behaviour: Behaviour,
    *,
    on_batch: Behaviour = lambda _: Accepts(),
    minimum_prefix: int = 1024,
    batch_seconds: float = 0.0,
    clock: Callable[[], float] = time.time,
) -> Generator[StandIn, None, None]:
    """Serve on a free port of the loopback; `url` and `KEY` are what a client needs.

    `minimum_prefix` is the least number of tokens that is cached; `clock` (seconds) ages the cache
    and makes batches due.
    """
    cache = PromptCache(minimum_prefix, clock)
    stand_in = StandIn(behaviour, on_batch, cache, clock, batch_seconds)
    handler = type("ScriptedReply", (Reply,), {"stand_in": stand_in})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
