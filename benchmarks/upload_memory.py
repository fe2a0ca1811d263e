"""Measure the daemon's peak memory while it uploads a 500 MB clip: `python -m benchmarks.upload_memory`.

Touches: a temporary folder of about 2 GB, two processes on loopback. The sandbox runs as a process of its own, so that
only the daemon is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.gauges import below, verdict
from tests.program import Place, until

LIMIT_BYTES = 500 * 1024 * 1024
BLOCK_BYTES = 1 << 20
ABOVE_IDLE_MIB = 120.0


def peak_mb(pid: int) -> float:
    """Read the highest resident memory of a process so far, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc")


def large_clip(path: Path) -> None:
    """Write a clip of exactly the limit: a small real one, and a box of padding that is hard to compress."""
    args = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=4", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    from nemo_watch.media import find_ffmpeg

    subprocess.run([find_ffmpeg().path, *args, str(path)], check=True, stdin=subprocess.DEVNULL)
    with path.open("ab") as out:
        left = LIMIT_BYTES - path.stat().st_size
        out.write(left.to_bytes(4, "big") + b"free")
        left -= 8
        while left > 0:
            left -= out.write(os.urandom(min(left, BLOCK_BYTES)))


def main() -> int:
    """Print idle, peak and difference; 1 if that is not what is aimed at."""
    with tempfile.TemporaryDirectory(prefix="nemo-watch-bench-") as folder:
        root = Path(folder)
        place = Place(root / "place")
        large_clip(root / "big.mp4")
        command = [sys.executable, "-u", "-m", "nemo_watch", "sandbox", "--listen", "127.0.0.1:0"]
        store = ["--store", str(root / "store")]
        with subprocess.Popen([*command, *store], stdout=subprocess.PIPE, text=True) as sandbox:
            try:
                line = sandbox.stdout.readline() if sandbox.stdout else ""
                url = line.split("sandbox at ")[1].split(",")[0]
                place.backend = f'url = "{url}"\nrender_poll = "0.5s"'
                place.write_config()
                with place.process() as running:
                    running.wait_for(lambda: running.said("daemon.ready"), "ready")
                    idle = peak_mb(running.child.pid)
                    place.drop("big.mp4", root / "big.mp4", 'add the title "Big"')
                    running.wait_for(lambda: running.said("edit.done"), "uploaded and edited")
                    peak = peak_mb(running.child.pid)
                    running.stop()
            finally:
                sandbox.terminate()
                until(lambda: sandbox.poll() is not None, "the sandbox ends")
    print(f"idle {idle:.1f} MiB, peak {peak:.1f} MiB, {peak - idle:.1f} MiB above idle for a 500 MiB upload")
    return verdict(below("the peak above idle is", peak - idle, ABOVE_IDLE_MIB, "MiB"))


if __name__ == "__main__":
    sys.exit(main())
