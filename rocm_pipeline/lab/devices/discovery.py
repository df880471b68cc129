"""Which devices this machine has, and what is missing for the others."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rocm_pipeline.lab.devices.model import Absent, Driver, Kind
from rocm_pipeline.lab.sandbox import devices as nodes

_SYSTEM = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
_FOLDERS = {
    Kind.AMD: ("/opt/rocm/lib", "/opt/rocm/lib64", *_SYSTEM),
    Kind.NVIDIA: (*_SYSTEM, "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"),
}
_NAMES = {
    Kind.AMD: tuple(f"libamdhip64.so{version}" for version in (".7", ".6", ".5", "")),
    Kind.NVIDIA: ("libcuda.so.1",),
}
# What the drivers read there: topology, PCI addresses, clocks.
_SYSTEM_FACTS = {
    Kind.AMD: (
        *("/sys/class/kfd", "/sys/class/drm", "/sys/bus/pci", "/sys/devices"),
        *("/sys/module/amdgpu", "/sys/dev/char"),
    ),
    Kind.NVIDIA: ("/sys/bus/pci", "/sys/devices", "/sys/module/nvidia", "/sys/dev/char"),
}


def find(
    kind: Kind,
    number: int = 0,
    *,
    dev: Path = Path("/dev"),
    folders: Sequence[str] | None = None,
) -> Driver | Absent:
    """Return the driver of the GPU with this number, counted from 0, or what is missing."""
    found = nodes.amd_nodes(number, dev) if kind is Kind.AMD else nodes.nvidia_nodes(number, dev)
    if not found:
        return Absent(kind, _no_nodes(kind, number), _HOW_NODES[kind])
    closed = [str(path) for path in found.values() if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        fix = f"Add your user to the group of {closed[0]} (render or video) and log in again."
        return Absent(kind, f"{', '.join(closed)} may not be opened", fix)
    library = _library(kind, _FOLDERS[kind] if folders is None else folders)
    if library is None:
        return Absent(kind, f"no {_NAMES[kind][-1]}", _HOW_LIBRARY[kind])
    return driver_at(kind, library, found, number)


def driver_at(kind: Kind, library: Path, found: dict[str, Path], number: int = 0) -> Driver:
    """Return what a sandbox needs to use this library."""
    places = [Path(place) for place in _SYSTEM_FACTS[kind] if Path(place).is_dir()]
    if not library.is_relative_to("/usr"):
        # a ROCm installation's libraries look for each other beside themselves
        places.append(library.parent.parent if kind is Kind.AMD else library.parent)
    readonly = {str(place): place for place in places}
    return Driver(kind, library, readonly, found, number)


def _library(kind: Kind, folders: Iterable[str]) -> Path | None:
    for folder in folders:
        for name in _NAMES[kind]:
            path = Path(folder) / name
            if path.exists():
                # the folder by its own name, because /opt/rocm is a link
                return path.parent.resolve() / name
    return None


def _no_nodes(kind: Kind, number: int) -> str:
    if kind is Kind.AMD:
        return f"no /dev/kfd, or no /dev/dri/renderD* number {number}"
    return f"no /dev/nvidia{number}, /dev/nvidiactl or /dev/nvidia-uvm"


_HOW_NODES = {
    Kind.AMD: "Use a machine with an AMD GPU and the amdgpu kernel driver; in a container, pass "
    "--device /dev/kfd --device /dev/dri.",
    Kind.NVIDIA: "Use a machine with an NVIDIA GPU and its driver; in a container, pass "
    "--gpus all.",
}
_HOW_LIBRARY = {
    Kind.AMD: "Install ROCm's runtime (the package hip-runtime-amd, or libamdhip64).",
    Kind.NVIDIA: "Install NVIDIA's driver library; in a container, the container toolkit "
    "brings it.",
}
