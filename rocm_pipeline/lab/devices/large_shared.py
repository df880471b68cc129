"""Kernels with more static LDS than an NVIDIA GPU gives without being asked.

A block on an AMD GPU may declare 64 KiB. Here only 48 KiB may be declared, and the rest of the
shared memory goes to one array whose size the launch names. So in the PTX of a kernel that declares
more, all its variables become parts of that array.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST_DECLARED = 48 * 1024
_ARRAY = "rocm_pipeline_shared"
_ALIGN = 16
_DECLARED = re.compile(
    r"^\s*(?:\.\w+ )?\.shared \.align (\d+) \.b8 ([\w$]+)\[(\d+)\];\n", re.MULTILINE
)
_ENTRY = re.compile(r"^\.visible \.entry ([\w$]+)\(.*?^\}$", re.MULTILINE | re.DOTALL)
_OPEN = re.compile(r"^\.extern \.shared \.align \d+ \.b8 ([\w$]+)\[\];$", re.MULTILINE)
_NOTE = re.compile(rf"^// {_ARRAY} ([\w$]+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class _Variable:
    alignment: int
    size: int


def with_large_shared(ptx: str) -> str:
    """Return `ptx` in which no kernel declares too much, with a note for each that was changed.

    A kernel that also has a dynamic array of its own is left alone: the driver will refuse it.
    """
    variables = {
        name: _Variable(int(alignment), int(size)) for alignment, name, size in _declared(ptx)
    }
    dynamic = set(_OPEN.findall(ptx))
    notes: list[str] = []

    def rewritten(entry: re.Match[str]) -> str:
        body = entry[0]
        used = [name for name in variables if _uses(body, name)]
        places = _laid_out({name: variables[name] for name in used})
        total = places.pop("")
        if total <= MOST_DECLARED or any(_uses(body, name) for name in dynamic):
            return body
        notes.append(f"// {_ARRAY} {entry[1]} {total}\n")
        body = _DECLARED.sub("", body)
        for name, place in places.items():
            body = _moved(body, name, place)
        return body

    changed = _ENTRY.sub(rewritten, ptx)
    if not notes:
        return ptx
    array = f".extern .shared .align {_ALIGN} .b8 {_ARRAY}[];\n"
    return changed.replace(".address_size 64\n", f".address_size 64\n\n{array}", 1) + "".join(notes)


def asked_for(ptx: str) -> dict[str, int]:
    """Return the bytes that a launch of each changed kernel must ask for, by its name."""
    return {name: int(size) for name, size in _NOTE.findall(ptx)}


def _declared(ptx: str) -> Iterator[tuple[str, str, str]]:
    for found in _DECLARED.finditer(ptx):
        yield found[1], found[2], found[3]


def _uses(body: str, name: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", body) is not None


def _laid_out(variables: Mapping[str, _Variable]) -> dict[str, int]:
    """Each variable's place in the array; under the empty name, the size of the array."""
    places: dict[str, int] = {}
    end = 0
    for name, variable in variables.items():
        end = -(-end // variable.alignment) * variable.alignment
        places[name] = end
        end += variable.size
    places[""] = end
    return places


def _moved(body: str, name: str, place: int) -> str:
    """Replace `name` and `name+8` by places in the array."""

    def at(found: re.Match[str]) -> str:
        return f"{_ARRAY}+{place + int(found[1] or 0)}"

    return re.sub(rf"(?<![\w$]){re.escape(name)}(?:\+(\d+))?(?![\w$])", at, body)
