"""A render whose daemon is killed, and one whose disk fills up: nothing half done is left, and it can be done again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_watch.media import probe
from nemo_watch.sandbox.render import Output, RenderError, render
from tests.integration.test_render import draft, pieces, source
from tests.media_fixtures import children, clip
from tests.program import Place, until

Factory = pytest.TempPathFactory


def parts(place: Place) -> list[Path]:
    return [path for path in (place.state / "sandbox").glob("renders/*/*.part") if path.stat().st_size]


def renderers(place: Place) -> list[int]:
    """List the processes that work in this place's folders, whoever started them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if Path(os.readlink(entry / "cwd")).is_relative_to(place.state / "sandbox"):
                    found.append(int(entry.name))
    return found


async def test_a_daemon_killed_while_it_renders_sweeps_the_part_and_renders_again(
    tmp_path: Path, tmp_path_factory: Factory
) -> None:
    place = Place(tmp_path / "place")
    sidecar = 'prompt = "cut the pauses"\n[[export]]\nresolution = "1080p"\n'
    with place.process() as first:
        first.wait_for(lambda: first.said("daemon.ready"), "ready")
        place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), sidecar, toml=True)
        (part,) = first.wait_for(lambda: parts(place), "a part of the result is on the disk")
        first.stop(signal.SIGKILL)
    assert part.exists()
    assert place.files("outbox") == []
    with place.process() as second:
        second.wait_for(lambda: second.log().count("daemon.ready") == 2, "ready again")
        # Swept at the start, not when the work is done again: its folder is of no run that is.
        assert not part.parent.exists()
        second.wait_for(lambda: not place.files("inbox"), "delivered and archived")
        assert second.stop() == 0
    until(lambda: not renderers(place), "what the killed daemon had started is gone as well")
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert parts(place) == []
    assert (await probe(str(place.root / "outbox" / "talk.mp4"))).duration_ms == pytest.approx(6_720, abs=150)
    with place.records() as records:
        (done,) = records.renders()
        assert (done.state, done.runs) == ("completed", 2)
        assert len(records.charges()) == len(records.turns()) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB, as root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_disk_that_fills_up_while_it_renders(tmp_path_factory: Factory, small_disk: Path) -> None:
    one, before = await source(tmp_path_factory, "pauses.mp4"), children()
    what = draft((0, pieces("pauses.mp4", (0, 12_000))), width=640, height=360)
    job, filler = small_disk / "job", small_disk / "filler"

    def somebody_fills_it(_per_cent: float) -> None:
        with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))

    with pytest.raises(RenderError, match="disk is full") as caught:
        await render(what, {one.asset.url: one}, Output(quality="best"), str(job), somebody_fills_it)
    assert caught.value.again
    assert not list(job.glob("out.*"))
    assert children() == before
    filler.unlink()
    file = await render(what, {one.asset.url: one}, Output(quality="draft"), str(job))
    assert file.duration_ms == 12_000
