"""The draft being worked on: placing clips, keeping parts of them, sound and text under and over them. Pure.

The keys are those of contract.md 11.2. All times are whole milliseconds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nemo_watch.sandbox.facts import Asset

Json = dict[str, Any]
Span = tuple[int, int]

VIDEO, AUDIO, TEXT = 0, 1, 7
IMAGE_MS = 3000
MOST_PIECES = 700
"""Pieces of the picture track: the renderer takes 2000 segments in all, captions among them."""
_LONG_SIDE, _SHORT_SIDE = 1920, 1080
_LEAST_SIDE = 64
_STANDARD_FPS = 30.0
_MUSIC_FADE_IN_MS, _MUSIC_FADE_OUT_MS = 500, 1500
_MOST_LOOPS = 24
_LEAST_TEXT_MS = 100
LOGO_SHARE = 0.1667


def even(value: float) -> int:
    """Give the nearest even number: the encoder takes no other size."""
    return max(2, 2 * round(value / 2))


def canvas_of(width: int, height: int) -> tuple[int, int]:
    """Give the canvas for a picture: its own size in even numbers, within 1920 by 1080 either way."""
    if width <= 0 or height <= 0:
        return 1280, 720
    short, long = min(width, height), min(max(width, height), 8 * min(width, height))
    scale = max(min(1.0, _SHORT_SIDE / short, _LONG_SIDE / long), _LEAST_SIDE / short)
    short_side = even(short * scale)
    long_side = min(even(long * scale), 8 * short_side)
    return (long_side, short_side) if width >= height else (short_side, long_side)


class Board:
    """A draft under the hand. `draft` is a copy of its own; `assets` are the session's uploads.

    `alone` is the one that is worked on where it is only one of several clips.
    """

    def __init__(self, draft: Mapping[str, Any], assets: Sequence[Asset], alone: Asset | None = None) -> None:
        self.draft: Json = copy.deepcopy(dict(draft))
        self.assets = {asset.url: asset for asset in assets}
        self.all = tuple(assets)
        self.alone = alone
        if not isinstance(self.draft.get("t"), list):
            self.draft["t"] = []
        if not isinstance(self.draft.get("m"), dict):
            self.draft["m"] = {}

    # ------------------------------------------------------------ looking

    def tracks(self, kind: int) -> list[Json]:
        return [track for track in self.draft["t"] if isinstance(track, dict) and track.get("tt") == kind]

    def main(self) -> list[Json]:
        """The segments of the picture track, in order; empty for an empty draft."""
        tracks = self.tracks(VIDEO)
        return sorted(tracks[0].get("sg", []), key=lambda seg: int(seg["s"])) if tracks else []

    @property
    def duration_ms(self) -> int:
        return max((int(seg["s"]) + int(seg["d"]) for seg in self.main()), default=0)

    def asset(self, segment: Json) -> Asset | None:
        return self.assets.get(str(segment.get("src", "")))

    # ------------------------------------------------------------ placing

    def usual(self) -> tuple[Asset, ...]:
        """The uploads that a message works on if it names none: the videos, without any the images, else the sounds."""
        if self.alone is not None:
            return (self.alone,) if is_usable(self.alone) else ()
        for kind in ("video", "image", "audio"):
            if found := tuple(asset for asset in self.all if asset.kind == kind and is_usable(asset)):
                return found
        return ()

    def start_over(self, assets: Sequence[Asset]) -> None:
        """Begin a new timeline with these uploads one after the other."""
        first = assets[0]
        width, height = canvas_of(first.width, first.height) if first.kind != "audio" else (1280, 720)
        fps = first.fps if first.kind == "video" and 1 <= first.fps <= 240 else _STANDARD_FPS
        facts: Json = {"title": stem(first.filename)[:100], "width": width, "height": height}
        facts["fps"] = round(min(fps, 60.0), 3)
        if first.kind == "audio":
            facts["bg"] = "#101014"
        self.draft = {"d": 0, "m": facts, "t": [{"id": "trk_v1", "tt": VIDEO, "d": 0, "m": {"name": "main"}, "sg": []}]}
        self.append(assets)

    def append(self, assets: Sequence[Asset]) -> None:
        """Put further uploads behind what is there."""
        track, at = self.tracks(VIDEO)[0], self.duration_ms
        for asset in assets:
            length = IMAGE_MS if asset.kind == "image" else asset.duration_ms
            segment = {"id": "", "s": at, "d": length, "src": asset.url, "ss": 0, "sd": length, "sp": 1.0, "v": 1.0}
            track["sg"].append({**segment, "m": {"name": asset.filename}})
            at += length
        self._lengths_changed()

    # ------------------------------------------------------------ cutting

    def keep(self, spans: Sequence[Span]) -> None:
        """Keep only these parts of the timeline, in their order, and move text and music along.

        `spans` are in order, do not overlap and lie inside the timeline. A title keeps its length where there is room,
        a caption stays with its words, music goes on to the new end.
        """
        old_ms = self.duration_ms
        track = self.tracks(VIDEO)[0]
        kept: list[Json] = []
        at = 0
        for start, end in spans:
            for seg in self.main():
                a, b = max(start, int(seg["s"])), min(end, int(seg["s"]) + int(seg["d"]))
                if a < b:
                    kept.append(_piece(seg, a, b, at))
                    at += b - a
        track["sg"] = kept

        def moved(ms: int) -> int:
            return sum(min(max(ms - start, 0), end - start) for start, end in spans)

        for text in self.tracks(TEXT):
            if is_captions(text):
                text["sg"] = _moved_captions(text["sg"], moved)
            else:
                text["sg"] = _moved_titles(text["sg"], moved, old_ms, at)
        self._lengths_changed()

    # ------------------------------------------------------------ sound and text

    def music(self, src: str, name: str, gain: float, *, duck: bool) -> None:
        """Lay a bed under everything, in place of one that is there."""
        others = [track for track in self.tracks(AUDIO) if (track.get("m") or {}).get("name") != "BGM"]
        bed = {"id": "", "s": 0, "d": 1, "src": src, "ss": 0, "sd": 1, "sp": 1.0, "v": round(gain, 2)}
        bed["m"] = {"name": name, "duck": duck}
        track = {"id": "", "tt": AUDIO, "d": 0, "m": {"name": "BGM"}, "sg": [bed]}
        self.draft["t"] = [*self.tracks(VIDEO), *others, track, *self.tracks(TEXT)]
        self._lengths_changed()

    def captions(self, segments: Sequence[tuple[int, int, str]]) -> None:
        """Show these (start, end, text), in place of captions that are there."""
        titles = [track for track in self.tracks(TEXT) if not is_captions(track)]
        style = {"ff": "DejaVu Sans", "fs": 44, "c": "#FFFFFF", "b": True, "al": "center", "px": 0.5, "py": 0.93}
        sg = [
            {"id": "", "s": a, "d": b - a, "tx": text, "ts": {**style, "sk": "#000000", "sw": 3}}
            for a, b, text in segments
        ]
        track = {"id": "", "tt": TEXT, "d": 0, "m": {"name": "Captions"}, "sg": sg}
        self.draft["t"] = [*self.tracks(VIDEO), *self.tracks(AUDIO), *titles, track]
        self._lengths_changed()

    def title(self, segment: Json) -> None:
        """Show a text on the first title track that is free at its time, else on a new one."""
        titles = [track for track in self.tracks(TEXT) if not is_captions(track)]
        for track in titles:
            if not any(_overlap(segment, other) for other in track["sg"]):
                track["sg"] = sorted([*track["sg"], segment], key=lambda seg: int(seg["s"]))
                break
        else:
            titles.append({"id": "", "tt": TEXT, "d": 0, "m": {"name": "Title"}, "sg": [segment]})
        captions = [track for track in self.tracks(TEXT) if is_captions(track)]
        self.draft["t"] = [*self.tracks(VIDEO), *self.tracks(AUDIO), *titles, *captions]
        self._lengths_changed()

    def drop(self, kind: int, unwanted: Callable[[Json, Json], bool]) -> bool:
        """Take segments off the tracks of a kind; tell whether there were any."""
        found = False
        for track in self.tracks(kind):
            kept = [seg for seg in track["sg"] if not unwanted(track, seg)]
            found = found or len(kept) < len(track["sg"])
            track["sg"] = kept
        if found:
            self._lengths_changed()
        return found

    # ------------------------------------------------------------ logos

    def logos(self) -> list[Json]:
        """The images over the picture: they lie on the video tracks above the first."""
        return [seg for track in self.tracks(VIDEO)[1:] for seg in track.get("sg", [])]

    def logo(self, asset: Asset, corner: str) -> None:
        """Lay an image into a corner for the whole length, in place of one that is there."""
        place = {"x": 0.0, "y": 0.0, "sc": 1.0, "ro": 0, "op": 1.0}
        segment = {"id": "", "s": 0, "d": 1, "src": asset.url, "tf": place}
        segment["m"] = {"name": asset.filename, "corner": corner}
        track = {"id": "", "tt": VIDEO, "d": 0, "m": {"name": "logo"}, "sg": [segment]}
        others = [t for t in self.draft["t"] if t.get("tt") != VIDEO]
        self.draft["t"] = [self.tracks(VIDEO)[0], track, *others]
        self._lengths_changed()
        self.set_logos()

    def drop_logos(self) -> bool:
        """Take all images over the picture away; tell whether there were any."""
        above = self.tracks(VIDEO)[1:]
        if above:
            self.draft["t"] = [track for track in self.draft["t"] if track not in above]
            self._lengths_changed()
        return bool(above)

    def set_logos(self) -> None:
        """Put every logo into its corner again: the picture may have another shape now.

        A logo is as large as a sixth of the picture holds it, and a thirtieth of the shorter side from the edges.
        """
        facts = self.draft["m"]
        width, height = int(facts.get("width") or 1280), int(facts.get("height") or 720)
        for seg in self.logos():
            asset, corner = self.asset(seg), str((seg.get("m") or {}).get("corner", ""))
            if asset is None or not corner or not asset.width or not asset.height:
                continue
            shown = min(width / asset.width, height / asset.height) * LOGO_SHARE
            margin = min(width, height) / 30
            x = 0.5 - (margin + asset.width * shown / 2) / width
            y = 0.5 - (margin + asset.height * shown / 2) / height
            left, top = corner.endswith("left"), corner.startswith("top")
            seg["tf"] = {**seg.get("tf", {}), "x": round(-x if left else x, 5), "y": round(-y if top else y, 5)}
            seg["tf"]["sc"] = LOGO_SHARE

    # ------------------------------------------------------------ speed

    def moving(self) -> list[Json]:
        """The segments whose speed can be changed: a still has none."""
        return [seg for seg in self.main() if (asset := self.asset(seg)) is None or asset.kind != "image"]

    def speed(self, factor: float | None) -> None:
        """Run everything `factor` times as fast, None: at its own speed, and move text and music along."""
        old_ms = self.duration_ms
        moving = self.moving()
        # as fast as every piece is run, and where it was
        runs = [
            (
                int(seg["s"]),
                int(seg["s"]) + int(seg["d"]),
                factor or 1 / (float(seg.get("sp", 1.0)) if seg in moving else 1),
            )
            for seg in self.main()
        ]

        def moved(ms: int) -> int:
            return round(sum(max(min(ms, end) - start, 0) / quick for start, end, quick in runs))

        quick: list[Json] = []
        at = 0
        for seg in self.main():
            length = moved(int(seg["s"]) + int(seg["d"])) - moved(int(seg["s"]))
            asset = self.asset(seg)
            still = asset is not None and asset.kind == "image"
            now = 1.0 if still or factor is None else round(float(seg.get("sp", 1.0)) * factor, 6)
            now = 1.0 if abs(now - 1) < 1e-4 else now
            taken = round(length * now)
            if asset is not None and not still:
                # A rounded millisecond at four times the speed is four of the source, and may be more than it has.
                left = asset.duration_ms - int(seg.get("ss", 0))
                if taken > left:
                    length, taken = (left, left) if now == 1 else (length, left)
            if length <= 0:
                continue
            quick.append({**seg, "s": at, "d": length, "sp": now, "sd": taken})
            at += length
        self.tracks(VIDEO)[0]["sg"] = quick
        for text in self.tracks(TEXT):
            if is_captions(text):
                text["sg"] = _moved_captions(text["sg"], lambda ms: min(moved(ms), at))
            else:
                text["sg"] = _moved_titles(text["sg"], moved, old_ms, self.duration_ms)
        self._lengths_changed()

    def titles(self) -> list[Json]:
        return [seg for track in self.tracks(TEXT) if not is_captions(track) for seg in track["sg"]]

    # ------------------------------------------------------------ the sums

    def _lengths_changed(self) -> None:
        """Bring beds, lengths and ids in line with the picture track."""
        total = self.duration_ms
        for track in self.tracks(AUDIO):
            if track.get("sg"):
                track["sg"] = self._bed(track["sg"][0], total)
        for seg in self.logos():
            seg["s"], seg["d"] = 0, total
        for key in ("fi", "fo"):
            if self.draft.get(key):
                self.draft[key] = min(int(self.draft[key]), total // 2)
        self.draft["t"] = [t for t in self.draft["t"] if t.get("tt") == VIDEO or t.get("sg")]
        letters = {VIDEO: "v", AUDIO: "a", TEXT: "t"}
        counts = dict.fromkeys(letters, 0)
        numbers = dict.fromkeys(letters, 0)
        for track in self.draft["t"]:
            kind = track["tt"]
            counts[kind] += 1
            track["id"] = f"trk_{letters[kind]}{counts[kind]}"
            for seg in track["sg"]:
                numbers[kind] += 1
                seg["id"] = f"seg_{letters[kind]}{numbers[kind]}"
            track["d"] = max((seg["s"] + seg["d"] for seg in track["sg"]), default=0)
        self.draft["d"] = total

    def _bed(self, bed: Json, total: int) -> list[Json]:
        """Make a bed as long as the timeline: a generated one in one piece, a file repeated if it is short."""
        asset = self.assets.get(str(bed["src"]))
        length = asset.duration_ms if asset is not None else total
        count = 1 if length >= total else min(-(-total // max(length, 1)), _MOST_LOOPS)
        pieces = []
        for number in range(count):
            at = number * length
            part = min(length, total - at)
            piece = {**bed, "s": at, "d": part, "ss": 0, "sd": part}
            for key in ("fi", "fo"):
                piece.pop(key, None)
            if number == 0:
                piece["fi"] = min(_MUSIC_FADE_IN_MS, part // 2)
            if number == count - 1:
                piece["fo"] = min(_MUSIC_FADE_OUT_MS, part // 2)
            pieces.append(piece)
        return pieces


def is_captions(track: Json) -> bool:
    """Tell whether a text track shows captions: their words belong to what is said."""
    return str((track.get("m") or {}).get("name", "")).casefold().startswith("caption")


def is_usable(asset: Asset) -> bool:
    """Tell whether an upload can stand on the picture track."""
    return asset.kind == "image" or asset.duration_ms > 0


def stem(filename: str) -> str:
    """Give a file's name without its last suffix."""
    name, dot, _ = filename.rpartition(".")
    return name if dot and name else filename


def _overlap(one: Json, other: Json) -> bool:
    return int(one["s"]) < int(other["s"]) + int(other["d"]) and int(other["s"]) < int(one["s"]) + int(one["d"])


def _piece(seg: Json, start: int, end: int, at: int) -> Json:
    """Give the part of a segment between two places of the timeline, moved to `at`."""
    speed = float(seg.get("sp", 1.0))
    first = int(seg.get("ss", 0)) + round((start - int(seg["s"])) * speed)
    taken = round((end - start) * speed)
    if seg.get("sd") is not None and speed != 1:
        taken = max(min(taken, int(seg.get("ss", 0)) + int(seg["sd"]) - first), 0)
    piece = {**copy.deepcopy(seg), "s": at, "d": end - start, "ss": first, "sd": taken}
    if start > int(seg["s"]):
        piece.pop("fi", None)
    if end < int(seg["s"]) + int(seg["d"]):
        piece.pop("fo", None)
    return piece


def _moved_captions(segments: Sequence[Json], moved: Callable[[int], int]) -> list[Json]:
    found = []
    for seg in segments:
        start, end = moved(int(seg["s"])), moved(int(seg["s"]) + int(seg["d"]))
        if end - start >= _LEAST_TEXT_MS:
            found.append({**seg, "s": start, "d": end - start})
    return found


def _moved_titles(segments: Sequence[Json], moved: Callable[[int], int], old_ms: int, new_ms: int) -> list[Json]:
    found: list[Json] = []
    for seg in segments:
        start, length = int(seg["s"]), int(seg["d"])
        if length >= old_ms:
            place = (0, new_ms)
        elif start + length >= old_ms:  # it stood at the end, and still does
            place = (max(0, new_ms - length), min(length, new_ms))
        else:
            at = min(moved(start), max(0, new_ms - length))
            place = (at, min(length, new_ms - at))
        busy = max((other["s"] + other["d"] for other in found), default=0)
        at = max(place[0], busy)
        length = min(place[1], new_ms - at)
        if length >= _LEAST_TEXT_MS:
            found.append({**seg, "s": at, "d": length})
    return found
