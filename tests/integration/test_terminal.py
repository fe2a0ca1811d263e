"""The commands on real terminals and pipes: watched, completed, cut off, and in places that have nothing."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from nemo_watch import cli
from nemo_watch.cli import completing
from nemo_watch.cli.watching import news, watch_status
from nemo_watch.errors import LedgerError
from nemo_watch.statefolder import LEDGER_NAME, state_lock
from tests.prepared import Prepared, prepare
from tests.program import until

Terminal = tuple[subprocess.Popen[bytes], int]
PROGRAM = [sys.executable, "-m", "nemo_watch"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("place"))


def environment(place: Prepared, **more: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(place.root), "LANG": "C.UTF-8", "TERM": "xterm", **more}


def heed_ctrl_c() -> None:
    """Let a child heed Ctrl-C though these tests may run in the background, where shells have it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def on_a_terminal(
    place: Prepared, *args: str, columns: int, **more: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command on a terminal of its own; the other end of it is given."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    os.set_blocking(master, False)
    child = subprocess.Popen(
        [*PROGRAM, *args, "--config", str(place.config)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(place, **more),
        preexec_fn=heed_ctrl_c,
    )
    os.close(slave)
    try:
        yield child, master
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        os.close(master)


def read(master: int, seen: bytearray) -> str:
    with contextlib.suppress(BlockingIOError, OSError):  # nothing there, or its last writer has gone
        seen += os.read(master, 65536)
    return seen.decode()


def test_watched_on_a_terminal_it_is_drawn_again_and_ends_well_with_ctrl_c(place: Prepared) -> None:
    seen = bytearray()
    with on_a_terminal(place, "status", "--watch", columns=60) as (child, master):
        until(lambda: "is \x1b[1mnot running" in read(master, seen), "the first picture", within_s=30)
        with state_lock(f"{place.root}/state", "daemon"):
            until(lambda: "\x1b[1mrunning" in read(master, seen), "the daemon that began", within_s=30)
        child.send_signal(signal.SIGINT)
        # A terminal that nobody reads from would keep it from writing its last line.
        until(lambda: (read(master, seen), child.poll() is not None)[1], "the end", within_s=30)
        assert child.returncode == 0
        assert "Traceback" not in read(master, seen)


def test_watched_in_a_pipe_it_says_what_changes_and_only_that(place: Prepared) -> None:
    out = place.root / "watch.txt"
    with out.open("wb") as file:
        command = [*PROGRAM, "status", "-w", "--config", str(place.config)]
        child = subprocess.Popen(command, stdout=file, stderr=file, env=environment(place), preexec_fn=heed_ctrl_c)
    try:
        until(lambda: "gone.mp4: cancelled" in out.read_text(), "the first lines", within_s=30)
        with state_lock(f"{place.root}/state", "daemon"):
            until(lambda: "the daemon is running" in out.read_text(), "news", within_s=30)
        until(lambda: out.read_text().count("the daemon is not running") == 2, "more news", within_s=30)
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    text = out.read_text()
    assert "\x1b" not in text
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line) for line in text.splitlines())
    assert text.count("talk.mp4: delivered") == 1, "what did not change is not said again"


def test_a_ledger_that_cannot_be_read_for_a_while_ends_no_watching(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = {"running": True, "holds": [], "inboxes": [], "jobs": [], "ended": []}
    looks = iter([quiet, LedgerError("The ledger is locked."), LedgerError("The ledger is locked."), quiet])

    def look() -> dict[str, object]:
        told = next(looks, None)
        if told is None:
            raise KeyboardInterrupt
        if isinstance(told, LedgerError):
            raise told
        return told

    assert watch_status(look, pause=lambda _seconds: None) == 0
    lines = [line.split(" ", 2)[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["the daemon is running", "The ledger is locked."]


def test_percents_are_no_news() -> None:
    job = {"job": "a-1", "file": "talk.mp4", "state": "running", "doing": "uploading, 40 %, 1.0 MB/s"}
    quiet = {"running": True, "holds": [], "inboxes": [], "ended": []}
    later = job | {"doing": "uploading, 41 %, 1.0 MB/s"}
    assert news(quiet | {"jobs": [job]}) == news(quiet | {"jobs": [later]})
    assert news(quiet | {"jobs": [job]}) != news(quiet | {"jobs": [job | {"doing": "editing"}]})


@pytest.mark.parametrize(
    "more",
    [{"TERM": "dumb"}, {"NO_COLOR": "1", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}],
    ids=["dumb", "ascii, no colours"],
)
def test_any_terminal_shows_a_job(place: Prepared, more: dict[str, str]) -> None:
    seen = bytearray()
    with on_a_terminal(place, "show", "talk.mp4", columns=20, **more) as (child, master):
        until(lambda: [read(master, seen)] and child.poll() is not None, "its end", within_s=30)
        text = read(master, seen)
    assert child.returncode == 0, text
    assert "Traceback" not in text
    if "NO_COLOR" in more:
        assert not re.search(r"\x1b\[[0-9;]*3\d", text), "no colours"
        assert "##==" in text, "bars without block characters"
    else:
        assert "\x1b" not in text


def test_a_reader_that_has_enough_is_no_error(place: Prepared) -> None:
    command = [*PROGRAM, "show", "talk.mp4", "--json", "--config", str(place.config)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(place))
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert b"Traceback" not in child.stderr.read()
    child.stderr.close()
    child.wait(30)


def asked(place: Prepared, **more: str) -> str:
    """Ask as a shell does, in this process."""
    out = io.StringIO()
    with (
        patch.dict(os.environ, environment(place, **more), clear=True),
        patch.object(sys, "argv", ["nemo-watch"]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        pytest.raises(SystemExit),
    ):
        cli.main()
    return out.getvalue()


def completions(place: Prepared, words: str) -> list[str]:
    """Press Tab behind these words."""
    last = str(len(words.split(" ")) - 1)
    return asked(place, _NEMO_WATCH_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=last).split()


def test_the_tab_key_offers_jobs_inboxes_and_steps_and_writes_nothing(place: Prepared) -> None:
    config = f"--config {place.config}"
    before = {path.name: path.stat().st_mtime_ns for path in (place.root / "state").iterdir()}
    assert "talk.mp4" in completions(place, f"nemo-watch show {config} ta")
    assert completions(place, f"nemo-watch show {config} 5555") == ["5555555555555555-1"], "its name has spaces"
    assert completions(place, f"nemo-watch resume {config} v") == ["videos"]
    assert completions(place, "nemo-watch retry talk.mp4 --from re") == ["render"]
    assert {path.name: path.stat().st_mtime_ns for path in (place.root / "state").iterdir()} == before


def test_the_tab_key_never_fails(place: Prepared, tmp_path: Path) -> None:
    empty = Prepared(tmp_path)
    assert completions(empty, f"nemo-watch show --config {empty.config} ta") == []
    (tmp_path / "state" / LEDGER_NAME).write_bytes(b"no database")
    assert completions(empty, f"nemo-watch show --config {empty.config} ta") == []
    assert completions(empty, f"nemo-watch resume --config {tmp_path} v") == []


def test_the_shells_get_their_scripts(place: Prepared) -> None:
    for shell in ("bash", "zsh", "fish"):
        told = asked(place, _NEMO_WATCH_COMPLETE=f"source_{shell}")
        assert "nemo-watch" in told
        assert f"complete_{shell}" in told


def test_the_schemas_that_are_offered_are_those_that_there_are() -> None:
    from nemo_watch.cli.schemas import TABLES

    assert sorted(completing.SCHEMAS) == sorted(TABLES)
