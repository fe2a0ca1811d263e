"""compile: a draft in, the exact graph out; whatever a client sends, a program or a sentence."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.sandbox.ass import ass_document, escape
from nemo_watch.sandbox.compile import MOST_INPUTS, DraftError, Output, Program, compile_draft
from nemo_watch.sandbox.draft import read_timeline
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.music import MOODS, bed_expression
from nemo_watch.sandbox.timeline import Text, TextStyle

TALK, MUTE, SONG, STILL, HDR, SRT = "u/talk.mp4", "u/mute.mp4", "u/song.mp3", "u/still.png", "u/hdr.mkv", "u/a.srt"


def asset(url: str, kind: Any, duration_ms: int, *, fps: float = 30.0, audio: bool = True, hdr: bool = False) -> Asset:
    size = (0, 0) if kind in ("audio", "subtitle") else (1920, 1080)
    return Asset(url, url, url[2:], kind, duration_ms, *size, fps, audio, hdr, 1000)


ASSETS = {
    one.url: one
    for one in (
        asset(TALK, "video", 60_000),
        asset(MUTE, "video", 10_000, audio=False),
        asset(SONG, "audio", 30_000, fps=0),
        asset(STILL, "image", 0, fps=0, audio=False),
        asset(HDR, "video", 5_000, audio=False, hdr=True),
        asset(SRT, "subtitle", 0, fps=0, audio=False),
    )
}
CANVAS = {"width": 640, "height": 360, "fps": 30}


def segment(s: Any, d: Any, src: Any = TALK, **more: Any) -> dict[str, Any]:
    return {"id": f"g{s}", "s": s, "d": d, "src": src, **more}


def draft(*tracks: tuple[int, list[dict[str, Any]]], **facts: Any) -> dict[str, Any]:
    return {"m": {**CANVAS, **facts}, "t": [{"tt": kind, "sg": segments} for kind, segments in tracks]}


def compiled(what: dict[str, Any], **output: Any) -> Program:
    return compile_draft(what, ASSETS, Output(**output))


FIT = (
    "scale=w='2*ceil((max(640,360*dar)-0.01)/2)':h='2*ceil((max(360,640/dar)-0.01)/2)':out_range=tv,"
    "crop=640:360,setsar=1,format=yuv420p"
)
SOUND = (
    "aresample=48000:async=1:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=mono|stereo,"
    "pan=stereo|FL=FL+FC|FR=FR+FC"
)
END = "[vc]fps=30:start_time=0,trim=end_frame={frames}[vo]\n"


def test_golden_two_cuts_of_one_source() -> None:
    program = compiled(draft((0, [segment(0, 6367, ss=367), segment(6367, 5000, ss=8700)])))
    (stage,) = program.stages
    assert stage.graph == (
        "[0:v:0]fps=30:start_time=0,tpad=stop_mode=clone:stop=60,split=2[g0v0][g0v1];\n"
        f"[0:a:0]{SOUND},asplit=2[g0a0][g0a1];\n"
        f"[g0v0]trim=start_frame=0:end_frame=191,setpts=PTS-STARTPTS,{FIT}[v0];\n"
        "[g0a0]atrim=start_sample=400:end_sample=306000,asetpts=PTS-STARTPTS,apad=whole_len=305600,"
        "atrim=end_sample=305600,afade=t=in:d=0.008,afade=t=out:st=6.358667:d=0.008[a0];\n"
        f"[g0v1]trim=start_frame=250:end_frame=400,setpts=PTS-STARTPTS,{FIT}[v1];\n"
        "[g0a1]atrim=start_sample=400400:end_sample=640400,asetpts=PTS-STARTPTS,apad=whole_len=240000,"
        "atrim=end_sample=240000,afade=t=in:d=0.008,afade=t=out:st=4.992000:d=0.008[a1];\n"
        "[v0][a0][v1][a1]concat=n=2:v=1:a=1[vc][ac];\n"
        "[ac]apad=whole_len=545600,atrim=end_sample=545600[ao];\n" + END.format(frames=341)
    )
    assert program.links == (("u1", TALK),)
    assert (program.frames, program.duration_ms) == (341, 11367)
    guards = ("-protocol_whitelist", "file", "-format_whitelist")
    assert stage.argv[2:5] == guards
    assert stage.argv[8:13] == ("-noaccurate_seek", "-ss", "0.358333", "-i", "file:u1")
    assert stage.argv[-3:] == ("-f", "mp4", "out.mp4.part")
    assert stage.argv[stage.argv.index("-crf") + 1] == "20"


def test_golden_gap_still_sound_on_the_picture_track_and_no_sound() -> None:
    program = compiled(
        draft(
            (0, [segment(1000, 3000, STILL), segment(4000, 2000, SONG, ss=500), segment(6000, 1000, MUTE)]),
            bg="#FF0000",
        )
    )
    (stage,) = program.stages
    assert stage.graph == (
        "color=c=0xFF0000:s=640x360:r=30,trim=end_frame=30,setsar=1,format=yuv420p[v0];\n"
        "anullsrc=r=48000:cl=stereo,atrim=end_sample=48000[a0];\n"
        f"[0:v:0]trim=end_frame=1,setpts=PTS-STARTPTS,{FIT},tpad=stop_mode=clone:stop_duration=4.000000,"
        "fps=30:start_time=0,trim=end_frame=90[v1];\n"
        "anullsrc=r=48000:cl=stereo,atrim=end_sample=144000[a1];\n"
        f"[1:a:0]{SOUND},asplit=1[g1a0];\n"
        "color=c=0xFF0000:s=640x360:r=30,trim=end_frame=60,setsar=1,format=yuv420p[v2];\n"
        "[g1a0]atrim=start_sample=400:end_sample=96400,asetpts=PTS-STARTPTS,apad=whole_len=96000,"
        "atrim=end_sample=96000,afade=t=in:d=0.008,afade=t=out:st=1.992000:d=0.008[a2];\n"
        "[2:v:0]fps=30:start_time=0,tpad=stop_mode=clone:stop=60,split=1[g2v0];\n"
        f"[g2v0]trim=start_frame=0:end_frame=30,setpts=PTS-STARTPTS,{FIT}[v3];\n"
        "anullsrc=r=48000:cl=stereo,atrim=end_sample=48000[a3];\n"
        "[v0][a0][v1][a1][v2][a2][v3][a3]concat=n=4:v=1:a=1[vc][ac];\n"
        "[ac]apad=whole_len=336000,atrim=end_sample=336000[ao];\n" + END.format(frames=210)
    )


def test_golden_music_and_title() -> None:
    program = compiled(
        draft(
            (0, [segment(0, 4000, v=0.5, fi=500)]),
            (1, [segment(0, 4000, "gen:warm", v=0.35, fi=500, fo=1000), segment(4000, 1, "gen:warm")]),
            (7, [segment(500, 2000, "", tx="Hello {\\an1}")]),
        )
    )
    (stage,) = program.stages
    tail = stage.graph[stage.graph.index("[v0][a0]concat") :]
    assert tail == (
        "[v0][a0]concat=n=1:v=1:a=1[vc][ac];\n"
        f"aevalsrc=exprs='{bed_expression('warm')}':s=48000:c=stereo:d=16,aloop=loop=-1:size=768000,"
        "atrim=end_sample=192000,asetpts=N/SR/TB,volume=0.3500,afade=t=in:d=0.500000,"
        "afade=t=out:st=3.000000:d=1.000000,aformat=sample_fmts=fltp[m0];\n"
        "[m0]apad=whole_len=192000,atrim=end_sample=192000[bed];\n"
        "[ac]asplit=2[voice][key];\n[key]apad[keyp];\n"
        "[bed][keyp]sidechaincompress=threshold=0.02:ratio=6:attack=20:release=350[duck];\n"
        "[voice][duck]amix=inputs=2:duration=first:normalize=0,alimiter=limit=0.95:level=0:latency=1,"
        "apad=whole_len=192000,atrim=end_sample=192000[ao];\n"
        "[vc]fps=30:start_time=0,trim=end_frame=120,subtitles=f=text.ass:fontsdir=fonts,format=yuv420p[vo]\n"
    )
    assert "volume=0.5000,afade=t=in:d=0.500000," in stage.graph
    assert f"{FIT},fade=t=in:s=0:n=15:c=0x101014[v0]" in stage.graph
    (name, text) = program.files[0]
    assert name == "text.ass"
    assert "Dialogue: 0,0:00:00.50,0:00:02.50,s0,,0,0,0,,{\\an5\\pos(320,180)}Hello \\{\\\u2060an1\\}" in text


def test_music_that_does_not_give_way_is_mixed_beside_music_that_does() -> None:
    steady = {**segment(0, 1000, SONG), "m": {"duck": False}}
    graph = compiled(draft((0, [segment(0, 1000)]), (1, [steady]), (1, [segment(0, 1000, "gen:calm")]))).stages[0].graph
    assert "[m1]apad=whole_len=48000,atrim=end_sample=48000[bed];" in graph
    assert "[m0]apad=whole_len=48000,atrim=end_sample=48000[steady];" in graph
    assert "[voice][duck][steady]amix=inputs=3:" in graph
    alone = compiled(draft((0, [segment(0, 1000)]), (1, [steady]))).stages[0].graph
    assert "[ac][steady]amix=inputs=2:" in alone
    assert "sidechaincompress" not in alone


def test_no_text_of_a_user_reaches_arguments_or_graph() -> None:
    wild = "x'[v0];movie=/etc/passwd[y]%{pts}\\N{\\an1}"
    known = {**ASSETS, wild: asset(wild, "video", 9000)}
    what = draft(
        (0, [segment(0, 1000, wild, id=wild)]), (7, [segment(0, 500, "", tx=wild, ts={"ff": wild})]), title=wild
    )
    plain = draft((0, [segment(0, 1000)]), (7, [segment(0, 500, "", tx="x")]))
    one, two = compile_draft(what, known, Output()), compiled(plain)
    assert one.stages == two.stages
    assert "movie=/etc" not in dict(one.files)["text.ass"].split("[Events]")[0]


def test_a_jump_back_and_a_long_jump_open_an_input_and_a_short_one_does_not() -> None:
    def inputs(*starts: int) -> int:
        pieces = [segment(number * 1000, 1000, ss=ss) for number, ss in enumerate(starts)]
        return compiled(draft((0, pieces))).stages[0].argv.count("-i")

    assert inputs(0, 2000, 12_000) == 1
    assert inputs(0, 12_000) == 2
    assert inputs(5000, 2000) == 2


def test_more_than_sixteen_inputs_are_rendered_in_parts() -> None:
    pieces = [segment(number * 500, 500, ss=40_000 - number * 900) for number in range(40)]
    program = compiled(draft((0, pieces)))
    assert [stage.output for stage in program.stages] == ["part001.mov", "part002.mov", "part003.mov", "out.mp4.part"]
    assert [stage.frames for stage in program.stages] == [240, 240, 120, 600]
    assert all(stage.argv.count("-i") <= MOST_INPUTS for stage in program.stages)
    assert program.links == (("u1", TALK),)


def test_joints_are_faded_only_where_the_sound_is_cut() -> None:
    graph = (
        compiled(draft((0, [segment(0, 1000), segment(1000, 1000, ss=1000), segment(2000, 1000, ss=5000)])))
        .stages[0]
        .graph
    )
    voices = [line for line in graph.split("\n") if re.match(r"\[g0a\d\]", line)]
    assert ["t=in" in voice for voice in voices] == [True, False, True]
    assert ["t=out" in voice for voice in voices] == [False, True, True]


def test_hdr_is_brought_to_the_ordinary_range() -> None:
    assert "tonemap=hable" in compiled(draft((0, [segment(0, 1000, HDR)]))).stages[0].graph
    assert "tonemap" not in compiled(draft((0, [segment(0, 1000)]))).stages[0].graph


@pytest.mark.parametrize(
    ("facts", "output", "size"),
    [
        ({"width": 1920, "height": 1080}, {}, (1920, 1080)),
        ({"width": 1920, "height": 1080}, {"resolution": "720p"}, (1280, 720)),
        ({"width": 1080, "height": 1920}, {"resolution": "720p"}, (720, 1280)),
        ({"width": 640, "height": 360}, {"resolution": "1080p"}, (1920, 1080)),
        ({"width": 640, "height": 360}, {"resolution": "1080"}, (1920, 1080)),
        ({"width": 3840, "height": 2160}, {}, (1920, 1080)),
        ({"width": 1080, "height": 1080}, {"resolution": "1080P"}, (1080, 1080)),
        ({"width": 2560, "height": 1080}, {"resolution": "1080p"}, (1920, 810)),
        ({"width": 639, "height": 357}, {}, (640, 356)),
        ({"width": None, "height": None}, {}, (1920, 1080)),
        # shapes that are meant, off by the rounding of a small picture to even sides
        ({"width": 182, "height": 324}, {"resolution": "1080p"}, (1080, 1920)),
        ({"width": 102, "height": 180}, {"resolution": "720p"}, (720, 1280)),
        ({"width": 182, "height": 184}, {"resolution": "1080p"}, (1080, 1080)),
        ({"width": 324, "height": 182}, {"resolution": "1080p"}, (1920, 1080)),
        ({"width": 146, "height": 182}, {"resolution": "1080p"}, (1080, 1350)),
        ({"width": 640, "height": 482}, {"resolution": "720p"}, (960, 720)),
        ({"width": 854, "height": 480}, {"resolution": "1080p"}, (1920, 1080)),
        # and shapes that are not
        ({"width": 182, "height": 324}, {}, (182, 324)),
        ({"width": 640, "height": 352}, {"resolution": "1080p"}, (1920, 1056)),
        ({"width": 1080, "height": 1350}, {"resolution": "720p"}, (720, 900)),
        ({"width": 2048, "height": 1080}, {"resolution": "1080p"}, (1920, 1012)),
    ],
)
def test_picture_size(facts: dict[str, Any], output: dict[str, Any], size: tuple[int, int]) -> None:
    program = compiled(draft((0, [segment(0, 1000)]), **facts), **output)
    assert (program.width, program.height) == size


@pytest.mark.parametrize(
    ("facts", "output", "fps"),
    [
        ({}, {"fps": 25}, Fraction(25)),
        ({"fps": 29.97}, {}, Fraction(30000, 1001)),
        ({"fps": 23.976}, {}, Fraction(24000, 1001)),
        ({"fps": 12.5}, {}, Fraction(25, 2)),
        ({"fps": None}, {}, Fraction(30)),
    ],
)
def test_frame_rate(facts: dict[str, Any], output: dict[str, Any], fps: Fraction) -> None:
    assert compiled(draft((0, [segment(0, 1000)]), **facts), **output).fps == fps


def test_frames_come_from_positions_so_that_roundings_do_not_add_up() -> None:
    pieces = [segment(number * 110, 110, ss=number * 110) for number in range(100)]
    assert compiled(draft((0, pieces))).frames == 330


def test_a_later_end_in_the_draft_is_filled_and_a_track_of_sound_alone_makes_a_picture() -> None:
    longer = {**draft((0, [segment(0, 1000)])), "d": 2500}
    assert compiled(longer).frames == 75
    assert compiled(draft((1, [segment(0, 2000, SONG)]))).frames == 60


def test_unknown_keys_are_passed_over() -> None:
    plain = draft((0, [segment(0, 1000)]))
    odd = draft((0, [segment(0, 1000, tf={"x": 9}, fx=[1], zz=None)]), whatever=[{}])
    odd |= {"tr": [{"ty": "dissolve"}], "v": 7}
    odd["t"][0]["id"] = "trk"
    assert compiled(odd) == compiled(plain)


VIDEO = [segment(0, 1000)]


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ({}, "list of tracks"),
        ({"t": {}}, "list of tracks"),
        ({"t": [1]}, "list of tracks"),
        ({"t": []}, "shows nothing"),
        ({"t": [{"tt": 0}]}, "shows nothing"),
        ({"t": [{"tt": 0, "sg": [1]}]}, "list of segments"),
        (draft((0, VIDEO), (0, VIDEO)), "more than one video track"),
        (draft((4, VIDEO)), "type 4"),
        (draft((True, VIDEO)), "type True"),
        (draft((0, [segment(0, 1000, "u/other.mp4")])), "not an upload"),
        (draft((0, [segment(0, 1000, "/etc/passwd")])), "not an upload"),
        (draft((0, [segment(0, 1000, SRT)])), "subtitle"),
        (draft((0, [segment(0, 1000, src=None)])), "not an upload"),
        (draft((0, [segment(0, 1000), segment(999, 1000)])), "before the one before it ends"),
        (draft((0, [segment(-1, 1000)])), '"s" must be'),
        (draft((0, [segment(0, 1.5)])), '"d" must be'),
        (draft((0, [segment(0, 10**30)])), '"d" must be'),
        (draft((0, [segment(0, float("nan"))])), '"d" must be'),
        (draft((0, [segment(0, "1000")])), '"d" must be'),
        (draft((0, [segment(0, 1000, sp=5)])), '"sp" must be'),
        (draft((0, [segment(0, 1000, sp=0)])), '"sp" must be'),
        (draft((0, [segment(0, 1000, v=True)])), '"v" must be'),
        (draft((0, [segment(0, 1000, v=1.5)])), '"v" must be'),
        (draft((0, [segment(0, 1000, ss=59_500)])), "only 60000 ms long"),
        (draft((0, [segment(0, 1000, sp=2, sd=1000)])), "it would need 2000 ms"),
        (draft((0, VIDEO), (1, [segment(0, 1000, "gen:polka")])), "polka"),
        (draft((0, VIDEO), (1, [segment(0, 1000, MUTE)])), "it has none"),
        (draft((0, VIDEO), (7, [segment(0, 1000)])), "no text"),
        (draft((0, VIDEO), (7, [segment(0, 1000, tx="a", ts={"c": "red"})])), "colour"),
        (draft((0, VIDEO), (7, [segment(0, 1000, tx="a", ts={"px": 2})])), '"px" must be'),
        (draft((0, VIDEO), width=10), '"width" must be'),
        (draft((0, VIDEO), width=8000, height=100), "eight times"),
        (draft((0, VIDEO), fps=500), '"fps" must be'),
        (draft((0, VIDEO), bg="blue"), "colour"),
        (draft((0, VIDEO), fit="stretch"), "crop, pad or blur"),
        (draft((0, VIDEO), lufs=3), '"lufs" must be'),
        ({**draft((0, VIDEO)), "fi": -1}, '"fi" must be'),
        (draft((0, VIDEO), (0, [segment(0, 1000, MUTE)])), "only with images above the first"),
        (draft((0, VIDEO), (0, [segment(0, 1000, "u/nobody.png")])), "not an upload"),
        (draft((0, VIDEO), (0, [segment(0, 1000, STILL, tf={"x": 7})])), '"x" must be'),
        (draft((0, VIDEO), (0, [segment(0, 1000, STILL, tf=[1])])), '"tf" must be an object'),
        (draft((0, VIDEO), *[(0, [segment(0, 1000, STILL)])] * 5), "more than 4 images"),
        (draft((0, [segment(0, 1000, fx=[{"ty": "volume", "p": {"gain": 99}}])])), '"gain" must be'),
        (draft((0, [segment(n, 1) for n in range(2001)])), "more than 2000"),
    ],
)
def test_what_is_out_of_range_is_refused_with_a_sentence(what: dict[str, Any], word: str) -> None:
    with pytest.raises(DraftError, match=re.escape(word)) as caught:
        compiled(what)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ({"format": "webm"}, "webm"),
        ({"format": "../x"}, "format"),
        ({"quality": "ultra"}, "ultra"),
        ({"resolution": "4k"}, "4k"),
        ({"resolution": "2160p"}, "up to 1080p"),
        ({"fps": 240}, "fps"),
    ],
)
def test_outputs_that_are_not_possible_are_refused(output: dict[str, Any], word: str) -> None:
    with pytest.raises(DraftError, match=word):
        compiled(draft((0, VIDEO)), **output)


@pytest.mark.parametrize(("quality", "preset", "crf"), [("draft", "superfast", "26"), ("best", "medium", "18")])
def test_quality_and_container(quality: str, preset: str, crf: str) -> None:
    argv = compiled(draft((0, VIDEO)), quality=quality, format="mov").stages[0].argv
    assert argv[argv.index("-preset") + 1] == preset
    assert argv[argv.index("-crf") + 1] == crf
    assert argv[-3:] == ("-f", "mov", "out.mov.part")


def test_text_is_drawn_letter_for_letter() -> None:
    assert escape("a\\N{b}\r\nc\td\x07") == "a\\\u2060N\\{b\\}\\Nc d"
    document = ass_document([Text("hi", 0, 1000, TextStyle(family="A", colour="11223380", box="000000FF"))], 1080, 1920)
    assert "PlayResX: 1080" in document
    assert "Style: s0,A,72,&H7F332211," in document


def test_every_mood_has_an_expression_without_a_quote() -> None:
    for mood in MOODS:
        assert "'" not in bed_expression(mood)


# ---------------------------------------------------------------- any draft

SOURCES = st.sampled_from([TALK, MUTE, SONG, STILL, HDR])


@st.composite
def drafts(draw: st.DrawFn) -> dict[str, Any]:
    pieces, at = [], 0
    for _ in range(draw(st.integers(1, 30))):
        at += draw(st.sampled_from([0, 0, 0, 1, 700]))
        length, source = draw(st.integers(1, 2000)), draw(SOURCES)
        speed = draw(st.sampled_from([1, 1, 1, 0.5, 2])) if source != STILL else 1
        last = max(ASSETS[source].duration_ms - round(length * speed), 0)
        if source != STILL and ASSETS[source].duration_ms < length * speed:
            continue
        extra = {"fi": draw(st.sampled_from([0, 300])), "v": draw(st.sampled_from([0, 0.5, 1])), "sp": speed}
        extra["fx"] = draw(st.sampled_from([[], [{"ty": "volume", "p": {"gain": 2}}]]))
        pieces.append(segment(at, length, source, ss=draw(st.integers(0, last)), **extra))
        at += length
    beds = [segment(0, max(at, 1), draw(st.sampled_from(["gen:calm", SONG])), v=0.3)] if at < 30_000 else []
    texts = [segment(0, 500, "", tx=draw(st.text(max_size=20)))]
    fps = draw(st.sampled_from([24, 25, 29.97, 30, 60, 12.5]))
    fit, lufs = draw(st.sampled_from(["crop", "pad", "blur"])), draw(st.sampled_from([None, -14]))
    place = {"x": draw(st.floats(-0.5, 0.5)), "sc": draw(st.floats(0.05, 1)), "op": draw(st.sampled_from([1, 0.5]))}
    over = [segment(0, draw(st.integers(1, 5000)), STILL, tf=place)] if draw(st.booleans()) else []
    fades = {"fi": draw(st.integers(0, 4000)), "fo": draw(st.integers(0, 4000))}
    return {**draft((0, pieces), (0, over), (1, beds), (7, texts), fps=fps, fit=fit, lufs=lufs), "d": at, **fades}


@settings(max_examples=120)
@given(what=drafts())
def test_any_draft_compiles_and_every_label_is_made_once_and_used_once(what: dict[str, Any]) -> None:
    fps = Fraction(30000, 1001) if what["m"]["fps"] == 29.97 else Fraction(what["m"]["fps"])
    wanted = int(what["d"] * fps / 1000 + Fraction(1, 2))
    if not wanted or not what["t"][0]["sg"]:
        return
    program = compiled(what)
    assert program.frames == wanted == program.stages[-1].frames
    if len(program.stages) > 1:
        assert sum(stage.frames for stage in program.stages[:-1]) == wanted
    for stage in program.stages:
        made: list[str] = []
        used: list[str] = []
        for chain in stage.graph.rstrip("\n").split(";\n"):
            bare = re.sub(r"'[^']*'", "", chain)
            front = re.match(r"(\[[^\]]+\])*", bare)
            back = re.search(r"(\[[^\]]+\])*$", bare)
            assert front is not None
            assert back is not None
            used += re.findall(r"\[([^\]]+)\]", front[0])
            made += re.findall(r"\[([^\]]+)\]", back[0])
        assert len(set(made)) == len(made)
        assert len(set(used)) == len(used)
        opened = {label for label in used if ":" in label}
        assert {label.split(":")[0] for label in opened} <= {str(n) for n in range(stage.argv.count("-i"))}
        assert set(made) - {"vo", "ao"} == set(used) - opened
        assert stage.argv.count("-i") <= max(MOST_INPUTS, len(program.stages)) + 2


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([0, 7, TALK, "gen:warm"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["t", "s", "d", "v", "m", "tt", "sg", "ss", "src", "tx", "ts", "an", "sp"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=250)
@given(tracks=JSONISH, facts=JSONISH, segments=st.lists(JSONISH, max_size=3), kind=st.sampled_from([0, 1, 7]))
def test_any_json_is_a_timeline_or_a_sentence(tracks: Any, facts: Any, segments: list[Any], kind: int) -> None:
    for what in ({"t": tracks, "m": facts}, {"t": [{"tt": kind, "sg": segments}], "m": facts}):
        with contextlib.suppress(DraftError):
            assert read_timeline(what, ASSETS, Output()).frames > 0
