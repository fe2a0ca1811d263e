"""What the sandbox knows of an upload: its shape, its sound over time and its subtitles. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AssetKind = Literal["video", "image", "audio", "subtitle"]
WhyNoWords = Literal["no_sound", "no_recogniser", "no_model", "no_speech", "broken"]


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle of a subtitle file, times from the start of the source."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """What is said in an upload: the subtitles it carries, or what a recogniser heard; else `missing` says why not."""

    cues: tuple[Cue, ...]
    by: Literal["carried", "heard", ""]
    missing: WhyNoWords | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was measured in an upload's sound and picture.

    `silences` are raw (start, end) of every quiet stretch; how much of them is cut is the plan's business.
    `loudness` is (start of bin, RMS in dB) and `speech_db` and `floor_db` are its loud and quiet level; both are None
    if there is no sound. A sound whose loud and quiet level hardly differ has no silences at all. `scenes_ms` is empty,
    too, if nobody needed them.
    """

    silences: tuple[tuple[int, int], ...]
    scenes_ms: tuple[int, ...]
    loudness: tuple[tuple[int, float], ...]
    speech_db: float | None
    floor_db: float | None


@dataclass(frozen=True, slots=True)
class Asset:
    """An upload of a session: `url` is what a draft's `src` names it by.

    Width and height are as shown: after rotation and with square pixels; 0 without a picture. `duration_ms` is 0 for
    images and subtitles. `cues` are a subtitle file's; `words` are a video's or sound's, None if nobody has looked yet.
    """

    asset_id: str
    url: str
    filename: str
    kind: AssetKind
    duration_ms: int
    width: int
    height: int
    fps: float
    has_audio: bool
    hdr: bool
    size_bytes: int
    analysis: Analysis | None = None
    cues: tuple[Cue, ...] = ()
    words: Words | None = None
