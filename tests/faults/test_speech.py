"""Captions by speech recognition: espeak-ng speaks, the sandbox listens. Needs the extra [captions] and espeak-ng."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from nemo_watch.media import probe
from nemo_watch.sandbox.server import SandboxServer
from nemo_watch.sandbox.speech import Recogniser, SpeechError, cues_of, find_recogniser, listen, listening
from nemo_watch.sandbox.speech.listening import _PROGRAM
from tests.sandbox_wire import Caller, eventually, texts

LACKING = [
    what
    for what, there in (
        ("the extra [captions]", importlib.util.find_spec("faster_whisper") is not None),
        ("espeak-ng", shutil.which("espeak-ng") is not None),
    )
    if not there
]
pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=f"not installed: {' and '.join(LACKING)}"),
    pytest.mark.timeout(240),
]

SAID = (
    "Good morning everyone, and welcome to our weekly meeting. Today we will talk about the new project, the garden "
    "behind the house, and the holidays. First, the project is going well. The team has finished the design, and we "
    "will start building next week. Second, the garden needs more water in the summer. Please send me your ideas by "
    "Friday. Finally, the office will be closed on Monday. Thank you for your attention, and have a nice day."
)
PAUSE_S = 3.0
"""Before the speech, and once in it."""


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About half a minute of speech in a video: silence, the first sentence, silence, the rest."""
    folder = tmp_path_factory.mktemp("talk")
    first, rest = SAID.split(". ", 1)
    for name, text in (("a.wav", first + "."), ("b.wav", rest)):
        subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", str(folder / name), text], check=True)
    ms = round(PAUSE_S * 1000)
    graph = f"[1:a]aresample=48000,adelay={ms}:all=1,apad=pad_dur={PAUSE_S}[a];[2:a]aresample=48000[b];"
    return film(folder / "talk.mp4", graph + "[a][b]concat=n=2:v=0:a=1[o]", folder / "a.wav", folder / "b.wav")


def film(path: Path, graph: str, *sounds: Path) -> Path:
    inputs = [arg for sound in sounds for arg in ("-i", str(sound))]
    picture = ["-f", "lavfi", "-i", "color=black:s=320x180:r=30"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
    mapped = ["-filter_complex", graph, "-map", "0:v", "-map", "[o]"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    subprocess.run([*ffmpeg, *picture, *inputs, *mapped, *codecs, str(path)], check=True)
    return path


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    with SandboxServer(tmp_path / "store") as server, Caller(server.url) as caller:
        yield caller


def bare(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def word_errors(said: list[str], heard: list[str]) -> float:
    """Count the words to change, add or drop, as a share of those that were said."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        before, row = row, [i, *row[1:]]
        for j, other in enumerate(heard, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other))
    return row[-1] / len(said)


def captions(draft: dict[str, Any]) -> list[dict[str, Any]]:
    return [seg for track in draft["t"] if track["m"]["name"] == "Captions" for seg in track["sg"]]


def listeners() -> list[int]:
    """Find the recognisers that run on this machine for this process."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            told = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
            parent = int(Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if _PROGRAM.encode() in told and parent == os.getpid():
            found.append(int(name))
    return found


def test_what_is_said_is_shown_when_it_is_said(caller: Caller, talk: Path, tmp_path: Path) -> None:
    session = caller.session()
    caller.upload(session, talk)
    reply = " ".join(texts(caller.say(session, "add captions")))
    assert "the speech in talk.mp4" in reply
    shown = captions(caller.state(session)["draft"])
    assert word_errors(bare(SAID), bare(" ".join(seg["tx"] for seg in shown))) < 0.1
    lines = [line for seg in shown for line in seg["tx"].split("\n")]
    assert all(len(line) <= 42 for line in lines)
    assert all(seg["tx"].count("\n") <= 1 and 0 < seg["d"] <= 6000 for seg in shown)
    # Nothing before the first word and in the pause after the first sentence.
    assert abs(shown[0]["s"] - PAUSE_S * 1000) < 500
    ends = shown[1 if shown[0]["tx"].endswith(",") else 0]
    after = shown[shown.index(ends) + 1]
    assert after["s"] - (ends["s"] + ends["d"]) > 1500

    # Cut later, the words stay with their sounds; asked again, nobody listens a second time.
    caller.say(session, "cut the first 2 seconds")
    moved = captions(caller.state(session)["draft"])
    assert [seg["s"] for seg in moved] == [seg["s"] - 2000 for seg in shown]
    caller.say(session, "cut the pauses")
    before = captions(caller.state(session)["draft"])
    kept = list((tmp_path / "store" / "cache").glob("*.words.json"))
    assert len(kept) == 1
    marked = json.loads(kept[0].read_text())
    marked["cues"][0][2] = "from the cache"
    kept[0].write_text(json.dumps(marked))
    caller.say(session, "add captions")
    again = captions(caller.state(session)["draft"])
    assert again[0]["tx"] == "from the cache"
    assert [(seg["s"], seg["d"]) for seg in again] == [(seg["s"], seg["d"]) for seg in before]


def test_other_languages_and_noise_are_no_english(caller: Caller, tmp_path: Path) -> None:
    text = "大家好，欢迎来到我们的会议。今天我们要讨论新的项目和明年的预算。项目进展顺利，团队已经完成了设计。"
    subprocess.run(["espeak-ng", "-v", "cmn", "-w", str(tmp_path / "zh.wav"), text], check=True)
    film(tmp_path / "chinese.mp4", "[1:a]aresample=48000[o]", tmp_path / "zh.wav")
    film(tmp_path / "noise.mp4", "anoisesrc=d=10:a=0.3[o]")
    for name in ("chinese.mp4", "noise.mp4"):
        session = caller.session()
        caller.upload(session, tmp_path / name)
        reply = " ".join(texts(caller.say(session, "add captions")))
        assert f"no speech that can be understood was found in {name}" in reply
        assert captions(caller.state(session)["draft"]) == []


def test_a_recogniser_that_is_killed_costs_only_the_captions(caller: Caller, talk: Path) -> None:
    session = caller.session()
    caller.upload(session, talk)
    told: list[str] = []
    turn = threading.Thread(target=lambda: told.extend(texts(caller.say(session, "cut the pauses, add captions"))))
    turn.start()
    (pid,) = eventually(listeners)
    os.kill(pid, signal.SIGKILL)
    turn.join(60)
    reply = " ".join(told)
    assert "Captions were skipped: the speech recogniser failed on talk.mp4" in reply
    assert "Removed" in reply
    draft = caller.state(session)["draft"]
    assert captions(draft) == []
    assert len(draft["t"][0]["sg"]) > 1
    # It goes on, and asked again it listens again.
    caller.say(session, "add captions")
    assert captions(caller.state(session)["draft"])
    assert listeners() == []


async def test_memory_comes_back_and_nothing_is_left(talk: Path, tmp_path: Path) -> None:
    recogniser = find_recogniser()
    assert isinstance(recogniser, Recogniser)
    duration_ms = (await probe(str(talk))).duration_ms

    def used_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    await listen(str(talk), duration_ms, recogniser, str(tmp_path / "a"))
    before = used_mb()
    heard = await listen(str(talk), duration_ms, recogniser, str(tmp_path / "a"))
    assert cues_of(heard.words)
    assert used_mb() - before < 20
    assert "faster_whisper" not in sys.modules
    assert "numpy" not in sys.modules

    # Given up while it listens: no child and no file is left.
    task = asyncio.create_task(listen(str(talk), duration_ms, recogniser, str(tmp_path / "b")))
    deadline = time.monotonic() + 30
    while not listeners():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert listeners() == []
    assert os.listdir(tmp_path) == []


async def test_a_hang_and_a_hunger_for_memory_end(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = find_recogniser()
    assert isinstance(recogniser, Recogniser)
    duration_ms = (await probe(str(talk))).duration_ms
    with monkeypatch.context() as patch:
        patch.setattr(listening, "STALL_S", 3.0)
        task = asyncio.create_task(listen(str(talk), duration_ms, recogniser, str(tmp_path / "a")))
        deadline = time.monotonic() + 30
        while not (there := listeners()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        os.kill(there[0], signal.SIGSTOP)
        with pytest.raises(SpeechError, match="stood still"):
            await task
    monkeypatch.setattr(listening, "MEMORY_BYTES", -4 * recogniser.model_bytes + (60 << 20))
    with pytest.raises(SpeechError, match="recogniser"):
        await listen(str(talk), duration_ms, recogniser, str(tmp_path / "b"))
    assert listeners() == []
    assert os.listdir(tmp_path) == []


def test_it_ends_with_its_parent(talk: Path, tmp_path: Path) -> None:
    recogniser = find_recogniser()
    assert isinstance(recogniser, Recogniser)
    script = (
        "import asyncio, sys\n"
        "from nemo_watch.sandbox.speech import find_recogniser, listen\n"
        "asyncio.run(listen(sys.argv[1], 600_000, find_recogniser(), sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", script, str(talk), str(tmp_path / "c")]
    parent = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:

        def children() -> list[int]:
            told = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            return [pid for pid in map(int, told) if _PROGRAM in Path(f"/proc/{pid}/cmdline").read_text()]

        (pid,) = eventually(children)
    finally:
        parent.kill()
        parent.wait()
    state = Path(f"/proc/{pid}/status")
    eventually(lambda: not state.exists() or "\tZ" in state.read_text(), within_s=8)


def test_it_ends_with_its_input_whatever_it_is_doing(talk: Path, tmp_path: Path) -> None:
    recogniser = find_recogniser()
    assert isinstance(recogniser, Recogniser)
    # Some minutes of speech: by itself it would listen for longer than is waited for here.
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "19", "-i", str(talk)]
    subprocess.run([*ffmpeg, "-ar", "16000", "-ac", "1", "-f", "s16le", str(tmp_path / "long.pcm")], check=True)
    command = [sys.executable, "-P", _PROGRAM, recogniser.model_dir, str(tmp_path / "long.pcm")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            assert b'{"at": 0}' in child.stdout.readline()
            child.stdin.close()
            assert child.wait(8) == 1
        finally:
            child.kill()
