"""Options: what the config file and the environment say, checked once at the start.

Touches: the config file (read), and in `check_layout` the folders it names (looked at, never written).
`python -m nemo_watch.config` prints the example file.
"""

from nemo_watch.config.hours import Hours, local_day, next_midnight, parse_hours
from nemo_watch.config.layout import check_layout, with_real_paths
from nemo_watch.config.options import (
    GENERATION_CREDITS,
    SESSION_CREDITS,
    Backend,
    Budget,
    Config,
    Inbox,
    Queue,
    Sandbox,
    Seconds,
    State,
)
from nemo_watch.config.reading import build, find, load

__all__ = [
    "GENERATION_CREDITS",
    "SESSION_CREDITS",
    "Backend",
    "Budget",
    "Config",
    "Hours",
    "Inbox",
    "Queue",
    "Sandbox",
    "Seconds",
    "State",
    "build",
    "check_layout",
    "find",
    "load",
    "local_day",
    "next_midnight",
    "parse_hours",
    "with_real_paths",
]
