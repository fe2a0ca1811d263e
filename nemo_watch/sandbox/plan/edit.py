"""One message's operations applied to the draft, always in the same order, and the reply that tells of it. Pure."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import (
    ORDER,
    Aspect,
    Captions,
    CutPauses,
    Fade,
    Highlight,
    Logo,
    Loudness,
    Music,
    Op,
    Place,
    Position,
    Remove,
    Speed,
    Summary,
    Title,
    Trim,
    Undo,
    Volume,
)
from nemo_watch.sandbox.plan import effects, pick, say, sound, taking_back
from nemo_watch.sandbox.plan.board import Board, Json, is_usable
from nemo_watch.sandbox.plan.captioning import add_captions
from nemo_watch.sandbox.plan.work import Work

MOST_TITLES = 40
"""With the captions and the pieces of the picture these stay below what one draft may hold."""
_LEAST_TITLE_MS = 300
_CLIPS = (".mp4", ".mov", ".avi", ".webm", ".mkv", ".m4v")
_PLACES: dict[Position, tuple[float, float, str]] = {
    "center": (0.5, 0.5, "center"),
    "top": (0.5, 0.12, "center"),
    "bottom": (0.5, 0.88, "center"),
    "left": (0.06, 0.5, "left"),
    "right": (0.94, 0.5, "right"),
    "top-left": (0.06, 0.12, "left"),
    "top-right": (0.94, 0.12, "right"),
    "bottom-left": (0.06, 0.88, "left"),
    "bottom-right": (0.94, 0.88, "right"),
}


@dataclass(frozen=True, slots=True)
class Edit:
    """What came of a message: the draft as it is now, the reply, and the tools that were used, in order.

    `unheard` are uploads whose words would be shown if anybody had looked for them: with them known, do it again.
    """

    draft: Json
    text: str
    tools: tuple[str, ...]
    unheard: tuple[str, ...] = ()


def edit(
    draft: Mapping[str, Any],
    ops: Sequence[Op],
    unsupported: Sequence[str],
    assets: Sequence[Asset],
    language: str,
    earlier: Sequence[Mapping[str, Any]] = (),
    alone: Asset | None = None,
) -> Edit:
    """Apply operations to a draft in the fixed order of `intent.ops.ORDER`, whatever the order in the sentence.

    An empty draft gets the uploads first: the videos in the order of upload, without videos the images, else the
    sounds. What was not done is named with its reason. Without an operation the draft stays as it is. `earlier` are
    the drafts that an undo can go back to, the oldest first; `alone` is the clip that a message is about, where it is
    one of several.

    Repeat: once; cuts apply to the draft as it is, so the same trim twice trims twice.
    Source: contract.md 11.2, render.md 8.
    """
    work = Work(Board(draft, assets, alone), say.language_of(language))
    refused = [say.not_done(work.language, unsupported)] if unsupported else []
    if not ops:
        return Edit(copy.deepcopy(dict(draft)), " ".join(refused) or say.say(work.language, "nothing"), ())
    ordered = sorted(ops, key=lambda op: ORDER.index(type(op)))
    back = next((op for op in ordered if isinstance(op, Undo)), None)
    if back is not None:
        taking_back.undo(work, back, earlier)
    for op in ordered:
        if isinstance(op, Remove):
            taking_back.remove(work, op)
    if all(isinstance(op, Undo | Remove) for op in ordered):
        return Edit(_draft_of(work, draft), " ".join([*work.said, *refused]), tuple(work.tools))
    place = next((op for op in ordered if isinstance(op, Place)), None)
    if place is not None and _elsewhere(work, place, anew=back is not None and back.all):
        return Edit(_draft_of(work, draft), " ".join([*work.said, *refused]), tuple(work.tools))
    if not _placed(work, place):
        text = " ".join([*work.said, say.say(work.language, "no_upload"), *refused])
        return Edit(_draft_of(work, draft), text, tuple(work.tools))
    _trim(work, [op for op in ordered if isinstance(op, Trim)])
    for op in ordered:
        _apply(work, op)
    text = " ".join([*work.said, *refused]) or say.say(work.language, "nothing")
    return Edit(work.board.draft, text, tuple(work.tools), work.unheard)


def _draft_of(work: Work, before: Mapping[str, Any]) -> Json:
    """Give the draft, as it was to the letter if nothing was changed."""
    return work.board.draft if work.tools else copy.deepcopy(dict(before))


def _apply(work: Work, op: Op) -> None:
    match op:
        case Undo() | Remove() | Place() | Trim():
            pass  # done before: they are looked at together
        case CutPauses():
            _cut_pauses(work, op)
        case Highlight():
            _highlight(work, op)
        case Speed():
            effects.speed(work, op)
        case Aspect():
            effects.aspect(work, op)
        case Music():
            sound.music(work, op)
        case Volume():
            sound.volume(work, op)
        case Loudness():
            sound.loudness(work)
        case Logo():
            effects.logo(work, op)
        case Fade():
            effects.fade(work, op)
        case Title():
            _title(work, op)
        case Captions():
            _captions(work)
        case Summary():
            _summary(work)
        case _:
            assert_never(op)


# ---------------------------------------------------------------- placing


def _elsewhere(work: Work, op: Place, *, anew: bool) -> bool:
    """Find what a message names; tell whether it works on a clip that cannot be worked on as things are.

    A clip that was not uploaded is no reason to edit another one, and what lies on the timeline is not thrown away
    because a message names only a part of it, unless it says that all begins anew.
    """
    work.named = _named(work, op.filenames)
    if work.board.alone is not None and op.filenames and work.board.alone not in work.named:
        work.named = (work.board.alone, *work.named)  # what else is named comes beside it, never in its place
    there = {seg.get("src") for seg in work.board.main()}
    shown = _shown(work)
    clips = [name for name in work.missing if name.casefold().endswith(_CLIPS)]
    if clips and not shown:
        work.tell("nothing_else")
        return True
    if shown and there and anew:
        work.board.start_over(shown)
        work.tell("placed", names=say.names(work.language, shown), total=work.s(work.board.duration_ms))
        work.used("place_media")
    elif shown and there - {asset.url for asset in shown}:
        work.tell("work_kept", names=say.names(work.language, shown))
        return True
    return False


def _shown(work: Work) -> tuple[Asset, ...]:
    """List the named uploads that go on the picture track."""
    shown = tuple(asset for asset in work.named if asset.kind in ("video", "image") and is_usable(asset))
    videos = any(asset.kind == "video" for asset in work.board.all)
    # beside a video an image is a logo; alone it would take the video's place, which nobody asked for
    return tuple(asset for asset in shown if asset.kind == "video" or not videos)


def _placed(work: Work, op: Place | None) -> bool:
    """See to it that the timeline has clips; tell whether it has."""
    board = work.board
    shown = _shown(work)
    work.said += [
        say.say(work.language, "image_left", name=asset.filename)
        for asset in work.named
        if asset.kind == "image" and asset not in shown
    ]
    there = {seg.get("src") for seg in board.main()}
    if shown and there != {asset.url for asset in shown}:
        further = tuple(asset for asset in shown if asset.url not in there)
        work.tell("placed", names=say.names(work.language, further), total="{total}")
        if there:
            board.append(further)
        else:
            board.start_over(shown)
    elif not there:
        default = board.usual()
        if not default:
            return False
        board.start_over(default)
        if op is not None or len(default) > 1:
            work.tell("placed", names=say.names(work.language, default), total="{total}")
        else:
            work.used("place_media")
            return True
    elif op is not None and not op.filenames:
        further = tuple(asset for asset in board.usual() if asset.url not in there)
        if further:
            board.append(further)
        present = further or tuple(asset for asset in board.all if asset.url in there)
        work.tell("placed" if further else "there", names=say.names(work.language, present), total="{total}")
        if not further:
            work.said[-1] = work.said[-1].replace("{total}", work.s(board.duration_ms))
            return True
    else:
        return True
    work.said[-1] = work.said[-1].replace("{total}", work.s(board.duration_ms))
    work.used("place_media")
    return True


def _named(work: Work, filenames: Sequence[str]) -> tuple[Asset, ...]:
    """Find the uploads a message names; Chinese has no space before a name, so a name may carry words in front."""
    found: list[Asset] = []
    for name in filenames:
        low = name.casefold()
        hits = [a for a in work.board.all if a.filename.casefold() == low]
        hits = hits or [a for a in work.board.all if a.filename and low.endswith(a.filename.casefold())]
        # of a name with a space only the last word is read as a name
        hits = hits or [a for a in work.board.all if a.filename.casefold().endswith(f" {low}")]
        if hits:
            found += [asset for asset in hits[:1] if asset not in found]
        else:
            work.tell("unknown_file", name=name)
            work.missing = (*work.missing, name)
    return tuple(found)


# ---------------------------------------------------------------- cutting


def _trim(work: Work, trims: Sequence[Trim]) -> None:
    if not trims:
        return
    before = work.board.duration_ms
    result = pick.trimmed(pick.view(work.board), trims)
    for trim, cut in result.cuts:
        end = before if trim.end_ms is None else min(trim.end_ms, before)
        figures = {"cut": work.s(cut), "start": work.s(trim.start_ms), "end": work.s(end)}
        work.tell(f"trim_{trim.part}", **figures)
    for trim in result.missed:
        known = trim.part in ("intro", "outro", "edges", "head_edge", "tail_edge")
        work.tell(f"miss_{trim.part}" if known else "miss_range", total=work.s(before))
    if result.cuts:
        work.board.keep(result.keep)
        work.tell("trim_result", before=work.s(before), after=work.s(work.board.duration_ms))
        work.used("trim")


def _cut_pauses(work: Work, op: CutPauses) -> None:
    seen = pick.view(work.board)
    drops = pick.pauses(seen, op.min_ms, op.pad_ms)
    if not drops:
        work.tell("no_pauses" if seen.heard else "no_sound", least=work.s(op.min_ms))
        return
    before = work.board.duration_ms
    work.board.keep(pick.without(before, drops))
    cut = before - work.board.duration_ms
    figures = {"cut": work.s(cut), "before": work.s(before), "after": work.s(work.board.duration_ms)}
    work.tell("cut_pauses_one" if len(drops) == 1 else "cut_pauses", count=len(drops), **figures)
    work.used("cut_pauses")


def _highlight(work: Work, op: Highlight) -> None:
    before = work.board.duration_ms
    if not op.named:
        work.tell("no_length")
    if before <= op.target_ms:
        work.tell("highlight_whole", before=work.s(before), target=work.s(op.target_ms))
        return
    work.board.keep(pick.strongest(pick.view(work.board), op.target_ms))
    work.tell("highlight", before=work.s(before), after=work.s(work.board.duration_ms))
    work.used("pick_highlight")


# ---------------------------------------------------------------- sound and text


def _title(work: Work, op: Title) -> None:
    board = work.board
    total = board.duration_ms
    length = total if op.dur_ms == 0 else min(op.dur_ms, total)
    start = max(0, total - length - op.start_ms) if op.at_end else (0 if op.dur_ms == 0 else op.start_ms)
    x, y, align = _PLACES[op.position]
    for other in sorted(board.titles(), key=lambda seg: int(seg["s"])):
        style = other.get("ts", {})
        same_place = (style.get("px"), style.get("py")) == (x, y)
        if same_place and start < other["s"] + other["d"] and other["s"] < start + length:
            start = other["s"] + other["d"]  # one after the other, never on top of each other
    length = min(length, total - start)
    if length < min(_LEAST_TITLE_MS, total) or len(board.titles()) >= MOST_TITLES:
        work.tell("title_no_room", text=op.text)
        return
    size = 72 if len(op.text) <= 24 else 56 if len(op.text) <= 60 else 40
    fade = {"ty": "fade", "d": min(300, length // 4)}
    style = {"ff": "DejaVu Sans", "fs": size, "c": "#FFFFFF", "b": True, "al": align, "px": x, "py": y}
    segment = {"id": "", "s": start, "d": length, "tx": op.text, "ts": {**style, "sk": "#000000", "sw": 3, "sh": True}}
    board.title({**segment, "an": {"in": fade, "out": dict(fade)}, "m": {"name": op.text[:40]}})
    work.tell("title", text=op.text, start=say.bare_seconds(start), end=say.bare_seconds(start + length))
    work.used("add_title")


def _captions(work: Work) -> None:
    if any(name.casefold().endswith((".srt", ".vtt")) for name in work.missing):
        work.tell("captions_missing")
        return
    made = add_captions(work.board, work.named, work.language)
    work.said += made.said
    work.unheard = made.unheard
    if made.added:
        work.used("add_captions")


# ---------------------------------------------------------------- facts


def _summary(work: Work) -> None:
    for asset in work.board.all[:20]:
        silent, average, count = 0, None, 0
        if asset.analysis is not None:
            silent = sum(end - start for start, end in asset.analysis.silences)
            count = sum(end - start >= pick.SHORTEST_PAUSE_MS for start, end in asset.analysis.silences)
            powers = [10 ** (db / 10) for _, db in asset.analysis.loudness]
            if powers:
                average = max(10 * math.log10(max(sum(powers) / len(powers), 1e-12)), -120.0)
        work.said.append(say.facts(work.language, asset, silent_ms=silent, pauses=count, average_db=average))
    work.used("analyze_media")
