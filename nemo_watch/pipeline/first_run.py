"""No surprise bill: the first start on an inbox that is full already is held until a person says so.

Touches: the ledger.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from nemo_watch.config import GENERATION_CREDITS, SESSION_CREDITS
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.finding import unpaid_clips
from nemo_watch.pipeline.house import log, now

FIRST_RUN = "first_run"
MOST_DROPS = 20
"""More of them at the first start are held. Source: product.md 4.7."""
COUNT_WITHIN_S = 60.0
"""So long is waited for texts that still change, before the files are counted as they are."""
COUNT_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What was decided at the first start on an inbox. With another folder or backend the decision does not count.

    `generated` of the `count` files are texts that a video is made from.
    """

    state: Literal["held", "passed"]
    count: int
    path: str
    backend: str
    at: str
    generated: int = 0

    def sentence(self, inbox: str) -> str:
        """Say what is held and how it goes on."""
        cost = self.count * SESSION_CREDITS + self.generated * (GENERATION_CREDITS - SESSION_CREDITS)
        each = f"{SESSION_CREDITS} each" + (f", {GENERATION_CREDITS} from a text" if self.generated else "")
        return (
            f'{self.count} files lay in the inbox "{inbox}" at its first start, and editing them would cost about '
            f"{cost} credits ({each}). Nothing is sent, for new drops neither, "
            f"until you say so: nemo-watch plan shows what would happen, {resume_command(inbox)} lets them go."
        )


def resume_command(inbox: str) -> str:
    """Write the command that ends the hold of an inbox, as it can be pasted into a shell."""
    return shlex.join(["nemo-watch", "resume", *(["--"] if inbox.startswith("-") else []), inbox])


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
    await _let_pass(ledger, inbox, decided)
    return await ledger.wake(FIRST_RUN, inbox=inbox)


async def _let_pass(ledger: Ledger, inbox: str, decided: FirstRun) -> FirstRun:
    """Write that a person let an inbox go; durable when it returns."""
    passed = replace(decided, state="passed", at=now().isoformat())
    await _remember(ledger, inbox, passed)
    return passed


async def _remember(ledger: Ledger, inbox: str, decided: FirstRun) -> None:
    await ledger.remember(f"{FIRST_RUN}:{inbox}", asdict(decided))


class FirstRuns:
    """The decisions for all inboxes of a running daemon.

    `expected(inbox)` names the files that are or will be drops, None before the inbox was listed for the first time.
    `reads_sidecars(inbox)` tells whether some of those may still turn out to be assets; that is waited for, but for
    `patience_s` at most, as a text may never stand still.
    """

    def __init__(
        self,
        ledger: Ledger,
        backend: str,
        paths: Mapping[str, str],
        *,
        expected: Callable[[str], Collection[str] | None],
        reads_sidecars: Callable[[str], bool],
        patience_s: float = COUNT_WITHIN_S,
    ) -> None:
        self._ledger = ledger
        self._backend = backend
        self._paths = dict(paths)
        self._expected = expected
        self._reads_sidecars = reads_sidecars
        self._patience_s = patience_s
        self._reading_since_s: dict[str, float] = {}
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
        """Decide for every inbox whose files can be counted by now. Repeat: safe."""
        for inbox in self._paths:
            if self._is_open(inbox):
                await self._decide_if_counted(inbox)

    async def decide_for(self, inbox: str) -> None:
        """Decide for one inbox before the first of its files becomes a job; returns when it is decided.

        An inbox that was not listed yet is left to `decide`. Repeat: safe.
        """
        while self._is_open(inbox) and self._expected(inbox) is not None:
            await self._decide_if_counted(inbox)
            if self._is_open(inbox):
                await asyncio.sleep(COUNT_AGAIN_S)

    def _is_open(self, inbox: str) -> bool:
        return not self.is_free and inbox not in self._decided

    def _is_still_reading(self, inbox: str) -> bool:
        if not self._reads_sidecars(inbox):
            return False
        now_s = asyncio.get_running_loop().time()
        return now_s - self._reading_since_s.setdefault(inbox, now_s) < self._patience_s

    async def _decide_if_counted(self, inbox: str) -> None:
        async with self._turn:
            files = self._expected(inbox)
            if not self._is_open(inbox) or files is None or self._is_still_reading(inbox):
                return
            # What an earlier start made jobs of lies there as well; the eyes take those files for known.
            found = {*files, *await unpaid_clips(self._ledger, inbox)}
            count, generated = len(found), sum(rel.casefold().endswith(".prompt.txt") for rel in found)
            state: Literal["held", "passed"] = "held" if count > MOST_DROPS else "passed"
            decided = FirstRun(state, count, self._paths[inbox], self._backend, now().isoformat(), generated)
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
        """End the hold of an inbox; return how many jobs go on, None if it was not held. Repeat: safe.

        Whatever ends this in the middle, the inbox is held or it has passed; of one that has, `load` wakes the rest.
        """
        decided = self._decided.get(inbox)
        if decided is None or decided.state != "held":
            return None
        self._decided[inbox] = await _let_pass(self._ledger, inbox, decided)
        log.info("inbox.resumed", inbox=inbox, files=decided.count)
        # Last: the jobs that wake ask again whether they may.
        return await self._ledger.wake(FIRST_RUN, inbox=inbox)
