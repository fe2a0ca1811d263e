"""Twelve drafts and the exact programs they become, kept in tests/data/programs.

After a change that is meant: `python -m tests.unit.test_compile_golden`, and read what is different.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nemo_watch.sandbox.compile import Output, Program
from tests.unit.test_compile import ASSETS, HDR, MUTE, SONG, STILL, compile_draft, draft, segment

FOLDER = Path(__file__).parent.parent / "data" / "programs"


def text(start: int, length: int, words: str, **style: Any) -> dict[str, Any]:
    return {"id": f"x{start}", "s": start, "d": length, "tx": words, "ts": style}


DRAFTS: dict[str, tuple[dict[str, Any], Output]] = {
    "as_it_is": (draft((0, [segment(0, 60_000)])), Output()),
    "cut_pauses": (
        draft((0, [segment(0, 6367, ss=367), segment(6367, 6767, ss=8700), segment(13_134, 5800, ss=16_800)])),
        Output(resolution="1080p"),
    ),
    "jump_back": (draft((0, [segment(0, 1500, ss=30_000), segment(1500, 1500, ss=2000)])), Output(quality="draft")),
    "many_jumps": (
        draft((0, [segment(number * 500, 500, ss=50_000 - number * 900) for number in range(18)])),
        Output(),
    ),
    "speed": (
        draft((0, [segment(0, 1000, sp=4, sd=4000), segment(1000, 2000, ss=5000, sp=0.3), segment(3000, 1000)])),
        Output(fps=25),
    ),
    "shape": (draft((0, [segment(0, 2000, HDR), segment(2000, 1000, MUTE)]), width=1080, height=1920), Output()),
    "stills_and_gaps": (
        draft((0, [segment(500, 3000, STILL), segment(4000, 1000, SONG, ss=500)]), bg="#204060"),
        Output(format="mov"),
    ),
    "fades_and_volume": (
        draft((0, [segment(0, 2000, fi=500, v=0.5), segment(2000, 2000, ss=2000, v=0, fo=1000)])),
        Output(quality="best"),
    ),
    "music_and_title": (
        draft(
            (0, [segment(0, 4000)]),
            (1, [segment(0, 4000, "gen:upbeat", v=0.35, fi=500, fo=1500)]),
            (1, [{**segment(1000, 2000, SONG, ss=1500, sp=1.5), "m": {"duck": False}}]),
            (7, [text(500, 2000, "It's 100% {\\an1} \\N %{pts}: [x];", fs=90, c="#00E5FF", px=0.5, py=0.15)]),
        ),
        Output(),
    ),
    "blur_and_logo": (
        draft(
            (0, [segment(0, 2000), segment(2000, 1000, HDR)]),
            (0, [segment(0, 3000, STILL, tf={"x": 0.4, "y": -0.42, "sc": 0.1667})]),
            (0, [segment(1000, 500, STILL, tf={"op": 0.5})]),
            (7, [text(0, 1000, "Over the logo")]),
            width=1080,
            height=1920,
            fit="blur",
        ),
        Output(),
    ),
    "bars_fades_and_loudness": (
        {
            **draft(
                (0, [segment(0, 3000, fx=[{"ty": "volume", "p": {"gain": 1.5}}], sp=2)]),
                (1, [segment(0, 3000, "gen:calm", v=0.2)]),
                width=1080,
                height=1080,
                fit="pad",
                bg="#000000",
                lufs=-14,
            ),
            "fi": 1000,
            "fo": 500,
        },
        Output(),
    ),
    "captions": (
        {
            "m": {"width": 1920, "height": 1080, "fps": 29.97},
            "t": [
                {"tt": 0, "sg": [segment(0, 3337), segment(3337, 3337, ss=5005)]},
                {"tt": 7, "m": {"name": "Captions"}, "sg": [text(1000, 1000, "Hello."), text(3000, 900, "Two\nlines")]},
                {"tt": 7, "mu": True, "sg": [text(0, 1000, "never shown")]},
            ],
        },
        Output(),
    ),
}


def written(program: Program) -> str:
    """Write a program down, a line for each input and each chain; of a file of text the lines that are spoken."""
    parts = [f"{program.width}x{program.height} {program.fps} fps {program.frames} frames: {program.result}\n"]
    parts += [f"{name} = {url}\n" for name, url in program.links]
    for stage in program.stages:
        argv = " ".join(stage.argv).replace(" -protocol_whitelist", "\n-protocol_whitelist").replace(" -/", "\n-/")
        parts += [f"\n---- {stage.output}, {stage.frames} frames\n{argv}\n--\n{stage.graph}"]
    for name, content in program.files:
        # The rest of it is the library's, and another version of it writes another head.
        spoken = [line for line in content.splitlines() if line.startswith("Dialogue:")]
        parts += [f"\n---- {name}\n", *(f"{line}\n" for line in spoken)]
    return "".join(parts)


@pytest.mark.parametrize("name", sorted(DRAFTS))
def test_the_program_of_a_draft(name: str) -> None:
    what, output = DRAFTS[name]
    assert written(compile_draft(what, ASSETS, output)) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_there_are_twelve_and_no_others() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(DRAFTS)
    assert len(DRAFTS) == 12


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for key, (each, wished) in DRAFTS.items():
        (FOLDER / f"{key}.txt").write_text(written(compile_draft(each, ASSETS, wished)), encoding="utf-8")
