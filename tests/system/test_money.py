"""What must not happen to money and files in the first form: holds that end, pairs that stay, nothing copied twice."""

from __future__ import annotations

import io
import shutil
import sqlite3
from pathlib import Path

import pytest
import structlog

from nemo_watch import folders, log
from nemo_watch.model import FileRef
from tests.media_fixtures import clip
from tests.program import Place, eventually


async def test_without_credits_everything_waits_and_goes_on_when_they_come(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", extra="[sandbox]\ncredits = 60")
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    for number in range(3):
        place.drop(f"clip{number}.mp4", source, f'add the title "Number {number}"')
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected, outcome.waiting) == (1, 0, 2)
    assert place.files("rejects") == []
    async with place.daemon() as daemon:
        (hold,) = await daemon.ledger.holds()
        assert hold.reason == "credits"
        assert "?bind=" in hold.link
        assert {job.state for job in await daemon.ledger.jobs(("waiting", "held", "ready"))} == {"held"}
    # Somebody tops the account up while the daemon is down; the next start sees it at once.

    with sqlite3.connect(next((place.state / "sandbox").glob("*.db"))) as db:
        db.execute("UPDATE ledger SET amount = 1000 WHERE kind = 'grant'")
    db.close()
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.waiting) == (2, 0)
    with place.records() as records:
        assert len(records.turns()) == 3
        assert len(records.charges()) == 3


async def test_a_sidecar_that_comes_before_payment_replaces_the_instruction(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(
        tmp_path / "place", extra="[sandbox]\ncredits = 0", inbox_extra='instruction = "add background music"'
    )
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")))
    assert (await place.work_off()).waiting == 1
    (place.root / "inbox" / "talk.txt").write_text("cut the pauses")

    with sqlite3.connect(next((place.state / "sandbox").glob("*.db"))) as db:
        db.execute("UPDATE ledger SET amount = 1000 WHERE kind = 'grant'")
    db.close()
    await place.work_off()
    assert place.report("talk.report.toml")["messages"] == ["cut the pauses"]
    assert place.files("inbox") == []
    with place.records() as records:
        assert [turn.message for turn in records.turns()] == ["cut the pauses"]


async def test_pairs_keep_one_number_and_old_reports_go(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    (place.root / "rejects" / "talk.mp4").write_bytes(b"another one's")
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    place.drop("talk.mp4", source, "translate it into Klingon")
    await place.work_off()
    assert place.files("rejects") == ["talk-2.mp4", "talk-2.mp4.error.toml", "talk-2.txt", "talk.mp4"]
    # All three are put back with a better instruction: the report goes, the pair is still a pair.
    for name in ("talk-2.mp4", "talk-2.mp4.error.toml", "talk-2.txt"):
        shutil.move(place.root / "rejects" / name, place.root / "inbox" / name)
    await place.work_off()
    assert place.files("rejects") == ["talk-2.mp4", "talk-2.mp4.error.toml", "talk-2.txt", "talk.mp4"]
    for name in ("talk-2.mp4", "talk-2.mp4.error.toml"):
        shutil.move(place.root / "rejects" / name, place.root / "inbox" / name)
    (place.root / "rejects" / "talk-2.txt").unlink()
    (place.root / "inbox" / "talk-2.txt").write_text("cut the pauses")
    await place.work_off()
    assert place.files("outbox") == ["talk-2.mp4", "talk-2.report.toml"]
    assert place.files("rejects") == ["talk.mp4"]
    assert place.files("archive") == ["talk-2.mp4", "talk-2.txt"]


async def test_a_name_taken_after_planning_makes_no_second_copy(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    sidecar = 'prompt = "cut the pauses"\n[[export]]\n[[export]]\nname = "vertical"\n'
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), sidecar, toml=True)

    real = folders.publish
    taken: list[str] = []

    def publish_after_somebody(root: str, plan: folders.Plan, job_id: str) -> bool:
        if plan.target.endswith("vertical.mp4") and not taken:
            taken.append(plan.target)
            Path(plan.target).write_bytes(b"somebody else's")
        return real(root, plan, job_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "publish", publish_after_somebody)
        assert (await place.work_off()).delivered == 1
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml", "vertical-2.mp4", "vertical.mp4"]
    assert [one["file"] for one in place.report("talk.report.toml")["export"]] == ["talk.mp4", "vertical-2.mp4"]
    assert (place.root / "outbox" / "vertical.mp4").read_bytes() == b"somebody else's"


async def test_jobs_of_an_inbox_that_the_config_no_longer_knows_are_held(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", extra="[sandbox]\ncredits = 0")
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "cut the pauses")
    await place.work_off()
    text = place.config_path.read_text()
    place.config_path.write_text(text.replace("'videos'", "'films'").replace(str(place.root / "inbox"), "/tmp/none/in"))
    async with place.daemon() as daemon:
        await daemon.ledger.lift("credits")
        daemon.dispatch.wake()

        async def held() -> bool:
            return [job.reason for job in await daemon.ledger.jobs(("held",))] == ["inbox_unknown"]

        await eventually(held, "held with a sentence")


def test_an_exception_on_a_terminal_never_shows_variables(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    before = structlog.get_config()
    try:
        log.configure(stream=stream)
        _fail_with("nmv_usr_secret-token-value")
    finally:
        structlog.configure(**before)
    assert "job.bug" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "secret-token-value" not in stream.getvalue()


def _fail_with(token: str) -> None:
    try:
        int(f"not a number {len(token)}")
    except ValueError:
        structlog.get_logger("nemo_watch.test").exception("job.bug", ref=str(FileRef))
