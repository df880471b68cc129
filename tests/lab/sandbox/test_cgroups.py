import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Limits, Sandbox, cgroups

V1 = "9:name=systemd:/\n8:pids:/user\n4:cpu,memory:/user/a\n0::/\n"


def _folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def test_version_1_is_found_by_the_controllers_of_our_own_group(tmp_path: Path) -> None:
    memory = _folder(tmp_path / "memory" / "user" / "a")
    pids = _folder(tmp_path / "pids" / "user")
    tree = cgroups.find(tmp_path, V1)
    assert tree is not None
    assert (tree.version, tree.parents) == (1, {"memory": memory, "pids": pids})
    assert tree.identity == "cgroup v1 (memory, pids)"


def test_version_2_is_used_where_the_tree_was_handed_to_us(tmp_path: Path) -> None:
    own = "0::/user.slice/app.slice/us.scope\n"
    slice_ = _folder(
        tmp_path / "user.slice" / "app.slice",
        cgroup__subtree_control="cpu memory pids",
        cgroup__procs="",
    )
    _folder(slice_ / "us.scope", cgroup__subtree_control="", cgroup__procs="")
    tree = cgroups.find(tmp_path, own)
    assert tree == cgroups.Tree(2, {"memory": slice_, "pids": slice_})
    (slice_ / "cgroup.subtree_control").write_text("cpu memory")
    assert cgroups.find(tmp_path, own) is None


def test_each_version_gets_its_own_ceilings() -> None:
    limits = Limits(processes=7)
    total = limits.total_memory_bytes
    ceilings = cgroups._ceilings  # pyright: ignore[reportPrivateUsage]
    assert ceilings(1, "pids", limits) == ceilings(2, "pids", limits) == {"pids.max": 7}
    assert ceilings(1, "memory", limits)["memory.limit_in_bytes"] == total
    assert ceilings(2, "memory", limits) == {
        "memory.max": total,
        "memory.swap.max": 0,
        "memory.oom.group": 1,
    }


@pytest.fixture
def tree() -> cgroups.Tree:
    found = cgroups.usable()
    if found is None:
        pytest.skip("this machine lets us make no control groups")
    return found


def test_a_group_limits_what_is_in_it_and_is_gone_afterwards(tree: cgroups.Tree) -> None:
    code = "import sys; sys.stdin.read(); held = bytearray(96 << 20); print('WORKED')"
    limits = Limits(memory_bytes=32 << 20, box_bytes=16 << 20, processes=4)

    def run(*groups: cgroups.Group) -> subprocess.CompletedProcess[str]:
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            for group in groups:
                group.add(process.pid)
            out, _ = process.communicate("")
            return subprocess.CompletedProcess(process.args, process.returncode, out)

    assert run().stdout == "WORKED\n"
    with cgroups.group(tree, limits) as group:
        assert run(group).returncode == -9
        folders = list(group.folders)
        assert all(folder.is_dir() for folder in folders)
    assert not any(folder.exists() for folder in folders)


def test_what_a_killed_harness_left_is_ended_and_removed(tree: cgroups.Tree) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    names = [folder / f"rocm-pipeline-{gone.pid}-1-0" for folder in tree.folders]
    with subprocess.Popen(["/bin/sleep", "60"]) as left:
        for folder in names:
            folder.mkdir()
            (folder / "cgroup.procs").write_text(str(left.pid))
        assert set(cgroups.remove_stale(tree)) >= {names[0].name}
        assert left.wait(5) == -9
    assert not any(folder.exists() for folder in names)


def test_the_groups_of_a_living_harness_stay(tree: cgroups.Tree) -> None:
    with cgroups.group(tree, Limits()) as group:
        cgroups.remove_stale(tree)
        assert all(folder.is_dir() for folder in group.folders)


def test_a_run_is_in_its_group_and_leaves_none_behind(
    tree: cgroups.Tree, sandbox: Sandbox, box: Path
) -> None:
    assert sandbox.identity.endswith(tree.identity)
    done = sandbox.run(["/bin/cat", "/proc/self/cgroup"], box=box)
    assert done.stdout.count(f"rocm-pipeline-{os.getpid()}-") == len(tree.folders)
    time.sleep(0.05)
    for folder in tree.folders:
        assert not list(folder.glob(f"rocm-pipeline-{os.getpid()}-*"))
