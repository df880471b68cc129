"""Simulated Ollama servers on loopback, in a process of their own: the real protocol, scaled time.

As Ollama does: a loaded model answers at once, as many at a time as the host has slots; what needs
a load waits in one line and loads one at a time, the least recently used model making room once it
has nothing to answer. Models that are loaded together share the card, so the slots are the host's.
Run by `live.py`: prints the ports, serves until its standard input closes, then prints its counts.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.fleet.scenarios import Fault, SimHost, scenarios

_HEADERS = "Content-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
_FOREVER = 1e9
_PARTS = 6
"""Of an answer: one a token would measure this machine instead."""
Writer = Callable[[], Awaitable[None]]
"""Sends one part of an answer."""
_BUSY = "server busy, please try again.  maximum pending requests exceeded"


@dataclass
class _Loaded:
    answering: int = 0
    used: float = 0.0


class _RefusedError(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass
class Server:
    """One host: its models in memory, its slots, its faults."""

    truth: SimHost
    scale: float
    clock: Callable[[], float]
    """Simulated seconds since the first question to any host."""
    counts: Counter[str] = field(default_factory=Counter[str])
    _loaded: dict[str, _Loaded] = field(default_factory=dict[str, _Loaded])
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _loader: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.truth.slots)

    @property
    def is_dead(self) -> bool:
        return self.truth.fault is Fault.DEAD or (
            self.truth.fault is Fault.DIES and self.clock() >= self.truth.fault_at
        )

    @property
    def loaded(self) -> list[str]:
        return list(self._loaded)

    async def answer(
        self, model: str, tokens_in: int, tokens_out: int, write: Writer
    ) -> dict[str, object]:
        """Return the final record of an answer, after the time it takes; its tokens go before."""
        if model not in self.truth.models:
            raise _RefusedError(404, f'model "{model}" not found, try pulling it first')
        if self.truth.storms_at(self.clock()):
            self.counts["refused"] += 1
            raise _RefusedError(
                503, "server busy, please try again.  maximum pending requests exceeded"
            )
        if self.truth.fault is Fault.HANGS:
            await asyncio.sleep(_FOREVER)
        started, speed, written = self.clock(), self.truth.speed(model), 0
        load = await self._hold(model)
        try:
            async with self._slots:
                await self._sleep(tokens_in / speed.prompt_tps)
                for end in _pieces(tokens_out):
                    await write()
                    await self._sleep((end - written) / speed.decode_tps)
                    written = end
        except BaseException:
            self.counts["wasted"] += written
            raise
        finally:
            async with self._changed:
                self._loaded[model].answering -= 1
                self._loaded[model].used = self.clock()
                self._changed.notify_all()
        self.counts["answers"] += 1
        self.counts["tokens"] += tokens_out
        return {
            "model": model,
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop",
            "total_duration": self._ns(self.clock() - started),
            "load_duration": self._ns(load),
            "prompt_eval_count": tokens_in,
            "prompt_eval_duration": self._ns(tokens_in / speed.prompt_tps),
            "eval_count": tokens_out,
            "eval_duration": self._ns(tokens_out / speed.decode_tps),
        }

    async def _hold(self, model: str) -> float:
        """Have the model loaded and in use; return the seconds of its load, 0 when it was."""
        if model in self._loaded:
            self._loaded[model].answering += 1
            return 0.0
        async with self._loader:
            if model in self._loaded:
                self._loaded[model].answering += 1
                return 0.0
            if len(self._loaded) >= self.truth.room:
                await self._evict()
            load = self.truth.speed(model).load_seconds
            self.counts["loads"] += 1
            await self._sleep(load)
            self._loaded[model] = _Loaded(answering=1, used=self.clock())
            return load

    async def _evict(self) -> None:
        async with self._changed:
            idle = [name for name, held in self._loaded.items() if not held.answering]
            victim = min(idle or self._loaded, key=lambda name: self._loaded[name].used)
            await self._changed.wait_for(lambda: not self._loaded[victim].answering)
            del self._loaded[victim]

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.scale)

    def _ns(self, seconds: float) -> int:
        """As the client's clock shows it."""
        return int(seconds * self.scale * 1e9)


def _pieces(tokens: int) -> list[int]:
    """Return the tokens written by the end of each part of an answer."""
    return [tokens * part // _PARTS for part in range(1, _PARTS + 1)]


class Send(Protocol):
    """Sends a part of a reply, its head before the first one."""

    async def __call__(self, part: bytes, status: int = 200) -> None: ...


class Endpoint:
    """The HTTP side of one host."""

    def __init__(self, server: Server, begin: Callable[[], None]) -> None:
        self._server = server
        self._begin = begin

    async def open(self) -> int:
        """Listen on a free port and return it; nobody listens on a dead host's."""
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = int(listener.sockets[0].getsockname()[1])
        if self._server.truth.fault is Fault.DEAD:
            listener.close()
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        work = asyncio.ensure_future(self._one(reader, writer))
        # A client that goes away frees its slot; a host that dies breaks what is open.
        try:
            while not work.done() and not self._server.is_dead:
                await asyncio.wait({work}, timeout=0.05)
                if reader.at_eof() and not work.done():
                    self._server.counts["cancelled"] += 1
                    break
        finally:
            work.cancel()
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            size = next(
                (int(line.split(":")[1]) for line in head.split("\r\n") if _is_length(line)), 0
            )
            body = await reader.readexactly(size)
            path = head.split(" ", 2)[1].split("?")[0]
            begun = False

            async def write(part: bytes, status: int = 200) -> None:
                nonlocal begun
                head = b"" if begun else f"HTTP/1.1 {status} -\r\n{_HEADERS}".encode()
                begun = True
                writer.write(head + part)
                await writer.drain()

            await self._reply(path, body, write)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    async def _reply(self, path: str, body: bytes, write: Send) -> None:
        truth = self._server.truth
        if path == "/api/chat":
            self._begin()
            asked = json.loads(body)
            streams = bool(asked.get("stream", True))

            async def part() -> None:
                if streams:
                    await write(f"{json.dumps(_part(asked['model']))}\n".encode())

            try:
                words = asked["messages"][-1]["content"].split()
                sizes = dict(word.split("=", 1) for word in words if "=" in word)
                model = str(asked["model"]).removesuffix(":latest")
                done = await self._server.answer(model, int(sizes["in"]), int(sizes["out"]), part)
            except _RefusedError as refused:
                await write(json.dumps({"error": str(refused)}).encode(), refused.status)
                return
            last = done if streams else {**done, "message": _part(model)["message"]}
            await write(f"{json.dumps(last)}\n".encode())
            return
        listed = {"/api/tags": list(truth.models), "/api/ps": self._server.loaded}
        if path in listed:
            models = [_listed(model) for model in listed[path]]
            await write(json.dumps({"models": models}).encode())
        elif path == "/api/show":
            await write(json.dumps({"details": {}, "model_info": {}}).encode())
        else:
            await write(json.dumps({"version": "0.35.0"}).encode())


def _part(model: str) -> dict[str, object]:
    said = {"role": "assistant", "content": "ok "}
    at = "2026-01-01T00:00:00Z"
    return {"model": model, "created_at": at, "message": said, "done": False}


def _is_length(line: str) -> bool:
    return line.lower().startswith("content-length:")


def identity(model: str) -> str:
    """Return what the product calls a model of these servers."""
    listed = _listed(model)
    return f"{listed['name']}@{listed['digest']}"


def _listed(model: str) -> dict[str, object]:
    name = f"{model}:latest"
    return {
        "name": name,
        "model": name,
        "digest": f"{sum(model.encode()):064x}",
        "size": 4 << 30,
        "size_vram": 4 << 30,
        "modified_at": "2026-01-01T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
        "context_length": 16384,
        "details": {"family": "qwen2"},
    }


async def serve(name: str, scale: float) -> None:
    """Serve the hosts of a scenario until standard input closes."""
    (scenario,) = [scenario for scenario in scenarios() if scenario.name == name]
    loop = asyncio.get_running_loop()
    begun: list[float] = []

    def begin() -> None:
        if not begun:
            begun.append(loop.time())

    def clock() -> float:
        return (loop.time() - begun[0]) / scale if begun else 0.0

    servers = [Server(host, scale, clock) for host in scenario.hosts]
    ports = {server.truth.name: await Endpoint(server, begin).open() for server in servers}
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    total: Counter[str] = Counter()
    for server in servers:
        total.update(server.counts)
    print(json.dumps(total), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2])))
