"""Killed before and after every commit of a job's way, the program goes on from there, and the edit is paid once."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nemo_watch.ledger import Ledger
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from nemo_watch.statefolder import LEDGER_NAME
from tests.faults.stepwise import Point, Stepwise, stepwise
from tests.media_fixtures import clip
from tests.program import Place

AT_ONCE = 4
EDIT = "trim 0.5s off the start"
NOT_SENT = Point("intent of edit-1", 1, "after")
"""The one moment of which nobody can tell anything afterwards: the fence is up, the message has not gone out."""
MUST_BE_THERE = {
    "entry",
    "end of session",
    "intent of upload-0",
    "end of upload-0",
    "intent of edit-1",
    "end of edit-1",
    "end of draft",
    "intent of render-1",
    "end of render-1",
    "end of download-1",
    "intent of deliver",
    "end of deliver",
    "intent of archive",
    "end of archive",
    "end of the job",
}


class World:
    """A backend for all rows of the table, and a fresh place for each."""

    def __init__(self, root: Path, source: str) -> None:
        self.root = root
        self.source = Path(source)
        self.server = SandboxServer(root / "backend", credits=100_000)

    def place(self, name: str) -> Place:
        """Make folders with one clip in the inbox, whose session at the backend is called the same."""
        place = Place(self.root / name, backend=f'url = "{self.server.url}"\nrender_poll = "0.2s"')
        place.drop(f"{name}.mp4", self.source, EDIT)
        return place

    def edits(self, name: str) -> int:
        """Count the accepted edit messages of a place."""
        with Records(self.root / "backend") as records:
            sessions = {turn.session_id for turn in records.turns()}
            mine = {one for one in sessions if (row := records.session(one)) is not None and row.task_name == name}
            assert len([charge for charge in records.charges() if charge.session_id in mine]) == len(mine)
            assert all(len([r for r in records.renders() if r.session_id == one]) == 1 for one in mine)
            return sum(turn.session_id in mine for turn in records.turns())


def _killed_once(world: World, program: Stepwise, name: str, point: Point) -> tuple[int, str]:
    """Kill at a point, start again, and tell how many edits were accepted and what became of the clip."""
    place = world.place(name)
    noted = world.root / f"{name}.txt"
    assert program.run(place.config_path, noted, point) == -signal.SIGKILL, point
    assert program.run(place.config_path, noted) == 0, (world.root / f"{name}.txt.log").read_text()[-3000:]
    assert place.files("inbox") == []
    if place.files("rejects"):
        assert place.files("outbox") == place.files("archive") == []
        assert place.files("rejects") == [f"{name}.mp4", f"{name}.mp4.error.toml", f"{name}.txt"]
        return world.edits(name), place.report(f"{name}.mp4.error.toml", "rejects")["code"]
    assert place.files("outbox") == [f"{name}.mp4", f"{name}.report.toml"]
    assert place.files("archive") == [f"{name}.mp4", f"{name}.txt"]
    return world.edits(name), "delivered"


@pytest.mark.timeout(400)
def test_killed_at_every_commit_of_its_way_a_job_is_paid_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(tmp_path, clip(tmp_path_factory, "mute.mp4"))
    with world.server, stepwise() as program:
        place = world.place("whole")
        noted = tmp_path / "whole.txt"
        assert program.run(place.config_path, noted) == 0
        commits = noted.read_text().splitlines()
        assert set(commits) >= MUST_BE_THERE, MUST_BE_THERE - set(commits)
        points = [
            Point(what, commits[: at + 1].count(what), side)
            for at, what in enumerate(commits)
            for side in ("before", "after")
        ]
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
            programs: queue.SimpleQueue[Stepwise] = queue.SimpleQueue()
            for _ in range(AT_ONCE):
                programs.put(stack.enter_context(stepwise()))

            def row(at: int) -> tuple[Point, int, str]:
                mine = programs.get()
                try:
                    return (points[at], *_killed_once(world, mine, f"row{at}", points[at]))
                finally:
                    programs.put(mine)

            rows = list(pool.map(row, range(len(points))))
        kept = asyncio.run(_session_is_kept(world, f"row{points.index(NOT_SENT)}"))
    print(f"\n{'killed ... the commit of':<40}{'edits':>6}  result")
    for point, edits, result in rows:
        print(f"{point!s:<40}{edits:>6}  {result}")
    wanted = [(point, 0, "edit_no_effect") if point == NOT_SENT else (point, 1, "delivered") for point in points]
    assert rows == wanted
    assert kept


async def _session_is_kept(world: World, name: str) -> bool:
    """Tell whether a job in doubt kept its session: the backend still has it, with the upload and without an edit."""
    ledger = Ledger(str(world.root / name / "state" / LEDGER_NAME))
    try:
        (job,) = await ledger.jobs()
        steps = {step.name: step for step in await ledger.steps(job.job_id)}
    finally:
        await ledger.close()
    with Records(world.root / "backend") as records:
        session = records.session(steps["session"].data["session_id"])
        return (
            steps["edit-1"].state == "intent"
            and session is not None
            and session.draft == {}
            and len(records.uploads(session.session_id)) == 1
        )
