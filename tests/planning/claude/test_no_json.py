"""A server, or a proxy before it, that answers what is no JSON, or is nested too deeply."""

import threading
from collections.abc import Generator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Reason, UnansweredError
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.records.records import Records
from tests.planning.claude.batch_calls import QUICK, batches_of, question, records_in
from tests.planning.claude.desk import call
from tests.standins.claude import KEY

HASTY = replace(QUICK, deadline=0.05)
DEEP = b"[" * 100_000


class _Reply(BaseHTTPRequestHandler):
    content: bytes

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply()

    def _reply(self) -> None:
        streams = self.path == "/v1/messages"
        kind = "text/event-stream" if streams else "application/json"
        body = b"event: message_start\ndata: " + self.content + b"\n\n" if streams else self.content
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(params=[b"<html>a login page</html>", DEEP], ids=["no JSON", "too deep"])
def url(request: pytest.FixtureRequest) -> Generator[str, None, None]:
    handler = type("Reply", (_Reply,), {"content": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return records_in(tmp_path)


def test_it_does_not_answer_and_may_have_charged(url: str, records: Records) -> None:
    claude = AnthropicClaude(records, read_settings(), key=KEY, url=url, sleep=lambda _: None)
    with pytest.raises(UnansweredError) as caught:
        claude.ask(call())
    assert caught.value.reason is Reason.HELD
    (row,) = records.ledger.attempts()
    assert (row.status, row.usd_is_bound) == ("UNKNOWN", True)


def test_it_counts_no_tokens(url: str, records: Records) -> None:
    claude = AnthropicClaude(records, read_settings(), key=KEY, url=url)
    assert claude.count("claude-haiku-5-5", "text") is None


def test_it_may_have_taken_a_batch(url: str, records: Records) -> None:
    (outcome,) = batches_of(records, url, patience=HASTY).ask_all([question("a")])
    assert isinstance(outcome, UnansweredError)
    assert outcome.reason is Reason.HELD
