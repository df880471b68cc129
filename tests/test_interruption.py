"""Ctrl-C and SIGTERM, at any time: the command ends soon, with its status, and leaves nothing."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable

SECONDS = 25.0
"""Less than what is under way here would take, and much more than its end does."""
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
WAITING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from rocm_pipeline import cli
from rocm_pipeline.__main__ import main
from rocm_pipeline.lab.sandbox import Limits, Sandbox, temporary_box

def wait(_):
    with temporary_box() as box:
        sandbox.run(["/bin/sh", "-c", "sleep 30"], box=box, limits=Limits(wall_seconds=30))

def command():
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.map(wait, range(4))
        print("ready", flush=True)
        list(waiting)

sandbox = Sandbox.detect()
cli.main = command
main()
"""
TALKING = """
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from rocm_pipeline import cli
from rocm_pipeline.__main__ import main
from rocm_pipeline.fleet.transport import Call, Deadlines, chat

def command():
    server = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    call = Call(model="any:1b", system="", prompt="yes?", options={}, is_loaded=True)
    ask = partial(chat, url, call, Deadlines(first_token=30, total=30))
    with ThreadPoolExecutor(1) as pool:
        answers = [pool.submit(ask) for _ in range(2)]
        print("ready", flush=True)
        [answer.result() for answer in answers]

cli.main = command
main()
"""
SERVING = """
from multiprocessing import forkserver
from rocm_pipeline import cli
from rocm_pipeline.__main__ import main

def command():
    forkserver.ensure_running()
    print("ready", flush=True)
    input()

cli.main = command
main()
"""


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """A child inherits what is ignored, as all that a shell starts in the background ignores."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number, _ in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def temporary() -> Iterator[Path]:
    # not pytest's own: the path of a server's socket must be short
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def stopped(program: str, number: signal.Signals, temporary: Path) -> "tuple[int, str]":
    """Send the signal once the program says that it is ready; return its status and last words."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            _, told = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    return process.returncode, told


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_runs_in_other_threads_are_ended(
    temporary: Path, number: signal.Signals, status: int
) -> None:
    try:
        Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be run here: {error}")
    assert stopped(WAITING, number, temporary) == (status, "")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_talks_with_servers_in_other_threads_are_ended(
    temporary: Path, number: signal.Signals, status: int
) -> None:
    assert stopped(TALKING, number, temporary) == (status, "")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_server_of_steps_leaves_no_folder(
    temporary: Path, number: signal.Signals, status: int
) -> None:
    assert stopped(SERVING, number, temporary) == (status, "")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_the_command_can_be_stopped_while_it_loads(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    (tmp_path / "typer.py").write_text(f"import os\nos.kill(os.getpid(), {number.value})\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "rocm_pipeline", "version"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
