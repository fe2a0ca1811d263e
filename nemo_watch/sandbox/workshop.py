"""Renders accepted drafts, one at a time, in the order they came. Touches: the store, files, child processes."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import sqlite3
from pathlib import Path

from nemo_watch.errors import NemoWatchError
from nemo_watch.sandbox.assets import Assets
from nemo_watch.sandbox.faults import Fault
from nemo_watch.sandbox.keeper import Keeper
from nemo_watch.sandbox.records import Json, Render
from nemo_watch.sandbox.render import Output, RenderedFile, render
from nemo_watch.sandbox.settings import Settings

log = logging.getLogger("nemo_watch.sandbox")

_PAUSE_S = 5


class Workshop:
    """The render queue: pending, processing, then completed or failed, also over restarts."""

    def __init__(self, db: Keeper, assets: Assets, settings: Settings) -> None:
        self._db, self._assets, self._settings = db, assets, settings
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._at: tuple[int, asyncio.Task[None]] | None = None
        self._progress: dict[int, int] = {}
        self._faults: dict[int, Fault] = {}

    async def start(self) -> None:
        """Put interrupted renders back in the queue and begin to work it off."""
        await self._db(self._db.store.requeue_renders)
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop working; what is not finished stays in the queue. No child is left behind."""
        for task in (self._worker, self._at[1] if self._at else None):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def submit(
        self, user_id: str, render_id: str, session_id: str, draft: Json, output: Json, fault: Fault | None = None
    ) -> Render:
        """Take a render into the queue; a `fault` spoils the work, not the acceptance.

        Raises: DuplicateError.
        """
        row = await self._db(self._db.store.accept_render, user_id, render_id, session_id, draft, output)
        if fault is not None and fault.do in ("fail_render", "stick", "slow"):
            self._faults[row.seq] = fault
        self._wake.set()
        return row

    async def cancel(self, row: Render) -> bool:
        """Cancel a render that has not ended; False if it has."""
        cancelled = await self._db(self._db.store.cancel_render, row.seq)
        if cancelled and self._at is not None and self._at[0] == row.seq:
            self._at[1].cancel()
        return cancelled

    def progress(self, row: Render) -> int:
        """Tell how far a render is, in per cent."""
        return 100 if row.state == "completed" else self._progress.get(row.seq, 0)

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                row = await self._db(self._db.store.next_render)
            except sqlite3.Error:
                # A full disk, for instance: the queue is there again when the database is.
                log.exception("the render queue cannot be read; it is tried again in %d s", _PAUSE_S)
                await asyncio.sleep(_PAUSE_S)
                continue
            if row is None:
                await self._wake.wait()
                continue
            fault = self._faults.pop(row.seq, None)
            if fault is not None and fault.do == "fail_render":
                await self._db(self._db.store.fail_render, row.seq, fault.message)
            if fault is not None and fault.do != "slow":  # "stick": taken out of the queue, and nobody works on it
                continue
            task = asyncio.create_task(self._one(row, fault))
            self._at = (row.seq, task)
            # A cancelled render ends its own task, not the worker.
            await asyncio.wait({task})
            self._at = None
            if not task.cancelled() and (error := task.exception()):
                log.error("render %s is left for the next start", row.render_id, exc_info=error)

    async def _one(self, row: Render, fault: Fault | None) -> None:
        store = self._db.store
        # A folder of its own for every run: a child of a killed process may still be writing into the last one.
        folder = store.root / "renders" / f"{row.seq}-{row.runs}-{secrets.token_hex(4)}"
        try:
            if fault is not None:
                await self._crawl(row, fault.seconds)
            rendered = await self._render(row, folder)
            path = Path(rendered.path)
            kept = await self._db(
                store.complete_render,
                row.seq,
                str(path.relative_to(store.root)),
                duration_ms=rendered.duration_ms,
                size_bytes=rendered.size_bytes,
            )
            if not kept:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        except asyncio.CancelledError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except Exception as error:
            if not isinstance(error, NemoWatchError):
                log.exception("render %s failed inside", row.render_id)
            why = error.message if isinstance(error, NemoWatchError) else "The sandbox failed inside; see its log."
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            await self._db(store.fail_render, row.seq, why)
        finally:
            self._progress.pop(row.seq, None)

    async def _crawl(self, row: Render, seconds: float) -> None:
        """Tell of progress for so long, and never of the end."""
        for per_cent in range(1, 100):
            self._progress[row.seq] = per_cent
            await self._settings.sleep(seconds / 99)

    async def _render(self, row: Render, folder: Path) -> RenderedFile:
        uploads = await self._db(self._db.store.uploads, row.session_id)

        def told(per_cent: float) -> None:
            self._progress[row.seq] = int(per_cent)

        return await render(
            row.draft,
            self._assets.sources(uploads),
            Output(**row.output),
            str(folder),
            told,
            fonts_dir=self._settings.fonts_dir,
        )
