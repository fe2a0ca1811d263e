"""One real folder with every way to give work in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch import media
from nemo_watch.intake import InboxRules, Intake
from nemo_watch.sidecar import facts
from nemo_watch.watcher.rehearsal import rehearse
from tests.integration.watching import QUICK, mp4, watching

RULES = replace(QUICK, batch_quiet_s=1.0)


def lay_out(root: Path) -> None:
    (root / "trip" / "day").mkdir(parents=True)
    for rel in ("trip/a.mp4", "trip/day/b.mp4", "clip.mp4"):
        (root / rel).write_bytes(mp4())
    (root / "trip" / "project.toml").write_text(
        '[[clip]]\nfile = "a.mp4"\nprompt = "cut"\n[[clip]]\nfile = "day/b.mp4"\nprompt = "cut"\n'
        '[[clip]]\nfile = "gone.mp4"\nprompt = "cut"\n'
    )
    (root / "film.toml").write_text('url = "https://example.org/film.mp4"\nprompt = "cut"\n')
    (root / "credits.ask.txt").write_text("credits")
    (root / "old.refine.txt").write_text("louder")
    (root / "cat.prompt.txt").write_text("a cat")


KINDS = {
    "clip.mp4": "edit",
    "film.toml": "url",
    "credits.ask.txt": "ask",
    "old.refine.txt": "refine",
    "cat.prompt.txt": "generate",
    "trip/project.toml": "batch",
}


async def test_every_way_to_give_work_is_one_drop(tmp_path: Path) -> None:
    async with watching(tmp_path, RULES) as w:
        lay_out(tmp_path)
        await w.until(lambda: len(w.drops) == len(KINDS))
        await w.idle()
        assert {drop.clip.rel: drop.kind for drop in w.drops} == KINDS
        (batch,) = (drop for drop in w.drops if drop.kind == "batch")
        told = {part.clip.rel: part.refusal.code if part.refusal else "" for part in batch.parts}
        assert told == {"trip/a.mp4": "", "trip/day/b.mp4": "", "trip/gone.mp4": "asset_missing"}
        w.watcher.forget("trip/a.mp4")
        await w.until(lambda: len(w.drops) == len(KINDS) + 1)
        assert [part.clip.rel for part in w.drops[-1].parts] == ["trip/a.mp4"]


async def test_a_batch_that_was_not_taken_comes_again_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nemo_watch.watcher.handing.AGAIN_S", 0.2)
    async with watching(tmp_path, RULES) as w:
        w.fail = 1
        (tmp_path / "a.mp4").write_bytes(mp4())
        (tmp_path / "project.toml").write_text('[[clip]]\nfile = "a.mp4"\nprompt = "cut"\n')
        await w.until(lambda: len(w.drops) == 1)
        await w.idle()
        assert [part.clip.rel for drop in w.drops for part in drop.parts] == ["a.mp4"]


@pytest.mark.parametrize("about", ["", "trip/a.mp4", "trip/project.toml"])
def test_the_rehearsal_comes_to_the_same_end(tmp_path: Path, about: str) -> None:
    lay_out(tmp_path)
    intake = Intake(InboxRules("videos", instruction="cut"))
    seen = rehearse(str(tmp_path), intake, sniff=media.sniff, facts_of=facts, about=about)
    assert seen.drops["trip/project.toml"].kind == "batch"
    assert set(seen.parts) == {"trip/a.mp4", "trip/day/b.mp4", "trip/gone.mp4"}
    assert seen.after_s["trip/a.mp4"] == 600.0
    if not about:
        assert {rel: drop.kind for rel, drop in seen.drops.items()} == KINDS
        wanted = {"clip.mp4", "film.toml", "old.refine.txt", "cat.prompt.txt", "trip/a.mp4", "trip/day/b.mp4"}
        assert seen.expected == wanted
