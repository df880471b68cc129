"""Which harness gave a verdict: the hash of everything of ours that a verdict depends on."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from rocm_pipeline.versions import files_sha256

_PATTERNS = (
    "lab/**/*",
    "targets/*.py",
    "errors.py",
    "interruption.py",
    "user_files.py",
    "redaction/cutting.py",
    "strict_yaml.py",
    "versions.py",
)
"""The harness with its headers and facts, and the code that it is built on. The data of a target
has a hash of its own; numpy's version is compared apart, with the machine's arithmetic."""


@cache
def harness_sha256() -> str:
    """Return the hash of the harness that is installed here."""
    package = Path(str(files("rocm_pipeline")))
    return files_sha256(package, judging_files(package))


def judging_files(package: Path) -> Iterator[Path]:
    """Yield what a verdict depends on of a copy of our package."""
    for pattern in _PATTERNS:
        yield from package.glob(pattern)
