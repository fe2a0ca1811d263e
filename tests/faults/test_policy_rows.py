"""Every row of the table of codes, over HTTP against a backend that fails by script, while others go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from nemo_watch import config as configuration
from nemo_watch.client import Timeouts
from nemo_watch.daemon import Daemon
from nemo_watch.model import Job
from nemo_watch.policy import name_of
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.media_fixtures import clip
from tests.program import IMPATIENT, QUICK, Place, eventually, run_without_privilege

ASK = 'add the title "One"'
REQUESTS = {
    "token": ("POST", "/api/auth/anonymous-token"),
    "session": ("POST", "/with-session/"),
    "upload": ("POST", "/api/upload-video/"),
    "run_sse": ("POST", "/run_sse"),
    "render": ("POST", "/api/render/proxy/lambda"),
}


@dataclass(frozen=True)
class Row:
    """One row: what the backend does to the first drop, and what must come of it.

    `calls` are the requests of the first drop, `next_s` the bounds of the time to its next try or look (seconds),
    `action` words of what a person is told to do. `stops_all`: other drops are held as well.
    """

    name: str
    faults: tuple[Fault, ...]
    ends: str
    code: str = ""
    paid: str = ""
    calls: dict[str, int] = field(default_factory=dict)
    next_s: tuple[float, float] | None = None
    action: tuple[str, ...] = ()
    stops_all: bool = False
    others: bool = True
    give_up_after_s: float = 86400.0
    instruction: str = ASK


def answer(on: Any, code: int, status: int = 200, **more: Any) -> Fault:
    return Fault(on, "answer", code=code, status=status, **more)


ONCE = {"session": 1, "upload": 1, "run_sse": 1}
ROWS = [
    Row("1001 anonymous", (answer("session", 1001),), "delivered", calls={"token": 2, "session": 2, "run_sse": 1}),
    Row("401 anonymous", (answer("session", 4011, 401),), "delivered", calls={"token": 2, "session": 2}),
    Row(
        "token_quota",
        (answer("token", 429, 429, retry_after=7200, times=0),),
        "held",
        "token_quota",
        calls={"token": 1, "session": 0},
        next_s=(7000, 7200),
        action=("Set NEMO_TOKEN", "or wait until 20"),
        stops_all=True,
    ),
    Row(
        "1001 and no new token for now",
        (answer("run_sse", 1001), answer("token", 503, 503, after=1)),
        "waiting",
        "retry",
        calls={**ONCE, "render": 0},
        next_s=(2, 5),
    ),
    Row("1002 at the upload", (answer("upload", 1002),), "delivered", calls={"session": 2, "upload": 2, "run_sse": 1}),
    Row("1002 at the message", (answer("run_sse", 1002),), "delivered", calls={"session": 2, "run_sse": 2}),
    Row("1002 after the submit", (answer("poll", 1002),), "waiting", "retry", calls={**ONCE, "render": 1}),
    Row(
        "1002 paid",
        (answer("render", 1002),),
        "rejected",
        "1002",
        "yes",
        {**ONCE, "render": 1},
        action=("retry JOB --fresh", "paid again"),
    ),
    Row(
        "2001",
        (answer("run_sse", 2001),),
        "held",
        "credits",
        calls={**ONCE, "render": 0},
        next_s=(590, 600),
        action=("Top up",),
        stops_all=True,
    ),
    Row("4001", (answer("upload", 4001),), "rejected", "4001", "no", {"upload": 1, "run_sse": 0}, action=("Convert",)),
    Row("4002", (answer("upload", 4002),), "rejected", "4002", "no", {"upload": 1, "run_sse": 0}, action=("smaller",)),
    Row("400", (answer("token", 400, 400),), "delivered", calls={"token": 2, "run_sse": 1}),
    Row(
        "402",
        (answer("render", 402, 402),),
        "rejected",
        "402",
        "yes",
        {**ONCE, "render": 1},
        action=("Upgrade", "?bind=", "retry JOB", "only makes the export"),
        stops_all=True,
    ),
    Row(
        "403 as a code of its own",
        (answer("render", 40310, 403),),
        "rejected",
        "403",
        "yes",
        {**ONCE, "render": 1},
        action=("Upgrade", "only makes the export"),
        stops_all=True,
    ),
    Row("429", (answer("upload", 429, 429),), "waiting", "retry", calls={"upload": 1}, next_s=(29, 30), stops_all=True),
    Row(
        "429 with Retry-After",
        (answer("upload", 429, 429, retry_after=40),),
        "waiting",
        "retry",
        calls={"upload": 1},
        next_s=(39, 40),
        stops_all=True,
    ),
    Row("503", (answer("session", 503, 503),), "waiting", "retry", calls={"session": 1}, next_s=(2, 5)),
    Row("a proxy's page", (answer("session", 0, 502, page=True),), "waiting", "retry", next_s=(2, 5)),
    Row("network", (Fault("upload", "cut"),), "waiting", "retry", calls={"upload": 1}, next_s=(2, 5)),
    Row(
        "503 given up",
        (answer("session", 503, 503),),
        "rejected",
        "http_503",
        "no",
        {"session": 1},
        action=("Put the file back", "last good step", "nothing is paid again"),
        others=False,
        give_up_after_s=0.0,
    ),
    Row(
        "edit_no_effect",
        (Fault("run_sse", "cut"),),
        "rejected",
        "edit_no_effect",
        "unknown",
        {**ONCE, "render": 0},
        action=("look at the session", "retry JOB --from edit", "charged again"),
    ),
    Row(
        "no_edit_made",
        (Fault("run_sse", "talk"),),
        "rejected",
        "no_edit_made",
        "no",
        {**ONCE, "render": 0},
        action=("instruction file",),
    ),
    Row(
        "no_edit_made, read later",
        (Fault("run_sse", "talk"), answer("state", 503, 503, after=1)),
        "rejected",
        "no_edit_made",
        "no",
        {**ONCE, "render": 0},
        action=("instruction file",),
    ),
    Row(
        "2001 inside the stream",
        (Fault("run_sse", "fail_turn", message="code 2001: insufficient credits"),),
        "held",
        "credits",
        calls={**ONCE, "render": 0},
        next_s=(590, 600),
        stops_all=True,
    ),
    Row(
        "a proxy that says 504 with a code of its own for what went through",
        (Fault("run_sse", "mask", code=50400, status=504),),
        "delivered",
        calls={**ONCE, "render": 1},
    ),
    Row(
        "408 in the body for what went through",
        (Fault("run_sse", "mask", code=408),),
        "delivered",
        calls={**ONCE, "render": 1},
    ),
    Row(
        "a proxy's 503 with 404 in its body for what went through",
        (Fault("run_sse", "mask", code=404, status=503),),
        "delivered",
        calls={**ONCE, "render": 1},
    ),
    Row("408 for what went through", (Fault("run_sse", "mask", status=408, page=True),), "delivered", calls=ONCE),
    Row(
        "a reply with the words of 2001 while there are credits",
        (Fault("run_sse", "talk", message='Shall the title be "Error 2001: no credits"?'),),
        "rejected",
        "no_edit_made",
        "no",
        {**ONCE, "render": 0},
        action=("instruction file",),
    ),
    Row("a silent edit", (Fault("run_sse", "silent"),), "delivered", calls={**ONCE, "render": 1}),
    Row("an answer that is lost", (Fault("run_sse", "lose"),), "delivered", calls={**ONCE, "render": 1}),
    Row(
        "render_failed",
        (Fault("render", "fail_render", times=2),),
        "rejected",
        "render_failed",
        "yes",
        {**ONCE, "render": 2},
        action=("only the export", "not paid again"),
    ),
    Row(
        "a render that was never taken, and a proxy's 404 for it",
        (Fault("render", "cut"), answer("poll", 0, 404, page=True)),
        "delivered",
        calls={**ONCE, "render": 2},
    ),
    # An id that was never used and is refused as a duplicate: contract.md 8.1 wants one new id.
    Row(
        "duplicate id of a render that is not known",
        (answer("render", 409, 409, message="duplicate id: x"),),
        "delivered",
        calls={**ONCE, "render": 2},
    ),
    Row(
        "duplicate id said by a failure of the server",
        (answer("render", 500, 500, message="duplicate key value"),),
        "delivered",
        calls={**ONCE, "render": 2},
    ),
    Row(
        "duplicate id of a render that was taken",
        (Fault("render", "mask", code=400, status=200, message="Duplicate ID"),),
        "delivered",
        calls={**ONCE, "render": 1},
    ),
    Row(
        "duplicate id again and again",
        (answer("render", 409, 409, message="duplicate id: x", times=2),),
        "rejected",
        "render_failed",
        "yes",
        {**ONCE, "render": 2},
        action=("only the export", "not paid again"),
    ),
    Row("503 with 404 in its body at a poll", (answer("poll", 404, 503),), "waiting", "retry", calls={"render": 1}),
    Row("a proxy's 404 at a poll", (answer("poll", 0, 404, page=True),), "waiting", "retry", calls={"render": 1}),
    Row(
        "403 for the file itself",
        (answer("cdn", 0, 403, page=True, times=2), answer("download", 403, times=2)),
        "rejected",
        "download_corrupt",
        "yes",
        {**ONCE, "render": 2},
        action=("export is made again", "not paid again"),
    ),
    Row("a render that is forgotten", (Fault("poll", "forget"),), "delivered", calls={**ONCE, "render": 2}),
    Row(
        "render_timeout",
        (Fault("render", "stick"),),
        "rejected",
        "render_timeout",
        "yes",
        {**ONCE, "render": 1},
        action=("same export", "nothing is paid again"),
        others=False,
        give_up_after_s=1.0,
    ),
    Row(
        "download_corrupt",
        (Fault("cdn", "corrupt", times=4), Fault("download", "corrupt", times=4)),
        "rejected",
        "download_corrupt",
        "yes",
        {**ONCE, "render": 2},
        action=("export is made again", "not paid again"),
    ),
    Row(
        "sidecar_invalid",
        (),
        "rejected",
        "sidecar_invalid",
        "no",
        {"session": 0},
        action=("Mend the file",),
        instruction='promt = "cut the pauses"',
    ),
    Row(
        "asset_missing",
        (),
        "rejected",
        "asset_missing",
        "no",
        {"session": 0},
        action=("beside the instruction file", "back into the inbox"),
        instruction='prompt = "cut the pauses"\nassets = ["logo.png"]',
    ),
    Row(
        "asset_outside_inbox",
        (),
        "rejected",
        "asset_outside_inbox",
        "no",
        {"session": 0},
        action=("Write for example: assets",),
        instruction='prompt = "cut the pauses"\nassets = ["../../logo.png"]',
    ),
]


@contextlib.asynccontextmanager
async def against(
    root: Path, *faults: Fault, give_up_after_s: float = 86400.0, timeouts: Timeouts | None = None, **patience: Any
) -> AsyncIterator[tuple[Place, Daemon]]:
    """Run the daemon against a backend of its own that fails by script."""
    server = SandboxServer(root / "backend", faults=Faults(faults), heartbeat_s=0.2, reissues_unused=True)
    with server:
        place = Place(root / "place", backend=f'url = "{server.url}"')
        config = configuration.load(str(place.config_path), {})
        patient = replace(IMPATIENT, give_up_after_s=give_up_after_s, hold_tick_s=0.2, **patience)
        env = {"HOME": str(place.root / "home")}
        async with Daemon(config, env=env, settle=QUICK, patience=patient, timeouts=timeouts).running() as daemon:
            yield place, daemon


def made(root: Path) -> dict[str, int]:
    """Count the requests that came so far."""
    with Records(root / "backend") as records:
        return {name: len(records.requests(*request)) for name, request in REQUESTS.items()}


def version(source: str, number: int) -> bytes:
    """The same clip with other content: a work of its own."""
    return Path(source).read_bytes() + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")


async def find(daemon: Daemon, wanted: Callable[[Job], bool]) -> Job | None:
    return next((job for job in await daemon.ledger.jobs() if wanted(job) and not job.active), None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_row(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: Row) -> None:
    source = clip(tmp_path_factory, "mute.mp4")
    async with against(tmp_path, *row.faults, give_up_after_s=row.give_up_after_s) as (place, daemon):
        place.drop("talk.mp4", Path(source), row.instruction, toml=row.instruction != ASK)

        def there(job: Job) -> bool:
            is_it = job.clip.rel == "talk.mp4" and job.state == row.ends
            return is_it and (row.ends not in ("held", "waiting") or job.reason == row.code)

        job = await eventually(lambda: find(daemon, there), f"{row.name}: {row.ends}")
        calls = made(tmp_path)
        assert {name: calls[name] for name in row.calls} == row.calls
        if row.next_s is not None:
            holds = [hold for hold in await daemon.ledger.holds() if hold.reason == job.reason]
            due_at = holds[0].look_at if holds else job.next_try_at
            assert due_at is not None
            since_at = holds[0].since_at if holds else job.updated_at
            assert row.next_s[0] <= (due_at - since_at).total_seconds() <= row.next_s[1] + 0.2
        if row.ends == "rejected":
            report = place.report("talk.mp4.error.toml", "rejects")
            assert (report["code"], report["paid"], report["name"]) == (row.code, row.paid, name_of(row.code))
            assert report["message"]
            for words in row.action:
                assert words.replace("JOB", job.job_id) in report["action"]
            assert "talk.mp4" not in place.files("inbox")
        else:
            assert place.files("rejects") == []
        if row.ends == "held":
            for words in row.action:
                assert words in job.sentence
        if not row.others:
            return
        # The others: not one is touched by what happened to the first, unless it is the account that stands still.
        for number in (1, 2):
            place.drop(f"other{number}.mp4", version(source, number), 'add the title "Two"')

        async def others() -> list[Job]:
            return [job for job in await daemon.ledger.jobs() if job.clip.rel.startswith("other") and not job.active]

        async def as_they_should() -> bool:
            states = [job.state for job in await others()]
            return states in (["held"] * 2, ["waiting"] * 2) if row.stops_all else states == ["delivered"] * 2

        await eventually(as_they_should, f"{row.name}: the others")
        if row.stops_all:
            assert made(tmp_path) == calls, "nothing goes out for the others"


FILES = {
    "empty.mp4": ("empty_file", "Copy the file again"),
    "letter.mp4": ("not_media", "drop the real one"),
    "link.mp4": ("symlink", "Drop the file itself"),
    "locked.mp4": ("unreadable", "the right to read it"),
}


async def test_files_that_can_never_be_edited_are_rejected_and_nothing_is_asked_for(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    source = clip(tmp_path_factory, "mute.mp4")
    async with against(tmp_path) as (place, daemon):
        secret = tmp_path / "secret.mp4"
        secret.write_bytes(version(source, 0))
        place.drop("locked.mp4", version(source, 9), ASK)
        (place.root / "inbox" / "locked.mp4").chmod(0)
        if os.access(place.root / "inbox" / "locked.mp4", os.R_OK):
            # Root passes every file mode: this very test again, without that privilege.
            await asyncio.to_thread(run_without_privilege, request.node.nodeid)
            return
        (place.root / "inbox" / "link.txt").write_text(ASK)
        (place.root / "inbox" / "link.mp4").symlink_to(secret)
        place.drop("empty.mp4", b"", ASK)
        place.drop("letter.mp4", b"Dear editor, please find the video attached.", ASK)
        place.drop("other.mp4", version(source, 1), ASK)
        await eventually(lambda: {*FILES} <= {*place.files("rejects")}, "rejected, all of them")
        await eventually(lambda: "other.mp4" in place.files("archive"), "the other goes on")
        await eventually(lambda: place.files("inbox") == [], "their instruction files have left, too")
        for name, (code, action) in FILES.items():
            report = place.report(f"{name}.error.toml", "rejects")
            assert (report["code"], report["paid"], report["name"]) == (code, "no", name_of(code))
            assert action in report["action"]
            assert report["message"]
        assert os.readlink(place.root / "rejects" / "link.mp4") == str(secret)
        assert secret.read_bytes() == version(source, 0)
        assert made(tmp_path) == {"token": 1, "session": 1, "upload": 1, "run_sse": 1, "render": 1}
        assert (await daemon.ledger.counts()).get("rejected") == len(FILES)


STUCK = (
    Fault("run_sse", "heartbeats"),
    Fault("run_sse", "cut"),
    Fault("run_sse", "talk"),
    Fault("run_sse", "mask", code=50400, status=504),
    answer("session", 503, 503),
    answer("upload", 4001),
    answer("upload", 4002),
    answer("upload", 1002),
    answer("render", 1002),
    Fault("render", "lose"),
    Fault("render", "stick", after=20),  # long after the first look at a render, which is the one that is forgotten
    Fault("poll", "forget"),
    Fault("cdn", "truncate"),
)
BAD = {
    "sidecar_invalid": 'promt = "cut the pauses"',
    "asset_missing": 'prompt = "cut the pauses"\nassets = ["logo.png"]',
    "asset_outside_inbox": 'prompt = "cut the pauses"\nassets = ["../../logo.png"]',
}
ENDS = {*BAD, "4001", "4002", "1002", "edit_no_effect", "no_edit_made", "not_media"}


@pytest.mark.timeout(400)
async def test_fifty_others_go_on_while_some_are_stuck_or_rejected_in_every_way(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "mute.mp4")
    async with against(tmp_path, *STUCK, timeouts=Timeouts(silent_s=5.0)) as (place, daemon):
        place.drop("letter.mp4", b"Dear editor, please find the video attached.", ASK)
        for number, words in enumerate(BAD.values(), start=100):
            place.drop(f"clip{number}.mp4", version(source, number), words, toml=True)
        # More of them at once would wait for a person at this first start.
        await eventually(lambda: daemon.ledger.jobs(), "the first start has passed")
        for number in range(56):
            place.drop(f"clip{number}.mp4", version(source, number), ASK)

        async def fifty() -> bool:
            counts = await daemon.ledger.counts()
            return counts.get("delivered", 0) >= 50 and counts.get("rejected", 0) >= len(ENDS)

        await eventually(fifty, "fifty delivered, the bad ones rejected", within_s=300)
        rejected = await daemon.ledger.jobs(("rejected",))
        assert sorted(job.failure.code for job in rejected if job.failure is not None) == sorted(ENDS)

        async def stuck() -> Job | None:  # what is being looked at right now does not say that it waits
            (one,) = await daemon.ledger.jobs(("ready", "waiting", "held"))
            return one if one.state == "waiting" else None

        assert (await eventually(stuck, "the stuck one waits")).reason == "render"
    with Records(tmp_path / "backend") as records:
        charged = [entry.session_id for entry in records.charges()]
        assert len(charged) == len(set(charged))
        assert len({render.session_id for render in records.renders()}) == 51


async def test_a_turn_of_nothing_but_heartbeats_ends_and_is_told_of_meanwhile(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Timeouts(silent_s=1.5)
    async with against(tmp_path, Fault("run_sse", "heartbeats"), timeouts=quick, working_s=0.5) as (place, _daemon):
        place.drop("talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")), ASK)
        await eventually(lambda: "talk.mp4" in place.files("outbox"), "found by looking")
        assert made(tmp_path)["run_sse"] == 1
    told = [line for line in capsys.readouterr().out.splitlines() if "edit.working" in line]
    assert 1 <= len(told) <= 3
    assert "step=edit-1" in told[0]
    assert "file=talk.mp4" in told[0]


async def test_a_file_above_the_limit_is_refused_before_any_upload(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    size_bytes = 501 << 20
    data = Path(clip(tmp_path_factory, "mute.mp4")).read_bytes()
    async with against(tmp_path) as (place, _daemon):
        large = place.root / "large.tmp"
        with large.open("wb") as file:  # a box of nothing behind the video: whole, and sparse on the disk
            file.write(data + (size_bytes - len(data)).to_bytes(4, "big") + b"free")
            file.truncate(size_bytes)
        (place.root / "inbox" / "talk.txt").write_text(ASK)
        large.rename(place.root / "inbox" / "talk.mp4")
        await eventually(lambda: "talk.mp4" in place.files("rejects"), "rejected")
        report = place.report("talk.mp4.error.toml", "rejects")
        assert (report["code"], report["paid"]) == ("4002", "no")
        assert "500 MB" in report["message"]
        assert made(tmp_path) == {"token": 0, "session": 0, "upload": 0, "run_sse": 0, "render": 0}
