"""When to wait for more questions: those of one batch come one by one, within a moment.

Which model a host loads is decided by the whole batch. Decided by the first question that came, it
may cost a slow host minutes: seen with 60 questions, where the first four filled the four hosts.
"""


class Gathering:
    """Times are seconds on any one clock that is never set."""

    def __init__(self, pause: float, at_most: float) -> None:
        """`pause`: after so long without a new question the batch is whole.

        `at_most`: so long after its first question it is taken as it is, and for as long again no
        other batch begins: however questions come, half of the time is not spent waiting for more.
        """
        self._pause = pause
        self._at_most = at_most
        self._first = self._latest = float("-inf")

    def arrived(self, at: float) -> None:
        """Note a question that came then."""
        if at >= self._latest + self._pause and at >= self._first + 2 * self._at_most:
            self._first = at
        self._latest = max(self._latest, at)

    @property
    def ends(self) -> float:
        """When the batch is whole; in the past when nothing is gathered."""
        return min(self._latest + self._pause, self._first + self._at_most)
