"""Work that has not begun follows what it was made from: the backend, the clip, the instruction."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from nemo_watch.ledger.rows import NOTICES
from nemo_watch.pipeline.following import OTHER_BACKEND
from nemo_watch.sandbox.server import SandboxServer
from tests.media_fixtures import clip
from tests.program import IMPATIENT, QUICK, Place, eventually
from tests.system.test_first_run import CUT, fill, held_jobs, paid_place, sessions, tell

NEVER_DONE = replace(IMPATIENT, render_poll_s=3600.0, first_poll_s=3600.0)


async def test_a_backlog_of_the_sandbox_is_not_paid_for_at_the_cloud(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Jobs that were entered while nothing cost anything are new drops for another backend, and are counted there."""
    place = Place(tmp_path / "place", inbox_extra=CUT, extra="[queue]\nworkers = 1")
    fill(place, clip(tmp_path_factory, "mute.mp4"), 30)
    async with place.daemon(patience=NEVER_DONE) as daemon:

        async def one_paid_and_all_entered() -> bool:
            steps = [await daemon.ledger.step(job.job_id, "render-1") for job in await daemon.ledger.jobs()]
            return len(steps) == 30 and any(steps)

        await eventually(one_paid_and_all_entered, "30 jobs, one of them exports")
        begun = [job.job_id for job in await daemon.ledger.jobs() if await daemon.ledger.steps(job.job_id)]
    with SandboxServer(tmp_path / "backend") as other:
        place.backend = f'url = "{other.url}"\nrender_poll = "0.2s"'
        place.write_config()
        async with place.daemon() as daemon:

            async def stands_still() -> bool:
                return await held_jobs(daemon.ledger) + len(await other_held()) == 30 and not daemon.dispatch.running

            async def other_held() -> list[str]:
                jobs = await daemon.ledger.jobs(("held",))
                return [job.job_id for job in jobs if job.reason == OTHER_BACKEND]

            await eventually(stands_still, "all held, for one reason or the other")
            paid = await other_held()
            assert paid
            assert set(paid) <= set(begun)
            assert sessions(tmp_path) == 0
            assert "first start" in await tell(place, "status")
            (job,) = [job for job in await daemon.ledger.jobs(("held",)) if job.job_id == paid[0]]
            assert 'url = "sandbox"' in job.sentence
    place.backend = 'url = "sandbox"\nrender_poll = "0.2s"'
    place.write_config()
    async with place.daemon() as daemon:  # back there, what was paid is delivered, and paid no second time

        async def delivered() -> bool:
            ended = await daemon.ledger.jobs(("delivered",))
            return {job.job_id for job in ended} >= set(paid)

        await eventually(delivered, "the paid ones are delivered")
        with place.records() as records:
            turns = [turn.session_id for turn in records.turns()]
        assert len(turns) == len(set(turns))


async def test_an_inbox_behind_a_link_is_held_and_let_go_like_any(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with paid_place(tmp_path, inbox_extra=CUT) as place:
        os.rename(place.root / "inbox", place.root / "real")
        os.symlink(place.root / "real", place.root / "inbox")
        fill(place, clip(tmp_path_factory, "mute.mp4"), 21)
        outcome = await place.work_off()
        assert (outcome.delivered, outcome.waiting) == (0, 21)
        assert "first start" in await tell(place, "status")
        assert "21 jobs" in await tell(place, "resume", "videos")
        async with place.daemon() as daemon:

            async def some_delivered() -> bool:
                return len(await daemon.ledger.jobs(("delivered",))) >= 1

            await eventually(some_delivered, "they run")


async def test_held_jobs_follow_their_files(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with paid_place(tmp_path, inbox_extra=CUT) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 24)
        inbox = place.root / "inbox"
        async with place.daemon() as daemon:

            async def held(count: int) -> bool:
                return await held_jobs(daemon.ledger) == count

            await eventually(lambda: held(24), "24 held")
            (inbox / "old0.mp4").unlink()
            os.rename(inbox / "old1.mp4", tmp_path / "old1.mp4")
            (inbox / "old2.txt").write_text('add the title "Now it has words"')
            (inbox / "old3.mp4").write_bytes(Path(clip(tmp_path_factory, "sar.mp4")).read_bytes())

            async def followed() -> bool:
                await daemon.follow_files()
                held = await daemon.ledger.jobs(("held",))
                jobs = {job.clip.rel: job for job in held}
                two, three = jobs.get("old2.mp4"), jobs.get("old3.mp4")
                return (
                    len(held) == len(jobs) == 22
                    and two is not None
                    and two.work.sidecar is not None
                    and three is not None
                    and three.clip.stamp.size_bytes == (inbox / "old3.mp4").stat().st_size
                )

            await eventually(followed, "two are gone, two are others")
            ended = {job.clip.rel: job.sentence for job in await daemon.ledger.jobs(("cancelled",))}
            assert "was removed" in ended["old0.mp4"]
            assert "was removed" in ended["old1.mp4"]
        assert sessions(tmp_path) == 0


async def test_a_held_job_goes_with_its_clip_and_stays_where_only_the_inode_is_new(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with paid_place(tmp_path, inbox_extra=CUT) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 22)
        outcome = await place.work_off()
        assert outcome.waiting == 22
        inbox = place.root / "inbox"
        for number in range(22):  # as a share that numbers its files anew at each mount
            old = inbox / f"old{number}.mp4"
            shutil.copy2(old, tmp_path / "copy")
            os.replace(tmp_path / "copy", old)
        async with place.daemon() as daemon:

            async def held(count: int) -> bool:
                return await held_jobs(daemon.ledger) == count

            await eventually(lambda: daemon.watchers["videos"].is_listed, "listed")
            await daemon.follow_files()
            assert await held(22)
            assert await daemon.ledger.jobs(("cancelled",)) == []
            (inbox / "old0.mp4").unlink()
            await eventually(lambda: held(21), "the job of the removed clip is let go")


async def test_a_drop_does_not_wait_for_an_inbox_that_is_away(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path / "place" / "other"
    other.mkdir(parents=True)
    with paid_place(tmp_path, inbox_extra=f"{CUT}\n[[inbox]]\nname = 'other'\npath = '{other}'\n{CUT}") as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 21)
        await place.work_off()
        async with place.daemon() as daemon:
            await eventually(lambda: daemon.watchers["videos"].is_listed, "listed")
            same = (place.root / "inbox" / "old0.mp4").read_bytes()
            os.rename(place.root / "inbox", tmp_path / "away")
            await eventually(lambda: daemon.watchers["videos"].state.startswith("paused"), "it is away")
            (other / "same.mp4").write_bytes(same)

            async def entered() -> bool:
                return bool(await daemon.ledger.jobs(inbox="other"))

            await eventually(entered, "it has a job of its own")


async def test_files_that_wait_for_months_cost_no_writing(tmp_path: Path) -> None:
    """Nothing is written while nothing changes, and the age that a person reads grows all the same."""
    place = Place(tmp_path)
    for number in range(300):
        (tmp_path / "inbox" / f"{number}.mp4").write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0")
    async with place.daemon(settle=replace(QUICK, incomplete_after_s=3600.0)) as daemon:
        eyes = daemon.watchers["videos"]

        async def written() -> tuple[int, str]:
            query = sa.select(NOTICES.c.updated_at, NOTICES.c.value).where(NOTICES.c.key == "inbox:videos")
            row = await daemon.ledger.transact(lambda c: c.execute(query).one())
            return row.updated_at, row.value

        async def ages() -> list[str]:
            (inbox,) = json.loads(await tell(place, "status", "--json"))["inboxes"]
            assert inbox["waiting_count"] == 300
            return [wait["why"] for wait in inbox["waiting"]]

        await eventually(lambda: eyes.waiting_count == 300 and eyes.idle(), "300 wait")
        await daemon.tell()
        first, one = await written(), await ages()
        assert len(one) == 200
        assert one[0].startswith("it is not whole")

        async def grown() -> bool:
            await daemon.tell()
            return await ages() != one

        await eventually(grown, "the age is told as of now")
        assert await written() == first
