"""The whole program for tests: in this process with short waits, or as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nemo_watch import config as configuration
from nemo_watch.daemon import Daemon, Outcome
from nemo_watch.folders.marker import MARKER_NAME
from nemo_watch.intake import SettleRules
from nemo_watch.model import Json
from nemo_watch.pipeline import Patience
from nemo_watch.sandbox.records import Records

T = TypeVar("T")

QUICK = SettleRules(
    closed_s=0.3,
    open_s=0.6,
    sidecar_s=0.2,
    sidecar_wait_s=0.8,
    batch_quiet_s=1.0,
    incomplete_after_s=1.0,
    empty_grace_s=0.5,
    not_media_grace_s=0.5,
    unreadable_grace_s=0.5,
    link_grace_s=0.5,
)
"""Short windows for tests, whose writers are known."""

IMPATIENT = Patience(
    render_poll_s=0.1, first_poll_s=0.1, looks_s=(0.1, 0.2, 0.2, 0.2, 0.2), settle_reads_s=(0.0, 0.1, 0.1)
)
DEADLINE_S = 90.0


def until(look: Callable[[], T | None], what: str, *, within_s: float = DEADLINE_S) -> T:
    """Wait for a condition, looking every 50 ms; the deadline is for a program that hangs, not a measurement."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)
    return found


async def eventually(look: Callable[[], Awaitable[T] | T], what: str, *, within_s: float = DEADLINE_S) -> T:
    """Wait for a condition on the loop, looking every 50 ms."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        answer = await found if inspect.isawaitable(found) else found
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.05)


@dataclass
class Place:
    """A set of folders with its config."""

    root: Path
    extra: str = ""
    inbox_extra: str = ""
    backend: str = 'url = "sandbox"\nrender_poll = "0.2s"'
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("inbox", "outbox", "rejects", "archive", "home"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.write_config()

    def write_config(self) -> None:
        """Write the config as it is now."""
        self.config_path.write_text(
            f"[backend]\n{self.backend}\n[state]\npath = '{self.state}'\n{self.extra}\n"
            f"[[inbox]]\nname = 'videos'\npath = '{self.root / 'inbox'}'\n{self.inbox_extra}\n"
        )

    @property
    def config_path(self) -> Path:
        return self.root / "config.toml"

    @property
    def state(self) -> Path:
        return self.root / "state"

    def drop(
        self, name: str, content: bytes | Path | str, instruction: str | None = None, *, toml: bool = False
    ) -> None:
        """Put a file (and its sidecar) into the inbox under temporary names, then rename: as rsync does."""
        target = self.root / "inbox" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if instruction is not None:
            sidecar = target.with_suffix(".toml" if toml else ".txt")
            _place(sidecar, instruction.encode())
        _place(target, content if isinstance(content, bytes) else Path(content).read_bytes())

    def text(self, name: str, text: str | bytes) -> None:
        """Put a text into the inbox that gives work by itself."""
        target = self.root / "inbox" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _place(target, text if isinstance(text, bytes) else text.encode())

    def forget_sessions(self) -> None:
        """Have the embedded backend forget every session, as the cloud does in time. Not while it runs."""
        (database,) = (self.state / "sandbox").glob("*.db")
        with sqlite3.connect(database) as db:
            db.execute("DELETE FROM sessions")
        db.close()

    def files(self, folder: str) -> list[str]:
        """List a folder's files with their paths below it, but for the marker that says whose it is."""
        base = self.root / folder
        files = (path for path in base.rglob("*") if not path.is_dir() and path.name != MARKER_NAME)
        return sorted(str(path.relative_to(base)) for path in files)

    def report(self, name: str, folder: str = "outbox") -> Json:
        """Read a report."""
        return tomllib.loads((self.root / folder / name).read_text())

    @contextlib.contextmanager
    def records(self) -> Iterator[Records]:
        """Open what the sandbox remembers, for reading."""
        with Records(str(self.state / "sandbox")) as records:
            yield records

    # ------------------------------------------------------------ in this process

    @contextlib.asynccontextmanager
    async def daemon(self, *, settle: SettleRules = QUICK, patience: Patience = IMPATIENT) -> AsyncIterator[Daemon]:
        """Run the daemon inside this process."""
        config = configuration.load(str(self.config_path), {})
        async with Daemon(
            config, env={"HOME": str(self.root / "home")}, settle=settle, patience=patience
        ).running() as it:
            yield it

    async def work_off(self, *, settle: SettleRules = QUICK, patience: Patience = IMPATIENT) -> Outcome:
        """Run until nothing can go on."""
        async with self.daemon(settle=settle, patience=patience) as daemon:
            return await asyncio.wait_for(daemon.work_off(), DEADLINE_S)

    # ------------------------------------------------------------ as a process

    def command(self, *args: str) -> list[str]:
        """Build a command line of the program with this config."""
        return [sys.executable, "-m", "nemo_watch", *args, "--config", str(self.config_path)]

    def environment(self) -> dict[str, str]:
        """Build an environment that knows nothing of this machine's user."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.root / "home"), "LANG": "C.UTF-8", **self.env}

    def run(self, *args: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*prefix, *self.command(*args)],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            cwd=self.root,
        )

    @contextlib.contextmanager
    def process(self, *args: str, prefix: Sequence[str] = ()) -> Iterator[Running]:
        """Run the daemon as a process; it is ended with the block whatever happens."""
        log = open(self.root / "log.txt", "ab")  # noqa: SIM115 - closed below
        child = subprocess.Popen(
            [*prefix, *self.command("run", *args)],
            env=self.environment(),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=self.root,
        )
        try:
            yield Running(child, self.root / "log.txt")
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            log.close()


@dataclass
class Running:
    """A daemon that runs as a process."""

    child: subprocess.Popen[bytes]
    log_path: Path

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def said(self, event: str) -> bool:
        """Tell whether an event was logged."""
        return event in self.log()

    def wait_for(self, look: Callable[[], Any], what: str) -> Any:
        """Wait for a condition while the process lives."""

        def alive() -> Any:
            assert self.child.poll() is None, f"the daemon ended: {self.log()}"
            return look()

        try:
            return until(alive, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from error

    def drop_when_ready(self, place: Place, source: str, instruction: str = "cut the pauses") -> None:
        """Drop a clip under the eyes of the daemon: a rename that was seen needs the shortest window."""
        self.wait_for(lambda: self.said("daemon.ready"), "ready")
        place.drop("talk.mp4", Path(source), instruction)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        self.child.send_signal(number)
        return self.child.wait(DEADLINE_S)


def other_user() -> list[str]:
    """Build the prefix that runs a program as somebody to whom file modes apply.

    Root would pass every mode. Reading is allowed everywhere, as the interpreter may lie in root's home.
    """
    if os.getuid() != 0:
        return []
    caps = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *caps, "--"]


def run_without_privilege(test: str) -> None:
    """Run one test again as a root to whom file modes apply."""
    caps = "-dac_override,-dac_read_search"
    argv = ["setpriv", "--bounding-set", caps, "--inh-caps", caps, "--", sys.executable, "-m", "pytest"]
    told = subprocess.run(
        [*argv, "-q", "-n", "0", "-p", "no:cacheprovider", test],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    assert "1 passed" in told.stdout, told.stdout


def give_away(root: Path) -> None:
    """Give a folder tree to the user of `other_user`."""
    if os.getuid() == 0:
        for path in (root, *root.rglob("*")):
            os.chown(path, 65534, 65534)


def _place(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.rename(path)
