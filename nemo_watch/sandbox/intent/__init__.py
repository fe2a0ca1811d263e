"""Words to operations: what a message asks for, by rules over its clauses. Pure."""

from nemo_watch.sandbox.intent.limits import Limit, limit_of
from nemo_watch.sandbox.intent.ops import (
    DEFAULT_GAIN,
    DEFAULT_HIGHLIGHT_MS,
    ORDER,
    Aspect,
    Captions,
    CutPauses,
    Highlight,
    Mood,
    Music,
    Op,
    Place,
    Position,
    Summary,
    Title,
    Trim,
    TrimPart,
)
from nemo_watch.sandbox.intent.understand import Understood, understand

__all__ = [
    "DEFAULT_GAIN",
    "DEFAULT_HIGHLIGHT_MS",
    "ORDER",
    "Aspect",
    "Captions",
    "CutPauses",
    "Highlight",
    "Limit",
    "Mood",
    "Music",
    "Op",
    "Place",
    "Position",
    "Summary",
    "Title",
    "Trim",
    "TrimPart",
    "Understood",
    "limit_of",
    "understand",
]
