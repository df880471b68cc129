"""A loopback HTTP server that speaks, or misspeaks, the Ollama protocol."""

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIGEST = "d" * 64


@dataclass
class Script:
    """What the server does on /api/chat, and what it saw."""

    behave: Callable[["Reply", dict[str, Any]], None]
    models: dict[str, str] = field(default_factory=lambda: {"qwen2.5-coder:7b": DIGEST})
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    loaded: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Models in memory: bytes in all, and those on the card."""
    chats: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Reply(BaseHTTPRequestHandler):
    """One request; the helpers below are what behaviours are made of."""

    protocol_version = "HTTP/1.1"
    script: Script

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output clean."""

    def do_GET(self) -> None:
        if self.path == "/api/ps":
            self._tell_loaded()
        else:
            self._tell_models()

    def _tell_loaded(self) -> None:
        models = [
            {
                "name": name,
                "model": name,
                "digest": self.script.models.get(name, DIGEST),
                "size": size,
                "size_vram": on_card,
            }
            for name, (size, on_card) in self.script.loaded.items()
        ]
        self.whole(200, json.dumps({"models": models}))

    def _tell_models(self) -> None:
        models = [
            {
                "name": name,
                "model": name,
                "digest": digest,
                "size": self.script.sizes.get(name, 1),
                "details": {"family": "qwen2"},
            }
            for name, digest in self.script.models.items()
        ]
        self.whole(200, json.dumps({"models": models}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        script = self.script
        if self.path == "/api/generate" and body.get("keep_alive") == 0:
            script.loaded.pop(body["model"], None)
            self.whole(200, json.dumps({"model": body["model"], "done": True, "response": ""}))
            return
        with script.lock:
            script.chats.append(body)
            script.headers.append({k.lower(): v for k, v in self.headers.items()})
            script.running += 1
            script.most_running = max(script.most_running, script.running)
        try:
            script.behave(self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with script.lock:
                script.running -= 1

    def whole(self, status: int, text: str, **headers: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def start_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def line(self, **fields: Any) -> None:
        self.wfile.write((json.dumps(fields) + "\n").encode())
        self.wfile.flush()

    def token(self, text: str, model: str = "qwen2.5-coder:7b") -> None:
        self.line(model=model, message={"role": "assistant", "content": text}, done=False)

    def done(self, model: str = "qwen2.5-coder:7b", **fields: Any) -> None:
        counts = {
            "prompt_eval_count": 11,
            "eval_count": 2,
            "eval_duration": 5,
            "done_reason": "stop",
        }
        message = {"role": "assistant", "content": ""}
        self.line(**{"model": model, "message": message, "done": True, **counts, **fields})


def answers(*texts: str, after: float = 0.0, **final: Any) -> Callable[[Reply, Any], None]:
    """A healthy server."""

    def behave(reply: Reply, body: dict[str, Any]) -> None:
        time.sleep(after)
        reply.start_stream()
        for text in texts:
            reply.token(text, body["model"])
        reply.done(**{"model": body["model"], **final})

    return behave


@contextmanager
def serving(script: Script, port: int = 0) -> Generator[str, None, None]:
    handler = type("ScriptedReply", (Reply,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
