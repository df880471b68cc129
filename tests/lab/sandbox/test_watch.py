"""Root gives up its rights before a mechanism starts, and nothing of root's goes along."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable, temporary_box, watch
from rocm_pipeline.lab.sandbox.job import Mechanism
from rocm_pipeline.lab.sandbox.sandbox import complaints_about, mechanisms
from rocm_pipeline.lab.sandbox.staging import sandbox_uid

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")

NO_CAPABILITY = "0" * 16
UID = 61000

# In a process of its own, which holds groups that must not be handed on.
STARTER = (
    "import json, sys\n"
    "sys.path[:0] = sys.argv[2:]\n"
    "from rocm_pipeline.lab.sandbox.watch import start\n"
    "uid, groups = json.loads(sys.argv[1])\n"
    'shown = \'cat /proc/self/status; ls /proc/self/fd; tr "\\\\0" "\\\\n" < /proc/$$/environ\'\n'
    "process = start('/bin/sh', ['-c', shown], inherited=[], uid=uid, groups=groups)\n"
    "print(process.communicate(b'')[0].decode())\n"
)


def started(uid: int | None, groups: Sequence[int]) -> str:
    """What a program sees of itself that `start` has started, with groups 4 and 27 around it."""
    words = [json.dumps([uid, groups]), *filter(None, sys.path)]
    return subprocess.run(
        [sys.executable, "-c", STARTER, *words],
        extra_groups=[4, 27],
        env={"SECRET": "of-the-harness"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def fields(text: str) -> dict[str, str]:
    return {
        name: " ".join(value.split())
        for name, _, value in (line.partition(":\t") for line in text.splitlines())
        if value
    }


@pytest.mark.parametrize("groups", [[], [44], [7, 44]])
def test_a_mechanism_starts_as_another_user_with_the_asked_groups_alone(groups: list[int]) -> None:
    text = started(UID, groups)
    found = fields(text)
    assert found["Uid"] == found["Gid"] == " ".join([str(UID)] * 4)
    assert found.get("Groups", "").split() == [str(group) for group in groups]
    assert _capabilities(found) == {NO_CAPABILITY}
    # three standard ones, and the folder that ls reads
    assert text.splitlines().count("3") == 1
    assert "\n4\n" not in text
    assert "SECRET" not in text


def test_without_a_user_to_become_all_of_that_is_kept() -> None:
    found = fields(started(None, []))
    assert found["Uid"] == "0 0 0 0"
    assert found["Groups"] == "4 27"
    assert found["CapPrm"] != NO_CAPABILITY


def test_bubblewrap_itself_is_neither_root_nor_has_its_capabilities_or_groups() -> None:
    seen = _seen_while_running("bubblewrap", "bwrap")
    assert len(seen) == 2, "the one outside, and the init of the sandbox"
    for found in seen:
        assert found["Uid"] == found["Gid"] == " ".join([str(sandbox_uid())] * 4)
        assert found.get("Groups", "") == ""
        assert _capabilities(found) == {NO_CAPABILITY}


def test_the_command_behind_landlock_is_neither_root_nor_could_become_it() -> None:
    # its launcher stays root, outside the walls: it alone can end what it started
    (found,) = _seen_while_running("landlock", "sleep")
    assert found["Uid"] == found["Gid"]
    assert "0" not in found["Uid"].split()
    assert found.get("Groups", "") == ""
    assert _capabilities(found) | {found["CapBnd"]} == {NO_CAPABILITY}
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_where_setpriv_is_missing_bubblewrap_is_not_started_as_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "_SETPRIV", "/usr/bin/no-such-setpriv")
    (complaint,) = complaints_about(_mechanism("bubblewrap"))
    assert "no-such-setpriv is missing" in complaint
    with temporary_box() as box, pytest.raises(SandboxUnavailable, match="util-linux"):
        Sandbox(_mechanism("bubblewrap")).run(["/usr/bin/true"], box=box)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ('exec "$@"', "it runs as root"),
        ("echo setgroups failed >&2; exit 1", "setgroups failed"),
    ],
)
def test_a_setpriv_that_does_not_change_the_user_is_noticed(
    monkeypatch: pytest.MonkeyPatch, script: str, complaint: str
) -> None:
    def useless(uid: int, groups: Sequence[int]) -> list[str]:
        del uid, groups
        return ["/bin/sh", "-c", script, "sh"]

    monkeypatch.setattr(watch, "_as_user", useless)
    found = complaints_about(_mechanism("bubblewrap"))
    assert any(complaint in each for each in found), found


def _mechanism(name: str) -> Mechanism:
    return next(each for each in mechanisms() if each.name == name)


def _capabilities(found: Mapping[str, str]) -> set[str]:
    return {found[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")}


def _seen_while_running(mechanism: str, program: str) -> list[dict[str, str]]:
    """The status of each process of this name that belongs to a run, once its command runs."""
    sandbox = Sandbox(_mechanism(mechanism))
    seconds = f"{3 + os.getpid() / 1e8:.8f}"
    command = f"/bin/sleep\0{seconds}\0".encode()
    with temporary_box() as box:
        argv = ["/bin/sleep", seconds]
        run = threading.Thread(target=sandbox.run, args=(argv,), kwargs={"box": box})
        run.start()
        end = time.monotonic() + 3
        while command not in (lines := _command_lines()).values():
            assert time.monotonic() < end, "the command was never seen"
            time.sleep(0.02)
        seen = [
            fields(Path(f"/proc/{pid}/status").read_text())
            for pid, line in lines.items()
            # bubblewrap is told the command, in both of its processes
            if seconds.encode() in line and Path(f"/proc/{pid}/comm").read_text() == f"{program}\n"
        ]
        run.join()
    return seen


def _command_lines() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found[folder.name] = (folder / "cmdline").read_bytes()
    return found
