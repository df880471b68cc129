"""Places of a source that take a wave to have 32, or 64, lanes.

Notes, never failures: the emulator runs both wave sizes and says what is wrong there. A note says
where it comes from, for each architecture whose waves are of the other size. What is under an `#if`
of `__AMDGCN_WAVEFRONT_SIZE__` or an `if` that compares `warpSize` with a number is not noted.

A number of 32 is mostly a tile or a block. It counts as lanes only in a source that exchanges
values between the lanes of a whole wave, and there only as a divisor, mask or shift of `threadIdx`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from rocm_pipeline.lab.source_tokens import Token, tokens
from rocm_pipeline.lab.token_groups import TokenGroups

_SHUFFLE = re.compile(r"__shfl(_up|_down|_xor)?(_sync)?")
_WHOLE_WAVE = re.compile(
    r"__(ballot|any|all|reduce_\w+|match_\w+)(_sync)?|__(activemask|syncwarp|lane_id)"
    r"|__builtin_amdgcn_(ds_b?permute|ds_swizzle|(read|write)(first)?lane|\w+_dpp\w*|permlane\w+"
    r"|mbcnt_\w+|ballot_w\d+)"
)
"""Functions of all lanes of a wave; a shuffle is one unless it names a width."""
_BALLOT = re.compile(r"__(ballot|activemask)(_sync)?")
_OF_32_BITS = {"__popc", "__clz", "__brev"}
_NARROW = {"int", "unsigned", "int32_t", "uint32_t"}
_LANES_NAME = re.compile(r"(?i)\w*(warp|wave|lane)\w*")
_THREAD = re.compile(r"threadIdx|hipThreadIdx_[xyz]")
_SIZE_MACRO = "__AMDGCN_WAVEFRONT_SIZE"
_BY_OPERATOR = {
    "%": {32: 32, 64: 64},
    "/": {32: 32, 64: 64},
    "&": {31: 32, 63: 64},
    ">>": {5: 32, 6: 64},
}
"""Lanes that are assumed where `threadIdx` meets an operator and a number."""
_ALL_OF_32 = 0xFFFFFFFF
_LONGEST_DIRECTIVE, _LONGEST_VALUE, _LONGEST_LOOP = 1000, 40, 200
"""Tokens that are looked at, which bound the time for a source that was made to take long."""


@dataclass(frozen=True)
class WaveAssumption:
    """One place: `what` is written on `line`, and takes a wave to have `lanes` lanes."""

    line: int
    lanes: int
    what: str

    def note(self, architecture: str, wave: int) -> str:
        """Say what this means on an architecture with waves of another size."""
        width = ", or give shuffles the width 32 where groups of 32 are meant"
        return (
            f"line {self.line}: {self.what} takes a wave to have {self.lanes} lanes; those of "
            f"{architecture} have {wave}: use warpSize{width if self.lanes == 32 else ''}"
        )


def wave_assumptions(source: str) -> tuple[WaveAssumption, ...]:
    """Return the places of `source` in the order of their lines, one a line and size."""
    text = _Text(tuple(_unguarded(tuple(_compiled(tokens(source))))))
    found = sorted(text.assumptions(), key=lambda each: each.line)
    return tuple({(each.line, each.lanes): each for each in reversed(found)}.values())[::-1]


def _compiled(stream: Sequence[Token]) -> Iterator[Token]:
    """The code, and what macros stand for, less what is compiled for one wave size alone."""
    by_size: list[bool] = []
    position = 0
    while position < len(stream):
        token = stream[position]
        if not (token.first and token.text == "#"):
            position += 1
            if not any(by_size):
                yield token
            continue
        rest = islice(stream, position + 1, position + 1 + _LONGEST_DIRECTIVE)
        line = list(takewhile(lambda each: not each.first, rest))
        position += 1 + len(line)
        name = line[0].text if line else ""
        asks = any(each.text.startswith(_SIZE_MACRO) for each in line)
        if name.startswith("if"):
            by_size.append(asks)
        elif name.startswith("el") and by_size:
            by_size[-1] = by_size[-1] or asks
        elif name == "endif" and by_size:
            by_size.pop()
        elif name == "define" and not any(by_size):
            yield from _macro(line)


def _macro(line: Sequence[Token]) -> Iterator[Token]:
    """`#define NAME 32` as the definition of a constant, so that both are read alike."""
    end = Token("symbol", ";", line[0].line, first=False, apart=True)
    if len(line) == 3 and line[2].kind == "number":
        equals = Token("symbol", "=", line[0].line, first=False, apart=True)
        yield from (line[1], equals, line[2])
    else:
        yield from line[2:]
    yield end


def _unguarded(stream: Sequence[Token]) -> Iterator[Token]:
    """Leave out what an `if` runs on one wave size: both branches, since each knows its size."""
    branches = _Branches(stream)
    position = 0
    while position < len(stream):
        if stream[position].text == "if" and branches.asks_for_the_size(position):
            position = branches.after(position)
        else:
            yield stream[position]
            position += 1


class _Branches:
    """Where the conditions and branches of `if` statements stand."""

    def __init__(self, stream: Sequence[Token]) -> None:
        self._stream = stream
        self._groups = TokenGroups(stream)

    def asks_for_the_size(self, position: int) -> bool:
        texts = [token.text for token in self._groups.inside(self._condition(position))]
        compares = any(text in ("=", "!", "<", ">") for text in texts)
        return "warpSize" in texts and compares and any(text in ("32", "64") for text in texts)

    def after(self, position: int) -> int:
        """Return the position behind all branches of the `if` at `position`."""
        end = self._after_statement(self._groups.other_end(self._condition(position)) + 1)
        while self._text(end) == "else":
            end += 1
            if self._text(end) == "if":
                end = self._groups.other_end(self._condition(end)) + 1
            end = self._after_statement(end)
        return end

    def _condition(self, position: int) -> int:
        """Where the `(` of an `if`, or `if constexpr`, stands."""
        return position + (2 if self._text(position + 1) == "constexpr" else 1)

    def _after_statement(self, position: int) -> int:
        if self._text(position) == "{":
            return self._groups.other_end(position) + 1
        while position < len(self._stream) and self._text(position) != ";":
            opens = self._text(position) in ("(", "{", "[")
            position = (self._groups.other_end(position) if opens else position) + 1
        return position + 1

    def _text(self, position: int) -> str:
        return self._stream[position].text if position < len(self._stream) else ""


class _Text:
    """The code of a source, and which of its names are constants or made of `threadIdx`."""

    def __init__(self, stream: Sequence[Token]) -> None:
        self._stream = stream
        self._groups = TokenGroups(stream)
        self._constants: Mapping[str, int] = dict(self._defined())
        self._threads = frozenset(self._made_of_threads())

    def assumptions(self) -> Iterator[WaveAssumption]:
        calls = list(self._shuffles())
        whole = any(_WHOLE_WAVE.fullmatch(token.text) for token in self._stream)
        if whole or any(call.width is None for call in calls):
            yield from self._arithmetic()
        for call in calls:
            yield from self._of_shuffle(call)
        yield from self._of_ballots()

    def _defined(self) -> Iterator[tuple[str, int]]:
        s = self._stream
        for name, equals, value, end in zip(s, s[1:], s[2:], s[3:], strict=False):
            number = _number(value)
            is_all = name.kind == "word" and equals.text == "=" and end.text in (";", ",")
            if is_all and number is not None:
                yield name.text, number

    def _made_of_threads(self) -> Iterator[str]:
        """Names whose value is a sum or product with `threadIdx`, such as an index."""
        s = self._stream
        for position, token in enumerate(s[:-1]):
            if token.kind != "word" or s[position + 1].text != "=":
                continue
            ahead = s[position + 2 : position + 2 + _LONGEST_VALUE]
            value = list(takewhile(lambda each: each.text not in ";,", ahead))
            plain = all(each.kind != "symbol" or each.text in ".+*()" for each in value)
            if plain and any(_THREAD.fullmatch(each.text) for each in value):
                yield token.text

    def _lanes_number(self, token: Token) -> int | None:
        """A number as such, or by a name that says that it counts lanes."""
        if token.kind == "word" and _LANES_NAME.fullmatch(token.text):
            return self._constants.get(token.text)
        return _number(token)

    def _arithmetic(self) -> Iterator[WaveAssumption]:
        s = self._stream
        for position in range(1, len(s) - 1):
            operator, length = s[position].text, 1
            if operator == ">" and s[position + 1].text == ">":
                operator, length = ">>", 2
            number = position + length
            if operator not in _BY_OPERATOR or number >= len(s):
                continue
            value = self._lanes_number(s[number])
            lanes = _BY_OPERATOR[operator].get(-1 if value is None else value)
            begin = self._thread_operand(position - 1)
            if lanes is not None and begin is not None:
                what = "".join(token.text for token in s[begin:position])
                yield WaveAssumption(s[number].line, lanes, f"`{what} {operator} {s[number].text}`")

    def _thread_operand(self, last: int) -> int | None:
        """Where the operand that ends at `last` begins, if it is made of `threadIdx`."""
        s = self._stream
        if s[last].text in ("x", "y", "z") and last >= 2 and s[last - 2].text == "threadIdx":
            return last - 2
        if s[last].text in self._threads or _THREAD.fullmatch(s[last].text):
            return last
        if s[last].text == ")":
            begin = self._groups.other_end(last)
            inside = [token.text for token in self._groups.inside(begin)]
            if any(_THREAD.fullmatch(text) or text in self._threads for text in inside):
                return begin
        return None

    def _shuffles(self) -> Iterator["_Shuffle"]:
        for position, token in enumerate(self._stream):
            found = _SHUFFLE.fullmatch(token.text)
            if found and position + 1 < len(self._stream):
                given = self._groups.arguments(position + 1)[1 if found[2] else 0 :]
                yield _Shuffle(token, position, found[1] is not None, given)

    def _of_shuffle(self, call: "_Shuffle") -> Iterator[WaveAssumption]:
        if call.width is not None:
            if len(call.width) == 1 and self._lanes_number(call.width[0]) == 64:
                yield WaveAssumption(call.name.line, 64, f"`{call.name.text}` of width 64")
        elif call.moves and len(call.given) > 1 and len(call.given[1]) == 1:
            distance = call.given[1][0]
            if distance.kind == "number":
                if (_number(distance) or 0) >= 32:
                    what = f"`{call.name.text}` over {distance.text} lanes"
                    yield WaveAssumption(call.name.line, 64, what)
            else:
                yield from self._of_loop(call, distance.text)

    def _of_loop(self, call: "_Shuffle", name: str) -> Iterator[WaveAssumption]:
        """A loop over distances that begins with half a wave: `for (int d = 32; ...; d /= 2)`."""
        s = self._stream
        for at in range(call.position - 1, max(call.position - _LONGEST_LOOP, 3), -1):
            if [each.text for each in s[at : at + 2]] != [name, "="] or s[at + 2].text == "=":
                continue
            if any(token.text == "for" for token in s[at - 4 : at]):
                first = self._lanes_number(s[at + 2])
                if first is not None and s[at + 3].text == "/" and s[at + 4].text == "2":
                    first //= 2
                if first in (16, 32):
                    what = f"`{call.name.text}` over {name} = {first} and less"
                    yield WaveAssumption(s[at].line, 2 * first, what)
                return

    def _of_ballots(self) -> Iterator[WaveAssumption]:
        s = self._stream
        for position, token in enumerate(s):
            if position < 2 or not _BALLOT.fullmatch(token.text):
                continue
            if s[position - 2].text in _OF_32_BITS and s[position - 1].text == "(":
                what = f"`{s[position - 2].text}` of a ballot, which has 64 bits,"
                yield WaveAssumption(token.line, 32, what)
            if s[position - 1].text == "=" and self._is_narrow(position - 2):
                what = f"`{s[position - 2].text}` of 32 bits, set to a ballot,"
                yield WaveAssumption(token.line, 32, what)
            after = self._groups.other_end(position + 1) + 1
            compared = [each for each in s[after : after + 3] if self._is_all_of_32(each)]
            operators = ("=", "!", "&")
            if compared and after < len(s) and s[after].text in operators:
                what = f"`{compared[0].text}` beside a ballot"
                yield WaveAssumption(token.line, 32, what)

    def _is_narrow(self, name: int) -> bool:
        kinds = {token.text for token in self._stream[max(name - 2, 0) : name]}
        return bool(kinds & _NARROW) and "long" not in kinds

    def _is_all_of_32(self, token: Token) -> bool:
        named = self._constants.get(token.text)
        return _ALL_OF_32 in (named, _number(token))


@dataclass(frozen=True)
class _Shuffle:
    """A call `name(value, lane or distance[, width])`, its mask left out."""

    name: Token
    position: int
    moves: bool
    """Whether the second argument is a distance."""
    given: Sequence[Sequence[Token]]

    @property
    def width(self) -> Sequence[Token] | None:
        return self.given[2] if len(self.given) > 2 else None


def _number(token: Token) -> int | None:
    if token.kind != "number":
        return None
    try:
        return int(token.text.rstrip("uUlL").replace("'", ""), 0)
    except ValueError:
        return None
