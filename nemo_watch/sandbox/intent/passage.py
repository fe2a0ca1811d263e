"""A message taken apart: quotes, times, shapes and file names set aside, the rest split into clauses. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

_T = TypeVar("_T")

MAX_CHARS = 20_000
"""What comes behind is named as not read: no instruction is that long."""
MAX_CLAUSES = 200
MAX_CLAUSE_CHARS = 800
"""A clause longer than this is read in pieces, so that no pattern ever sees an unbounded text."""

# What is set aside leaves one character of the private use area in its place: no pattern for words can see into it.
_SLOTS = 0x400
_QUOTE, _SPAN, _RANGE, _RATIO, _FILE = (0xE000 + _SLOTS * i for i in range(5))


def _slot(base: int) -> str:
    return f"[{chr(base)}-{chr(base + _SLOTS - 1)}]"


Q, D, R, A, F = _slot(_QUOTE), _slot(_SPAN), _slot(_RANGE), _slot(_RATIO), _slot(_FILE)
"""Patterns for one quote, duration, range of times, aspect ratio and file name that was set aside."""

_SIMPLIFIED = str.maketrans(
    "頓靜聲樂標題視頻豎橫導載頭開結場鐘兩裡裏個刪幫請無別為換轉變時間軸線譯語處調濾鏡華錦輯長縮後並與還麼這製質畫顏動輕鬆溫電歡專業"
    "壓歸內條幾類從過區張寫給資訊據總檔適發佈雜臉馬賽軟體樣麗節緊湊鋪墊讓對圖雙應該網絡單獨塊須淨減戶參數說話謝讀較緩氣聽進處盡選擇",
    "顿静声乐标题视频竖横导载头开结场钟两里里个删帮请无别为换转变时间轴线译语处调滤镜华锦辑长缩后并与还么这制质画颜动轻松温电欢专业"
    "压归内条几类从过区张写给资讯据总档适发布杂脸马赛软体样丽节紧凑铺垫让对图双应该网络单独块须净减户参数说话谢读较缓气听进处尽选择",
)

_PAIRS = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」", "『": "』", "《": "》", "〈": "〉", "＂": "＂", "`": "`"}
_MEDIA = "mp4|mov|avi|webm|mkv|m4v|jpe?g|png|gif|webp|mp3|wav|m4a|aac|srt|vtt"
_FILE_NAME = re.compile(rf"[\w\-.()+]{{1,120}}?\.(?:{_MEDIA})(?!\.?[A-Za-z0-9_])", re.I)
_WORDS_BEFORE_NAME = re.compile(
    r"[\u4e00-\u9fff]*(?:把|将|用|加|加上|加入|添加|放|放上|放入|去掉|删掉|删除|移除|剪掉|换成|换为|改成|改为|保留|和|与|跟|及|音乐|字幕|标志|水印|从|给|对|在)"
    r"(?=[A-Za-z0-9_(])"
)
_WHOLE_FILE = re.compile(rf".{{1,200}}\.(?:{_MEDIA})", re.I | re.S)
_OUTPUT_NAME = re.compile(r"(?:\b(?:as|named|called|into|save|name)|命名为|名为|叫做|保存为|导出为)\s*$", re.I)

_RESULT_NAME = re.compile(
    r"(?:\b(?:sav|export|nam|call|render|output|download|deliver)\w*\b[^\n,;.\ue000-\uf3ff]{0,60}?"
    r"\b(?P<word>(?:as|to|into|named|called)\s*)"
    r"|\b(?:call|name|rename)\s+(?:it|this|that|the (?:result|file|video|export|output))(?:\s+as)?"
    r"|(?:命名|保存|导出|導出|另存|存|取名|改名)(?:为|為|成|叫)|叫做)\s*$",
    re.I,
)

_WORD_NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "eighteen": 18, "twenty": 20, "twenty-five": 25,
    "thirty": 30, "thirty-five": 35, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
_NUM = r"\d{1,6}(?:[.,]\d{1,3})?|" + "|".join(sorted(_WORD_NUMBERS, key=len, reverse=True)).replace("-", "[- ]")
_UNIT_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LATIN_SPAN = re.compile(
    rf"(?<![\w.])(?P<n>{_NUM})[ -]{{0,2}}(?P<u>milliseconds?|ms|hours?|hrs?|h|minutes?|mins?|m|seconds?"
    r"|secs?|s)(?![a-z])",
    re.I,
)
_LATIN_PHRASES = (
    (re.compile(r"\b(?:a|one|1) (?:minute and a half|and a half minutes?)\b", re.I), 90_000),
    (re.compile(r"\bhalf[ -](?:an?[ -])?minute\b", re.I), 30_000),
    (re.compile(r"\b(?:an?[ -])?couple(?: of)? seconds\b", re.I), 2000),
    (re.compile(r"\ba few seconds\b", re.I), 3000),
    (
        re.compile(
            r"\b(?:(?<=first )|(?<=last )|(?<=final )|(?<=opening )|(?<=\ba )|(?<=best )|(?<=strongest ))minute\b", re.I
        ),
        60_000,
    ),
    (re.compile(r"\b(?:(?<=first )|(?<=last )|(?<=final ))second\b", re.I), 1000),
)
_HAN_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "兩": 2}
_HAN_SPAN = re.compile(
    r"(?P<n>\d{1,6}(?:\.\d{1,3})?|[零一二两兩三四五六七八九十百]{1,6}|半)\s*(?:个)?"
    r"(?P<u>小[时時]|分[钟鐘]|分(?=\s*[\d零一二两兩三四五六七八九十半]|半)"
    r"|(?<=\d)分(?![辨之享割段别析])|毫秒|秒[钟鐘]|秒)(?P<half>半)?"
)
_HAN_UNIT = {"小时": "h", "分钟": "m", "分": "m", "毫秒": "ms", "秒钟": "s", "秒": "s"}
_CLOCK = re.compile(r"(?<![\d:.])(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)(?:\.(\d{1,3}))?(?![\d:])")
_RATIOS = {(9, 16), (16, 9), (1, 1), (4, 5), (5, 4), (4, 3), (3, 4), (21, 9), (2, 3), (3, 2), (2, 1), (1, 2)}
_RATIO_TEXT = re.compile(r"(?<![\d:.])(\d{1,2})\s?[:x×比/]\s?(\d{1,2})(?![\d:%])")
_SIZE_TEXT = re.compile(r"(?<!\d)(\d{3,4})\s?[x×*]\s?(\d{3,4})(?!\d)")
_JOINED_SPANS = re.compile(rf"({D})\s*(?:and\s+)?({D})", re.I)
_RANGE_TEXT = re.compile(
    rf"(?:\b(?:from|between)\s+|从|由)?(?:\b(?:second|minute)\s+|第\s*)?({D}|\d{{1,5}}(?:\.\d{{1,3}})?)\s*"
    rf"(?:\b(?:to|until|till|through|thru)\b|(?:-|–|—|~|到|至)+|\band\b)\s*(?:\b(?:second|minute)\s+|第\s*)?({D})"
    r"\s*(?:之间|这段|这一段)?",
    re.I,
)
_SECOND_RANGE = re.compile(r"\bfrom second (\d{1,5}) (?:to|until|till) (?:second )?(\d{1,5})(?!\d)", re.I)

_VERBS_AFTER_AND = "add|cut|put|remove|trim|export|make|then|delete|crop|use|give|include|insert|save|render|keep"
_NO_TITLE = (
    "a|an|the|to|in|at|on|for|with|and|or|over|of|that|which|from|please|before|after|card|text|overlay|screen|slide"
    "|sequence|animation|font|colou?r|bigger|smaller|larger|again|too|now|into|as|by|under|during|above|below|centered"
    "|centred|then|but|says|saying|reading|reads|is|should|you|it|here|there|throughout|page|effect|music|only|first"
)
"""What stands behind "title" and is not its text."""
_PLAIN_TITLES = (
    re.compile(r"\b(?:title|headline|heading|text overlay|title card)\s*[:=]\s*(?P<t>[^\n,;.!。，；]{1,120})", re.I),
    re.compile(
        r"\b(?:titled|entitled|that says|that reads|which says|saying|reading)\s*:?\s+(?P<t>[^\n,;.!。，；]{1,90})",
        re.I,
    ),
    re.compile(
        rf"\b(?:[Tt]itle|[Hh]eadline|[Hh]eading)\s+(?!(?i:{_NO_TITLE})\b)(?P<t>[A-Z][^\n,;.!?。，；\ue000-\uf3ff]{{0,90}})"
    ),
    re.compile(
        r"\b(?:add|put|show|use|insert|display|write)(?:ing)? the (?:title|headline|heading)\s+"
        rf"(?!(?:{_NO_TITLE})\b)(?P<t>[a-z0-9][^\n,;.!?。，；\ue000-\uf3ff]{{1,90}})",
        re.I,
    ),
    re.compile(
        r"(?:加上?|添加|写上|寫上|配上|放上)(?:一?[个個])?(?:[标標][题題]|片名|[题題]目)\s*"
        r"(?![和与與并並及以在到于放的吧就用是为為叫写寫动動特样樣字栏欄条條卡页頁文持显顯也再])"
        r"(?P<t>[^\n,;.!?。、，；\s\ue000-\uf3ff]{2,60})"
    ),
    re.compile(r"(?:标题|文字|题目|片名|字样)\s*(?::|为|是|叫|写着|写上|内容为)\s*(?P<t>[^\n,;.!。、，；\s]{1,60})"),
)
_PLAIN_TITLE_END = re.compile(
    rf"\s+(?:and\s+(?:{_VERBS_AFTER_AND})\b|(?:for|during)\s+(?:the\s|{D})|(?:at|on|in)\s+the\s+"
    rf"(?:top|bottom|cent|middle|start|begin|end|upper|lower|first|last)|{D}|{R}"
    r"|(?:and|with)\s+(?:\w+\s+){0,2}(?:music|captions?|subtitles?|subs|bgm|soundtrack)\b|(?:and\s+)?then\b"
    r"|(?:for|from|at|after|during)\s+(?:\d|(?:a|one|two|three|four|five|six|seven|eight|nine|ten|half|few)\b"
    r"(?=[\w ]{0,12}(?:second|minute)))|(?:for|over|during)\s+the\s+(?:first|last|whole|entire|intro|video|clip)\b"
    r"|(?:to|on|over|in)\s+(?:the|my|this)\s+(?:video|clip|start|end|left|right)\b|throughout\b|please\b"
    r"|in\s+(?:red|blue|green|yellow|white|black|bold|big|large|gold)\b)"
    r"|(?:放|显示|顯示|置于|持续|持續|全程|然后|然後|并|並|再|导出|導出|在(?:片|开|開|顶|頂|底|上|下|中|左|右|结|結|最))"
    r"|[和与與加](?=字幕|背景|音乐|音樂|配乐|配樂)|[,，]",
    re.I,
)

_JOINED_AND = "a\u2060nd"
# "and" inside these belongs to the phrase.
_FIXED = (
    (re.compile(r"\b(black) and (?=white\b)", re.I), rf"\1 {_JOINED_AND} "),
    (re.compile(r"\b(leading|head|start|beginning) and (?:the )?(trailing|tail|end|ending) (silences?|pauses?)", re.I),
     r"\1-\2 \3"),
    (re.compile(r"\b(silences?|pauses?) (at|from) the (start|beginning|head) and (?:at )?(?:the )?(end|tail)\b", re.I),
     r"\1 \2 the \3-\4"),
    (re.compile(r"\b(fade[sd]? in) and (?=(?:fade )?out\b)", re.I), rf"\1 {_JOINED_AND} "),
    (re.compile(r"\b(?:replace|swap) (the|my|our) (titles?|text|headline) with\b", re.I), r"change \1 \2 to"),
    (re.compile(r"(开头|首|片头)和(结尾|尾|片尾)的?(静音|停顿|空白|沉默)"), r"首尾\3"),
    (re.compile(r"\bde-?silenc(?:e|ing)\b", re.I), "remove silences"),
    (re.compile(r"首尾的(静音|停顿|空白|沉默)"), r"首尾\1"),
)  # fmt: skip
ALL_BUT = re.compile(
    r"\b(?:(?:everything|anything|nothing)(?: \w+){0,4}?|all(?: of (?:it|them|this))?|(?:whole|entire) \w+) "
    r"(?:bu\u2060?t|excep\u2060?t(?: for)?|other than|apart from|besides|excluding|save for|outside(?: of)?)"
    r"(?! (?:not|no|don't|do not|keep|add|cut|remove|trim|leave|make|export|put|then|please|also)\b)\s"
    r"(?P<x>[^,;.!?\n。，]{1,200}?)"
    rf"(?=\s+(?:and )?then\b|\s+and (?:{_VERBS_AFTER_AND})\b|[,;.!?\n。，]|$)",
    re.I,
)
"""What is left out of the rest: "everything but the first minute"; a clause with it is one clause."""
ALL_BUT_ZH = re.compile(
    r"除了?(?P<x>[^\n，,。；;]{1,24}?)(?:以外|之外|外)?[，,]?\s*"
    r"(?=(?:的?(?:其他|其它|其余|其餘|剩下|别的|別的|全部|所有|都|全))|[剪删刪去裁切])"
)
_FIRST_AND_LAST = (re.compile(rf"\b(first) and (?:the )?(last)\s*({D})", re.I), r"\1 \3 and \2 \3")
_SEPARATOR = re.compile(
    r"\s*(?P<sep>[,;!?\n。、|•·…]|\.(?!\w)|:(?=\s|$)(?!\s*[\ue000-\ue3ff])|\s[-–—*]+\s|——|"
    r"\b(?:and|then|also|plus|but|while|afterwards|after that|as well as|followed by)\b|&|\+|"
    r"(?=\b(?:without|instead of|rather than|except(?: for)?)\b)|"
    r"(?<!interview)(?<!talk)(?<!call)(?<!meeting)(?<!conversation)(?<!chat)(?<!podcast)(?<!discussion)(?<!start)"
    r"(?<!begin)(?<!end)(?<!along)\s(?=with\b)|"
    r"然后|并且|而且|接着|随后|同时|以及|还有|另外|此外|顺便|之后(?!的)|(?<!合)并(?!排|入)|再(?!来|见)|但是|但|"
    r"(?<![柔温平缓\u2060])和(?![谐平缓])|(?<![参\u2060])与(?!众)|最后(?!的|一|几|\d|\s*[\ue400-\uebff]|部分)|且)\s*",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: `text` as written, `low` in small letters and simplified characters, of the same length."""

    text: str
    low: str
    after_comma: bool


@dataclass(slots=True)
class Passage:
    """A message with what was set aside in it."""

    clauses: tuple[Clause, ...] = ()
    quotes: list[str] = field(default_factory=list)
    spans_ms: list[int] = field(default_factory=list)
    ranges_ms: list[tuple[int, int]] = field(default_factory=list)
    ratios: list[tuple[int, int]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    result_names: list[str] = field(default_factory=list)
    rest: str = ""
    _written: dict[str, str] = field(default_factory=dict)

    def quote(self, slot: str) -> str:
        return self.quotes[ord(slot) - _QUOTE]

    def span_ms(self, slot: str) -> int:
        """The duration behind a slot; of a range its end."""
        code = ord(slot)
        return self.ranges_ms[code - _RANGE][1] if code >= _RANGE else self.spans_ms[code - _SPAN]

    def range_ms(self, slot: str) -> tuple[int, int]:
        return self.ranges_ms[ord(slot) - _RANGE]

    def ratio(self, slot: str) -> tuple[int, int]:
        return self.ratios[ord(slot) - _RATIO]

    def as_written(self, text: str) -> str:
        """Put back what was set aside, as the person wrote it."""
        for _ in range(3):  # a range holds durations
            text = re.sub(r"[\ue000-\uf3ff]", lambda m: self._written.get(m[0], ""), text)
        text = re.sub(r"\s+", " ", text.replace("\u2060", ""))
        text = re.sub(r"(?<=[\u4e00-\u9fff]) | (?=[\u4e00-\u9fff])|(?<=\d-) (?=\d)", "", text)
        return text.strip(" ,.;:!?。，；：！？、-")

    def keep(self, base: int, store: list[_T], value: _T, written: str) -> str:
        if len(store) >= _SLOTS:  # nobody means that many: what is too much is dropped, never read as words
            return " "
        slot = chr(base + len(store))
        store.append(value)
        self._written[slot] = written
        return f" {slot} "


def read(text: str) -> Passage:
    """Take a message apart.

    Text in quotes, names of files, durations, ranges of times and aspect ratios are set aside first, so that no comma,
    colon or "and" inside them splits a clause, and no word inside quotes is ever read as a wish.
    """
    passage = Passage()
    if len(text) > MAX_CHARS:
        passage.rest, text = text[MAX_CHARS:], text[:MAX_CHARS]
    text = re.sub(r"[\ue000-\uf8ff\u2060]", " ", text)
    text = _set_quotes_aside(passage, text)
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
    text = re.sub(r"[^\S\n]+", " ", text)
    text = _set_files_aside(passage, text)
    text = _set_plain_titles_aside(passage, text)
    text = _set_times_aside(passage, text)
    for pattern, instead in (*_FIXED, _FIRST_AND_LAST):
        text = pattern.sub(instead, text)
    text = re.sub(r" {2,}", " ", text)
    text = ALL_BUT_ZH.sub(
        lambda m: re.sub(r"(?=[和与])", "\u2060", re.sub("[，,]", "", m[0])), ALL_BUT.sub(_joined, text)
    )
    clauses = _split(text)
    if len(clauses) > MAX_CLAUSES:
        passage.rest = " ".join(c.text for c in clauses[MAX_CLAUSES:]) + passage.rest
    passage.clauses = tuple(clauses[:MAX_CLAUSES])
    return passage


def _joined(match: re.Match[str]) -> str:
    """Keep a phrase in one clause: no word in it separates."""
    return re.sub(r"\b(an|bu|excep|whil|pl)(d|t|e|us)\b", "\\1\u2060\\2", match[0], flags=re.I)


def _set_quotes_aside(passage: Passage, text: str) -> str:
    out: list[str] = []
    at = done = 0
    while at < len(text):
        end = _quote_end(text, at)
        if end < 0:
            at += 1
            continue
        inner = text[at + 1 : end].strip()
        out.append(text[done:at])
        before = text[max(done, at - 90) : at]
        if _WHOLE_FILE.fullmatch(inner) and (named := _RESULT_NAME.search(before)):
            word = named["word"] or ""
            passage.result_names.append((word or named[0]) + text[at : end + 1])
            out[-1] = out[-1][: -len(word or named[0])]
        elif _WHOLE_FILE.fullmatch(inner):
            out.append(passage.keep(_FILE, passage.files, inner, text[at : end + 1]))
        elif inner:
            out.append(passage.keep(_QUOTE, passage.quotes, inner, text[at : end + 1]))
        at = done = end + 1
    out.append(text[done:])
    return "".join(out)


def _quote_end(text: str, at: int) -> int:
    """The place of the mark that closes the quote opened at `at`, -1 if no quote opens there."""
    char = text[at]
    if char in _PAIRS:
        return text.find(_PAIRS[char], at + 1)
    if char not in "'‘" or (char == "'" and at and text[at - 1].isalnum()):
        return -1
    closing = "'" if char == "'" else "’"
    end = text.find(closing, at + 1, at + 300)
    while end >= 0 and end + 1 < len(text) and text[end + 1].isalpha() and text[end + 1].isascii():
        end = text.find(closing, end + 1, at + 300)  # an apostrophe inside a word closes nothing
    return end


def _set_files_aside(passage: Passage, text: str) -> str:
    def aside(match: re.Match[str]) -> str:
        if _OUTPUT_NAME.search(match.string, max(0, match.start() - 12), match.start()):
            return " "  # the name of the result: the export's business
        # Chinese has no space before a name: the words in front of it are the message's
        words = _WORDS_BEFORE_NAME.match(match[0])
        name = match[0][words.end() :] if words is not None else match[0]
        return match[0][: len(match[0]) - len(name)] + passage.keep(_FILE, passage.files, name, name)

    return _FILE_NAME.sub(aside, text)


def _set_plain_titles_aside(passage: Passage, text: str) -> str:
    def aside(match: re.Match[str]) -> str:
        title, tail = match["t"], ""
        if end := _PLAIN_TITLE_END.search(title):
            title, tail = title[: end.start()], title[end.start() :]
        title = title.strip()
        if not title or re.match(f"{Q}|{F}", title):
            return match[0]
        head = match[0][: match.start("t") - match.start()].rstrip(" :=")
        return f"{head} {passage.keep(_QUOTE, passage.quotes, title, title)}{tail}"

    for pattern in _PLAIN_TITLES:
        text = pattern.sub(aside, text)
    return text


def _set_times_aside(passage: Passage, text: str) -> str:
    def span(ms: float, written: str) -> str:
        return passage.keep(_SPAN, passage.spans_ms, min(round(ms), 359_999_000), written)

    def latin(match: re.Match[str]) -> str:
        word = match["n"].lower().replace(" ", "-").replace(",", ".")
        unit = match["u"].lower()
        scale = 1 if unit.startswith(("ms", "milli")) else _UNIT_MS[unit[0]]
        return span((_WORD_NUMBERS[word] if word in _WORD_NUMBERS else float(word)) * scale, match[0])

    def han(match: re.Match[str]) -> str:
        scale = _UNIT_MS[_HAN_UNIT[match["u"].translate(_SIMPLIFIED)]]
        return span((_han_number(match["n"]) + (0.5 if match["half"] else 0)) * scale, match[0])

    def clock(match: re.Match[str]) -> str:
        hours, minutes, seconds, fraction = match.groups()
        if hours is None and _is_ratio(minutes, seconds) and not _between_times(match):
            return match[0]
        ms = (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000
        return span(ms + (int(fraction.ljust(3, "0")) if fraction else 0), match[0])

    def ratio(match: re.Match[str]) -> str:
        pair = (int(match[1]), int(match[2]))
        return passage.keep(_RATIO, passage.ratios, pair, match[0]) if pair in _RATIOS else match[0]

    def size(match: re.Match[str]) -> str:
        width, height = int(match[1]), int(match[2])
        if width > height or not width:
            return " 1080p "  # a size in the usual shape is the export's business
        return passage.keep(_RATIO, passage.ratios, (1, 1) if width == height else (9, 16), match[0])

    def phrase(ms: int, match: re.Match[str]) -> str:
        return span(ms, match[0])

    def joined(match: re.Match[str]) -> str:
        first, second = passage.span_ms(match[1]), passage.span_ms(match[2])
        if second >= 60_000 or first < 60_000:
            return match[0]
        return span(first + second, match[0])

    def time_range(match: re.Match[str]) -> str:
        end = passage.span_ms(match[2])
        start = passage.span_ms(match[1]) if re.fullmatch(D, match[1]) else _in_unit_of(float(match[1]), match[2])
        if re.search(r"\band\b", match[0]) and "between" not in match[0].lower():
            return match[0]
        if start >= end:
            return match[0]
        return passage.keep(_RANGE, passage.ranges_ms, (start, end), match[0])

    def _in_unit_of(number: float, slot: str) -> int:
        minutes = re.search(r"m(?!s)|分", passage.as_written(slot).lower())
        return round(number * (60_000 if minutes else 1000))

    text = _SECOND_RANGE.sub(
        lambda m: (
            passage.keep(_RANGE, passage.ranges_ms, (int(m[1]) * 1000, int(m[2]) * 1000), m[0])
            if int(m[1]) < int(m[2])
            else m[0]
        ),
        text,
    )
    text = _CLOCK.sub(clock, text)
    text = _SIZE_TEXT.sub(size, text)
    text = _RATIO_TEXT.sub(ratio, text)
    for pattern, ms in _LATIN_PHRASES:
        text = pattern.sub(partial(phrase, ms), text)
    text = _LATIN_SPAN.sub(latin, text)
    text = re.sub(
        r"(?<![到至从從在])第(?=[一1]个?(?:分[钟鐘]|秒|小[时時])[钟鐘]?(?!\s*(?:到|至|-|–|—|~|开始|開始)))", "前", text
    )
    text = _HAN_SPAN.sub(han, text)
    text = _JOINED_SPANS.sub(joined, text)
    return _RANGE_TEXT.sub(time_range, text)


def _between_times(match: re.Match[str]) -> bool:
    """Tell whether what looks like an aspect ratio is one end of a range of times."""
    mark = r"(?:to|until|till|through|-|–|—|~|到|至)"
    after = re.compile(rf"\s*{mark}\s*(\d{{1,2}}):([0-5]\d)").match(match.string, match.end())
    before = re.search(rf"\d:[0-5]\d\s*{mark}\s*$", match.string[max(0, match.start() - 20) : match.start()])
    return bool(before) or (after is not None and not _is_ratio(after[1], after[2]))


def _is_ratio(left: str, right: str) -> bool:
    return not right.startswith("0") and (int(left), int(right)) in _RATIOS


def _han_number(text: str) -> float:
    if text == "半":
        return 0.5
    if text[0].isascii():
        return float(text)
    total = digit = 0
    for char in text:
        if char == "半":
            continue
        if char in "十百":
            total += (digit or 1) * (10 if char == "十" else 100)
            digit = 0
        else:
            digit = _HAN_DIGITS[char]
    return total + digit


def _split(text: str) -> list[Clause]:
    clauses: list[Clause] = []
    at, comma = 0, True
    marks = [(m.start(), m.end(), m["sep"]) for m in _SEPARATOR.finditer(text)]
    for start, end, sep in [*marks, (len(text), len(text), "")]:
        piece = text[at:start]
        for i in range(0, len(piece), MAX_CLAUSE_CHARS):
            part = piece[i : i + MAX_CLAUSE_CHARS].strip(" ")
            if part:
                low = "".join(c.lower() if len(c.lower()) == 1 else c for c in part).translate(_SIMPLIFIED)
                clauses.append(Clause(part, low, comma))
                comma = False
        # "the intro, and captions": the comma counts, not only the word next to the clause
        comma = comma if not piece.strip() else False
        comma = comma or not re.fullmatch(r"and|plus|&|\+|和|与|以及|as well as", sep, re.I)
        at = end
    return clauses
