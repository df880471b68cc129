"""How long an answer will be: about as long as the last ones to the most similar question.

An agent that is asked again, in the next round or the next night, writes the same file anew. From
one round to the next, the answers of a model of 1.5 billion parameters differed by 14 % on average
(docs/decisions/0029).
"""

import threading
from collections import defaultdict, deque
from collections.abc import Iterable

from rocm_pipeline.fleet.chat import PROVIDER, ChatRequest
from rocm_pipeline.records.journal import Journal

QUANTILE = 0.7
"""Of the answers looked at, this share is expected to be no longer than the next."""
LATEST = 30
"""Answers looked at, of each degree of likeness."""
FROM_RECORDS = 1_000
"""Answers of a role that are read from the records, once in a process."""

_Likeness = tuple[str | None, ...]


class Lengths:
    """The latest answers of every role, by what was asked; safe for threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._latest = defaultdict[_Likeness, deque[int]](lambda: deque(maxlen=LATEST))
        self._read: set[str] = set()
        self._lock = threading.Lock()

    def expected(self, request: ChatRequest) -> int:
        """Return the tokens that the answer is expected to have, at most `max_tokens`.

        Half of `max_tokens` where no answer of the role is known.
        """
        with self._lock:
            self._read_once(request.role)
            for likeness in _likenesses(
                request.role, request.purpose, request.target, request.task_id
            ):
                if likeness in self._latest:
                    return min(request.max_tokens, _quantile(self._latest[likeness]))
        return max(1, request.max_tokens // 2)

    def observe(self, request: ChatRequest, tokens: int) -> None:
        """Learn the length of a whole answer."""
        with self._lock:
            self._add(request.role, request.purpose, request.target, request.task_id, tokens)

    def _read_once(self, role: str) -> None:
        if role in self._read:
            return
        for old in reversed(self._journal.lengths(PROVIDER, role, FROM_RECORDS)):
            self._add(role, old.purpose, old.target, old.task_id, old.tokens_out)
        self._read.add(role)

    def _add(self, role: str, purpose: str, target: str, task: str | None, tokens: int) -> None:
        for likeness in _likenesses(role, purpose, target, task):
            self._latest[likeness].append(tokens)


def _likenesses(role: str, purpose: str, target: str, task: str | None) -> Iterable[_Likeness]:
    """Return by what a question is like others, the nearest first."""
    return (role, purpose, target, task), (role, purpose, target), (role, purpose), (role,)


def _quantile(lengths: Iterable[int]) -> int:
    known = sorted(lengths)
    return max(1, known[min(len(known) - 1, int(QUANTILE * len(known)))])
