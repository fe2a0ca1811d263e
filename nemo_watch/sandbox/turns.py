"""Works on accepted messages, each in a task of its own that needs no client. Touches: the store, files."""

from __future__ import annotations

import asyncio
import logging
import secrets
import uuid
from dataclasses import replace
from typing import Literal

from nemo_watch.errors import NemoWatchError
from nemo_watch.sandbox.assets import Assets
from nemo_watch.sandbox.editor import Editor
from nemo_watch.sandbox.faults import Fault
from nemo_watch.sandbox.intent import Music, Understood, understand
from nemo_watch.sandbox.intent.alone import is_chinese
from nemo_watch.sandbox.intent.generating import Card
from nemo_watch.sandbox.keeper import Keeper
from nemo_watch.sandbox.lettering import about_letters
from nemo_watch.sandbox.plan import Edit, cards
from nemo_watch.sandbox.records import Json, SessionRow, TurnRow
from nemo_watch.sandbox.settings import Settings
from nemo_watch.sandbox.spoiling import NOISE, screen_talk
from nemo_watch.sandbox.studio import Studio
from nemo_watch.sandbox.wire import Event, Failed, ModelError, Said, Stamped, Thought, ToolCall, ToolResult

log = logging.getLogger("nemo_watch.sandbox")

TOOL = "edit_multitrack"
MAKING_TOOL = "generate_video_with_seedance"
_BROKEN = {
    "en": "The message could not be worked on, and nothing was charged: {why}",
    "zh": "这条消息未能处理,没有扣除积分:{why}",
}
_INSIDE = {"en": "the sandbox failed inside; see its log.", "zh": "沙盒内部出错,请查看其日志。"}


class Feed:
    """What happens in a turn, for whoever started it. `get` gives "ended" after the last event, "stopped" if the
    sandbox was stopped before."""

    def __init__(self, invocation_id: str, settings: Settings) -> None:
        self._invocation_id, self._settings = invocation_id, settings
        self._queue: asyncio.Queue[Stamped | Literal["ended", "stopped"]] = asyncio.Queue()

    def tell(self, event: Event) -> None:
        """Add an event."""
        stamped = Stamped(event, self._invocation_id, str(uuid.uuid4()), round(self._settings.now(), 6))
        self._queue.put_nowait(stamped)

    def close(self, how: Literal["ended", "stopped"]) -> None:
        """Say that nothing comes any more."""
        self._queue.put_nowait(how)

    async def get(self) -> Stamped | Literal["ended", "stopped"]:
        """Wait for what comes next."""
        return await self._queue.get()


def broken_feed(error: str, settings: Settings) -> Feed:
    """Make the feed of a message that never becomes a turn."""
    feed = Feed(f"e-{uuid.uuid4()}", settings)
    feed.tell(Failed(error))
    feed.close("ended")
    return feed


class Turns:
    """The turns under way."""

    def __init__(self, db: Keeper, assets: Assets, settings: Settings, studio: Studio) -> None:
        self._db, self._settings, self._studio = db, settings, studio
        self._assets = assets
        self._editor = Editor(db, assets, settings)
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, session_id: str, message: str, fault: Fault | None = None) -> Feed:
        """Take a message into the store and begin to work on it; a `fault` spoils the work, not the acceptance.

        Raises: BusyError, NoCreditsError.
        Repeat: once; every call is another turn.
        """
        session = await self._db(self._db.store.session, session_id)
        card = await self._studio.wish(session_id, message, session.draft if session is not None else {})
        price = self._settings.edit_price if card is None else self._settings.card_price
        turn = await self._db(self._db.store.accept_turn, session_id, message, price=price)
        return self._begin(turn, fault)

    async def resume(self) -> None:
        """Begin again on every turn that an earlier process accepted and did not end."""
        for turn in await self._db(self._db.store.running_turns):
            log.info("going on with turn %d of session %s", turn.turn_id, turn.session_id)
            self._begin(turn)

    async def stop(self) -> None:
        """Stop working; unfinished turns stay accepted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, turn: TurnRow, fault: Fault | None = None) -> Feed:
        feed = Feed(turn.invocation_id, self._settings)
        task = asyncio.create_task(self._run(turn, feed, fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return feed

    async def _run(self, turn: TurnRow, feed: Feed, fault: Fault | None) -> None:
        store = self._db.store
        try:
            await self._db(store.begin_turn, turn.turn_id)
            session = await self._db(store.session, turn.session_id)
            if session is not None:
                await self._work(turn, session, feed, fault)
            feed.close("ended")
        except asyncio.CancelledError:
            feed.close("stopped")
            raise
        except Exception:
            # The store itself failed: the turn stays accepted, and the client must not take this for its end.
            log.exception("turn %d of session %s is left for the next start", turn.turn_id, turn.session_id)
            feed.close("stopped")

    async def _work(self, turn: TurnRow, session: SessionRow, feed: Feed, fault: Fault | None) -> None:
        language, code = _language(session.language), 0
        try:
            await self._spoiled(turn, session, feed, fault)
            return
        except _ScriptError as error:
            why, code = error.message, error.business_code
        except NemoWatchError as error:
            why = error.message
        except Exception:
            log.exception("turn %d of session %s failed inside", turn.turn_id, turn.session_id)
            why = _INSIDE[language]
        sentence = _BROKEN[language].format(why=why)
        await self._db(self._db.store.fail_turn, turn.turn_id, sentence)
        feed.tell(Failed(sentence, code))

    async def _spoiled(self, turn: TurnRow, session: SessionRow, feed: Feed, fault: Fault | None) -> None:
        """Do the work as the script of faults wants it done."""
        if fault is None:
            feed.tell(Said(await self._edit(turn, session, feed), last=True))
            return
        store = self._db.store
        match fault.do:
            case "talk":
                await self._db(store.finish_turn, turn, turn.draft_before, fault.message)
                feed.tell(Said(fault.message, last=True))
                return
            case "fail_turn":
                raise _ScriptError(fault)
            case "fail_model":
                await self._db(store.fail_turn, turn.turn_id, fault.message)
                feed.tell(ModelError(str(fault.code or "RESOURCE_EXHAUSTED"), fault.message))
                return
            case "two_stage":
                await self._two_stages(turn, session, feed, fault)
                return
            case "afterwards":
                feed.tell(Said(fault.message, last=True))
                feed.close("ended")
                await self._settings.sleep(fault.seconds)
            case "late":
                await self._settings.sleep(fault.seconds)
            case "stages":
                await self._db(store.stage_draft, turn, {**turn.draft_before, "stage": turn.turn_id})
                await self._settings.sleep(fault.seconds)
        reply = await self._edit(turn, session, feed)
        feed.tell(Said(screen_talk(reply, _language(session.language)) if fault.do == "screen" else reply, last=True))
        if fault.do == "noise":
            feed.tell(Said(NOISE))

    async def _edit(self, turn: TurnRow, session: SessionRow, feed: Feed) -> str:
        card = await self._studio.wish(turn.session_id, turn.message, turn.draft_before, turn.turn_id)
        if card is not None:
            return await self._make(turn, session, card, feed)
        task = await self._editor.task(turn)
        understood = await asyncio.to_thread(understand, task.text)
        plan = ", ".join(type(op).__name__ for op in understood.ops) or "no change"
        feed.tell(Thought(f"The message asks for: {plan}."))
        made = await self._editor.made(task, session, understood)
        call_id = f"call-{secrets.token_hex(4)}"
        changed = made.draft != turn.draft_before
        if changed:
            feed.tell(ToolCall(call_id, TOOL, {"actions": list(made.tools)}))
        # Committed before it is told: who has read the result finds it in the state.
        await self._db(self._db.store.finish_turn, turn, made.draft, made.text)
        if changed:
            feed.tell(_done(call_id, TOOL, made, turn))
        return made.text

    async def _make(self, turn: TurnRow, session: SessionRow, card: Card, feed: Feed) -> str:
        """Make a card, in two stages of one turn: the bare background, then words and music on it.

        Source: contract.md 6.8.
        """
        store = self._db.store
        language = "zh" if is_chinese(turn.message) else _language(session.language)
        call_id = f"call-{secrets.token_hex(4)}"
        feed.tell(Thought("The message asks for a video out of words: a card is what can be made."))
        feed.tell(ToolCall(call_id, MAKING_TOOL, {"prompt": turn.message}))
        made = await self._studio.background(card, turn)
        assets = self._assets.listed(await self._db(store.uploads, turn.session_id))
        background = next(asset for asset in assets if asset.url == made.url)
        raw = Edit(cards.bare(background), "", ())
        await self._db(store.stage_draft, turn, raw.draft, _raw_clip(turn, raw))
        feed.tell(_done(call_id, MAKING_TOOL, raw, turn))
        whole = await asyncio.to_thread(cards.lay_out, card, background, assets, language)
        warning = await asyncio.to_thread(about_letters, whole.draft, language, self._settings.fonts_dir)
        whole = replace(whole, text=f"{whole.text} {warning}".strip())
        feed.tell(ToolCall(call_id + "b", TOOL, {"actions": list(whole.tools)}))
        await self._db(store.finish_turn, turn, whole.draft, whole.text)
        feed.tell(_done(call_id + "b", TOOL, whole, turn))
        return whole.text

    async def _two_stages(self, turn: TurnRow, session: SessionRow, feed: Feed, fault: Fault) -> None:
        """Tell of what was asked for as if it were a raw clip, then lay music under it that nobody asked for.

        Source: contract.md 6.8.
        """
        if await self._studio.wish(turn.session_id, turn.message, turn.draft_before, turn.turn_id) is not None:
            feed.tell(Said(await self._edit(turn, session, feed), last=True))  # a card is made in two stages by itself
            return
        store, task = self._db.store, await self._editor.task(turn)
        understood = await asyncio.to_thread(understand, task.text)
        call_id = f"call-{secrets.token_hex(4)}"
        feed.tell(ToolCall(call_id, MAKING_TOOL, {"prompt": turn.message}))
        raw = await self._editor.made(task, session, understood)
        await self._db(store.stage_draft, turn, raw.draft, _raw_clip(turn, raw))
        feed.tell(_done(call_id, MAKING_TOOL, raw, turn))
        feed.tell(Said(raw.text, last=True))
        await self._settings.sleep(fault.seconds)
        whole = await self._editor.made(replace(task, base=raw.draft), session, Understood((Music(),), ()))
        feed.tell(ToolCall(call_id + "b", TOOL, {"actions": list(whole.tools)}))
        await self._db(store.finish_turn, turn, whole.draft, f"{raw.text} {whole.text}")
        feed.tell(_done(call_id + "b", TOOL, whole, turn))
        feed.tell(Said(whole.text, last=True))


class _ScriptError(NemoWatchError):
    """The turn fails because the script says so."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message, code="fault")
        self.business_code = fault.code


def _done(call_id: str, tool: str, made: Edit, turn: TurnRow) -> ToolResult:
    result = {"status": "ok", "tracks": len(made.draft.get("t", []))}
    return ToolResult(call_id, tool, result, {"draft_version": turn.turn_id})


def _raw_clip(turn: TurnRow, made: Edit) -> Json:
    """Describe what the first of two stages made, as the state tells of generated media."""
    pieces = [piece for track in made.draft.get("t", []) if track.get("tt") == 0 for piece in track.get("sg", [])]
    clip: Json = {"id": f"generated_{turn.turn_id}", "file_type": "video", "tool": MAKING_TOOL, "prompt": turn.message}
    if pieces:
        clip |= {"cdn_url": pieces[0].get("src", ""), "duration": made.draft.get("d", 0) / 1000}
    return clip


def _language(code: str) -> str:
    return "zh" if code.lower().startswith("zh") else "en"
