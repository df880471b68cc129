"""Placeholders: how an agent's prose speaks of figures that only the harness may write."""

import re
from collections.abc import Mapping

PLACEHOLDERS: Mapping[str, str] = {
    "tier": "how far the kernel was verified",
    "architectures": "the GPU architectures it was compiled for",
    "speedup_table": "speed-up over the baseline for each architecture and case, with its label",
    "resources_table": "registers, LDS, spills and occupancy for each architecture",
    "correctness_table": "cases run, errors against the tolerance, checks and controls",
    "usage": "the line that imports the operator, and its signature",
    "kernel_id": "the kernel's id",
    "evidence_id": "the id of the evidence record",
    "limits": "what was not verified, and the limits that the harness found",
}
"""Name and meaning of every placeholder; written `{{ name }}` in a Markdown file."""

_PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)


def placeholders_in(text: str) -> tuple[str, ...]:
    """Return the names between double braces, in order of appearance, without repeats."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def unknown_placeholders(text: str) -> tuple[str, ...]:
    """Return the names in `text` that the harness has no figure for."""
    return tuple(name for name in placeholders_in(text) if name not in PLACEHOLDERS)
