"""A loopback Ollama host that also says what it has loaded, and that fetches models."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import ThreadingHTTPServer
from typing import Any

from tests.fleet.ollama_server import DIGEST, Reply, Script, answers

PullBehaviour = Callable[[Reply, str], None]


@dataclass
class HostScript(Script):
    """What the host has in memory (bytes, of which in the card), and how it fetches."""

    loaded: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    fetch: PullBehaviour | None = None
    pulled: list[str] = field(default_factory=list[str])
    ps: Callable[[Reply], None] | None = None
    tags: Callable[[Reply], None] | None = None


class HostReply(Reply):
    """Adds /api/ps and /api/pull to what the scripted server can do."""

    @property
    def host(self) -> HostScript:
        assert isinstance(self.script, HostScript)
        return self.script

    def do_GET(self) -> None:  # noqa: N802
        if self.path != "/api/ps":
            (self.host.tags or Reply.do_GET)(self)
        elif self.host.ps is not None:
            self.host.ps(self)
        else:
            models = [
                {
                    "name": name,
                    "model": name,
                    "digest": self.script.models.get(name, DIGEST),
                    "size": size,
                    "size_vram": in_card,
                    "context_length": 16384,
                }
                for name, (size, in_card) in self.host.loaded.items()
            ]
            self.whole(200, json.dumps({"models": models}))

    def do_POST(self) -> None:  # noqa: N802
        if self.path != "/api/pull":
            super().do_POST()
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.host.pulled.append(body["model"])
        assert self.host.fetch is not None
        try:
            self.host.fetch(self, body["model"])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def fetches(reply: Reply, model: str) -> None:
    """Do as Ollama does: a manifest, parts with their bytes, checks, success."""
    reply.start_stream()
    reply.line(status="pulling manifest")
    for part, total in (("sha256:aa", 1000), ("sha256:bb", 50)):
        for completed in (0, total // 2, total):
            reply.line(status=f"pulling {part[7:]}", digest=part, total=total, completed=completed)
    reply.line(status="verifying sha256 digest")
    reply.line(status="success")
    reply.script.models[model] = DIGEST


def refuses(words: str) -> PullBehaviour:
    """Answer 200 and tell the failure inside the stream, as Ollama does."""

    def fetch(reply: Reply, model: str) -> None:  # noqa: ARG001
        reply.start_stream()
        reply.line(status="pulling manifest")
        reply.line(error=words)

    return fetch


def says(status: int, text: str) -> PullBehaviour:
    """Answer a pull like a server that is none, or that is too old."""
    return lambda reply, _: reply.whole(status, text)


def replies(status: int, text: str) -> Callable[[Reply], None]:
    """Answer a question for a list in the same way."""
    return lambda reply: reply.whole(status, text)


def host_script(**about: Any) -> HostScript:
    return replace(HostScript(behave=answers("yes"), fetch=fetches), **about)


@contextmanager
def hosting(script: HostScript) -> Generator[str, None, None]:
    handler = type("ScriptedHost", (HostReply,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
