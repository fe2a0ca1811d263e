"""The hours in which paid work may start, and the days its budget counts by: what a clock on the wall shows.

Touches: the machine's time zone, where none is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01][0-9]|2[0-3]):([0-5][0-9])")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """A window of every day, over midnight if it ends before it begins. `zone` None is the machine's own."""

    begins: time
    ends: time
    zone: tzinfo | None = None

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"

    def is_open(self, moment: datetime) -> bool:
        """Tell whether a moment lies in the window."""
        wall = moment.astimezone(self.zone).time()
        if self.begins < self.ends:
            return self.begins <= wall < self.ends
        return wall >= self.begins or wall < self.ends

    def opens_at(self, moment: datetime) -> datetime:
        """Give the first moment from this one on that lies in the window, in UTC.

        A beginning that the clock leaves out in spring is where the clock goes on.
        """
        if self.is_open(moment):
            return moment
        today = moment.astimezone(self.zone).date()
        openings = (self._opening(today + timedelta(days=days)) for days in range(3))
        return next(found for found in openings if found > moment)

    def _opening(self, day: date) -> datetime:
        found = wall_time(day, self.begins, self.zone)
        # No clock shows a beginning that is left out: what stands for it may lie on either side of where it goes on.
        while not self.is_open(found):
            found += _MINUTE
        while self.is_open(found - _MINUTE):
            found -= _MINUTE
        return found


def parse_hours(text: str, zone: tzinfo | None = None) -> Hours | None:
    """Read a window like "22:00-06:00"; "" is no limit.

    Raises: ValueError with words that follow the key's name.
    """
    if not text.strip():
        return None
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError('must be a window by the local clock like "22:00-06:00", or "" for any time')
    hour, minute, last_hour, last_minute = (int(part) for part in found.groups())
    hours = Hours(time(hour, minute), time(last_hour, last_minute), zone)
    if hours.begins == hours.ends:
        raise ValueError('must not end when it begins; "" is any time')
    return hours


def wall_time(day: date, at: time, zone: tzinfo | None = None) -> datetime:
    """Give the moment at which a clock on the wall shows this time, in UTC; of two such moments the first."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def local_day(moment: datetime, zone: tzinfo | None = None) -> date:
    """Give the day that a calendar on the wall shows."""
    return moment.astimezone(zone).date()


def next_midnight(moment: datetime, zone: tzinfo | None = None) -> datetime:
    """Give the beginning of the next local day, in UTC."""
    return wall_time(local_day(moment, zone) + timedelta(days=1), time(0), zone)
