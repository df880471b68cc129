"""Which repository files a planner should see first, by what they have to do with the baseline."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from rocm_pipeline.targets.spec import Target


class Why(str, Enum):
    """What a file is to the baseline, in the order in which files are taken."""

    BASELINE = "holds the baseline kernel"
    HEADER = "included by the baseline"
    CALLER = "names the baseline kernel"
    WATCHED = "watched by the target"


@dataclass(frozen=True)
class RankedFile:
    path: str
    text: str
    why: Why


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+)[">]', re.MULTILINE)


def ranked(target: Target, files: Mapping[str, str]) -> tuple[RankedFile, ...]:
    """Return all `files`: baseline, headers, callers, others; within one group by path."""
    kernels = target.kernel_names(target.baseline.launch_plan)
    own = {path for path, text in files.items() if _holds(target, kernels, text)}
    headers = _included(files, own, target.baseline.source)
    word = re.compile(rf"\b(?:{'|'.join(map(re.escape, kernels))})\b")

    def why(path: str) -> Why:
        if path in own:
            return Why.BASELINE
        if path in headers:
            return Why.HEADER
        return Why.CALLER if word.search(files[path]) else Why.WATCHED

    order = list(Why)
    found = [RankedFile(path, files[path], why(path)) for path in sorted(files)]
    return tuple(sorted(found, key=lambda file: order.index(file.why)))


def _holds(target: Target, kernels: tuple[str, ...], text: str) -> bool:
    if text.strip() == target.baseline.source.strip():
        return True
    names = "|".join(map(re.escape, kernels))
    return re.search(rf"__global__[^;{{}}]*?\b(?:{names})\s*\(", text) is not None


def _included(files: Mapping[str, str], own: set[str], baseline: str) -> set[str]:
    """Return the files that the baseline includes, directly or through others."""
    found: set[str] = set()
    unread = [baseline, *(files[path] for path in sorted(own))]
    while unread:
        new = set(included_paths(unread.pop(), files)) - found - own
        found |= new
        unread.extend(files[path] for path in sorted(new))
    return found


def included_paths(text: str, paths: Iterable[str]) -> list[str]:
    """Return those of `paths` that an `#include` of `text` may mean, by how they end."""
    wanted = {_plain(name) for name in _INCLUDE.findall(text)}
    return sorted(
        path for path in paths if any(path == name or path.endswith(f"/{name}") for name in wanted)
    )


def _plain(name: str) -> str:
    return name.rpartition("../")[2].removeprefix("./").lstrip("/")
