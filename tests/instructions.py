"""Instructions as people write them: what of each is sent to the chat, word for word, and which exports follow.

Each row is the text of a plain sidecar. `sent` is "=" if all of it goes to the chat as it is, None if nothing of it
does; else the message or messages. Exports are written as "mov 720p best 24fps"; what is not named is the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nemo_watch import skills
from nemo_watch.model import Export
from nemo_watch.routing import PLACE_MESSAGE

Question = Literal["credits", "status"]


@dataclass(frozen=True)
class Row:
    """An instruction and what must come of it; `note` is a word of what a report must say."""

    text: str
    sent: str | tuple[str, ...] | None = "="
    exports: tuple[str, ...] = ("",)
    questions: tuple[Question, ...] = ()
    note: str = ""

    @property
    def messages(self) -> tuple[str, ...]:
        """What routing leaves to be sent."""
        if self.sent is None:
            return ()
        return (self.text,) if self.sent == "=" else (self.sent,) if isinstance(self.sent, str) else self.sent

    @property
    def wanted(self) -> tuple[Export, ...]:
        """The exports as the house knows them."""
        return tuple(export(words) for words in self.exports)

    @property
    def only_asks(self) -> bool:
        """Whether there is nothing to do with a clip."""
        return bool(self.questions) and not self.exports

    @property
    def arrives(self) -> tuple[str, ...]:
        """What reaches the backend: a drop that is only exported must come on the timeline first."""
        return () if self.only_asks else self.messages or (PLACE_MESSAGE,)


def export(words: str) -> Export:
    """Read "mov 720p best 24fps"."""
    said = words.split()
    unknown = [w for w in said if not re.fullmatch(r"mp4|mov|\d+p|\d+fps|draft|standard|high|best", w)]
    assert not unknown, unknown
    return Export(
        format="mov" if "mov" in said else "mp4",
        quality=next((word for word in said if word in {"draft", "standard", "high", "best"}), "high"),
        resolution=next((word for word in said if word.endswith("0p")), ""),
        fps=next((int(word[:-3]) for word in said if word.endswith("fps")), 0),
    )


def example(name: str) -> str:
    return skills.profile(name).example


FULL_HD, HD = ("1080p",), ("720p",)

# ---------------------------------------------------------------- the documents' own

EXAMPLES = (
    Row(example("ai-video-pro-online"), "cut the pauses, add background music", FULL_HD),
    Row(example("video-editing-with")),
    Row(example("video-skill-online"), "trim the intro, add captions"),
    Row(example("from-video-openapi")),
    Row(example("ai-video-jobs-remote"), "trim silences, add captions"),
)

# ---------------------------------------------------------------- every row of contract.md 9 and 10

ROUTING = (
    # export, download, "send me the video"
    Row("export", None),
    Row("Export!", None),
    Row("export the video", None),
    Row("download", None),
    Row("download it", None),
    Row("send me the video", None),
    Row("Send me the video please", None),
    Row("get the video", None),
    Row("导出", None),
    Row("导出视频", None),
    Row("请导出", None),
    Row("下载视频", None),
    Row("把视频发给我", None),
    # credits, balance
    Row("credits", None, (), ("credits",)),
    Row("balance", None, (), ("credits",)),
    Row("How many credits are left?", None, (), ("credits",)),
    Row("积分", None, (), ("credits",)),
    Row("余额", None, (), ("credits",)),
    Row("还剩多少积分？", None, (), ("credits",)),
    # status, tracks
    Row("status", None, (), ("status",)),
    Row("show tracks", None, (), ("status",)),
    Row("show timeline", None, (), ("status",)),
    Row("what's in it", None, (), ("status",)),
    Row("状态", None, (), ("status",)),
    Row("现在什么样了", None, (), ("status",)),
    Row("显示轨道", None, (), ("status",)),
    # upload
    Row("upload", None),
    Row("upload this video", None),
    Row("上传", None),
    Row("上传这个视频", None),
    # to be done again, and made: all for the chat
    Row("regenerate"),
    Row("redo"),
    Row("redo it in 720p", exports=HD),
    Row("重新生成"),
    Row("再来一个"),
    Row("generate"),
    Row("make a video"),
    Row("make a storyboard from this clip"),
    Row("create a video about our summer sale"),
    Row("生成视频"),
    Row("生成一个关于咖啡的短视频，导出1080p", "生成一个关于咖啡的短视频", FULL_HD),
    # anything else
    Row("edit"),
    Row("add BGM"),
    Row("加背景音乐"),
    # what only looks like a command
    Row("export settings screen recording tutorial"),
    Row("status bar"),
    Row("download icon"),
    Row("blur the status bar at the top"),
    Row("zoom in on the download icon when I click it"),
    Row("add captions to my export settings tutorial, then export"),
    Row("add end credits"),
    Row("roll the credits over the last 5 seconds"),
    Row("隐藏状态栏"),
    Row("放大下载按钮"),
    # what the backend says of a screen, said back to it
    Row("click the Export button"),
    Row("点击导出按钮"),
    Row("drag the title to the left"),
    Row("open the captions panel and make the font bigger"),
    Row("preview it in the timeline"),
)

# ---------------------------------------------------------------- from life

CREATORS = (
    Row("make it 9:16 for TikTok and export", "make it 9:16 for TikTok"),
    Row("9:16 for TikTok"),
    Row("make it 9:16 for TikTok, export in 1080p 30fps", "make it 9:16 for TikTok", ("1080p 30fps",)),
    Row("Make a 30 second reel out of this, punchy cuts, captions in the middle, no music"),
    Row("pls cut out all the umms and ahhs 🙏 and export 1080p", "pls cut out all the umms and ahhs 🙏", FULL_HD),
    Row("remvoe the silences nad add subtitels, then exprot in 1080p", exports=FULL_HD),
    Row("Remove silences. Add big yellow captions. Export for YouTube.", "Remove silences. Add big yellow captions."),
    Row("auto captions, TikTok style, bounce effect 🔥🔥"),
    Row(
        "Trim the first 3 seconds & the last 5 seconds, then save as MP4",
        "Trim the first 3 seconds & the last 5 seconds",
    ),
    Row("turn this into 3 shorts, one for each tip I give"),
    Row(
        "Cut dead air, speed up the boring parts 2x, add lofi at 15% volume, render at 60fps",
        "Cut dead air, speed up the boring parts 2x, add lofi at 15% volume",
        ("60fps",),
    ),
    Row(
        'add an intro card saying "Welcome back, download the app" and export in 720p',
        'add an intro card saying "Welcome back, download the app"',
        HD,
    ),
    Row('add a "Subscribe" button at 0:10, then export in 4K', 'add a "Subscribe" button at 0:10', FULL_HD, note="4K"),
    Row(
        "make me a highlight reel of the funniest moments, max 60s, vertical, with captions, "
        "and give me an mp4 in full hd please",
        "make me a highlight reel of the funniest moments, max 60s, vertical, with captions",
        FULL_HD,
    ),
    Row("jump cuts only. nothing else!!"),
    Row("cut the pauses and upload it to YouTube", "cut the pauses", note="YouTube"),
    Row(
        "gameplay: keep only the kills, zoom on headshots, export 1080p 60 fps",
        "gameplay: keep only the kills, zoom on headshots",
        ("1080p 60fps",),
    ),
    Row("blur my address at 0:42, blur the license plate too"),
    Row("remove the background noise and the echo, I recorded it in the kitchen 😅"),
    Row("Color grade it like a Wes Anderson film"),
    Row("same as last time please"),
    Row("Please remove the CapCut watermark"),
    Row("make it look good"),
    Row("1) trim start 2) add music 3) export"),
    Row("- trim the start\n- add upbeat music\n- export in 720p", "- trim the start\n- add upbeat music", HD),
    Row(
        "1. Cut the first 10 seconds\n2. Add captions\n3. Export as MP4 in 1080p\n",
        "1. Cut the first 10 seconds\n2. Add captions",
        FULL_HD,
    ),
    Row("* captions\n* music\n* export", "* captions\n* music"),
)

LESSONS = (
    Row("Cut the part where I look for the marker (2:10 to 2:45). Add chapter titles for each topic. Thanks!"),
    Row(
        "This is a lecture recording. Please remove the coughing, level the audio, add English subtitles, and export "
        "an MP4 in 720p so that it is small enough for Moodle.",
        exports=HD,
    ),
    Row("add subtitles in Spanish and save it", "add subtitles in Spanish"),
    Row("Explain on screen how to export a PDF from Word"),
    Row("zoom in when I open the export dialog in Excel, then export the video in 1080p", exports=FULL_HD),
    Row("shorten to 5 minutes, keep the definition of entropy and both examples"),
    Row('Cut everything before "Good morning everyone"'),
    Row("put the slide from 3:00 next to my face"),
    Row("split into one video per exercise and export all of them"),
    Row(
        "add a countdown timer of 30 s after each question; export in standard quality",
        "add a countdown timer of 30 s after each question",
        ("standard",),
    ),
    Row("transcribe it"),
    Row(
        "translate the captions to German, burn them in, export as mov",
        "translate the captions to German, burn them in",
        ("mov",),
    ),
)

EVENTS = (
    Row(
        "wedding highlights, 3 min, romantic piano, slow motion for the first dance, fade to black at the end and "
        "export in the best quality",
        "wedding highlights, 3 min, romantic piano, slow motion for the first dance, fade to black at the end",
        ("best",),
    ),
    Row("Cut uncle Bob's speech, he asked us to. Then export.", "Cut uncle Bob's speech, he asked us to."),
    Row('put "Anna & Tom, 12.06.2026" at the start in a handwriting font'),
    Row("birthday party! 🎂 make it fun, add happy music and confetti 🎉"),
    Row(
        "soccer game: find the goals, 10 sec each, with the score as a title, export 720p for WhatsApp",
        "soccer game: find the goals, 10 sec each, with the score as a title, export 720p for WhatsApp",
        HD,
    ),
    Row("slow motion replay of the dunk at 1:12, 50% speed"),
    Row("stabilize the drone footage and save in 1920x1080 at 30 fps", "stabilize the drone footage", ("1080p 30fps",)),
    Row("sync the cuts to the beat of music.mp3"),
    Row("keep the crowd noise, no music"),
    Row(
        "Ski day. Best runs only. 90 seconds tops. Export 1080p, high quality, MP4.",
        "Ski day. Best runs only. 90 seconds tops.",
        FULL_HD,
    ),
)

BUSINESS = (
    Row(
        'Real estate walkthrough: brighten the rooms, smooth the pans, add the address "14 Elm St, sold" at the end, '
        "export for the client in 1080p",
        'Real estate walkthrough: brighten the rooms, smooth the pans, add the address "14 Elm St, sold" at the end',
        FULL_HD,
    ),
    Row("add our logo (logo.png) bottom right for the whole video"),
    Row(
        "podcast: cut cross-talk and long pauses, level both voices, deliver mp4 for client review",
        "podcast: cut cross-talk and long pauses, level both voices",
    ),
    Row("Make an audiogram from the best 45 seconds"),
    Row("export audio only as mp3", exports=("",), note="MP3"),
    Row(
        "product demo -> cut to 60s -> add captions -> export 1080p",
        "product demo -> cut to 60s -> add captions",
        FULL_HD,
    ),
    Row(
        "Could you please trim the beginning, remove the part about pricing, and send me the finished video? "
        "Thank you so much!",
        "Could you please trim the beginning, remove the part about pricing? Thank you so much!",
    ),
    Row(
        "testimonial video, 1:1 for Instagram feed, captions burned in, render as mp4 h264",
        "testimonial video, 1:1 for Instagram feed, captions burned in",
    ),
    Row("Export three versions: 15s, 30s and 60s"),
    Row("cut it to 30 seconds, export in 1080p and 720p", "cut it to 30 seconds", ("1080p", "720p")),
    Row("add captions, export mp4 for the web and mov for the client", "add captions", ("mp4", "mov")),
    Row("export as mp4 and mov", None, ("mp4", "mov")),
    Row("I need this in 16:9, 1:1 and 9:16"),
    Row(
        'ad for our bakery. hook in the first 2 seconds. text: "Fresh at 6, gone by 9". cta: order online '
        "and download our app"
    ),
    Row(
        "replace the voice with a female narrator reading the script below:\nWelcome to Acme. "
        "Export your data in one click."
    ),
    Row('remove the line "export to CSV" from the captions'),
    Row("trim, caption, brand with #0055FF, export", "trim, caption, brand with #0055FF"),
    Row("convert to mp4", None),
    Row("convert to MOV, 24fps, best quality", None, ("mov best 24fps",)),
    Row("compress it so that it is below 25 MB"),
    Row(
        "Make it shorter. How many credits do I have left?", "Make it shorter.", questions=("credits",), note="credits"
    ),
    Row("what's the status? also cut the pauses", "cut the pauses", questions=("status",), note="status"),
)

PROGRAMS = (
    Row("cut it like a Premiere Pro montage, export for DaVinci Resolve in ProRes", exports=("",), note="PRORES"),
    Row("use the same transitions as in Final Cut"),
    Row(
        "screen recording of OBS: hide the taskbar, zoom to the mouse, export 1080p",
        "screen recording of OBS: hide the taskbar, zoom to the mouse",
        FULL_HD,
    ),
    Row("Show how to save a file in Photoshop and export it as PNG"),
    Row("tutorial about credits in Midjourney, cut the pauses"),
    Row("add a caption that reads: Download now, export later"),
    Row("don't export, just cut the pauses"),
    Row("add music but do not download anything"),
    Row("export only the part from 0:30 to 1:00"),
    Row("export from 0:30 to 1:00 in 720p", exports=HD),
    Row("export the first minute, without the logo"),
    Row("Export as a loop"),
    Row("make a GIF of the cat jumping", exports=("",)),
    Row("export a thumbnail"),
    Row("can you export this in hd", None, note="hd"),
    Row("would you kindly render the finished clip at 720p, 25 fps, in high quality?", None, ("720p 25fps",)),
    Row("Just export it.", None),
    Row("ok now export", None),
    Row("EXPORT IN 1080P!!!", None, FULL_HD),
    Row("export, thanks 🙏", None),
    Row("🙏"),
    Row("exprot"),
    Row("as is"),
    Row("put the logo at the end and export", "put the logo at the end"),
    Row("export in 720p, at the end show the logo", exports=HD),
    Row("cut the pauses, add music, at the end export in 720p", "cut the pauses, add music", HD),
    Row("show what happens next and export", "show what happens next"),
    Row("I'd like it exported in 1080p, please", None, FULL_HD),
    Row("Title: Cut the cake, export in 720p", exports=HD),
    Row("text: cut, save, download"),
    Row("Caption: save the date"),
)

CHINESE = (
    Row("把停顿剪掉，加上字幕，导出1080P", "把停顿剪掉，加上字幕", FULL_HD),
    Row("剪成30秒的抖音短视频，竖屏，配热门音乐，导出", "剪成30秒的抖音短视频，竖屏，配热门音乐"),
    Row("帮我做一个小红书封面风格的开头，字体大一点，谢谢！"),
    Row("去掉口头禅和气口，变速1.2倍，然后导出720P，60帧", "去掉口头禅和气口，变速1.2倍", ("720p 60fps",)),
    Row(
        "自动加字幕，要黄色描边；片尾加“点赞关注不迷路，下载链接在评论区”，最后导出高清视频",
        "自动加字幕，要黄色描边；片尾加“点赞关注不迷路，下载链接在评论区”",
        note="高清",
    ),
    Row("卡点剪辑，跟着音乐节奏来🎵"),
    Row("把2分10秒到2分45秒删掉"),
    Row("转成9:16，发抖音"),
    Row("转成竖屏9:16，导出MOV格式，30帧", "转成竖屏9:16", ("mov 30fps",)),
    Row("做成vlog，滤镜用日系，bgm要轻松一点，导出4K", "做成vlog，滤镜用日系，bgm要轻松一点", FULL_HD, note="4K"),
    Row("先稳定画面，再调色，最后导出最高画质的mp4", "先稳定画面，再调色", ("best",)),
    Row("美颜一下"),
    Row("用剪映那种逐字字幕"),
    Row(
        "直播回放剪辑：只留下讲价格的部分，加标题“今晚八点”，导出", "直播回放剪辑：只留下讲价格的部分，加标题“今晚八点”"
    ),
    Row("查一下积分，然后把停顿剪掉", "把停顿剪掉", questions=("credits",), note="credits"),
    Row("导出1080p和720p", None, ("1080p", "720p")),
    Row("给我成片", None),
    Row("不要导出，先给我看看分镜"),
    Row("教程：怎么导出视频，放大每一次点击"),
    Row("加速两倍并导出", "加速两倍"),
    Row("麻烦帮我把背景音乐换成钢琴曲，音量小一点，谢谢"),
    Row("再短一点"),
    Row("重新生成，节奏快一点"),
    Row("婚礼视频，三分钟，煽情一点，開頭加新人名字「小明 & 小红」，輸出1080p", exports=FULL_HD),
)

SEVERAL = (
    Row(
        "cut the pauses\n---\nadd background music\n---\nexport in 720p", ("cut the pauses", "add background music"), HD
    ),
    Row("trim the intro\n---\nmake it warmer, 24 fps", ("trim the intro", "make it warmer"), ("24fps",)),
    Row("剪掉停顿\n---\n加字幕，导出", ("剪掉停顿", "加字幕")),
    Row(
        "add captions\n---\nshow tracks\n---\nadd music",
        ("add captions", "add music"),
        questions=("status",),
        note="status",
    ),
)

ALL_HANDS = (
    "Hi! This is our company's all-hands from last Thursday, about 50 minutes long. What I need is a recap of no "
    "more than 4 minutes for people who missed it. Keep Maria's opening, the three numbers from the finance part "
    "(please put them on screen as text), the customer story and the last two questions. Leave out everything "
    'about the reorganisation, and every time somebody says "can you hear me". Captions in English, our blue '
    "(#0B5FFF) as their background, quiet music under the whole thing but not while the customer speaks. "
    'Start with a title: "All-hands in 4 minutes". If something is unclear, take the shorter version.'
)
LISBON = (
    "Travel vlog Lisbon, day 2.\n\nStructure:\n- morning market (keep the fish seller, he is great)\n- tram 28, "
    "speed it up\n- sunset, no talking, only music\n\nStyle: warm, film grain, soft captions.\nLength: 2:30."
)
LONG = (
    Row(
        f"{ALL_HANDS} Finally export it in 1080p as an MP4. Thanks a lot, Jana",
        f"{ALL_HANDS} Thanks a lot, Jana",
        FULL_HD,
    ),
    Row(f"{LISBON}\n\nExport: 1080p, 25 fps.", LISBON, ("1080p 25fps",)),
    Row(
        "把这段采访剪成三分钟左右：开头用他最有冲突的一句话做引子，然后是自我介绍，中间保留创业失败那一段（大概在12分钟），"
        "结尾停在“我从来没有后悔过”。字幕用白字黑边，重点词标黄。背景音乐要轻，不要盖过人声。最后请导出1080p的MP4，谢谢。",
        "把这段采访剪成三分钟左右：开头用他最有冲突的一句话做引子，然后是自我介绍，中间保留创业失败那一段（大概在12分钟），"
        "结尾停在“我从来没有后悔过”。字幕用白字黑边，重点词标黄。背景音乐要轻，不要盖过人声。",
        FULL_HD,
    ),
)

LIFE = (*CREATORS, *LESSONS, *EVENTS, *BUSINESS, *PROGRAMS, *CHINESE, *SEVERAL, *LONG)
TABLE = (*EXAMPLES, *ROUTING, *LIFE)


def names(rows: tuple[Row, ...] = TABLE) -> Iterator[str]:
    """Give each row a short name for a test's id."""
    return (f"{number}-{row.text[:30]!a}" for number, row in enumerate(rows))
