"""The same work again, put back, renamed, changed or called off: what is paid is paid once, what is wished is made."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from nemo_watch import folders, policy
from nemo_watch.cli.retrying import cancel, retry
from nemo_watch.errors import FolderError, OperatorError
from nemo_watch.media import probe
from nemo_watch.pipeline import ending
from nemo_watch.sandbox.faults import Fault
from tests.media_fixtures import clip
from tests.program import Place, eventually
from tests.pulling import (
    CUT,
    LOST,
    at_backend,
    drop,
    ended,
    jobs,
    ledger_of,
    messages,
    pulled,
    records,
)


def charges(place: Place) -> int:
    with records(place) as seen:
        return len(seen.charges())


def put_back(place: Place, *names: str) -> None:
    for name in names:
        os.rename(place.root / "rejects" / name, place.root / "inbox" / name)


async def test_a_run_that_was_called_off_does_not_hide_the_one_that_was_paid(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        first = (await jobs(place))[0].job_id
        told = await pulled(place, retry, first, fresh=True)
        assert "nothing was paid" in (await pulled(place, cancel, told["job_id"]))["sentence"]
        drop(place, tmp_path_factory)
        await place.work_off()
        assert charges(place) == 1
        assert messages(place) == [CUT]
        assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
        assert place.files("inbox") == []


async def test_of_two_runs_under_way_the_renamed_one_is_known(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, Fault("render", "stick", times=0)) as place:
        place.inbox_extra = "duplicates = 'process'"
        place.write_config()
        async with place.daemon() as daemon:
            for name in ("one.mp4", "two.mp4"):
                drop(place, tmp_path_factory, name)

            async def rendering() -> bool:
                found = await daemon.ledger.jobs(("waiting",))
                return [job.reason for job in found] == ["render"] * 2

            await eventually(rendering, "both are being exported")
            inbox = place.root / "inbox"
            os.rename(inbox / "one.txt", inbox / "three.txt")
            os.rename(inbox / "one.mp4", inbox / "three.mp4")

            async def followed() -> bool:
                return {job.clip.rel for job in await daemon.ledger.jobs()} == {"two.mp4", "three.mp4"}

            await eventually(followed, "the first run knows its clip again")
        assert messages(place) == [CUT, CUT]


@pytest.mark.parametrize("place_is_away", [False, True], ids=["render failed", "cancelled"])
async def test_other_wishes_for_the_export_are_made_when_it_is_put_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, place_is_away: bool
) -> None:
    faults = [] if place_is_away else [Fault("render", "fail_render", after=1, times=2)]
    wishes = 'prompt = "cut the pauses"\n[[export]]\nresolution = "{}"\n'
    with at_backend(tmp_path, *faults) as place:
        first = wishes.format("360p") + ("" if place_is_away else '[[export]]\nresolution = "720p"\nname = "big"\n')
        place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), first, toml=True)
        if place_is_away:
            os.rename(place.root / "outbox", place.root / "elsewhere")
            (place.root / "outbox").write_text("in the way")
            await place.work_off()
            await pulled(place, cancel, "talk.mp4")
            (place.root / "outbox").unlink()
            os.rename(place.root / "elsewhere", place.root / "outbox")
        await place.work_off()
        await ended(place, "rejected")
        (place.root / "rejects" / "talk.toml").write_text(wishes.format("720p"))
        put_back(place, "talk.toml", "talk.mp4")
        assert (await place.work_off()).delivered == 1
        made = (await probe(str(place.root / "outbox" / "talk.mp4"))).video
        assert made is not None
        assert (made.width, made.height) == (1280, 720)
        assert charges(place) == 1
        assert place.files("inbox") == []


async def test_put_back_with_a_later_moment_it_waits_for_that(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, Fault("upload", "answer", code=4001)) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await ended(place, "rejected", code="4001")
        put_back(place, "talk.mp4")
        wish = 'prompt = "cut the pauses"\nnot_before = 2099-01-01T00:00:00Z\npriority = 7\n'
        (place.root / "inbox" / "talk.toml").write_text(wish)
        assert (await place.work_off()).waiting == 1
        (job,) = await jobs(place)
        assert (job.state, job.reason, job.priority) == ("waiting", "not_before", 7)
        assert messages(place) == []


async def test_files_moved_by_hand_after_a_retry_are_not_looked_for_elsewhere(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, LOST) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await pulled(place, retry, "talk.mp4", start="edit")
        put_back(place, "talk.txt", "talk.mp4")
        assert (await place.work_off()).delivered == 1
        assert messages(place) == [CUT]
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert place.files("inbox") == []


async def test_put_back_after_a_retry_that_needed_no_file_the_original_leaves_the_inbox(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, Fault("render", "fail_render", times=4)) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await pulled(place, retry, "talk.mp4")
        await place.work_off()
        await ended(place, "rejected", code="render_failed")
        put_back(place, "talk.txt", "talk.mp4", "talk.mp4.error.toml")
        assert (await place.work_off()).delivered == 1
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert place.files("inbox") == place.files("rejects") == []
        assert charges(place) == 1


async def test_an_error_report_that_is_put_back_is_removed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path) as place:
        source = Path(clip(tmp_path_factory, "pauses.mp4"))
        (place.root / "rejects" / "talk.mp4").write_text("somebody's")
        place.drop("talk.mp4", source, "promt = 'cut the pauses'", toml=True)
        await place.work_off()
        await ended(place, "rejected", code="sidecar_invalid")
        assert "talk-2.mp4.error.toml" in place.files("rejects")
        (place.root / "rejects" / "talk-2.toml").write_text("prompt = 'cut the pauses'")
        (place.root / "inbox" / "mine.mp4.error.toml").write_text("a person's own")
        put_back(place, "talk-2.toml", "talk-2.mp4", "talk-2.mp4.error.toml")
        assert (await place.work_off()).delivered == 1
        assert place.files("inbox") == ["mine.mp4.error.toml"]
        assert place.files("rejects") == ["talk.mp4"]


@pytest.mark.parametrize("needed", [False, True], ids=["no file needed", "file needed"])
async def test_put_back_by_hand_and_retried_as_well_it_leaves_the_inbox(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, needed: bool
) -> None:
    fault = Fault("upload", "answer", code=4002) if needed else Fault("render", "fail_render", times=2)
    with at_backend(tmp_path, fault) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await ended(place, "rejected")
        await pulled(place, retry, "talk.mp4")
        put_back(place, "talk.txt", "talk.mp4")
        assert (await place.work_off()).delivered == 1
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert place.files("inbox") == place.files("rejects") == []
        assert charges(place) == 1


TWO = 'prompt = "cut the pauses"\n[[export]]\nname = "one"\n[[export]]\nname = "two"\nresolution = "720p"\n'


async def half_delivered(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have the first of two results published, and the second one not: there is no room for it."""
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), TWO, toml=True)
    publish = folders.publish

    def first_only(root: str, plan: folders.Plan, mark: str) -> bool:
        if plan.target.endswith("two.mp4"):
            raise FolderError("No room.", code="disk_full")
        return publish(root, plan, mark)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "publish", first_only)
        await place.work_off()
    assert place.files("outbox") == ["one.mp4"]
    (two,) = place.state.joinpath("spool").rglob("2.mp4")
    return two


async def test_half_delivered_and_put_back_the_first_result_is_not_made_twice(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    with at_backend(tmp_path) as place:
        await half_delivered(place, tmp_path_factory)
        await pulled(place, cancel, "talk.mp4")
        await place.work_off()
        await ended(place, "rejected", code="cancelled")
        put_back(place, "talk.toml", "talk.mp4")
        assert (await place.work_off()).delivered == 1
        assert place.files("outbox") == ["one.mp4", "one.report.toml", "two.mp4"]
        assert charges(place) == 1


async def test_half_delivered_and_fetched_again_with_other_bytes_there_is_one_of_each(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    monkeypatch.setattr(ending, "FETCH_AGAIN_S", 0.1)
    with at_backend(tmp_path) as place:
        two = await half_delivered(place, tmp_path_factory)
        shutil.rmtree(two.parent)
        (job,) = await jobs(place)
        first = place.root / "outbox" / "one.mp4"
        first.write_bytes(first.read_bytes() + b"\0\0\0\x08free")
        digest = hashlib.sha256(first.read_bytes()).hexdigest()
        async with ledger_of(place) as ledger:  # the export was made once more meanwhile, with other bytes
            step = await ledger.step(job.job_id, "deliver")
            assert step is not None
            step.data["files"][0] |= {"sha256": digest, "size_bytes": first.stat().st_size}
            await ledger.intend(job.job_id, "deliver", step.token, step.data)
            await ledger.clear(job.job_id, "download-1", "download-2", "render-1", "render-2")
        assert (await place.work_off()).delivered == 1
        assert place.files("outbox") == ["one.mp4", "one.report.toml", "two.mp4"]
        assert place.report("one.report.toml")["export"][0]["sha256"] == digest


async def test_half_delivered_and_put_back_elsewhere_all_of_it_lies_together(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    with at_backend(tmp_path) as place:
        await half_delivered(place, tmp_path_factory)
        await pulled(place, cancel, "talk.mp4")
        await place.work_off()
        (place.root / "inbox" / "b").mkdir()
        for name in ("talk.toml", "talk.mp4"):
            os.rename(place.root / "rejects" / name, place.root / "inbox" / "b" / name)
        assert (await place.work_off()).delivered == 1
        assert place.files("outbox") == ["b/one.mp4", "b/one.report.toml", "b/two.mp4", "one.mp4"]


async def test_a_report_that_was_written_before_the_end_is_written_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    write_new = folders.write_new

    def written_and_failed(root: str, target: str, content: bytes, mark: str) -> bool:
        write_new(root, target, content, mark)
        raise FolderError("It broke in this very moment.", code="outbox_unavailable")

    with at_backend(tmp_path) as place:
        drop(place, tmp_path_factory)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(folders, "write_new", written_and_failed)
            await place.work_off()
        assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
        await pulled(place, cancel, "talk.mp4")
        await place.work_off()
        put_back(place, "talk.txt", "talk.mp4")
        assert (await place.work_off()).delivered == 1
        assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]


async def test_a_retried_job_of_an_inbox_that_was_renamed_is_found_by_its_file(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, Fault("render", "fail_render", times=2)) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await pulled(place, retry, "talk.mp4")
        config = place.config_path.read_text()
        place.config_path.write_text(config.replace("name = 'videos'", "name = 'clips'"))
        put_back(place, "talk.txt", "talk.mp4")
        assert (await place.work_off()).delivered == 1
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert charges(place) == 1


async def test_once_ends_though_a_twin_waits_for_a_held_job(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, credits=0) as place:
        drop(place, tmp_path_factory, "one.mp4")
        drop(place, tmp_path_factory, "two.mp4")
        assert (await place.work_off()).waiting == 2


# ---------------------------------------------------------------- levers on what is nearly at its end


async def test_a_cancelled_job_that_still_waits_for_rejects_goes_on_when_it_is_retried(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, Fault("render", "stick")) as place:
        drop(place, tmp_path_factory)
        async with place.daemon() as daemon:

            async def rendering() -> bool:
                return [job.reason for job in await daemon.ledger.jobs(("waiting",))] == ["render"]

            await eventually(rendering, "it is being exported")
        await pulled(place, cancel, "talk.mp4")
        assert "goes on" in (await pulled(place, retry, "talk.mp4"))["sentence"]
        (job,) = await jobs(place)
        assert (job.state, job.failure) == ("ready", None)


async def test_cancel_knows_what_a_retry_has_given_up(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with at_backend(tmp_path, Fault("render", "fail_render", times=2)) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await ended(place, "rejected", code="render_failed")
        await pulled(place, retry, "talk.mp4", start="edit")
        told = await pulled(place, cancel, "talk.mp4")
        assert "was paid, and is given up" in told["sentence"]
        shown = await asyncio.to_thread(place.run, "show", "talk.mp4", "--json")
        assert json.loads(shown.stdout)["paid"] == "yes"
        await place.work_off()
        assert place.report("talk.mp4.error.toml", "rejects")["paid"] == "yes"
        assert place.files("rejects") == ["talk.mp4", "talk.mp4.error.toml", "talk.txt"]
        assert place.files("inbox") == []


async def test_what_is_delivered_cannot_be_cancelled(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    with at_backend(tmp_path) as place:
        drop(place, tmp_path_factory)
        os.rmdir(place.root / "archive")
        (place.root / "archive").write_text("in the way")
        await place.work_off()
        assert "talk.mp4" in place.files("outbox")
        with pytest.raises(OperatorError, match="only its original"):
            await pulled(place, cancel, "talk.mp4")
        (place.root / "archive").unlink()
        assert (await place.work_off()).delivered == 1
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert place.files("rejects") == []
