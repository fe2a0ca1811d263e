"""What is sent to the chat and what is exported, for what people write; two languages, and the traps. Pure."""

from __future__ import annotations

import re
import time
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch import vocabulary
from nemo_watch.model import Export, Routed
from nemo_watch.routing import PLACE_MESSAGE, route

# what was written; what is sent ("=": all of it, word for word); which exports follow
TABLE: list[tuple[str, str | None, tuple[Export, ...]]] = [
    # the skills' own examples
    (
        "cut the pauses, add background music, and export in 1080p",
        "cut the pauses, add background music",
        (Export(resolution="1080p"),),
    ),
    ("cut the pauses, add background music, and export as a 1-minute highlight", "=", (Export(),)),
    ("trim the intro, add captions, and export for YouTube", "trim the intro, add captions", (Export(),)),
    ("extract metadata, generate a summary, and export a trimmed clip via API", "=", (Export(),)),
    (
        "trim silences, add captions, and export a clean MP4 for client delivery",
        "trim silences, add captions",
        (Export(),),
    ),
    # nothing but an export
    ("export", None, (Export(),)),
    ("Export it, please!", None, (Export(),)),
    ("Then export.", None, (Export(),)),
    ("export 1080p MP4", None, (Export(resolution="1080p"),)),
    ("export (720p, mov)", None, (Export("mov", resolution="720p"),)),
    ("download the video", None, (Export(),)),
    ("send me the finished video", None, (Export(),)),
    ("get the video", None, (Export(),)),
    ("please export the final video in high quality as an mp4, thank you", None, (Export(),)),
    ("save as MOV at 24 fps, best quality", None, (Export("mov", "best", "", 24),)),
    ("render the video at 60fps", None, (Export(fps=60),)),
    ("make it 720p", None, (Export(resolution="720p"),)),
    ("export in full HD for the client", None, (Export(resolution="1080p"),)),
    ("export in 1280x720", None, (Export(resolution="720p"),)),
    ("upload", None, (Export(),)),
    ("upload this video", None, (Export(),)),
    # several exports
    ("export in 720p and 1080p", None, (Export(resolution="720p"), Export(resolution="1080p"))),
    (
        "cut the pauses, export mp4 in 1080p and mov in 720p",
        "cut the pauses",
        (Export(resolution="1080p"), Export("mov", resolution="720p")),
    ),
    # an export beside edits
    ("Cut the pauses. Export in 1080p.", "Cut the pauses.", (Export(resolution="1080p"),)),
    ("export in 1080p and cut the pauses", "cut the pauses", (Export(resolution="1080p"),)),
    ("cut pauses, export it, then add music", "cut pauses, then add music", (Export(),)),
    ("cut pauses and add music and export", "cut pauses and add music", (Export(),)),
    ("cut pauses & export", "cut pauses", (Export(),)),
    ("add music -> export as mov", "add music", (Export("mov"),)),
    ("cut the silence; deliver as MP4, draft quality", "cut the silence", (Export(quality="draft"),)),
    ("1. cut pauses\n2. add music\n3. export in 720p", "1. cut pauses\n2. add music", (Export(resolution="720p"),)),
    ("- add captions\n- export", "- add captions", (Export(),)),
    ("Add captions.\n\nExport in 720p.\n\nThanks!", "Add captions.", (Export(resolution="720p"),)),
    ("make it 9:16 for TikTok and export", "make it 9:16 for TikTok", (Export(),)),
    ("fade to black and export", "fade to black", (Export(),)),
    ("fix the white balance, and export", "fix the white balance", (Export(),)),
    ("don't change the colors and export in 1080p", "don't change the colors", (Export(resolution="1080p"),)),
    ("add a subscribe button and export in 1080p", "add a subscribe button", (Export(resolution="1080p"),)),
    # more in the clause than an export
    ("export the last 10 seconds", "=", (Export(),)),
    ("export the audio only", "=", (Export(),)),
    ("export without watermark", "=", (Export(),)),
    ("export a vertical video", "=", (Export(),)),
    ("export in 1080x1920", "=", (Export(resolution="1080p"),)),
    ("add a GIF of a cat, then export", "add a GIF of a cat", (Export(),)),
    ("save the part with the gif", "=", (Export(),)),
    ("export the video and the transcript", "=", (Export(),)),
    ("export in 720p, without the intro", "=", (Export(resolution="720p"),)),
    ("don't export yet", "=", (Export(),)),
    # options in what is sent
    ("speed it up and keep it at 30 fps", "=", (Export(fps=30),)),
    ("crop it square in 720p", "=", (Export(resolution="720p"),)),
    ("reframe it and turn it into a mov", "=", (Export("mov"),)),
    ("remove the logo that is in intro.mov", "=", (Export(),)),
    ("slow the jump down to 120 fps slow motion", "=", (Export(),)),
    ("add a banner for 4k subscribers", "=", (Export(),)),
    ("remove the low quality parts", "=", (Export(),)),
    ("export it without the low quality parts", "=", (Export(),)),
    ("export the last 10 seconds in best quality", "=", (Export(quality="best"),)),
    ("export at resolution 1080", None, (Export(resolution="1080p"),)),
    ("Please edit and export in 720p", None, (Export(resolution="720p"),)),
    ("edit the intro and export in 720p", "edit the intro", (Export(resolution="720p"),)),
    ("edit", "=", (Export(),)),
    ("remove the HD logo", "=", (Export(),)),
    # words that only look like commands
    ("add an export settings screen recording tutorial", "=", (Export(),)),
    ("export settings screen recording tutorial", "=", (Export(),)),
    ("status bar", "=", (Export(),)),
    ("blur the status bar", "=", (Export(),)),
    ("add a download icon to the corner", "=", (Export(),)),
    ("add buttons for upload, download, export and share", "=", (Export(),)),
    ("add a slide about import and export", "=", (Export(),)),
    ("add chapter cards for upload, save, export", "=", (Export(),)),
    ("end with a card asking viewers to subscribe and download", "=", (Export(),)),
    ("add captions (white text, then export)", "=", (Export(),)),
    ("make a tutorial about how to export and download the video", "=", (Export(),)),
    ("cut the part where I download and export the file", "=", (Export(),)),
    ("add a title saying hello, and export", "=", (Export(),)),
    ("add text: upload, download, export", "=", (Export(),)),
    ("add a title, music, credits", "=", (Export(),)),
    ("balance the audio", "=", (Export(),)),
    ("the video", "=", (Export(),)),
    ("thanks", "=", (Export(),)),
    # quotations
    ('add the text "export, in 720p"', "=", (Export(),)),
    ('add "export" and export in 1080p', 'add "export"', (Export(resolution="1080p"),)),
    ("add the title ‘Save, download and export’ on top", "=", (Export(),)),
    ("say 'cut, then export' twice", "=", (Export(),)),
    ('title "never closed, export', "=", (Export(),)),
    # Chinese
    ("导出", None, (Export(),)),
    ("导出1080p的MP4", None, (Export(resolution="1080p"),)),
    ("请把视频导出成720P的MOV格式，谢谢", None, (Export("mov", resolution="720p"),)),
    ("下载成片", None, (Export(),)),
    ("上传", None, (Export(),)),
    ("导出为MOV，30帧", None, (Export("mov", fps=30),)),
    ("最高画质导出，每秒25帧", None, (Export(quality="best", fps=25),)),
    ("剪掉停顿，加背景音乐，导出1080p", "剪掉停顿，加背景音乐", (Export(resolution="1080p"),)),
    ("剪掉停顿并导出", "剪掉停顿", (Export(),)),
    ("剪掉停顿然后导出MP4给客户", "剪掉停顿", (Export(),)),
    ("导出分辨率1080", None, (Export(resolution="1080p"),)),
    ("剪辑并导出720p", None, (Export(resolution="720p"),)),
    ("去掉低画质的部分", "=", (Export(),)),
    ("用最高画质导出前十秒", "=", (Export(quality="best"),)),
    ("先去掉片头，再加字幕，最后导出", "先去掉片头，再加字幕", (Export(),)),
    ("把片头剪掉，发给我", "把片头剪掉", (Export(),)),
    ("加字幕和导出", "加字幕", (Export(),)),
    ("导出720p，然后加字幕", "加字幕", (Export(resolution="720p"),)),
    ("合并导出视频", "=", (Export(),)),
    ("导出视频的最后一个镜头", "=", (Export(),)),
    ("导出视频和字幕", "=", (Export(),)),
    ("导出前十秒", "=", (Export(),)),
    ("不再导出", "=", (Export(),)),
    ("加上导入和导出按钮", "=", (Export(),)),
    ("介绍上传和下载", "=", (Export(),)),
    ("添加文字：导出，下载，上传", "=", (Export(),)),
    ("标题写着“导出1080p”，加音乐", "=", (Export(),)),
    ("加「剪掉，导出」字样，导出", "加「剪掉，导出」字样", (Export(),)),
]


@pytest.mark.parametrize(("text", "sent", "exports"), TABLE, ids=[row[0][:40] for row in TABLE])
def test_what_is_sent_and_what_is_exported(text: str, sent: str | None, exports: tuple[Export, ...]) -> None:
    messages = () if sent is None else (text,) if sent == "=" else (sent,)
    assert route([text], []) == Routed(messages, exports)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("credits", "credits"),
        ("show credits", "credits"),
        ("Credits?", "credits"),
        ("how many credits do I have left?", "credits"),
        ("what's my balance", "credits"),
        ("积分", "credits"),
        ("我还有多少积分？", "credits"),
        ("查询余额", "credits"),
        ("status", "status"),
        ("what's the status?", "status"),
        ("export status", "status"),
        ("show tracks", "status"),
        ("show me the timeline, please", "status"),
        ("状态", "status"),
        ("现在什么样了", "status"),
    ],
)
def test_a_question_is_neither_sent_nor_exported(text: str, question: Literal["credits", "status"]) -> None:
    assert route([text], []) == Routed((), (), (question,))


CREDITS = "The question about credits is answered by the report's account_credits."
STATUS = "The question about the status is answered by `nemo-watch status`."


@pytest.mark.parametrize(
    ("text", "sent", "question", "note"),
    [
        ("cut the pauses and show my credits", ("cut the pauses",), "credits", CREDITS),
        ("How many credits do I have left? Also cut the pauses.", ("cut the pauses.",), "credits", CREDITS),
        ("剪掉停顿，查询积分", ("剪掉停顿",), "credits", CREDITS),
        ("add music, check status, export", ("add music",), "status", STATUS),
        ("export; show credits", (), "credits", CREDITS),
    ],
)
def test_a_question_beside_an_edit_is_taken_out_and_where_the_answer_stands_is_said(
    text: str, sent: tuple[str, ...], question: Literal["credits", "status"], note: str
) -> None:
    assert route([text], []) == Routed(sent, (Export(),), (question,), (note,))


def test_a_word_of_a_film_is_no_question() -> None:
    assert route(["add music, status"], []).questions == ()


@pytest.mark.parametrize(
    ("text", "sent", "words"),
    [
        ("export as a GIF", None, ("GIF", "mp4 instead")),
        ("export webm", None, ("WEBM", "mp4 instead")),
        ("导出gif", None, ("GIF", "mp4 instead")),
        ("cut the pauses, export as webm", "cut the pauses", ("WEBM", "mp4 instead")),
        ("export the last 10 seconds as a GIF", "=", ("GIF", "mp4 instead")),
        ("export in 800p", None, ("800p", "as edited")),
        ("crop it square in 800p", "=", ("800p", "as edited")),
        ("export at 29.97 fps", None, ("29.97", "as edited")),
        ("每秒29.97帧导出", None, ("29.97", "as edited")),
        ("export in HD", None, ("HD", "as edited")),
        ("make it HD", None, ("HD", "as edited")),
        ("导出高清视频", None, ("高清", "as edited")),
    ],
)
def test_what_is_not_offered_is_said_with_what_is_made(text: str, sent: str | None, words: tuple[str, ...]) -> None:
    messages = () if sent is None else (text,) if sent == "=" else (sent,)
    routed = route([text], [])
    assert (routed.messages, routed.exports) == (messages, (Export(),))
    assert len(routed.notes) == 1
    assert all(word in routed.notes[0] for word in words)


@pytest.mark.parametrize(
    "text",
    ["remove the logo.gif in the corner", "add a cat GIF", "cut the 800p clip", "export in full HD", "导出全高清"],
)
def test_what_is_only_spoken_of_leaves_no_note(text: str) -> None:
    assert route([text], []).notes == ()


def test_the_format_that_is_made_instead_is_the_one_that_was_written_out() -> None:
    assert "made as mov instead" in route(["export as webm"], [Export("mov")]).notes[0]


@pytest.mark.parametrize("text", ["export in 4K", "导出4K视频", "export 2160p", "export in UHD", "export at 2560x1440"])
def test_above_1080_is_exported_at_1080_and_said(text: str) -> None:
    routed = route([text], [])
    assert routed.messages == ()
    assert routed.exports == (Export(resolution="1080p"),)
    assert "1080p is the most" in routed.notes[0]


def test_more_frames_than_can_be_are_said() -> None:
    routed = route(["export at 120 fps"], [])
    assert routed.exports == (Export(fps=60),)
    assert "120" in routed.notes[0]


def test_nothing_is_uploaded_elsewhere_and_that_is_said() -> None:
    routed = route(["cut the pauses and upload it to YouTube"], [])
    assert routed.messages == ("cut the pauses",)
    assert "Nothing is uploaded to YouTube" in routed.notes[0]
    assert route(["export for YouTube"], []).notes == ()


def test_each_step_is_routed_and_options_are_gathered() -> None:
    routed = route(["cut the pauses", "export as mov", "add music in 720p"], [])
    assert routed == Routed(("cut the pauses", "add music in 720p"), (Export("mov", resolution="720p"),))


def test_written_exports_count_and_words_fill_what_they_leave_open() -> None:
    written = [Export("mov", name="a", resolution="720p"), Export(quality="draft", name="b")]
    assert route(["cut the pauses, export mp4 in 1080p at 24 fps"], written) == Routed(
        ("cut the pauses",),
        (Export("mov", "high", "720p", 24, "a"), Export("mp4", "draft", "1080p", 24, "b")),
    )
    assert route([], written).exports == tuple(written)
    assert route([], []) == Routed((), (Export(),))


def test_the_message_for_an_export_alone_is_itself_sent() -> None:
    assert route([PLACE_MESSAGE], []).messages == (PLACE_MESSAGE,)


_PARTS = """
export exports download save in 1080p 720p mp4 mov and then , . ; : ! 4K the a to please credits my status show for
YouTube high quality cut trim add zorp flimp say about where " ' ( ) “ ” - 1. & -> 24 fps without upload thanks
导出 剪掉 并 再 和 ， 。 停顿 视频 的 积分 然后 请
"""
_WORDS = st.sampled_from([*_PARTS.split(), "\n"])
_TEXTS = st.lists(_WORDS, max_size=14).flatmap(
    lambda parts: st.sampled_from([" ", ""]).map(lambda blank: blank.join(parts))
)


@settings(max_examples=400)
@given(st.lists(_TEXTS, max_size=3))
def test_routing_its_own_output_changes_nothing(steps: list[str]) -> None:
    routed = route(steps, [])
    again = route(routed.messages, routed.exports)
    assert again.messages == routed.messages
    if routed.exports:
        assert again.exports == routed.exports


@settings(max_examples=400)
@given(st.lists(_WORDS, max_size=14))
def test_no_word_outside_the_vocabulary_is_lost(parts: list[str]) -> None:
    foreign = ("cut", "trim", "add", "zorp", "flimp", "say", "about", "where", "without", "剪掉", "停顿")
    text = " ".join(parts)
    found = re.compile("|".join(foreign)).findall
    assert all(vocabulary.cover(word) is None for word in foreign)
    assert found("\n".join(route([text], []).messages)) == found(text)


@settings(max_examples=300)
@given(st.text(max_size=120))
def test_any_text_that_is_not_an_api_call_is_sent_word_for_word(text: str) -> None:
    sent = route([text], []).messages
    if vocabulary.API_WORD.search(text) is None and len(sent) == 1:
        assert sent[0] in text


@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * 60_000 + "b",
        "\n" * 60_000 + "x",
        "export, " * 7_000 + "x",
        "a, \n" * 15_000,
        "(" * 60_000,
        "zorp hd 29.97 fps 800p " * 3_000,
    ],
)
def test_a_hostile_text_costs_little_time(text: str) -> None:
    started_s = time.process_time()
    route([text], [])
    assert time.process_time() - started_s < 3
