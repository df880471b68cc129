"""What attacks reach for: secrets, listeners, processes and shared memory of the test's own."""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

CANARY = "canary-5d1f0c"
# in two parts, because every attack is told of it on its own command line
_MARKER = ["victim-", "of-the-test"]
_IPC_CREAT, _IPC_RMID = 0o1000, 0
_VICTIM = (
    "import ctypes, sys\n"
    "held = ctypes.create_string_buffer(b'secret!!')\n"
    "print(ctypes.addressof(held), flush=True)\n"
    "sys.stdin.read()\n"
)


@contextlib.contextmanager
def world(clang: list[str]) -> Generator[dict[str, object], None, None]:
    """Set everything up where only the sandbox, and no file mode, is in the way."""
    with contextlib.ExitStack() as stack:
        # not below a test's folder, which is private to us: that alone would stop another uid
        folder = Path(tempfile.mkdtemp(prefix="sandbox-world-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o777)
        (folder / "secret").write_text(f'"{CANARY}"\n')
        for name in ("owned", "removable"):
            (folder / name).write_text("content")
            (folder / name).chmod(0o666)
        shm = Path("/dev/shm") / folder.name
        shm.write_text("x")
        shm.chmod(0o666)
        stack.callback(shm.unlink)
        victim = stack.enter_context(_victim())
        assert victim.stdout is not None
        yield {
            "canary": CANARY,
            "secret": str(folder / "secret"),
            "public": str(folder),
            "owned": str(folder / "owned"),
            "removable": str(folder / "removable"),
            "shm": str(shm),
            "harness": os.getpid(),
            "victim": victim.pid,
            "address": int(victim.stdout.readline()),
            "marker": _MARKER,
            "clang": clang,
            **_listeners(stack, folder),
            **_shared(stack),
        }


@contextlib.contextmanager
def _victim() -> Generator["subprocess.Popen[str]", None, None]:
    argv = [sys.executable, "-I", "-S", "-c", _VICTIM, "".join(_MARKER)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"KEY": CANARY}
    ) as victim:
        try:
            yield victim
        finally:
            victim.kill()


def _listeners(stack: contextlib.ExitStack, folder: Path) -> dict[str, object]:
    tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    tcp6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind(("127.0.0.1", 0))
    threading.Thread(target=_echo, args=(udp,), daemon=True).start()
    # of this world, not of this process: another may follow in it while a thread still accepts
    name = folder.name
    for address in ("\0" + name, str(folder / "socket")):
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(address)
        server.listen()
    (folder / "socket").chmod(0o777)
    return {
        **_givers(stack, folder),
        "tcp": tcp.getsockname()[1],
        "tcp6": tcp6.getsockname()[1],
        "udp": udp.getsockname()[1],
        "abstract": name,
        "socket": str(folder / "socket"),
    }


def _givers(stack: contextlib.ExitStack, folder: Path) -> dict[str, object]:
    """Listeners that hand out the secret's descriptor and take what they are handed."""
    abstract = f"\0{folder.name}-giver"
    for address in (abstract, str(folder / "giver")):
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(address)
        server.listen()
        arguments = (server, str(folder / "secret"))
        threading.Thread(target=_give_and_take, args=arguments, daemon=True).start()
    for address in (abstract + "-datagrams", str(folder / "datagrams")):
        taker = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        taker.bind(address)
    for name in ("giver", "datagrams"):
        (folder / name).chmod(0o777)
    return {
        "giver": {"abstract": abstract, "path": str(folder / "giver")},
        "datagrams": {"abstract": abstract + "-datagrams", "path": str(folder / "datagrams")},
    }


def _give_and_take(server: socket.socket, secret: str) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection, open(secret, "rb") as file, contextlib.suppress(OSError):
                connection.settimeout(5)
                socket.send_fds(connection, [b"x"], [file.fileno()])
                _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
                for descriptor in descriptors:
                    os.close(descriptor)
                    connection.send(b"got")


def _echo(udp: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data, sender = udp.recvfrom(10)
            udp.sendto(data, sender)


def _shared(stack: contextlib.ExitStack) -> dict[str, object]:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(0, 4096, _IPC_CREAT | 0o666)
    queue = libc.msgget(0, _IPC_CREAT | 0o666)
    assert segment >= 0
    assert queue >= 0
    stack.callback(libc.shmctl, segment, _IPC_RMID, None)
    stack.callback(libc.msgctl, queue, _IPC_RMID, None)
    where = libc.shmat(segment, None, 0)
    ctypes.memmove(where, b"secret", 6)
    message = (1).to_bytes(8, "little") + b"secret"
    assert libc.msgsnd(queue, message, 6, 0) == 0
    return {"segment": segment, "queue": queue}
