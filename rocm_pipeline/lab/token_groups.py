"""Brackets among tokens: where a group ends and begins, and what a call is given."""

from collections.abc import Sequence

from rocm_pipeline.lab.source_tokens import Token

_OPEN, _CLOSE = "([{", ")]}"
_LONGEST = 100
"""Tokens of a group that are looked at; a condition or an argument list is mostly shorter."""


class TokenGroups:
    """The matching brackets of a stream, found once, in time linear in its length.

    A bracket that is not closed ends with the last token.
    """

    def __init__(self, stream: Sequence[Token]) -> None:
        self._stream = stream
        self._other = list(range(len(stream)))
        unclosed: list[int] = []
        for position, token in enumerate(stream):
            step = _step(token)
            if step > 0:
                unclosed.append(position)
            elif step < 0 and unclosed:
                begin = unclosed.pop()
                self._other[begin], self._other[position] = position, begin
        for position in unclosed:
            self._other[position] = len(stream) - 1

    def other_end(self, position: int) -> int:
        """Return where the group of the bracket at `position` ends, or begins.

        `position` itself where no bracket stands, or none that belongs to another.
        """
        return self._other[position] if position < len(self._stream) else position

    def inside(self, position: int) -> Sequence[Token]:
        """Return the first tokens of the group that begins at `position`, without its brackets."""
        end = min(self.other_end(position), position + 1 + _LONGEST)
        return self._stream[position + 1 : end]

    def arguments(self, position: int) -> tuple[tuple[Token, ...], ...]:
        """Return what stands between the commas of the group that begins at `position`."""
        if position >= len(self._stream) or self._stream[position].text != "(":
            return ()
        found: list[list[Token]] = [[]]
        depth = 0
        for token in self.inside(position):
            depth += _step(token)
            if depth == 0 and token.text == ",":
                found.append([])
            else:
                found[-1].append(token)
        return tuple(tuple(each) for each in found)


def _step(token: Token) -> int:
    """1 for a bracket that opens a group, -1 for one that closes it."""
    if token.kind != "symbol":
        return 0
    return (token.text in _OPEN) - (token.text in _CLOSE)
