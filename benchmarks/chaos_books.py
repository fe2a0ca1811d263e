"""What a chaos run came to, read from the backend's own records and from the folders, not from what anybody says.

Touches: the folders and databases of the run, reading only; ffmpeg, which opens every result.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos_daemon import Folders
from benchmarks.chaos_world import EDITS
from benchmarks.gauges import until
from nemo_watch.errors import NemoWatchError
from nemo_watch.folders.marker import MARKER_NAME
from nemo_watch.media import verify_video
from nemo_watch.sandbox.records import Records, Render, TurnRow

SESSION_CREDITS = 50
DAMAGED_BEFORE_ANOTHER = 3
"""A finished render whose file came damaged so often may be made once more. Source: product.md 9."""
SPOILS = ("truncate", "corrupt")


@dataclass(slots=True)
class Books:
    """What the backend remembers, by clip: everything that anybody did in a session of that name."""

    turns: dict[str, list[TurnRow]] = field(default_factory=lambda: defaultdict(list))
    renders: dict[str, list[Render]] = field(default_factory=lambda: defaultdict(list))
    contents: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    drafts: dict[str, dict[str, object]] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    spoiled: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    charged: int = 0

    def accepted(self) -> Counter[tuple[str, str]]:
        """Count the accepted messages of each clip and step."""
        return Counter((name, turn.message) for name, turns in self.turns.items() for turn in turns)


def read(store: Path) -> Books:
    """Read the backend's records once it has ended everything that it accepted. Raises: TimeoutError."""
    with Records(store) as records:
        until(lambda: all(turn.state != "running" for turn in records.turns()), "the backend ended its turns")
    books = Books()
    with Records(store) as records:
        named: dict[str, str] = {}
        for request in records.requests():
            fault = request.summary.get("fault")
            if fault:
                books.faults[f"{request.path.split('?')[0].strip('/').split('/')[0]}: {fault}"] += 1
            if fault in SPOILS:
                books.spoiled[request.path] += 1
        for turn in records.turns():
            name = named.get(turn.session_id)
            if name is None:
                session = records.session(turn.session_id)
                name = named[turn.session_id] = session.task_name if session is not None else ""
                books.drafts[turn.session_id] = session.draft if session is not None else {}
                books.contents[turn.session_id] = {upload.sha256 for upload in records.uploads(turn.session_id)}
            books.turns[name].append(turn)
        for render in records.renders():
            books.renders[named.get(render.session_id, "")].append(render)
            if render.state == "completed":
                books.results[render.render_id] = _sha256(store / render.path)
        books.charged = sum(entry.amount for entry in records.charges())
    return books


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------- the figures


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one run, in the order in which they are printed."""

    jobs: int
    kills: int
    accepted_max: int
    edits_twice: int
    edits: int
    delivered: int
    no_effect: int
    no_effect_accepted: int
    no_effect_hidden: int
    renders_repeated: int
    lost: int
    wrong: int
    copies: int
    originals_lost: int
    credits_spent: int
    credits_needed: int
    minutes: float

    @property
    def edits_ratio(self) -> float:
        """Accepted edits for each one that was needed."""
        return self.edits / (self.edits - self.edits_twice) if self.edits else 1.0

    @property
    def credits_ratio(self) -> float:
        """Credits spent for each one that was needed."""
        return self.credits_spent / self.credits_needed if self.credits_needed else 1.0


async def judge_daemon(
    folders: Folders, books: Books, clips: list[Path], *, kills: int, seconds: float, looks_ms: float
) -> Figures:
    """Judge the daemon's run."""
    root = folders.root
    accepted = books.accepted()
    states = dict(_states(folders))
    wrong = [clip.stem for clip in clips if await _is_wrong(root / "outbox" / clip.name, clip, books)]
    no_effect = {name: step for name, (state, code, step) in states.items() if code == "edit_no_effect"}
    told = [(name, EDITS[int(step.removeprefix("edit-")) - 1]) for name, step in no_effect.items()]
    taken = [one for one in told if accepted[one]]
    hidden = [(name, message) for name, message in taken if _was_hidden(books.turns[name], message, looks_ms)]
    delivered = [name for name, (state, _code, _step) in states.items() if state == "delivered"]
    expected = [name for name in delivered if (root / "outbox" / f"{name}.mp4").exists()]
    lost = [clip.stem for clip in clips if clip.stem not in expected and clip.stem not in no_effect]
    return Figures(
        jobs=len(clips),
        kills=kills,
        accepted_max=max(accepted.values(), default=0),
        edits_twice=sum(times - 1 for times in accepted.values()),
        edits=accepted.total(),
        delivered=len(expected),
        no_effect=len(no_effect),
        no_effect_accepted=len(taken) - len(hidden),
        no_effect_hidden=len(hidden),
        renders_repeated=sum(_repeated(renders, books) for renders in books.renders.values()),
        lost=len(lost),
        wrong=len(wrong),
        copies=_copies(root, expected, list(no_effect)),
        originals_lost=sum(not _is_kept(root, clip) for clip in clips),
        credits_spent=books.charged,
        credits_needed=SESSION_CREDITS * _clips_edited(books),
        minutes=seconds / 60,
    )


async def judge_script(root: Path, books: Books, clips: list[Path], *, kills: int, seconds: float) -> Figures:
    """Judge the script's run: it has neither rejects nor an archive, so only its results can be wrong or missing."""
    accepted = books.accepted()
    there = [clip for clip in clips if (root / "outbox" / clip.name).exists()]
    wrong = [clip.stem for clip in there if await _is_wrong(root / "outbox" / clip.name, clip, books)]
    return Figures(
        jobs=len(clips),
        kills=kills,
        accepted_max=max(accepted.values(), default=0),
        edits_twice=sum(times - 1 for times in accepted.values()),
        edits=accepted.total(),
        delivered=len(there),
        no_effect=0,
        no_effect_accepted=0,
        no_effect_hidden=0,
        renders_repeated=sum(_repeated(renders, books) for renders in books.renders.values()),
        lost=len(clips) - len(there),
        wrong=len(wrong),
        copies=0,
        originals_lost=0,
        credits_spent=books.charged,
        credits_needed=SESSION_CREDITS * _clips_edited(books),
        minutes=seconds / 60,
    )


def _clips_edited(books: Books) -> int:
    return sum(any(turn.changed_draft for turn in turns) for turns in books.turns.values())


def _states(folders: Folders) -> list[tuple[str, tuple[str, str, str]]]:
    sql = "SELECT rel, state, json_extract(failure, '$.code'), json_extract(failure, '$.step') FROM jobs"
    return [
        (Path(os.fsdecode(rel)).stem, (state, code or "", step or "")) for rel, state, code, step in folders.rows(sql)
    ]


def _was_hidden(turns: list[TurnRow], message: str, looks_ms: float) -> bool:
    """Tell whether an accepted edit showed nothing for as long as the documented looks go on."""
    return any(turn.message == message and turn.ended_ms - turn.accepted_ms > looks_ms for turn in turns)


def _repeated(renders: list[Render], books: Books) -> int:
    """Count the renders under a further id that had no reason: the one before had not failed, its file could be had."""
    repeated = 0
    by_session: dict[str, list[Render]] = defaultdict(list)
    for render in renders:
        by_session[render.session_id].append(render)
    for several in by_session.values():
        for before in several[:-1]:
            damaged = sum(
                times
                for path, times in books.spoiled.items()
                if before.secret in path or f"/{before.render_id}/" in path
            )
            repeated += before.state != "failed" and damaged < DAMAGED_BEFORE_ANOTHER
    return repeated


async def _is_wrong(result: Path, clip: Path, books: Books) -> bool:
    """Tell whether a result is there and is not what was ordered: each edit once, of this clip, whole."""
    if not result.exists():
        return False
    content, sha256 = _sha256(clip), _sha256(result)
    made = [
        render
        for render in books.renders[clip.stem]
        if books.results.get(render.render_id) == sha256
        and books.contents[render.session_id] == {content}
        and render.draft == books.drafts[render.session_id]
    ]
    if not any(_each_once(books.turns[clip.stem], render.session_id) for render in made):
        return True
    try:
        await verify_video(str(result), expected_s=None, expected_bytes=None)
    except NemoWatchError:
        return True
    return False


def _each_once(turns: list[TurnRow], session_id: str) -> bool:
    return [turn.message for turn in turns if turn.session_id == session_id and turn.changed_draft] == [*EDITS]


def _copies(root: Path, delivered: list[str], rejected: list[str]) -> int:
    """Count the files in outbox, rejects and archive that nobody should find there."""
    wanted = {
        "outbox": {f"{name}{suffix}" for name in delivered for suffix in (".mp4", ".report.toml")},
        "archive": {f"{name}{suffix}" for name in delivered for suffix in (".mp4", ".txt")},
        "rejects": {f"{name}{suffix}" for name in rejected for suffix in (".mp4", ".txt", ".mp4.error.toml")},
    }
    return sum(
        len({path.name for path in (root / folder).iterdir()} - {MARKER_NAME} - names)
        for folder, names in wanted.items()
    )


def _is_kept(root: Path, clip: Path) -> bool:
    """Tell whether an original lies in archive or in rejects, once and as it was."""
    places = [path for name in ("archive", "rejects") if (path := root / name / clip.name).exists()]
    return len(places) == 1 and _sha256(places[0]) == _sha256(clip)


def as_json(what: str, figures: Figures) -> str:
    """Write the figures as one line."""
    names = tuple(Figures.__slots__)
    ratios = {"edits_ratio": figures.edits_ratio, "credits_ratio": figures.credits_ratio}
    return json.dumps(
        {"benchmark": "chaos", "what": what, **{name: getattr(figures, name) for name in names}, **ratios}
    )


def judged(folders: Folders, books: Books, clips: list[Path], *, kills: int, seconds: float, looks_s: float) -> Figures:
    """Judge the daemon's run from outside a loop."""
    return asyncio.run(judge_daemon(folders, books, clips, kills=kills, seconds=seconds, looks_ms=looks_s * 1000))
