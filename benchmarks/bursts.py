"""Count what is found of 10,000 pairs that two processes create as fast as they can: `python -m benchmarks.bursts`.

Touches: a temporary folder, child processes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gauges import eyes, rss_mib, show, tiny_mp4, verdict

PAIRS = 10_000
WITHIN_S = 180.0
"""A run that hangs is ended then; how long it takes is a figure, not a target."""
_WRITER = """
import sys
root, low, high, data = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
for number in range(low, high):
    with open(f"{root}/{number}.txt", "w") as out:
        out.write("cut the pauses")
    with open(f"{root}/{number}.mp4", "wb") as out:
        out.write(data)
"""


def main() -> int:
    """Print how many of the pairs became drops, and how long it took; 1 if one was missed or came twice."""
    with tempfile.TemporaryDirectory(prefix="nemo-watch-bench-") as folder, eyes(Path(folder)) as watcher:
        watcher.read("idle")
        begun_s = time.monotonic()
        writers = [
            subprocess.Popen([sys.executable, "-c", _WRITER, folder, str(low), str(high), tiny_mp4().hex()])
            for low, high in ((0, PAIRS // 2), (PAIRS // 2, PAIRS))
        ]
        for writer in writers:
            if writer.wait():
                raise RuntimeError("a writer failed")
        written_s = time.monotonic() - begun_s
        found = {"drops": 0, "idle": False, "twice": 0}
        while not (found["drops"] >= PAIRS and found["idle"]) and time.monotonic() - begun_s < WITHIN_S:
            time.sleep(0.1)
            found = watcher.ask("drops", "drops")
        row = {
            "pairs": PAIRS,
            "files/s": 2 * PAIRS / written_s,
            "found": found["drops"],
            "twice": found["twice"],
            "all found after s": time.monotonic() - begun_s,
            "RSS MiB": rss_mib(watcher.pid),
        }
    show("bursts: pairs by two writers", [row])
    is_exact = (found["drops"], found["twice"]) == (PAIRS, 0)
    return verdict((f"{found['drops']} of {PAIRS} pairs were found, {found['twice']} of them twice", is_exact))


if __name__ == "__main__":
    sys.exit(main())
