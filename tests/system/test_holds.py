"""Holds of the whole account: nothing is rejected, everything paid for goes on, and each ends when its cause does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_watch import config as configuration
from nemo_watch.daemon import Daemon
from nemo_watch.model import Json
from nemo_watch.pipeline.holds import PAUSED
from nemo_watch.policy import HoldLooks
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import DATABASE, Records
from nemo_watch.sandbox.server import SandboxServer
from tests.media_fixtures import clip
from tests.program import IMPATIENT, QUICK, Place, eventually

ASK = 'add the title "One"'
SOON = replace(IMPATIENT, hold_tick_s=0.1, hold_looks=HoldLooks(account_s=0.2, export_s=0.2))
SELDOM = replace(IMPATIENT, hold_tick_s=0.1)


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return clip(tmp_path_factory, "mute.mp4")


@contextlib.asynccontextmanager
async def running(place: Place, patience: Any = SOON) -> AsyncIterator[Daemon]:
    config = configuration.load(str(place.config_path), {})
    env = {"HOME": str(place.root / "home"), **place.env}
    async with Daemon(config, env=env, settle=QUICK, patience=patience).running() as daemon:
        yield daemon


@contextlib.contextmanager
def served(root: Path, *faults: Fault, **more: Any) -> Any:
    """A backend of its own with its place."""
    with SandboxServer(root / "backend", faults=Faults(faults), **more) as server:
        yield Place(root / "place", backend=f'url = "{server.url}"')


def drop(place: Place, source: str, *numbers: int) -> None:
    for number in numbers:
        more = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
        place.drop(f"clip{number}.mp4", Path(source).read_bytes() + more, ASK)


def grant(store: Path, amount: int) -> None:
    """Top up every account of a backend."""
    with contextlib.closing(sqlite3.connect(store / DATABASE, timeout=30)) as db, db:
        db.execute("UPDATE ledger SET amount = amount + ? WHERE kind = 'grant'", (amount,))


async def come_to(daemon: Daemon, within_s: float = 90.0, **counts: int) -> None:
    async def there() -> bool:
        found = await daemon.ledger.counts()
        return all(found.get(state, 0) == count for state, count in counts.items())

    await eventually(there, f"{counts}", within_s=within_s)


async def hold_of(daemon: Daemon, reason: str) -> Json:
    async def there() -> Any:
        return [hold for hold in await daemon.ledger.holds() if hold.reason == reason]

    (hold,) = await eventually(there, f"held: {reason}")
    return {"why": hold.sentence, "link": hold.link, "since": hold.since_at, "look_at": hold.look_at}


# ---------------------------------------------------------------- paused


async def test_a_pause_lasts_over_a_restart_and_what_is_paid_goes_on(tmp_path: Path, source: str) -> None:
    with served(tmp_path, Fault("render", "delay", seconds=1.0)) as place:
        async with running(place) as daemon:
            drop(place, source, 1)

            async def edited() -> bool:
                return any([await daemon.ledger.step(job.job_id, "draft") for job in await daemon.ledger.jobs()])

            await eventually(edited, "edited")
            await daemon.ledger.remember(PAUSED, {"since": datetime.now().astimezone().isoformat(), "by": "person"})
            drop(place, source, 2)
            await come_to(daemon, delivered=1, held=1)
            assert "resume" in (await hold_of(daemon, PAUSED))["why"]
        async with running(place) as daemon:
            await come_to(daemon, delivered=1, held=1)
            assert await daemon.holds.resume() == [PAUSED]
            await come_to(daemon, delivered=2)
            assert await daemon.ledger.holds() == []


# ---------------------------------------------------------------- tokens


async def test_a_bad_token_of_the_user_holds_everything_until_the_file_has_a_good_one(
    tmp_path: Path, source: str
) -> None:
    with served(tmp_path) as place:
        url = place.backend.split('"')[1]
        async with httpx.AsyncClient() as http:
            asked = await http.post(f"{url}/api/auth/anonymous-token", headers={"X-Client-Id": "somebody"})
        good = asked.json()
        token_file = tmp_path / "token"
        token_file.write_text("nmv_usr_bad")
        place.backend += f'\ntoken_file = "{token_file}"'
        place.write_config()
        async with running(place, SELDOM) as daemon:
            drop(place, source, 1, 2)
            await come_to(daemon, held=2)
            assert "token" in (await hold_of(daemon, "token"))["why"]
            with Records(tmp_path / "backend") as records:
                assert len(records.requests("POST", "/api/auth/anonymous-token")) == 1, "never swapped for another one"
            token_file.write_text(good["data"]["token"])
            await come_to(daemon, delivered=2)
            assert place.files("rejects") == []


# ---------------------------------------------------------------- hours


def window(begins: timedelta, ends: timedelta) -> str:
    now = datetime.now()  # noqa: DTZ005 - the clock on the wall is what is meant
    return f'[queue]\nhours = "{now + begins:%H:%M}-{now + ends:%H:%M}"'


async def test_outside_the_hours_nothing_paid_begins(tmp_path: Path, source: str) -> None:
    place = Place(tmp_path / "place", extra=window(timedelta(hours=2), timedelta(hours=3)))
    async with running(place) as daemon:
        drop(place, source, 1)
        await come_to(daemon, held=1)
        hold = await hold_of(daemon, "hours")
        assert timedelta(hours=1, minutes=58) < hold["look_at"] - hold["since"] < timedelta(hours=2)
        assert f"{hold['look_at'].astimezone():%H:%M}" in hold["why"]
        with place.records() as records:
            assert records.requests("POST", "/with-session/") == ()
    place.extra = window(-timedelta(hours=1), timedelta(hours=1))
    place.write_config()
    assert (await place.work_off()).delivered == 1


# ---------------------------------------------------------------- budget


async def test_a_budget_with_room_for_one_is_never_overrun_by_four_workers(tmp_path: Path, source: str) -> None:
    place = Place(tmp_path / "place", extra="[budget]\ncredits_per_day = 60")
    async with running(place) as daemon:
        drop(place, source, *range(5))
        await come_to(daemon, delivered=1, held=4)
        with place.records() as records:
            assert len(records.turns()) == 1


# ---------------------------------------------------------------- seen by people


async def test_status_tells_of_a_hold_once_with_its_times_and_its_page(tmp_path: Path, source: str) -> None:
    place = Place(tmp_path / "place", extra="[sandbox]\ncredits = 0")
    drop(place, source, 1, 2, 3)
    assert (await place.work_off()).waiting == 3
    told = await asyncio.to_thread(place.run, "status")
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("held:")]
    assert "no credits" in line
    assert "/register?bind=" in line
    assert "looked at again at" in line
    assert "3 jobs wait for this hold to end." in told.stdout
    (hold,) = json.loads((await asyncio.to_thread(place.run, "status", "--json")).stdout)["holds"]
    assert hold["reason"] == "credits"
    since, next_look = (datetime.fromisoformat(hold[name]) for name in ("since", "next_look"))
    assert timedelta(minutes=9) < next_look - since < timedelta(minutes=11)
