"""What a run leaves in its box, written when nothing of an agent's is alive any more."""

import shutil
from collections.abc import Mapping
from pathlib import Path


def leave_only(box: Path, files: Mapping[str, bytes]) -> None:
    """Empty `box` of all that was put there meanwhile, and write `files`."""
    for left in box.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    for name, content in files.items():
        path = box / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
