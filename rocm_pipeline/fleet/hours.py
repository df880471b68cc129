"""When a host may be used: hours of the local clock, on days of the week."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


@dataclass(frozen=True)
class Hours:
    """From `start` to `end`, in minutes after midnight; over midnight where the end comes first."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """Read `20:00-08:00`; ValueError, in words, when it is none."""
        found = _SPAN.fullmatch(text)
        if found is None:
            raise ValueError(f"'{text}' is no span of hours like '20:00-08:00'")
        hour, minute, to_hour, to_minute = found.groups()
        start = int(hour) * 60 + int(minute)
        end = 24 * 60 if to_hour is None else int(to_hour) * 60 + int(to_minute)
        if start == end:
            raise ValueError(f"'{text}' is empty; leave the hours out for the whole day")
        return cls(start, end)

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"

    def hold(self, when: datetime, days: tuple[Day, ...] = ()) -> bool:
        """Say whether `when` lies in them; `days` are those on which the span begins, () is all."""
        minute = when.hour * 60 + when.minute
        today, yesterday = _day(when), _day(when - timedelta(days=1))
        begun_today = not days or today in days
        if self.start < self.end:
            return begun_today and self.start <= minute < self.end
        begun_yesterday = not days or yesterday in days
        return (begun_today and minute >= self.start) or (begun_yesterday and minute < self.end)


WHOLE_DAY = Hours(0, 24 * 60)


def _day(when: datetime) -> Day:
    return DAYS[when.weekday()]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
