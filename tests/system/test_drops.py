"""What is taken, what is refused with which words, and that one bad file never stops the others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.media_fixtures import clip
from tests.program import Place, eventually


async def test_images_and_sound_without_a_sidecar_are_assets(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", inbox_extra='instruction = "cut the pauses"')
    place.drop("logo.png", Path(clip(tmp_path_factory, "still.png")))
    place.drop("song.mp3", Path(clip(tmp_path_factory, "tone.mp3")))
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected) == (0, 0)
    assert place.files("inbox") == ["logo.png", "song.mp3"]


async def test_bad_files_are_rejected_and_good_ones_go_on(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    good = Path(clip(tmp_path_factory, "pauses.mp4"))
    place.drop("a-good.mp4", good, "cut the pauses")
    place.drop("sub/b-good.mp4", good, "add background music")
    place.drop("bad-sidecar.mp4", good, 'prompt = "cut"\npromt = "x"\n', toml=True)
    place.drop("empty.mp4", b"", "cut the pauses")
    place.drop("text.mp4", b"this is no video at all\n" * 50, "cut the pauses")
    place.drop("photo.heic", b"\0\0\0\x18ftypheic" + b"x" * 100, "cut the pauses")
    place.drop("old.wmv", b"0&\xb2u\x8ef\xcf\x11" + b"x" * 100)
    place.drop("README.md", b"# read me")
    place.drop("invoice.pdf", b"%PDF-1.4")
    big = place.root / "inbox" / "big.mp4"
    shutil.copy(good, big)
    size_bytes, limit_bytes = big.stat().st_size, 500 * 1024 * 1024
    with big.open("ab") as out:
        # A box of padding makes it one byte too large and still a whole file.
        out.write((limit_bytes + 1 - size_bytes).to_bytes(4, "big") + b"free")
    os.truncate(big, limit_bytes + 1)
    (place.root / "inbox" / "big.txt").write_text("cut the pauses")
    os.symlink(good, place.root / "inbox" / "link.mp4")

    outcome = await place.work_off()

    assert place.files("outbox") == [
        "a-good.mp4", "a-good.report.toml", "sub/b-good.mp4", "sub/b-good.report.toml",
    ]  # fmt: skip
    expected = {
        "bad-sidecar.mp4": "sidecar_invalid",
        "big.mp4": "4002",
        "empty.mp4": "empty_file",
        "link.mp4": "symlink",
        "old.wmv": "4001",
        "photo.heic": "4001",
        "text.mp4": "not_media",
    }
    for name, code in expected.items():
        report = place.report(f"{name}.error.toml", "rejects")
        assert (name, report["code"], report["paid"]) == (name, code, "no")
        for key in ("message", "action", "name"):
            assert report[key], (name, key)
        assert os.path.lexists(place.root / "rejects" / name), name
    assert outcome.rejected == len(expected)
    assert (place.report("bad-sidecar.mp4.error.toml", "rejects")["line"]) == 2
    assert "prompt" in place.report("bad-sidecar.mp4.error.toml", "rejects")["message"]
    assert place.files("inbox") == ["README.md", "invoice.pdf"]
    with place.records() as records:
        uploads = [r for r in records.requests("POST") if "/upload-video/" in r.path]
        assert len(uploads) == 2


async def test_a_rejected_file_put_back_with_a_mended_sidecar_is_delivered(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), 'promt = "cut the pauses"\n', toml=True)
    assert (await place.work_off()).rejected == 1
    (place.root / "rejects" / "talk.toml").unlink()
    (place.root / "inbox" / "talk.toml").write_text('prompt = "cut the pauses"\n')
    shutil.move(place.root / "rejects" / "talk.mp4", place.root / "inbox" / "talk.mp4")
    assert (await place.work_off()).delivered == 1
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]


async def test_a_backend_that_is_down_means_waiting_not_rejecting(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", backend='url = "http://127.0.0.1:9"', env={})
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
    place.drop("bad.mp4", b"no video" * 100, "cut the pauses")
    async with place.daemon() as daemon:

        async def tried_twice() -> bool:
            return any(job.attempts >= 2 for job in await daemon.ledger.jobs(("waiting",)))

        await eventually(tried_twice, "tried twice")
        await eventually(lambda: "bad.mp4.error.toml" in place.files("rejects"), "the bad one is rejected")
        (job,) = await eventually(lambda: daemon.ledger.jobs(("waiting",)), "between two tries")
        assert job.reason == "retry"
        assert "127.0.0.1" in job.sentence or "reach" in job.sentence
        assert job.next_try_at is not None
    assert "talk.mp4" in place.files("inbox")
    # The backend comes (here: the sandbox takes its place) and the same job goes on.
    place.backend = 'url = "sandbox"\nrender_poll = "0.2s"'
    place.write_config()
    assert (await place.work_off()).delivered == 1


async def test_the_same_work_twice_is_paid_once(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(tmp_path / "place")
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    place.drop("talk.mp4", source, "cut the pauses")
    assert (await place.work_off()).delivered == 1
    place.drop("talk.mp4", source, "cut the pauses")
    place.drop("renamed.mp4", source, "cut the pauses")
    await place.work_off()
    assert place.files("outbox") == ["renamed.mp4", "renamed.report.toml", "talk.mp4", "talk.report.toml"]
    assert place.report("renamed.report.toml")["reused_from"] == place.report("talk.report.toml")["job"]
    assert place.files("inbox") == []
    assert place.files("archive") == [
        "renamed.mp4", "renamed.txt", "talk-2.mp4", "talk-2.txt", "talk.mp4", "talk.txt",
    ]  # fmt: skip
    with place.records() as records:
        assert len(records.turns()) == 1
        assert len(records.charges()) == 1


@pytest.mark.parametrize("originals", ["keep", "delete"])
async def test_originals_stay_or_go_as_asked(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, originals: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'originals = "{originals}"')
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
    assert (await place.work_off()).delivered == 1
    assert place.files("inbox") == (["talk.mp4", "talk.txt"] if originals == "keep" else [])
    assert place.files("archive") == []
    # Once more: the ledger knows the file that stayed.
    assert (await place.work_off()).delivered == 0
    with place.records() as records:
        assert len(records.turns()) == 1


async def test_one_sidecar_for_two_clips_moves_with_the_last(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
    place.drop("talk.mov", Path(clip(tmp_path_factory, "clip.mov")))
    assert (await place.work_off()).delivered == 2
    assert place.files("inbox") == []
    assert place.files("outbox") == ["talk-2.mp4", "talk-2.report.toml", "talk.mp4", "talk.report.toml"]
    assert place.files("archive") == ["talk.mov", "talk.mp4", "talk.txt"]


async def test_a_result_is_kept_while_the_outbox_is_away(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
    (place.root / "outbox").rmdir()
    (place.root / "outbox").write_text("somebody put a file here")
    async with place.daemon() as daemon:
        (job,) = await eventually(lambda: daemon.ledger.jobs(("held",)), "held")
        assert job.reason == "outbox_unavailable"
        (place.root / "outbox").unlink()
        (place.root / "outbox").mkdir()
        await daemon.ledger.wake("outbox_unavailable")
        daemon.dispatch.wake()
        await eventually(lambda: not place.files("inbox"), "archived")
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    with place.records() as records:
        assert len(records.turns()) == 1
        assert len(records.renders()) == 1
