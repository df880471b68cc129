"""Reading <hip/hip_runtime.h> once for each compiler setting instead of once for each candidate.

A precompiled header stands before the first line of a source. So it may only be used where that
changes nothing: where the source itself begins with the header.
"""

import re

HEADER_SOURCE = "#include <hip/hip_runtime.h>\n"

# Comments with a backslash are not passed over: a line splice may end or prolong them.
_LINE_COMMENT = r"//[^\\\r\n]*\r?\n"
_BLOCK_COMMENT = r"/\*(?:[^*\\]|\*(?!/))*\*/"
_BEGINS = re.compile(
    rf"(?:[ \t\r\n]|{_LINE_COMMENT}|{_BLOCK_COMMENT})*"
    r"#[ \t]*include[ \t]*<hip/hip_runtime\.h>[ \t]*\r?\n"
)


def begins_with_header(source: str) -> bool:
    """Whether nothing but comments and blanks stands before `#include <hip/hip_runtime.h>`."""
    return _BEGINS.match(source) is not None
