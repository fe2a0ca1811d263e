"""Compare polling 10,000 idle files with a bare scandir and stat loop: `python -m benchmarks.polling`.

Touches: a temporary folder, child processes. Both poll every 5 s at the same time; the watcher's slowing down while
nothing happens is switched off, so that it polls as often as the loop.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gauges import below, child, cpu_ms, eyes, fill, rss_mib, show, verdict

FILES = 10_000
POLL_S = 5.0
POLLS = 12
RATIO = 1.5
_BARE = """
import os, sys, time
print('{"ready": true}', flush=True)
while True:
    with os.scandir(sys.argv[1]) as found:
        for item in found:
            item.stat(follow_symlinks=False)
    time.sleep(float(sys.argv[2]))
"""


def main() -> int:
    """Print the CPU time that both took for as many polls, and the ratio; 1 if that is not what is aimed at."""
    with tempfile.TemporaryDirectory(prefix="nemo-watch-bench-") as folder:
        root = Path(folder)
        fill(root, FILES)
        args = ("--watch", "polling", "--poll", str(POLL_S), "--rescan", str(POLL_S), "--known")
        with eyes(root, *args) as watcher, child(sys.executable, "-c", _BARE, root, str(POLL_S)) as bare:
            watcher.read("idle")
            bare.read("ready")
            time.sleep(3 * POLL_S)
            before = {each: cpu_ms(each.pid) for each in (watcher, bare)}
            time.sleep(POLLS * POLL_S)
            took = {each: cpu_ms(each.pid) - ms for each, ms in before.items()}
            rows = [
                {
                    "what": name,
                    "files": FILES,
                    "CPU ms a poll": took[each] / POLLS,
                    "ratio": took[each] / took[bare],
                    "RSS MiB": rss_mib(each.pid),
                }
                for name, each in (("nemo-watch", watcher), ("bare loop", bare))
            ]
            ratio = took[watcher] / took[bare]
    show("polling every 5 s", rows)
    return verdict(below("polling costs", ratio, RATIO, "times a bare loop"))


if __name__ == "__main__":
    sys.exit(main())
