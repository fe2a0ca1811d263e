"""All rules, in the order in which they look at a clause. Pure."""

from __future__ import annotations

from collections.abc import Callable

from nemo_watch.sandbox.intent.cutting import cut_pauses, trim
from nemo_watch.sandbox.intent.effects import bars, fade, logo, speed
from nemo_watch.sandbox.intent.levels import loudness
from nemo_watch.sandbox.intent.making import aspect, captions, highlight, music, place, summary, title
from nemo_watch.sandbox.intent.reading import Reading
from nemo_watch.sandbox.intent.taking_back import remove, undo

RULES: tuple[Callable[[Reading], None], ...] = (
    place, title, cut_pauses, trim, highlight, aspect, music, captions, summary,
)  # fmt: skip
"""A figure belongs to the first that has a use for it."""


def effects(reading: Reading, *, after_music: bool) -> None:
    """Let the rules for effects and for what is taken back look at a clause, before any other and before the limits."""
    remove(reading)
    speed(reading, after_music=after_music)
    loudness(reading, after_music=after_music)
    undo(reading)
    fade(reading)
    bars(reading)
    logo(reading)
