"""Any bytes as media, without a child process: the look at a dropped file's beginning and end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.media import box_duration_ms, sniff
from tests.mangling import bounded, mangled_bytes
from tests.media_fixtures import clip

CLIPS = ("faststart.mp4", "clip.mov", "clip.avi", "clip.webm", "clip.mkv", "tone.mp3", "tone.wav", "tone.m4a")
MORE = ("tone.aac", "cover.mp3", "still.png", "still.jpg", "still.gif", "still.webp", "moving.gif")


@pytest.mark.parametrize("name", [*CLIPS, *MORE])
@settings(max_examples=25)
@given(data=st.data())
def test_any_file_is_judged_in_a_few_reads(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    content = Path(clip(tmp_path_factory, name)).read_bytes()
    # The ends are where containers keep what a look reads.
    head, tail = content[: 1 << 16], content[-2000:]
    bad = data.draw(mangled_bytes(head)) + data.draw(st.just(tail) | mangled_bytes(tail))
    fd = os.memfd_create("clip")
    try:
        os.write(fd, bad)
        with bounded(cpu_s=2):
            for size in (len(bad), 1 << 40):
                seen = sniff(fd, size, name)
                assert seen.verdict in ("whole", "incomplete", "unchecked", "not_media", "empty")
                assert seen.sentence.endswith(".")
                assert box_duration_ms(fd, size) >= 0
    finally:
        os.close(fd)
