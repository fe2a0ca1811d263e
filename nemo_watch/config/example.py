"""The example file, written from the options and their descriptions. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from nemo_watch.config.options import Options, Section

_HEAD = """\
# nemo-watch: every key with its default. Leave out what you do not change.
# Looked for at --config, $NEMO_WATCH_CONFIG, $XDG_CONFIG_HOME/nemo-watch/config.toml (~/.config/nemo-watch/config.toml)
# and /etc/nemo-watch/config.toml; the first that is set or exists counts.
# Durations are text like "250ms", "30s", "5m", "1h30m", "2d", or a number of seconds.
# Any key can come from the environment: NEMO_WATCH_QUEUE__WORKERS=2, NEMO_WATCH_INBOX__0__PATH=/srv/videos.
"""
_UNITS = ((86400_000, "d"), (3600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))


def example() -> str:
    """Write config.example.toml: it loads, and equals the defaults."""
    return _HEAD + "".join(line + "\n" for line in _sections())


def _sections() -> Iterator[str]:
    for name, field in Options.model_fields.items():
        default = field.default
        section, header = (default[0], f"[[{name}]]") if isinstance(default, tuple) else (default, f"[{name}]")
        yield ""
        yield from _comment(type(section).__doc__ or "")
        yield header
        yield from _keys(section)


def _keys(section: Section) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        yield from _comment(field.description or "")
        yield f"{name} = {toml_value(field.default)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 118, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def toml_value(value: object) -> str:
    """Write a default as it would stand in the file; every float among the options is a duration."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f'"{duration(value)}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def duration(length_s: float) -> str:
    """Write a duration in the largest unit of which it has at least three whole ones: "24h", "5m", "60s".

    Units: seconds
    """
    length_ms = round(length_s * 1000)
    size, unit = next(
        (each for each in _UNITS if length_ms % each[0] == 0 and length_ms >= 3 * each[0]),
        (1000, "s") if length_ms % 1000 == 0 else (1, "ms"),
    )
    return f"{length_ms // size}{unit}"
