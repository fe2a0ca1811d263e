"""Drafts and session states: what can be exported, what changed, and the timeline in one line. Pure.

A draft is opaque and belongs to the backend: everything here only reads it, takes any JSON and never fails.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nemo_watch.model import SessionState
from nemo_watch.reply.words import printable

_LABELS = {0: "Video", 1: "BGM", 7: "Title"}
_NAME_CHARS = 80
_CAPTION_CUES = 5
_TRACKS_READ = 100
_SEGMENTS_READ = 2000
"""Of one track. A timeline that a person made has fewer; whatever else comes must not take minutes to be told."""
_CAPTION_NAME = re.compile(r"caption|subtitle|\bcues?\b|字幕", re.I)
_CLIP = re.compile(r"video|seedance|\.(?:mp4|mov|avi|webm|mkv)\b", re.I)
_MAKES_CLIPS = re.compile(r"generate_video|seedance", re.I)
_GENERATED = re.compile(r"generat|seedance", re.I)
_ORIGINS = ("source", "origin", "tool")
_SOURCE = re.compile(r"^(?:[a-z][a-z0-9+.\-]*:|/)[^\s]*", re.I)

_SIGNED = re.compile(
    r"([?&])(?:x-[a-z]+-[a-z-]+|q-[a-z-]+|expires|signature|key-pair-id|policy|sig|s[eprtv]|token|auth_key|\w*accesskeyid)"
    r'=[^&"\\\s]*',
    re.I,
)


def exportable(draft: Any) -> bool:
    """Say whether a draft has something to render: a list of tracks, one of them with a segment.

    Source: contract.md 4.3, 11.1.
    """
    tracks = draft.get("t") if isinstance(draft, dict) else None
    return isinstance(tracks, list) and any(_segments(track) for track in tracks)


def state_digest(state: SessionState) -> str:
    """Give a digest that is equal for equal draft, uploads, generated media and canvas, in whatever order of keys.

    Nothing, null, {} and [] are the same: the backend uses all of them for "not yet". What signs
    an address for its reader does not count: it may be another one at every look.
    Source: contract.md 4.3, 6.6.
    """
    fields = [state.draft, list(state.video_infos), state.generated_media, state.canvas_config]
    text = json.dumps([field or None for field in fields], sort_keys=True, separators=(",", ":"), default=str)
    text = _SIGNED.sub(r"\1", text)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def draft_digest(state: SessionState) -> str:
    """Give a digest of the draft alone, as `state_digest` is one of all."""
    return state_digest(SessionState(state.draft))


def total_duration_s(draft: Any) -> float | None:
    """Read the length of a draft's timeline, None if it does not tell.

    Units: seconds, the draft's own are milliseconds.
    Source: contract.md 11.1.
    """
    if not isinstance(draft, dict):
        return None
    told = _number(draft, "d", "duration")
    if told is not None:
        return told / 1000
    ends: list[float] = []
    for track in _tracks(draft)[:_TRACKS_READ]:
        track_ms = _number(track, "d", "duration")
        ends.extend([track_ms] if track_ms is not None else [piece.end_ms for piece in _pieces(track)])
    return max(ends) / 1000 if ends else None


def timeline_summary(draft: Any) -> str:
    """Tell the timeline in one line, such as `Timeline (1 track): 1. Video: city timelapse (0-10s)`.

    Several pieces of a track are told by the first and their number; pieces of one name from different sources are one
    thing with that name, as in the contract's own example.
    Source: contract.md 11.4.
    """
    tracks = _tracks(draft)
    head = f"Timeline ({len(tracks)} track{'' if len(tracks) == 1 else 's'})"
    if not tracks:
        return head
    lines = [f"{number}. {_track_line(track)}" for number, track in enumerate(tracks[:_TRACKS_READ], start=1)]
    return f"{head}: {' '.join(lines)}{' …' if len(tracks) > _TRACKS_READ else ''}"


@dataclass(frozen=True, slots=True)
class TrackView:
    """One track for those who draw it: where its pieces lie on the timeline, and what it is in words.

    `label` is the documented one ("Video", "BGM", "Title", "Captions", "Track type 3"), `name` what is on it, `volumes`
    the lowest and the highest of its pieces. Units: seconds, percent.
    """

    label: str
    name: str
    pieces: tuple[tuple[float, float], ...]
    count: int
    volumes: tuple[int, int] | None


def tracks_of(draft: Any) -> tuple[TrackView, ...]:
    """Read the tracks of any draft. Source: contract.md 11.4."""
    return tuple(_view(track) for track in _tracks(draft)[:_TRACKS_READ])


def _view(track: dict[str, Any]) -> TrackView:
    label, _, rest = _track_line(track).partition(": ")
    pieces = _pieces(track)
    volumes = [round(piece.volume_percent) for piece in pieces if piece.volume_percent is not None]
    return TrackView(
        label=label,
        name=rest.rsplit(" (", 1)[0],
        pieces=tuple((piece.start_ms / 1000, piece.end_ms / 1000) for piece in pieces),
        count=len(_segments(track)),
        volumes=(min(volumes), max(volumes)) if volumes else None,
    )


def what_changed(before: SessionState, after: SessionState) -> str:
    """Say in a sentence what a message changed.

    Source: contract.md 6.6.
    """
    if state_digest(before) == state_digest(after):
        return "Nothing changed."
    found: list[str] = []
    added, removed = _new_lines(before.draft, after.draft), _new_lines(after.draft, before.draft)
    if added:
        found.append("now on the timeline: " + "; ".join(added))
    if removed:
        found.append("no longer there: " + "; ".join(removed))
    length_before, length_after = total_duration_s(before.draft), total_duration_s(after.draft)
    if length_after is not None and length_before != length_after:
        was = "" if length_before is None else f" instead of {_seconds(length_before * 1000)} s"
        found.append(f"the length is {_seconds(length_after * 1000)} s{was}")
    more = len(after.video_infos) - len(before.video_infos)
    if more > 0:
        found.append(f"{more} new file{'' if more == 1 else 's'} in the session")
    stages = _stages(before, after)
    if stages or (before.generated_media or None) != (after.generated_media or None):
        found.append(stages or "media was generated")
    if before.canvas_config and before.canvas_config != after.canvas_config:
        found.append("the canvas is another one")
    if not found:
        return "The edit changed details that the timeline summary does not show."
    return _as_sentence(", ".join(found))


def both_stages(before: SessionState, after: SessionState, tools: Sequence[str] = ()) -> str:
    """Say of a turn that generated a clip and then finished it by itself what came of both stages; "" of any other.

    The clip shows in the state, or in the name of a tool that was used.
    Source: contract.md 6.5, 6.8.
    """
    told = _stages(before, after, tools)
    return f"{_as_sentence(told)} All of it is kept." if told else ""


def _stages(before: SessionState, after: SessionState, tools: Sequence[str] = ()) -> str:
    """Tell a clip among the new media, and the tracks beside the picture that came with it."""
    known, now = ([*_media(state.generated_media), *_generated(state.video_infos)] for state in (before, after))
    clips = [tool for tool in tools if _MAKES_CLIPS.search(tool)]
    clips = clips or [media for media in now if media not in known and _is_clip(media)]
    added = [line for line in _new_lines(before.draft, after.draft) if not line.startswith(f"{_LABELS[0]}: ")]
    if not clips or not added:
        return ""
    return f"a raw clip was generated, then finished; beside the picture there is now: {'; '.join(added)}"


def _as_sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


def _new_lines(before: Any, after: Any) -> list[str]:
    """Give the lines of the tracks that are there now and were not before, or were others."""
    then, now = (Counter(_track_line(track) for track in _tracks(draft)[:_TRACKS_READ]) for draft in (before, after))
    return list((now - then).elements())


# ---------------------------------------------------------------- tolerant readers


def _media(told: Any) -> list[Any]:
    """Read generated media: a list, or an object of them. Source: contract.md 4.3."""
    found = list(told.values()) if isinstance(told, dict) else told if isinstance(told, list) else []
    return found[:_SEGMENTS_READ]


def _generated(files: tuple[Any, ...]) -> list[Any]:
    """Find the files of a session that say that they were made there; an upload may be listed late, too."""
    told = ((media, media.get(key)) for media in files[:_SEGMENTS_READ] if isinstance(media, dict) for key in _ORIGINS)
    return [media for media, origin in told if isinstance(origin, str) and _GENERATED.search(origin)]


def _is_clip(media: Any) -> bool:
    """Say whether a medium is a video, as far as it tells: by its type, by what made it, by its address."""
    if not isinstance(media, dict):
        return isinstance(media, str) and bool(_CLIP.search(media))
    told = (media.get(key) for key in ("file_type", "type", "media_type", "kind", "mime_type", "tool"))
    words = " ".join(value for value in told if isinstance(value, str))
    return bool(_CLIP.search(words or " ".join(_sources(media))))


@dataclass(frozen=True, slots=True)
class _Piece:
    """One segment as far as it can be read; `name` is "" if it has none of its own. Times are milliseconds."""

    start_ms: float
    end_ms: float
    name: str
    source: str
    text: str
    volume_percent: float | None


def _tracks(draft: Any) -> list[dict[str, Any]]:
    tracks = draft.get("t") if isinstance(draft, dict) else None
    return [track if isinstance(track, dict) else {} for track in tracks] if isinstance(tracks, list) else []


def _segments(track: Any) -> list[Any]:
    segments = track.get("sg") if isinstance(track, dict) else None
    return segments if isinstance(segments, list) else []


def _pieces(track: dict[str, Any]) -> list[_Piece]:
    pieces: list[_Piece] = []
    cursor_ms = 0.0
    for segment in _segments(track)[:_SEGMENTS_READ]:
        piece = _piece(segment if isinstance(segment, dict) else {}, cursor_ms)
        cursor_ms = max(cursor_ms, piece.end_ms)
        pieces.append(piece)
    return pieces


def _piece(segment: dict[str, Any], cursor_ms: float) -> _Piece:
    meta = _meta(segment)
    start_ms = _first(_number(segment, "s", "st", "start", "start_time", "in"), _number(meta, "start"), cursor_ms)
    length_ms = _number(segment, "d", "duration")
    if length_ms is None:
        into, out = _number(segment, "in"), _number(segment, "out")
        length_ms = max(0.0, out - (into or 0.0)) if out is not None else 0.0
    source = next(_sources(segment), "")
    name = _text(meta, "name", "title") or _text(segment, "n", "name", "title")
    volume = _first(_number(segment, "v", "vol", "volume"), _number(meta, "volume"), None)
    return _Piece(
        start_ms=start_ms or 0.0,
        end_ms=(start_ms or 0.0) + length_ms,
        name=name,
        source=source,
        text=_text(segment, "tx", "text", "txt", "content") or _text(meta, "text"),
        volume_percent=None if volume is None else volume * 100 if volume <= 1 else volume,
    )


def _track_line(track: dict[str, Any]) -> str:
    kind = _track_type(track)
    label = _LABELS.get(kind, f"Track type {kind}") if kind is not None else "Track type ?"
    pieces = _pieces(track)
    if not pieces:
        return f"{label}: empty"
    extent = f"{_seconds(min(piece.start_ms for piece in pieces))}-{_seconds(max(piece.end_ms for piece in pieces))}s"
    meta, count = _meta(track), len(_segments(track))
    if kind == 7 and count > 1:
        named = _CAPTION_NAME.search(_text(meta, "name", "title") or _text(track, "name", "n"))
        if named or count >= _CAPTION_CUES:
            return f"Captions: {count} cues ({extent})"
    first = pieces[0]
    volume = ""
    if kind == 1 and first.volume_percent is not None and round(first.volume_percent) != 100:
        volume = f", {round(first.volume_percent)}%"
    return f"{label}: {_described(pieces, count)} ({extent}{volume})"


def _described(pieces: list[_Piece], count: int) -> str:
    first = pieces[0]
    described = f'"{first.text}"' if first.text else first.name or _stem(first.source) or "clip 1"
    one_thing = (
        not first.text
        and first.name
        and all(piece.name == first.name for piece in pieces)
        and len({piece.source for piece in pieces}) > 1
    )
    return described if count == 1 or one_thing else f"{described} ×{count}"


def _meta(source: dict[str, Any]) -> dict[str, Any]:
    meta = source.get("m")
    return meta if isinstance(meta, dict) else {}


def _track_type(track: dict[str, Any]) -> int | None:
    kind = _number(track, "tt")
    return int(kind) if kind is not None and kind == int(kind) else None


def _number(source: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = source.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            continue
        try:
            number = float(value)
        except (ValueError, OverflowError):
            continue
        if math.isfinite(number) and 0 <= number < 1e15:
            return number
    return None


def _text(source: dict[str, Any], *keys: str) -> str:
    for key in keys:
        value = source.get(key)
        if isinstance(value, str) and (shown := printable(value[:1000])):
            return shown if len(shown) <= _NAME_CHARS else shown[: _NAME_CHARS - 1] + "…"
    return ""


def _sources(segment: dict[str, Any]) -> Iterator[str]:
    """Find the strings that look like media, in the segment and one level below."""
    for value in segment.values():
        if isinstance(value, str):
            if _SOURCE.match(value):
                yield value
        elif isinstance(value, dict):
            yield from (inner for inner in value.values() if isinstance(inner, str) and _SOURCE.match(inner))


def _stem(source: str) -> str:
    path = re.split(r"[?#]", source, maxsplit=1)[0].rstrip("/")
    name = path.rsplit("/", 1)[-1] if "://" not in path or path.count("/") > 2 else ""
    stem = name.rsplit(".", 1)[0] or name
    return printable(stem)[:_NAME_CHARS]


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".")
