"""Read a draft strictly into a timeline of whole frames. Pure.

The keys are those of contract.md 11.2; unknown ones are passed over, known ones must be in range. Whatever is in
milliseconds becomes a frame number here, from positions and never from lengths, so that roundings cannot add up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from nemo_watch.sandbox.errors import DraftError
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.fields import (
    LONGEST_MS,
    as_shown,
    colour_of,
    frame_at,
    in_order,
    label_of,
    real,
    segments_of,
    span_of,
    text_of,
    whole,
)
from nemo_watch.sandbox.music import MOODS
from nemo_watch.sandbox.overlays import MOST_OVERLAYS, read_overlays
from nemo_watch.sandbox.timeline import CAPTION_STYLE, Clip, Fit, Output, Overlay, Sound, Text, TextStyle, Timeline

MOST_SEGMENTS = 2000
MOST_SOUNDS = 32
MOST_GAIN = 4
SOURCE_SLACK_MS = 100
"""How far a segment may reach past its source's stated end: headers round, and a last frame has a length."""
DEFAULT_BACKGROUND = "101014"
_GENERATED = "gen:"
_LONG_SIDE, _SHORT_SIDE = 1920, 1080
_SHAPES = ((16, 9), (4, 3), (5, 4), (1, 1))
"""Long to short side. A picture within two pixels of one of these is meant to have it: its sides were made even."""
_ROUNDING_PX = 2
_VIDEO, _AUDIO, _TEXT = 0, 1, 7


def read_timeline(draft: Mapping[str, Any], assets: Mapping[str, Asset], output: Output) -> Timeline:
    """Check a draft against what was uploaded and lay it out on the frame grid of the wished output.

    Raises: DraftError with a sentence that names track and segment.
    Source: contract.md 11.2.
    """
    tracks = draft.get("t")
    if not isinstance(tracks, list) or not all(isinstance(track, dict) for track in tracks):
        raise DraftError('The draft has no list of tracks ("t").')
    if sum(len(segments_of(track, number)) for number, track in enumerate(tracks, 1)) > MOST_SEGMENTS:
        raise DraftError(f"The draft has more than {MOST_SEGMENTS} segments.")
    pictures = [(number, track) for number, track in enumerate(tracks, 1) if _kind(track, number) == _VIDEO]
    main = pictures[0][0] if pictures else 0
    first_asset = next(
        (
            assets[src]
            for _, track in pictures[:1]
            for s in segments_of(track, 1)
            if (src := text_of(s, "src")) in assets
        ),
        None,
    )
    facts = draft.get("m") if isinstance(draft.get("m"), dict) else {}
    known: Mapping[str, Any] = facts or {}
    fps = _frame_rate(known, first_asset, output)
    width, height = _canvas(known, first_asset, output)
    reader = _Reader(assets, fps)
    sounds: list[Sound] = []
    texts: list[Text] = []
    clips: list[Clip] = []
    overlays: list[Overlay] = []
    for number, track in enumerate(tracks, 1):
        if number == main:
            clips = reader.clips(track, number)
        elif _kind(track, number) == _VIDEO:
            overlays += read_overlays(track, number, assets, fps)
        elif _kind(track, number) == _AUDIO:
            sounds += reader.sounds(track, number)
        else:
            texts += reader.texts(track, number)
    frames = sum(clip.frames for clip in clips)
    if not clips:
        frames = max([sound.start + sound.frames for sound in sounds], default=0)
    if draft.get("d") is not None:
        stated = frame_at(real(draft, "d", "The draft", low=0, high=LONGEST_MS), fps)
        frames = max(frames, stated if clips or sounds else 0)
    if not frames:
        raise DraftError("The draft shows nothing: there is no clip on its timeline.")
    filled = sum(clip.frames for clip in clips)
    if frames > filled:
        clips.append(Clip("", frames - filled))
    sounds = [_shortened(sound, frames) for sound in sounds if sound.start < frames]
    overlays = [replace(o, frames=min(o.frames, frames - o.start)) for o in overlays if o.start < frames]
    if len(overlays) > MOST_OVERLAYS:
        raise DraftError(f"The draft lays more than {MOST_OVERLAYS} images over the picture.")
    if len(sounds) > MOST_SOUNDS:
        raise DraftError(f"The draft has more than {MOST_SOUNDS} pieces of music or sound.")
    background = colour_of(known, "bg", "The draft", DEFAULT_BACKGROUND)[:6]
    fade_in, fade_out = (
        frame_at(min(whole(draft, key, "The draft", default=0), LONGEST_MS), fps) for key in ("fi", "fo")
    )
    parts = (tuple(clips), tuple(sounds), tuple(texts), tuple(overlays))
    fades = (min(fade_in, frames), min(fade_out, frames))
    return Timeline(width, height, fps, background, frames, *parts, _fit(known), *fades, _lufs(known))


class _Reader:
    """Reads the segments of one draft: `assets` is what `src` may name, `fps` the grid."""

    def __init__(self, assets: Mapping[str, Asset], fps: Fraction) -> None:
        self._assets = assets
        self._fps = fps

    def clips(self, track: Mapping[str, Any], number: int) -> list[Clip]:
        found: list[Clip] = []
        muted = track.get("mu") is True
        end_ms = at = 0
        for segment in in_order(track, number):
            where = label_of(segment, number)
            start_ms, length_ms = span_of(segment, where)
            if start_ms < end_ms:
                raise DraftError(f"{where} begins at {start_ms} ms, before the one before it ends at {end_ms} ms.")
            asset = self._asset(segment, where)
            if asset.kind == "subtitle":
                raise DraftError(f"{where} puts a subtitle file on the video track.")
            begin, end = frame_at(start_ms, self._fps), frame_at(start_ms + length_ms, self._fps)
            end_ms = start_ms + length_ms
            if begin > at:
                found.append(Clip("", begin - at))
            speed, source_ms = self._source(segment, asset, length_ms, where)
            fade_in, fade_out = self._fades(segment, length_ms, where)
            volume = 0.0 if muted else _volume(segment, where)
            if end > begin:
                first = frame_at(source_ms, self._fps)
                found.append(Clip(asset.url, end - begin, first, speed, volume, fade_in, fade_out))
            at = max(at, end)
        return found

    def sounds(self, track: Mapping[str, Any], number: int) -> list[Sound]:
        found: list[Sound] = []
        end_ms = 0
        for segment in in_order(track, number):
            where = label_of(segment, number)
            start_ms, length_ms = span_of(segment, where)
            if start_ms < end_ms:
                raise DraftError(f"{where} begins at {start_ms} ms, before the one before it ends at {end_ms} ms.")
            end_ms = start_ms + length_ms
            src, mood = text_of(segment, "src"), ""
            first, speed = 0, 1.0
            if src.startswith(_GENERATED):
                mood = src.removeprefix(_GENERATED)
                if mood not in MOODS:
                    raise DraftError(f'{where} asks for music "{mood}"; there are {", ".join(sorted(MOODS))}.')
            else:
                asset = self._asset(segment, where)
                if not asset.has_audio:
                    raise DraftError(f"{where} uses {asset.filename} as sound, but it has none.")
                speed, source_ms = self._source(segment, asset, length_ms, where)
                first = frame_at(source_ms, self._fps)
            begin, end = frame_at(start_ms, self._fps), frame_at(start_ms + length_ms, self._fps)
            fade_in, fade_out = self._fades(segment, length_ms, where)
            volume = _volume(segment, where)
            if end > begin and volume > 0 and track.get("mu") is not True:
                facts = segment.get("m")
                duck = not (isinstance(facts, dict) and facts.get("duck") is False)
                found.append(Sound(src, mood, begin, end - begin, first, speed, volume, fade_in, fade_out, duck))
        return found

    def texts(self, track: Mapping[str, Any], number: int) -> list[Text]:
        facts = track.get("m")
        name = str(facts.get("name", "")) if isinstance(facts, dict) else ""
        standard = CAPTION_STYLE if name.casefold().startswith("caption") else TextStyle()
        found: list[Text] = []
        for segment in in_order(track, number):
            where = label_of(segment, number)
            start_ms, length_ms = span_of(segment, where)
            text = segment.get("tx")
            if not isinstance(text, str) or len(text) > 5000:
                raise DraftError(f'{where} has no text ("tx") of at most 5000 characters.')
            fades = [self._text_fade(segment, key, way, where) for key, way in (("fi", "in"), ("fo", "out"))]
            if text.strip() and track.get("mu") is not True:
                style = _style(segment, standard, where)
                found.append(Text(text, start_ms, start_ms + length_ms, style, *(min(f, length_ms) for f in fades)))
        return found

    def _asset(self, segment: Mapping[str, Any], where: str) -> Asset:
        asset = self._assets.get(text_of(segment, "src"))
        if asset is None:
            raise DraftError(f"{where} uses a source that is not an upload of this session.")
        return asset

    def _source(self, segment: Mapping[str, Any], asset: Asset, length_ms: int, where: str) -> tuple[float, int]:
        """Give speed and in-point, checked against each other and against the source's end."""
        speed = real(segment, "sp", where, low=0.25, high=4, default=1.0)
        first_ms = whole(segment, "ss", where, default=0)
        if asset.kind == "image":
            return 1.0, 0
        needed_ms = length_ms * speed
        if segment.get("sd") is not None:
            stated_ms = whole(segment, "sd", where)
            if abs(stated_ms - needed_ms) > max(50.0, 2 * speed):
                raise DraftError(
                    f"{where} takes {stated_ms} ms of its source for {length_ms} ms at speed {speed:g}: "
                    f"it would need {round(needed_ms)} ms."
                )
        if first_ms + needed_ms > asset.duration_ms + SOURCE_SLACK_MS:
            raise DraftError(
                f"{where} reaches to {round(first_ms + needed_ms)} ms of {asset.filename}, "
                f"which is only {asset.duration_ms} ms long."
            )
        return speed, first_ms

    def _fades(self, segment: Mapping[str, Any], length_ms: int, where: str) -> tuple[int, int]:
        lengths = [whole(segment, key, where, default=0) for key in ("fi", "fo")]
        fade_in, fade_out = (frame_at(min(ms, length_ms), self._fps) for ms in lengths)
        return fade_in, fade_out

    def _text_fade(self, segment: Mapping[str, Any], key: str, way: str, where: str) -> int:
        animation = segment.get("an")
        part = animation.get(way) if isinstance(animation, dict) else None
        if segment.get(key) is None and isinstance(part, dict) and part.get("ty") == "fade":
            return whole(part, "d", where, default=0)
        return whole(segment, key, where, default=0)


def _kind(track: Mapping[str, Any], number: int) -> int:
    kind = track.get("tt")
    if kind not in (_VIDEO, _AUDIO, _TEXT) or isinstance(kind, bool):
        raise DraftError(
            f"Track {number} is of type {as_shown(kind)}; this backend renders 0 (video), 1 (audio) and 7 (text)."
        )
    return int(kind)


def _volume(segment: Mapping[str, Any], where: str) -> float:
    """Give how loud a segment is: "v" goes to 1, what is louder than recorded is an effect."""
    volume = real(segment, "v", where, low=0, high=1, default=1.0)
    effects = segment.get("fx", [])
    for effect in effects if isinstance(effects, list) else []:
        if isinstance(effect, dict) and effect.get("ty") == "volume":
            values = effect.get("p")
            volume *= real(values if isinstance(values, dict) else {}, "gain", where, low=0, high=MOST_GAIN, default=1)
    return min(volume, float(MOST_GAIN))


def _fit(facts: Mapping[str, Any]) -> Fit:
    fit = facts.get("fit")
    if fit is None or fit == "crop":
        return "crop"
    if fit == "pad":
        return "pad"
    if fit == "blur":
        return "blur"
    raise DraftError(f'The draft: "fit" must be crop, pad or blur, not {as_shown(fit)}.')


def _lufs(facts: Mapping[str, Any]) -> float | None:
    return None if facts.get("lufs") is None else real(facts, "lufs", "The draft", low=-40, high=-8)


def _shortened(sound: Sound, frames: int) -> Sound:
    left = min(sound.frames, frames - sound.start)
    return replace(sound, frames=left, fade_in=min(sound.fade_in, left), fade_out=min(sound.fade_out, left))


def _frame_rate(facts: Mapping[str, Any], asset: Asset | None, output: Output) -> Fraction:
    if output.fps:
        return _rate(real({"fps": output.fps}, "fps", "The output", low=1, high=60))
    if facts.get("fps") is not None:
        return _rate(real(facts, "fps", "The draft", low=1, high=60))
    measured = asset.fps if asset is not None and asset.kind == "video" else 0.0
    if not 1 <= measured <= 240:  # a recording without a steady rate claims 1000 and the like
        return Fraction(30)
    return _rate(min(measured, 60.0))


def _rate(value: float) -> Fraction:
    for nominal in (24, 30, 48, 60):
        exact = Fraction(nominal * 1000, 1001)
        if abs(value - exact) < 0.01:
            return exact
    return Fraction(value).limit_denominator(100)


def _canvas(facts: Mapping[str, Any], asset: Asset | None, output: Output) -> tuple[int, int]:
    """Give the size in pixels: the draft's shape, brought to the wished shorter side, never above 1080 by 1920."""
    if facts.get("width") is not None or facts.get("height") is not None:
        width, height = (real(facts, key, "The draft", low=64, high=8192) for key in ("width", "height"))
    elif asset is not None and asset.width >= 64 and asset.height >= 64:
        width, height = float(asset.width), float(asset.height)
    else:
        width, height = 1920.0, 1080.0
    if max(width, height) > 8 * min(width, height):
        raise DraftError(f"The draft's picture of {width:g} by {height:g} is longer than eight times its width.")
    short = min(width, height)
    if output.resolution:
        wish = re.fullmatch(r"(\d{2,5})p?", str(output.resolution).strip(), re.IGNORECASE)
        if wish is None or not int(wish[1]) >= 64:
            raise DraftError(f"The resolution {as_shown(output.resolution)} is not like 720p or 1080p.")
        if int(wish[1]) > _SHORT_SIDE:
            raise DraftError(f"The resolution {wish[1]}p is not possible: this backend exports up to 1080p.")
        short = float(wish[1])
        width, height = _meant(width, height)
    scale = short / min(width, height)
    scale = min(scale, _SHORT_SIDE / min(width, height), _LONG_SIDE / max(width, height))
    even_width, even_height = (max(2 * round(side * scale / 2), 16) for side in (width, height))
    return even_width, even_height


def _meant(width: float, height: float) -> tuple[float, float]:
    """Give the exact shape of a picture that has it but for rounding, so that enlarging does not enlarge the error."""
    short, long = min(width, height), max(width, height)
    for long_part, short_part in _SHAPES:
        exact = short * long_part / short_part
        if abs(exact - long) <= _ROUNDING_PX or abs(long * short_part / long_part - short) <= _ROUNDING_PX:
            return (exact, short) if width >= height else (short, exact)
    return width, height


def _style(segment: Mapping[str, Any], standard: TextStyle, where: str) -> TextStyle:
    values = segment.get("ts", {})
    if not isinstance(values, dict):
        raise DraftError(f'{where}: "ts" must be an object.')
    align = values.get("al", standard.align)
    if align not in ("left", "center", "right"):
        raise DraftError(f'{where}: "al" must be left, center or right, not {as_shown(align)}.')
    shadow = values.get("sh", standard.shadow)
    return TextStyle(
        family=re.sub(r"[^\w -]", "", text_of(values, "ff"))[:60].strip(),
        size=real(values, "fs", where, low=4, high=500, default=standard.size),
        colour=colour_of(values, "c", where, standard.colour),
        bold=values.get("b", standard.bold) is not False,
        italic=values.get("i", standard.italic) is True,
        align=align,
        x=real(values, "px", where, low=0, high=1, default=standard.x),
        y=real(values, "py", where, low=0, high=1, default=standard.y),
        stroke_colour=colour_of(values, "sk", where, standard.stroke_colour),
        stroke=real(values, "sw", where, low=0, high=50, default=standard.stroke),
        shadow=(2.0 if shadow else 0.0)
        if isinstance(shadow, bool)
        else real(values, "sh", where, low=0, high=50, default=standard.shadow),
        box=colour_of(values, "bg", where, standard.box),
    )
