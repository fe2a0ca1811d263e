"""What the daemon tells other processes: its inboxes, the files that wait, the work under way.

Touches: the ledger, the clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from nemo_watch.ledger import Ledger
from nemo_watch.model import Json, Waiting
from nemo_watch.pipeline import Progress
from nemo_watch.watcher import Watcher

MOST_WAITS_TOLD = 200


class Notices:
    """Writes what changed since the last time, and nothing while nothing does."""

    def __init__(self, ledger: Ledger, started_at: datetime) -> None:
        self._ledger = ledger
        self._started_at = started_at
        self._told: dict[str, Json] = {}
        self._told_of: dict[str, tuple[str, str, int, list[str]]] = {}

    async def tell(self, watchers: Mapping[str, Watcher], progress: Sequence[Progress]) -> None:
        """Write what is to be told. Raises: LedgerError. Repeat: safe."""
        for name, watcher in watchers.items():
            seen = (watcher.state, watcher.mode, watcher.changes, watcher.not_entered)
            if self._told_of.get(name) == seen:
                continue  # not even put into words: a hundred thousand files may lie there for months
            now_s, now_at = time.monotonic(), datetime.now(UTC)
            told: Json = {
                "state": watcher.state,
                "mode": watcher.mode,
                "path": watcher.root,
                "waiting": [told_wait(wait, now_s, now_at) for wait in watcher.waiting(MOST_WAITS_TOLD)],
                "waiting_count": watcher.waiting_count,
                "not_entered": watcher.not_entered,
            }
            await self._tell_if_new(f"inbox:{name}", told)
            self._told_of[name] = seen
        working = [told_progress(each, time.monotonic(), datetime.now(UTC)) for each in progress]
        daemon = {"pid": os.getpid(), "since": self._started_at.isoformat(), "working": working}
        await self._tell_if_new("daemon", daemon)

    async def _tell_if_new(self, key: str, value: Json) -> None:
        if self._told.get(key) != value:
            await self._ledger.notice(key, value)
            self._told[key] = value


def told_progress(progress: Progress, now_s: float, now_at: datetime) -> Json:
    """Write what a worker is doing, how fast and until when. `now_s` and `now_at` are one moment.

    Units: `done`, `total` and `rate` (a second) in bytes, or in percent as `unit` says; `total` 0 is not known.
    """
    pace = progress.pace
    told: Json = {
        "job": progress.job_id,
        "file": progress.name,
        "step": progress.step,
        "fraction": progress.fraction,
        "since": progress.since_at.isoformat(),
    }
    if pace is None:
        return told
    rate, left_s = pace.rate(now_s), pace.left_s(now_s)
    told |= {"done": pace.done, "total": pace.total, "unit": "bytes" if progress.in_bytes else "percent"}
    told["rate"] = None if rate is None else float(f"{rate:.3g}")
    # Whole seconds: where nothing else changes, nothing new is written.
    ends_at = None if left_s is None else (now_at + timedelta(seconds=left_s)).replace(microsecond=0)
    return told | {"ends": ends_at.isoformat() if ends_at is not None else None}


def told_wait(wait: Waiting, now_s: float, now_at: datetime) -> Json:
    """Write a wait with moments in the place of ages, for those who word it later. `now_s` and `now_at` are one moment.

    Source: `intake.words.sentence` puts the parts together.
    """

    def moment(at_s: float | None) -> str | None:
        return None if at_s is None else (now_at + timedelta(seconds=at_s - now_s)).isoformat()

    return {
        "file": wait.rel,
        "reason": wait.reason,
        "rule": wait.rule,
        "upcoming": wait.upcoming,
        "window_s": wait.window_s,
        "unchanged_since": moment(wait.changed_s),
        "next": moment(wait.next_check_s),
    }
