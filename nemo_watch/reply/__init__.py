"""What the other side says, made usable: streams as turns, drafts as one line, replies in plain words. Pure."""

from nemo_watch.reply.timeline import (
    TrackView,
    both_stages,
    draft_digest,
    exportable,
    state_digest,
    timeline_summary,
    total_duration_s,
    tracks_of,
    what_changed,
)
from nemo_watch.reply.turn import NO_CREDITS_SAID, EventKind, TurnBuilder
from nemo_watch.reply.words import plain_words, printable, without_secrets

__all__ = [
    "NO_CREDITS_SAID",
    "EventKind",
    "TrackView",
    "TurnBuilder",
    "both_stages",
    "draft_digest",
    "exportable",
    "plain_words",
    "printable",
    "state_digest",
    "timeline_summary",
    "total_duration_s",
    "tracks_of",
    "what_changed",
    "without_secrets",
]
