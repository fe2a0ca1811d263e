"""`demo`: the whole story, from a dropped clip to a file that plays, shown as it happens.

Touches: a temporary folder, and everything that the daemon touches there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import tomllib

from rich.console import Console
from rich.tree import Tree

from nemo_watch import config as configuration
from nemo_watch import log, media
from nemo_watch.cli import EXIT_FOUND, EXIT_GOOD
from nemo_watch.cli.pictures import safe
from nemo_watch.cli.running import show_progress
from nemo_watch.cli.setup import FOLDERS, WORDS, write_config
from nemo_watch.daemon import Daemon
from nemo_watch.intake import SettleRules
from nemo_watch.model import Json

INSTRUCTION = "cut the pauses, add background music, and export in 1080p"
CLIP_S = 12.0
PAUSES_S = ((2.2, 4.4), (6.8, 8.6), (10.4, 11.6))


def run_demo(*, keep: bool) -> int:
    """Show the demo; 0 only if the delivered file was decoded and is shorter by its pauses."""
    console = Console(highlight=False, soft_wrap=True)
    folder = tempfile.mkdtemp(prefix="nemo-watch-demo-")
    try:
        return asyncio.run(_demo(console, folder))
    finally:
        if not keep:
            shutil.rmtree(folder)


async def _demo(console: Console, folder: str) -> int:
    log.configure(level="warning")
    config_path = os.path.join(folder, "config.toml")
    write_config(config_path, folder, sandbox=True, extra={"state": {"path": os.path.join(folder, "state")}})
    for name in FOLDERS:
        os.makedirs(os.path.join(folder, name))
    clip = os.path.join(folder, "inbox", "talk.mp4")
    console.print("[bold]A clip is made[/bold]: twelve seconds of a voice-like sound with three pauses ...")
    await make_clip(os.path.join(folder, "talk.mp4"))
    os.rename(os.path.join(folder, "talk.mp4"), clip)
    _write(os.path.join(folder, "inbox", "talk.txt"), INSTRUCTION + "\n")
    console.print(f"and dropped into the inbox with [bold]talk.txt[/bold]: [italic]{INSTRUCTION}[/italic]\n")
    before = await media.probe(clip)
    console.print(_picture("before", folder))
    # The one writer of this folder is this program itself: a short window is enough.
    quick = SettleRules(closed_s=0.5, open_s=0.5, sidecar_s=0.5, sidecar_wait_s=2.0)
    daemon = Daemon(configuration.load(config_path, os.environ), env={}, settle=quick)
    async with daemon.running():
        show = asyncio.create_task(show_progress(daemon, console)) if console.is_terminal else None
        if show is None:
            console.print("\nIt is uploaded to the sandbox, edited, exported and fetched back ...")
        await daemon.work_off()
        if show is not None:
            show.cancel()
    console.print()
    console.print(_picture("after", folder))
    return await _judge(console, folder, before)


async def _judge(console: Console, folder: str, before: media.MediaInfo) -> int:
    result = os.path.join(folder, "outbox", "talk.mp4")
    report_path = os.path.join(folder, "outbox", "talk.report.toml")
    if not os.path.exists(result) or not os.path.exists(report_path):
        error_path = os.path.join(folder, "rejects", "talk.mp4.error.toml")
        console.print("\n[red]No result was delivered.[/red]")
        if os.path.exists(error_path):
            console.print(safe(_read(error_path)["message"]))
        return EXIT_FOUND
    report = _read(report_path)
    after = await media.verify_video(result)
    cut_s = (before.duration_ms - after.duration_ms) / 1000
    size = f"{after.video.width}x{after.video.height}" if after.video else "no picture"
    console.print(f"\n{safe(report['timeline'])}")
    console.print(f"[bold]Reply[/bold]: {safe(report['reply'])}")
    console.print(
        f"[bold]Cut[/bold]: {cut_s:.1f} s of pauses "
        f"({before.duration_ms / 1000:.1f} s before, {after.duration_ms / 1000:.1f} s after), {size}"
    )
    console.print(f"[bold]Play it[/bold]: {safe(result)}")
    good = cut_s > 1.0 and after.video is not None and after.video.height == 1080
    if not good:
        console.print("[red]The result is not what was asked for.[/red]")
    return EXIT_GOOD if good else EXIT_FOUND


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def _read(path: str) -> Json:
    with open(path, "rb") as file:
        return tomllib.load(file)


def _picture(when: str, folder: str) -> Tree:
    tree = Tree(f"[bold]{when}[/bold]  {safe(folder)}")
    for name in FOLDERS:
        branch = tree.add(f"[cyan]{name}[/cyan]  [dim]{WORDS[name]}[/dim]")
        place = os.path.join(folder, name)
        for file in sorted(os.listdir(place)):
            branch.add(f"{safe(file)}  [dim]{os.path.getsize(os.path.join(place, file)):,} bytes[/dim]")
    return tree


async def make_clip(path: str) -> None:
    """Make a clip whose sound is like speech: a buzzing voice in syllables, with pauses. Raises: MediaToolError."""
    silent = "+".join(f"between(t,{start},{end})" for start, end in PAUSES_S)
    # A glottal buzz around 120 Hz with its harmonics, shaped into four syllables a second.
    voice = "+".join(f"sin(2*PI*t*{n}*(118+9*sin(2*PI*0.7*t)))/{n}" for n in range(1, 7))
    sound = f"0.22*(1-min(1,{silent}))*(0.55+0.45*sin(2*PI*4*t))*({voice})"
    picture = f"testsrc2=size=960x540:rate=30:duration={CLIP_S}"
    args = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"aevalsrc=exprs='{sound}':s=48000:d={CLIP_S}"]
    args += [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "23",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-b:a",
        "128k",
    ]
    args += ["-movflags", "+faststart", "-shortest", "-f", "mp4", path]
    await media.run_ffmpeg(args, cwd=os.path.dirname(path))
