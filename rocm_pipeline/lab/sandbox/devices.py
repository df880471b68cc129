"""Device nodes that a run may be given: those of one GPU, and no others."""

import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

_GPU_NODE = re.compile(
    r"/dev/kfd|/dev/dri/renderD\d+|/dev/nvidia(\d+|ctl|-uvm|-uvm-tools)|/dev/nvidia-caps/[\w-]+"
)


def amd_nodes(number: int = 0, dev: Path = Path("/dev")) -> dict[str, Path]:
    """The nodes of the AMD GPU with this render number (counted from 0); empty when not there."""
    renders = sorted(
        (path for path in dev.glob("dri/renderD*")),
        key=lambda path: int(path.name[len("renderD") :]),
    )
    compute = dev / "kfd"
    if not compute.exists() or number >= len(renders):
        return {}
    return {"/dev/kfd": compute, f"/dev/dri/{renders[number].name}": renders[number]}


def nvidia_nodes(number: int = 0, dev: Path = Path("/dev")) -> dict[str, Path]:
    """The nodes of one NVIDIA GPU; empty when not there."""
    names = ("nvidiactl", "nvidia-uvm", f"nvidia{number}")
    if not all((dev / name).exists() for name in names):
        return {}
    return {f"/dev/{name}": dev / name for name in names}


def check(devices: Mapping[str, Path]) -> None:
    """Raises ValueError unless every place is a GPU's and every source is a character device."""
    for place, source in devices.items():
        if not _GPU_NODE.fullmatch(place):
            raise ValueError(f"{place!r} is not the device node of a GPU")
        if not stat.S_ISCHR(source.stat().st_mode):
            raise ValueError(f"{source} is not a character device")


def groups(sources: Iterable[Path]) -> list[int]:
    """The groups that may use these nodes (`render`, `video`), never root's."""
    return sorted({source.stat().st_gid for source in sources} - {0})
