"""Real mounts for tests: made as root, and all undone when the test ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import until

MOUNTINFO = Path("/proc/self/mountinfo")


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=20)


class Fuse:
    """A folder mounted through a program in user space, which can stop answering."""

    def __init__(self, content: Path, point: Path) -> None:
        self.content, self.point = content, point
        content.mkdir(exist_ok=True)
        self.child = subprocess.Popen(["bindfs", "-f", str(content), str(point)], stderr=subprocess.DEVNULL)
        until(lambda: str(point) in MOUNTINFO.read_text(), "bindfs is mounted", within_s=20)

    def stop(self) -> None:
        """From now on whoever touches the folder waits."""
        self.child.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.child.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.go_on()
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("umount", "--lazy", self.point)
        self.child.terminate()
        self.child.wait(20)


class Mounts:
    """Mounts below one folder."""

    def __init__(self) -> None:
        self.fuses: list[Fuse] = []

    def make(self, kind: str, point: Path, options: str = "") -> None:
        """Mount a new file system that lives in memory: "tmpfs", "ramfs"."""
        _run("mount", "-t", kind, *(("-o", options) if options else ()), "nemo-watch-test", point)

    def tmpfs(self, point: Path, options: str = "") -> None:
        self.make("tmpfs", point, options)

    def bind(self, source: Path, point: Path) -> None:
        _run("mount", "--bind", source, point)

    def remount(self, point: Path, options: str) -> None:
        _run("mount", "-o", f"remount,{options}", point)

    def unmount(self, point: Path, *, lazily: bool = True) -> None:
        _run("umount", *(["--lazy"] if lazily else []), point)

    def fuse(self, content: Path, point: Path) -> Fuse:
        """Mount a folder through bindfs. Skips the test where that is not possible."""
        if shutil.which("bindfs") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK):
            pytest.skip("needs bindfs and /dev/fuse")
        self.fuses.append(Fuse(content, point))
        return self.fuses[-1]


@contextlib.contextmanager
def mounting(below: Path) -> Iterator[Mounts]:
    """Let a test mount what it likes below a folder; skips it where nothing can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    probe = below / "probe"
    probe.mkdir(exist_ok=True)
    made = Mounts()
    try:
        made.tmpfs(probe)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"nothing can be mounted here: {error.stderr.decode().strip()}")
    made.unmount(probe)
    try:
        yield made
    finally:
        for fuse in made.fuses:
            fuse.end()
        points = [line.split()[4] for line in MOUNTINFO.read_text().splitlines()]
        for point in reversed(points):
            if point.startswith(f"{below}/"):
                made.unmount(Path(point))
