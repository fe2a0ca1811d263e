"""What the chaos run works with: tiny distinct clips, a backend of its own that misbehaves by seed, an account there.

Touches: a temporary folder, child processes, loopback.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from nemo_watch.media import find_ffmpeg

EDITS = ("trim 0.2s off the start", "trim 0.2s off the end")
"""Two edits that show in the result when one of them is made twice."""
CREDITS = 1_000_000
PICTURES = 24
"""So many different pictures: a result that went to another clip's name would be told by its bytes."""

FAULTS = """
seed = {seed}

# Paid messages: taken and the answer lost or masked by a gateway's error, the stream broken off, the draft written in
# stages, work begun late.
[[fault]]
on = "run_sse"
do = "lose"
rate = 0.05
times = 0
[[fault]]
on = "run_sse"
do = "mask"
code = 50400
status = 504
rate = 0.04
times = 0
[[fault]]
on = "run_sse"
do = "break_stream"
rate = 0.08
times = 0
[[fault]]
on = "run_sse"
do = "stages"
seconds = 12
rate = 0.10
times = 0
[[fault]]
on = "run_sse"
do = "late"
seconds = 45
rate = 0.08
times = 0
[[fault]]
on = "run_sse"
do = "late"
seconds = 400
rate = 0.01
times = 0
[[fault]]
on = "run_sse"
do = "delay"
seconds = 10
rate = 0.05
times = 0
[[fault]]
on = "run_sse"
do = "answer"
code = 500
status = 500
rate = 0.015
times = 0
[[fault]]
on = "run_sse"
do = "cut"
rate = 0.01
times = 0
[[fault]]
on = "run_sse"
do = "answer"
code = 429
status = 429
rate = 0.03
times = 0

# What may be repeated: sessions, uploads, questions.
[[fault]]
on = "session"
do = "lose"
rate = 0.05
times = 0
[[fault]]
on = "session"
do = "answer"
code = 500
status = 500
rate = 0.03
times = 0
[[fault]]
on = "upload"
do = "lose"
rate = 0.06
times = 0
[[fault]]
on = "upload"
do = "cut"
rate = 0.04
times = 0
[[fault]]
on = "state"
do = "answer"
code = 500
status = 500
rate = 0.02
times = 0
[[fault]]
on = "state"
do = "cut"
rate = 0.01
times = 0
[[fault]]
on = "balance"
do = "answer"
code = 500
status = 500
rate = 0.05
times = 0

# Exports: taken and the answer lost, failed, told late; results that come in part or damaged.
[[fault]]
on = "render"
do = "lose"
rate = 0.08
times = 0
[[fault]]
on = "render"
do = "fail_render"
rate = 0.04
times = 0
[[fault]]
on = "render"
do = "answer"
code = 429
status = 429
rate = 0.03
times = 0
[[fault]]
on = "render"
do = "answer"
code = 500
status = 500
rate = 0.02
times = 0
[[fault]]
on = "poll"
do = "answer"
code = 500
status = 500
rate = 0.02
times = 0
[[fault]]
on = "poll"
do = "cut"
rate = 0.01
times = 0
[[fault]]
on = "cdn"
do = "truncate"
rate = 0.10
times = 0
[[fault]]
on = "cdn"
do = "corrupt"
rate = 0.06
times = 0
[[fault]]
on = "download"
do = "truncate"
rate = 0.10
times = 0
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a chaos run is. `clock` is how many of the backend's seconds pass in a real one."""

    jobs: int = 300
    kills: int = 200
    seed: int = 1
    clock: float = 20.0
    workers: int = 6
    gap_s: float = 1.0
    """The mean time between two kills, after which a new set of clips has been dropped."""

    def released(self, kills: int) -> int:
        """Compute how many clips lie in the inbox after so many kills: work arrives as long as there are kills."""
        return min(self.jobs, 8 + round(self.jobs * (kills + 1) / max(1, self.kills)))


@dataclass(frozen=True, slots=True)
class Backend:
    """A sandbox that runs as a process of its own, and an account at it."""

    url: str
    store: Path
    token: str


def name_of(number: int) -> str:
    """Name a clip; its session at the backend is called the same."""
    return f"clip{number:04d}"


def make_clips(folder: Path, count: int) -> list[Path]:
    """Make tiny clips that differ in content: some in their picture, all in a box that nobody looks at."""
    folder.mkdir(parents=True, exist_ok=True)
    ffmpeg = find_ffmpeg().path
    pictures = []
    for number in range(min(count, PICTURES)):
        path = folder / f"picture{number}.mp4"
        source = f"testsrc=s=64x36:r=10:d=1.5,hue=h={number * 360 // PICTURES}"
        codec = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
        subprocess.run([ffmpeg, "-v", "error", "-y", "-f", "lavfi", "-i", source, *codec, str(path)], check=True)
        pictures.append(path.read_bytes())
        path.unlink()
    clips = []
    for number in range(count):
        free = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
        clip = folder / f"{name_of(number)}.mp4"
        clip.write_bytes(pictures[number % len(pictures)] + free)
        clips.append(clip)
    return clips


@contextlib.contextmanager
def backend(root: Path, plan: Plan) -> Iterator[Backend]:
    """Run a sandbox with the script of faults, as a user would."""
    root.mkdir(parents=True)
    script = root / "faults.toml"
    script.write_text(FAULTS.format(seed=plan.seed))
    store = root / "store"
    argv = [sys.executable, "-m", "nemo_watch", "sandbox", "--listen", "127.0.0.1:0", "--store", str(store)]
    argv += ["--credits", str(CREDITS), "--faults", str(script), "--clock", str(plan.clock)]
    with (
        (root / "sandbox.log").open("wb") as log,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True) as child,
    ):
        try:
            line = child.stdout.readline() if child.stdout is not None else ""
            if not line.startswith("sandbox at "):
                raise RuntimeError(f"the sandbox did not start: {(root / 'sandbox.log').read_text()}")
            url = line.removeprefix("sandbox at ").split(",")[0]
            yield Backend(url, store, _token(url))
        finally:
            child.terminate()


def _token(url: str) -> str:
    answer = httpx.post(f"{url}/api/auth/anonymous-token", headers={"X-Client-Id": f"chaos-{os.getpid()}"}, timeout=30)
    return str(answer.raise_for_status().json()["data"]["token"])
