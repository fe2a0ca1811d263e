"""Music beds made from formulas: free of any licence, the same at every run. Pure.

A bed is 16 seconds of four chords that end where they began, so that it can be looped without a seam.
"""

from __future__ import annotations

from dataclasses import dataclass

BED_S = 16
"""Length of one round; `aloop` repeats it from memory (12 MB) for any length."""


@dataclass(frozen=True, slots=True)
class Mood:
    """A way to play: four chords as semitones from A, the octave's frequency, and how the notes swell.

    `beats_per_s` 0 is a pad that breathes with the chords; `brightness` is the share of the octave above.
    """

    chords: tuple[tuple[int, int, int], ...]
    root_hz: float
    beats_per_s: float
    brightness: float
    name: str


_MINOR_TURN = ((0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5))
_MAJOR_TURN = ((3, 7, 10), (-2, 2, 5), (0, 3, 7), (-4, 0, 3))
_OPEN_TURN = ((0, 7, 12), (5, 9, 12), (-4, 3, 8), (-2, 5, 10))

MOODS: dict[str, Mood] = {
    "warm": Mood(_MAJOR_TURN, 110.0, 0.0, 0.20, "Warm pad (generated)"),
    "calm": Mood(_OPEN_TURN, 110.0, 0.0, 0.10, "Calm pad (generated)"),
    "upbeat": Mood(_MAJOR_TURN, 220.0, 2.0, 0.35, "Upbeat pulse (generated)"),
    "lofi": Mood(_MINOR_TURN, 110.0, 1.25, 0.15, "Lo-fi chords (generated)"),
    "cinematic": Mood(_MINOR_TURN, 55.0, 0.25, 0.45, "Cinematic swell (generated)"),
    "corporate": Mood(_OPEN_TURN, 165.0, 1.5, 0.25, "Corporate motif (generated)"),
}
DEFAULT_MOOD = "warm"


def bed_expression(mood: str) -> str:
    """Make the two expressions (left|right) that ffmpeg's `aevalsrc` plays; RMS is about -19 dB at volume 1.

    Raises: KeyError for a name that is not in MOODS.
    """
    style = MOODS[mood]
    chord_s = BED_S / len(style.chords)
    parts = [
        # Each note is picked by the chord's number; whole periods per round keep the seam silent.
        f"st({index},{_choice([_whole_periods(style.root_hz * 2 ** (chord[index] / 12)) for chord in style.chords])})"
        for index in range(3)
    ]
    swell = "sin(PI*mod(t,{0})/{0})".format(_text(chord_s))
    if style.beats_per_s:
        beat_s = _text(1 / style.beats_per_s)
        swell = f"(0.35+0.65*exp(-3*mod(t,{beat_s})/{beat_s})*(1-exp(-80*mod(t,{beat_s}))))*min(1,20*{swell})"
    else:
        swell = f"(0.3+0.7*{swell})*min(1,20*{swell})"
    channels = []
    for drift in ("0", "0.7"):
        notes = "+".join(f"sin(2*PI*t*ld({index})+{drift}*{index})" for index in range(3))
        octave = f"{_text(style.brightness)}*sin(4*PI*t*ld(0)+{drift})"
        channels.append(f"0.11*({';'.join(parts)};{notes}+{octave})*{swell}")
    return "|".join(channels)


def _choice(values: list[float]) -> str:
    """Pick by the number of the chord that sounds at `t`."""
    step = _text(BED_S / len(values))
    text = _text(values[-1])
    for index in range(len(values) - 2, -1, -1):
        text = f"if(lt(mod(t,{BED_S}),{_text((index + 1) * float(step))}),{_text(values[index])},{text})"
    return text


def _whole_periods(hertz: float) -> float:
    return round(hertz * BED_S) / BED_S


def _text(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
