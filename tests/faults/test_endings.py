"""How a job ends: its result is delivered whatever the inbox does, under names that fit, from what was checked."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.daemon import Daemon
from nemo_watch.folders import TEMP_PREFIX, temp_mark
from nemo_watch.folders.names import key
from nemo_watch.model import Job
from nemo_watch.pipeline import House, ending
from nemo_watch.pipeline.tidying import Tidying
from tests.media_fixtures import clip
from tests.program import Place, eventually


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(clip(tmp_path_factory, "pauses.mp4"))


def version(source: Path, mark: bytes, size_bytes: int = 8) -> bytes:
    """The same video with a box of padding behind it: whole, and other content."""
    padding = (mark * size_bytes)[:size_bytes]
    return source.read_bytes() + (8 + len(padding)).to_bytes(4, "big") + b"free" + padding


async def step_of(daemon: Daemon, name: str) -> Job | None:
    """Find the job that has begun a step."""
    for job in await daemon.ledger.jobs():
        if await daemon.ledger.step(job.job_id, name) is not None:
            return job
    return None


def charges(place: Place) -> int:
    with place.records() as records:
        assert len(records.turns()) == len(records.charges())
        return len(records.charges())


# ---------------------------------------------------------------- the outbox first


async def test_a_paid_result_is_delivered_while_the_inbox_is_away(tmp_path: Path, source: Path) -> None:
    place = Place(tmp_path / "place")
    away = place.root / "inbox.away"
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        await eventually(lambda: step_of(daemon, "edit-1"), "the message is sent")
        os.rename(place.root / "inbox", away)
        await eventually(lambda: "talk.report.toml" in place.files("outbox"), "the result is delivered")
        (job,) = await eventually(lambda: daemon.ledger.jobs(("held",)), "only the original waits")
        assert job.reason == "inbox_unavailable"
        assert not (place.root / "inbox").exists()
        os.rename(away, place.root / "inbox")
        await daemon.ledger.wake("inbox_unavailable")
        daemon.dispatch.wake()
        await eventually(lambda: "talk.txt" in place.files("archive"), "the original is archived")
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert charges(place) == 1


# ---------------------------------------------------------------- names


async def test_a_result_and_its_report_have_one_number(tmp_path: Path, source: Path) -> None:
    """The first result was taken away, its report was left: the next pair is numbered as a pair."""
    place = Place(tmp_path / "place")
    exports = "prompt = 'cut the pauses'\n[[export]]\n[[export]]\nresolution = '360p'\n"
    place.drop("talk.mp4", source, exports, toml=True)
    await place.work_off()
    assert place.files("outbox") == ["talk-2.mp4", "talk.mp4", "talk.report.toml"]
    (place.root / "outbox" / "talk.mp4").unlink()
    (place.root / "outbox" / "talk-2.mp4").unlink()
    place.drop("talk.mp4", version(source, b"2"), exports, toml=True)
    await place.work_off()
    assert place.files("outbox") == ["talk-2.mp4", "talk-2.report.toml", "talk-3.mp4", "talk.report.toml"]
    told = place.report("talk-2.report.toml")
    assert [one["file"] for one in told["export"]] == ["talk-2.mp4", "talk-3.mp4"]


async def test_results_that_only_case_tells_apart_are_kept_apart(tmp_path: Path, source: Path) -> None:
    place = Place(tmp_path / "place")
    for name in ("Talk.mp4", "talk.mp4", "Sub/talk.mp4", "sub/talk.mp4"):
        place.drop(name, version(source, name.encode()), None)
        (place.root / "inbox" / f"{name}.txt").write_text("cut the pauses")
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.waiting) == (4, 0)
    for folder, per_clip in (("outbox", 2), ("archive", 2)):
        names = place.files(folder)
        assert len(names) == 4 * per_clip
        assert len({key(name) for name in names}) == len(names), names
    assert place.files("inbox") == []


async def test_a_renamed_inbox_does_not_deliver_again(tmp_path: Path, source: Path) -> None:
    place = Place(tmp_path / "place", inbox_extra="originals = 'keep'")
    place.drop("sub/talk.mp4", source, "cut the pauses")
    await place.work_off()
    before = place.files("outbox")
    text = place.config_path.read_text()
    place.config_path.write_text(text.replace("name = 'videos'", "name = 'films'"))
    outcome = await place.work_off()
    assert (outcome.rejected, outcome.waiting) == (0, 0)
    assert place.files("outbox") == before == ["sub/talk.mp4", "sub/talk.report.toml"]
    assert charges(place) == 1
    with place.records() as records:
        assert len(records.renders()) == 1


# ---------------------------------------------------------------- what is uploaded is what was checked


async def test_what_changes_while_it_is_uploaded_is_read_anew_and_nothing_is_paid(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is written over while its beginning is on its way, with its times set back: only its content tells."""
    place = Place(tmp_path / "place")
    asset = place.root / "inbox" / "_assets" / "b.mp4"
    asset.parent.mkdir()
    asset.write_bytes(version(source, b"A", 6 << 20))
    changed: list[str] = []
    real = House.show

    def show(self: House, job: Job, step: str, fraction: float | None = None, detail: str = "") -> None:
        if step == "upload-1" and fraction and not changed:
            found = asset.stat()
            with asset.open("r+b") as file:
                file.seek(-64, os.SEEK_END)
                file.write(b"B" * 64)
            os.utime(asset, ns=(found.st_atime_ns, found.st_mtime_ns))
            changed.append(job.job_id)
        real(self, job, step, fraction, detail)

    monkeypatch.setattr(House, "show", show)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "prompt = 'cut the pauses'\nassets = ['_assets/b.mp4']\n", toml=True)
        await eventually(lambda: "talk.mp4" in place.files("archive"), "it is done in the end")
        released = await daemon.ledger.job(changed[0])
        done = await step_of(daemon, "deliver")
        assert released is not None
        assert done is not None
        assert (released.state, done.job_id == released.job_id) == ("cancelled", False)
        uploaded = await daemon.ledger.step(done.job_id, "upload-1")
        assert uploaded is not None
        assert uploaded.data["sha256"] == hashlib.sha256(asset.read_bytes()).hexdigest()
        # Its session holds something that nobody checked: it is never gone on with.
        assert await daemon.ledger.step(released.job_id, "session") is None
    assert charges(place) == 1


@pytest.mark.parametrize("moment", ["session", "edit-1"])
async def test_an_asset_replaced_before_anything_is_paid_is_taken_as_it_is_now(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    place = Place(tmp_path / "place")
    (place.root / "inbox" / "_assets").mkdir()
    asset = place.root / "inbox" / "_assets" / "b.mp4"
    asset.write_bytes(version(source, b"A"))
    changed: list[str] = []
    real = House.show

    def show(self: House, job: Job, step: str, fraction: float | None = None, detail: str = "") -> None:
        uploaded = step == "upload-1" and fraction == 1.0
        if not changed and (step == moment or (moment == "edit-1" and uploaded)):
            asset.write_bytes(version(source, b"B"))
            changed.append(job.job_id)
        real(self, job, step, fraction, detail)

    monkeypatch.setattr(House, "show", show)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "prompt = 'cut the pauses'\nassets = ['_assets/b.mp4']\n", toml=True)
        await eventually(lambda: "talk.mp4" in place.files("archive"), "done with the new one")
        first = await daemon.ledger.job(changed[0])
        assert first is not None
        assert first.state == "cancelled"
    assert charges(place) == 1


# ---------------------------------------------------------------- two inboxes, one archive


async def test_the_same_clip_of_two_inboxes_lies_twice_in_their_one_archive(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "place" / "b" / "inbox"
    second.mkdir(parents=True)
    archive = tmp_path / "place" / "archive"
    place = Place(tmp_path / "place", inbox_extra=f"[[inbox]]\nname='b'\npath='{second}'\narchive='{archive}'\n")
    both, planned = asyncio.Event(), []
    carry_out = ending._carry_out

    async def after_both_have_planned(*args: Any, **kwargs: Any) -> bool:
        planned.append(args)
        if len(planned) == 2:
            both.set()
        await both.wait()
        return await carry_out(*args, **kwargs)

    monkeypatch.setattr(ending, "_carry_out", after_both_have_planned)
    async with place.daemon() as daemon:
        for folder, words in ((place.root / "inbox", "cut the pauses"), (second, "make it vertical")):
            (folder / "x.txt").write_text(words)
            (folder / "x.mp4").write_bytes(source.read_bytes())

        async def ended() -> bool:
            return len(await daemon.ledger.jobs(("delivered",))) == 2

        await eventually(ended, "both are delivered")
    assert place.files("archive") == ["x-2.mp4", "x-2.txt", "x.mp4", "x.txt"]


async def test_what_was_moved_keeps_its_name_when_the_rest_is_planned_again(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "place")
    carry_out = ending._carry_out

    async def after_a_name_was_taken(*args: Any, **kwargs: Any) -> bool:
        (place.root / "archive" / "talk.txt").touch()
        return await carry_out(*args, **kwargs)

    monkeypatch.setattr(ending, "_carry_out", after_a_name_was_taken)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        (job,) = await eventually(lambda: daemon.ledger.jobs(("delivered",)), "it is delivered")
        step = await daemon.ledger.step(job.job_id, "archive")
    assert place.files("archive") == ["talk-2.txt", "talk.mp4", "talk.txt"]
    assert step is not None
    assert [os.path.basename(move["target"]) for move in step.data["moves"]] == ["talk.mp4", "talk-2.txt"]


# ---------------------------------------------------------------- dropped again while it ends


@pytest.mark.parametrize("moment", ["deliver", "archive"])
@pytest.mark.parametrize("again", ["the same name", "another name", "touched"])
async def test_dropped_again_while_its_job_ends_nothing_is_lost_or_paid_twice(
    tmp_path: Path, source: Path, moment: str, again: str
) -> None:
    place = Place(tmp_path / "place")
    folder = place.root / ("outbox" if moment == "deliver" else "archive")
    folder.rmdir()
    folder.write_text("somebody put a file here")
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        (job,) = await eventually(lambda: daemon.ledger.jobs(("held",)), f"it waits for its {moment}")
        path = place.root / "inbox" / "talk.mp4"
        if again == "touched":
            with path.open("r+b") as file:
                file.write(source.read_bytes()[:1])  # the same byte: a new time, the same content
        elif again == "another name":
            os.rename(place.root / "inbox" / "talk.txt", place.root / "inbox" / "speech.txt")
            os.rename(path, place.root / "inbox" / "speech.mp4")
        else:
            path.unlink()
            place.drop("talk.mp4", source)

        async def followed() -> bool:
            fresh = await daemon.ledger.job(job.job_id)
            return fresh is not None and fresh.clip != job.clip

        await eventually(followed, "the job knows its file again")
        folder.unlink()
        folder.mkdir()
        if moment == "archive":
            await ending.archive(daemon.house, job)  # as a worker goes on that began before the file was moved
        else:
            await daemon.ledger.wake("outbox_unavailable")
            daemon.dispatch.wake()
        await eventually(lambda: not [name for name in place.files("inbox") if name.endswith(".mp4")], "it leaves")
        await eventually(lambda: len(place.files("archive")) == 2, "with its instruction")
        outcome = await daemon.work_off()
        assert (outcome.rejected, outcome.waiting) == (0, 0)
    assert charges(place) == 1
    with place.records() as records:
        assert len(records.renders()) == 1 or again == "another name"


# ---------------------------------------------------------------- a spool that loses what it holds


@pytest.mark.parametrize("how", ["damaged", "gone"])
async def test_a_result_that_the_spool_has_lost_is_fetched_again(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(ending, "FETCH_AGAIN_S", 0.1)
    place = Place(tmp_path / "place")
    outbox = place.root / "outbox"
    outbox.rmdir()
    outbox.write_text("in the way")
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        (held,) = await eventually(lambda: daemon.ledger.jobs(("held",)), "the outbox cannot take it")
        assert held.reason == "outbox_unavailable"
        (kept,) = place.state.joinpath("spool").rglob("*.mp4")
        whole = kept.read_bytes()
        if how == "damaged":
            kept.write_bytes(bytes(len(whole)))
        else:
            kept.unlink()
        outbox.unlink()
        outbox.mkdir()
        await daemon.ledger.wake("outbox_unavailable")
        daemon.dispatch.wake()
        await eventually(lambda: "talk.mp4" in place.files("archive"), "delivered")
        assert (outbox / "talk.mp4").read_bytes() == whole
        assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert charges(place) == 1


# ---------------------------------------------------------------- what died before


async def test_temporary_files_of_a_run_that_died_are_removed_and_no_others(tmp_path: Path, source: Path) -> None:
    place = Place(tmp_path / "place")
    async with place.daemon() as daemon:
        ledger_id = daemon.ledger.ledger_id
        died = f"{TEMP_PREFIX}{temp_mark(ledger_id)}.tmp"
        used, other = temp_mark(ledger_id), f"{TEMP_PREFIX}{temp_mark('f' * 32)}.tmp"
        for folder in ("outbox/a/b", "rejects", "archive"):
            (place.root / folder).mkdir(parents=True, exist_ok=True)
            for name in (died, other, "~nemo-watch-check-1.tmp"):
                (place.root / folder / name).touch()
        (place.root / "outbox" / f"{TEMP_PREFIX}{used}.tmp").touch()
        place.drop("talk.mp4", source, "cut the pauses")
        job = await eventually(lambda: step_of(daemon, "session"), "a job is under way")
        assert job is not None
        await daemon.ledger.intend(job.job_id, "reject", "token", {"temp": used})
        orphan = Path(daemon.house.spool.root) / job.job_id
        await Tidying(daemon.house).tidy()
        await eventually(lambda: "talk.txt" in place.files("archive") and not orphan.exists(), "the job goes on")
        orphan.mkdir()
        (orphan / "1.mp4").touch()
        await Tidying(daemon.house).tidy()
        assert not orphan.exists()
    assert [name for name in place.files("outbox") if "nemo" in name] == sorted(
        [f"a/b/{other}", "a/b/~nemo-watch-check-1.tmp", f"{TEMP_PREFIX}{used}.tmp"]
    )
    for folder in ("rejects", "archive"):
        assert [name for name in place.files(folder) if "nemo" in name] == sorted([other, "~nemo-watch-check-1.tmp"])
