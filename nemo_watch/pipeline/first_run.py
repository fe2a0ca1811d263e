"""No surprise bill: the first start on an inbox that is full already is held until a person says so.

Touches: the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from nemo_watch.ledger import Ledger
from nemo_watch.pipeline.house import log, now

FIRST_RUN = "first_run"
MOST_DROPS = 20
"""More of them at the first start are held. Source: product.md 4.7."""
SESSION_CREDITS = 50
"""About what one editing session costs. Source: contract.md 7."""


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What was decided at the first start on an inbox. With another folder or backend the decision does not count."""

    state: Literal["held", "passed"]
    count: int
    path: str
    backend: str
    at: str

    def sentence(self, inbox: str) -> str:
        """Say what is held and how it goes on."""
        return (
            f'{self.count} files lay in the inbox "{inbox}" at its first start, and editing them would cost about '
            f"{self.count * SESSION_CREDITS} credits ({SESSION_CREDITS} each). Nothing is sent, for new drops neither, "
            f"until you say so: nemo-watch plan shows what would happen, nemo-watch resume {inbox} lets them go."
        )


async def recall(ledger: Ledger, inbox: str, path: str, backend: str) -> FirstRun | None:
    """Read what was decided for an inbox, None if this is still its first start."""
    fact = await ledger.recall(f"{FIRST_RUN}:{inbox}")
    if fact is None or (fact["path"], fact["backend"]) != (path, backend):
        return None
    return FirstRun(**fact)


async def let_go(ledger: Ledger, inbox: str, path: str, backend: str) -> int | None:
    """End the hold of an inbox; return how many jobs go on, None if it was not held. Repeat: safe."""
    decided = await recall(ledger, inbox, path, backend)
    if decided is None or decided.state != "held":
        return None
    await _remember(ledger, inbox, FirstRun("passed", decided.count, path, backend, now().isoformat()))
    return await ledger.wake(FIRST_RUN, inbox=inbox)


async def _remember(ledger: Ledger, inbox: str, decided: FirstRun) -> None:
    await ledger.remember(f"{FIRST_RUN}:{inbox}", asdict(decided))


class FirstRuns:
    """The decisions for all inboxes of a running daemon.

    `count(inbox)` tells how many files are or will be drops, None before the inbox was listed for the first time.
    """

    def __init__(
        self, ledger: Ledger, backend: str, paths: Mapping[str, str], count: Callable[[str], int | None]
    ) -> None:
        self._ledger = ledger
        self._backend = backend
        self._paths = dict(paths)
        self._count = count
        self._decided: dict[str, FirstRun] = {}
        self._turn = asyncio.Lock()

    @property
    def is_free(self) -> bool:
        """Whether nothing has to be decided, as the embedded sandbox costs nothing."""
        return self._backend == "sandbox"

    async def load(self) -> None:
        """Read what earlier starts decided, and wake what an interrupted `resume` left behind. Repeat: safe."""
        for inbox, path in self._paths.items():
            decided = await recall(self._ledger, inbox, path, self._backend)
            if decided is not None:
                self._decided[inbox] = decided
            if self.is_free or (decided is not None and decided.state == "passed"):
                await self._ledger.wake(FIRST_RUN, inbox=inbox)

    async def decide(self) -> None:
        """Decide for every inbox that was listed since. Repeat: safe."""
        for inbox in self._paths if not self.is_free else ():
            if inbox not in self._decided:
                await self.decide_for(inbox)

    async def decide_for(self, inbox: str) -> None:
        """Decide for one inbox before the first of its files becomes a job. Repeat: safe."""
        async with self._turn:
            count = self._count(inbox) if not self.is_free and inbox not in self._decided else None
            if count is None:
                return
            state: Literal["held", "passed"] = "held" if count > MOST_DROPS else "passed"
            decided = FirstRun(state, count, self._paths[inbox], self._backend, now().isoformat())
            await _remember(self._ledger, inbox, decided)
            self._decided[inbox] = decided
        if decided.state == "held":
            log.warning("inbox.first_run", inbox=inbox, files=count, why=decided.sentence(inbox))
        else:
            await self._ledger.wake(FIRST_RUN, inbox=inbox)

    async def why_not(self, inbox: str) -> str:
        """Say why no job of an inbox may begin, "" if it may."""
        if self.is_free:
            return ""
        decided = self._decided.get(inbox)
        if decided is None:
            return f'The files of the inbox "{inbox}" are counted first, as this is its first start.'
        return decided.sentence(inbox) if decided.state == "held" else ""

    async def resume(self, inbox: str) -> int | None:
        """End the hold of an inbox; return how many jobs go on, None if it was not held. Repeat: safe."""
        decided = self._decided.get(inbox)
        if decided is None or decided.state != "held":
            return None
        # Before the jobs wake: they ask again whether they may.
        self._decided[inbox] = FirstRun("passed", decided.count, decided.path, decided.backend, now().isoformat())
        log.info("inbox.resumed", inbox=inbox, files=decided.count)
        return await let_go(self._ledger, inbox, decided.path, decided.backend)
