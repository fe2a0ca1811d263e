"""The timeline in characters: whatever the draft holds, and on any terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nemo_watch import reply
from nemo_watch.cli.timelines import draw
from tests.prepared import DRAFT


def drawn(draft: Any, width: int, *, blocks: bool = True) -> list[str]:
    return draw(reply.tracks_of(draft), reply.total_duration_s(draft) or 0.0, width, blocks=blocks)


def test_tracks_are_bars_over_an_axis_with_their_words_beside_them() -> None:
    axis, video, music, title, captions = drawn(DRAFT, 100)
    assert axis.split() == ["0s", "5s", "10s", "15s"]
    assert video.startswith("Video    █")
    assert "█▓" in video
    assert "▓█" in video, "three pieces, each of another shade than the one before"
    assert video.endswith(" talk ×3")
    assert music.endswith(" Lo-fi, 35 %")
    assert " " not in music.removeprefix("BGM").strip().split(" Lo-fi")[0], "the music has no gap"
    assert title.startswith("Title     "), "it begins after half a second"
    assert title.endswith('"Urban Dreams"')
    assert captions.endswith("6 cues")


def test_on_a_narrow_terminal_the_words_stand_below() -> None:
    lines = drawn(DRAFT, 40)
    assert lines[1].startswith("Video    ████▓▓")
    assert lines[2] == "         talk ×3"
    assert lines[4] == "         Lo-fi, 35 %"


def test_without_block_characters_it_is_plain_ascii() -> None:
    text = "\n".join(drawn(DRAFT, 40, blocks=False)).replace("×", "x")
    assert text.isascii()
    assert "####==" in text


@pytest.mark.parametrize("length_s", [0.05, 0.5, 15.2, 59.0, 700.0, 4000.0, 90000.0, 1e9])
def test_the_axis_has_room_between_its_moments(length_s: float) -> None:
    draft = {"t": [{"tt": 0, "sg": [{"d": length_s * 1000}]}]}
    axis = drawn(draft, 70)[0]
    assert 1 <= len(axis.split()) <= 8
    assert axis.split()[0] in ("0s", "0min")
    assert len(set(axis.split())) == len(axis.split()), "each moment is another one"


KEYS = st.sampled_from(["t", "tt", "sg", "d", "s", "m", "v", "tx", "n"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner),
    max_leaves=30,
)
segments = st.fixed_dictionaries({}, optional={"s": json_values, "d": json_values, "v": json_values, "tx": st.text()})
tracks = st.fixed_dictionaries({"tt": json_values, "sg": st.lists(segments, max_size=4)})
drafts = json_values | st.fixed_dictionaries({"t": st.lists(tracks, max_size=50)}, optional={"d": json_values})


@given(drafts, st.integers(min_value=1, max_value=300), st.booleans())
def test_any_draft_is_drawn_no_wider_than_the_terminal(draft: Any, width: int, blocks: bool) -> None:
    for line in drawn(draft, width, blocks=blocks):
        assert cell_len(line) <= max(20, width)
        assert line.isprintable() or not line
