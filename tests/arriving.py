"""The daemon against a backend that talks and edits nothing, and what reached that backend by its own records.

So nothing is rendered, and many instructions can be dropped in little time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nemo_watch import config as configuration
from nemo_watch.daemon import Daemon
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.program import IMPATIENT, QUICK, Place, eventually

TALKS = Fault("run_sse", "talk", message="What do you mean?", times=0)


@contextlib.asynccontextmanager
async def against(
    root: Path, *faults: Fault, inbox_extra: str = "", env: Mapping[str, str] | None = None
) -> AsyncIterator[Place]:
    """Run the daemon against a backend of its own."""
    with SandboxServer(root / "backend", faults=Faults(faults), heartbeat_s=0.2) as server:
        place = Place(
            root / "place", backend=f'url = "{server.url}"', extra="[queue]\nworkers = 8", inbox_extra=inbox_extra
        )
        config = configuration.load(str(place.config_path), {})
        patience = replace(IMPATIENT, settle_reads_s=(0.0,))
        environment = {"HOME": str(place.root / "home"), **(env or {})}
        async with Daemon(config, env=environment, settle=QUICK, patience=patience).running():
            yield place


def version(source: bytes, number: int) -> bytes:
    """The same clip with other content: a work of its own."""
    return source + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")


async def work_off(place: Place, source: str, texts: Sequence[str]) -> None:
    """Drop all of them, the first one alone: many at a first start would be held for a person."""
    content = Path(source).read_bytes()
    for number, text in enumerate(texts):
        place.drop(f"row {number}.mp4", version(content, number), text)
        if number == 0:
            await eventually(lambda: reported(place) == 1, "the first one came to its end")
    await eventually(lambda: reported(place) == len(texts), "all came to their end")


def reported(place: Place) -> int:
    """How many of them have a report by now."""
    return sum(name.endswith(".toml") for folder in ("outbox", "rejects") for name in os.listdir(place.root / folder))


def titles(records: Records) -> dict[str, str]:
    """Whose session it is, by its project's name."""
    opened = records.requests("POST", "/with-session/")
    return {request.summary["task_name"]: request.summary["session_id"] for request in opened}


def arrived(root: Path) -> dict[str, tuple[str, ...]]:
    """The messages that reached the backend, by the name of their project."""
    with Records(root / "backend") as records:
        return {name: tuple(turn.message for turn in records.turns(number)) for name, number in titles(records).items()}
