import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox

Attack = Callable[..., Completed]


def test_a_program_reads_and_writes_its_box(sandbox: Sandbox, box: Path) -> None:
    (box / "in.txt").write_text("from the host")
    done = sandbox.run(["/bin/sh", "-c", "cat in.txt; pwd; echo made > out.txt"], box=box)
    assert (done.returncode, done.stdout, done.stderr) == (0, "from the host/box\n", "")
    assert (box / "out.txt").read_text() == "made\n"
    assert not done.timed_out
    assert not done.truncated
    assert 0 < done.seconds < 20


def test_a_box_made_under_a_tight_umask_can_still_be_used(sandbox: Sandbox, box: Path) -> None:
    (box / "deep").mkdir(mode=0o700)
    (box / "deep" / "in.txt").write_text("private")
    (box / "deep" / "in.txt").chmod(0o600)
    done = sandbox.run(["/bin/sh", "-c", "cat deep/in.txt && echo > deep/out"], box=box)
    assert done.stdout == "private"
    assert (box / "deep" / "out").exists()


def test_the_compiler_runs_inside(sandbox: Sandbox, box: Path) -> None:
    import ziglang

    toolchain = Path(str(ziglang.__file__)).parent
    (box / "k.hip").write_text(
        "__attribute__((amdgpu_kernel)) void k(int *p) { p[0] = 1; }\n", encoding="utf-8"
    )
    command = "clang -x c --target=amdgcn-amd-amdhsa -mcpu=gfx90a -nogpulib -S -o k.s k.hip"
    done = sandbox.run(
        ["/toolchain/zig", *command.split()], box=box, readonly={"/toolchain": toolchain}
    )
    assert done.returncode == 0, done.stderr
    assert ".amdhsa_kernel k" in (box / "k.s").read_text()


def test_the_environment_is_what_was_given_and_nothing_else(sandbox: Sandbox, box: Path) -> None:
    done = sandbox.run(["/usr/bin/env"], box=box, environment={"CASE": "a b=c"})
    names = {line.split("=")[0] for line in done.stdout.splitlines()}
    assert names == {"PATH", "HOME", "TMPDIR", "LANG", "CASE", "PWD"}
    assert "CASE=a b=c\n" in done.stdout


def test_only_the_three_standard_descriptors_are_open(attack: Attack) -> None:
    # os.listdir holds the fourth itself
    done = attack("import os; print(sorted(os.listdir('/proc/self/fd')))")
    assert done.stdout == "['0', '1', '2', '3']\n"


@pytest.mark.parametrize(
    ("command", "code"), [("exit 3", 3), ("kill -SEGV $$", -11), ("kill -KILL $$", -9)]
)
def test_the_way_a_program_ends_comes_back(
    sandbox: Sandbox, box: Path, command: str, code: int
) -> None:
    assert sandbox.run(["/bin/sh", "-c", command], box=box).returncode == code


def test_a_program_that_does_not_exist_is_a_result_and_not_an_error(
    sandbox: Sandbox, box: Path
) -> None:
    done = sandbox.run(["/box/none"], box=box)
    assert done.returncode == 127
    assert "/box/none" in done.stderr


def test_a_host_path_that_does_not_exist_is_an_error(sandbox: Sandbox, box: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sandbox.run(["/usr/bin/true"], box=box, readonly={"/x": box / "none"})
    with pytest.raises(FileNotFoundError):
        sandbox.run(["/usr/bin/true"], box=box / "none")


@pytest.mark.parametrize("place", ["relative", "/", "/a/../usr", "/usr/bin", "/box/x", "/proc"])
def test_a_bind_cannot_cover_the_sandbox_itself(
    sandbox: Sandbox, box: Path, tmp_path: Path, place: str
) -> None:
    with pytest.raises(ValueError, match=r"sandbox"):
        sandbox.run(["/usr/bin/true"], box=box, readonly={place: tmp_path})


def test_a_variable_cannot_smuggle_in_an_option(sandbox: Sandbox, box: Path) -> None:
    with pytest.raises(ValueError, match="NUL"):
        sandbox.run(["/usr/bin/true"], box=box, environment={"A": "b\0--share-net"})


def test_readonly_files_and_folders_below_a_private_folder_can_be_read_but_not_written(
    sandbox: Sandbox, box: Path, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    (private / "tools" / "lib").mkdir(parents=True)
    (private / "tools" / "lib" / "f").write_text("folder ")
    (private / "one").write_text("file ")
    private.chmod(0o700)
    done = sandbox.run(
        ["/bin/sh", "-c", "cat /t/lib/f /one; echo > /t/w || echo > /one || echo refused"],
        box=box,
        readonly={"/t": private / "tools", "/one": private / "one"},
    )
    assert done.stdout == "folder file refused\n"


def test_text_comes_back_without_escape_sequences(sandbox: Sandbox, box: Path) -> None:
    text = r"\033[31mred\033[0m\a\377\033]0;title\007 end\n"
    done = sandbox.run(["/usr/bin/printf", text], box=box)
    assert done.stdout == "red\ufffd end\n"


def test_eight_runs_at_once_do_not_disturb_each_other(
    sandbox: Sandbox, tmp_path: Path, python: str, interpreter: dict[str, Path]
) -> None:
    # 8 x 20 processes: more than the limit of one run, so each must be counted on its own.
    code = (
        "import subprocess, sys, time\n"
        "kids = [subprocess.Popen(['/bin/sleep', '1']) for _ in range(20)]\n"
        "open('who', 'w').write(sys.argv[1])\n"
        "print(sys.argv[1], sum(kid.wait() == 0 for kid in kids))\n"
    )

    def one(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        argv = [python, "-I", "-S", "-c", code, str(number)]
        done = sandbox.run(argv, box=folder, readonly=interpreter, limits=Limits(processes=24))
        return done.stdout + done.stderr + (folder / "who").read_text()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(one, range(8))) == [f"{n} 20\n{n}" for n in range(8)]


def test_a_run_leaves_no_descriptor_thread_or_mount_behind(sandbox: Sandbox, box: Path) -> None:
    def state() -> tuple[int, int, str]:
        mounts = Path("/proc/self/mountinfo").read_text()
        return len(os.listdir("/proc/self/fd")), threading.active_count(), mounts

    sandbox.run(["/usr/bin/true"], box=box)
    before = state()
    for _ in range(3):
        sandbox.run(["/usr/bin/true"], box=box)
        sandbox.run(["/bin/sleep", "5"], box=box, limits=Limits(wall_seconds=0.05))
    assert state() == before


def test_a_start_is_cheap_enough_for_thousands_of_candidates(sandbox: Sandbox, box: Path) -> None:
    seconds: list[float] = []
    for _ in range(10):
        began = time.monotonic()
        sandbox.run(["/usr/bin/true"], box=box)
        seconds.append(time.monotonic() - began)
    # 11 ms when idle; the bound leaves room for a busy machine
    assert sorted(seconds)[5] < 0.5


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a uid to give up")
def test_root_gives_up_its_uid(attack: Attack) -> None:
    done = attack("import os; print(os.getuid(), os.getgid(), os.getgroups())")
    uid, gid, groups = done.stdout.split(maxsplit=2)
    assert uid == gid != "0"
    assert groups.strip() == "[]"
