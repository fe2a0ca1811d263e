"""The open database and the one thread that everything in it is done on.

Touches: one SQLite database (WAL, synchronous=FULL), on a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from nemo_watch.errors import LedgerError
from nemo_watch.ledger.database import (
    Reading,
    emptied,
    errors_named,
    identity,
    is_emptied,
    note_use,
    open_engine,
    refuse_damaged,
    refuse_half,
    refuse_older,
    refuse_place,
    refuse_strange,
    upgrade,
)

T = TypeVar("T")


class Store:
    """The database of one state folder. A hung folder elsewhere never stops a commit: the thread is the database's."""

    def __init__(self, path: str, *, create: bool = True, reading: Reading | None = None) -> None:
        """Open or create the database and bring its schema up to date.

        With `reading` nothing is written, not even beside the file: not the schema, and every change fails.
        Raises: LedgerError if it is missing (with `create=False`), damaged, locked, from a newer version, nobody's
        ledger, there in part only, or on a network file system. Never is a new one made in the place of another.
        Effects: creates the file and upgrades the schema. Repeat: safe.
        """
        self.path = path
        create = create and reading is None
        if not create and not os.path.exists(path):
            raise LedgerError(
                f"There is no ledger at {path}.",
                hint="Start the daemon once, or name its state folder in the config ([state] path); "
                "if it runs as another user, run this command as that user.",
            )
        if reading is None:
            refuse_place(path)
            refuse_half(path)
        may_be_new = create and not is_emptied(path)
        if os.path.exists(path) and os.path.getsize(path) == 0 and not may_be_new:
            raise emptied(path)  # before SQLite writes the first page of a new one into it
        self._engine = open_engine(path, reading)
        try:
            with errors_named(path), self._engine.connect() as connection:
                refuse_strange(connection, path, may_be_new=may_be_new)
                if create:
                    refuse_damaged(connection, path)
                if reading is None:
                    upgrade(connection)
                else:
                    refuse_older(connection)
                self.ledger_id = identity(connection)
            if create:
                note_use(path, self.ledger_id)
        except LedgerError:
            self._engine.dispose()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._lock = threading.Lock()
        self._asked: list[_Asked] = []

    async def close(self) -> None:
        """Finish what was asked for and close the database. Repeat: safe."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._thread.shutdown)
        self._engine.dispose()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run something in one transaction on the ledger's thread, for the tables' own modules. Raises: LedgerError.

        What was asked for while the last commit was written shares the next one: a disk makes only so many commits a
        second. Each fails by itself, and each is durable when its caller hears of it. `work` touches nothing but the
        database, as it may be undone and done again.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(work, loop, loop.create_future())
        with self._lock:
            self._asked.append(asked)
            is_first = len(self._asked) == 1
        if is_first:
            self._thread.submit(self._commit_all)
        # Shielded: a cancelled job must not leave its caller unsure whether the commit happened while it still runs.
        result: T = await asyncio.shield(asked.answer)
        return result

    def _commit_all(self) -> None:
        with self._lock:
            together, self._asked = self._asked, []
        if not self._committed(together):
            # One of them failed and all of it was undone: now each by itself, so that only that one fails.
            for asked in together:
                self._committed([asked])
        for asked in together:
            asked.tell()

    def _committed(self, together: list[_Asked]) -> bool:
        """Do all of it in one transaction. False if it has to be done one by one; else each knows what came of it."""
        has_begun = False
        try:
            with errors_named(self.path), self._engine.begin() as connection:
                has_begun = True
                for asked in together:
                    asked.run(connection)
        except Exception as error:  # noqa: BLE001 - told to whoever asked for it
            if has_begun and len(together) > 1:
                return False
            for asked in together:  # where nothing can begin, all need not wait for that one after the other
                asked.failure = error
        return True


class _Asked:
    """Something to be done in a transaction, for a caller who waits in a loop of its own."""

    def __init__(
        self, work: Callable[[Connection], Any], loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any]
    ) -> None:
        self._work, self._loop, self.answer = work, loop, answer
        self._result: Any = None
        self.failure: Exception | None = None

    def run(self, connection: Connection) -> None:
        """Do it; once more if what was done beside it failed."""
        self.failure = None
        self._result = self._work(connection)

    def tell(self) -> None:
        """Give the answer to the one who waits; a loop that is closed waits no more."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.answer.done():
            return
        if self.failure is None:
            self.answer.set_result(self._result)
        else:
            self.answer.set_exception(self.failure)
