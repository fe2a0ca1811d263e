"""What becomes of the files that were dropped: archived, deleted or kept, with what belongs to them, and never a
version that was not processed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nemo_watch.daemon import Daemon
from nemo_watch.model import Job
from tests.media_fixtures import clip
from tests.program import Place, eventually

BAD = b"this is no video at all\n" * 50


def another_version(source: Path, mark: bytes = b"v2") -> bytes:
    """The same video with a box of padding behind it: whole, and other content."""
    padding = mark.ljust(8)
    return source.read_bytes() + (8 + len(padding)).to_bytes(4, "big") + b"free" + padding


async def paid_for(daemon: Daemon) -> Job:
    """Wait until the only job has sent its message: from now on its clip is not looked at until the end."""

    async def look() -> Job | None:
        for job in await daemon.ledger.jobs():
            if await daemon.ledger.step(job.job_id, "edit-1") is not None:
                return job
        return None

    found = await eventually(look, "the message is sent")
    assert found is not None
    return found


@pytest.mark.parametrize("originals", ["archive", "delete", "keep"])
async def test_sub_folders_are_mirrored(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, originals: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'originals = "{originals}"')
    place.drop("a/b/good.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
    place.drop("a/bad.mp4", BAD, "cut the pauses")
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected) == (1, 1)
    assert place.files("outbox") == ["a/b/good.mp4", "a/b/good.report.toml"]
    good, bad = ["a/b/good.mp4", "a/b/good.txt"], ["a/bad.mp4", "a/bad.txt"]
    kept = originals == "keep"
    assert place.files("archive") == (good if originals == "archive" else [])
    report = "a/bad.mp4.error.toml"
    assert place.files("rejects") == ([report] if kept else [bad[0], report, bad[1]])
    assert place.files("inbox") == sorted([*good, *bad] if kept else [])
    # The empty folders belong to the person who made them.
    assert (place.root / "inbox" / "a" / "b").is_dir()


async def all_held(daemon: Daemon, count: int) -> list[Job] | None:
    """Wait until so many jobs are held."""
    jobs = await daemon.ledger.jobs(("held",))
    return jobs if len(jobs) == count else None


def take_outbox_away(place: Place) -> None:
    """Jobs come as far as their delivery, and wait there."""
    (place.root / "outbox").rmdir()
    (place.root / "outbox").write_text("somebody put a file here")


async def give_outbox_back(place: Place, daemon: Daemon) -> None:
    (place.root / "outbox").unlink()
    (place.root / "outbox").mkdir()
    await daemon.ledger.wake("outbox_unavailable")
    daemon.dispatch.wake()


@pytest.mark.parametrize("originals", ["archive", "delete"])
async def test_a_shared_instruction_goes_with_the_last_of_a_good_and_a_bad_clip(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, originals: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'originals = "{originals}"')
    take_outbox_away(place)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
        place.drop("talk.mov", BAD)
        await eventually(lambda: "talk.mov.error.toml" in place.files("rejects"), "the bad one is rejected")
        await eventually(lambda: all_held(daemon, 1), "the good one waits")
        await eventually(lambda: "talk.mov" not in place.files("inbox"), "the bad one has left")
        # The good one still needs it.
        assert place.files("inbox") == ["talk.mp4", "talk.txt"]
        assert place.files("rejects") == ["talk.mov", "talk.mov.error.toml"]
        await give_outbox_back(place, daemon)
        await eventually(lambda: not place.files("inbox"), "the last one takes it along")
    assert place.files("archive") == (["talk.mp4", "talk.txt"] if originals == "archive" else [])
    assert place.files("rejects") == ["talk.mov", "talk.mov.error.toml"]


@pytest.mark.parametrize("originals", ["archive", "delete"])
async def test_a_shared_instruction_is_not_left_behind_by_two_that_end_at_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, originals: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'originals = "{originals}"')
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    take_outbox_away(place)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        place.drop("talk.mov", another_version(source))
        first, second = await eventually(lambda: all_held(daemon, 2), "both wait for the outbox")
        for one, other in ((first, second), (second, first)):
            assert await daemon.ledger.others_need(one.job_id, "videos", "talk.txt")
            # Once the one has planned its end, the instruction goes with the other.
            await daemon.ledger.intend(other.job_id, "reject", "token", {"moves": []})
            assert not await daemon.ledger.others_need(one.job_id, "videos", "talk.txt")
            await daemon.ledger.clear(other.job_id, "reject")
        await give_outbox_back(place, daemon)
        await eventually(lambda: len(place.files("outbox")) == 4, "both are delivered")
        await eventually(lambda: not place.files("inbox"), "and nothing is left")
    assert place.files("archive") == (["talk.mov", "talk.mp4", "talk.txt"] if originals == "archive" else [])


@pytest.mark.parametrize("originals", ["archive", "delete"])
async def test_the_instruction_stays_with_the_new_version(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, originals: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'originals = "{originals}"')
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        old = await paid_for(daemon)
        place.drop("talk.mp4", another_version(source))

        async def ended() -> bool:
            job = await daemon.ledger.job(old.job_id)
            return job is not None and job.state == "delivered"

        await eventually(ended, "the old version's job comes to its end")
        # The new version is a drop of its own, and cannot have come to its end in this moment.
        assert place.files("inbox") == ["talk.mp4", "talk.txt"]
    assert place.files("archive") == []
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    outcome = await place.work_off()
    assert (outcome.rejected, outcome.waiting) == (0, 0)
    assert place.files("inbox") == []
    assert place.files("outbox") == ["talk-2.mp4", "talk-2.report.toml", "talk.mp4", "talk.report.toml"]
    assert place.report("talk-2.report.toml")["instruction"] == "cut the pauses"


@pytest.mark.parametrize("originals", ["archive", "delete"])
async def test_an_instruction_changed_while_its_clip_is_processed_stays(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, originals: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'originals = "{originals}"')
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
    async with place.daemon() as daemon:
        await paid_for(daemon)
        (place.root / "inbox" / "talk.txt").write_text("add background music")
        await eventually(lambda: "talk.mp4" not in place.files("inbox"), "the clip leaves")
    assert place.files("inbox") == ["talk.txt"]
    assert place.files("archive") == (["talk.mp4"] if originals == "archive" else [])
    assert (place.root / "inbox" / "talk.txt").read_text() == "add background music"
    assert place.report("talk.report.toml")["instruction"] == "cut the pauses"


@pytest.mark.parametrize("originals", ["archive", "delete"])
@pytest.mark.parametrize("saved", ["by a rename", "in place"])
async def test_a_new_version_saved_over_a_clip_is_a_new_drop(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, originals: str, saved: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'originals = "{originals}"')
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    second = another_version(source)
    path = place.root / "inbox" / "talk.mp4"
    place.drop("talk.mp4", source, "cut the pauses")
    async with place.daemon() as daemon:
        await paid_for(daemon)
        if saved == "in place":
            path.write_bytes(second)
        else:
            fresh = path.with_name(".talk.tmp")
            fresh.write_bytes(second)
            os.replace(fresh, path)
        await eventually(lambda: "talk-2.report.toml" in place.files("outbox"), "the new version is delivered")
        await eventually(lambda: not place.files("inbox"), "and leaves with its instruction")
    assert place.files("outbox") == ["talk-2.mp4", "talk-2.report.toml", "talk.mp4", "talk.report.toml"]
    assert place.report("talk-2.report.toml")["source_size"] == len(second)
    if originals == "archive":
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert (place.root / "archive" / "talk.mp4").read_bytes() == second
    else:
        assert place.files("archive") == []
    with place.records() as records:
        assert len(records.turns()) == 2


async def test_names_that_are_not_utf8_or_as_long_as_can_be(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    latin, long, turned = os.fsdecode(b"caf\xe9"), "ü" * 125 + "x", "a\n\x1b[2J\u202e4pm"
    for number, stem in enumerate((latin, long, turned)):
        content = another_version(source, str(number).encode())
        name = f"{stem}.mp4"
        # A temporary name would be too long: moved in from beside the inbox.
        for end, data in ((".txt", b"cut the pauses"), (".mp4", content)):
            (place.root / "fresh").write_bytes(data)
            os.rename(place.root / "fresh", place.root / "inbox" / f"{stem}{end}")
        assert len(os.fsencode(name)) <= 255
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected, outcome.waiting) == (3, 0, 0)
    assert place.files("inbox") == []
    assert place.files("archive") == sorted(
        f"{stem}{end}" for stem in (latin, long, turned) for end in (".mp4", ".txt")
    )
    results = [name for name in place.files("outbox") if name.endswith(".mp4")]
    assert results == sorted(f"{stem}.mp4" for stem in (latin, long, turned))
    told = place.report(f"{latin}.report.toml")
    assert (told["source"], told["source_bytes"]) == ("caf\ufffd.mp4", "caf%E9.mp4")
    assert "\x1b" not in place.report(f"{turned}.report.toml")["source"]
