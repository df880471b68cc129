"""Answers that are no answer: one character, or one phrase, again and again.

Broken drivers write "GGGG..." under HTTP 200, and models fall into loops that only the token limit
ends. Rules of a line, blank space and tables are not mistaken for it.
"""

import re

SAME_CHARACTER = 400
"""So many equal characters in a row are no rule of a comment and no indentation."""
SHORTEST_PHRASE = 4
LONGEST_PHRASE = 400
REPEATS = 12
"""So many equal phrases in a row, and at least LOOP_CHARACTERS of them, are a loop."""
LOOP_CHARACTERS = 1_200
_WINDOW = LONGEST_PHRASE * REPEATS
_RUN = re.compile(rf"(.)\1{{{SAME_CHARACTER - 1}}}", re.DOTALL)


def repetition(text: str) -> str:
    """Return, in words, what the end of `text` repeats; empty when it repeats nothing.

    Looks at the last few thousand characters: called as a text grows, it sees every part of it.
    """
    tail = text[-_WINDOW:]
    if run := _RUN.search(tail):
        return f"it repeats {run[1]!r} {SAME_CHARACTER} times and more"
    period = _period(tail)
    if period:
        return f"it ends in {tail[-period:][:60]!r} again and again"
    return ""


def _period(tail: str) -> int:
    """Return the length of the phrase that `tail` ends in often enough, or 0."""
    # The last few characters occur again one phrase earlier: only these distances can be it.
    probe = tail[-16:]
    if len(tail) < LOOP_CHARACTERS or not probe.strip():
        return 0
    before = len(tail) - len(probe)
    start = tail.rfind(probe, 0, len(tail) - 1)
    while start >= 0 and before - start <= LONGEST_PHRASE:
        period = before - start
        length = max(LOOP_CHARACTERS, period * REPEATS)
        if (
            period >= SHORTEST_PHRASE
            and length <= len(tail)
            and tail[-length:-period] == tail[-length + period :]
        ):
            return period
        start = tail.rfind(probe, 0, start + len(probe) - 1)
    return 0
