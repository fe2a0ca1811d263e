"""Pulling levers in tests: as the commands do, beside a daemon in this process or on the ledger of a stopped one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.cli.places import load_config
from nemo_watch.ledger import Ledger
from nemo_watch.model import Job, Json
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from nemo_watch.statefolder import LEDGER_NAME
from tests.media_fixtures import clip
from tests.program import Place, eventually

CUT = "cut the pauses"
LOST = Fault("run_sse", "answer", code=0, status=502, page=True)
"""An answer that says nothing of what became of the message: nothing did."""


@contextlib.contextmanager
def at_backend(root: Path, *faults: Fault, extra: str = "", **more: Any) -> Iterator[Place]:
    """A place whose backend is a server of its own, which plays the faults."""
    with SandboxServer(root / "backend", faults=Faults(faults), **more) as server:
        backend = f'url = "{server.url}"\nrender_poll = "0.2s"'
        yield Place(root / "place", backend=backend, extra=extra)


def records(place: Place) -> Records:
    return Records(str(place.root.parent / "backend"))


def messages(place: Place) -> list[str]:
    with records(place) as seen:
        return [turn.message for turn in seen.turns()]


@contextlib.asynccontextmanager
async def ledger_of(place: Place) -> AsyncIterator[Ledger]:
    ledger = Ledger(os.path.join(place.state, LEDGER_NAME), create=False)
    try:
        yield ledger
    finally:
        await ledger.close()


async def jobs(place: Place) -> list[Job]:
    async with ledger_of(place) as ledger:
        return await ledger.jobs()


async def ended(place: Place, state: str, *, code: str = "") -> Job:
    """Wait until the last job has come to this end."""

    async def look() -> Job | None:
        last, *_others = await jobs(place) or [None]
        if last is None:
            return None
        there = last.state == state and not last.active
        return last if there and (not code or (last.failure is not None and last.failure.code == code)) else None

    job = await eventually(look, f"the job {state} {code}")
    assert job is not None
    return job


async def pulled(place: Place, lever: Any, *what: str, **more: Any) -> Json:
    """Pull a lever as the command does, beside whatever runs here."""
    answer: Json = await asyncio.to_thread(lever, load_config(str(place.config_path)), *what, **more)
    return answer


async def tell(place: Place, *args: str, code: int = 0) -> str:
    """Run a command as a process."""
    told = await asyncio.to_thread(place.run, *args)
    assert told.returncode == code, told.stdout + told.stderr
    return told.stdout if code == 0 else told.stdout + told.stderr


def drop(place: Place, factory: pytest.TempPathFactory, name: str = "talk.mp4", instruction: str = CUT) -> None:
    place.drop(name, Path(clip(factory, "pauses.mp4")), instruction)


def daemon_if(place: Place, *, running: bool) -> Any:
    return place.daemon() if running else contextlib.nullcontext()


both_ways = pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
