"""Words to operations: what people write, what cannot be done, and what must not be misread."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.routing import PLACE_MESSAGE
from nemo_watch.sandbox.intent import (
    ORDER,
    Aspect,
    CutPauses,
    Fade,
    Highlight,
    Logo,
    Music,
    Op,
    Place,
    Remove,
    Speed,
    Title,
    Trim,
    Understood,
    Undo,
    Volume,
    limit_of,
    understand,
)


def short(op: Op) -> str:
    """Write an operation in a word, as the tables below do."""
    match op:
        case CutPauses():
            return "cut" if op == CutPauses() else f"cut>{op.min_ms}" if op.min_ms != 500 else f"cut~{op.pad_ms}"
        case Trim(part="keep"):
            return f"keep:{op.start_ms}-{'' if op.end_ms is None else op.end_ms}"
        case Trim(part="drop"):
            return f"drop:{op.start_ms}-{'' if op.end_ms is None else op.end_ms}"
        case Trim():
            return op.part + (f":{op.start_ms}" if op.start_ms else "")
        case Highlight():
            return f"highlight:{op.target_ms}" if op.named else "highlight"
        case Aspect():
            return (f"{op.w}:{op.h}" if op.w else "shape") + ("" if op.fit == "crop" else f" {op.fit}")
        case Speed():
            return f"x{op.factor:g}"
        case Volume():
            return f"{op.of}{'*' if op.relative else '='}{op.gain:g}"
        case Fade():
            return f"fade:{'' if op.in_ms is None else op.in_ms}-{'' if op.out_ms is None else op.out_ms}"
        case Logo():
            return f"logo:{op.filename} {op.corner}"
        case Remove():
            return f"no {op.thing}" + (f":{op.text}" if op.text else "")
        case Undo():
            return "undo all" if op.all else "undo" if op.steps == 1 else f"undo {op.steps}"
        case Music():
            return f"music:{op.mood}" + ("" if op.gain == 0.35 else f"@{op.gain:g}") + ("" if op.duck else " no duck")
        case Title():
            at = f"{op.start_ms}+{op.dur_ms}" + ("" if op.position == "center" else f" {op.position}")
            return f"title:{op.text}@{'end-' if op.at_end else ''}{at}"
        case Place():
            return "place" + "".join(f":{name}" for name in op.filenames)
        case _:
            return type(op).__name__.lower()


def shorts(text: str) -> list[str]:
    return [short(op) for op in understand(text).ops]


# ---------------------------------------------------------------- rewordings of what the skills offer

CUT_MUSIC = """
cut the pauses, add background music, and export in 1080p
Remove all the silent parts and put some background music underneath. 1080p please!
Get rid of the dead air; lay a music bed under it. Full HD.
could you please take out the silences and give it a soundtrack? Export at 1080p, thanks
Add background music and strip the pauses, then render as 1080p mp4
I'd like the awkward pauses gone, with music in the background, in 1920x1080
no pauses, background music, 1080p
Silence removal + bgm, save as full HD
Edit out every part where nobody speaks and add music. Deliver in 1080p.
Trim the dead space between sentences and mix in a backing track, 1080p export
把停顿剪掉，加上背景音乐，导出1080p
请去掉视频里的静音部分，配上音乐，然后导出高清
剪掉停顿、配乐、导出
帮我把没有人说话的地方删掉，再加一段背景音乐，用1080p输出
去除冷场并加入BGM，最后导出全高清
"""
CUT_MUSIC_HIGHLIGHT = """
cut the pauses, add background music, and export as a 1-minute highlight
Make a one minute highlight reel with the pauses taken out and music
Give me a 60 second highlight. Remove silences, add background music.
Strip out the dead air, put music under it and boil it down to 60 seconds
I want a 60s teaser with background music and without pauses
best 60 seconds of this, no silences, some music
Turn this into a 1 min highlight video; remove the gaps in speech and add bgm
condense the talk to one minute, cutting the silent parts, and lay a soundtrack under it
Please shorten it to a minute, trim silences and add a music track
Drop the pauses and add music to a 1:00 highlight cut
剪掉停顿，加背景音乐，导出一分钟的精华
做一个60秒的精华，去掉停顿，加背景音乐
把视频剪成一分钟的精彩集锦，配乐，不要停顿
我想要一个1分钟的高光版本，删除静音片段，再加点音乐
去掉冷场，加配乐，浓缩成60秒
"""
INTRO_CAPTIONS = """
trim the intro, add captions, and export for YouTube
Skip the intro, subtitles please, YouTube upload format
Cut off the introduction and burn in the subtitles. It's for YouTube.
Remove the opening, add closed captions, then export it for youtube
captions on, intro out, ready for YouTube
Can you get rid of the intro and put subtitles on it for my YouTube channel?
Lose the intro; include captions; YouTube export
Add subs and chop off the intro. Export as a YouTube video
No intro please, with captions, for YouTube in 1080p
Delete the beginning and overlay the captions, YouTube quality
去掉片头，加字幕，导出给油管
剪掉开头部分，并且配上字幕，导出适合YouTube的格式
片头删掉，字幕加上，导出YouTube版本
请把开场白剪掉，然后加上字幕
不要片头，要字幕，发YouTube用
"""
SUMMARY_TRIMMED = """
extract metadata, generate a summary, and export a trimmed clip via API
Read the metadata and write a summary, then export the trimmed clip through the API
Give me the video info plus a summary and a trimmed version
Trim the clip, extract its metadata, summarize it
analyze the file, summarise, and deliver a trimmed video
pull the metadata; create an overview; output a trimmed copy
Please describe the video, list its metadata, and trim it
I need the metadata, a short summary and the trimmed clip as mp4
Tell me about the clip (stats and metadata) and export it trimmed
Get the file info, generate summary, trim the video for the API
提取元数据，生成摘要，通过API导出修剪后的片段
读取视频信息，写一个总结，导出裁剪后的视频
请提取元信息并生成概要，然后导出修剪好的短片
分析素材，给出摘要，修剪视频，用接口导出
修剪视频，提取元数据，再生成一份简介
"""
SILENCE_CAPTIONS = """
trim silences, add captions, and export a clean MP4 for client delivery
Cut out the silent gaps, add subtitles and export a clean mp4 for the client
Remove pauses and put captions on. Clean MP4, it goes to a client.
Captions please, and tighten the pauses, final mp4 for delivery
eliminate silence, embed the subtitles, deliver a clean MP4 to our customer
Clean up the silences. Add closed captions. Client-ready mp4.
Add captions & take out all silences, then hand over an MP4 file to the client
the silences should go, subtitles should be added, mp4 for client review
auto-cut silence, hardcode subs, export mp4
delete quiet parts, use the captions file, send the client a clean version
剪掉静音，加字幕，导出干净的MP4交付客户
去除沉默的部分，添加字幕，输出一个干净的MP4给客户
请把静音段落删除，上字幕，导出MP4发给客户
删掉空白片段并加上字幕，导出成品MP4
停顿都去掉，字幕打上，交付用的MP4
"""


def lines(text: str) -> list[str]:
    return [line for line in text.strip().split("\n") if line]


@pytest.mark.parametrize("text", lines(CUT_MUSIC))
def test_cut_the_pauses_and_add_music(text: str) -> None:
    assert understand(text) == Understood((CutPauses(), Music()), ())


@pytest.mark.parametrize("text", lines(CUT_MUSIC_HIGHLIGHT))
def test_cut_the_pauses_and_add_music_as_a_highlight(text: str) -> None:
    assert (shorts(text), understand(text).unsupported) == (["cut", "highlight:60000", "music:warm"], ())


@pytest.mark.parametrize("text", lines(INTRO_CAPTIONS))
def test_trim_the_intro_and_add_captions(text: str) -> None:
    assert (shorts(text), understand(text).unsupported) == (["intro", "captions"], ())


@pytest.mark.parametrize("text", lines(SUMMARY_TRIMMED))
def test_summary_and_a_trimmed_clip(text: str) -> None:
    assert (shorts(text), understand(text).unsupported) == (["edges", "summary"], ())


@pytest.mark.parametrize("text", lines(SILENCE_CAPTIONS))
def test_trim_silences_and_add_captions(text: str) -> None:
    assert (shorts(text), understand(text).unsupported) == (["cut", "captions"], ())


# ---------------------------------------------------------------- one operation, with its figures

FIGURES = [
    ("cut pauses longer than 2 seconds", ["cut>2000"]),
    ("remove silences over 1.5s", ["cut>1500"]),
    ("剪掉超过两秒的停顿", ["cut>2000"]),
    ("shorten the pauses to 0.4 seconds", ["cut~200"]),
    ("remove the first 10 seconds and the last 5 seconds", ["head:10000", "tail:5000"]),
    ("trim 10s off the start and 5s off the end", ["head:10000", "tail:5000"]),
    ("cut the first minute", ["head:60000"]),
    ("剪掉前10秒和最后5秒", ["head:10000", "tail:5000"]),
    ("把开头的三十秒去掉", ["head:30000"]),
    ("keep only the first 30 seconds", ["keep:0-30000"]),
    ("export the first 30 seconds", ["keep:0-30000"]),
    ("just use the last 20 seconds", ["last:20000"]),
    ("keep 0:10-0:30", ["keep:10000-30000"]),
    ("trim the clip from 0:10 to 1:05.5", ["keep:10000-65500"]),
    ("extract 1:00:00 to 1:00:10", ["keep:3600000-3610000"]),
    ("保留10秒到30秒", ["keep:10000-30000"]),
    ("截取1分30秒到两分钟", ["keep:90000-120000"]),
    ("cut from 0:10 to 0:20", ["drop:10000-20000"]),
    ("cut out everything between 10 and 20 seconds", ["drop:10000-20000"]),
    ("删掉第5秒到第8秒", ["drop:5000-8000"]),
    ("from 9:16 to 16:09 remove everything", ["drop:556000-969000"]),
    ("trim to 20 seconds", ["keep:0-20000"]),
    ("remove everything after 0:45", ["drop:45000-"]),
    ("从5秒开始", ["head:5000"]),
    ("trim the 15-second intro", ["head:15000"]),
    ("trim the intro and outro", ["intro", "outro"]),
    ("remove the intro (first 8 seconds)", ["head:8000"]),
    ("remove the first and last 5 seconds", ["head:5000", "tail:5000"]),
    ("keep 1:00 to the end", ["keep:60000-"]),
    ("for Reels, 30s", ["highlight:30000", "9:16"]),
    ("there are so many long pauses. please remove them", ["cut"]),
    ("视频里有很多停顿，帮我去掉", ["cut"]),
    ('add text at the top: "Breaking News"', ["title:Breaking News@0+3000 top"]),
    ("标题：《我的旅行》，放在开头", ["title:我的旅行@0+3000"]),
    ('title "Intro" then captions', ["title:Intro@0+3000", "captions"]),
    ("add subtitles from the srt file", ["captions"]),
    ("remove pauses, intro, and outro", ["intro", "outro", "cut"]),
    ("片头片尾都剪掉", ["intro", "outro"]),
    ("trim leading and trailing silence", ["edges"]),
    ("cut the silence at the beginning", ["head_edge"]),
    ("trim", ["edges"]),
    ("a 45 second version", ["highlight:45000"]),
    ("Shorten to 45 seconds", ["highlight:45000"]),
    ("turn this 5 minute video into a 1-minute highlight", ["highlight:60000"]),
    ("make a half-minute trailer", ["highlight:30000"]),
    ("one and a half minute recap", ["highlight:90000"]),
    ("make a highlight reel", ["highlight"]),
    ("剪成30秒的短视频", ["highlight:30000"]),
    ("no longer than a minute", ["highlight:60000"]),
    ("不要超过60秒", ["highlight:60000"]),
    ("make it vertical", ["9:16"]),
    ("portrait mode for TikTok", ["9:16"]),
    ("crop to 9:16", ["9:16"]),
    ("convert from 16:9 to 1:1", ["1:1"]),
    ("square crop", ["1:1"]),
    ("for YouTube Shorts", ["9:16"]),
    ("vertical 4:5 for the feed", ["4:5"]),
    ("widescreen version", ["16:9"]),
    ("竖屏", ["9:16"]),
    ("改成1：1的方形", ["1:1"]),
    ("export for YouTube", []),
    ("upbeat music", ["music:upbeat"]),
    ("add some calm, relaxing music", ["music:calm"]),
    ("epic cinematic soundtrack", ["music:cinematic"]),
    ("add music, something calm", ["music:calm"]),
    ("add music, not too loud", ["music:warm@0.2"]),
    ("add music at 20% volume", ["music:warm@0.2"]),
    ("加点欢快的音乐，声音不要太大", ["music:upbeat@0.2"]),
    ("replace the music with something cinematic", ["music:cinematic"]),
    ('add a title "Hello"', ["title:Hello@0+3000"]),
    ("title: Romeo and Juliet, music", ["music:warm", "title:Romeo and Juliet@0+3000"]),
    ("please add the title Big News and subtitles", ["title:Big News@0+3000", "captions"]),
    ('put "Big News" at the top for 5 seconds', ["title:Big News@0+5000 top"]),
    ('add the caption "Anna, CEO" at the bottom from 0:05 to 0:10', ["title:Anna, CEO@5000+5000 bottom"]),
    ('Add a title "Q3", at the top, for 5 seconds', ["title:Q3@0+5000 top"]),
    ('show "Chapter 1" at 0:10 for 4 seconds', ["title:Chapter 1@10000+4000"]),
    ('end with the title "The End"', ["title:The End@end-0+3000"]),
    ('show the text “Draft” throughout', ["title:Draft@0+0"]),
    ("add a title 'Bob's day'", ["title:Bob's day@0+3000"]),
    ("add a lower third that says Jane Doe", ["title:Jane Doe@0+3000 bottom"]),
    ("加标题“季度汇报”", ["title:季度汇报@0+3000"]),
    ("在片尾加上文字「谢谢观看」，持续5秒", ["title:谢谢观看@end-0+5000"]),
    ("标题写着新品发布", ["title:新品发布@0+3000"]),
    ("add captions", ["captions"]),
    ("加中文字幕", ["captions"]),
    ("what's the metadata", ["summary"]),
    ("Put the uploaded clip on the timeline unchanged", ["place"]),
    ("cut the pauses in talk-1.mp4", ["place:talk-1.mp4", "cut"]),
    ('cut the pauses in "my talk.mp4"', ["place:my talk.mp4", "cut"]),
    ("cut the pauses and save as out.mp4", ["cut"]),
    ("make a 30 second vertical teaser with captions and upbeat music",
     ["highlight:30000", "9:16", "music:upbeat", "captions"]),
    (PLACE_MESSAGE, ["place"]),
    ("cut everything except the first 10 seconds", ["keep:0-10000"]),
    ("keep nothing but the last 5 seconds", ["last:5000"]),
    ("delete everything other than 0:10-0:30", ["keep:10000-30000"]),
    ("remove all but the first minute, add music", ["keep:0-60000", "music:warm"]),
    ("remove everything except 10 to 20 seconds and add captions", ["keep:10000-20000", "captions"]),
    ("除了前10秒都剪掉", ["keep:0-10000"]),
    ("除了前10秒以外，其他的都剪掉，加字幕", ["keep:0-10000", "captions"]),
    ("make a one-minute best-of with music and without the pauses", ["cut", "highlight:60000", "music:warm"]),
    ("greatest moments in 45 seconds", ["highlight:45000"]),
    ("give me the best minute", ["highlight:60000"]),
    ("add the title Welcome to Berlin", ["title:Welcome to Berlin@0+3000"]),
    ("add the title Welcome to Berlin at the top for 5 seconds", ["title:Welcome to Berlin@0+5000 top"]),
    ("add the title Hello World in the first 3 seconds", ["title:Hello World@0+3000"]),
    ("add a title Salt and Pepper and upbeat music", ["music:upbeat", "title:Salt and Pepper@0+3000"]),
    ("add the title hello my friends", ["title:hello my friends@0+3000"]),
    ("加标题欢迎来到柏林", ["title:欢迎来到柏林@0+3000"]),
    ("加上标题欢迎来到柏林，配乐", ["music:warm", "title:欢迎来到柏林@0+3000"]),
    ("提取元数据，生成摘要，通过API导出剪辑后的片段", ["edges", "summary"]),
    ("再导出一个修剪版", ["edges"]),
    ("接口导出裁剪片段", ["edges"]),
    ("把第一分钟剪掉", ["head:60000"]),
    ("de-silence it and subtitle it", ["cut", "captions"]),
    ("剪成30秒竖屏短视频，带字幕和轻快的音乐", ["highlight:30000", "9:16", "music:upbeat", "captions"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "ops"), FIGURES)
def test_figures_and_places(text: str, ops: list[str]) -> None:
    assert (shorts(text), understand(text).unsupported) == (ops, ())


# ---------------------------------------------------------------- effects, and what is taken back

EFFECTS = [
    ("speed it up 2x", ["x2"]),
    ("2x", ["x2"]),
    ("make it twice as fast", ["x2"]),
    ("play it at 1.5x speed", ["x1.5"]),
    ("three times faster", ["x3"]),
    ("speed up the video by 50%", ["x1.5"]),
    ("at 150% speed", ["x1.5"]),
    ("speed it up", ["x1.5"]),
    ("slow motion", ["x0.5"]),
    ("half speed", ["x0.5"]),
    ("at half the speed", ["x0.5"]),
    ("2x slower", ["x0.5"]),
    ("slow it down to 75%", ["x0.75"]),
    ("slow down by 20%", ["x0.8"]),
    ("加速到1.5倍", ["x1.5"]),
    ("两倍速播放", ["x2"]),
    ("慢放", ["x0.5"]),
    ("放慢一半", ["x0.5"]),
    ("加速到两倍，配乐", ["x2", "music:warm"]),
    ("back to normal speed", ["no speed"]),
    ("恢复原速", ["no speed"]),
    ("lower the music to 20%", ["music=0.2"]),
    ("turn the music down", ["music*0.5"]),
    ("lower the background music by half", ["music*0.5"]),
    ("make the music quieter and the voice louder", ["music*0.5", "clip*1.5"]),
    ("turn the volume up by 50%", ["clip*1.5"]),
    ("set the volume to 50%", ["clip=0.5"]),
    ("half volume", ["clip=0.5"]),
    ("reduce the volume by 20%", ["clip*0.8"]),
    ("boost the audio by 6 dB", ["clip*1.9953"]),
    ("把音乐调小一点", ["music*0.5"]),
    ("音乐音量调到20%", ["music=0.2"]),
    ("音量提高50%", ["clip*1.5"]),
    ("add music, lower the music to 20%", ["music:warm@0.2"]),
    ("mute", ["clip=0"]),
    ("mute the original audio and add music", ["music:warm", "clip=0"]),
    ("remove the original sound", ["clip=0"]),
    ("replace the original sound with upbeat music", ["music:upbeat", "clip=0"]),
    ("把视频静音", ["clip=0"]),
    ("静音", ["clip=0"]),
    ("去掉原声，配上音乐", ["music:warm", "clip=0"]),
    ("unmute it", ["muted=1"]),
    ("取消静音", ["muted=1"]),
    ("normalize the audio", ["loudness"]),
    ("normalize the loudness to -14 LUFS", ["loudness"]),
    ("响度标准化", ["loudness"]),
    ("统一音量", ["loudness"]),
    ("fade in and out", ["fade:1000-1000"]),
    ("fade in 1 s and fade out 2 seconds", ["fade:1000-2000"]),
    ("a 2 second fade in", ["fade:2000-"]),
    ("fade out over the last 3 seconds", ["fade:-3000"]),
    ("fade to black at the end", ["fade:-1000"]),
    ("淡入淡出", ["fade:1000-1000"]),
    ("开头淡入1秒，结尾淡出2秒", ["fade:1000-2000"]),
    ("9:16 without cropping", ["9:16 pad"]),
    ("make it vertical with black bars", ["9:16 pad"]),
    ("square, letterboxed", ["1:1 pad"]),
    ("vertical with a blurred background", ["9:16 blur"]),
    ("竖屏，模糊背景", ["9:16 blur"]),
    ("改成9:16，加黑边", ["9:16 pad"]),
    ("add black bars", ["shape pad"]),
    ("put logo.png in the top right corner", ["logo:logo.png top-right"]),
    ('put "our brand.png" in the bottom left corner', ["logo:our brand.png bottom-left"]),
    ("add my logo", ["logo: top-right"]),
    ("logo.png top left, cut the pauses", ["cut", "logo:logo.png top-left"]),
    ("把logo放在右上角", ["logo: top-right"]),
    ("加上公司水印", ["logo: top-right"]),
    ("左下角加水印", ["logo: bottom-left"]),
    ("remove the title", ["no title"]),
    ('remove the title "Hello"', ["no title:Hello"]),
    ("remove background music", ["no music"]),
    ("remove the music and captions", ["no music", "no captions"]),
    ("remove the music, the captions and the title", ["no music", "no captions", "no title"]),
    ("turn off the captions", ["no captions"]),
    ("remove the logo and the fades", ["no logo", "no fade"]),
    ("去掉标题", ["no title"]),
    ("把字幕去掉", ["no captions"]),
    ("不要音乐了", ["no music"]),
    ('replace the title with "New"', ["no title", "title:New@0+3000"]),
    ("把标题改成“新标题”", ["no title", "title:新标题@0+3000"]),
    ("undo", ["undo"]),
    ("undo the last change", ["undo"]),
    ("undo that and add captions", ["undo", "captions"]),
    ("撤销", ["undo"]),
    ("撤销上一步", ["undo"]),
    ("start over", ["undo all"]),
    ("go back to the original", ["undo all"]),
    ("从头开始", ["undo all"]),
    ("use song.mp3 as music", ["place:song.mp3", "music:warm"]),
    ("加音乐song.mp3", ["place:song.mp3", "music:warm"]),
    ("音乐换成jazz.mp3", ["place:jazz.mp3", "music:warm"]),
    ("add song.mp3", ["place:song.mp3", "music:warm"]),
    ("lay song.mp3 under the video at 20%", ["place:song.mp3", "music:warm@0.2"]),
    ("burn in talk.srt", ["place:talk.srt", "captions"]),
    ("cut the pauses in song.mp3", ["place:song.mp3", "cut"]),
    ("把a.mp4和b.mp4合并", ["place:a.mp4:b.mp4"]),
    ("去掉b.mp4的前5秒", ["place:b.mp4", "head:5000"]),
    ("trim talk.mp4 to the first 5 seconds", ["place:talk.mp4", "keep:0-5000"]),
    ("make a clip of 0:10 to 0:20", ["keep:10000-20000"]),
    ("play from 0:10 to 0:20 only", ["keep:10000-20000"]),
    ("remove the boring part from 0:10 to 0:20", ["drop:10000-20000"]),
    ("remove logo.png", ["no logo"]),
    ("take song.mp3 off", ["no music"]),
    ("删掉logo.png", ["no logo"]),
    ("use jazz.mp3 as background music, volume 20%", ["place:jazz.mp3", "music:warm@0.2"]),
    ("用jazz.mp3做背景音乐,音量20%", ["place:jazz.mp3", "music:warm@0.2"]),
    ("add music and make it 20% louder", ["music:warm@0.42"]),
    ("add music, then make the video louder", ["music:warm", "clip*1.5"]),
    ("add music without ducking", ["music:warm no duck"]),
    ("music at 0%", ["music=0"]),
    ("mute everything", ["all=0"]),
    ("make it silent", ["all=0"]),
    ("mute all the audio and add music", ["music:warm", "clip=0"]),
    ("unmute the music", ["music=0.35"]),
    ("reduce volume to 30", ["clip=0.3"]),
    ("make it 1x", ["no speed"]),
    ("speed up a.mp4 2x", ["place:a.mp4", "x2"]),
    ("remove the fade in", ["no fade_in"]),
    ("去掉淡出", ["no fade_out"]),
    ("without the music please", ["no music"]),
    ("no captions", ["no captions"]),
    ("undo twice", ["undo 2"]),
    ("undo the last two changes", ["undo 2"]),
    ("撤销两步", ["undo 2"]),
    ("make it 15 seconds long", ["highlight:15000"]),
    ("can you add music?", ["music:warm"]),
    ("is it possible to add music?", ["music:warm"]),
    ('add title "A" in the last 5 seconds', ["title:A@end-0+5000"]),
    ('add title "A" for the last 5 seconds', ["title:A@end-0+5000"]),
    ('add title "A" 3 seconds before the end', ["title:A@end-0+3000"]),
    ('add title "A" 10 seconds before the end', ["title:A@end-7000+3000"]),
    ("10秒处加标题“A”", ["title:A@10000+3000"]),
    ("fade out, logo.png bottom left, muted, vertical, blurred background, 2x speed, normalize the audio, cut pauses",
     ["cut", "x2", "9:16 blur", "clip=0", "loudness", "logo:logo.png bottom-left", "fade:-1000"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "ops"), EFFECTS)
def test_effects_and_what_is_taken_back(text: str, ops: list[str]) -> None:
    understood = understand(text)
    assert ([short(op) for op in understood.ops], understood.unsupported) == (ops, ())


# ---------------------------------------------------------------- what cannot be done is named

UNKNOWN = [
    ("speed up the part from 10 to 20 seconds", [], ["speed up the part from 10 to 20 seconds"]),
    ("mute from 0:10 to 0:20", [], ["mute from 0:10 to 0:20"]),
    ("add music from 10 to 20 seconds", ["music:warm"], ["add music from 10 to 20 seconds"]),
    ("blur the face from 5 to 10 seconds", [], ["blur the face from 5 to 10 seconds"]),
    ("move 0:10-0:20 to the start", [], ["move 0:10 - 0:20 to the start"]),
    ("freeze the frame at 0:10 to 0:12", [], ["freeze the frame at 0:10 to 0:12"]),
    ("restore 0:10 to 0:20", [], ["restore 0:10 to 0:20"]),
    ("bring back the first 5 seconds", [], ["bring back the first 5 seconds"]),
    ("play the first 5 seconds twice", [], ["play the first 5 seconds twice"]),
    ("show the first 5 seconds at the end", [], ["show the first 5 seconds at the end"]),
    ("the first 10 seconds are great", [], []),
    ("把0:10到0:20静音", [], ["把0:10到0:20静音"]),
    ("前10秒静音", [], ["前10秒静音"]),
    ("前5秒加音乐", ["music:warm"], ["前5秒"]),
    ("从10秒开始加音乐", ["music:warm"], ["从10秒"]),
    ("前10秒很精彩", [], ["前10秒很精彩"]),
    ("remove the music from 0:10 to 0:20", [], ["remove the music from 0:10 to 0:20"]),
    ("remove the sound from 0:10 to 0:20", [], ["remove the sound from 0:10 to 0:20"]),
    ("remove the noise in the first 10 seconds", [], ["remove the noise in the first 10 seconds"]),
    ("remove the man from 0:10 to 0:20", [], ["remove the man from 0:10 to 0:20"]),
    ("去掉前10秒的声音", [], ["去掉前10秒的声音"]),
    ("keep the best part from 0:10 to 0:20", [], ["keep the best part from 0:10 to 0:20"]),
    ("remove b.mp4", [], ["remove b.mp4"]),
    ("删掉b.mp4", [], ["删掉b.mp4"]),
    ("fade out 100 seconds", [], ["fade out 100 seconds"]),
    ("undo the first change", [], ["undo the first change"]),
    ("undo the cut from 0:10 to 0:20", [], ["undo the cut from 0:10 to 0:20"]),
    ("undo the vertical crop", [], ["undo the vertical crop"]),
    ("make the logo bigger", [], ["make the logo bigger"]),
    ("is there any music?", [], ["is there any music"]),
    ("should I add music?", [], ["should I add music"]),
    ("what happens if I cut the pauses?", [], ["what happens if I cut the pauses"]),
    ("有音乐吗？", [], ["有音乐吗"]),
    ("I like the music", [], []),
    ("add music, no wait, don't", [], ["add music, no wait, don't"]),
    ("export in 4k", [], ["export in 4k"]),
    ("2160p", [], ["2160p"]),
    ("translate it to French", [], ["translate it to French"]),
    ("Cut the pauses and translate the captions into German", ["cut"], ["translate the captions into German"]),
    ("add captions in Spanish", ["captions"], ["in Spanish"]),
    ("add a voice-over", [], ["add a voice-over"]),
    ("blur the faces, add music", ["music:warm"], ["blur the faces"]),
    ("remove the background noise", [], ["remove the background noise"]),
    ("cut silences and background noise", ["cut"], ["background noise"]),
    ("use some stock footage of cats", [], ["use some stock footage of cats"]),
    ("colour grade it, then export", [], ["colour grade it"]),
    ("make it black and white", [], ["make it black and white"]),
    ("cut the pauses with smooth transitions", ["cut"], ["with smooth transitions"]),
    ("mute the first 10 seconds", [], ["mute the first 10 seconds"]),
    ("remove um and uh", [], ["remove um", "uh"]),
    ("add sound effects", [], ["add sound effects"]),
    ("add music by Taylor Swift", [], ["add music by Taylor Swift"]),
    ("add jazz music", ["music:warm"], ["jazz"]),
    ("split it into 3 parts", [], ["split it into 3 parts"]),
    ("make it better", [], ["make it better"]),
    ("make it shorter", [], ["make it shorter"]),
    ("add a title", [], ["add a title"]),
    ("Show the status bar", [], ["Show the status bar"]),
    ("harmonize the music", [], ["harmonize the music"]),
    ("make the dog dance to the music", [], ["make the dog dance to the music"]),
    ("add music for the first 10 seconds", ["music:warm"], ["the first 10 seconds"]),
    ("cut the pauses in a neon style", ["cut"], ["in a neon style"]),
    ("publish it to my channel", [], ["publish it to my channel"]),
    ("make a vertical and a square version", ["9:16"], ["1:1"]),
    ("remove everything but the intro", [], ["remove everything but the intro"]),
    ("remove everything but the intro, the outro", [], ["remove everything but the intro", "the outro"]),
    (
        "cut everything but the first 5 seconds and the last 5 seconds",
        [],
        ["cut everything but the first 5 seconds and the last 5 seconds"],
    ),
    (
        "add music to everything except the first 10 seconds",
        [],
        ["add music to everything except the first 10 seconds"],
    ),
    ("除了片头和片尾都剪掉", [], ["除了片头和片尾都剪掉"]),
    ("cut the pauses except the one in the middle", ["cut"], ["except the one in the middle"]),
    ("add music but not under the intro", ["music:warm"], ["not under the intro"]),
    ("export as a GIF", [], ["export as a GIF"]),
    ("cut the pauses and export webm", ["cut"], ["export webm"]),
    ("导出gif", [], ["导出gif"]),
    ("export in 800p", [], ["export in 800p"]),
    ("29.97 fps", [], ["29.97 fps"]),
    ("add the title in red", [], ["add the title in red"]),
    ('cut the pauses and save the result as "final.mp4"', ["cut"], ['as "final.mp4"']),
    ('name the result "final.mp4"', [], ['name the result "final.mp4"']),
    ("剪掉停顿，保存为“final.mp4”", ["cut"], ["保存为“final.mp4”"]),
    ("剪掉停顿，然后翻译成英文", ["cut"], ["翻译成英文"]),
    ("给人脸打码", [], ["给人脸打码"]),
    ("加个转场", [], ["加个转场"]),
    ("降噪，加字幕", ["captions"], ["降噪"]),
    ("让小狗跳舞", [], ["让小狗跳舞"]),
    ("加一个“订阅”按钮", [], ["加一个“订阅”按钮"]),
    ("speed up the first 10 seconds 2x", [], ["speed up the first 10 seconds 2x"]),
    ("前10秒加速到2倍", [], ["前10秒加速到2倍"]),
    ("fade out the music", [], ["fade out the music"]),
    ("fade in the title", [], ["fade in the title"]),
    ("normalize to -16 LUFS", [], ["normalize to -16 LUFS"]),
    ("blur the background", [], ["blur the background"]),
    ("blur the logo", [], ["blur the logo"]),
    ("add an animated logo", [], ["add an animated logo"]),
    ("put logo.png in the middle", [], ["put logo.png in the middle"]),
    ("remove the sound effects", [], ["remove the sound effects"]),
    ("make the title red", [], ["make the title red"]),
    ("make it a time-lapse", [], ["make it a time-lapse"]),
    ("2x speed and 3x speed", ["x2"], ["a second speed"]),
]


@pytest.mark.parametrize(("text", "ops", "unsupported"), UNKNOWN)
def test_an_unknown_wish_is_named(text: str, ops: list[str], unsupported: list[str]) -> None:
    assert (shorts(text), list(understand(text).unsupported)) == (ops, unsupported)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("translate it to French", "translator"),
        ("blur the faces", "blurred"),
        ("speed up the first 10 seconds", "whole length only"),
        ("mute the first 10 seconds", "whole length only"),
        ("-16 LUFS", "-14 LUFS"),
        ("put logo.png in the middle", "in a corner"),
        ("fade out the music", "fade by themselves"),
        ("make the title red", "one font, size and colour"),
        ("add a title", "in quotes"),
        ("make it shorter", "name a length"),
        ("make the dog fly", "not among the things"),
        ("export as a GIF", "only mp4 and mov"),
        ("export in 800p", "1080"),
        ("29.97 fps", "whole number"),
        ('as "final.mp4"', "`name`"),
        ('name the result "final.mp4"', "`name`"),
        ("保存为“final.mp4”", "`name`"),
    ],
)
def test_an_unknown_wish_has_a_reason(wish: str, why: str) -> None:
    assert why in limit_of(wish).why
    assert limit_of(wish).why_zh


# ---------------------------------------------------------------- traps

TRAPS = [
    ('add a title "silence the critics"', ["title:silence the critics@0+3000"]),
    ('add the text "cut the pauses, add music and export"', ["title:cut the pauses, add music and export@0+3000"]),
    ("标题「剪掉停顿，加字幕」", ["title:剪掉停顿，加字幕@0+3000"]),
    ("don't cut anything", []),
    ("don't cut anything, just add music", ["music:warm"]),
    ("Cut the pauses but not the intro", ["cut"]),
    ("Cut the pauses without touching the intro", ["cut"]),
    ("cut the pauses without music", ["cut"]),
    ("a version without boring pauses", ["cut"]),
    ("cut the pauses, no captions", ["cut"]),
    ("no captions, upbeat music", ["music:upbeat"]),
    ("please don't add music and captions", []),
    ("never remove the pauses; add captions", ["captions"]),
    ("leave the pauses in", []),
    ("keep the intro", []),
    ("I don't want you to cut the pauses", []),
    ("I don't want any pauses", ["cut"]),
    ("don't keep the silences", ["cut"]),
    ("instead of music, add captions", ["captions"]),
    ("add captions instead of music", ["captions"]),
    ("不要加字幕，剪掉停顿", ["cut"]),
    ("别剪任何东西，只加音乐", ["music:warm"]),
    ("不要剪停顿", []),
    ("不要停顿", ["cut"]),
    ("不要音乐", ["no music"]),
    ("特别要加字幕", ["captions"]),
    ("不用配乐，也别加字幕", []),
    ("export in 1080p", []),
    ("please export the final video as high quality mp4, 30 fps", []),
    ("请导出高清视频，谢谢", []),
    ("This is my interview with Anna. It is 20 minutes long. Remove the pauses.", ["cut"]),
    ("cut the pauses from my 20 minute zoom call recording", ["cut"]),
    ("The square dance video needs captions", ["captions"]),
    ("Please edit", []),
    ("convert this avi into mp4", []),
    ("cut the pauses in the webm clip", ["cut"]),
    ("视频里停顿太多了，剪紧凑一点", ["cut"]),
    ("Nobody wants to sit through me thinking - snip the pauses", ["cut"]),
    ("add captions, I'll put it on YouTube", ["captions"]),
    ("Low quality is fine", []),
    ("render for yt", []),
    ("出个MP4给甲方", []),
    ("tell me length, resolution and fps, summarise", ["summary"]),
    ("export at 720p, 30 fps, as mov", []),
    ("", []),
    ("…!?", []),
    ("add a title that says Mute", ["title:Mute@0+3000"]),
    ('add a title "2x speed, fade out"', ["title:2x speed, fade out@0+3000"]),
    ("title: Undo", ["title:Undo@0+3000"]),
    ("标题“静音”", ["title:静音@0+3000"]),
    ("add the title Speed Dating", ["title:Speed Dating@0+3000"]),
    ("This is a speed dating show. Cut the pauses.", ["cut"]),
    ("剪掉静音", ["cut"]),
    ("剪掉静音部分", ["cut"]),
    ("don't mute it", []),
    ("no logo please", ["no logo"]),
    ("add captions but don't undo anything", ["captions"]),
    ("don't speed it up, add music", ["music:warm"]),
    ("The recording has no sound", []),
    ("9:16, no black bars", ["9:16"]),
    ("don't crop anything, just add music", ["music:warm"]),
    ("add music, make it faster", ["music:upbeat"]),
    ("add music at 20% volume", ["music:warm@0.2"]),
    ("convert the 1920x1080 video to mp4", []),
    ("put it in logo-talk.mp4's place", ["place:logo-talk.mp4"]),
]


@pytest.mark.parametrize(("text", "ops"), TRAPS)
def test_traps(text: str, ops: list[str]) -> None:
    assert (shorts(text), understand(text).unsupported) == (ops, ())


# ---------------------------------------------------------------- for any text

PIECES = (
    "cut the pauses add music and then captions title 'Hi' first 10 seconds 9:16 0:10-0:20 don't no highlight , ."
    ' without ; trim 剪掉 停顿 音乐 不要 字幕 标题 “好” 前 10秒 竖屏 ， 。 translate blur "x" x.mp4 a of to'
    " 2x speed mute volume 50% fade in out logo.png corner logo undo remove bars normalize 静音 加速 撤销 淡入 右上角"
)
WORDS = st.sampled_from(re.findall(r"\S+", PIECES))


@settings(max_examples=120)
@given(
    st.one_of(
        st.text(max_size=200), st.lists(WORDS, max_size=30).map(" ".join), st.lists(WORDS, max_size=20).map("".join)
    )
)
def test_any_text_is_understood_as_something(text: str) -> None:
    understood = understand(text)
    assert all(isinstance(wish, str) and wish.strip() for wish in understood.unsupported)
    assert list(understood.ops) == sorted(understood.ops, key=lambda op: ORDER.index(type(op)))
    assert understand(text) == understood
    for wish in understood.unsupported:
        assert limit_of(wish).why


@settings(max_examples=60)
@given(
    st.text(alphabet=st.characters(exclude_characters='"“”„', exclude_categories=["Cs", "Co"]), min_size=1, max_size=60)
)
def test_text_in_quotes_is_never_a_command(text: str) -> None:
    if not text.strip() or text.strip().lower().endswith((".mp4", ".srt", ".png", ".mp3")):
        return
    for message in (f'add a title "{text}"', f"加标题“{text}”"):
        understood = understand(message)
        assert understood.unsupported == ()
        assert [type(op) for op in understood.ops] == [Title]
        assert understood.ops[0] == Title(text.strip()[:300])


CLAUSES = [
    "cut the pauses",
    "add upbeat music",
    "add captions",
    'add a title "Hello"',
    "make it vertical",
    "trim the intro",
    "remove the last 5 seconds",
    "make a 30 second highlight",
    "extract the metadata",
    "translate it to French",
    "剪掉前3秒",
    "2x speed",
    "mute the video",
    "fade out 2 seconds",
    "put logo.png in the top left corner",
    "normalize the audio",
]


@settings(max_examples=25)
@given(st.permutations(CLAUSES), st.sampled_from([", ", "; ", ". ", ", and ", " and then ", "，然后"]))
def test_the_order_of_clauses_changes_nothing(clauses: list[str], joint: str) -> None:
    one, other = understand(joint.join(clauses)), understand(", ".join(CLAUSES))
    assert set(one.ops) == set(other.ops)
    assert [type(op) for op in one.ops] == [type(op) for op in other.ops]
    assert set(one.unsupported) == set(other.unsupported)


HOSTILE = [
    "a",
    "cut the ",
    " 'a",
    '"',
    "剪掉",
    "1:",
    "10 seconds ",
    "and ",
    "the first the first ",
    "remove a b c d e ",
    "speed it ",
    "mute the original ",
    "turn the music ",
    "fade in the ",
    "logo in ",
    "undo the last ",
    "title: ",
    "-",
    "x.mp4",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_bounded_for_hostile_text(piece: str) -> None:
    begun = time.process_time()
    understand(piece * (40_000 // len(piece)))
    assert time.process_time() - begun < 5
