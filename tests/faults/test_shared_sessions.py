"""Jobs that share a session never take each other's edit for their own, whatever was rejected or put back."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from nemo_watch.ledger import Ledger, chains
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from nemo_watch.statefolder import LEDGER_NAME
from tests.faults.test_ways import TITLE, batch, only_on, turns, version, worked_off
from tests.media_fixtures import clip
from tests.program import Place, eventually

TRIM = "trim 0.5s off the start"
DRAGON = "replace the sky with a dragon"
"""Nothing that is changed: the editor only answers."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return clip(tmp_path_factory, "mute.mp4")


def put_back(place: Place, *names: str) -> None:
    """Put files from rejects or the archive into the inbox again."""
    for folder in ("rejects", "archive"):
        for name in place.files(folder):
            if name in names:
                target = place.root / "inbox" / name
                target.parent.mkdir(exist_ok=True)
                (place.root / folder / name).rename(target)


async def test_a_part_put_back_does_not_get_the_next_ones_video(place: Place, source: str) -> None:
    place.text("trip/a.mp4", version(source, 1))
    place.text("trip/b.mp4", version(source, 2))
    batch(place, "trip", {"a.mp4": DRAGON, "b.mp4": TITLE})
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected) == (1, 1)
    put_back(place, "trip/a.mp4", "trip/project.toml")
    await worked_off(place, "the clip is rejected again, the one that is done is not missed")
    assert place.files("outbox") == ["trip/b.mp4", "trip/b.report.toml"]
    assert place.report("trip/a.mp4.error.toml", "rejects")["code"] == "no_edit_made"
    assert len(turns(place)) == 2


async def test_a_part_in_doubt_is_not_found_in_the_next_ones_edit(tmp_path: Path, source: str) -> None:
    failing = Faults([Fault("run_sse", "fail_turn", message="odd")])
    with SandboxServer(tmp_path / "backend", faults=failing) as server:
        place = Place(tmp_path / "place", backend=f'url = "{server.url}"\nrender_poll = "0.2s"')
        place.text("trip/a.mp4", version(source, 1))
        place.text("trip/b.mp4", version(source, 2))
        batch(place, "trip", {"a.mp4": TRIM, "b.mp4": TITLE})
        assert (await place.work_off()).rejected == 1
        put_back(place, "trip/a.mp4", "trip/project.toml")
        await worked_off(place, "it is looked at once more")
        assert place.files("outbox") == ["trip/b.mp4", "trip/b.report.toml"]
        report = place.report("trip/a.mp4.error.toml", "rejects")
        assert (report["code"], report["paid"]) == ("edit_no_effect", "unknown")
        assert "Another job was edited in the session" in report["message"]
        with Records(tmp_path / "backend") as records:
            assert len(records.turns()) == 2


async def test_a_clip_put_back_after_its_refinement_does_not_get_that_ones_video(place: Place, source: str) -> None:
    place.drop("talk.mp4", Path(source), DRAGON)
    assert (await place.work_off()).rejected == 1
    place.text("talk.refine.txt", TITLE)
    assert (await place.work_off()).delivered == 1
    put_back(place, "talk.mp4", "talk.txt")
    assert (await place.work_off()).rejected == 1
    assert place.files("outbox") == ["talk-v2.mp4", "talk-v2.report.toml"]
    assert len(turns(place)) == 2


async def test_a_refinement_waits_for_a_clip_that_has_not_begun(place: Place, source: str) -> None:
    words = f"prompt = '{TRIM}'\nnot_before = 2099-01-01T00:00:00Z\n"
    place.drop("talk.mp4", Path(source), words, toml=True)
    assert (await place.work_off()).waiting == 1
    place.text("talk.refine.txt", TITLE)
    outcome = await place.work_off()
    assert (outcome.waiting, outcome.rejected) == (2, 0)
    assert place.files("rejects") == []


async def test_after_a_refinement_in_doubt_the_next_one_goes_on_from_the_clip(tmp_path: Path, source: str) -> None:
    failing = Faults([Fault("run_sse", "fail_turn", message="odd", after=1)])
    with SandboxServer(tmp_path / "backend", faults=failing) as server:
        place = Place(tmp_path / "place", backend=f'url = "{server.url}"\nrender_poll = "0.2s"')
        place.drop("talk.mp4", Path(source), TRIM)
        assert (await place.work_off()).delivered == 1
        async with place.daemon() as daemon:
            place.text("talk.refine.txt", TITLE)
            await eventually(lambda: daemon.ledger.jobs(("ready", "waiting")), "the first is under way")
            place.text("talk.mp4.refine.txt", "speed it up 2x")
            await eventually(lambda: "talk.mp4.refine.txt" in place.files("archive"), "the second is delivered")
        assert [name for name in place.files("rejects") if "error" in name] == ["talk.refine.txt.error.toml"]
        (result,) = [name for name in place.files("outbox") if name.startswith("talk-v") and name.endswith(".toml")]
        first = place.report("talk.report.toml")
        assert place.report(result)["refines"] == first["job"]


async def test_a_refinement_that_only_exports_sends_nothing(place: Place, source: str) -> None:
    place.drop("talk.mp4", Path(source), TRIM)
    assert (await place.work_off()).delivered == 1
    place.text("talk.refine.txt", "export in 720p")
    assert (await place.work_off()).delivered == 1
    place.text("talk.refine.txt", "export in 360p, please")
    assert (await place.work_off()).delivered == 1
    assert [name for name in place.files("outbox") if "-v" in name and "mp4" in name] == ["talk-v2.mp4", "talk-v3.mp4"]
    assert place.report("talk-v3.report.toml")["timeline"] == place.report("talk.report.toml")["timeline"]
    assert [turn.message for turn in turns(place)] == [TRIM]
    with place.records() as records:
        assert [render.output.get("resolution") for render in records.renders()] == ["", "720p", "360p"]


async def test_two_refinements_dropped_together_follow_each_other(place: Place, source: str) -> None:
    place.drop("talk.mp4", Path(source), TRIM)
    assert (await place.work_off()).delivered == 1
    place.text("talk.refine.txt", TITLE)
    place.text("talk.mp4.refine.txt", "trim 0.5s off the end")
    assert (await place.work_off()).delivered == 2
    second, third = (place.report(f"talk-v{number}.report.toml") for number in (2, 3))
    assert (second["version"], third["version"]) == (2, 3)
    assert third["refines"] == second["job"]


async def test_two_copies_that_share_an_edit_are_not_both_refined(place: Place, source: str) -> None:
    for name in ("talk.mp4", "copy.mp4"):
        place.drop(name, Path(source), TRIM)
        assert (await place.work_off()).delivered == 1
    place.text("talk.refine.txt", TITLE)
    assert (await place.work_off()).delivered == 1
    place.text("copy.refine.txt", "speed it up 2x")
    assert (await place.work_off()).rejected == 1
    assert 'gone on from as "talk-v2"' in place.report("copy.refine.txt.error.toml", "rejects")["message"]
    assert [turn.message for turn in turns(place)] == [TRIM, TITLE]


async def test_a_part_that_was_replaced_has_a_name_of_its_own_in_the_session(place: Place, source: str) -> None:
    place.text("trip/a.mp4", version(source, 1))
    batch(place, "trip", {"a.mp4": TRIM, "c.mp4": TITLE})
    async with place.daemon():
        await eventually(lambda: "trip/c.mp4.error.toml" in place.files("rejects"), "the missing one is told")
        await eventually(lambda: "trip/a.mp4" in place.files("archive"), "the other one is done")
    put_back(place, "trip/project.toml")
    place.text("trip/a.mp4", version(source, 7))
    place.text("trip/c.mp4", version(source, 8))
    await place.work_off()
    assert [turn.message for turn in turns(place)] == [
        only_on("a.mp4", TRIM), only_on("a-2.mp4", TRIM), only_on("c.mp4", TITLE),
    ]  # fmt: skip
    assert "0-3.5s" in place.report("trip/a-2.report.toml")["timeline"]


async def test_a_chain_is_found_by_its_index(place: Place) -> None:
    place.state.mkdir()
    ledger = Ledger(str(place.state / LEDGER_NAME))
    try:
        where = chains._of("x").compile(compile_kwargs={"literal_binds": True})
        query = sa.text(f"EXPLAIN QUERY PLAN SELECT job_id FROM jobs WHERE {where}")
        plan = await ledger.transact(lambda c: str(c.execute(query).all()))
    finally:
        await ledger.close()
    assert "jobs_chain" in plan
    assert "SCAN" not in plan
