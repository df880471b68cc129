"""The names that a file of an agent's may have: refused here, before anything is written.

A name is plain ASCII, so that no two names look alike or are one name to another file system, and
never one that git, a build, a test runner, continuous integration or another agent acts on.
"""

import re
from collections.abc import Iterable

MAX_PART = 255
MAX_PATH = 1000
MAX_DEPTH = 12

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_SHORT_GIT = re.compile(r"git~\d+", re.IGNORECASE)
_ACTED_ON_NAMES = """
    hooks node_modules __pycache__ site-packages head agents.md claude.md gemini.md copilot.md
    makefile gnumakefile cmakelists.txt dockerfile containerfile jenkinsfile vagrantfile
    codeowners procfile justfile conftest.py setup.py setup.cfg pyproject.toml pytest.ini
    tox.ini noxfile.py sitecustomize.py usercustomize.py package.json requirements.txt
    azure-pipelines.yml appveyor.yml bitbucket-pipelines.yml cloudbuild.yaml cargo.toml build.rs
    meson.build build.gradle pom.xml binding.gyp tsconfig.json
"""
_ACTED_ON = frozenset(_ACTED_ON_NAMES.split())
_ACTED_ON_SUFFIXES = (".pth", ".egg-link", ".code-workspace", ".lnk", ".desktop")


class PathRefusedError(ValueError):
    """The name may not be written; the message says why, in one line."""


def check_path(path: str) -> tuple[str, ...]:
    """Return the parts of a plain relative path; raises `PathRefusedError`."""
    reason = _reason_against(path)
    if reason:
        raise PathRefusedError(f"{path[:80]!a} may not be written: {reason}")
    return tuple(path.split("/"))


def check_paths(paths: Iterable[str]) -> None:
    """Check every path, and that no two are one file, or a file and a folder, anywhere."""
    taken: dict[str, str] = {}
    for path in paths:
        parts = check_path(path)
        folded = path.lower()
        if folded in taken:
            raise PathRefusedError(
                f"{path[:80]!a} may not be written: it is {taken[folded][:80]!a} to some systems"
            )
        taken[folded] = path
        for end in range(1, len(parts)):
            folder = "/".join(parts[:end])
            if taken.setdefault(f"{folder.lower()}/", folder) != folder:
                raise PathRefusedError(
                    f"{path[:80]!a} may not be written: its folder is there in another case"
                )
    for folded, path in taken.items():
        if f"{folded}/" in taken:
            raise PathRefusedError(f"{path[:80]!a} may not be written: it is a folder as well")


def _reason_against(path: str) -> str:
    if not path:
        return "it is empty"
    if any(not char.isprintable() for char in path):
        return "it holds a character that does not show"
    if not path.isascii():
        return "it holds characters that are not ASCII"
    if len(path) > MAX_PATH:
        return f"it is longer than {MAX_PATH} bytes"
    if path.startswith(("/", "~")) or "\\" in path or ":" in path:
        return "it is no path below the folder"
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        return f"it has more than {MAX_DEPTH} parts"
    return next((why for part in parts if (why := _reason_against_part(part))), "")


def _reason_against_part(part: str) -> str:
    if part in ("", ".", ".."):
        return "it leaves the folder or has an empty part"
    if len(part) > MAX_PART:
        return f"a part is longer than {MAX_PART} bytes"
    if part.startswith("."):
        return "a part begins with a dot"
    if part.startswith("-"):
        return "a part begins with a dash"
    if part.endswith((".", " ")):
        return "a part ends with a dot or a space"
    if _SHORT_GIT.fullmatch(part):
        return "it is git's own folder to some systems"
    if _DEVICE.fullmatch(part):
        return "it is a device to some systems"
    if part.lower() in _ACTED_ON or part.lower().endswith(_ACTED_ON_SUFFIXES):
        return "programs act on files of that name"
    return "" if _PART.fullmatch(part) else "it holds more than letters, digits, '_', '.' and '-'"
