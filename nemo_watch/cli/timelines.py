"""The timeline of a draft drawn in characters: a bar for each track over an axis of seconds. Pure.

A bar is readable without colour, and without block characters: each piece of a track has another shade than the one
before it. Whatever a draft holds, no line is wider than was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from nemo_watch.cli.pictures import plain
from nemo_watch.reply import TrackView

BLOCKS, LETTERS = ("█", "▓"), ("#", "=")
LEAST, MOST = 20, 200
BESIDE = 90
"""From so many columns on there is room for words beside the bars; else they stand below."""
MOST_TRACKS = 40
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400)
_TICK = 9


def draw(tracks: Sequence[TrackView], length_s: float, width: int, *, blocks: bool = True) -> list[str]:
    """Draw tracks over `length_s` seconds or to their ends, no line wider than `width` (20 columns at least)."""
    if not tracks:
        return []
    width = max(LEAST, min(MOST, width))
    ends = [end for track in tracks for _start, end in track.pieces]
    total_s = max([length_s, *ends])
    labels = [plain(track.label) for track in tracks]
    margin = min(max(cell_len(label) for label in labels), width // 3) + 1
    room = width - margin
    is_beside = width >= BESIDE
    bar = room - (width // 3) - 1 if is_beside else room
    lines = [" " * margin + axis for axis in _axis(total_s, bar)] if total_s > 0 else []
    for label, track in zip(labels[:MOST_TRACKS], tracks, strict=False):
        lines += _track(set_cell_size(label, margin - 1), track, total_s, bar, width, BLOCKS if blocks else LETTERS)
    if len(tracks) > MOST_TRACKS:
        lines.append(f"and {len(tracks) - MOST_TRACKS} more tracks"[:width])
    return [line.rstrip() for line in lines]


def _track(label: str, track: TrackView, total_s: float, bar: int, width: int, shades: tuple[str, str]) -> list[str]:
    drawn = _bar(track, total_s, bar, shades)
    words = _words(track)
    if width >= BESIDE:
        return [f"{label} {drawn} {_cut(words, width - cell_len(label) - bar - 2)}"]
    indent = " " * (cell_len(label) + 1)
    return [f"{label} {drawn}", indent + _cut(words, bar)]


def _words(track: TrackView) -> str:
    parts = [plain(track.name)] if track.name else []
    low, high = track.volumes or (100, 100)
    if (low, high) != (100, 100):
        parts.append(f"{low} %" if low == high else f"{low}-{high} %")
    return ", ".join(parts)


def _cut(words: str, room: int) -> str:
    return words if cell_len(words) <= room else set_cell_size(words, max(0, room - 1)).rstrip() + "…"


def _bar(track: TrackView, total_s: float, room: int, shades: tuple[str, str]) -> str:
    """Draw the pieces of a track; even the shortest has a cell of its own, as long as there are enough of them."""
    cells = [" "] * room
    if total_s <= 0:
        return "".join(cells)
    for number, (start_s, end_s) in enumerate(sorted(track.pieces)):
        first = min(room - 1, max(0, round(start_s / total_s * room)))
        last = min(room, max(first + 1, round(end_s / total_s * room)))
        cells[first:last] = shades[number % 2] * (last - first)
    return "".join(cells)


def _axis(total_s: float, room: int) -> Iterator[str]:
    """Draw the moments above the bars, as many as there is room for."""
    step = _step(total_s, max(1, room // _TICK))
    line = [" "] * room
    free_from = 0
    for number in range(int(total_s / step + 1e-9) + 1):
        words = _moment(number * step, step)
        at = min(round(number * step / total_s * room), room - len(words))
        if at >= free_from:
            line[at : at + len(words)] = words
            free_from = at + len(words) + 1
    yield "".join(line)


def _step(total_s: float, most: int) -> float:
    """Choose a round distance between two moments, so that there are no more than so many of them."""
    return next((step for step in _STEPS_S if total_s / step <= most), total_s)


def _moment(moment_s: float, step_s: float) -> str:
    if step_s >= 60:
        minutes = round(moment_s / 60)
        return f"{minutes // 60}:{minutes % 60:02}h" if minutes >= 60 else f"{minutes}min"
    return f"{moment_s:.3f}".rstrip("0").rstrip(".") + "s"
