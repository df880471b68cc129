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
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.fleet.scenarios import Fault, SimHost, scenarios

_HEADERS = "Content-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
_FOREVER = 1e9
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

    async def answer(self, model: str, tokens_in: int, tokens_out: int) -> dict[str, object]:
        """Return the final record of an answer, after the time it takes."""
        if model not in self.truth.models:
            raise _RefusedError(404, f'model "{model}" not found, try pulling it first')
        if self.truth.storms_at(self.clock()):
            self.counts["refused"] += 1
            raise _RefusedError(
                503, "server busy, please try again.  maximum pending requests exceeded"
            )
        if self.truth.fault is Fault.HANGS:
            await asyncio.sleep(_FOREVER)
        started, speed = self.clock(), self.truth.speed(model)
        load = await self._hold(model)
        try:
            async with self._slots:
                await self._sleep(speed.seconds(tokens_in, tokens_out))
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
            "total_duration": _ns(self.clock() - started),
            "load_duration": _ns(load),
            "prompt_eval_count": tokens_in,
            "prompt_eval_duration": _ns(tokens_in / speed.prompt_tps),
            "eval_count": tokens_out,
            "eval_duration": _ns(tokens_out / speed.decode_tps),
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


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


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
            status, reply = await self._reply(path, body)
            writer.write(f"HTTP/1.1 {status} -\r\n{_HEADERS}".encode() + reply)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    async def _reply(self, path: str, body: bytes) -> tuple[int, bytes]:
        truth = self._server.truth
        if path == "/api/chat":
            self._begin()
            asked = json.loads(body)
            try:
                words = asked["messages"][-1]["content"].split()
                sizes = dict(word.split("=", 1) for word in words if "=" in word)
                model = str(asked["model"]).removesuffix(":latest")
                done = await self._server.answer(model, int(sizes["in"]), int(sizes["out"]))
            except _RefusedError as refused:
                return refused.status, json.dumps({"error": str(refused)}).encode()
            if asked.get("stream", True):
                said = {"role": "assistant", "content": "ok"}
                first = {**done, "message": said, "done": False}
                return 200, f"{json.dumps(first)}\n{json.dumps(done)}\n".encode()
            said = {"role": "assistant", "content": "ok"}
            return 200, json.dumps({**done, "message": said}).encode()
        listed = {"/api/tags": list(truth.models), "/api/ps": self._server.loaded}
        if path in listed:
            models = [_listed(model) for model in listed[path]]
            return 200, json.dumps({"models": models}).encode()
        if path == "/api/show":
            return 200, json.dumps({"details": {}, "model_info": {}}).encode()
        return 200, json.dumps({"version": "0.35.0"}).encode()


def _is_length(line: str) -> bool:
    return line.lower().startswith("content-length:")


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
