"""The operator check where no user namespace can be made: the places inside are real paths there.

A program that has such a place written into it would not find it.
"""

import sys
from pathlib import Path

import pytest

from rocm_pipeline.integration.inside import family
from rocm_pipeline.integration.job import Check
from rocm_pipeline.integration.verify import verify
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.sandbox.landlock import OLDEST, LandlockMechanism, landlock_version
from rocm_pipeline.targets.spec import Target
from tests.integration.conftest import LibrariesOf, package_of

pytestmark = pytest.mark.skipif(
    landlock_version() < OLDEST, reason=f"this kernel has no Landlock {OLDEST} (Linux 6.12)"
)


@pytest.fixture
def landlock() -> Sandbox:
    """As for one who is not root."""
    return Sandbox(LandlockMechanism(None, own_files=False))


@pytest.mark.torch
def test_an_operator_is_judged_behind_landlock_as_well(
    small_softmax: Target, libraries_of: LibrariesOf, landlock: Sandbox
) -> None:
    only = (Check.LOAD, Check.KERNEL_USED, Check.FORWARD)
    target = small_softmax
    evidence = verify(package_of(target), target, libraries_of(target), landlock, seed=3, only=only)
    assert [(c.message, c.status) for c in map(evidence.record, only)] == [("", Status.PASSED)] * 3


DAEMON = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import family
family.harden()
reading, writing = os.pipe()
other = os.open("/dev/null", os.O_RDONLY)
if os.fork() == 0:
    family.keep_only(writing)
    try: os.fstat(other)
    except OSError: os.write(writing, b"closed ")
    os.setsid()
    daemon = os.fork()
    if daemon == 0: time.sleep(60)
    os.write(writing, b"%d" % daemon)
    os._exit(0)
os.close(writing)
os.wait()
closed, daemon = os.read(reading, 100).decode().split()
os.kill(int(daemon), 0)
family.end_all()
try: os.kill(int(daemon), 0)
except ProcessLookupError: print(closed, "ended")
"""


@pytest.mark.parametrize("own_files", [False, True])
def test_a_daemon_of_an_operator_ends_where_no_process_can_be_seen(
    tmp_path: Path, own_files: bool
) -> None:
    prefix = Path(sys.base_prefix)
    python = {} if prefix.is_relative_to("/usr") else {str(prefix): prefix}
    done = Sandbox(LandlockMechanism(None, own_files=own_files)).run(
        [str(prefix / "bin" / "python3"), "-I", "-S", "-c", DAEMON, "/inside"],
        box=tmp_path,
        readonly={**python, "/inside": Path(str(family.__file__)).parent},
    )
    assert (done.stdout, done.stderr) == ("closed ended\n", "")


def test_nothing_is_killed_where_neither_processes_are_seen_nor_signals_held_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hidden(_: str) -> list[str]:
        raise PermissionError

    def kill(pid: int, number: int) -> None:
        assert number == 0, f"killed {pid}"

    monkeypatch.setattr(family.os, "listdir", hidden)
    monkeypatch.setattr(family.os, "kill", kill)
    with pytest.raises(RuntimeError, match="signals are held back"):
        family.end_all()
