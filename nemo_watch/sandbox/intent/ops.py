"""The operations the sandbox can do on a timeline: a closed set. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Mood = Literal["warm", "upbeat", "calm", "cinematic"]
Position = Literal["center", "top", "bottom", "left", "right", "top-left", "top-right", "bottom-left", "bottom-right"]
Fit = Literal["crop", "pad", "blur"]
Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
Heard = Literal["clip", "music", "all", "muted"]
Thing = Literal["title", "music", "captions", "logo", "fade", "fade_in", "fade_out", "speed", "loudness", "bars"]
TrimPart = Literal["intro", "outro", "edges", "head_edge", "tail_edge", "head", "tail", "keep", "drop", "last"]

DEFAULT_MOOD: Mood = "warm"
DEFAULT_GAIN = 0.35
DEFAULT_HIGHLIGHT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Place:
    """Put the uploads on the timeline as they are; with `filenames` the work is on these uploads only."""

    filenames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trim:
    """Take away from, or keep of, the timeline.

    `part` says what: "intro" and "outro" are found in picture and sound, "edges", "head_edge" and "tail_edge" are the
    silence at both ends or at one, "head" and "tail" cut `start_ms` from that end, "last" keeps the last `start_ms`,
    "keep" and "drop" are about the range from `start_ms` to `end_ms` (None: to the end).
    """

    part: TrimPart
    start_ms: int = 0
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CutPauses:
    """Cut quiet stretches of at least `min_ms`, leaving `pad_ms` on each side that touches sound."""

    min_ms: int = 500
    pad_ms: int = 120


@dataclass(frozen=True, slots=True)
class Highlight:
    """Keep the strongest parts, `target_ms` in all; `named` is False if no length was given."""

    target_ms: int = DEFAULT_HIGHLIGHT_MS
    named: bool = True


@dataclass(frozen=True, slots=True)
class Aspect:
    """Change the shape of the picture to `w`:`h`; 0 is the shape that it has.

    `fit` says how the clips come into it: cropped around the centre, whole with bars, or whole before a blurred copy.
    """

    w: int
    h: int
    fit: Fit = "crop"


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the last `steps` messages that changed something, or with `all` everything."""

    all: bool = False
    steps: int = 1


@dataclass(frozen=True, slots=True)
class Remove:
    """Take something off the timeline that an earlier message put there; with `text` only the title that says so."""

    thing: Thing
    text: str = ""


@dataclass(frozen=True, slots=True)
class Speed:
    """Run the whole timeline `factor` times as fast as it does now, 0.25 to 4 in all."""

    factor: float


@dataclass(frozen=True, slots=True)
class Volume:
    """Set how loud the clips' own sound, the music or all of it is: `gain` is linear, 0 is mute.

    `relative`: `gain` times as loud as it is now. Of "muted": what was muted is heard again as loud as is usual.
    """

    gain: float
    of: Heard = "clip"
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Loudness:
    """Bring the whole sound to the loudness that players expect: -14 LUFS."""


@dataclass(frozen=True, slots=True)
class Logo:
    """Lay an uploaded image over the picture, in a corner; without a name the only image there is."""

    filename: str = ""
    corner: Corner = "top-right"


@dataclass(frozen=True, slots=True)
class Fade:
    """Fade picture and sound in from black and out to black; None leaves that end as it is."""

    in_ms: int | None = None
    out_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Music:
    """Lay music under everything: an uploaded sound if there is one, else a generated bed of that mood.

    `gain` is linear, 0 to 1; with `duck` it steps back under speech.
    """

    mood: Mood = DEFAULT_MOOD
    gain: float = DEFAULT_GAIN
    duck: bool = True


@dataclass(frozen=True, slots=True)
class Title:
    """Show a text; `dur_ms` 0 is the whole length, `at_end` counts the place from the end."""

    text: str
    start_ms: int = 0
    dur_ms: int = 3000
    position: Position = "center"
    at_end: bool = False


@dataclass(frozen=True, slots=True)
class Captions:
    """Show the cues of an uploaded subtitle file."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Tell the measured facts of the uploads."""


Op = (
    Undo | Remove | Place | Trim | CutPauses | Highlight | Speed | Aspect | Music | Volume | Loudness | Logo | Title
    | Captions | Fade | Summary
)  # fmt: skip

ORDER: tuple[type[Op], ...] = (
    Undo, Remove, Place, Trim, CutPauses, Highlight, Speed, Aspect, Music, Volume, Loudness, Logo, Title, Captions,
    Fade, Summary,
)  # fmt: skip
"""The order in which operations are applied, whatever the order in the sentence."""

Measure = Literal["nothing", "sound", "everything"]
"""What must be measured of uploads: their pauses and loudness, and for everything their changes of scene, too."""


def measure_for(ops: Iterable[Op]) -> Measure:
    """Tell what operations need to know: a change of scene is found by decoding every picture of a short clip."""
    found: Measure = "nothing"
    for op in ops:
        match op:
            case Highlight() | Summary() | Trim(part="intro" | "outro"):
                return "everything"
            case CutPauses() | Trim(part="edges" | "head_edge" | "tail_edge"):
                found = "sound"
            case _:
                pass
    return found
