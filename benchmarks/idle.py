"""Measure start, memory and idle CPU with 100,000 files in the inbox, beside others: `python -m benchmarks.idle`.

Touches: a temporary folder, child processes. inotifywait (Debian: inotify-tools) and watchfiles (`pip install
.[bench]`) are left out with a sentence where they are missing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gauges import Row, below, child, cpu_ms, eyes, fill, rss_mib, show, ticks, verdict

FILES = 100_000
MINUTE_S = 60.0
ABOVE_EMPTY_MIB = 57.2  # 60 MB
CPU_MS = 60.0
"""A minute's CPU time that is a thousandth of a core: `top` and `ps` show 0.1 % from there on."""
WANTED = "create,close_write,move,delete"
_WATCHFILES = """
import sys, time
from watchfiles import watch
from watchfiles._rust_notify import RustNotify
begun = time.monotonic()
RustNotify([sys.argv[1]], False, False, 0, True, False).close()
print('{"start_ms": %f}' % ((time.monotonic() - begun) * 1000), flush=True)
for _ in watch(sys.argv[1], raise_interrupt=False):
    pass
"""


def main() -> int:
    """Let everybody lie idle on the same folder at the same time; 1 if a figure of ours is not what is aimed at."""
    with (
        tempfile.TemporaryDirectory(prefix="nemo-watch-bench-") as folder,
        tempfile.TemporaryDirectory(prefix="nemo-watch-bench-") as nothing,
        contextlib.ExitStack() as stack,
    ):
        root = Path(folder)
        fill(root, FILES)
        pids: dict[str, int] = {}
        rows: list[Row] = []
        for name, where, args in (
            ("nemo-watch, nothing there", Path(nothing), ()),
            ("nemo-watch, all known", root, ("--known",)),
            ("nemo-watch, all waiting", root, ()),
        ):
            watcher = stack.enter_context(eyes(where, *args))
            start = watcher.read("ready")
            idle = watcher.read("idle")
            pids[name] = watcher.pid
            rows.append({"what": name, "start ms": start["start_ms"], "loop blocked ms": idle["blocked_ms"]})
        if shutil.which("inotifywait"):
            begun_s = time.monotonic()
            other = stack.enter_context(child("inotifywait", "-mr", "-e", WANTED, root, stderr=True))
            while "established" not in other.child.stderr.readline():  # type: ignore[union-attr]  # a pipe was asked for
                pass
            rows.append({"what": "inotifywait", "start ms": (time.monotonic() - begun_s) * 1000})
            pids["inotifywait"] = other.pid
        else:
            print("inotifywait is missing: install the Debian package inotify-tools")
        if importlib.util.find_spec("watchfiles"):
            other = stack.enter_context(child(sys.executable, "-c", _WATCHFILES, root))
            rows.append({"what": "watchfiles", "start ms": other.read("start_ms")["start_ms"]})
            pids["watchfiles"] = other.pid
        else:
            print("watchfiles is missing: pip install nemo-watch[bench]")
        time.sleep(15)
        before = {name: (ticks(pid), cpu_ms(pid)) for name, pid in pids.items()}
        time.sleep(MINUTE_S)
        empty = rss_mib(pids["nemo-watch, nothing there"])
        for row in rows:
            name, pid = row["what"], pids[row["what"]]
            row["RSS MiB"] = rss_mib(pid)
            row["above empty MiB"] = rss_mib(pid) - empty if name.startswith("nemo") else ""
            row["ticks a minute"] = ticks(pid) - before[name][0]
            row["CPU ms a minute"] = cpu_ms(pid) - before[name][1]
    show(f"idle: {FILES} files", rows)
    targets = []
    for row in rows:
        if row["what"].startswith("nemo"):
            targets.append(below(f"{row['what']}: a minute costs", row["CPU ms a minute"], CPU_MS, "ms of CPU"))
            targets.append(
                below(f"{row['what']}: more memory than empty", row["above empty MiB"], ABOVE_EMPTY_MIB, "MiB")
            )
    return verdict(*targets)


if __name__ == "__main__":
    sys.exit(main())
