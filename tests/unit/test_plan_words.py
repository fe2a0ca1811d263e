"""`plan` says how an instruction was understood: what is sent, what is not and why, what is exported. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nemo_watch import routing
from nemo_watch.cli.fates import Fate
from nemo_watch.cli.plan import _row, fate_words
from nemo_watch.model import Work, WorkKind

EXPORT = "exports mp4 as edited high"


def fate(text: str, kind: WorkKind = "edit", **more: Any) -> Fate:
    """A fate as it comes of a text."""
    routed = routing.generation(text) if kind == "generate" else routing.route(text.split("\n---\n"), ())
    messages = routed.messages or (routing.PLACE_MESSAGE,)
    work = Work(messages, routed.exports, "en", "", "t", "keep", instruction=text, kind=kind, **more)
    left_out = () if kind == "generate" else routing.taken_out(text.split("\n---\n"))
    said = Fate("videos", "b/one.mp4", "edit", "why", messages=messages, exports=routed.exports, notes=routed.notes)
    return replace(said, work=work, left_out=left_out)


ONLY_EXPORT = "it only asks for an export, which is made without the chat"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (fate("cut the pauses"), f'why: sends "cut the pauses"; {EXPORT}'),
        (
            fate("cut the pauses\n---\nadd music, show my credits, export in 4K"),
            (
                'why: sends "cut the pauses"; "add music"; does not send "show my credits": it only asks for credits, '
                f'which are answered without the chat; does not send "export in 4K": {ONLY_EXPORT}; exports mp4 1080p '
                "high; 4K was asked for; 1080p is the most that can be exported.; The question about credits is "
                "answered by the report's account_credits."
            ),
        ),
        (
            fate("export as mp4 and mov"),
            (
                f'why: sends "{routing.PLACE_MESSAGE}"; that message is needed as there is nothing to export before '
                f'the clip is on the timeline; does not send "export as mp4": {ONLY_EXPORT}; does not send "mov": '
                f"{ONLY_EXPORT}; exports mp4 as edited high, mov as edited high"
            ),
        ),
        (fate("make it warm", "refine", version=2), f'why: sends "make it warm"; {EXPORT}'),
        (
            fate("a sunrise, export in 720p", "generate"),
            'why: sends "a sunrise, export in 720p"; exports mp4 720p high',
        ),
        (
            fate("cut it", "url", url="https://example.org/a.mp4"),
            f'why: uploads https://example.org/a.mp4 and sends "cut it"; {EXPORT}',
        ),
        (
            fate("cut it", "batch", upload_name="one-2.mp4"),
            f'why: sends "Work only on the file "one-2.mp4": cut it"; {EXPORT}',
        ),
        (fate("cut it", "batch"), f'why: sends "Work only on the file "one.mp4": cut it"; {EXPORT}'),
        (fate("Credits? And show tracks.", "ask"), "why: answers credits and tracks without an edit"),
    ],
)
def test_how_a_text_was_understood(said: Fate, words: str) -> None:
    told = fate_words(replace(said, notes=()) if said.work and said.work.kind == "ask" else said)
    assert told == words


def test_programs_are_told_all_of_it() -> None:
    row = _row(fate("cut it, export", "batch", upload_name="one.mp4"))
    assert row["kind"] == "batch"
    assert row["messages"] == ['Work only on the file "one.mp4": cut it']
    assert row["left_out"] == [{"text": "export", "why": f"{ONLY_EXPORT[0].upper()}{ONLY_EXPORT[1:]}."}]
    asks = _row(fate("积分和状态", "ask"))
    assert (asks["messages"], asks["answers"]) == ([], ["credits", "status"])
    assert _row(fate("cut it", "url", url="https://me:hunter2@example.org/a?k=1"))["url"] == "https://example.org/a"
    assert _row(Fate("videos", "a.mp4", "wait", "why"))["kind"] is None
