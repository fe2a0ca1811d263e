"""Renders that take their time: the strongest parts of a long clip, the largest source, one that is called off."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from nemo_watch.sandbox.render import Output, Source, render
from tests.integration.test_render import draft, pieces, rendered, source
from tests.integration.test_render_edits import FPS, edited, named
from tests.media_fixtures import children, frame_ids, stream_seconds

Factory = pytest.TempPathFactory
WINDOW_S = 6


async def test_the_three_loud_windows_come_out_and_nothing_else(tmp_path_factory: Factory, tmp_path: Path) -> None:
    made, file = await edited(tmp_path_factory, tmp_path, "frameid_loud.mp4", "make an 18 second highlight")
    shown = frame_ids(file.path)
    assert shown == [frame for begin_s in (6, 18, 30) for frame in range(begin_s * FPS, (begin_s + WINDOW_S) * FPS)]
    assert shown == named(made)
    assert abs(len(shown) - 18 * FPS) <= 1


@pytest.mark.parametrize(("name", "size"), [("8k.mp4", (1920, 1080)), ("clip.ts", (320, 180))])
async def test_large_and_streamed_sources_are_taken(
    tmp_path_factory: Factory, tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    what = {"t": [{"tt": 0, "sg": pieces(name, (0, 100))}]}
    file = await rendered(tmp_path_factory, tmp_path, what, name, quality="draft")
    assert (file.width, file.height) == size
    assert stream_seconds(file.path, "v") == pytest.approx(0.1, abs=0.001)


async def test_a_render_that_is_called_off_is_gone_within_six_seconds(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    one: Source = await source(tmp_path_factory, "pauses.mp4")
    what = draft((0, pieces("pauses.mp4", (0, 12_000))), width=1920, height=1080)
    before, begun = children(), asyncio.Event()
    work = render(what, {one.asset.url: one}, Output(quality="best"), str(tmp_path / "job"), lambda _: begun.set())
    task = asyncio.create_task(work)
    await asyncio.wait_for(begun.wait(), 30)
    assert children() != before
    called_off_s = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - called_off_s < 6
    assert children() == before
    assert [name for name in os.listdir(tmp_path / "job") if name.startswith("out.")] == []
