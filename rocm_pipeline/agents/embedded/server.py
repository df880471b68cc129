"""An HTTP server on 127.0.0.1 that speaks Ollama's protocol for the embedded agent."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any

from rocm_pipeline.agents.embedded.answers import VERSION, BadRequestError
from rocm_pipeline.agents.embedded.service import Service, Stream

_LOG = logging.getLogger(__name__)
MAX_BODY = 8 << 20
"""Bytes of a request; several times the largest prompt."""
_Call = Callable[[dict[str, Any]], str | dict[str, Any] | Stream]
_IDLE_SECONDS = 60
"""After this long without a byte a connection is closed."""


class EmbeddedServer:
    """Serves on an ephemeral port of 127.0.0.1 while the `with` block runs; `url` says where."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, Service()))
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "EmbeddedServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # an idle kept-alive connection must not delay the end

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Note what broke a connection; the default prints a traceback to the terminal."""
        _LOG.debug("connection from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True  # else headers and body wait for each other, 40 ms a request

    def __init__(self, service: Service, *args: Any) -> None:
        self._service = service
        super().__init__(*args)

    def log_message(self, format: str, *args: Any) -> None:
        _LOG.debug(format, *args)

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, verb: str) -> None:
        try:
            self._respond(verb)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client hung up, or sent nothing for too long

    def _respond(self, verb: str) -> None:
        path = self.path.partition("?")[0]
        try:
            body = self._body()
            result = self._route(verb, path)(body)
        except BadRequestError as error:
            self._send_json(error.status, {"error": str(error)})
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            _LOG.exception("the embedded agent failed on %s %s", verb, path)
            self._send_json(500, {"error": "the embedded agent failed; its log says why"})
        else:
            self._deliver(result)

    def _route(self, verb: str, path: str) -> _Call:
        service = self._service
        routes: dict[tuple[str, str], _Call] = {
            ("GET", "/"): lambda _: "Ollama is running",
            ("GET", "/api/version"): lambda _: {"version": VERSION},
            ("GET", "/api/tags"): lambda _: service.tags(),
            ("GET", "/api/ps"): lambda _: service.loaded(),
            ("POST", "/api/show"): service.show,
            ("POST", "/api/chat"): service.chat,
            ("POST", "/api/generate"): service.generate,
        }
        if (verb, path) in routes:
            return routes[verb, path]
        if path.startswith("/api/"):
            raise BadRequestError(501, f"{verb} {path} is not served by the embedded agent")
        raise BadRequestError(404, f"{path}: page not found")

    def _body(self) -> dict[str, Any]:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            raise BadRequestError(413, f"a request needs a Content-Length of at most {MAX_BODY}")
        raw = self.rfile.read(length)
        try:
            data = json.loads(raw) if raw else {}
        except (ValueError, RecursionError) as error:
            raise BadRequestError(400, f"the request is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise BadRequestError(400, "the request is not a JSON object")
        return data

    def _deliver(self, result: str | dict[str, Any] | Stream) -> None:
        if isinstance(result, str):
            self._send(200, "text/plain; charset=utf-8", result.encode())
        elif isinstance(result, dict):
            self._send_json(200, result)
        else:
            self._send_lines(result.lines)

    def _send_json(self, status: int, document: dict[str, Any]) -> None:
        self._send(status, "application/json; charset=utf-8", json.dumps(document).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_lines(self, lines: Iterator[dict[str, Any]]) -> None:
        """Send NDJSON, one HTTP chunk a line, so that a client reads while it is written."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            body = json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        self.wfile.write(b"0\r\n\r\n")
