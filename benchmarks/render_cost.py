"""Measure a render beside one plain ffmpeg command with the same graph: `python -m benchmarks.render_cost`.

Touches: a temporary folder of about 300 MB, child processes, loopback. 1080p, 30 s, pauses cut, music and a title. Both
ways do the same work from the same program: ours compiles the draft, lays out its folder, watches the child, checks the
file to the frame and brings it to the disk; the plain command is that child by itself, in a folder made before the
clock starts, with the system's fonts and without reports of progress. They take turns, and each of them goes first in
every second pair. Wall time means something on an idle machine only: the load is printed, and CPU time is the steadier
of the two figures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from benchmarks.gauges import Row, below, show, until, verdict
from nemo_watch.media import find_ffmpeg, probe
from nemo_watch.sandbox.analyze import analyze
from nemo_watch.sandbox.compile import FONTS_DIR, Program, compile_draft
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import understand
from nemo_watch.sandbox.plan import edit
from nemo_watch.sandbox.render import FONT_FILE, Output, Source, render
from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import Caller

SECONDS = 30
PAIRS = 3
RATIO = 1.15
WORDS = 'cut the pauses, add background music and add the title "Quarterly update"'
_TONE = "aevalsrc='if(between(mod(t,6),0.5,5.2),0.4*sin(2*PI*440*t),0)':s=48000"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: on the clock, and of the processors, of this process and its children together."""

    wall_s: float
    cpu_s: float


def measured(run: Callable[[], object]) -> Cost:
    """Run something and tell what it took."""

    def cpu_s() -> float:
        used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(one.ru_utime + one.ru_stime for one in used)

    begun_s, used_s = time.monotonic(), cpu_s()
    run()
    return Cost(time.monotonic() - begun_s, cpu_s() - used_s)


def make_clip(path: Path) -> None:
    """Write the source: a picture that is hard to compress, a tone with five pauses."""
    picture = ["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=30", "-f", "lavfi", "-i", _TONE, "-t", str(SECONDS)]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run(
        [find_ffmpeg().path, "-v", "error", *picture, *codecs, str(path)], check=True, stdin=subprocess.DEVNULL
    )


async def planned(path: Path) -> tuple[dict[str, Any], Source]:
    """Make the draft of the instruction, as the sandbox does."""
    info = await probe(str(path))
    video = info.video
    if video is None:
        raise RuntimeError("the clip has no picture")
    size = (video.width, video.height, video.fps)
    asset = Asset(
        "a", "u/a", path.name, info.kind, info.duration_ms, *size, has_audio=True, hdr=False, size_bytes=1,
        analysis=await analyze(str(path), info),
    )  # fmt: skip
    wish = understand(WORDS)
    made = edit({}, wish.ops, wish.unsupported, [asset], "en")
    kinds = [track["tt"] for track in made.draft["t"]]
    if wish.unsupported or sorted(kinds) != [0, 1, 7] or len(made.draft["t"][0]["sg"]) < 5:
        raise RuntimeError(f"the instruction was not followed: {made.text}")
    return made.draft, Source(asset, str(path))


def lay_out(program: Program, clip: Path, folder: Path) -> None:
    """Put there what the program's one command reads."""
    (folder / FONTS_DIR).mkdir(parents=True)
    with resources.as_file(resources.files("nemo_watch").joinpath("data", "fonts", FONT_FILE)) as font:
        shutil.copyfile(font, folder / FONTS_DIR / FONT_FILE)
    for name, _url in program.links:
        (folder / name).symlink_to(clip)
    for name, text in program.files:
        (folder / name).write_text(text, encoding="utf-8")
    for stage in program.stages:
        (folder / stage.graph_file).write_text(stage.graph, encoding="utf-8")


def plain_line(program: Program) -> str:
    """Write the program as the line that a person would type."""
    (stage,) = program.stages
    return shlex.join([find_ffmpeg().path, "-hide_banner", "-nostdin", "-nostats", "-y", *stage.argv])


def turn_through_http(clip: Path, folder: Path) -> list[Row]:
    """Do the whole of it as a client: upload, a message, an export, the download; nothing was measured before."""
    rows: list[Row] = []

    def step(name: str, run: Callable[[], object]) -> None:
        cost = measured(run)
        rows.append({"what": name, "wall s": cost.wall_s, "CPU s": cost.cpu_s})

    with SandboxServer(folder) as sandbox, Caller(sandbox.url) as caller:
        session = caller.session()
        step("upload", lambda: caller.upload(session, clip))
        step("message (analysis and plan)", lambda: caller.say(session, WORDS))
        draft = caller.state(session)["draft"]

        def export() -> None:
            Caller.ok(caller.submit(session, draft, "r"))
            until(lambda: caller.poll("r")["status"] in ("completed", "failed"), "the export has ended", 1200)
            done = caller.poll("r")
            if done["status"] != "completed":
                raise RuntimeError(f"the export ended as {done}")

        step("export", export)
        step("download", lambda: caller.http.get("/api/render/proxy/r/download").raise_for_status())
    rows.append({"what": "all", **{key: sum(row[key] for row in rows) for key in ("wall s", "CPU s")}})
    return rows


def main() -> int:
    """Print every pair, the medians and their ratios, and the whole turn; 1 if a ratio is not what is aimed at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    pairs: int = max(parser.parse_args().pairs, 1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="nemo-watch-bench-") as name:
        root = Path(name)
        clip = root / "clip.mp4"
        make_clip(clip)
        draft, source = asyncio.run(planned(clip))
        program = compile_draft(draft, {source.asset.url: source.asset}, Output())
        line = plain_line(program)
        print(line, flush=True)

        def ours() -> Cost:
            folder = root / "ours"
            shutil.rmtree(folder, ignore_errors=True)
            return measured(lambda: asyncio.run(render(draft, {source.asset.url: source}, Output(), str(folder))))

        def plain() -> Cost:
            folder = root / "plain"
            shutil.rmtree(folder, ignore_errors=True)
            lay_out(program, clip, folder)
            env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root), "LANG": "C.UTF-8"}
            return measured(lambda: subprocess.run(["/bin/sh", "-c", f"exec {line}"], cwd=folder, env=env, check=True))

        # Once each before it counts: the clip is in the page cache then, and fontconfig knows the system's fonts.
        plain()
        ours()
        same = (root / "plain" / program.part).read_bytes() == (root / "ours" / program.result).read_bytes()
        costs: dict[str, list[Cost]] = {"plain": [], "ours": []}
        for number in range(pairs):
            ways = [("plain", plain), ("ours", ours)]
            load = os.getloadavg()[0]
            for way, run in ways if number % 2 == 0 else reversed(ways):
                costs[way].append(run())
            one, two = costs["plain"][-1], costs["ours"][-1]
            row = {"pair": number + 1, "load before": load, "plain wall s": one.wall_s, "ours wall s": two.wall_s}
            rows.append(row | {"plain CPU s": one.cpu_s, "ours CPU s": two.cpu_s})
            print(rows[-1], flush=True)
        turn = turn_through_http(clip, root / "store")
    show(f"render cost: {SECONDS} s of 1080p to {program.duration_ms / 1000:g} s, one plain command beside ours", rows)
    print(f"The two files are {'the same, byte for byte' if same else 'NOT the same'}.")
    busiest, cpus = max(row["load before"] for row in rows), os.cpu_count() or 1
    if busiest > cpus / 2:
        print(f"The machine was busy, with a load of up to {busiest:.1f} on {cpus} CPUs: wall times tell little here.")
    show("the whole turn through HTTP, for information", turn)
    medians = {
        (way, key): statistics.median(getattr(cost, key) for cost in found)
        for way, found in costs.items()
        for key in ("wall_s", "cpu_s")
    }
    ratios = {key: medians["ours", key] / medians["plain", key] for key in ("wall_s", "cpu_s")}
    return verdict(
        ("both ways make the same file", same),
        below("a render takes of the plain command's wall time", ratios["wall_s"], RATIO, "times"),
        below("a render takes of the plain command's CPU time", ratios["cpu_s"], RATIO, "times"),
    )


if __name__ == "__main__":
    sys.exit(main())
