"""Errors that a user can mend.

Every one of them is shown as a single line, `where: what. fix`, and ends a command with
`EXIT_BAD_INPUT`. Anything else that escapes is a defect of ours and keeps its traceback.
"""

from rocm_pipeline.redaction.cutting import cut

EXIT_OK = 0
EXIT_NOT_ACCEPTED = 1
"""The command ran to its end, but some target did not reach what was asked for."""
EXIT_BAD_INPUT = 2
"""The input, the machine or the home must be mended first. A command that was under way then (a
disk may fill up) has kept what it had made."""

EXIT_INTERRUPTED = 130
"""Stopped by Ctrl-C, as shells count it."""
EXIT_TERMINATED = 143
"""Stopped by SIGTERM, counted likewise."""


_LONGEST_LINE = 2000


def one_line(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return `text` as one plain line: errors quote hostile input and go to terminals.

    What is no printable character becomes a space, spaces are joined, and the rest is cut off, in
    which no half of a secret is left.
    """
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return cut(" ".join(words), longest)


class UserError(Exception):
    """Something outside the program is wrong; says what, where and how to mend it."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        return one_line(f"{self.where}: {self.what}. {self.fix}")

    def __reduce__(self) -> tuple[object, ...]:
        # Dagster and multiprocessing carry exceptions between processes by pickle.
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _rebuild(kind: type[UserError], what: str, where: str, fix: str) -> UserError:
    return kind(what, where=where, fix=fix)
