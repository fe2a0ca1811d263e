"""What is said and kept beside the jobs: holds of all paid work, the daemon's notices, facts about the world.

Touches: the ledger's database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.ledger.rows import HOLDS, JOBS, META, NOTICES, moment, to_moment, to_ms
from nemo_watch.ledger.store import Store
from nemo_watch.model import Json


@dataclass(frozen=True, slots=True)
class HoldNotice:
    """Why paid work as a whole stands still; `look_at` is when its cause is looked at again."""

    reason: str
    sentence: str
    link: str
    since_at: datetime
    look_at: datetime | None


def _now() -> datetime:
    return datetime.now(UTC)


class Notes(Store):
    """The tables beside the jobs."""

    async def hold(self, reason: str, sentence: str, link: str, look_at: datetime | None) -> None:
        """Write that paid work stands still for this reason; the first moments of a hold are kept. Repeat: safe."""

        def work(c: Connection) -> None:
            values = {"sentence": sentence, "link": link}
            if c.execute(HOLDS.update().where(HOLDS.c.reason == reason).values(values)).rowcount == 0:
                moments = {"since_at": to_ms(_now()), "look_at": to_ms(look_at)}
                c.execute(HOLDS.insert().values(reason=reason, **moments, **values))

        await self.transact(work)

    async def looked(self, reason: str, look_at: datetime) -> None:
        """Write that a hold's cause is still there, and when it is looked at next. Repeat: safe."""
        await self.transact(
            lambda c: c.execute(HOLDS.update().where(HOLDS.c.reason == reason).values(look_at=to_ms(look_at))) and None
        )

    async def lift(self, reason: str) -> None:
        """Write that paid work goes on, and make the jobs held for this reason due. Repeat: safe."""

        def work(c: Connection) -> None:
            c.execute(HOLDS.delete().where(HOLDS.c.reason == reason))
            due = JOBS.update().where(JOBS.c.state == "held", JOBS.c.reason == reason)
            c.execute(due.values(next_try_at=to_ms(_now())))

        await self.transact(work)

    async def holds(self) -> list[HoldNotice]:
        """Read what holds paid work as a whole, the oldest first."""

        def work(c: Connection) -> list[HoldNotice]:
            rows = c.execute(sa.select(HOLDS).order_by(HOLDS.c.since_at)).mappings()
            return [
                HoldNotice(r["reason"], r["sentence"], r["link"], moment(r["since_at"]), to_moment(r["look_at"]))
                for r in rows
            ]

        return await self.transact(work)

    async def notice(self, key: str, value: Json) -> None:
        """Write what the daemon has to say of itself under a key, for commands to read. Repeat: safe."""

        def work(c: Connection) -> None:
            values = {"value": json.dumps(value), "updated_at": to_ms(_now())}
            if c.execute(NOTICES.update().where(NOTICES.c.key == key).values(values)).rowcount == 0:
                c.execute(NOTICES.insert().values(key=key, **values))

        await self.transact(work)

    async def notices(self) -> dict[str, Json]:
        """Read what the daemon last said of itself."""

        def work(c: Connection) -> dict[str, Json]:
            return {str(r.key): json.loads(r.value) for r in c.execute(sa.select(NOTICES))}

        return await self.transact(work)

    async def remember(self, key: str, value: Json | None) -> None:
        """Keep a fact about the world under a key, or forget it (None). Repeat: safe."""

        def work(c: Connection) -> None:
            c.execute(META.delete().where(META.c.key == f"fact:{key}"))
            if value is not None:
                c.execute(META.insert().values(key=f"fact:{key}", value=json.dumps(value)))

        await self.transact(work)

    async def recall(self, key: str) -> Json | None:
        """Read a fact that was kept, None if there is none."""

        def work(c: Connection) -> Json | None:
            text = c.execute(sa.select(META.c.value).where(META.c.key == f"fact:{key}")).scalar()
            return None if text is None else dict(json.loads(text))

        return await self.transact(work)
