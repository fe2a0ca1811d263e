"""What is heard: music under the clips, how loud they are and how loud the whole is. Pure."""

from __future__ import annotations

from nemo_watch.sandbox.intent import DEFAULT_GAIN, Music, Volume
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
    named = [a for a in work.named if a.kind == "audio"]
    if named and named[0].url in there:
        work.tell("music_main", name=named[0].filename)
        return
    if not named and any(name.casefold().endswith((".mp3", ".wav", ".m4a", ".aac")) for name in work.missing):
        work.tell("music_missing")
        return
    had = bool(board.tracks(1))
    if sounds:
        src, name = sounds[0].url, sounds[0].filename
    else:
        src, name = f"gen:{op.mood}", MOODS[op.mood].name
    spoken = name if sounds else say.generated(work.language, op.mood, name)
    board.music(src, name, op.gain, duck=op.duck)
    duck = say.say(work.language, "duck") if op.duck else ""
    work.tell("music_new" if had else "music", name=spoken, gain=round(op.gain * 100), duck=duck)
    end = max(seg["s"] + seg["d"] for track in board.tracks(1) for seg in track["sg"])
    if end < board.duration_ms:
        work.tell("music_ends", count=sum(len(track["sg"]) for track in board.tracks(1)), end=work.s(end))
    if more := [a for a in named if a not in sounds[:1]]:
        work.tell("music_one", names=say.names(work.language, more))
    work.used("add_music")


def volume(work: Work, op: Volume) -> None:
    """Set or change how loud the clips or the music are; 0 is mute."""
    board = work.board
    beds = [seg for track in board.tracks(1) for seg in track["sg"]]
    if op.of == "muted":
        muted = [of for of in _with_sound(work) if gain_of(of[0]) == 0]
        for seg, usual in muted:
            _set_gain(seg, usual)
        work.tell("unmuted" if muted else "nothing_muted")
        if muted:
            work.used("set_volume")
        return
    if op.of == "all":
        heard = [seg for seg, _ in _with_sound(work)]
        loud = [seg for seg in heard if gain_of(seg) > 0]
        for seg in loud:
            _set_gain(seg, 0.0)
        work.tell("all_muted" if heard else "clip_silent")
        if loud:
            work.used("set_volume")
        return
    if op.of == "music":
        segments = beds
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


def _with_sound(work: Work) -> list[tuple[Json, float]]:
    """List what is heard, each with how loud it is if nobody says anything: the clips, then the music."""
    clips = [seg for seg in work.board.main() if (asset := work.board.asset(seg)) is not None and asset.has_audio]
    beds = [seg for track in work.board.tracks(1) for seg in track["sg"]]
    return [*((seg, 1.0) for seg in clips), *((seg, DEFAULT_GAIN) for seg in beds)]


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
