"""Several clips in one session: which one a message is about, and what it may use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import understand
from nemo_watch.sandbox.intent.alone import Alone, is_chinese, only_on
from nemo_watch.sandbox.plan import edit
from nemo_watch.sandbox.threads import Task, at_hand, task_of


def asset(name: str, kind: Any = "video", key: str = "") -> Asset:
    url = f"u/{key or name}"
    duration = 0 if kind in ("image", "subtitle") else 10_000
    return Asset(url, url, name, kind, duration, 320, 180, 30.0, has_audio=True, hdr=False, size_bytes=1)


def prefixed(name: str, text: str) -> str:
    return f'Work only on the file "{name}": {text}'


NAMES = (
    "a.mp4",
    "a.mp4.mp4",
    "a b.mp4",
    "a b",
    "cut.mp4",
    "remove music.mp4",
    "秋天的片子.mp4",
    "he said 'hi'.mp4",
    "odd': name.mp4",
    "It's 100% {new}: [v2].mp4",
    "undo",
    "ＦＵＬＬ.mp4",
    "Übung.mp4",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["cut the pauses", 'add a title "x": y', "剪掉停顿", "two\nlines", ""])
def test_the_name_is_read_off_and_the_rest_is_whole(name: str, text: str) -> None:
    assert only_on(prefixed(name, text), NAMES) == Alone(name, name, text)


@pytest.mark.parametrize(
    ("written", "uploaded"),
    [
        ("he said %22hi%22.mp4", "he said %22hi%22.mp4"),  # as forms write a quote
        ("A.MP4", "a.mp4"),
        ("U\u0308bung.mp4", "\u00dcbung.mp4"),
        ("x" * 300 + ".mp4", ("x" * 300 + ".mp4")[-200:]),
        ("tab\there.mp4", "tabhere.mp4"),
    ],
)
def test_a_name_is_known_as_the_upload_came_to_be_called(written: str, uploaded: str) -> None:
    assert only_on(prefixed(written, "go"), ["other.mp4", uploaded]) == Alone(written, uploaded, "go")


@pytest.mark.parametrize("text", ["Work only on the intro", 'Work only on the file "a.mp4" please', "cut", ""])
def test_another_message_names_nothing(text: str) -> None:
    assert only_on(text, ["a.mp4"]) is None


def test_an_unknown_name_is_told() -> None:
    assert only_on(prefixed("b.mp4", 'say "x": y'), ["a.mp4"]) == Alone("b.mp4", "", 'say "x": y')


@pytest.mark.parametrize(
    "text",
    [
        'add the title "Day 1/b.mp4": and trim 1s off the end',
        'add the title "b.mp4": and trim 1s off the end',
        'add the title "x\\b.mp4": go',
        'Work only on the file "b.mp4": go',
    ],
)
def test_the_work_cannot_name_another_clip(text: str) -> None:
    for uploads in (["a.mp4", "b.mp4"], ["b.mp4", "a.mp4"], ["a.mp4", "b.mp4", f"a.mp4%22: {text.partition(':')[0]}"]):
        assert only_on(prefixed("a.mp4", text), uploads) == Alone("a.mp4", "a.mp4", text)
    assert only_on(prefixed("gone.mp4", text), ["b.mp4"]) == Alone("gone.mp4", "", text)


@pytest.mark.parametrize("name", ["Day 1/a.mp4", "x\\a.mp4", 'the "a.mp4', 'say "a.mp4'])
def test_a_name_with_a_folder_or_a_quote_is_no_upload_s(name: str) -> None:
    assert only_on(prefixed(name, "go"), ["a.mp4", name, name.replace('"', "%22")]) == Alone(name, "", "go")


@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=4))
def test_any_message_is_read(text: str, names: list[str]) -> None:
    for message in (text, prefixed(text, text), 'Work only on the file "' + text):
        alone = only_on(message, names)
        assert alone is None or (alone.filename in ("", *names) and message.endswith(alone.text))


def test_the_language_is_that_of_the_words() -> None:
    assert is_chinese('剪掉 "a.mp4" 的停顿')
    assert is_chinese("把 interview.final.mp4 裁成竖屏")
    assert not is_chinese("cut the pauses")
    assert not is_chinese('add a title "秋天的片子"')


A, B, LONGER = asset("a.mp4"), asset("b.mp4"), asset("a.b.mp4")
LOGO, SONG = asset("logo.png", "image"), asset("song.mp3", "audio")
OF_A, OF_LONGER, OF_NOBODY = (asset(name, "subtitle") for name in ("a.srt", "a.b.srt", "words.srt"))
ALL = (A, B, LONGER, LOGO, SONG, OF_A, OF_LONGER, OF_NOBODY)


def task(clip: Asset, base: dict[str, Any] | None = None) -> Task:
    return Task("", clip, base or {}, {})


def test_a_clip_has_its_own_subtitles_and_what_is_no_clip() -> None:
    assert at_hand(task(A), ALL, []) == (A, LOGO, SONG, OF_A, OF_NOBODY)
    assert at_hand(task(B), ALL, []) == (B, LOGO, SONG, OF_NOBODY)
    assert at_hand(task(LONGER), ALL, []) == (LONGER, LOGO, SONG, OF_LONGER, OF_NOBODY)
    assert B in at_hand(task(A), ALL, ["B.mp4"])
    assert B in at_hand(task(A, {"t": [{"tt": 0, "sg": [{"src": B.url}]}]}), ALL, [])


class Session:
    """A session's messages, applied one after the other."""

    def __init__(self, *assets: Asset) -> None:
        self.assets = assets
        self.draft: dict[str, Any] = {}
        self.changes: list[tuple[str, Any, Any]] = []
        self.reply = ""

    def say(self, message: str) -> None:
        about = task_of(message, self.draft, self.changes, self.assets)
        understood = understand(about.text)
        near = at_hand(about, self.assets, [])
        made = edit(about.base, understood.ops, understood.unsupported, near, "en", about.earlier(), about.clip)
        self.reply = made.text
        if made.draft != self.draft:
            self.changes.append((message, self.draft, made.draft))
            self.draft = made.draft

    @property
    def shown(self) -> list[tuple[str, int]]:
        return [(seg["src"], seg["d"]) for track in self.draft["t"] if track["tt"] == 0 for seg in track["sg"]]


def test_each_clip_has_a_timeline_of_its_own() -> None:
    session = Session(A, B)
    session.say(prefixed("a.mp4", "trim to the first 4 seconds"))
    assert session.shown == [(A.url, 4000)]
    session.say(prefixed("b.mp4", "add background music"))
    assert session.shown == [(B.url, 10_000)]
    assert [track["tt"] for track in session.draft["t"]] == [0, 1]
    session.say(prefixed("a.mp4", "add background music"))
    assert session.shown == [(A.url, 4000)]
    session.say("trim to the first 3 seconds")  # goes on from the last clip
    assert session.shown == [(A.url, 3000)]


def test_undo_goes_back_in_the_clip_s_own_past() -> None:
    session = Session(A, B)
    session.say(prefixed("a.mp4", "trim to the first 4 seconds"))
    session.say(prefixed("b.mp4", "trim to the first 6 seconds"))
    session.say(prefixed("a.mp4", "trim to the first 2 seconds"))
    session.say(prefixed("a.mp4", "undo"))
    assert session.shown == [(A.url, 4000)]
    session.say(prefixed("b.mp4", "undo"))
    assert session.shown == [(B.url, 10_000)]
    session.say(prefixed("a.mp4", "undo"))
    assert session.shown == [(A.url, 10_000)]
    session.say("start over")
    assert session.shown == [(A.url, 10_000)]


def test_a_clip_may_be_a_still_beside_a_logo() -> None:
    still = asset("still.png", "image")
    session = Session(LOGO, A, still)
    session.say(prefixed("still.png", "add background music"))
    assert session.shown == [(still.url, 3000)]


def test_of_two_uploads_of_one_name_the_later_one_is_meant() -> None:
    again = asset("a.mp4", key="again")
    session = Session(A, again)
    session.say(prefixed("a.mp4", "trim a.mp4 to the first 4 seconds"))
    assert session.shown == [(again.url, 4000)]


def test_a_name_says_nothing_of_what_to_do() -> None:
    for name in ("cut the pauses.mp4", "remove music.mp4", "add a title 'x'.mp4", "undo.mp4"):
        session = Session(asset(name), B)
        session.say(prefixed(name, "trim to the first 4 seconds"))
        assert session.shown == [(f"u/{name}", 4000)]
        assert [track["tt"] for track in session.draft["t"]] == [0]
        assert name not in session.reply


def test_a_clip_that_is_uploaded_again_begins_anew() -> None:
    session = Session(A, B)
    session.say(prefixed("a.mp4", "trim to the first 4 seconds"))
    session.say(prefixed("b.mp4", "trim to the first 6 seconds"))
    again = asset("a.mp4", key="again")
    session.assets = (A, B, again)
    session.say(prefixed("b.mp4", "trim to the first 5 seconds"))
    session.say(prefixed("a.mp4", "add background music"))
    assert session.shown == [(again.url, 10_000)]
    session.say(prefixed("a.mp4", "trim to the first 3 seconds"))
    assert session.shown == [(again.url, 3000)]
    session.say(prefixed("a.mp4", "undo"))
    assert session.shown == [(again.url, 10_000)]
    session.say(prefixed("a.mp4", "undo"))
    session.say(prefixed("a.mp4", "undo"))
    assert A.url not in [url for url, _ in session.shown]
    session.say(prefixed("b.mp4", "undo"))
    assert session.shown == [(B.url, 6000)]


def test_an_undo_does_not_bring_back_the_upload_before() -> None:
    session = Session(A, B)
    session.say(prefixed("a.mp4", "trim to the first 4 seconds"))
    session.assets = (A, B, asset("a.mp4", key="again"))
    session.say(prefixed("a.mp4", "undo"))
    assert session.draft == {}
