"""Measure from the last byte's close to the file's entry in the intake: `python -m benchmarks.latency`.

Touches: a temporary folder, a child process. Both processes read one monotonic clock.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gauges import below, eyes, show, tiny_mp4, verdict

FILES = 500
MEDIAN_MS = 10.0


def main() -> int:
    """Print median and tail; 1 if the median is not what is aimed at."""
    data = tiny_mp4(60_000)
    closed_ns: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="nemo-watch-bench-") as folder, eyes(Path(folder)) as watcher:
        watcher.read("idle")
        for number in range(FILES):
            name = f"{number}.mp4"
            with open(Path(folder) / name, "wb") as out:
                out.write(data)
            closed_ns[name] = time.monotonic_ns()
            time.sleep(0.01)
        time.sleep(1)
        entered = watcher.ask("entered", "entered")["entered"]
    took = sorted((entered[name] - at_ns) / 1e6 for name, at_ns in closed_ns.items())
    row = {
        "files": FILES,
        "median ms": statistics.median(took),
        "p99 ms": took[int(len(took) * 0.99)],
        "longest ms": took[-1],
    }
    show("latency: close to entry", [row])
    return verdict(below("the median from close to entry is", statistics.median(took), MEDIAN_MS, "ms"))


if __name__ == "__main__":
    sys.exit(main())
