from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox, cgroups, devices
from rocm_pipeline.lab.sandbox.landlock import LandlockMechanism
from rocm_pipeline.lab.sandbox.sandbox import complaints_about

LIST = "find /dev -mindepth 1 -not -path '/dev/fd/*' | sort; echo x > /dev/kfd && echo written"


def test_a_run_sees_the_gpu_nodes_that_it_was_given_and_no_other(
    sandbox: Sandbox, box: Path
) -> None:
    before = sandbox.run(["/bin/sh", "-c", LIST], box=box).stdout.splitlines()
    # /dev/null stands in for the nodes of a GPU
    given = {"/dev/kfd": Path("/dev/null"), "/dev/dri/renderD128": Path("/dev/null")}
    after = sandbox.run(["/bin/sh", "-c", LIST], box=box, devices=given)
    assert set(after.stdout.splitlines()) - set(before) == {
        "/dev/dri",
        "/dev/dri/renderD128",
        "/dev/kfd",
        "written",
    }
    always = "core fd full null ptmx pts pts/ptmx random shm stderr stdin stdout tty urandom zero"
    assert set(before) <= {f"/dev/{name}" for name in (*always.split(), "console")}


@pytest.mark.parametrize("own_files", [True, False])
def test_landlock_opens_the_nodes_that_it_was_given_and_no_other(
    box: Path, own_files: bool
) -> None:
    mechanism = LandlockMechanism(cgroups.usable(), own_files=own_files)
    assert complaints_about(mechanism) == []
    # /dev/full stands in for the node of a GPU; it can only be elsewhere in files of one's own
    node = "/dev/kfd" if "own files" in mechanism.identity else "/dev/full"
    reading = f"head -c 1 {node} > /dev/null && echo opened"
    writing = f"dd if=/dev/zero of={node} count=1 conv=notrunc 2>&1 | grep -o 'No space'"
    command = ["/bin/sh", "-c", f"{reading}; {writing}"]
    assert Sandbox(mechanism).run(command, box=box).stdout == ""
    given = {"/dev/kfd": Path("/dev/full")}
    done = Sandbox(mechanism).run(command, box=box, devices=given)
    assert done.stdout == "opened\nNo space\n", done.stderr


@pytest.mark.parametrize("place", ["/dev/sda", "/dev/kfd/x", "/dev/dri/card0", "/dev/mem", "/x"])
def test_a_place_that_is_no_gpu_node_is_refused(sandbox: Sandbox, box: Path, place: str) -> None:
    with pytest.raises(ValueError, match="not the device node of a GPU"):
        sandbox.run(["/usr/bin/true"], box=box, devices={place: Path("/dev/null")})


def test_a_source_that_is_no_device_is_refused(sandbox: Sandbox, box: Path) -> None:
    with pytest.raises(ValueError, match="not a character device"):
        sandbox.run(["/usr/bin/true"], box=box, devices={"/dev/kfd": box})
    with pytest.raises(FileNotFoundError):
        sandbox.run(["/usr/bin/true"], box=box, devices={"/dev/kfd": box / "none"})


def test_the_nodes_of_one_gpu_are_found(tmp_path: Path) -> None:
    assert devices.amd_nodes(dev=tmp_path) == devices.nvidia_nodes(dev=tmp_path) == {}
    (tmp_path / "dri").mkdir()
    for name in ("kfd", "dri/card0", "dri/renderD128", "dri/renderD129", "nvidiactl", "nvidia0"):
        (tmp_path / name).touch()
    second = tmp_path / "dri" / "renderD129"
    found = {"/dev/kfd": tmp_path / "kfd", "/dev/dri/renderD129": second}
    assert devices.amd_nodes(1, dev=tmp_path) == found
    assert devices.amd_nodes(2, dev=tmp_path) == {}
    assert devices.nvidia_nodes(dev=tmp_path) == {}
    (tmp_path / "nvidia-uvm").touch()
    assert set(devices.nvidia_nodes(dev=tmp_path)) == {
        "/dev/nvidiactl",
        "/dev/nvidia-uvm",
        "/dev/nvidia0",
    }
