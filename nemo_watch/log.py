"""The log: one line an event, for a person on a terminal and for programs elsewhere.

Touches: standard error.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from nemo_watch.reports import printable

Event = MutableMapping[str, Any]


def configure(*, stream: TextIO | io.TextIOBase | None = None, json: bool = False, level: str = "info") -> None:
    """Send the log of the program and of its libraries to one stream. Effects: replaces the logging set-up."""
    out = stream if stream is not None else sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True) if json else structlog.processors.TimeStamper("%H:%M:%S"),
        _printable_values,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=_colours(out),
            pad_event_to=18,
            # Never the pretty form: it prints local variables, and the token is one of them.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    tail: list[Any] = [structlog.processors.format_exc_info, renderer] if json else [renderer]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries tell every request and every scheduled run; only their warnings concern a person.
    for chatty in (
        "httpx",
        "httpcore",
        "apscheduler",
        "alembic",
        "uvicorn",
        "watchdog",
        "multipart",
        "python_multipart",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _colours(out: TextIO | io.TextIOBase) -> bool:
    return out.isatty() and "NO_COLOR" not in os.environ


def _printable_values(_logger: Any, _method: str, event: Event) -> Event:
    """File names may hold bytes that no stream can write, and line breaks that would forge a line."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = "".join(c if c.isprintable() else repr(c)[1:-1] for c in printable(value))
    return event
