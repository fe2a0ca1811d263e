"""Every way to give work but a clip with its sidecar, through a daemon and the backend's own books."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nemo_watch.model import OPEN_STATES
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records, TurnRow
from nemo_watch.sandbox.server import SandboxServer
from tests.media_fixtures import clip
from tests.program import Place, eventually

TITLE = 'add the title "Hello"'


def version(source: str, number: int) -> bytes:
    """The same clip with other content: a work of its own."""
    return Path(source).read_bytes() + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")


def turns(place: Place) -> list[TurnRow]:
    with place.records() as records:
        return list(records.turns())


async def test_a_refinement_goes_on_in_the_session_and_its_results_are_numbered(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    async with place.daemon():
        place.drop("a/talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")), "trim 0.5s off the start")
        await eventually(lambda: "a/talk.mp4" in place.files("archive"), "the first edit")
        place.text("a/talk.refine.txt", TITLE)
        await eventually(lambda: "a/talk.refine.txt" in place.files("archive"), "the second")
        place.text("a/talk.mp4.refine.toml", 'prompt = "remove the title"\n[[export]]\nresolution = "360p"\n')
        await eventually(lambda: "a/talk.mp4.refine.toml" in place.files("archive"), "the third")
        place.text("a/talk-v3.refine.txt", TITLE)
        await eventually(lambda: "a/talk-v3.refine.txt" in place.files("archive"), "the fourth, named after a result")
        names = [f"a/talk{number}" for number in ("", "-v2", "-v3", "-v4")]
        assert place.files("outbox") == sorted(f"{name}{end}" for name in names for end in (".mp4", ".report.toml"))
        assert place.files("inbox") == place.files("rejects") == []
        reports = [place.report(f"{name}.report.toml") for name in names]
        assert len({report["session"] for report in reports}) == 1
        assert [report.get("version") for report in reports] == [None, 2, 3, 4]
        assert [report.get("refines") for report in reports[1:]] == [report["job"] for report in reports[:-1]]
        assert ["Hello" in report["timeline"] for report in reports] == [False, True, False, True]
        assert all("0-3.5s" in report["timeline"] for report in reports), "the first edit is kept"
        told = turns(place)
        assert [turn.message for turn in told] == ["trim 0.5s off the start", TITLE, "remove the title", TITLE]
        with place.records() as records:
            assert len(records.uploads(told[0].session_id)) == 1
        # The last one once more, touched or not, is the same work: nothing is sent, nothing is written.
        place.text("a/talk.refine.txt", TITLE)
        await eventually(lambda: "a/talk.refine-2.txt" in place.files("archive"), "known again")
        assert len(turns(place)) == 4
        assert len(place.files("outbox")) == 8


async def test_a_refinement_waits_for_its_clip_and_two_of_them_come_in_their_order(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    place.text("talk.refine.txt", TITLE)
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")), "trim 0.5s off the start")
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected, outcome.waiting) == (2, 0, 0)
    assert [turn.message for turn in turns(place)] == ["trim 0.5s off the start", TITLE]
    assert {"talk.mp4", "talk-v2.mp4"} <= {*place.files("outbox")}


async def test_a_refinement_without_a_clip_or_without_a_session_says_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    place.text("talk.refine.txt", TITLE)
    outcome = await place.work_off()
    assert outcome.rejected == 1
    report = place.report("talk.refine.txt.error.toml", "rejects")
    assert (report["code"], report["paid"]) == ("sidecar_invalid", "no")
    assert "talk.refine.txt for talk.mp4" in report["action"]
    assert turns(place) == []
    # Of a clip that was delivered, but whose session the backend has forgotten.
    place.drop("clip.mp4", Path(clip(tmp_path_factory, "mute.mp4")), "trim 0.5s off the start")
    assert (await place.work_off()).delivered == 1
    place.forget_sessions()
    place.text("clip.refine.txt", TITLE)
    assert (await place.work_off()).rejected == 1
    report = place.report("clip.refine.txt.error.toml", "rejects")
    assert (report["code"], report["paid"]) == ("1002", "no")
    assert "Drop the clip itself again" in report["action"]
    assert len(turns(place)) == 1


async def test_an_editor_that_only_answered_is_answered_by_a_refinement(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")), "replace the sky with a dragon")
    assert (await place.work_off()).rejected == 1
    report = place.report("talk.mp4.error.toml", "rejects")
    assert report["code"] == "no_edit_made"
    assert "talk.refine.txt" in report["action"]
    place.text("talk.refine.txt", TITLE)
    assert (await place.work_off()).delivered == 1
    assert place.files("outbox") == ["talk-v2.mp4", "talk-v2.report.toml"]
    assert len({turn.session_id for turn in turns(place)}) == 1


async def test_questions_are_answered_in_the_outbox_and_nothing_is_sent(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")), TITLE)
    assert (await place.work_off()).delivered == 1
    place.text("money.ask.txt", "How many credits do I have left?")
    place.text("b/all.ask.txt", "积分, 状态")
    place.text("talk.ask.txt", "show tracks")
    place.text("other.ask.txt", "what is the weather like")
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected, outcome.waiting) == (4, 0, 0)
    answers = {name: (place.root / "outbox" / name).read_text() for name in place.files("outbox") if "answer" in name}
    assert sorted(answers) == ["b/all.answer.txt", "money.answer.txt", "other.answer.txt", "talk.answer.txt"]
    assert "9950 available" in answers["money.answer.txt"]
    assert "9950 available" in answers["b/all.answer.txt"]
    assert "delivered" in answers["b/all.answer.txt"]
    assert 'Title: "Hello"' in answers["talk.answer.txt"]
    assert "show tracks" in answers["other.answer.txt"]
    assert place.files("archive") == [
        "b/all.ask.txt", "money.ask.txt", "other.ask.txt", "talk.ask.txt", "talk.mp4", "talk.txt",
    ]  # fmt: skip
    assert len(turns(place)) == 1
    # The same question once more is answered once more.
    place.text("money.ask.txt", "How many credits do I have left?")
    assert (await place.work_off()).delivered == 1
    assert "money-2.answer.txt" in place.files("outbox")


def batch(place: Place, folder: str, clips: dict[str, str], *, head: str = "") -> None:
    """Write the project of a batch: files and what is to be done with them."""
    entries = [f"[[clip]]\nfile = '{name}'\nprompt = '{wish}'\n" for name, wish in clips.items()]
    place.text(f"{folder}/project.toml", head + "".join(entries))


async def worked_off(place: Place, what: str) -> None:
    """Let a daemon run until its inbox is empty and every job has ended."""
    async with place.daemon() as daemon:
        await eventually(lambda: not place.files("inbox"), what)
        while await daemon.ledger.jobs(OPEN_STATES):  # noqa: ASYNC110  # no event tells of it
            await asyncio.sleep(0.05)


def only_on(name: str, message: str) -> str:
    return f'Work only on the file "{name}": {message}'


async def test_a_batch_with_bad_clips_delivers_the_others_each_with_its_report(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "mute.mp4")
    place = Place(tmp_path / "place")
    place.text("trip/one.mp4", version(source, 1))
    place.text("trip/day 2/one.mp4", version(source, 2))
    place.text("trip/three.mp4", version(source, 3))
    place.text("trip/letter.mp4", b"Dear editor, please find the video attached.")
    place.text("trip/two.srt", b"1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    place.text("trip/two.mp4", version(source, 4))
    wishes = {
        "one.mp4": "trim 0.5s off the start",
        "missing.mp4": TITLE,
        "letter.mp4": TITLE,
        "day 2/one.mp4": TITLE,
        "two.mp4": "add captions",
        "three.mp4": "replace the sky with a dragon",
    }
    batch(place, "trip", wishes, head="skill = 'video-skill-online'\n[[export]]\nresolution = '360p'\n")
    await worked_off(place, "all of it")
    results = ["trip/one", "trip/day 2/one", "trip/two"]
    assert place.files("outbox") == sorted(f"{name}{end}" for name in results for end in (".mp4", ".report.toml"))
    codes = {name: place.report(name, "rejects")["code"] for name in place.files("rejects") if "error" in name}
    assert codes == {
        "trip/missing.mp4.error.toml": "asset_missing",
        "trip/letter.mp4.error.toml": "not_media",
        "trip/three.mp4.error.toml": "no_edit_made",
    }
    assert place.files("inbox") == []
    kept = [*place.files("archive"), *(name for name in place.files("rejects") if "error" not in name)]
    assert {"trip/one.mp4", "trip/day 2/one.mp4", "trip/two.mp4", "trip/two.srt", "trip/letter.mp4"} <= {*kept}
    assert "trip/project.toml" in kept
    told = turns(place)
    assert [turn.message for turn in told] == [
        only_on("one.mp4", wishes["one.mp4"]),
        only_on("day 2_one.mp4", TITLE),
        only_on("two.mp4", wishes["two.mp4"]),
        only_on("three.mp4", wishes["three.mp4"]),
    ]
    reports = [place.report(f"{name}.report.toml") for name in results]
    assert {report["session"] for report in reports} == {told[0].session_id}
    assert {report["skill"] for report in reports} == {"video-skill-online"}
    assert [report["position"] for report in reports] == [1, 4, 5]
    assert "Hello" not in reports[0]["timeline"]
    assert '"Hello"' in reports[1]["timeline"]
    assert '"Hello" (0-2s)' in reports[2]["timeline"]
    with place.records() as records:
        names = [upload.filename for upload in records.uploads(told[0].session_id)]
        assert sorted(names) == ["day 2_one.mp4", "one.mp4", "three.mp4", "two.mp4", "two.srt"]
        first = min(request.request_id for request in records.requests("POST", "/run_sse"))
        calls = records.requests("POST", "/api/upload-video")
        assert max(call.request_id for call in calls) < first, "all uploads come first"
    # One of them is refined: the editor is told which, and its own timeline is gone on from.
    place.text("trip/one.refine.txt", 'add the title "Later"')
    assert (await place.work_off()).delivered == 1
    refined = place.report("trip/one-v2.report.toml")
    assert refined["messages"] == [only_on("one.mp4", 'add the title "Later"')]
    assert "0-3.5s" in refined["timeline"]
    assert "Later" in refined["timeline"]


async def test_a_batch_that_was_done_is_known_again_and_a_missing_clip_comes_later(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "mute.mp4")
    place = Place(tmp_path / "place")
    wishes = {"a.mp4": TITLE, "b.mp4": "trim 0.5s off the start"}
    place.text("trip/a.mp4", version(source, 1))
    batch(place, "trip", wishes)
    outcome = await place.work_off()
    waits = (outcome.delivered, outcome.rejected, outcome.waiting)
    assert waits == (0, 0, 2), "a run that ends with its work does not wait for a missing clip"
    await worked_off(place, "what is there, without the missing one")
    assert "trip/b.mp4.error.toml" in place.files("rejects")
    # What was missing is put there with the project; what is done is not missed.
    place.text("trip/b.mp4", version(source, 2))
    batch(place, "trip", wishes)
    await worked_off(place, "what was missing")
    assert "trip/a.mp4.error.toml" not in place.files("rejects")
    assert place.files("outbox") == ["trip/a.mp4", "trip/a.report.toml", "trip/b.mp4", "trip/b.report.toml"]
    assert len(turns(place)) == 2
    # All of it once more, as after a restored backup: nothing is sent, nothing is written.
    for number, name in enumerate(wishes, start=1):
        place.text(f"trip/{name}", version(source, number))
    batch(place, "trip", wishes)
    assert (await place.work_off()).delivered == 2
    assert len(turns(place)) == 2
    assert len(place.files("outbox")) == 4


async def test_a_batch_that_cannot_be_understood_goes_to_rejects_with_its_clips(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "mute.mp4")
    place = Place(tmp_path / "place", inbox_extra=f"instruction = '{TITLE}'")
    place.text("trip/a.mp4", version(source, 1))
    place.text("trip/project.toml", "[[clip]]\nfile = 'a.mp4'\npromt = 'cut the pauses'\n")
    outcome = await place.work_off()
    assert outcome.rejected == 1
    report = place.report("trip/project.toml.error.toml", "rejects")
    assert report["code"] == "sidecar_invalid"
    assert 'line 3, column 1: "clip.promt" is not a key of a sidecar (did you mean "prompt"?)' in report["message"]
    assert place.files("inbox") == place.files("outbox") == []
    assert {"trip/a.mp4", "trip/project.toml"} <= {*place.files("rejects")}
    assert turns(place) == []


async def test_a_batch_whose_session_is_lost_before_anything_is_paid_begins_anew(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "mute.mp4")
    lost = Faults([Fault("run_sse", "answer", code=1002)])
    with SandboxServer(tmp_path / "backend", faults=lost) as server:
        place = Place(tmp_path / "place", backend=f'url = "{server.url}"\nrender_poll = "0.2s"')
        place.text("trip/a.mp4", version(source, 1))
        place.text("trip/b.mp4", version(source, 2))
        batch(place, "trip", {"a.mp4": TITLE, "b.mp4": TITLE})
        outcome = await place.work_off()
        assert (outcome.delivered, outcome.rejected, outcome.waiting) == (2, 0, 0)
        with Records(tmp_path / "backend") as records:
            assert len({turn.session_id for turn in records.turns()}) == 1
            assert len(records.charges()) == 1
            (session,) = {turn.session_id for turn in records.turns()}
            assert sorted(upload.filename for upload in records.uploads(session)) == ["a.mp4", "b.mp4"]
