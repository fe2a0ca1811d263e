"""Levers: what people ask of the daemon through the ledger, the only channel between processes.

Touches: the ledger.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.ledger import Ledger
from nemo_watch.ledger.rows import LEVERS, moment, to_ms
from nemo_watch.model import Json

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lever:
    """One wish: `kind` is the command's word, `argument` what it is about, `pulled_at` when it was made."""

    lever_id: int
    kind: str
    argument: Json
    pulled_at: datetime


class Levers:
    """The levers of one ledger. A command pulls one and waits for its answer; the daemon answers each once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def pull(self, kind: str, argument: Json) -> int:
        """Write a wish for the daemon and return its number. Repeat: once, every call is a wish of its own."""

        def work(c: Connection) -> int:
            now = datetime.now(UTC)
            c.execute(LEVERS.delete().where(LEVERS.c.pulled_at < to_ms(now - KEPT), LEVERS.c.answer.is_not(None)))
            row = LEVERS.insert().values(kind=kind, argument=json.dumps(argument), pulled_at=to_ms(now))
            return int(c.execute(row).lastrowid)

        return await self._ledger.transact(work)

    async def waiting(self) -> list[Lever]:
        """Read the wishes that have no answer yet, the oldest first."""

        def work(c: Connection) -> list[Lever]:
            query = sa.select(LEVERS).where(LEVERS.c.answer.is_(None)).order_by(LEVERS.c.lever_id)
            return [Lever(r.lever_id, r.kind, json.loads(r.argument), moment(r.pulled_at)) for r in c.execute(query)]

        return await self._ledger.transact(work)

    async def answer(self, lever_id: int, answer: Json) -> None:
        """Write the answer to a wish. Repeat: safe."""
        await self._ledger.transact(
            lambda c: (
                c.execute(LEVERS.update().where(LEVERS.c.lever_id == lever_id).values(answer=json.dumps(answer)))
                and None
            )
        )

    async def answered(self, lever_id: int) -> Json | None:
        """Read the answer to a wish, None if there is none yet."""

        def work(c: Connection) -> Json | None:
            text = c.execute(sa.select(LEVERS.c.answer).where(LEVERS.c.lever_id == lever_id)).scalar()
            return None if text is None else dict(json.loads(text))

        return await self._ledger.transact(work)

    async def withdraw(self, lever_id: int) -> None:
        """Take back a wish that nobody answered. Repeat: safe."""
        await self._ledger.transact(lambda c: c.execute(LEVERS.delete().where(LEVERS.c.lever_id == lever_id)) and None)
