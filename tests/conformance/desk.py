"""What a sender works with: its names, clips, children and stalls. Touches: processes, the inbox, its own folders."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.conformance import clips
from tests.conformance.scoring import Sent

LONG_S = 100.0
"""No single step of a sender may take longer: what hangs ends the row, not the run."""


class SenderError(Exception):
    """A sender could not do its work: the row says nothing about the settle rule."""


class NotHereError(Exception):
    """A sender cannot run on this machine, for a reason that is nobody's fault."""


@dataclass(frozen=True)
class Sender:
    """One way of delivering. `needs` are programs, `version` is how the first of them is asked for its version.

    `early` senders have begun before the watcher starts.
    """

    name: str
    send: Callable[[Desk], None]
    needs: tuple[str, ...] = ()
    root: bool = False
    version: tuple[str, ...] | None = None
    early: bool = False

    def missing(self) -> str:
        """Say why this sender cannot run here, "" if it can."""
        absent = [program for program in self.needs if find(program) is None]
        if absent:
            return f"{', '.join(absent)} not installed"
        if self.root and os.getuid() != 0:
            return "it needs root"
        return _no_strace() if "strace" in self.needs else ""

    def program(self) -> str:
        """Name the real program and its version."""
        if not self.needs:
            return "system calls"
        found = find(self.needs[0]) or self.needs[0]
        argv = self.version if self.version is not None else (found, "--version")
        done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20, check=False)
        number = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
        return f"{os.path.basename(self.needs[0])} {number[0] if number else ''}".strip()


SENDERS: dict[str, Sender] = {}


def sender(
    name: str, *needs: str, root: bool = False, version: tuple[str, ...] | None = None, early: bool = False
) -> Callable[[Callable[[Desk], None]], Callable[[Desk], None]]:
    """Enter a function as a sender."""

    def enter(send: Callable[[Desk], None]) -> Callable[[Desk], None]:
        assert name not in SENDERS, name
        SENDERS[name] = Sender(name, send, needs, root, version, early)
        return send

    return enter


def find(program: str) -> str | None:
    """Find a program, those for administrators too."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/usr/lib/openssh")


@functools.cache
def _no_strace() -> str:
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False, timeout=20)
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.decode().strip()}"


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Desk:
    """The place of one sender. `room` is on the inbox's file system, `other` on another one (None if there is none)."""

    name: str
    inbox: Path
    room: Path
    other: Path | None
    clips: dict[str, Path]
    stall_s: float
    sent: list[Sent] = field(default_factory=list)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)

    # ------------------------------------------------------------ names and texts

    def clip(self, kind: str = "mp4") -> Path:
        """Give a clip outside the inbox."""
        return self.clips[kind]

    def target(self, kind: str = "mp4", tag: str = "", folder: str = "") -> Path:
        """Give the path of a file of this sender in the inbox."""
        suffix = {"fast": "mp4", "live": "mkv"}.get(kind, kind)
        tag = tag or ("" if kind == "mp4" else kind)
        return self.inbox / folder / f"{self.name}{'-' if tag else ''}{tag}.{suffix}"

    def text(self, target: Path) -> str:
        """Give the instruction for a file."""
        return f"cut the pauses of {target.name} and add background music"

    def note(self, target: Path) -> Path:
        """Write the sidecar of a file outside the inbox, to be sent as the sender sends."""
        path = self.room / f"{target.stem}.txt"
        path.write_text(self.text(target))
        return path

    def put_note(self, target: Path) -> None:
        """Put the sidecar of a file into the inbox at once."""
        target.with_suffix(".txt").write_text(self.text(target))

    def done(self, target: Path, source: Path | None = None, sidecar: str | None = None) -> None:
        """Note that a file is final now. Raises: SenderError if it is not what was to be sent."""
        done_s = time.monotonic()
        digest = clips.sha256(target)
        if source is not None and digest != clips.sha256(source):
            raise SenderError(f"{target.name} is not what was sent")
        text = target.with_suffix(".txt")
        if sidecar is None and text.exists():
            sidecar = text.read_text()
        with self.turn:
            self.sent.append(Sent(str(target.relative_to(self.inbox)), digest, done_s, sidecar, clips.stamp(target)))

    def each(self, send: Callable[[str], None], *kinds: str) -> None:
        """Send clips of several kinds at the same time."""
        with ThreadPoolExecutor(len(kinds)) as pool:
            list(pool.map(send, kinds))

    # ------------------------------------------------------------ processes

    def start(
        self, *argv: str | Path, stdin: int | IO[bytes] = subprocess.DEVNULL, **env: str
    ) -> subprocess.Popen[bytes]:
        """Start a program in a group of its own; it is ended with the desk."""
        found = find(str(argv[0]))
        if found is None:
            raise NotHereError(f"{argv[0]} not installed")
        with self.turn, (self.room / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                [found, *(str(arg) for arg in argv[1:])],
                stdin=stdin,
                stdout=log,
                stderr=log,
                cwd=self.room,
                start_new_session=True,
                env={**os.environ, "HOME": str(self.room), "LC_ALL": "C.UTF-8", **env},
            )
            self.children.append(child)
        return child

    def wait(self, child: subprocess.Popen[bytes], *codes: int) -> None:
        """Wait for a program to end well."""
        code = child.wait(LONG_S)
        if code not in (codes or (0,)):
            raise SenderError(f"{child.args!r} ended with {code}: {self.log()}")

    def run(self, *argv: str | Path, codes: Sequence[int] = (0,)) -> None:
        """Run a program to its end."""
        self.wait(self.start(*argv), *codes)

    def log(self) -> str:
        """Give the end of what the children said."""
        path = self.room / "log.txt"
        return path.read_text(errors="replace")[-600:].strip() if path.exists() else ""

    def close(self) -> None:
        """End everything this sender started."""
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in reversed(self.children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(3)
            with contextlib.suppress(ProcessLookupError):  # what it left behind is in its group
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    # ------------------------------------------------------------ stalls

    def stall(self) -> None:
        """Let nothing happen while the file is open: for longer than two windows.

        Where no event tells of a change, the first window may end with the sight of one made at its beginning.
        """
        time.sleep(self.stall_s)

    def rest(self) -> None:
        """Let nothing happen while nobody has the file open: the close was seen, so the window is shorter."""
        time.sleep(self.stall_s / 2)

    def run_stalled(self, path: Path, *argv: str | Path, nth: int = 12) -> None:
        """Run a program whose nth write to a path is held up by the kernel: its descriptor stays open meanwhile."""
        calls = "write,pwrite64,copy_file_range,sendfile,splice"
        hold = f"inject={calls}:delay_enter={round(self.stall_s * 1e6)}:when={nth}"
        self.run("strace", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", f"trace={calls}", "-e", hold, *argv)

    def stop_midway(self, child: subprocess.Popen[bytes], pattern: str, size_bytes: int) -> None:
        """Stop a program when a part of the file is there, let it go on after the stall."""
        self.wait_grown(pattern, size_bytes, child)
        child.send_signal(signal.SIGSTOP)
        try:
            self.stall()
        finally:
            child.send_signal(signal.SIGCONT)

    def wait_grown(self, pattern: str, size_bytes: int, child: subprocess.Popen[bytes] | None = None) -> Path:
        """Wait until a file that fits a pattern below the inbox has some bytes."""
        found: list[Path] = []

        def grown() -> bool:
            if child is not None and child.poll() is not None:
                raise SenderError(f"{child.args!r} ended before it could be stopped: {self.log()}")
            found[:] = [path for path in self.inbox.glob(pattern) if _size(path) >= size_bytes]
            return bool(found)

        self.until(grown, f"{size_bytes} bytes of {pattern}")
        return found[0]

    def until(self, true: Callable[[], bool], what: str, within_s: float = LONG_S) -> None:
        """Wait for a condition."""
        end_s = time.monotonic() + within_s
        while not true():
            if time.monotonic() > end_s:
                raise SenderError(f"not within {within_s:g} s: {what}: {self.log()}")
            time.sleep(0.02)

    def until_open(self, port: int, child: subprocess.Popen[bytes]) -> None:
        """Wait until a server answers."""

        def answers() -> bool:
            if child.poll() is not None:
                raise SenderError(f"{child.args!r} ended: {self.log()}")
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self.until(answers, f"port {port} of {child.args!r}", 30)

    def feed(self, out: IO[bytes], data: bytes) -> None:
        """Write one half, stall, write the rest, and close."""
        for part in self.halves(data):
            out.write(part)
            out.flush()
        out.close()

    def halves(self, data: bytes) -> Iterator[bytes]:
        """Give data in parts, with a stall in the middle."""
        middle = len(data) // 2
        yield from _parts(data[:middle])
        self.stall()
        yield from _parts(data[middle:])


def _parts(data: bytes) -> Iterator[bytes]:
    step = 256 * 1024
    for at in range(0, len(data), step):
        yield data[at : at + step]
        time.sleep(0.03)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
