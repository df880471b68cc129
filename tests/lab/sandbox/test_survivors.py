"""Nothing of a run lives on, whoever ends first."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox

Attack = Callable[..., Completed]


def marked(marker: str) -> list[str]:
    """The pids whose command line holds `marker`, anywhere on this machine."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


DAEMON = (
    "import os, signal, sys, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "    if os.fork() == 0:\n"
    "        for fd in (0, 1, 2): os.close(fd)\n"
    "        while True:\n"
    "            open('alive', 'a').write('x')\n"
    "            time.sleep(0.01)\n"
    "    os._exit(0)\n"
    "time.sleep(float(sys.argv[2]))\n"
)


@pytest.mark.parametrize(("stays", "limit"), [("60", 1.0), ("0.3", 20.0)])
def test_nothing_survives_the_end_of_a_run(
    attack: Attack, box: Path, stays: str, limit: float
) -> None:
    marker = f"daemon-{os.getpid()}-{stays}"
    seen: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.extend(marked(marker))

    watcher = threading.Thread(target=look)
    watcher.start()
    began = time.monotonic()
    done = attack(DAEMON, marker, stays, limits=Limits(wall_seconds=limit))
    size = (box / "alive").stat().st_size
    left = marked(marker)
    over.set()
    watcher.join()
    assert seen, "the daemon was never seen, so its absence proves nothing"
    assert left == []
    time.sleep(0.1)
    assert (box / "alive").stat().st_size == size > 0
    assert done.timed_out == (stays == "60")
    assert done.returncode == (-9 if done.timed_out else 0)
    assert time.monotonic() - began < 5


def test_a_run_that_is_killed_at_once_leaves_nothing(sandbox: Sandbox, box: Path) -> None:
    marker = f"sleeper-{os.getpid()}"
    for milliseconds in range(1, 31):
        limits = Limits(wall_seconds=milliseconds / 1000)
        command = f": {marker}; sleep 60; :"
        assert sandbox.run(["/bin/sh", "-c", command], box=box, limits=limits).timed_out
    time.sleep(0.2)
    assert marked(marker) == []


HARNESS = (
    "import ctypes, os, sys, tempfile; from pathlib import Path\n"
    "ctypes.CDLL(None).prctl(36, 1)\n"  # PR_SET_CHILD_SUBREAPER, as the init of a container is
    "sys.path[:0] = sys.argv[1:]\n"
    "from rocm_pipeline.lab.sandbox import Limits, Sandbox, temporary_box\n"
    "from rocm_pipeline.lab.sandbox.sandbox import mechanisms\n"
    "name = input()\n"
    "sandbox = Sandbox(next(each for each in mechanisms() if each.name == name))\n"
    "with temporary_box() as box:\n"
    "    for command in ('true', 'sleep 9 & true', 'sleep 9'):\n"
    "        sandbox.run(['/bin/sh', '-c', command], box=box, limits=Limits(wall_seconds=0.3))\n"
    "    children = Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()\n"
    "    print('children', children, flush=True)\n"
    "    sandbox.run(['/bin/sh', '-c', ': ' + input() + '; sleep 60; :'], box=box)\n"
)


@pytest.mark.parametrize("mechanism", ["bubblewrap", "landlock"])
def test_a_run_dies_with_the_harness_and_leaves_it_no_zombie(
    python: str, tmp_path: Path, mechanism: str
) -> None:
    marker = f"orphan-{os.getpid()}-{mechanism}"
    # The marker is not in the harness's own command line.
    argv = [python, "-c", HARNESS, *filter(None, sys.path)]
    environment = {"TMPDIR": str(tmp_path)}  # a killed harness leaves its box
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stdin is not None
        assert harness.stdout is not None
        harness.stdin.write(f"{mechanism}\n{marker}\n")
        harness.stdin.flush()
        assert harness.stdout.readline() == "children []\n"
        _wait_until(lambda: len(marked(marker)) > 0)
        time.sleep(0.2)
        harness.kill()
    _wait_until(lambda: marked(marker) == [])


EARLY = (
    "import sys, time; from pathlib import Path\n"
    "sys.path[:0] = sys.argv[1:]\n"
    "from rocm_pipeline.lab.sandbox import Sandbox, temporary_box\n"
    "sandbox = Sandbox.detect()\n"
    "with temporary_box() as box:\n"
    "    command = ': ' + input() + '; sleep 60; :'\n"
    "    print('starting', flush=True)\n"
    "    sandbox.run(['/bin/sh', '-c', command], box=box)\n"
)


def test_a_harness_killed_while_it_starts_a_run_leaves_nothing_running(
    python: str, tmp_path: Path
) -> None:
    marker = f"early-{os.getpid()}"
    argv = [python, "-c", EARLY, *filter(None, sys.path)]
    for step in range(12):
        with subprocess.Popen(
            argv,
            env={"TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as harness:
            assert harness.stdin is not None
            assert harness.stdout is not None
            harness.stdin.write(marker + "\n")
            harness.stdin.flush()
            assert harness.stdout.readline() == "starting\n"
            while not _started_bubblewrap(harness.pid):
                pass
            time.sleep(step * 0.0005)
            harness.kill()
    # bubblewrap itself may be left, waiting before its set-up; what it was to run may not.
    _wait_until(lambda: not any(_program(pid) == "sh" for pid in marked(marker)))
    for pid in marked(marker):
        os.kill(int(pid), signal.SIGKILL)


def _started_bubblewrap(pid: int) -> bool:
    for thread in Path("/proc", str(pid), "task").iterdir():
        with contextlib.suppress(OSError):  # a thread has ended
            children = (thread / "children").read_text().split()
            if any(_program(child) == "bwrap" for child in children):
                return True
    return False


def _program(pid: str) -> str:
    try:
        return Path("/proc", pid, "comm").read_text().strip()
    except OSError:
        return ""


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not happen within 10 s"
        time.sleep(0.02)


def test_a_fork_bomb_ends_with_its_time(attack: Attack) -> None:
    began = time.monotonic()
    done = attack(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        f"bomb-{os.getpid()}",
        limits=Limits(wall_seconds=1.0, cpu_seconds=5),
    )
    assert done.timed_out
    assert time.monotonic() - began < 10
    assert marked(f"bomb-{os.getpid()}") == []
