"""One message to one edit: which clip it is about, what is measured for it, and what is said of the result.

Touches: the store, files, child processes.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from nemo_watch.sandbox.assets import Assets
from nemo_watch.sandbox.intent import Place, Understood, Undo, measure_for
from nemo_watch.sandbox.keeper import Keeper
from nemo_watch.sandbox.lettering import about_letters
from nemo_watch.sandbox.plan import Edit, edit
from nemo_watch.sandbox.plan.say import language_of, say
from nemo_watch.sandbox.records import Json, SessionRow, TurnRow
from nemo_watch.sandbox.settings import Settings
from nemo_watch.sandbox.threads import Task, at_hand, task_of


class Editor:
    """Makes edits; keeps none."""

    def __init__(self, db: Keeper, assets: Assets, settings: Settings) -> None:
        self._db, self._assets, self._settings = db, assets, settings

    async def task(self, turn: TurnRow) -> Task:
        """Find what a message is about."""
        uploads = await self._db(self._db.store.uploads, turn.session_id)
        changes = await self._db(self._db.store.changes, turn.session_id)
        return await asyncio.to_thread(task_of, turn.message, turn.draft_before, changes, self._assets.listed(uploads))

    async def made(self, task: Task, session: SessionRow, understood: Understood) -> Edit:
        """Apply what was understood; what was never measured is measured now."""
        language = task.language(session.language)
        uploads = await self._db(self._db.store.uploads, session.session_id)
        if task.unknown:
            clips = [upload.filename for upload in uploads if upload.kind != "subtitle"]
            names = ("、" if language_of(language) == "zh" else ", ").join(dict.fromkeys(clips))
            key = "no_such_clip" if clips else "no_clips"
            return Edit(task.shown, say(language_of(language), key, name=task.unknown, names=names), ())
        named = [name for op in understood.ops if isinstance(op, Place) for name in op.filenames]
        near = {asset.url for asset in at_hand(task, self._assets.listed(uploads), named)}
        uploads = tuple(upload for upload in uploads if upload.url in near)
        earlier: tuple[Json, ...] = ()
        if any(isinstance(op, Undo) for op in understood.ops):
            earlier = await asyncio.to_thread(task.earlier)
        more = (understood.ops, understood.unsupported)
        measure = measure_for(understood.ops)
        assets = await self._assets.measured(uploads, measure) if understood.ops else self._assets.listed(uploads)
        clip = next((asset for asset in assets if task.clip is not None and asset.url == task.clip.url), None)
        made = await asyncio.to_thread(edit, task.base, *more, assets, language, earlier, clip)
        if made.unheard:  # only now is it known whose words are needed: listening takes a while
            assets = await self._assets.heard(uploads, made.unheard, session.language, measure)
            clip = next((asset for asset in assets if clip is not None and asset.url == clip.url), None)
            made = await asyncio.to_thread(edit, task.base, *more, assets, language, earlier, clip)
        return await self._told(task, made, language)

    async def _told(self, task: Task, made: Edit, language: str) -> Edit:
        spoken = language_of(language)
        if task.clip is not None and not made.draft.get("t"):
            return replace(made, draft=task.shown)  # nothing was done with it: what was shown before stays
        if not made.tools and made.draft != task.shown and task.clip is not None:
            shown = say(spoken, "brought_up", name=task.clip.filename)
            return replace(made, text=f"{made.text} {shown}", tools=("open_timeline",))
        if {"add_title", "add_captions"} & set(made.tools):
            warning = await asyncio.to_thread(about_letters, made.draft, spoken, self._settings.fonts_dir)
            return replace(made, text=f"{made.text} {warning}".strip())
        return made
