"""The first start on an inbox that is full already: nothing is paid before a person says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.answers import STALE_AFTER
from nemo_watch.errors import OperatorError
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.levers import Levers
from nemo_watch.ledger.rows import LEVERS, to_ms
from nemo_watch.model import Json
from nemo_watch.pipeline.first_run import FIRST_RUN
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from nemo_watch.statefolder import LEDGER_NAME
from tests.media_fixtures import clip
from tests.program import QUICK, Place, eventually

CUT = 'instruction = "cut the pauses"'


@contextlib.contextmanager
def paid_place(root: Path, **more: Any) -> Iterator[Place]:
    """A place whose backend is a server of its own: for the daemon it is as good as the cloud."""
    with SandboxServer(root / "backend") as server:
        backend = f'url = "{server.url}"\nrender_poll = "0.2s"'
        yield Place(root / "place", backend=backend, extra="[queue]\nworkers = 1", **more)


def fill(place: Place, source: str, count: int, *, first: int = 0) -> None:
    """Lay clips into the inbox that differ in content, as they were there before the daemon."""
    data = Path(source).read_bytes()
    for number in range(first, first + count):
        free = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
        (place.root / "inbox" / f"old{number}.mp4").write_bytes(data + free)


def sessions(root: Path) -> int:
    with Records(str(root / "backend")) as records:
        return len(records.turns())


async def tell(place: Place, *args: str) -> str:
    told = await asyncio.to_thread(place.run, *args)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


async def held_jobs(ledger: Ledger) -> int:
    return sum(job.reason == FIRST_RUN for job in await ledger.jobs(("held",)))


async def test_twenty_clips_are_no_backlog_and_later_ones_neither(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with paid_place(tmp_path) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 20)
        for number in range(20):
            (place.root / "inbox" / f"note{number}.txt").write_text("the words for no clip")
            (place.root / "inbox" / f"still{number}.jpg").write_bytes(b"an asset")
        async with place.daemon() as daemon:

            async def passed() -> bool:
                fact = await daemon.ledger.recall(f"{FIRST_RUN}:videos")
                return fact is not None and fact["state"] == "passed"

            await eventually(passed, "counted")
            fill(place, clip(tmp_path_factory, "mute.mp4"), 10, first=20)
            place.drop("now.mp4", Path(clip(tmp_path_factory, "mute.mp4")), 'add the title "Now"')
            await eventually(lambda: "now.mp4" in place.files("outbox"), "delivered")
            assert await held_jobs(daemon.ledger) == 0


async def test_clips_that_are_assets_of_another_one_are_not_counted(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with paid_place(tmp_path) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 22)
        assets = ", ".join(f'"old{number}.mp4"' for number in range(17, 22))
        (place.root / "inbox" / "old0.toml").write_text(f'prompt = "cut the pauses"\nassets = [{assets}]\n')
        assert "first start" not in await tell(place, "plan")
        # The text is read later than the files could be counted without it.
        async with place.daemon(settle=replace(QUICK, sidecar_s=3.0)) as daemon:

            async def counted() -> Json | None:
                return await daemon.ledger.recall(f"{FIRST_RUN}:videos")

            fact = await eventually(counted, "counted")
            assert (fact["state"], fact["count"]) == ("passed", 17)
            await eventually(lambda: "old0.mp4" in place.files("outbox"), "delivered")


async def test_an_inbox_that_is_let_go_while_a_job_is_being_held_keeps_no_job(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", inbox_extra=CUT)
    async with place.daemon() as daemon:
        answers = iter(["Not yet."])  # the inbox is let go right after it was asked for the first time

        async def why_not(_inbox: str) -> str:
            return next(answers, "")

        daemon.house.why_not = why_not
        place.drop("talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")))
        await eventually(lambda: "talk.mp4" in place.files("outbox"), "delivered")
        assert next(answers, "asked") == "asked"


async def test_an_inbox_with_spaces_in_its_name_is_resumed_by_the_command_that_was_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with paid_place(tmp_path, inbox_extra=CUT) as place:
        text = place.config_path.read_text().replace("name = 'videos'", "name = 'my inbox'")
        place.config_path.write_text(text)
        os.rename(place.root / "inbox", place.root / "real inbox")
        os.symlink("real inbox", place.root / "inbox")
        fill(place, clip(tmp_path_factory, "mute.mp4"), 21)
        assert "nemo-watch resume 'my inbox'" in await tell(place, "plan")
        await place.work_off()
        status = await tell(place, "status")
        assert "nemo-watch resume 'my inbox'" in status
        assert "21 jobs go on when the daemon starts" in await tell(place, "resume", "my inbox")


async def test_the_stopped_daemon_is_resumed_too_and_another_backend_asks_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with paid_place(tmp_path, inbox_extra=CUT) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 21)
        outcome = await place.work_off()
        assert (outcome.delivered, outcome.rejected, outcome.waiting) == (0, 0, 21)
        unknown = await asyncio.to_thread(place.run, "resume", "holiday")
        assert unknown.returncode == 1
        assert '"videos"' in unknown.stderr
        answer = json.loads(await tell(place, "resume", "--json"))
        assert answer == {"resumed": {"videos": 21}, "ended": [], "held": []}
        async with place.daemon() as daemon:

            async def one_delivered() -> bool:
                return len(await daemon.ledger.jobs(("delivered",))) >= 1

            await eventually(one_delivered, "they run")
        left = len(place.files("inbox"))
        with SandboxServer(tmp_path / "other") as other:
            place.backend = f'url = "{other.url}"\nrender_poll = "0.2s"'
            place.write_config()
            fill(place, clip(tmp_path_factory, "mute.mp4"), 25, first=100)
            async with place.daemon() as daemon:

                async def held_again() -> bool:
                    fact = await daemon.ledger.recall(f"{FIRST_RUN}:videos")
                    return fact is not None and (fact["state"], fact["backend"]) == ("held", other.url)

                await eventually(held_again, "held for the other backend")
        assert left <= 21


async def test_a_refused_file_is_held_with_the_others(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with paid_place(tmp_path, inbox_extra=CUT) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 21)
        (place.root / "inbox" / "old.wmv").write_bytes(b"0&\xb2u\x8ef\xcf\x11" + b"x" * 100)
        outcome = await place.work_off()
        assert (outcome.rejected, outcome.waiting) == (0, 22)
        assert place.files("rejects") == []


async def test_levers_are_answered_once_and_stale_ones_are_not_obeyed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from nemo_watch.cli.levers import ask

    with paid_place(tmp_path, inbox_extra=CUT) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 21)
        await place.work_off()
        commands = Ledger(os.path.join(place.state, LEDGER_NAME))
        levers = Levers(commands)
        old = await levers.pull("resume", {"inbox": ""})
        (lever,) = await levers.waiting()
        await commands.transact(
            lambda c: c.execute(LEVERS.update().values(pulled_at=to_ms(lever.pulled_at - 2 * STALE_AFTER))) and None
        )
        try:
            async with place.daemon() as daemon:

                async def dropped() -> bool:
                    return await levers.waiting() == []

                await eventually(dropped, "the old lever is gone")
                assert await levers.answered(old) is None
                assert await held_jobs(daemon.ledger) == 21
                with pytest.raises(OperatorError, match="does not know"):
                    await ask(commands, "dance", {})
                answer: Json | None = await ask(commands, "why", {"inbox": "nowhere", "rel": "x"})
                assert answer is not None
                assert answer["sentence"] == ""
            assert await ask(commands, "why", {"inbox": "videos", "rel": "x"}, within_s=0.3) is None
            assert await levers.waiting() == [], "a wish that nobody answered is taken back"
        finally:
            await commands.close()
