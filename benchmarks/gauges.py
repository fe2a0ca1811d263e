"""What the benchmarks of the watcher share: the watcher as a process of its own, its figures from /proc, a small table.

Touches: /proc, child processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

Row = dict[str, Any]


def tiny_mp4(filling: int = 200) -> bytes:
    """Make the smallest bytes that walk as a whole mp4."""

    def box(kind: bytes, body: bytes = b"") -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    moov = box(b"moov", box(b"mvhd", bytes(100)))
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + moov + box(b"mdat", bytes(filling))


def fill(root: Path, count: int) -> None:
    """Put so many small clips into a folder, and wait until its time stamps are no news any more."""
    data = tiny_mp4()
    for number in range(count):
        with open(root / f"{number}.mp4", "wb") as out:
            out.write(data)
    time.sleep(6)


def rss_mib(pid: int) -> float:
    """Read the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc")


def ticks(pid: int) -> int:
    """Read the CPU time of a process as `ps` counts it: in ticks of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def cpu_ms(pid: int) -> float:
    """Read the CPU time of all threads of a process exactly."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


class Child:
    """A process that says what it does in lines of JSON."""

    def __init__(self, child: subprocess.Popen[str], out: IO[str]) -> None:
        self.child, self._out = child, out

    @property
    def pid(self) -> int:
        return self.child.pid

    def read(self, what: str) -> Row:
        """Wait for a line that has this key."""
        for line in self._out:
            if line.startswith("{"):
                said: Row = json.loads(line)
                if what in said:
                    return said
        raise RuntimeError(f"the process ended before it said {what!r}")

    def ask(self, line: str, what: str) -> Row:
        """Send a line and wait for the answer."""
        if self.child.stdin is None:
            raise RuntimeError("nobody listens")
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.read(what)


@contextlib.contextmanager
def child(*argv: str | Path, stderr: bool = False) -> Iterator[Child]:
    """Run a process until the block ends."""
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL} if stderr else {"stdout": subprocess.PIPE}
    with subprocess.Popen([*map(str, argv)], stdin=subprocess.PIPE, text=True, **pipes) as process:
        out = process.stderr if stderr else process.stdout
        if out is None:
            raise RuntimeError("the process has no output")
        try:
            yield Child(process, out)
        finally:
            process.terminate()


def eyes(root: Path, *args: str) -> contextlib.AbstractContextManager[Child]:
    """Run the real watcher and intake in a process of their own."""
    return child(sys.executable, "-u", "-m", "benchmarks.eyes", root, *args)


def until(true: Callable[[], bool], what: str, timeout_s: float = 300.0) -> None:
    """Wait for a condition. Raises: TimeoutError."""
    end_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end_s:
            raise TimeoutError(what)
        time.sleep(0.05)


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a table for people, and the same as one line of JSON."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[at]) for line in cells)) for at, name in enumerate(names)]
    print(f"\n{title} ({os.cpu_count()} CPUs, Linux {os.uname().release})")
    for line in (names, *cells):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    print(json.dumps({"benchmark": title, "rows": rows}))


def verdict(*targets: tuple[str, bool]) -> int:
    """Say of each target, in its words with the figure, whether it was met; give the exit status, 1 if one was not."""
    for words, is_met in targets:
        print(f"Target {'met' if is_met else 'MISSED'}: {words}.")
    return 0 if all(is_met for _words, is_met in targets) else 1


def below(what: str, figure: float, limit: float, unit: str) -> tuple[str, bool]:
    """Word a target that a figure must stay below."""
    return f"{what} {figure:.2f} {unit}, to stay below {limit:g} {unit}", figure < limit


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
