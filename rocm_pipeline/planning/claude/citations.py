"""Whether what a reviewer cites exists: an evidence id of the packet, or a line that it shows."""

import re

from rocm_pipeline.planning.claude.packet import Packet

_LINE = re.compile(r"(?P<file>[\w.]+):(?P<line>[1-9][0-9]{0,6})")
_MAX_SHOWN = 80


def problem(cites: str, packet: Packet) -> str:
    """Return why a citation is refused, or nothing when it exists.

    A blank line is refused too: it shows nothing, and what an author's comment says there was
    never shown.
    """
    if cites in packet.evidence_ids:
        return ""
    found = _LINE.fullmatch(cites)
    if found is None:
        return f"{cites[:_MAX_SHOWN]!r} is neither an evidence id of the packet nor file:line"
    file = next((file for file in packet.files if file.name == found["file"]), None)
    if file is None:
        return f"{cites!r}: the packet has no file {found['file']!r}"
    number = int(found["line"])
    if number > len(file.lines):
        return f"{cites!r}: {file.name} has {len(file.lines)} lines"
    if not file.lines[number - 1].strip():
        return f"{cites!r}: the line is blank"
    return ""
