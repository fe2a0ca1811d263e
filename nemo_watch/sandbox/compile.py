"""Turn a draft into ffmpeg's arguments, a filter graph and a text file. Pure.

One input for each run that goes forward in a source, cut on the output's frame grid by frame numbers, joined by
`concat`: measured to be exact to the frame, with memory that hardly grows (render.md 5). More than 16 inputs are
rendered in parts first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nemo_watch.sandbox.ass import ass_document
from nemo_watch.sandbox.draft import read_timeline
from nemo_watch.sandbox.errors import DraftError
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.graph import FONTS_DIR, RATE, TEXT_FILE, Graph
from nemo_watch.sandbox.timeline import Clip, Output, Timeline

__all__ = ["FONTS_DIR", "DraftError", "Output", "Program", "Stage", "compile_draft"]

MOST_INPUTS = 16
FORWARD_GAP_S = 10
_QUALITY = {
    "draft": ("superfast", "26"),
    "standard": ("veryfast", "23"),
    "high": ("veryfast", "20"),
    "best": ("medium", "18"),
}
_MUXERS = {"mp4": "mp4", "mov": "mov"}

Run = tuple[Clip, ...]
"""Clips that share one input: they go forward in one source."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of ffmpeg: its arguments (relative names, of the job's folder), its graph and the file it writes."""

    argv: tuple[str, ...]
    graph_file: str
    graph: str
    output: str
    frames: int


@dataclass(frozen=True, slots=True)
class Program:
    """All that is needed to render a draft. `links` are (name in the job's folder, url of the asset it stands for).

    `files` are small files to write there before; `stages` run one after the other, the last makes `result`.
    """

    stages: tuple[Stage, ...]
    links: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]
    result: str
    part: str
    width: int
    height: int
    fps: Fraction
    frames: int

    @property
    def duration_ms(self) -> int:
        return round(self.frames / self.fps * 1000)


def compile_draft(draft: Mapping[str, Any], assets: Mapping[str, Asset], output: Output) -> Program:
    """Compile a draft for these uploads (by url) and this output.

    Raises: DraftError with a sentence for anything that is out of range or cannot be rendered.
    Source: contract.md 11.2, render.md 5 and 6.
    """
    if output.format not in _MUXERS:
        raise DraftError(f'The format "{str(output.format)[:20]}" is not possible: this backend writes mp4 and mov.')
    if output.quality not in _QUALITY:
        raise DraftError(f'The quality "{str(output.quality)[:20]}" is none of {", ".join(_QUALITY)}.')
    timeline = read_timeline(draft, assets, output)
    return _Compiler(timeline, assets, output).program()


class _Compiler:
    def __init__(self, timeline: Timeline, assets: Mapping[str, Asset], output: Output) -> None:
        self._line = timeline
        self._assets = assets
        self._output = output
        self._links: dict[str, str] = {}

    def program(self) -> Program:
        line, output = self._line, self._output
        result = f"out.{output.format}"
        part = f"{result}.part"
        stages: list[Stage] = []
        runs = list(_runs(line.clips, self._assets, line.fps))
        batches = list(_batches(runs))
        if len(batches) > 1:
            names = [f"part{number:03}.mov" for number in range(1, len(batches) + 1)]
            stages = [self._part(batch, name) for batch, name in zip(batches, names, strict=True)]
            pieces = [(name, stage.frames) for name, stage in zip(names, stages, strict=True)]
            graph = Graph(line)
            graph.pieces(pieces)
        else:
            graph = Graph(line)
            self._clips(graph, runs)
        self._sounds(graph)
        for overlay in line.overlays:
            graph.overlay(overlay, self._link(self._assets[overlay.src]))
        graph.text_and_end()
        preset, crf = _QUALITY[output.quality]
        codecs = (
            *("-c:v", "libx264", "-preset", preset, "-crf", crf, "-profile:v", "high", "-pix_fmt", "yuv420p"),
            *("-r", str(line.fps), "-c:a", "aac", "-b:a", "160k", "-ar", str(RATE), "-ac", "2"),
            *("-movflags", "+faststart", "-f", _MUXERS[output.format]),
        )
        stages.append(_stage(graph, "graph.txt", codecs, part, line.frames))
        files = ((TEXT_FILE, ass_document(line.texts, line.width, line.height)),) if line.texts else ()
        links = tuple((name, url) for url, name in self._links.items())
        size = (line.width, line.height, line.fps, line.frames)
        return Program(tuple(stages), links, files, result, part, *size)

    def _part(self, runs: Sequence[Run], name: str) -> Stage:
        graph = Graph(self._line)
        self._clips(graph, runs)
        graph.end()
        frames = sum(clip.frames for run in runs for clip in run)
        codecs = (
            *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p"),
            *("-r", str(self._line.fps), "-c:a", "pcm_s16le", "-ar", str(RATE), "-ac", "2", "-f", "mov"),
        )
        return _stage(graph, f"{name}.graph.txt", codecs, name, frames)

    def _clips(self, graph: Graph, runs: Sequence[Run]) -> None:
        clips = [clip for run in runs for clip in run]
        done = 0
        for run in runs:
            asset = self._assets[run[0].src] if run[0].src else None
            joints = [_joint(clips, done + index) for index in range(len(run))]
            if asset is None:
                graph.gap(run[0])
            elif asset.kind == "image":
                graph.still(run[0], self._link(asset), hdr=asset.hdr)
            else:
                graph.run(run, asset, self._link(asset), joints)
            done += len(run)
        graph.join()

    def _sounds(self, graph: Graph) -> None:
        for sound in self._line.sounds:
            graph.sound(sound, "" if sound.mood else self._link(self._assets[sound.src]))
        graph.mix()

    def _link(self, asset: Asset) -> str:
        """Name the source in the job's folder: no name of a user, and no suffix that could choose a reader."""
        return self._links.setdefault(asset.url, f"u{len(self._links) + 1}")


def _stage(graph: Graph, graph_file: str, codecs: Sequence[str], output: str, frames: int) -> Stage:
    argv = (
        *("-v", "error", *graph.inputs, "-/filter_complex", graph_file, "-map", "[vo]", "-map", "[ao]"),
        *("-map_metadata", "-1", "-map_chapters", "-1", *codecs, output),
    )
    return Stage(argv, graph_file, ";\n".join(graph.chains) + "\n", output, frames)


def _runs(clips: Sequence[Clip], assets: Mapping[str, Asset], fps: Fraction) -> Iterator[Run]:
    """Group neighbours that go forward in one source with no gap of 10 s: others would keep raw pictures in memory."""
    run: list[Clip] = []
    for clip in clips:
        follows = (
            bool(run)
            and clip.src == run[-1].src
            and clip.src != ""
            and assets[clip.src].kind != "image"
            and 0 <= clip.first - run[-1].end < FORWARD_GAP_S * fps
        )
        if run and not follows:
            yield tuple(run)
            run = []
        run.append(clip)
    if run:
        yield tuple(run)


def _batches(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Split so that no batch opens more than 16 inputs; gaps cost none."""
    batch: list[Run] = []
    inputs = 0
    for run in runs:
        costs = 1 if run[0].src else 0
        if batch and inputs + costs > MOST_INPUTS:
            yield batch
            batch, inputs = [], 0
        batch.append(run)
        inputs += costs
    if batch:
        yield batch


def _joint(clips: Sequence[Clip], index: int) -> tuple[bool, bool]:
    """Say whether the sound is cut before and after a clip: there it is faded for 8 ms, which nobody hears as such."""

    def seamless(before: int, after: int) -> bool:
        if before < 0 or after >= len(clips):
            return False
        one, two = clips[before], clips[after]
        return one.src == two.src and one.end == two.first and one.speed == two.speed == 1 and one.volume == two.volume

    return not seamless(index - 1, index), not seamless(index, index + 1)
