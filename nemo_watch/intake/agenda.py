"""Who must be judged again, and when: what changed, what was woken, what comes due. Pure."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from itertools import count

from nemo_watch.intake.entries import ACTIVE, Entry, Phase


class Agenda:
    """The files to be judged. All times are monotonic seconds.

    `active` counts the files that go on without anybody, `waiting_count` those that may still become drops. `changes`
    grows with whatever changes what is to be said of a file.
    """

    def __init__(self) -> None:
        self.active = 0
        self.waiting_count = 0
        self.changes = 0
        self._woken: deque[Entry] = deque()
        self._due: list[float] = []
        self._due_then: dict[float, tuple[float, list[Entry]]] = {}
        self._numbers = count()

    def number(self) -> int:
        """Give the next of ever growing numbers: among equal times the first come goes first."""
        return next(self._numbers)

    def wake(self, entry: Entry) -> None:
        """Have a file judged in the next round."""
        if not entry.woken:
            entry.woken = True
            self._woken.append(entry)

    def enter(self, entry: Entry, phase: Phase, due_s: float | None, *, about: str = "") -> None:
        """Put a file into a phase, and have it judged again at `due_s` at the latest."""
        if (entry.phase, entry.about, entry.due_s) == (phase, about, due_s):
            return
        self.changes += 1
        if entry.phase != phase:
            self.active += (phase in ACTIVE) - (entry.phase in ACTIVE)
            self.waiting_count -= entry.may_become_a_drop
            entry.phase = phase
            self.waiting_count += entry.may_become_a_drop
        entry.about = about
        self.schedule(entry, due_s)

    def begin(self, entry: Entry) -> None:
        """Count a file that was not there before, and have it judged."""
        self.changes += 1
        self.active += entry.phase in ACTIVE
        self.waiting_count += entry.may_become_a_drop
        self.wake(entry)

    def to_judge(self, now_s: float, most: int | None = None) -> Iterator[Entry]:
        """Give all that changed, came due or was woken meanwhile, until there is nothing left or `most` were given."""
        while self._due and self._due[0] <= now_s:
            due_s, entries = self._due_then.pop(heapq.heappop(self._due))
            for entry in entries:
                if not entry.gone and entry.due_s == due_s:
                    self.wake(entry)
        given = 0
        while self._woken and given != most:
            entry = self._woken.popleft()
            entry.woken = False
            if not entry.gone and entry.phase != "offered":
                given += 1
                yield entry

    def next_due_s(self, now_s: float) -> float | None:
        """Tell when the next file comes due by itself: now, if some were left over."""
        if self._woken:
            return now_s
        while self._due:
            due_s, entries = self._due_then[self._due[0]]
            while entries and (entries[-1].gone or entries[-1].due_s != due_s):
                entries.pop()
            if entries:
                return due_s
            del self._due_then[heapq.heappop(self._due)]
        return None

    @property
    def is_judged(self) -> bool:
        """Whether nothing that changed or was woken waits to be judged."""
        return not self._woken

    def schedule(self, entry: Entry, due_s: float | None) -> None:
        """Have a file judged again at `due_s`; None: not by time."""
        if due_s is not None and due_s != entry.due_s:
            if due_s not in self._due_then:
                heapq.heappush(self._due, due_s)
                self._due_then[due_s] = (due_s, [])
            # A listing gives thousands of files one and the same moment: they share the number, too.
            due_s, entries = self._due_then[due_s]
            entries.append(entry)
        entry.due_s = due_s
