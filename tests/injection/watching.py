"""Watches everything outside a reply: files, git, sockets, processes, environment."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
_WRITES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")


@dataclass
class _Recorder:
    """What the audit hook saw while it was on."""

    is_on: bool = False
    home: Path = Path("/nonexistent")
    hosts: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    effects: list[str] = field(default_factory=list[str])

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event in _PROCESSES:
            self.effects.append(f"process: {arguments[:2]!r}")
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = (arguments[1][0], arguments[1][1])
            if host not in self.hosts:
                self.effects.append(f"connection: {host}")
        elif event == "open" and _is_write(arguments) and not self._is_ours(arguments[0]):
            self.effects.append(f"write: {arguments[0]!r}")
        elif event in _WRITES and not self._is_ours(arguments[0]):
            self.effects.append(f"{event}: {arguments[0]!r}")
        elif event in ("os.putenv", "os.unsetenv"):
            self.effects.append(f"environment: {arguments[0]!r}")

    def _is_ours(self, path: object) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return True  # a descriptor: what it was opened by was seen
        place = Path(os.path.realpath(os.fsdecode(path)))
        return place.is_relative_to(self.home) or str(place) in ("/dev/null", "/dev/shm")


_recorder = _Recorder()
sys.addaudithook(_recorder.hook)


def _is_write(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@dataclass
class World:
    """Everything that a reply must leave as it is. `effects` holds what changed all the same."""

    outside: Path
    repository: Path
    home: Path
    effects: list[str] = field(default_factory=list[str])

    @contextmanager
    def watched(self, *hosts: tuple[str, int]) -> Generator[None, None, None]:
        """Note what changes, from this process or elsewhere, while the block runs."""
        before = self.state()
        _recorder.home, _recorder.hosts = self.home.resolve(), set(hosts)
        _recorder.effects.clear()
        _recorder.is_on = True
        try:
            yield
        finally:
            _recorder.is_on = False
            self.effects += _recorder.effects
        after = self.state()
        self.effects += [
            f"{key}: {before.get(key)} became {after.get(key)}"
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]

    def state(self) -> dict[str, str]:
        """Return files, refs, variables and what the home holds, each by a name of its own."""
        state = {f"variable {name}": value for name, value in os.environ.items()}
        for folder in (self.outside, self.repository):
            for path in folder.rglob("*"):
                state[f"file {path}"] = (
                    hashlib.sha256(path.read_bytes()).hexdigest()
                    if path.is_file()
                    else os.readlink(path)
                    if path.is_symlink()
                    else "folder"
                )
        for line in _git(self.repository, "for-each-ref").splitlines():
            state[f"ref {line.split()[-1]}"] = line
        state["status"] = _git(self.repository, "status", "--porcelain")
        allowed = ("store", "records.sqlite", "cache")
        for path in self.home.iterdir():
            if not path.name.startswith(allowed):
                state[f"home {path.name}"] = "there"
        return state


class Trap:
    """A listener on loopback that nobody may reach."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self.address: tuple[str, int] = self._server.getsockname()
        threading.Thread(target=self._count, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._server.close()


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    return done.stdout
