"""Render a draft and vouch for the file: right frames, right length, or no file. Touches: files, child processes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import Any
from xml.sax.saxutils import escape

from nemo_watch.errors import MediaError
from nemo_watch.media import Progress, RunLimits, RunResult, measure, probe, run_ffmpeg
from nemo_watch.sandbox.ass import FONT_FAMILY
from nemo_watch.sandbox.compile import FONTS_DIR, Output, Program, compile_draft
from nemo_watch.sandbox.errors import DraftError, RenderError
from nemo_watch.sandbox.facts import Asset

__all__ = ["DraftError", "Output", "RenderError", "RenderedFile", "Source", "render"]

FONT_FILE = "DejaVuSans-Bold.ttf"
_FONTS_CONFIG = "fonts.conf"
_FONTS_CACHE = "fontcache"
_SYSTEM_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts")


@dataclass(frozen=True, slots=True)
class Source:
    """An upload and where its bytes lie."""

    asset: Asset
    path: str


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file that was checked: every frame and sample that the draft names is in it."""

    path: str
    duration_ms: int
    size_bytes: int
    width: int
    height: int


async def render(
    draft: Mapping[str, Any],
    sources: Mapping[str, Source],
    output: Output,
    job_dir: str,
    on_progress: Callable[[float], None] | None = None,
    *,
    fonts_dir: str = "",
) -> RenderedFile:
    """Render a draft into `job_dir`, as `out.mp4` (or `out.mov`), only if it has the frames that were asked for.

    `sources` are the session's uploads by url. `on_progress` is given per cent, rising, 100 at the end. Characters
    that the bundled font lacks are taken from `fonts_dir` or the system's fonts, if there are any.

    Raises: DraftError for a draft that cannot be rendered, RenderError if no good file came of it, MediaToolError
        without a usable ffmpeg.
    Effects: files in `job_dir` (made if it is missing); after a failure or a cancellation no result and no part of one.
    Repeat: safe.
    Source: render.md 5 and 6, measured.
    """
    job_dir = os.path.abspath(job_dir)
    program = compile_draft(draft, {url: source.asset for url, source in sources.items()}, output)
    try:
        _prepare(program, sources, job_dir, fonts_dir)
        await _run(program, job_dir, on_progress or _ignore)
        size_bytes = await _check(program, job_dir)
        await asyncio.to_thread(_publish, program, job_dir)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise RenderError(f"The video could not be written: {error.strerror or error}.", again=full) from error
    finally:
        _sweep(program, job_dir)
    if on_progress is not None:
        on_progress(100.0)
    size = (program.width, program.height)
    return RenderedFile(os.path.join(job_dir, program.result), program.duration_ms, size_bytes, *size)


def _ignore(_per_cent: float) -> None:
    return


def _prepare(program: Program, sources: Mapping[str, Source], job_dir: str, fonts_dir: str) -> None:
    os.makedirs(job_dir, exist_ok=True)
    _sweep(program, job_dir)
    _remove(os.path.join(job_dir, program.result))
    for name, url in program.links:
        path = os.path.abspath(sources[url].path)
        if not os.path.isfile(path):
            raise RenderError(f"The upload {sources[url].asset.filename} is gone.")
        link = os.path.join(job_dir, name)
        _remove(link)
        os.symlink(path, link)
    texts = {stage.graph_file: stage.graph for stage in program.stages} | dict(program.files)
    for name, text in texts.items():
        with open(os.path.join(job_dir, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    _lay_out_fonts(job_dir, fonts_dir)
    needed = 2 * _estimate_bytes(program)
    if shutil.disk_usage(job_dir).free < needed:
        raise RenderError(f"The disk has less than the {needed // 2**20} MB free that this video may need.", again=True)


def _lay_out_fonts(job_dir: str, fonts_dir: str) -> None:
    """Give libass the bundled font, and fontconfig a file of ours.

    Source: measured: without a font libass draws nothing and ffmpeg ends with 0; without a valid file fontconfig takes
    the system's folders, and which font it picks there is another one on every machine.
    """
    folder = os.path.join(job_dir, FONTS_DIR)
    os.makedirs(folder, exist_ok=True)
    bundled = resources.files("nemo_watch").joinpath("data", "fonts", FONT_FILE)
    with resources.as_file(bundled) as path:
        shutil.copyfile(path, os.path.join(folder, FONT_FILE))
    further = [os.path.abspath(fonts_dir)] if fonts_dir else []
    folders = [folder, *(name for name in (*further, *_SYSTEM_FONTS) if os.path.isdir(name))]
    lines = "".join(f"  <dir>{escape(name)}</dir>\n" for name in folders)
    cache = escape(os.path.join(job_dir, _FONTS_CACHE))
    with open(os.path.join(job_dir, _FONTS_CONFIG), "w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>\n'
            f"{lines}  <cachedir>{cache}</cachedir>\n"
            # A family that nobody has would otherwise become any font at all (a mathematical one was seen).
            '  <match target="pattern"><edit name="family" mode="append_last">'
            f"<string>{FONT_FAMILY}</string></edit></match>\n</fontconfig>\n"
        )


def _estimate_bytes(program: Program) -> int:
    """Guess on the high side: the most that was seen is 0.13 bit for each pixel, and 20 kB of sound a second."""
    seconds = float(program.frames / program.fps)
    return 8 * 2**20 + round(program.width * program.height * program.frames * 0.15 / 8 + seconds * 20_000)


async def _run(program: Program, job_dir: str, on_progress: Callable[[float], None]) -> None:
    whole = sum(stage.frames for stage in program.stages)
    before = 0
    highest = 0.0

    def told(progress: Progress) -> None:
        nonlocal highest
        highest = max(highest, min(99.0, 100.0 * (before + progress.frames) / whole))
        on_progress(highest)

    env = {"FONTCONFIG_FILE": os.path.join(job_dir, _FONTS_CONFIG)}
    for stage in program.stages:
        seconds = float(stage.frames / program.fps)
        limits = RunLimits(wall_s=60 + 20 * seconds, output_bytes=256 * 2**20 + 8 * _estimate_bytes(program))
        done = await run_ffmpeg(stage.argv, cwd=job_dir, on_progress=told, limits=limits, env=env)
        if not done.ok:
            raise _failure(done)
        before += stage.frames


def _failure(done: RunResult) -> RenderError:
    if done.stopped == "stall":
        return RenderError("Rendering stood still for a minute and was ended.", again=True)
    if done.stopped == "wall":
        return RenderError("Rendering took longer than twenty times the video's length and was ended.", again=True)
    if "No space left on device" in done.stderr or "Disk quota exceeded" in done.stderr:
        return RenderError("The disk is full: the video could not be written.", again=True)
    return RenderError(f"Rendering failed: {done.last_line[:300] or f'ffmpeg ended with {done.returncode}'}.")


async def _check(program: Program, job_dir: str) -> int:
    """Compare what was written with what was asked for, to the frame.

    Source: measured: ffmpeg ends with 0 on a source that breaks off (render.md 6).
    """
    part = os.path.join(job_dir, program.part)
    try:
        info = await probe(part)
    except MediaError as error:
        raise RenderError(f"The rendered file does not open: {error.message}") from error
    picture, sound = await measure(part, "v"), await measure(part, "a")
    if picture.frames != program.frames:
        got_s, wanted_s = (float(frames / program.fps) for frames in (picture.frames, program.frames))
        raise RenderError(
            f"The rendered video has {got_s:.2f} s in place of {wanted_s:.2f} s: "
            "a source ends before its stated length or is damaged."
        )
    if abs(sound.out_ms - program.duration_ms) > Fraction(1000) / program.fps + 25:
        raise RenderError(f"The rendered sound has {sound.out_ms} ms in place of {program.duration_ms} ms.")
    if info.video is None or (info.video.width, info.video.height) != (program.width, program.height):
        raise RenderError(f"The rendered picture is not {program.width} by {program.height}.")
    return os.path.getsize(part)


def _publish(program: Program, job_dir: str) -> None:
    part = os.path.join(job_dir, program.part)
    fd = os.open(part, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(part, os.path.join(job_dir, program.result))


def _sweep(program: Program, job_dir: str) -> None:
    """Remove parts, also those of a run that was killed: a new file under the name, never a written-over one."""
    for name in (program.part, *(stage.output for stage in program.stages)):
        _remove(os.path.join(job_dir, name))


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
