"""Which parts of a timeline stay: pauses, intro and outro, the strongest parts. Pure.

What was measured in the sources is seen through the segments as times of the timeline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nemo_watch.sandbox.facts import Analysis
from nemo_watch.sandbox.intent import Trim
from nemo_watch.sandbox.plan.board import MOST_PIECES, Board, Span

PAD_MS = 120
SHORTEST_PAUSE_MS = 500
SHORTEST_KEEP_MS = 200
SMALLEST_CONTRAST_DB = 6.0
_TOUCH_MS = 20
_LEAST_EDGE_MS = 100
_INTRO_SHARE = 0.2
_INTRO_MIN_MS, _INTRO_MAX_MS = 1000, 15_000
WINDOW_MS = 6000
_SCENE_BONUS_DB = 3.0
_SNAP_MS = 1000
_QUIET_DB = -120.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """One segment as seen on the timeline: where it lies, its silences, scene changes and loudness there."""

    start: int
    end: int
    silences: tuple[Span, ...] = ()
    scenes: tuple[int, ...] = ()
    loudness: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """All segments of a timeline as they look and sound."""

    total: int
    stretches: tuple[Stretch, ...] = ()
    heard: bool = False

    @property
    def silences(self) -> list[Span]:
        """Silences of the timeline; two that touch where segments meet are one."""
        return merged([span for stretch in self.stretches for span in stretch.silences])


def view(board: Board) -> View:
    """Look at a board's timeline."""
    stretches, heard = [], False
    for seg in board.main():
        start, length, first = int(seg["s"]), int(seg["d"]), int(seg.get("ss", 0))
        speed = float(seg.get("sp", 1.0))
        asset = board.asset(seg)
        analysis = asset.analysis if asset is not None else None
        if analysis is None:
            stretches.append(Stretch(start, start + length))
            continue
        heard = heard or bool(analysis.loudness)
        last = first + round(length * speed)

        def on(ms: int, start: int = start, first: int = first, speed: float = speed, length: int = length) -> int:
            return start + min(max(round((ms - first) / speed), 0), length)

        silences = [(on(a), on(b)) for a, b in analysis.silences if a < last and b > first] if _speaks(analysis) else []
        scenes = [on(ms) for ms in analysis.scenes_ms if first < ms < last]
        loudness = [(on(ms), db) for ms, db in analysis.loudness if first <= ms < last]
        stretches.append(Stretch(start, start + length, tuple(silences), tuple(scenes), tuple(loudness)))
    return View(board.duration_ms, tuple(stretches), heard)


def _speaks(analysis: Analysis) -> bool:
    """Tell whether quiet and loud can be told apart; where they cannot, nothing is called a pause."""
    if analysis.speech_db is None or analysis.floor_db is None:
        return False
    return analysis.speech_db - analysis.floor_db >= SMALLEST_CONTRAST_DB


# ---------------------------------------------------------------- spans


def merged(spans: Sequence[Span], gap: int = 0) -> list[Span]:
    """Join spans that overlap, touch or are less than `gap` apart."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start - found[-1][1] <= max(gap - 1, 0):
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def without(total: int, drops: Sequence[Span]) -> list[Span]:
    """Give what is left of a timeline when these are taken away."""
    found, at = [], 0
    for start, end in merged([(max(a, 0), min(b, total)) for a, b in drops]):
        if start > at:
            found.append((at, start))
        at = end
    if at < total:
        found.append((at, total))
    return found


def length(spans: Sequence[Span]) -> int:
    """Give the length of spans in all."""
    return sum(end - start for start, end in spans)


# ---------------------------------------------------------------- pauses


def pauses(seen: View, min_ms: int, pad_ms: int) -> list[Span]:
    """Find what to cut of the pauses, each as one span of the timeline; empty if there are none worth a cut.

    Where sound begins and ends `pad_ms` stay; what would be left between two cuts and is shorter than 0.2 s goes too.

    Source: render.md 5, "Silence threshold".
    """
    drops: list[Span] = []
    for stretch in seen.stretches:
        for a, b in stretch.silences:
            if b - a < min_ms:
                continue
            start = stretch.start if a - stretch.start <= _TOUCH_MS else a + pad_ms
            end = stretch.end if stretch.end - b <= _TOUCH_MS else b - pad_ms
            if end - start >= _LEAST_EDGE_MS:
                drops.append((start, end))
    # Each cut makes one more piece, and a draft can hold only so many: the longest pauses are worth the most.
    room = max(0, MOST_PIECES - len(seen.stretches))
    drops = sorted(drops, key=lambda span: (span[0] - span[1], span[0]))[:room]
    found = merged(drops, SHORTEST_KEEP_MS)
    if found and found[0][0] < SHORTEST_KEEP_MS:
        found[0] = (0, found[0][1])
    if found and seen.total - found[-1][1] < SHORTEST_KEEP_MS:
        found[-1] = (found[-1][0], seen.total)
    return found if length(without(seen.total, found)) >= SHORTEST_KEEP_MS else []


# ---------------------------------------------------------------- ends


def head_silence(seen: View) -> int:
    """Tell how much quiet there is to cut before the first sound."""
    first = next(iter(seen.silences), None)
    if first is None or first[0] > _TOUCH_MS or first[1] >= seen.total - _TOUCH_MS:
        return 0
    cut = first[1] - PAD_MS
    return cut if cut >= _LEAST_EDGE_MS else 0


def tail_silence(seen: View) -> int:
    """Tell how much quiet there is to cut after the last sound."""
    last = next(reversed(seen.silences), None)
    if last is None or seen.total - last[1] > _TOUCH_MS or last[0] <= _TOUCH_MS:
        return 0
    cut = seen.total - last[0] - PAD_MS
    return cut if cut >= _LEAST_EDGE_MS else 0


def intro_end(seen: View) -> int:
    """Find where an intro ends: the first end of a pause or change of scene in the first fifth; 0 if there is none.

    At least one second and at most 15 are an intro.
    """
    last = min(_INTRO_MAX_MS, round(seen.total * _INTRO_SHARE))
    marks = [b - PAD_MS for a, b in seen.silences if b - a >= SHORTEST_PAUSE_MS]
    marks += [scene for stretch in seen.stretches for scene in (*stretch.scenes, stretch.start)]
    return min((mark for mark in marks if _INTRO_MIN_MS <= mark <= last), default=0)


def outro_start(seen: View) -> int:
    """Find where an outro starts, the same way from the end; the timeline's length if there is none."""
    first = seen.total - min(_INTRO_MAX_MS, round(seen.total * _INTRO_SHARE))
    marks = [a + PAD_MS for a, b in seen.silences if b - a >= SHORTEST_PAUSE_MS]
    marks += [scene for stretch in seen.stretches for scene in (*stretch.scenes, stretch.start)]
    return max((mark for mark in marks if first <= mark <= seen.total - _INTRO_MIN_MS), default=seen.total)


@dataclass(slots=True)
class Trimmed:
    """What trims make of a timeline: what stays, what each cut, and those that found nothing to cut."""

    keep: list[Span]
    cuts: list[tuple[Trim, int]] = field(default_factory=list)
    missed: list[Trim] = field(default_factory=list)


def trimmed(seen: View, trims: Sequence[Trim]) -> Trimmed:
    """Apply trims, all to the timeline as it is: their order does not matter."""
    total = seen.total
    drops: list[Span] = []
    keeps: list[Span] = []
    result = Trimmed([(0, total)])
    for trim in trims:
        spans, keep = _spans(seen, trim)
        spans = [(max(a, 0), min(b, total)) for a, b in spans]
        spans = [(a, b) for a, b in spans if a < b]
        sensible = bool(spans) and (keep or length(spans) < total)
        if not sensible or (keep and length(spans) >= total):
            result.missed.append(trim)
            continue
        (keeps if keep else drops).extend(spans)
        result.cuts.append((trim, total - length(spans) if keep else length(spans)))
    left = without(total, drops)
    if keeps:
        left = [(max(a, c), min(b, d)) for a, b in left for c, d in merged(keeps) if max(a, c) < min(b, d)]
    result.keep = left if length(left) >= SHORTEST_KEEP_MS else [(0, total)]
    if length(left) < SHORTEST_KEEP_MS:
        result.missed += [trim for trim, _ in result.cuts]
        result.cuts = []
    return result


def _spans(seen: View, trim: Trim) -> tuple[list[Span], bool]:
    """Give the spans a trim is about and whether it keeps them."""
    total = seen.total
    end = total if trim.end_ms is None else trim.end_ms
    match trim.part:
        case "intro":
            return [(0, intro_end(seen))], False
        case "outro":
            return [(outro_start(seen), total)], False
        case "edges":
            return [(0, head_silence(seen)), (total - tail_silence(seen), total)], False
        case "head_edge":
            return [(0, head_silence(seen))], False
        case "tail_edge":
            return [(total - tail_silence(seen), total)], False
        case "head":
            return [(0, trim.start_ms)], False
        case "tail":
            return [(total - trim.start_ms, total)], False
        case "last":
            return [(total - trim.start_ms, total)], True
        case "drop":
            return [(trim.start_ms, end)], False
        case "keep":
            return [(trim.start_ms, end)], True


# ---------------------------------------------------------------- the strongest parts


def strongest(seen: View, target_ms: int) -> list[Span]:
    """Pick the loudest and liveliest six-second windows, in their order, exactly `target_ms` in all.

    A change of scene counts for a window; ends are moved to a pause within a second. A timeline that is not longer
    stays whole.
    """
    total = seen.total
    if total <= target_ms:
        return [(0, total)]
    starts = list(range(0, total, WINDOW_MS))
    scores = [_score(seen, start, min(start + WINDOW_MS, total)) for start in starts]
    wanted = min(len(starts), math.ceil(target_ms / WINDOW_MS))
    if len(set(scores)) == 1:  # nothing to choose by: take them from all over
        chosen = sorted({round(i * (len(starts) - 1) / max(wanted - 1, 1)) for i in range(wanted)})
    else:
        chosen = sorted(sorted(range(len(starts)), key=lambda i: (-scores[i], i))[:wanted])
    spans = merged([(starts[i], min(starts[i] + WINDOW_MS, total)) for i in chosen])
    return _exactly([_snapped(seen, span) for span in spans], target_ms, total)


def _score(seen: View, start: int, end: int) -> float:
    powers = [10 ** (db / 10) for s in seen.stretches for ms, db in s.loudness if start <= ms < end]
    level = 10 * math.log10(max(sum(powers) / len(powers), 1e-12)) if powers else _QUIET_DB
    lively = any(start <= ms < end for s in seen.stretches for ms in s.scenes)
    full = (end - start) / WINDOW_MS  # what is left at the end is not worth as much as a whole window
    return round(level + (_SCENE_BONUS_DB if lively else 0.0) + 20 * (full - 1), 3)


def _snapped(seen: View, span: Span) -> Span:
    """Begin where a pause ends and end where one begins, if there is one within a second."""
    begins = [b - PAD_MS for a, b in seen.silences if b - a >= 2 * PAD_MS]
    ends = [a + PAD_MS for a, b in seen.silences if b - a >= 2 * PAD_MS]
    start = min((x for x in begins if abs(x - span[0]) <= _SNAP_MS), key=lambda x: abs(x - span[0]), default=span[0])
    end = min((x for x in ends if abs(x - span[1]) <= _SNAP_MS), key=lambda x: abs(x - span[1]), default=span[1])
    start, end = max(start, 0), min(end, seen.total)
    return (start, end) if end - start >= _SNAP_MS else span


def _exactly(spans: Sequence[Span], target_ms: int, total: int) -> list[Span]:
    """Shorten from the end, or lengthen into what lies between, until the length is right to the millisecond."""
    found = merged(spans)
    while (over := length(found) - target_ms) > 0:
        start, end = found[-1]
        if end - start - over >= _SNAP_MS or len(found) == 1:
            found[-1] = (start, end - over)
        else:
            # a last part of under a second is a flash: the one before gives the rest
            found.pop()
    short = target_ms - length(found)
    for at in range(len(found)):
        if short <= 0:
            break
        room = (found[at + 1][0] if at + 1 < len(found) else total) - found[at][1]
        grow = min(short, room)
        found[at] = (found[at][0], found[at][1] + grow)
        short -= grow
    if short > 0:
        found[0] = (found[0][0] - short, found[0][1])
    return merged(found)
