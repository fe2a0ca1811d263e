"""A card on the timeline: the words of a message on a background that was made for it, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent.generating import Card
from nemo_watch.sandbox.plan import effects, say, sound
from nemo_watch.sandbox.plan.board import Board, Json
from nemo_watch.sandbox.plan.edit import Edit
from nemo_watch.sandbox.plan.work import Work

_FADE_MS = 400


def bare(background: Asset) -> Json:
    """Give a draft with nothing but the background on it: the first of the two stages.

    Source: contract.md 6.8.
    """
    board = Board({}, (background,), background)
    board.start_over((background,))
    return board.draft


def lay_out(card: Card, background: Asset, assets: Sequence[Asset], language: str) -> Edit:
    """Put a card's lines, one after the other, its music and its fades over the background."""
    work = Work(Board(bare(background), assets, background), say.language_of(language))
    board = work.board
    total = board.duration_ms
    for number, line in enumerate(card.lines):
        start, end = (round(total * at / len(card.lines)) for at in (number, number + 1))
        board.title(_title(line, start, end - start))
        work.used("add_title")
    if card.lines:
        board.draft["m"]["title"] = card.lines[0][:100]
    work.tell("card", total=work.s(total), w=card.w, h=card.h, text=" / ".join(card.lines)[:300])
    if card.wished_ms and card.wished_ms != card.length_ms:
        work.tell("card_length", wished=work.s(card.wished_ms), total=work.s(card.length_ms))
    if card.left_out:
        work.tell("card_left_out", count=card.left_out)
    if card.music is not None:
        sound.music(work, card.music)
    if card.fade is not None:
        effects.fade(work, card.fade)
    work.used("place_media")
    return Edit(board.draft, " ".join(work.said), tuple(work.tools))


def _title(line: str, start: int, length: int) -> Json:
    size = 116 if len(line) <= 24 else 88 if len(line) <= 50 else 64
    fade = {"ty": "fade", "d": min(_FADE_MS, length // 4)}
    style = {"ff": "DejaVu Sans", "fs": size, "c": "#FFFFFF", "b": True, "al": "center", "px": 0.5, "py": 0.5}
    shown = {"id": "", "s": start, "d": length, "tx": line, "ts": {**style, "sk": "#000000", "sw": 3, "sh": True}}
    return {**shown, "an": {"in": fade, "out": dict(fade)}, "m": {"name": line[:40]}}
