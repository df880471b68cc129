"""What is found on a machine, and what is said of what is missing."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.devices.discovery import driver_at, find
from rocm_pipeline.lab.devices.model import Absent, Driver, Kind


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A /dev with an AMD and an NVIDIA GPU; plain files, because nothing opens them."""
    folder = tmp_path / "dev"
    (folder / "dri").mkdir(parents=True)
    for name in ("kfd", "dri/renderD128", "dri/renderD129", "nvidiactl", "nvidia-uvm", "nvidia0"):
        (folder / name).touch()
    return folder


def _folder(path: Path, name: str) -> list[str]:
    path.mkdir(parents=True)
    (path / name).touch()
    return [str(path)]


@pytest.mark.parametrize("kind", [Kind.AMD, Kind.NVIDIA])
def test_without_nodes_it_says_how_to_get_them(kind: Kind, tmp_path: Path) -> None:
    found = find(kind, dev=tmp_path)
    assert isinstance(found, Absent)
    assert "/dev/" in found.reason
    assert "container" in found.fix


@pytest.mark.parametrize("kind", [Kind.AMD, Kind.NVIDIA])
def test_without_a_library_it_says_what_to_install(kind: Kind, dev: Path, tmp_path: Path) -> None:
    found = find(kind, dev=dev, folders=[str(tmp_path)])
    assert isinstance(found, Absent)
    assert found.reason.startswith("no lib")
    assert "Install" in found.fix


def test_only_the_nodes_of_the_chosen_gpu_are_given(dev: Path, tmp_path: Path) -> None:
    folders = _folder(tmp_path / "rocm" / "lib", "libamdhip64.so.6")
    found = find(Kind.AMD, 1, dev=dev, folders=folders)
    assert isinstance(found, Driver)
    assert set(found.nodes) == {"/dev/kfd", "/dev/dri/renderD129"}


def test_the_newest_library_is_taken_with_its_whole_installation(dev: Path, tmp_path: Path) -> None:
    folders = _folder(tmp_path / "rocm-6.3" / "lib", "libamdhip64.so.6")
    (tmp_path / "rocm-6.3" / "lib" / "libamdhip64.so.7").touch()
    (tmp_path / "rocm").symlink_to("rocm-6.3")
    found = find(Kind.AMD, dev=dev, folders=[str(tmp_path / "rocm" / "lib"), *folders])
    assert isinstance(found, Driver)
    assert found.library == tmp_path / "rocm-6.3" / "lib" / "libamdhip64.so.7"
    assert found.readonly[str(tmp_path / "rocm-6.3")] == tmp_path / "rocm-6.3"


def test_a_system_library_needs_no_folder_of_its_own() -> None:
    found = driver_at(Kind.NVIDIA, Path("/usr/lib/x86_64-linux-gnu/libcuda.so.1"), {})
    assert all(place.startswith("/sys/") for place in found.readonly)
