"""What is heard: music under the clips, how loud they are and how loud the whole is. Pure."""

from __future__ import annotations

from nemo_watch.sandbox.intent import Music, Volume
from nemo_watch.sandbox.music import MOODS
from nemo_watch.sandbox.plan import say
from nemo_watch.sandbox.plan.board import Json
from nemo_watch.sandbox.plan.work import Work

MOST_GAIN = 4.0
LUFS = -14.0
"""What video platforms bring everything to."""


def music(work: Work, op: Music) -> None:
    """Lay an uploaded sound under everything, a named one first, else a generated bed."""
    board = work.board
    there = {seg.get("src") for seg in board.main()}
    sounds = [
        a for a in (*work.named, *board.all) if a.kind == "audio" and a.duration_ms >= 1000 and a.url not in there
    ]
    had = bool(board.tracks(1))
    if sounds:
        src, name = sounds[0].url, sounds[0].filename
    else:
        src, name = f"gen:{op.mood}", MOODS[op.mood].name
    spoken = name if sounds else say.generated(work.language, op.mood, name)
    board.music(src, name, op.gain, duck=op.duck)
    duck = say.say(work.language, "duck") if op.duck else ""
    work.tell("music_new" if had else "music", name=spoken, gain=round(op.gain * 100), duck=duck)
    work.used("add_music")


def volume(work: Work, op: Volume) -> None:
    """Set or change how loud the clips or the music are; 0 is mute."""
    board = work.board
    if op.of == "music":
        segments = [seg for track in board.tracks(1) for seg in track["sg"]]
        if not segments:
            work.tell("no_music_here")
            return
    else:
        segments = [seg for seg in board.main() if (asset := board.asset(seg)) is not None and asset.has_audio]
        if not segments:
            work.tell("clip_silent")
            return
    before = [gain_of(seg) for seg in segments]
    after = [min(max((gain if op.relative else 1.0) * op.gain, 0.0), MOST_GAIN) for gain in before]
    for seg, gain in zip(segments, after, strict=True):
        _set_gain(seg, gain)
    if before == [gain_of(seg) for seg in segments]:
        work.tell(f"{op.of}_same", gain=round(100 * after[0]))
    elif after[0] == 0:
        work.tell(f"{op.of}_muted")
        work.used("set_volume")
    else:
        work.tell(f"{op.of}_volume", gain=round(100 * after[0]))
        work.used("set_volume")


def loudness(work: Work) -> None:
    """Bring the whole sound to the loudness of video platforms."""
    facts = work.board.draft["m"]
    work.tell("loudness_same" if facts.get("lufs") == LUFS else "loudness", lufs=f"{LUFS:g}")
    if facts.get("lufs") != LUFS:
        facts["lufs"] = LUFS
        work.used("normalize_loudness")


def gain_of(seg: Json) -> float:
    """Tell how loud a segment is: "v" goes to 1, what is above is an effect (contract.md 11.2)."""
    gain = float(seg.get("v", 1.0))
    for effect in seg.get("fx", []):
        if effect.get("ty") == "volume":
            gain *= float(effect["p"]["gain"])
    return gain


def _set_gain(seg: Json, gain: float) -> None:
    others = [effect for effect in seg.get("fx", []) if effect.get("ty") != "volume"]
    if gain > 1:
        others.append({"ty": "volume", "p": {"gain": round(gain, 4)}})
    seg["v"] = round(min(gain, 1.0), 4)
    seg.pop("fx", None)
    if others:
        seg["fx"] = others
