"""A prepared place: a ledger with jobs of every kind and state, as the daemon would have left them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nemo_watch import reply
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.rows import pack_stamp
from nemo_watch.model import Export, Failure, FileRef, FileStamp, Job, Json, Work
from nemo_watch.statefolder import LEDGER_NAME

DRAFT: Json = {
    "d": 15200,
    "t": [
        {
            "tt": 0,
            "sg": [
                {"s": 0, "d": 2200, "src": "https://cdn.example.com/talk.mp4", "m": {"name": "talk"}},
                {"s": 2200, "d": 6800, "src": "https://cdn.example.com/talk.mp4", "m": {"name": "talk"}},
                {"s": 9000, "d": 6200, "src": "https://cdn.example.com/talk.mp4", "m": {"name": "talk"}},
            ],
        },
        {"tt": 1, "sg": [{"s": 0, "d": 15200, "v": 0.35, "m": {"name": "Lo-fi"}}]},
        {"tt": 7, "sg": [{"s": 500, "d": 3000, "tx": "Urban Dreams"}]},
        {"tt": 7, "m": {"name": "captions"}, "sg": [{"s": n * 2500, "d": 1900, "tx": f"line {n}"} for n in range(6)]},
    ],
}
"""A picture of three pieces, music, a title and captions."""


class Prepared:
    """The folders of one inbox below a root, its config, and its ledger."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("inbox", "outbox", "rejects", "archive", "state"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.config = root / "config.toml"
        self.config.write_text(
            f'[backend]\nurl = "sandbox"\n[state]\npath = "{root}/state"\n'
            f'[[inbox]]\nname = "videos"\npath = "{root}/inbox"\ninstruction = "cut the pauses"\n'
        )

    def work(self, **changes: Any) -> Work:
        base = Work(
            messages=("cut the pauses", "add music"),
            exports=(Export(), Export("mp4", "high", "720p", name="small")),
            language="en",
            skill="ai-video-pro-online",
            title="talk",
            originals="archive",
            instruction="cut the pauses\n---\nadd music",
            source="sidecar",
            backend="sandbox",
        )
        return replace(base, **changes)

    def job(self, number: int, rel: str, **changes: Any) -> Job:
        job_id = f"{number:x}" * 16 + "-1"
        at = datetime.now(UTC) - timedelta(minutes=number)
        return replace(
            Job(
                job_id=job_id,
                edit_id=job_id[:-2],
                inbox="videos",
                clip=FileRef(rel, FileStamp(number, 1000 * number, number)),
                sha256="ab" * 32,
                work=self.work(),
                state="ready",
                priority=0,
                created_at=at,
                updated_at=at,
            ),
            **changes,
        )

    async def fill(self) -> None:
        """Write the jobs, the steps of the one that was delivered, and what the daemon said when it ended."""
        ledger = Ledger(str(self.root / "state" / LEDGER_NAME))
        soon = datetime.now(UTC) + timedelta(minutes=12)
        failure = Failure(
            "edit_no_effect",
            "The answer to the message was lost, and the session shows no change.",
            "Look at the session with nemo-watch show JOB --link, then nemo-watch retry JOB --from edit.",
            "unknown",
            "edit-1",
        )
        first = "1" * 16 + "-1"
        jobs = [
            self.job(1, "talk.mp4", state="delivered"),
            self.job(2, "talk.refine.txt", work=self.work(kind="refine", parent=first, chain=first, version=2)),
            self.job(3, "shop/one.mp4", work=self.work(kind="batch", chain="shop", position=1), active=True),
            self.job(4, "shop/two.mp4", work=self.work(kind="batch", chain="shop", position=2), state="waiting"),
            self.job(5, "city at night.prompt.txt", work=self.work(kind="generate"), state="held"),
            self.job(6, "trailer.toml", work=self.work(kind="url", url="https://example.com/v.mp4"), state="waiting"),
            self.job(7, "money.ask.txt", work=self.work(kind="ask", messages=(), exports=()), state="delivered"),
            self.job(8, "broken.mp4", state="rejected", failure=failure),
            self.job(9, "gone.mp4", state="cancelled"),
        ]
        says: dict[str, Json] = {
            "shop/one.mp4": {"step": "upload-0"},
            "shop/two.mp4": {"step": "render-1", "progress": 40.0, "reason": "render"},
            "city at night.prompt.txt": {
                "reason": "hours",
                "sentence": "Paid work begins between 22:00 and 06:00 only.",
                "next_try_at": soon,
            },
            "trailer.toml": {
                "reason": "retry",
                "sentence": "The backend answered with 503.",
                "attempts": 2,
                "next_try_at": soon,
            },
            "gone.mp4": {"sentence": "gone.mp4 was removed before anything was paid."},
        }
        for job in jobs:
            await ledger.enter(replace(job, **says.get(job.clip.rel, {})))
        await self._deliver(ledger, jobs[0])
        await self._answer(ledger, jobs[6])
        await ledger.intend(jobs[7].job_id, "edit-1", "t", {})
        inbox = {
            "state": "watching",
            "mode": "native",
            "path": str(self.root / "inbox"),
            "waiting": [],
            "waiting_count": 0,
            "not_entered": [],
        }
        await ledger.notice("inbox:videos", inbox)
        await ledger.close()

    async def _deliver(self, ledger: Ledger, job: Job) -> None:
        outbox = self.root / "outbox"
        for name in ("talk.mp4", "small.mp4", "talk.report.toml"):
            (outbox / name).write_bytes(b"x")

        async def done(name: str, seconds: float, data: Json) -> None:
            await ledger.done(job.job_id, name, "t", data, started_at=datetime.now(UTC) - timedelta(seconds=seconds))

        await done("session", 31.0, {"session_id": "7421", "task_id": "t", "user_id": "u", "credits_before": 200.0})
        await done("upload-0", 29.0, {"filename": "talk.mp4"})
        await done("edit-1", 24.0, {"text": "I cut three pauses.", "changed": True})
        await done("edit-2", 17.0, {"text": "Lo-fi music is added.", "changed": True})
        await done("draft", 12.0, {"draft": DRAFT, "timeline": reply.timeline_summary(DRAFT)})
        for number in (1, 2):
            await done(f"render-{number}", 11.0 - number, {"render_id": f"render_{number}"})
            fetched = {"duration_s": 15.2, "size_bytes": 2_400_000, "sha256": "ab" * 32}
            await done(f"download-{number}", 8.0 - number, fetched)
        files = [{"target": str(outbox / "talk.mp4")}, {"target": str(outbox / "small.mp4")}]
        report = "credits_spent = 50\n[account_credits]\nbefore = 200\nafter = 150\n"
        target = str(outbox / "talk.report.toml")
        await done("deliver", 2.0, {"files": files, "report": report, "report_target": target})
        stamp = pack_stamp(job.clip.stamp)
        moves = [
            {"rel": name, "target": str(self.root / "archive" / name), "stamp": stamp}
            for name in ("talk.mp4", "talk.txt")
        ]
        await done("archive", 1.0, {"moves": moves})
        (self.root / "archive" / "talk.mp4").write_bytes(b"x")
        for name in ("holiday.m4v", "holiday.txt", "readme.md", "broken.mp4"):
            (self.root / "inbox" / name).write_bytes(b"cut the pauses")
            os.utime(self.root / "inbox" / name, (1.7e9, 1.7e9))

    async def _answer(self, ledger: Ledger, job: Job) -> None:
        target = self.root / "outbox" / "money.answer.txt"
        target.write_text("You have 150 credits, about 3 clips.\n")
        said = target.read_text()
        await ledger.done(job.job_id, "answer", "t", {"text": said, "asked": ["credits"]})
        await ledger.done(job.job_id, "deliver", "t", {"files": [], "report": "", "report_target": str(target)})

    async def tell(self, working: list[Json]) -> None:
        """Say what a running daemon says."""
        ledger = Ledger(str(self.root / "state" / LEDGER_NAME), create=False)
        since = (datetime.now(UTC) - timedelta(minutes=3)).isoformat()
        await ledger.notice("daemon", {"pid": 4711, "since": since, "working": working})
        await ledger.close()

    def uploading(self) -> list[Json]:
        """The notice of an upload that is half done, and of an export."""
        now = datetime.now(UTC)
        begun = (now - timedelta(seconds=40)).isoformat()
        return [
            {
                "job": "3" * 16 + "-1",
                "file": "shop/one.mp4",
                "step": "upload-0",
                "fraction": 0.41,
                "since": begun,
                "done": 41_000_000,
                "total": 100_000_000,
                "unit": "bytes",
                "rate": 1_020_000.0,
                "ends": (now + timedelta(seconds=245)).isoformat(),
            },
            {
                "job": "4" * 16 + "-1",
                "file": "shop/two.mp4",
                "step": "render-1",
                "fraction": 0.4,
                "since": begun,
                "done": 40.0,
                "total": 100.0,
                "unit": "percent",
                "rate": 0.2,
                "ends": (now + timedelta(seconds=305)).isoformat(),
            },
        ]


def prepare(root: Path) -> Prepared:
    """Make the place. Repeat: once."""
    place = Prepared(root)
    asyncio.run(place.fill())
    return place
