"""What is expected of hosts, learnt from what was measured.

Every value is plain frozen data, so that several processes can share it in the records: read it,
put one observation to it, write it back.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from rocm_pipeline.fleet.state import Speed

WEIGHT = 0.4
"""Of the newest observation; the rest is history."""
ASSUMED = Speed(prompt_tps=400.0, decode_tps=20.0, load_seconds=20.0)
"""Of a model that nobody has seen answer; the first answers replace it."""
GUESSES_HOLD = 20
"""After so many answers of known pairs, what others are guessed to be is guessed anew."""
_MIN_TOKENS = 8
"""Fewer tell nothing about a speed: the clock is mostly that of the request."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What one answer says about its host: Ollama's own counts and durations (seconds)."""

    tokens_in: int
    prompt_seconds: float
    tokens_out: int
    decode_seconds: float
    load_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Learnt:
    """One model on one host, so far; None where nothing was measured."""

    prompt_tps: float | None = None
    decode_tps: float | None = None
    load_seconds: float | None = None
    answers: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all of it was measured."""
        return bool(self.prompt_tps and self.decode_tps and self.load_seconds is not None)

    def after(self, timing: Timing, was_loaded: bool) -> "Learnt":
        """Return what is known once `timing` is, too.

        `was_loaded` is False when the model had to be loaded: its load time counts only then.
        """
        return replace(
            self,
            prompt_tps=_rate(self.prompt_tps, timing.tokens_in, timing.prompt_seconds),
            decode_tps=_rate(self.decode_tps, timing.tokens_out, timing.decode_seconds),
            load_seconds=self.load_seconds
            if was_loaded
            else _blend(self.load_seconds, timing.load_seconds),
            answers=self.answers + 1,
        )


def _rate(old: float | None, tokens: int, seconds: float) -> float | None:
    if tokens < _MIN_TOKENS or seconds <= 0:
        return old
    if old is None:
        return tokens / seconds
    # Seconds a token are averaged, not tokens a second: time is what adds up.
    return 1.0 / _blend(1.0 / old, seconds / tokens)


def _blend(old: float | None, new: float) -> float:
    return new if old is None else (1 - WEIGHT) * old + WEIGHT * new


class Speeds:
    """What is known of all hosts and models; made anew of the `Learnt` of the records.

    What a pair of host and model never showed is taken from the model on other hosts, scaled by how
    much faster or slower this host has been than they with the models they share; failing that, it
    is `assumed`.
    """

    def __init__(
        self, learnt: Mapping[tuple[str, str], Learnt] | None = None, assumed: Speed = ASSUMED
    ) -> None:
        self._by_model = defaultdict[str, dict[str, Learnt]](dict)
        self._by_host = defaultdict[str, dict[str, Learnt]](dict)
        self._assumed = assumed
        self._found: dict[tuple[str, str], Speed] = {}
        self._guessed: set[tuple[str, str]] = set()
        self._typical: dict[str, Speed] = {}
        self._since_guess = 0
        for (host, model), some in (learnt or {}).items():
            self.put(host, model, some)

    def observe(self, host: str, model: str, timing: Timing, *, was_loaded: bool) -> Learnt:
        """Learn from one answer and return what is to be kept for this pair."""
        known = self._by_host[host].get(model, Learnt())
        learnt = known.after(timing, was_loaded)
        self.put(host, model, learnt)
        return learnt

    def put(self, host: str, model: str, learnt: Learnt) -> None:
        """Take over what is known of one pair."""
        is_new = not self._by_host[host].get(model, Learnt()).answers
        self._by_host[host][model] = self._by_model[model][host] = learnt
        self._found.pop((host, model), None)
        self._since_guess += 1
        if is_new or self._since_guess >= GUESSES_HOLD:
            self._forget_guesses()

    def _forget_guesses(self) -> None:
        for pair in self._guessed:
            self._found.pop(pair, None)
        self._guessed.clear()
        self._typical.clear()
        self._since_guess = 0

    def of(self, host: str, model: str) -> Speed:
        """Return the speed expected of `model` on `host`."""
        if (host, model) not in self._found:
            self._found[host, model] = self._estimate(host, model)
        return self._found[host, model]

    def _estimate(self, host: str, model: str) -> Speed:
        own = self._by_host[host].get(model, Learnt())
        if own.prompt_tps and own.decode_tps and own.load_seconds is not None:
            return Speed(own.prompt_tps, own.decode_tps, own.load_seconds)
        self._guessed.add((host, model))
        typical, factor = self._typical_of(model), self._relative(host)
        return Speed(
            own.prompt_tps or factor * typical.prompt_tps,
            own.decode_tps or factor * typical.decode_tps,
            typical.load_seconds if own.load_seconds is None else own.load_seconds,
        )

    def _typical_of(self, model: str) -> Speed:
        if model not in self._typical:
            known = self._by_model[model].values()
            self._typical[model] = Speed(
                _median((some.prompt_tps for some in known), self._assumed.prompt_tps),
                _median((some.decode_tps for some in known), self._assumed.decode_tps),
                _median((some.load_seconds for some in known), self._assumed.load_seconds),
            )
        return self._typical[model]

    def _relative(self, host: str) -> float:
        ratios = [
            math.log(known.decode_tps / self._typical_of(model).decode_tps)
            for model, known in self._by_host[host].items()
            if known.decode_tps
        ]
        return math.exp(sum(ratios) / len(ratios)) if ratios else 1.0


def _median(values: Iterable[float | None], assumed: float) -> float:
    known = [value for value in values if value]
    return median(known) if known else assumed
