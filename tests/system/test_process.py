"""The program as a process: stopping, starting again, and the commands of a person."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from tests.media_fixtures import clip
from tests.program import Place

REPO = Path(__file__).resolve().parents[2]


def test_once_tells_by_its_exit_code(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(tmp_path / "place")
    assert place.run("run", "--once").returncode == 0
    place.drop("lonely.mp4", Path(clip(tmp_path_factory, "pauses.mp4")))
    place.inbox_extra = 'sidecar_wait = "1s"'
    place.write_config()
    waits = place.run("run", "--once")
    assert waits.returncode == 75, waits.stderr
    status = place.run("status")
    assert status.returncode == 0
    assert "not watched: the daemon is not running" in status.stdout
    place.drop("lonely.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), "translate it into Klingon")
    assert place.run("run", "--once").returncode == 1


def test_status_speaks_of_open_and_ended_jobs(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(tmp_path / "place")
    nothing = place.run("status")
    assert nothing.returncode == 1
    assert "no ledger" in nothing.stderr
    with place.process() as running:
        running.drop_when_ready(place, clip(tmp_path_factory, "pauses.mp4"))
        running.wait_for(lambda: "talk.mp4" in place.files("outbox"), "delivered")
        running.wait_for(lambda: not place.files("inbox"), "archived")
        picture = json.loads(place.run("status", "--json").stdout)
        assert picture["running"] is True
        assert picture["pid"] == running.child.pid
        assert [job["state"] for job in picture["ended"]] == ["delivered"]
        second = place.run("run")
        assert second.returncode == 1
        assert "already runs" in second.stderr
        assert running.stop() == 0
    after = json.loads(place.run("status", "--json").stdout)
    assert after["running"] is False
    assert [inbox["state"] for inbox in after["inboxes"]] == ["not watched: the daemon is not running"]


def test_a_wrong_config_lists_every_problem_and_ends_with_78(tmp_path: Path) -> None:
    place = Place(tmp_path / "place", extra="[queue]\nworkes = 3\n")
    place.inbox_extra = 'settle = "soon"'
    place.write_config()
    for command in ("run", "check", "status"):
        told = place.run(command)
        assert told.returncode == 78, command
        assert "workers" in told.stderr
        assert "settle" in told.stderr
        assert "Traceback" not in told.stderr


def test_check_finds_what_is_missing(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    good = place.run("check", "--json")
    assert good.returncode == 0, good.stdout + good.stderr
    (place.root / "inbox").rmdir()
    bad = place.run("check")
    assert bad.returncode == 1
    assert "is not there" in bad.stdout
    assert place.files("outbox") == []


def test_check_says_when_the_backend_is_down(tmp_path: Path) -> None:
    place = Place(tmp_path / "place", backend='url = "http://127.0.0.1:9"')
    told = place.run("check")
    assert told.returncode == 1
    assert "backend" in told.stdout


# ---------------------------------------------------------------- the README


def readme_commands() -> list[str]:
    """Give every command line that the README shows, without comments."""
    text = (REPO / "README.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if "nemo-watch " in line or "pytest" in line]


def test_the_readme_shows_the_commands_that_are_tested_here() -> None:
    # The two that make a virtual environment are run as they stand by .ci/run.
    install, test, *rest = readme_commands()
    assert install == "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/nemo-watch demo"
    assert test == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"
    levers = ["show talk.mp4", "retry talk.mp4", "cancel talk.mp4", "pause", "resume", "credits"]
    looks = ["skills", "schema status"]
    commands = ["init --sandbox", "check", "plan", "run", "status", "why talk.mp4", *levers, *looks, "sandbox"]
    assert rest == [f"nemo-watch {command}" for command in commands]


def test_the_readmes_commands_work_in_a_new_home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}

    def run(line: str, *more: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line)
        assert words[0] == "nemo-watch"
        argv = [sys.executable, "-m", "nemo_watch", *words[1:], *more]
        return subprocess.run(
            argv, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
        )

    commands = readme_commands()[2:]
    init, check, plan, daemon, status, why, show, retry, cancel, pause, resume, money, skills, schema, sandbox = (
        commands
    )
    assert run(init).returncode == 0
    assert run(init).returncode == 1, "a config that is there is not overwritten"
    found = run(check)
    assert found.returncode == 0, found.stdout
    inbox = tmp_path / "nemo-watch" / "inbox"
    (inbox / "talk.txt").write_text("cut the pauses")
    os.link(clip(tmp_path_factory, "pauses.mp4"), inbox / "talk.mp4")
    planned = run(plan)
    assert "1 would be edited (about 50" in planned.stdout, planned.stderr
    assert run(daemon, "--once").returncode == 0
    assert (tmp_path / "nemo-watch" / "outbox" / "talk.mp4").exists()
    assert "delivered" in run(status).stdout
    assert "delivered as job" in run(why).stdout
    assert "steps:" in run(show).stdout
    assert "nothing left to be done" in run(retry).stderr
    assert "nothing left to cancel" in run(cancel).stderr
    assert "Paused" in run(pause).stdout
    assert "The pause is over" in run(resume).stdout
    assert "credits available" in run(money).stdout
    assert "ai-video-pro-online" in run(skills).stdout
    assert "properties" in json.loads(run(schema).stdout)
    config = tmp_path / ".config" / "nemo-watch" / "config.toml"
    with config.open("a") as out:
        out.write(f'[[inbox]]\nname = "more"\npath = "{tmp_path}/more/inbox"\n')
    assert "more: inbox" in run(check).stdout, "a second inbox can be added below"
    served = [sys.executable, "-u", "-m", "nemo_watch", *shlex.split(sandbox)[1:], "--listen", "127.0.0.1:0"]
    with subprocess.Popen(served, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert "sandbox at http://127.0.0.1:" in child.stdout.readline()
        child.terminate()
        assert child.wait(30) == 0


def test_the_sandbox_speaks_the_profile_that_is_named(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    served = [sys.executable, "-u", "-m", "nemo_watch", "sandbox", "--listen", "127.0.0.1:0", "--profile"]
    unknown = subprocess.run([*served, "adk"], env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert unknown.returncode == 1
    assert unknown.stderr.splitlines() == [
        'The sandbox has no profile "adk".',
        "Choose one of official, ar, adk1, adk2, gateway.",
    ]
    with subprocess.Popen([*served, "ar"], env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url = child.stdout.readline().removeprefix("sandbox at ").split(",")[0]
            answer = httpx.get(f"{url}/api/render/proxy/lambda/render_1", trust_env=False)
        finally:
            child.terminate()
        assert child.wait(30) == 0
    assert (answer.status_code, answer.json()["success"]) == (401, False)


def test_the_readmes_configs_and_sidecars_are_valid(tmp_path: Path) -> None:
    from nemo_watch import config, sidecar

    text = (REPO / "README.md").read_text()
    first, second, batch = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    path = tmp_path / "config.toml"
    path.write_text(first)
    assert [inbox.name for inbox in config.load(str(path), {}).inboxes] == ["videos", "shorts"]
    assert len(sidecar.parse(second.encode(), "talk.toml").exports) == 2
    assert tomllib.loads(second)["language"] == "en"
    assert [each.file for each in sidecar.parse(batch.encode(), "project.toml").clips] == ["shirt.mp4", "shoes.mp4"]


def test_demo_delivers_a_file_that_plays_without_ffmpeg_and_fonts(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts.conf"
    fonts.write_text('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>')
    environment = {"PATH": "", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "FONTCONFIG_FILE": str(fonts)}
    told = subprocess.run(
        [sys.executable, "-m", "nemo_watch", "demo"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "Traceback" not in told.stderr
    assert "Timeline (2 tracks)" in told.stdout
    for name in ("inbox", "outbox", "rejects", "archive"):
        assert told.stdout.count(name) >= 2
    path = told.stdout.split("Play it: ")[1].splitlines()[0].strip()
    assert Path(path).stat().st_size > 10_000


def test_without_config_and_inbox_it_says_how_to_begin(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    told = subprocess.run(
        [sys.executable, "-m", "nemo_watch", "run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 78
    assert "nemo-watch init" in told.stderr


def test_a_missing_inbox_is_no_success_for_once(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    (place.root / "inbox").rmdir()
    assert place.run("run", "--once").returncode == 75


def test_a_state_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.state.write_text("a file where a folder should be")
    for command in (("run",), ("check",)):
        told = place.run(*command)
        assert told.returncode == 1
        assert "Traceback" not in told.stderr
        assert "state" in told.stderr + told.stdout
