"""Texts that only ask, texts that a video is made from, and what is said of what was taken out. Pure."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.model import Export, Routed
from nemo_watch.routing import Asked, asked, generation, taken_out


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        ("credits", ("credits",)),
        ("Credits?", ("credits",)),
        ("balance", ("credits",)),
        ("how many credits do I have left?", ("credits",)),
        ("I’d like to know my credit balance", ("credits",)),
        ("Hi, could you please tell me how many credits are left? Thanks!", ("credits",)),
        ("积分", ("credits",)),
        ("余额", ("credits",)),
        ("你好，请问还剩多少积分？谢谢", ("credits",)),
        ("status", ("status",)),
        ("STATUS!!!", ("status",)),
        ("what's the status?", ("status",)),
        ("export status", ("status",)),
        ("is it done yet?", ("status",)),
        ("状态", ("status",)),
        ("现在什么样了", ("status",)),
        ("show tracks", ("tracks",)),
        ("show timeline", ("tracks",)),
        ("show me the timeline, please 🙏", ("tracks",)),
        ("what's in it", ("tracks",)),
        ("显示轨道", ("tracks",)),
        # several, in their order
        ("credits and status", ("credits", "status")),
        ("status\ncredits\nshow tracks\n", ("status", "credits", "tracks")),
        ("余额和状态", ("credits", "status")),
        ("How is it going? And how much is left?", ("status", "credits")),
        # as it was copied
        ('"credits"', ("credits",)),
        ("# credits", ("credits",)),
        ("“积分”", ("credits",)),
        # anything else
        ("", ()),
        ("?", ()),
        ("hello", ()),
        ("thanks", ()),
        ("export", ()),
        ("upload", ()),
        ("download the status", ()),
        ("cut the pauses", ()),
        ("cut the pauses and show credits", ()),
        ("status bar", ()),
        ("end credits", ()),
        ("add credits", ()),
        ("balance the audio", ()),
        ("export settings tutorial", ()),
        ("状态栏", ()),
        ("剪掉停顿，查询积分", ()),
    ],
)
def test_what_a_text_asks_for(text: str, questions: tuple[Asked, ...]) -> None:
    assert asked(text) == questions


@given(st.text(max_size=80))
def test_any_text_asks_for_something_or_not(text: str) -> None:
    found = asked(text)
    assert len(found) == len(set(found)) <= 3


def test_a_hostile_question_costs_little_time() -> None:
    started_s = time.process_time()
    asked("credits, " * 7_000)
    asked('"' * 60_000)
    assert time.process_time() - started_s < 3


@pytest.mark.parametrize(
    ("text", "exports", "note"),
    [
        ("A sunrise over the sea, 10 seconds", (Export(),), ""),
        ("  a cat\n---\na dog, export in 720p\n", (Export(resolution="720p"),), ""),
        ("a cat, export in 720p and 1080p", (Export(resolution="720p"), Export(resolution="1080p")), ""),
        ("a cat in 4K", (Export(resolution="1080p"),), "4K"),
        ("生成视频：一只猫，导出为MOV", (Export("mov"),), ""),
        ("make a video about export settings and credits", (Export(),), ""),
        ("export", (Export(),), ""),
        ("a clip that says “export in 720p”", (Export(),), ""),
    ],
)
def test_a_text_to_make_a_video_from_is_sent_whole(text: str, exports: tuple[Export, ...], note: str) -> None:
    routed = generation(text)
    assert routed == Routed((text,), exports, (), routed.notes)
    assert bool(routed.notes) == bool(note)
    assert note in " ".join(routed.notes)


def test_what_is_taken_out_is_told_with_its_reason() -> None:
    told = taken_out(["cut the pauses, export in 720p, please", "show credits", "show tracks"])
    assert [text for text, _why in told] == ["export in 720p", "please", "show credits", "show tracks"]
    reasons = ("export", "courtesy", "credits", "status")
    assert all(word in why for (_text, why), word in zip(told, reasons, strict=True))
    assert taken_out(["edit it and export"])[-1] == ("edit it", "It names no edit beside the export.")
    assert taken_out(["edit it", "cut the pauses"]) == ()
