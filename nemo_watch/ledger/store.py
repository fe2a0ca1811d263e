"""The open database and the one thread that everything in it is done on.

Touches: one SQLite database (WAL, synchronous=FULL), on a thread of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.engine import Connection

from nemo_watch.errors import LedgerError
from nemo_watch.ledger.database import (
    Reading,
    errors_named,
    identity,
    open_engine,
    refuse_damaged,
    refuse_half,
    refuse_place,
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
        self._engine = open_engine(path, reading)
        try:
            with errors_named(path), self._engine.connect() as connection:
                if create:
                    refuse_damaged(connection, path)
                if reading is None:
                    upgrade(connection)
                self.ledger_id = identity(connection)
        except LedgerError:
            self._engine.dispose()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def close(self) -> None:
        """Finish what was asked for and close the database. Repeat: safe."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._thread.shutdown)
        self._engine.dispose()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run something in one transaction on the ledger's thread, for the tables' own modules. Raises: LedgerError."""

        def transaction() -> T:
            with errors_named(self.path), self._engine.begin() as connection:
                return work(connection)

        # Shielded: a cancelled job must not leave its caller unsure whether the commit happened while it still runs.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, transaction))
