"""`why` and `plan`: the rule that holds a file in one sentence, and the dry run that writes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nemo_watch.cli import app
from nemo_watch.cli.places import load_config
from nemo_watch.cli.plan import as_table, export_words, make_plan
from nemo_watch.cli.why import as_table as told
from nemo_watch.cli.why import look
from nemo_watch.ledger import Ledger
from nemo_watch.model import Job
from nemo_watch.statefolder import LEDGER_NAME
from tests.media_fixtures import clip
from tests.program import QUICK, Place, eventually, give_away, other_user


def fresh(place: Place, source: str, name: str, number: int) -> None:
    """Lay a clip into the inbox whose content is nobody else's."""
    free = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
    target = place.root / "inbox" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(Path(source).read_bytes() + free)


def plan(place: Place) -> dict[str, Any]:
    config = load_config(str(place.config_path))
    return as_table(config, asyncio.run(make_plan(config, None)))


def fates(picture: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["file"]: row for inbox in picture["inboxes"] for row in inbox["files"]}


async def why(place: Place, file: str, *, found: bool = True) -> dict[str, Any]:
    path = file if "/" not in file or file.startswith("/") else str(place.root / file)
    spot, said = await look(load_config(str(place.config_path)), path)
    assert said.found == found, said
    return told(file, spot, said)


def say(place: Place, *args: str) -> Result:
    """Run a command in this process, which spares the start of another one, with the place as its folder."""
    with contextlib.chdir(place.root):
        return CliRunner().invoke(app, [*args, "--config", str(place.config_path)])


def everything(root: Path) -> dict[str, tuple[int, int, int]]:
    """List every file and folder below a place with its size and times."""
    found = {}
    for path in (root, *sorted(root.rglob("*"))):
        seen = path.lstat()
        found[str(path)] = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return found


def mixed_inbox(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    mute = clip(tmp_path_factory, "mute.mp4")
    inbox = place.root / "inbox"
    fresh(place, mute, "talk.mp4", 1)
    (inbox / "talk.txt").write_text("cut the pauses, add background music, and export in 720p")
    fresh(place, mute, "shorts/one.mp4", 2)
    (inbox / "shorts" / "_default.toml").write_text('prompt = "make it vertical"\nassets = ["logo.png"]\n')
    shutil.copy(clip(tmp_path_factory, "still.png"), inbox / "shorts" / "logo.png")
    fresh(place, mute, "lonely.mp4", 3)
    fresh(place, mute, "wrong.mp4", 4)
    (inbox / "wrong.toml").write_text('prompt = "cut"\npromt = "x"\n')
    fresh(place, mute, "poor.mp4", 5)
    (inbox / "poor.toml").write_text('prompt = "cut the pauses"\nassets = ["nowhere.png"]\n')
    (inbox / "half.mp4").write_bytes(Path(mute).read_bytes()[:9000])
    (inbox / "coming.mp4").write_bytes(Path(mute).read_bytes())
    (inbox / "coming.mp4.part").write_bytes(b"")
    (inbox / "old.wmv").write_bytes(b"0&\xb2u\x8ef\xcf\x11" + b"x" * 100)
    (inbox / "README.md").write_text("# read me")
    (inbox / "later.txt").write_text("for a clip that never came")
    os.symlink(mute, inbox / "link.mp4")
    with open(os.fsencode(inbox) + b"/caf\xe9.mp4", "wb") as out:
        out.write(Path(mute).read_bytes() + (16).to_bytes(4, "big") + b"free" + b"surrogat")


def test_plan_tells_every_files_fate_and_touches_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    mixed_inbox(place, tmp_path_factory)
    before = everything(place.root)
    picture = plan(place)
    assert everything(place.root) == before, "without a ledger"
    assert not place.state.exists()
    rows = fates(picture)
    talk = rows["talk.mp4"]
    assert (talk["action"], talk["credits"], talk["sidecar"]) == ("edit", 50, "talk.txt")
    assert talk["messages"] == ["cut the pauses, add background music"]
    assert talk["exports"] == ["mp4 720p high"]
    assert ([each["text"] for each in talk["left_out"]], talk["kind"]) == (["export in 720p"], "edit")
    one = rows["shorts/one.mp4"]
    assert (one["action"], one["sidecar"], one["assets"]) == ("edit", "shorts/_default.toml", ["shorts/logo.png"])
    assert (rows["lonely.mp4"]["action"], rows["lonely.mp4"]["phase"]) == ("wait", "no_instruction")
    assert (rows["half.mp4"]["action"], rows["half.mp4"]["phase"]) == ("wait", "incomplete")
    assert (rows["coming.mp4"]["action"], rows["coming.mp4"]["phase"]) == ("wait", "control")
    assert (rows["wrong.mp4"]["action"], rows["wrong.mp4"]["code"]) == ("reject", "sidecar_invalid")
    assert (rows["wrong.mp4"]["line"], "prompt" in rows["wrong.mp4"]["why"] + rows["wrong.mp4"]["mend"]) == (2, True)
    assert (rows["poor.mp4"]["action"], rows["poor.mp4"]["code"]) == ("reject", "asset_missing")
    assert (rows["old.wmv"]["action"], rows["old.wmv"]["code"]) == ("reject", "4001")
    assert (rows["link.mp4"]["action"], rows["link.mp4"]["code"]) == ("reject", "symlink")
    assert rows["README.md"]["action"] == "ignored"
    assert rows["later.txt"]["action"] == "wait"
    assert rows["talk.txt"]["action"] == rows["shorts/logo.png"]["action"] == "serve"
    assert [row["file_bytes"] for row in rows.values() if "file_bytes" in row] == ["caf%E9.mp4"]
    assert picture["summary"] == {
        "edit": 2, "known": 0, "wait": 5, "reject": 4, "serve": 5, "ignored": 2, "credits": 100,
    }  # fmt: skip
    piped = place.run("plan", "shorts/one.mp4")
    assert piped.returncode == 1
    assert "neither" in piped.stderr
    (line,) = [row for row in place.run("plan", "inbox/shorts/one.mp4").stdout.splitlines() if "\t" in row]
    assert line.split("\t")[:3] == ["edit", "shorts/one.mp4", "about 50"]


def test_without_a_daemon_age_rule_and_next_step_are_told_as_what_would_be(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    mixed_inbox(place, tmp_path_factory)
    rows = fates(plan(place))
    assert (
        rows["talk.mp4"]["upcoming"] == "it would be entered as a job 10 s after the daemon starts, unless it changes"
    )
    assert rows["shorts/one.mp4"]["upcoming"].startswith("it would be entered as a job 40 s after the daemon starts")
    assert rows["half.mp4"]["upcoming"] == "with a daemon it would go on when it changes"
    assert rows["README.md"]["upcoming"] == rows["talk.txt"]["upcoming"] == ""
    for name, rule, upcoming in (
        ("talk.mp4", "it would be edited: its own sidecar", "10 s after the daemon starts"),
        ("lonely.mp4", "nothing says what to do with it", "with a daemon it would go on when one comes"),
        ("half.mp4", "it is not whole", "with a daemon it would go on when it changes"),
        ("coming.mp4", "coming.mp4.part beside it", "with a daemon it would go on when that file goes"),
    ):
        told = say(place, "why", f"inbox/{name}")
        assert told.exit_code == 0
        assert rule in told.stdout
        assert "by its time stamp unchanged since 2" in told.stdout
        assert upcoming in told.stdout
        assert told.stdout.rstrip().endswith("the daemon is not running, so nothing watches it now")


def test_what_the_ledger_says_of_work_is_no_news_when_the_daemon_was_killed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", backend='url = "http://127.0.0.1:1"', inbox_extra='instruction = "cut it"')
    fresh(place, clip(tmp_path_factory, "mute.mp4"), "talk.mp4", 1)

    async def enter() -> None:
        async with place.daemon() as daemon:
            await eventually(daemon.ledger.jobs, "entered")

    async def leave_as_a_kill_does(**values: Any) -> None:
        ledger = Ledger(str(place.state / LEDGER_NAME))
        (job,) = await ledger.jobs()
        await ledger.update(job.job_id, **values)
        await ledger.close()

    asyncio.run(enter())
    asyncio.run(leave_as_a_kill_does(state="ready", active=True, step="edit-1", next_try_at=None))
    said = asyncio.run(why(place, "talk.mp4"))
    assert "was being worked on" in said["why"]
    assert "(editing) when the daemon ended, and goes on when it runs again" in said["why"]
    assert fates(plan(place))["talk.mp4"]["why"] == said["why"]
    later = datetime.now(UTC) + timedelta(hours=1)
    asyncio.run(leave_as_a_kill_does(state="waiting", active=False, sentence="The line is cut.", next_try_at=later))
    said = asyncio.run(why(place, "talk.mp4"))
    assert said["why"].endswith("The line is cut; nothing goes on before the daemon runs")
    assert said["next"] is None, "nobody will look then"


async def deliver_and_copy_the_state(place: Place) -> None:
    """Work off what is there; the copy is of a moment when the daemon runs, as a kill leaves it."""
    async with place.daemon() as daemon:

        async def delivered() -> bool:
            return bool(await daemon.ledger.jobs(("delivered",)))

        await eventually(delivered, "delivered")
        shutil.copytree(place.state, place.root / "killed")


def test_plan_reads_a_ledger_without_writing_and_knows_what_was_paid(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", inbox_extra='originals = "keep"\ninstruction = "cut the pauses"')
    mute = Path(clip(tmp_path_factory, "mute.mp4"))
    place.drop("talk.mp4", mute)
    asyncio.run(deliver_and_copy_the_state(place))
    place.drop("again.mp4", mute)
    fresh(place, str(mute), "new.mp4", 1)
    before = everything(place.root)
    rows = fates(plan(place))
    assert everything(place.root) == before, "with a ledger at rest"
    assert (rows["talk.mp4"]["action"], rows["talk.mp4"]["phase"]) == ("known", "delivered")
    assert (rows["again.mp4"]["action"], rows["again.mp4"]["credits"]) == ("known", 0)
    assert rows["new.mp4"]["action"] == "edit"
    shutil.rmtree(place.state)
    (place.root / "killed").rename(place.state)
    assert (place.state / "ledger.db-wal").stat().st_size > 0, "a killed daemon leaves its log"
    before = everything(place.root)
    assert fates(plan(place))["talk.mp4"]["action"] == "known"
    assert everything(place.root) == before, "with a ledger that a killed daemon left"
    give_away(place.root)
    place.state.chmod(0o500)
    try:
        printed = place.run("plan", "--json", prefix=other_user())
    finally:
        place.state.chmod(0o700)
    assert printed.returncode == 0, printed.stderr
    rows = fates(json.loads(printed.stdout))
    assert rows["talk.mp4"]["action"] == "known", "with a state folder that cannot be written"


async def test_plan_beside_a_running_daemon_says_what_it_then_does(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    patient = replace(QUICK, closed_s=3600.0, open_s=3600.0, sidecar_s=3600.0)
    async with place.daemon(settle=patient) as daemon:
        mixed_inbox(place, tmp_path_factory)
        await eventually(lambda: len(daemon.watchers["videos"].waiting()) >= 9, "all were seen, none is taken")
        before = everything(place.root / "inbox")
        told = await asyncio.to_thread(place.run, "plan", "--json")
        assert told.returncode == 0, told.stderr
        assert everything(place.root / "inbox") == before
        rows = fates(json.loads(told.stdout))
        assert await daemon.ledger.jobs() == []
        assert rows["talk.mp4"]["upcoming"] == "it is entered as a job within 10 s, unless it changes"
        said = await why(place, "talk.mp4")
        assert (said["state"], said["note"]) == ("settling", "")
        assert "by its time stamp" not in said["why"]
    planned = {name: row for name, row in rows.items() if row["action"] in ("edit", "reject")}
    async with place.daemon() as daemon:

        async def ended() -> list[Job] | None:
            jobs = await daemon.ledger.jobs()
            done = [job for job in jobs if job.state in ("delivered", "rejected")]
            return done if len(done) == len(planned) and daemon.watchers["videos"].idle() else None

        jobs = {job.clip.rel: job for job in await eventually(ended, "what was planned has ended")}
        assert sorted(jobs) == sorted(planned)
        for name, row in planned.items():
            job = jobs[name]
            if row["action"] == "edit":
                assert (job.state, list(job.work.messages)) == ("delivered", row["messages"]), name
                assert [export_words(export) for export in job.work.exports] == row["exports"]
                assert [ref.rel for ref in job.work.assets] == row["assets"]
                assert (job.work.sidecar.rel if job.work.sidecar else "") == row["sidecar"]
            else:
                assert job.failure is not None
                assert (job.state, job.failure.code) == ("rejected", row["code"]), name
                assert (job.failure.message, job.failure.action) == (row["why"], row["mend"]), name
        for name, row in rows.items():
            if row["action"] in ("wait", "ignored") and "file_bytes" not in row:
                assert (await why(place, f"inbox/{name}"))["state"] == row["phase"], name


def test_what_lay_at_a_path_once_is_found_by_it_again(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(tmp_path / "place")
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")), "cut the pauses")
    asyncio.run(place.work_off())
    (place.root / "outbox" / "talk.mp4").unlink()
    for name in ("inbox/talk.mp4", "./inbox/talk.mp4", "inbox/../inbox/talk.mp4", "outbox/talk.mp4"):
        told = say(place, "why", name)
        assert told.exit_code == 0, told.stdout
        assert f"{name}: it was delivered as job" in told.stdout
    nothing = say(place, "why", "inbox/other.mp4")
    assert (nothing.exit_code, nothing.stderr) == (1, "")
    assert "there is no such file" in nothing.stdout


def test_why_and_plan_say_how_they_are_used(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    (place.root / "inbox" / "shorts").mkdir()
    for name, means in (
        ("", "nemo-watch why FILE"),
        (".", "nemo-watch plan"),
        ("..", "nemo-watch plan"),
        ("inbox", "the inbox itself"),
        ("inbox/shorts", "name a file"),
    ):
        told = say(place, "why", name)
        assert (told.exit_code, told.stdout) == (2, ""), name
        assert means in told.stderr
        printed = say(place, "why", name, "--json")
        assert printed.exit_code == 2
        assert json.loads(printed.stdout)["found"] is False
    gone = say(place, "plan", "inbox/gone.mp4")
    assert (gone.exit_code, "gone.mp4 is not there" in gone.stdout) == (1, True)
    assert json.loads(say(place, "plan", "inbox/gone.mp4", "--json").stdout)["inboxes"][0]["problem"]


def test_an_error_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    for args, code, exit_code in (
        (("plan", "nowhere", "--json"), "inbox_unknown", 1),
        (("resume", "nowhere", "--json"), "inbox_unknown", 1),
        (("resume", "--json"), "ledger", 1),
    ):
        told = say(place, *args)
        assert told.exit_code == exit_code
        said = json.loads(told.stdout)
        assert (said["code"], bool(said["error"]), bool(said["hint"])) == (code, True, True)
    place.state.mkdir()
    (place.state / LEDGER_NAME).write_bytes(b"this is no database" * 100)
    for args in (("why", "inbox/x.mp4"), ("plan",), ("status",)):
        told = say(place, *args, "--json")
        assert (told.exit_code, json.loads(told.stdout)["code"]) == (1, "ledger")
    place.config_path.write_text("[[inbox]]\nname = 3\npaht = 'x'\n")
    for args in (("why", "x.mp4"), ("plan",), ("check",)):
        told = say(place, *args, "--json")
        assert told.exit_code == 78
        assert json.loads(told.stdout)["problems"]


async def test_why_says_the_rule_while_the_daemon_runs_and_while_not(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    mixed_inbox(place, tmp_path_factory)
    said = await why(place, "lonely.mp4")
    assert (said["state"], said["inbox"]) == ("no_instruction", "videos")
    assert "not running" in said["note"]
    assert (await why(place, "nothing.mp4", found=False))["state"] == "outside"
    assert (await why(place, str(place.root / "inbox"), found=False))["state"] == "folder"
    assert (await why(place, "/etc/hostname", found=False))["state"] == "outside"
    async with place.daemon() as daemon:

        async def ended() -> bool:
            jobs = await daemon.ledger.jobs()
            return len([job for job in jobs if job.state in ("delivered", "rejected")]) == 6

        await eventually(ended, "what can go on has ended")
        said = await why(place, str(place.root / "inbox" / "lonely.mp4"))
        assert (said["state"], said["note"]) == ("no_instruction", "")
        assert said["since"] is not None
        assert (await why(place, "coming.mp4"))["state"] == "control"
        assert (await why(place, "half.mp4"))["state"] == "incomplete"
        assert (await why(place, "README.md"))["state"] == "ignored"
        strange = os.fsdecode(b"caf\xe9.mp4")
        assert (await why(place, strange))["file_bytes"] == "caf%E9.mp4"
        talk = await why(place, "inbox/talk.mp4")
        assert talk["state"] == "delivered"
        assert str(place.root / "outbox" / "talk.mp4") in talk["why"]
        result = await why(place, "outbox/talk.mp4")
        assert (result["state"], result["job"]) == ("delivered", talk["job"])
        assert (await why(place, "archive/talk.txt"))["job"] == talk["job"]
        rejected = await why(place, "rejects/wrong.mp4")
        assert (rejected["state"], rejected["code"]) == ("rejected", "sidecar_invalid")
        assert (await why(place, "rejects/wrong.mp4.error.toml"))["job"] == rejected["job"]
        (place.root / "inbox" / "talk.txt").write_text("and now make it vertical")
        late = await why(place, "inbox/talk.txt")
        assert late["state"] == "late"
        assert "talk.refine.txt" in late["why"]
    text = await asyncio.to_thread(place.run, "why", "rejects/wrong.mp4")
    assert len(text.stdout.splitlines()) == 1
    assert "sidecar_invalid" in text.stdout
    # Without its ledger a reject still has its report.
    shutil.rmtree(place.state)
    assert (await why(place, "rejects/wrong.mp4"))["code"] == "sidecar_invalid"
    assert (await why(place, "outbox/talk.mp4", found=False))["state"] == "unknown"


async def test_why_of_a_hidden_file_and_of_one_behind_a_link(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    mute = Path(clip(tmp_path_factory, "mute.mp4"))
    inbox = place.root / "inbox"
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(mute, tmp_path / "elsewhere" / "far.mp4")
    os.symlink(tmp_path / "elsewhere", inbox / "elsewhere")
    os.symlink(inbox, tmp_path / "shortcut")
    shutil.copy(mute, inbox / ".hidden.mp4")
    (inbox / "_assets").mkdir()
    shutil.copy(mute, inbox / "_assets" / "intro.mp4")
    for name in (".hidden.mp4", "inbox/_assets/intro.mp4"):
        assert (await why(place, name))["state"] == "ignored", name
    assert (await why(place, str(tmp_path / "shortcut" / ".hidden.mp4")))["state"] == "ignored"
    assert (await why(place, str(inbox / "elsewhere" / "far.mp4"), found=False))["state"] == "link"


async def test_a_folder_that_is_never_entered_is_said_so_everywhere(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place", inbox_extra='instruction = "cut the pauses"\nrescan = "1s"')
    again = place.root / "inbox" / "again"
    told = "it lies in again, and a nemo-watch puts results or originals there"

    async def said_everywhere() -> None:
        assert told in (await why(place, "inbox/again/x.mp4"))["why"]
        config = load_config(str(place.config_path))
        (whole,) = as_table(config, await make_plan(config, None))["inboxes"]
        assert (whole["not_entered"], whole["files"]) == (["again"], [])
        assert (await make_plan(config, str(again)))[0].not_entered == ["again"]
        (one,) = (await make_plan(config, str(again / "x.mp4")))[0].fates
        assert one.action == "ignored"
        assert told in one.why

    async with place.daemon() as daemon:
        watcher = daemon.watchers["videos"]
        marker = place.root / "rejects" / ".nemo-watch"
        await eventually(lambda: marker.exists() and watcher.is_listed, "rejects is marked")
        shutil.copy(clip(tmp_path_factory, "mute.mp4"), place.root / "rejects" / "x.mp4")
        os.rename(place.root / "rejects", again)
        await said_everywhere()
        await watcher.rescan()
        await said_everywhere()
        assert watcher.not_entered == ["again"]

        async def status() -> str:
            return (await asyncio.to_thread(place.run, "status")).stdout

        async def is_shown() -> bool:
            return "the folder again is left out" in await status()

        await eventually(is_shown, "status says it")
        await watcher.rescan()
        assert watcher.not_entered == ["again"], "though nothing in it changed since"
        assert not await daemon.ledger.jobs()
        (again / ".nemo-watch").unlink()
        await eventually(daemon.ledger.jobs, "without the marker it is a folder like any other")
        assert watcher.not_entered == []
    (again / ".nemo-watch").write_text('ledger = "x"\nrole = "target"\n')
    (again / "x.mp4").touch()
    await said_everywhere()
