"""People's levers where something is in the way: paid work in flight, kills, files elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.cli.credits import ask_credits
from nemo_watch.cli.levers import pause, pull, resume
from nemo_watch.cli.places import load_config
from nemo_watch.cli.retrying import cancel, retry
from nemo_watch.errors import MediaError, OperatorError
from nemo_watch.ledger import Ledger
from nemo_watch.model import Json
from nemo_watch.sandbox.faults import Fault
from nemo_watch.statefolder import LEDGER_NAME
from tests.media_fixtures import clip
from tests.program import Place, Running, eventually, until
from tests.pulling import (
    CUT,
    LOST,
    at_backend,
    both_ways,
    daemon_if,
    drop,
    ended,
    jobs,
    messages,
    pulled,
    records,
    tell,
)


@both_ways
async def test_a_new_run_is_paid_again_with_the_file_from_where_it_lies(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, running: bool
) -> None:
    with at_backend(tmp_path) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        (job,) = await jobs(place)
        async with daemon_if(place, running=running) as daemon:
            told = await pulled(place, retry, "talk.mp4", fresh=True)
            assert told["job_id"] == f"{job.edit_id}-2"
            assert "about 50 credits" in told["sentence"]
            if daemon is None:
                # A lever twice is harmless: the new run is under way.
                with pytest.raises(OperatorError, match="under way"):
                    await pulled(place, retry, job.job_id, fresh=True)
                await place.work_off()
            await ended(place, "delivered")
        assert messages(place) == [CUT, CUT]
        with records(place) as seen:
            assert len(seen.charges()) == 2
        assert place.files("outbox") == ["talk-2.mp4", "talk-2.report.toml", "talk.mp4", "talk.report.toml"]
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert place.files("inbox") == []
        with pytest.raises(OperatorError, match="known to 2 jobs"):
            await pulled(place, retry, "talk.mp4")
        (place.root / "archive" / "talk.mp4").unlink()
        with pytest.raises(MediaError, match="it was looked for at") as gone:
            await pulled(place, retry, job.job_id, fresh=True)
        assert str(place.root / "archive" / "talk.mp4") in gone.value.message


@both_ways
async def test_a_file_that_was_refused_is_looked_at_anew(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, running: bool
) -> None:
    with at_backend(tmp_path) as place:
        place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "promt = 'cut the pauses'", toml=True)
        await place.work_off()
        await ended(place, "rejected", code="sidecar_invalid")
        (place.root / "rejects" / "talk.toml").write_text("prompt = 'cut the pauses'")
        async with daemon_if(place, running=running) as daemon:
            assert "like a new drop" in (await pulled(place, retry, "talk.mp4"))["sentence"]
            if daemon is None:
                await place.work_off()
            await eventually(lambda: "talk.toml" in place.files("archive"), "delivered")
            await ended(place, "delivered")
        assert messages(place) == [CUT]
        assert place.files("rejects") == place.files("inbox") == []


@both_ways
async def test_cancelled_after_payment_it_goes_to_rejects_and_can_go_on_free(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, running: bool
) -> None:
    with at_backend(tmp_path, Fault("render", "stick")) as place:
        drop(place, tmp_path_factory)
        async with place.daemon() as daemon:

            async def rendering() -> bool:
                found = await daemon.ledger.jobs(("waiting",))
                return [job.reason for job in found] == ["render"]

            await eventually(rendering, "the export is under way")
            if running:
                assert "lost unless" in (await pulled(place, cancel, "talk.mp4"))["sentence"]
                await ended(place, "rejected")
        if not running:
            assert "when the daemon runs" in (await pulled(place, cancel, "talk.mp4"))["sentence"]
            assert (await pulled(place, cancel, "talk.mp4"))["changed"] is False
            await place.work_off()
        report = place.report("talk.mp4.error.toml", "rejects")
        assert (report["code"], report["paid"]) == ("cancelled", "yes")
        with records(place) as seen:
            assert [render.state for render in seen.renders()] == ["cancelled"]
        assert (await pulled(place, cancel, "talk.mp4"))["changed"] is False
        async with daemon_if(place, running=running) as again:
            await pulled(place, retry, "talk.mp4")
            if again is None:
                await place.work_off()
            await ended(place, "delivered")
        assert messages(place) == [CUT]
        assert place.files("archive") == ["talk.mp4", "talk.txt"]


async def test_a_paid_message_in_flight_is_waited_for(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with at_backend(tmp_path, Fault("run_sse", "late", seconds=4.0)) as place:
        drop(place, tmp_path_factory)
        async with place.daemon() as daemon:
            await eventually(lambda: bool(daemon.house.paying), "the message is under way")
            said: list[str] = []

            async def argument(_ledger: Ledger) -> Json:
                return {"job": (await jobs(place))[0].job_id}

            async def stopped(_ledger: Ledger, _asked: Json) -> Json:
                raise AssertionError("the daemon runs")

            told = await pull(load_config(str(place.config_path)), "cancel", argument, stopped, busy=said.append)
            assert ["a paid message is in flight" in line for line in said] == [True]
            assert "What was paid for its edit is lost" in told["sentence"]
            await ended(place, "rejected", code="cancelled")
        assert messages(place) == [CUT]
        with records(place) as seen:
            assert not seen.renders(), "it stood aside as soon as the paid message had its answer"


async def test_a_twin_takes_over_the_work_of_a_job_that_is_cancelled(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    await place.work_off()
    await pulled(place, pause)
    drop(place, tmp_path_factory, "one.mp4")
    async with place.daemon() as daemon:
        await ended(place, "held")
        drop(place, tmp_path_factory, "two.mp4")

        async def both() -> bool:
            return len(await daemon.ledger.jobs()) == 2

        await eventually(both, "both entered")
        await pulled(place, cancel, "one.mp4")
        await pulled(place, resume)
        await eventually(lambda: place.files("archive") == ["two.mp4", "two.txt"], "the other one is delivered")
        assert place.files("inbox") == ["one.mp4", "one.txt"]
    with place.records() as seen:
        assert len(seen.turns()) == 1


async def test_killed_between_lever_and_effect_nothing_is_half(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, LOST) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await pulled(place, retry, "talk.mp4", start="edit")

        class KilledError(BaseException):
            """The process ends here."""

        real = Ledger.move_clip
        for moment in ("before the move", "after the move"):

            async def killed(self: Ledger, *args: Any, moment: str = moment) -> bool:
                if moment == "after the move":
                    await real(self, *args)
                raise KilledError

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Ledger, "move_clip", killed)
                async with place.daemon() as daemon:
                    await eventually(lambda: place.files("rejects") == [], "the files are back")
                    await eventually(lambda daemon=daemon: not daemon.dispatch.running, "ended")
            assert place.files("inbox") == ["talk.mp4", "talk.txt"]
        await place.work_off()
        await ended(place, "delivered")
        assert messages(place) == [CUT]
        assert len(await jobs(place)) == 1
        assert place.files("inbox") == place.files("rejects") == []


async def test_a_reject_put_back_by_hand_goes_on_and_pays_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, Fault("render", "fail_render", times=2)) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        for name in place.files("rejects"):
            shutil.move(place.root / "rejects" / name, place.root / "inbox" / name)
        assert (await place.work_off()).delivered == 1
        assert messages(place) == [CUT]
        assert place.files("inbox") == place.files("rejects") == []


@both_ways
async def test_credits_tell_the_balance_whose_it_is_and_where_to_get_more(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    monkeypatch.delenv("NEMO_TOKEN", raising=False)
    with at_backend(tmp_path, extra="[budget]\ncredits_per_day = 500", credits=120) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        async with daemon_if(place, running=running):
            told = await pulled(place, ask_credits)
            text = await tell(place, "credits")
        assert (told["available"], told["frozen"], told["total"], told["source"]) == (70, 0, 70, "anonymous")
        assert told["budget"] == {"limit": 500, "used_today": 50}
        assert "/register?bind=anon_" in told["link"]
        assert "70 credits available: about 1 clips" in text
        assert told["link"] in text
        assert "50 of 500 credits used today" in text


def test_killed_right_after_the_answer_the_lever_has_its_effect_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, LOST) as place:
        drop(place, tmp_path_factory)
        asyncio.run(place.work_off())
        with place.process() as first:
            first.wait_for(lambda: first.said("daemon.ready"), "ready")
            told = place.run("retry", "talk.mp4", "--from", "edit", "--json")
            first.child.kill()
        assert told.returncode == 0, told.stderr
        outcome = asyncio.run(place.work_off())
        assert place.files("inbox") == []
        # Where the kill came right before the message went out, nobody can tell, and nothing is sent.
        assert (outcome.delivered, outcome.rejected) == ((1, 0) if messages(place) else (0, 1))
        assert messages(place) in ([CUT], [])
        assert len(place.files("rejects")) in (0, 3)
        assert len(place.files("archive")) + len(place.files("rejects")) in (2, 3)


def stop_outside_a_write(place: Place, daemon: Running) -> None:
    """Stop a daemon where it stands, but not while it holds the ledger's lock: then the command is told of that."""

    def stands() -> bool:
        daemon.child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.child.pid, os.WSTOPPED)
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as ledger:
            try:
                ledger.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                daemon.child.send_signal(signal.SIGCONT)
                return False
        return True

    path = place.root / "state" / LEDGER_NAME
    until(stands, "it does not write at this moment")


def test_a_daemon_that_does_not_answer_obeys_no_lever_later(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, LOST) as place:
        drop(place, tmp_path_factory)
        asyncio.run(place.work_off())
        with place.process() as daemon:
            daemon.wait_for(lambda: daemon.said("daemon.ready"), "ready")
            stop_outside_a_write(place, daemon)
            told = place.run("retry", "talk.mp4", "--from", "edit")
            daemon.child.send_signal(signal.SIGCONT)
            assert told.returncode == 1
            assert "gave no answer" in told.stderr
            assert json.loads(place.run("pause", "--json").stdout)["changed"] is True, "it answers again"
            assert daemon.stop() == 0
        assert place.files("rejects") == ["talk.mp4", "talk.mp4.error.toml", "talk.txt"]
        assert messages(place) == []
