"""Captions on the timeline: whose words are shown, when, and what is said of those that are not there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nemo_watch.sandbox.facts import Asset, Cue
from nemo_watch.sandbox.plan import say
from nemo_watch.sandbox.plan.board import Board, stem

MOST_CUES = 1200
"""With the pieces of the picture and the titles these stay below what one draft may hold."""
_LEAST_CUE_MS = 100
_WHYS = ("broken", "no_model", "no_recogniser", "no_speech", "no_sound")


@dataclass(frozen=True, slots=True)
class Captioned:
    """What came of it: sentences, the uploads whose words nobody has looked for yet, and whether there are captions."""

    said: tuple[str, ...]
    unheard: tuple[str, ...]
    added: bool


def add_captions(board: Board, named: Sequence[Asset], language: say.Language) -> Captioned:
    """Show what is said in the clips: by a subtitle file of their name, else by what they carry, else as it was heard.

    Captions that are there are replaced, if there are any to put in their place.
    """
    clips = tuple(dict.fromkeys(a for seg in board.main() if (a := board.asset(seg)) and a.kind in ("video", "audio")))
    files = [asset for asset in dict.fromkeys((*named, *board.all)) if asset.kind == "subtitle"]
    pairs = _paired(clips, files)
    unheard = tuple(clip.url for clip in clips if clip.url not in pairs and clip.words is None)
    cues = {clip.url: pairs[clip.url].cues if clip.url in pairs else _words(clip) for clip in clips}
    shown = _laid_out(board, cues)
    said: list[str] = []
    if shown:
        board.captions(shown[:MOST_CUES])
        said += _added(board, language, len(shown), clips, pairs)
    elif with_cues := [clip for clip in clips if cues[clip.url]]:
        origins = [pairs.get(clip.url, clip) for clip in with_cues]
        said.append(say.say(language, "captions_elsewhere", name=say.names(language, tuple(dict.fromkeys(origins)))))
    if files and not pairs:
        key = "captions_unused" if shown else "captions_unmatched"
        said.append(say.say(language, key, names=say.names(language, files)))
    else:
        said += _missing(language, [clip for clip in clips if not cues[clip.url]], some=bool(shown))
        if not said:
            said.append(say.say(language, "captions_skipped", why=say.say(language, "why_nobody")))
    return Captioned(tuple(said), unheard, bool(shown))


def _paired(clips: Sequence[Asset], files: Sequence[Asset]) -> dict[str, Asset]:
    """Find each clip's subtitles by their name; a single file belongs to the first clip, whatever its name."""
    pairs: dict[str, Asset] = {}
    for clip in clips:
        name = stem(clip.filename).casefold()
        stems = [(stem(file.filename).casefold(), file) for file in files]
        hits = [file for low, file in stems if low == name]
        hits += [file for low, file in stems if low.startswith(name + ".")]  # clip.en.srt
        if hits:
            pairs[clip.url] = hits[0]
    if not pairs and clips and len(files) == 1:
        pairs[clips[0].url] = files[0]
    return pairs


def _words(clip: Asset) -> tuple[Cue, ...]:
    return clip.words.cues if clip.words is not None else ()


def _added(
    board: Board, language: say.Language, count: int, clips: Sequence[Asset], pairs: Mapping[str, Asset]
) -> list[str]:
    """Say how many there are and where they come from: nobody may take what was heard for what was written."""
    there = {str(seg.get("src")) for seg in board.main()}
    files = tuple(dict.fromkeys(pairs[clip.url] for clip in clips if clip.url in pairs and clip.url in there))
    origins = [say.names(language, files)] if files else []
    for by in ("carried", "heard"):
        of = [c for c in clips if c.url not in pairs and c.words is not None and c.words.by == by and c.words.cues]
        if of:
            origins.append(say.say(language, f"captions_{by}", names=say.names(language, of)))
    key = "captions_one" if count == 1 else "captions"
    name = ("，" if language == "zh" else ", ").join(origins)
    said = [say.say(language, key, count=min(count, MOST_CUES), name=name)]
    if count > MOST_CUES:
        said.append(say.say(language, "captions_cut"))
    return said


def _missing(language: say.Language, clips: Sequence[Asset], *, some: bool) -> list[str]:
    """Say why clips have no captions. That a clip without sound has none beside others that have is no news."""
    said = []
    for why in _WHYS:
        of = [clip for clip in clips if _why(clip) == why]
        if not of or (some and why == "no_sound"):
            continue
        names = say.names(language, of)
        reason = say.say(language, f"why_{why}", names=names)
        said.append(say.say(language, "captions_partly" if some else "captions_skipped", names=names, why=reason))
    return said


def _why(clip: Asset) -> str:
    if clip.words is not None and not clip.words.cues and clip.words.missing:
        return clip.words.missing
    return "no_recogniser" if clip.has_audio else "no_sound"


def _laid_out(board: Board, cues: Mapping[str, Sequence[Cue]]) -> list[tuple[int, int, str]]:
    """Map cues through the cuts onto the timeline: no two at the same time, none across a clip it is not of."""
    found: list[tuple[int, int, str]] = []
    for seg in board.main():
        start, length, first = int(seg["s"]), int(seg["d"]), int(seg.get("ss", 0))
        speed = float(seg.get("sp", 1.0))
        last = first + round(length * speed)
        for cue in cues.get(str(seg.get("src")), ()):
            if cue.start_ms >= last or cue.end_ms <= first:
                continue
            a = start + round((max(cue.start_ms, first) - first) / speed)
            b = min(start + round((min(cue.end_ms, last) - first) / speed), start + length)
            found.append((a, b, cue.text))
    return _one_at_a_time(found)


def _one_at_a_time(pieces: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for start, end, text in sorted(pieces, key=lambda piece: piece[:2]):
        if found:
            a, b, shown = found[-1]
            if shown == text and start <= b:  # a cue that was cut in two is one again
                found[-1] = (a, max(b, end), text)
                continue
            if start - a < _LEAST_CUE_MS and start < b:  # at the same time: one under the other
                found[-1] = (a, max(b, end), f"{shown}\n{text}")
                continue
            if start < b:
                found[-1] = (a, start, shown)
        found.append((start, end, text))
    return [piece for piece in found if piece[1] - piece[0] >= _LEAST_CUE_MS]
