"""The daemon's side of the levers: reads what people ask for through the ledger, does it, and answers.

Touches: the ledger.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

import structlog

from nemo_watch.errors import NemoWatchError
from nemo_watch.ledger.levers import Lever, Levers
from nemo_watch.model import Json

LOOK_S = 1.0
STALE_AFTER = timedelta(seconds=60)
"""A command that got no answer for so long has ended: what it wished for then must not surprise anybody now."""

Answer = Callable[[Json], Awaitable[Json]]
"""What is done for one kind of lever: its argument to what the command is told. A NemoWatchError is told, too."""

log = structlog.get_logger("nemo_watch.answers")


class Answers:
    """Answers each lever once, the oldest first; `kinds` is the table of what can be asked for."""

    def __init__(self, levers: Levers, kinds: Mapping[str, Answer]) -> None:
        self._levers = levers
        self._kinds = dict(kinds)

    async def serve(self) -> None:
        """Answer what has been asked since. Raises: LedgerError. Repeat: safe."""
        for lever in await self._levers.waiting():
            if datetime.now(UTC) - lever.pulled_at > STALE_AFTER:
                log.info("lever.stale", kind=lever.kind, pulled_at=lever.pulled_at.isoformat())
                await self._levers.withdraw(lever.lever_id)
                continue
            await self._levers.answer(lever.lever_id, await self._answer(lever))

    async def _answer(self, lever: Lever) -> Json:
        answer = self._kinds.get(lever.kind)
        if answer is None:
            return {
                "error": f'The running daemon does not know the command "{lever.kind}".',
                "hint": "It may be of an older version than this command: restart it.",
            }
        try:
            return await answer(lever.argument)
        except NemoWatchError as error:
            return {"error": error.message, "code": error.code, "hint": error.hint}
        except Exception as error:  # a bug met by one lever must never stop the others
            log.exception("lever.bug", kind=lever.kind)
            return {
                "error": f"An error inside the running daemon stopped this ({type(error).__name__}).",
                "hint": "Its log says more; please report those lines.",
            }
