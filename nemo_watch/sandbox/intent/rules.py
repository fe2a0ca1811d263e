"""All rules, in the order in which they look at a clause. Pure."""

from __future__ import annotations

from collections.abc import Callable

from nemo_watch.sandbox.intent.cutting import cut_pauses, trim
from nemo_watch.sandbox.intent.making import aspect, captions, highlight, music, place, summary, title
from nemo_watch.sandbox.intent.reading import Reading

RULES: tuple[Callable[[Reading], None], ...] = (
    place, title, cut_pauses, trim, highlight, aspect, music, captions, summary,
)  # fmt: skip
"""A figure belongs to the first that has a use for it."""
