"""What a clause says of how loud it is to be: in all, the clips' own sound, or the music. Pure."""

from __future__ import annotations

import re

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.ops import DEFAULT_GAIN, Loudness, Volume
from nemo_watch.sandbox.intent.passage import Q
from nemo_watch.sandbox.intent.reading import Reading

LOUDER, QUIETER = 1.5, 0.5
"""What is done if no figure is named; the reply says it."""
_SOUND = r"(?:audio|sound(?:track)?|voices?|vocals|speech|volume)"
_OWN = r"(?:(?:the|all|all of|any|its|my|of|this|that|original|existing|clip's|video's|own|whole|entire|source) ?)*"
_NO_SOUND = r"(?!\W+(?:effects?|quality|issues?|bites?|checks?|problems?|guy|engineer|files?|only\b))"
_MUTE = (
    r"\bmut(?:e|ed|ing)\b(?=\W*(?:$|(?:the|all|any|its|my|this|that|it|original|audio|sound|videos?|clips?|footage"
    r"|everything|voices?|speech|please|completely|entirely|music|background|bgm|version|completely)\b))"
    rf"(?:\W+{_OWN}(?:{_SOUND}|videos?|clips?|footage|it|everything)\b)?"
    rf"|\b(?:remov\w+|delet\w+|strip(?: out)?|drop|turn(?:ed)? off|silence|kill|get rid of|cut(?: out)?"
    rf"|take out|eras\w+|no|without)\W+{_OWN}(?:audio|sound|voices?|vocals)(?: ?track)?\b{_NO_SOUND}"
    rf"|\bmake\W+{w.IT}\W*silent\b|\bsilent (?:version|video|film|copy)\b"
    r"|(?:去掉|去除|关闭|关掉|删除|删掉|移除|消除|不要)[^没无\n]{0,4}?(?:原声|原音|声音|人声|音频|音轨)(?![很较太小])"
    r"|(?:原声|原音|声音|音频|音轨)(?:都|全部|全)?(?:去掉|去除|关闭|关掉|删除|删掉|移除)|消音|静音处理|无声版"
)
_MUTE_ZH = r"静音(?!的|部分|片段|段|处|地方)"
_UNMUTE = (
    r"\bunmut(?:e|ed|ing)\b(?:\W+\w+){0,2}"
    r"|\b(?:restore|bring back|turn on)\W+(?:the )?(?:original )?(?:audio|sound|voice)\b"
    r"|取消静音|恢复(?:原声|声音)|打开(?:原声|声音)"
)
_INSTEAD = rf"\b(?:replac\w+|swap\w*)\W+{_OWN}(?:audio|sound|voices?)(?: ?track)?\b(?=\W+(?:with|by|for)\b|\W*$)"
_UP = (
    r"\b(?:rais(?:e|ed|ing)|increas(?:e|ed|ing)|boost(?:ed)?|amplify|crank|louder|double|up)\b"
    r"|提高|增大|调高|调大|加大|大声一?点|大一点|响一点|放大音量"
)
_DOWN = (
    r"\b(?:lower(?:ed|ing)?|reduc(?:e|ed|ing)|decreas(?:e|ed|ing)|quieter|softer|halve[ds]?|half|down)\b"
    r"|降低|减小|调低|调小|小声一?点|小一点|轻一点|压低|关小"
)
_LEVEL = (
    r"\bvolumes?\b|\blouder\b|\bquieter\b|\bloudness (?:up|down)\b"
    r"|\b(?:turn|crank|bring|dial)(?:ed)?\W+(?:(?:up|down)\W+)?(?:the |its |my |original |background )*"
    r"(?:volume|sound|audio|voices?|speech|music|bgm|song|soundtrack|it)(?:\W+(?:up|down))?\b"
    r"|\b(?:boost|amplify|lower|raise|reduce|increase|decrease|halve)\W+(?:the |its |my |original |background )*"
    r"(?:volume|sound|audio|voices?|speech|music|bgm|song|soundtrack)\b|音量|调大声|调小声|声音(?:大|小|轻|响)一?点"
    rf"|(?:把|将)?(?:{w.MUSIC_ZH}|原声|人声|声音)(?:的)?(?:音量)?(?:降低|减小|调低|调小|提高|增大|调高|调大|加大|压低|小一?点|大一?点|轻一?点)"
)
_SET_MUSIC = (
    rf"\b(?:set|keep|put|make|leave)\W+(?:the |my |our )(?:{w.MUSIC})\W+(?:volume )?(?:to|at)\W+\d{{1,3}} ?%"
    rf"|\bmake\W+(?:the |my )?(?:{w.MUSIC})\W+(?:\w+\W+){{0,3}}?(?:louder|quieter|softer)\b"
    rf"|\b(?:the )(?:{w.MUSIC})\W+(?:at|to)\W+\d{{1,3}} ?%"
    rf"|(?:{w.MUSIC_ZH})(?:音量)?(?:调到|设为|设成|改为|改成|降到|降低到)"
)
ADDING = (
    r"\b(?:add\w*|insert\w*|includ\w+|lay\w*|us(?:e|ing)|with|giv\w+|overlay|mix in|creat\w+|generat\w+|want"
    r"|need|throw in|put (?:some|a|in))\b|加上|加入|加个|加段|加点|添加|配上|配|放上|来点|来段"
)
_NORMALIZE = (
    rf"\b(?:normali[sz]\w+|even(?:ing)? out|level(?:ing|ling)?(?: out)?|equali[sz]e|balance)\W+{_OWN}"
    r"(?:audio|sound|volumes?|loudness|levels?|voices?|speech)(?: (?:levels?|volume|loudness))?\b"
    r"|\b(?:audio|sound|volume|loudness|level) normali[sz]\w+|\bnormali[sz]e\W*(?:it|everything)?\W*$"
    r"|\bnormali[sz]ed (?:audio|sound|volume|loudness)\b"
    r"|(?:响度|音量|音频|声音)(?:的)?(?:标准化|归一化?|规范化|均衡|统一|平衡)|(?:标准化|统一|均衡|平衡|归一化?)(?:一下)?(?:响度|音量|音频|声音)"
)
_LUFS = r"(?:\bto |\bat |到|为)?-? ?(?P<l>\d{1,2}(?:\.\d)?) ?lufs\b"


_OWN_SOUND = rf"\b(?:{_SOUND[3:-1].replace('|volume', '')}|videos?|clips?|footage|original)\b|原声|人声|声音|视频|原片"


def loudness(reading: Reading, *, after_music: bool) -> None:
    """Read how loud it is to be, in all or the clips' own sound or the music.

    `after_music`: a bare "louder" is about the music that was just spoken of.
    """
    if reading.find(Q):
        return
    target = reading.find(_LUFS)
    if target is not None and float(target["l"]) != 14:
        return  # only one loudness is made, and the words stay to be named
    if (match := reading.find(_NORMALIZE)) or target is not None:
        found = match or target
        if found is not None and not reading.denied(found.start()):
            reading.ops.append(Loudness())
        for pattern in (_NORMALIZE, _LUFS, r"\b(?:normali[sz]\w*|loudness|levels?)\b|响度|标准化"):
            while reading.take(pattern):
                pass
        return
    if reading.timed:
        return
    _mute(reading)
    _volume(reading, after_music=after_music)


def _mute(reading: Reading) -> None:
    if match := reading.take(_UNMUTE):
        own = re.search(_OWN_SOUND, match[0]) or re.search("原声|声音", match[0])
        of_music = re.search(rf"{w.MUSIC}|{w.MUSIC_ZH}", match[0] + reading.rest) is not None
        take_music(reading)
        if not reading.denied(match.start()):
            reading.ops.append(
                Volume(DEFAULT_GAIN, "music") if of_music else Volume(1.0) if own else Volume(1.0, "muted")
            )
        return
    if match := reading.take(_INSTEAD):
        reading.ops.append(Volume(0.0))
        return
    match = reading.find(_MUTE)
    if match is None and not re.search(rf"{w.REMOVE_ZH}|{w.KEEP_ZH}|{w.CAPTION_ZH}", reading.rest):
        match = reading.find(_MUTE_ZH)
    if match is None or re.search(r"\b(?:has|have|had|is|was|there's|hears?)\W+$", reading.low[: match.start()]):
        return  # "the recording has no sound" wishes for nothing
    of_music = bool(re.search(rf"{w.MUSIC}|{w.MUSIC_ZH}", reading.rest)) and not re.search(ADDING, reading.rest)
    reading.blank(match)
    if of_music:
        take_music(reading)
    denied = re.search(w.NOT_VERB, reading.low[: match.start()]) is not None or reading.inherited_not
    if not denied:
        whole = re.search(r"\b(?:everything|all|silent)\b(?! else\b)|全部|所有|都|消音|无声", match[0] + reading.rest)
        silent = re.search(r"\b(?:else|but|except)\b", reading.low) is None and whole is not None
        reading.ops.append(Volume(0.0, "music" if of_music else "all" if silent else "clip"))


def _volume(reading: Reading, *, after_music: bool) -> None:
    named = reading.find(_SET_MUSIC) or reading.find(_LEVEL)
    if named is None:
        return
    of_music = re.search(rf"{w.MUSIC}|{w.MUSIC_ZH}", reading.rest) is not None
    if of_music and (re.search(ADDING, reading.rest) or reading.find(w.DUCKED)):
        return  # how loud the music is that is to be added
    # "add music, volume 20%", "add music and make it louder"; a bare "half volume" is a wish of its own
    bare = reading.find(r"\b(?:it|that)\b|\d ?(?:%|percent)|它") and not reading.find(_OWN_SOUND)
    of_music = of_music or (after_music and bool(bare))
    gain, relative = _gain(reading)
    if gain is None:
        return
    reading.blank(named)
    if of_music:
        take_music(reading)
    for pattern in (
        r"\b(?:to|by|at)?\W*\d{1,3} ?(?:%|percent)(?: volume)?|[+-]?\d{1,2}(?:\.\d)? ?db\b|\bto\W*\d{1,3}\b",
        rf"{_UP}|{_DOWN}|\bvolumes?\b|\b(?:turn|crank|bring|dial|set|adjust|change|twice|times)\b",
        rf"\b(?:{_SOUND}|levels?)\b|音量|原声|人声|声音|调|降|升|(?:到|至|为)?\s*\d{{1,3}}\s*%|一半|一倍|百分之",
    ):
        while reading.take(pattern):
            pass
    if not reading.denied(named.start()):
        reading.ops.append(Volume(gain, "music" if of_music else "clip", relative))


def _gain(reading: Reading) -> tuple[float | None, bool]:
    """Read the level: linear, and whether it is a share of what there is now. None if it says nothing."""
    rest = reading.rest
    up, down = re.search(_UP, rest) is not None, re.search(_DOWN, rest) is not None
    if db := re.search(r"(?P<sign>[+-])?(?P<n>\d{1,2}(?:\.\d)?) ?db\b", rest):
        sign = -1 if db["sign"] == "-" or (down and not db["sign"]) else 1
        return round(float(10 ** (sign * float(db["n"]) / 20)), 4), True
    if share := re.search(r"(?P<by>\bby\W*)?(?P<n>\d{1,3}) ?(?:%|percent\b)", rest):
        part = min(int(share["n"]), 400) / 100
        change = share["by"] is not None or (
            re.search(
                r"(?:% ?|percent )(?:louder|quieter|softer)|(?:降低|减小|提高|增大|加大|调高|调低|调大|调小)了?\s*\d",
                rest,
            )
            is not None
        )
        if change and (up or down):
            return round(max(1 - part, 0.0), 4) if down else 1 + part, True
        return part, False
    if bare := re.search(r"\bto\W*(?P<n>\d{1,3})(?![\w%.])", rest):
        return min(int(bare["n"]), 400) / 100, False
    if re.search(r"\bby half\b|\bhalve[ds]?\b|(?:降低|减小|调低|调小)一半", rest):
        return 0.5, True
    if re.search(r"\bhalf\b|一半", rest):
        return 0.5, False
    if re.search(r"\b(?:double|twice)\b|一倍", rest):
        return 2.0, True
    if up == down:
        return None, False
    return (LOUDER if up else QUIETER), True


def take_music(reading: Reading) -> None:
    """Take the music out of a clause: it is not to be added."""
    while reading.take(rf"{w.MUSIC}|{w.MUSIC_ZH}"):
        pass
