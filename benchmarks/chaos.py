"""Nothing paid twice, nothing lost, under kill -9 and a backend that misbehaves: `python -m benchmarks.chaos`.

Touches: a temporary folder, child processes, loopback. Beside the daemon a careful shell script of curl calls is killed
as often, at a backend of its own with the same faults. Needs curl and about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks import chaos_daemon, chaos_script
from benchmarks.chaos_books import Books, Figures, as_json, judge_script, judged, read
from benchmarks.chaos_world import Plan, backend, make_clips
from benchmarks.gauges import verdict


@dataclass(frozen=True, slots=True)
class DaemonRun:
    """What became of the daemon's run: the figures, the steps that the kills hit, what was put back by hand."""

    figures: Figures
    books: Books
    hit: Counter[str]
    put_back: int


def run_daemon(root: Path, plan: Plan) -> DaemonRun:
    """Run the daemon through kills and faults, and judge what came of it. Raises: TimeoutError if it never ends."""
    clips = make_clips(root / "clips", plan.jobs)
    with backend(root / "backend", plan) as other_side:
        folders, hit, seconds = chaos_daemon.run(root / "place", other_side, clips, plan)
        books = read(other_side.store)
        looks_s = chaos_daemon.looks_s()
        figures = judged(folders, books, clips, kills=plan.kills, seconds=seconds, looks_s=looks_s)
    return DaemonRun(figures, books, hit, folders.put_back)


def run_script(root: Path, plan: Plan) -> Figures:
    """Run the script through as many kills and the same faults, and judge what came of it."""
    clips = make_clips(root / "clips", plan.jobs)
    with backend(root / "backend", plan) as other_side:
        seconds = chaos_script.run(root / "place", other_side, clips, plan)
        books = read(other_side.store)
        return asyncio.run(judge_script(root / "place", books, clips, kills=plan.kills, seconds=seconds))


LINES = (
    ("kills -9", "kills"),
    ("accepted edits per (job, step), the most", "accepted_max"),
    ("edits accepted", "edits"),
    ("edits accepted once more than needed", "edits_twice"),
    ("delivered", "delivered"),
    ("edit_no_effect", "no_effect"),
    ("  of these accepted by the backend after all", "no_effect_accepted"),
    ("  of these hidden by the faults for longer than the looks", "no_effect_hidden"),
    ("renders repeated without a reason", "renders_repeated"),
    ("jobs lost", "lost"),
    ("results wrong or broken", "wrong"),
    ("extra copies in outbox, rejects and archive", "copies"),
    ("originals lost", "originals_lost"),
    ("credits spent", "credits_spent"),
    ("credits needed", "credits_needed"),
    ("minutes", "minutes"),
)


def side_by_side(*columns: tuple[str, Figures]) -> None:
    """Print the figures as a table for people, and as a line of JSON for each column."""
    width = max(len(words) for words, _name in LINES)
    print(" " * width + "".join(f"{name:>16}" for name, _figures in columns))
    for words, name in LINES:
        values = [getattr(figures, name) for _name, figures in columns]
        cells = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in values]
        print(words.ljust(width) + "".join(f"{cell:>16}" for cell in cells))
    for words, ratio in (("edits accepted / needed", "edits_ratio"), ("credits spent / needed", "credits_ratio")):
        print(words.ljust(width) + "".join(f"{getattr(figures, ratio):>16.2f}" for _name, figures in columns))
    for name, figures in columns:
        print(as_json(name, figures))


def targets(figures: Figures) -> list[tuple[str, bool]]:
    """Word what must hold for the daemon, each with its figure."""
    ended = figures.delivered + figures.no_effect
    ratio = figures.credits_ratio
    return [
        (f"accepted edits per (job, step) at most {figures.accepted_max}, to be 1", figures.accepted_max == 1),
        (
            f"{figures.delivered} delivered + {figures.no_effect} edit_no_effect = {ended} of {figures.jobs} jobs",
            ended == figures.jobs,
        ),
        (
            f"{figures.no_effect_accepted} edit_no_effect whose edit the looks could have found, to be 0",
            figures.no_effect_accepted == 0,
        ),
        (f"{figures.renders_repeated} renders repeated without a reason, to be 0", figures.renders_repeated == 0),
        (f"{figures.lost} jobs lost, to be 0", figures.lost == 0),
        (f"{figures.wrong} results wrong or broken, to be 0", figures.wrong == 0),
        (f"{figures.copies} extra copies, to be 0", figures.copies == 0),
        (f"{figures.originals_lost} originals lost, to be 0", figures.originals_lost == 0),
        (f"credits spent / needed {ratio:.2f}, to be 1.00", ratio == 1.0),
        (f"edits accepted / needed {figures.edits_ratio:.2f}, to be 1.00", figures.edits_ratio == 1.0),
    ]


def main(argv: list[str] | None = None) -> int:
    """Run both, print both; 1 if the daemon missed anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clock", type=float, default=20.0, help="how many of the backend's seconds pass in one")
    parser.add_argument("--keep", metavar="DIR", help="work in this folder and leave everything there")
    asked = parser.parse_args(argv)
    plan = Plan(jobs=asked.jobs, kills=asked.kills, seed=asked.seed, clock=asked.clock)
    with tempfile.TemporaryDirectory(prefix="nemo-watch-chaos-") as temporary:
        root = Path(asked.keep or temporary)
        daemon = run_daemon(root / "daemon", plan)
        print("the kills hit (jobs at work in that moment):", dict(daemon.hit.most_common()))
        print("faults played:", dict(sorted(daemon.books.faults.items())))
        print("rejects put back by hand for one more export, free:", daemon.put_back, flush=True)
        side_by_side(("nemo-watch", daemon.figures), ("curl script", run_script(root / "script", plan)))
        return verdict(*targets(daemon.figures))


if __name__ == "__main__":
    sys.exit(main())
