"""The nouns between a draft and a filter graph: a timeline of whole frames. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Fit = Literal["crop", "pad", "blur"]


@dataclass(frozen=True, slots=True)
class Output:
    """What file is wanted. `resolution` is "" (as edited) or like "720p"; `fps` 0 is as edited."""

    format: str = "mp4"
    quality: str = "high"
    resolution: str = ""
    fps: float = 0


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of the picture track: `frames` of the output, from `first` of the source on the output's frame grid.

    `src` is "" for a gap: background and silence. `first` and `source_frames` count frames of the output's rate.
    """

    src: str
    frames: int
    first: int = 0
    speed: float = 1.0
    volume: float = 1.0
    """Linear: 0 is silent, 1 as recorded, up to 4."""
    fade_in: int = 0
    fade_out: int = 0

    @property
    def source_frames(self) -> int:
        return math.ceil(self.frames * self.speed - 1e-6)

    @property
    def end(self) -> int:
        """Give the frame of the source after the last one that is used."""
        return self.first + self.source_frames


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of a sound track: an upload or, with `mood`, a generated bed. Positions and lengths are frames.

    `duck`: it gives way while the clips' own sound is heard.
    """

    src: str
    mood: str
    start: int
    frames: int
    first: int
    speed: float
    volume: float
    fade_in: int
    fade_out: int
    duck: bool = True


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a text looks; sizes in pixels of a picture whose shorter side is 1080, positions as fractions."""

    family: str = ""
    size: float = 72.0
    colour: str = "FFFFFFFF"
    bold: bool = True
    italic: bool = False
    align: Literal["left", "center", "right"] = "center"
    x: float = 0.5
    y: float = 0.5
    stroke_colour: str = "000000FF"
    stroke: float = 3.0
    shadow: float = 0.0
    box: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A text on the picture. Unlike cuts, texts keep their milliseconds."""

    text: str
    start_ms: int
    end_ms: int
    style: TextStyle
    fade_in_ms: int = 0
    fade_out_ms: int = 0


@dataclass(frozen=True, slots=True)
class Overlay:
    """An uploaded image over the picture. `x` and `y` place its centre, as fractions; `start` and `frames` are frames.

    `scale` 1 is as large as the picture can hold it whole.
    """

    src: str
    start: int
    frames: int
    x: float = 0.5
    y: float = 0.5
    scale: float = 1.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Timeline:
    """A draft that can be rendered: everything in it is known, in range and on the frame grid."""

    width: int
    height: int
    fps: Fraction
    background: str
    frames: int
    clips: tuple[Clip, ...]
    sounds: tuple[Sound, ...]
    texts: tuple[Text, ...]
    overlays: tuple[Overlay, ...] = ()
    fit: Fit = "crop"
    fade_in: int = 0
    fade_out: int = 0
    lufs: float | None = None
    """How loud the whole sound is to be; None leaves it."""


CAPTION_STYLE = TextStyle(size=44.0, y=0.93, stroke=3.0)
"""Captions sit in the lower quarter, anchored at their bottom line."""
