"""Which clip a message works on, and which timeline it goes on from, where a session has several. Pure.

Every upload that was worked on alone has a timeline of its own; one that came again under its name begins a new one. A
message without a name goes on with the clip of the message before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import Undo, understand
from nemo_watch.sandbox.intent.alone import is_chinese, only_on
from nemo_watch.sandbox.plan.board import Json, stem


@dataclass(frozen=True, slots=True)
class Change:
    """A message that changed a draft: its words, and the draft of its clip before and after."""

    text: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Task:
    """What one message is about.

    `text` is the message without the name of its file, `clip` the upload that is worked on alone (None: all of them),
    `base` the timeline to go on from, `past` what changed that one so far; `shown` is the session's draft until then.
    `unknown` is a name that no clip has.
    """

    text: str
    clip: Asset | None
    base: Json
    shown: Json
    past: tuple[Change, ...] = ()
    unknown: str = ""
    named: bool = False

    def language(self, session: str) -> str:
        """Give the language to answer in: the session's, or Chinese where the words behind a name are."""
        return "zh-CN" if self.named and is_chinese(self.text) else session

    def earlier(self) -> tuple[Json, ...]:
        """List the drafts that an undo can go back to, the oldest first: an undo takes the last ones off."""
        drafts: list[Json] = []
        for change in self.past:
            if change.before == change.after:
                continue
            ops = understand(change.text).ops
            wish = next((op for op in ops if isinstance(op, Undo)), None)
            if wish is None or wish.all:
                drafts.append(change.before)
            elif drafts and all(isinstance(op, Undo) for op in ops):
                # What else a message does is a change of the draft that it went back to, so that one stays.
                del drafts[-wish.steps :]
        return tuple(drafts)


def task_of(message: str, draft: Json, changes: Iterable[tuple[str, Json, Json]], assets: Sequence[Asset]) -> Task:
    """Find what a message is about, after these changes of the session (message, draft before and after)."""
    filenames = [asset.filename for asset in assets]
    past: dict[str, list[Change]] = {}
    last = ""
    for told, before, after in changes:
        alone = only_on(told, filenames)
        text = told
        if alone is not None and alone.filename:
            last, text = alone.filename, alone.text
        line = past.setdefault(last, [])
        if -1 < _newest(last, [change.after for change in line], assets) < _newest(last, [after], assets):
            line.clear()  # the name is another upload's by now
        line.append(Change(text, (line[-1].after if line else {}) if last else before, after))
    alone = only_on(message, filenames)
    if alone is None:
        return Task(message, _upload(last, assets), draft, draft, tuple(past.get(last, ())))
    clip = _upload(alone.filename, assets)
    if clip is None or clip.kind == "subtitle":
        return Task(alone.text, None, draft, draft, unknown=alone.name, named=True)
    line = past.get(alone.filename, [])
    if -1 < _newest(clip.filename, [change.after for change in line], assets) < assets.index(clip):
        line = []  # the file was uploaded again: what was done with the one before it is not done with this one
    return Task(alone.text, clip, line[-1].after if line else {}, draft, tuple(line), named=True)


def _upload(filename: str, assets: Sequence[Asset]) -> Asset | None:
    """Find an upload; of two with one name the later one, which was sent for a reason."""
    return next((asset for asset in reversed(assets) if filename and asset.filename == filename), None)


def _newest(filename: str, drafts: Iterable[Json], assets: Sequence[Asset]) -> int:
    """Find the newest upload of a name that is on one of these timelines: its place among them all, -1 if none is."""
    there = set().union(*map(_sources, drafts)) if filename else set()
    return max((at for at, asset in enumerate(assets) if asset.filename == filename and asset.url in there), default=-1)


def at_hand(task: Task, assets: Sequence[Asset], named: Collection[str]) -> tuple[Asset, ...]:
    """List the uploads that a task may use: all of them, or its clip with what is no clip of its own.

    Images and sounds serve every clip, subtitles the clip whose name they have. Another clip is used only if the
    message names it (`named`) or it is on the timeline already.
    """
    clip = task.clip
    if clip is None:
        return tuple(assets)
    names = {name.casefold() for name in named}
    there = _sources(task.base)
    stems = {stem(asset.filename).casefold() for asset in assets if asset.kind in ("video", "audio")}
    own = stem(clip.filename).casefold()
    found = []
    for asset in assets:
        if asset.url == clip.url or asset.url in there:
            found.append(asset)
        elif asset.filename == clip.filename:
            continue
        elif asset.kind == "subtitle":
            if _owner(asset, stems) in ("", own):
                found.append(asset)
        elif asset.kind != "video" or asset.filename.casefold() in names:
            found.append(asset)
    return tuple(found)


def _owner(subtitle: Asset, stems: Collection[str]) -> str:
    """Give the clip's name that a subtitle file has, "" for none: of "a" and "a.b" the longer one owns "a.b.srt"."""
    low = stem(subtitle.filename).casefold()
    fitting = [one for one in stems if low == one or low.startswith(one + ".")]
    return max(fitting, key=len, default="")


def _sources(draft: Mapping[str, object]) -> set[str]:
    tracks = draft.get("t")
    rows = [track for track in tracks if isinstance(track, dict)] if isinstance(tracks, list) else []
    return {str(seg.get("src", "")) for track in rows for seg in track.get("sg", ()) if isinstance(seg, dict)}
