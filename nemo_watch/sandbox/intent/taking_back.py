"""What a clause wishes to be taken back: the last change, all of them, or one thing that was added. Pure."""

from __future__ import annotations

import re

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.effects import LOGO
from nemo_watch.sandbox.intent.ops import Remove, Thing, Undo
from nemo_watch.sandbox.intent.passage import Q
from nemo_watch.sandbox.intent.reading import Reading

_OUT = (
    r"\b(?:remov\w+|delet\w+|drop|take (?:out|off|away)|get rid of|strip(?: out)?|cut(?: out)?|eras\w+|turn off"
    r"|undo|lose|ditch)"
)
_DET = r"(?:\W+(?:the|my|all|any|existing|current|old|of|this|that|our|it's|added))*\W+"
_OUT_ZH = r"(?:去掉|去除|删掉|删除|移除|拿掉|取消|撤掉)"
_ALL_ZH = r"(?:现有|已有|所有|全部|的|这个|那个|刚才|加的)*"
_TITLE = (
    r"(?:(?:title|text|end|opening|intro) (?:card|overlay|screen)s?|titles?|texts?|headlines?|headings?"
    r"|lower[- ]thirds?)"
)
_SWAPPED = (
    rf"\b(?:replac\w+|chang\w+|renam\w+|swap\w*|updat\w+)\W+(?:the |my |our )?{_TITLE}"
    rf"(?=\W+(?:with|to|by|for|text)\b[^\n]{{0,20}}?{Q})"
    rf"|(?:把|将)?(?:{w.TITLE_ZH})(?=(?:改|换)(?:成|为)[^\n]{{0,4}}?{Q})"
)
_THINGS: tuple[tuple[Thing, str, str], ...] = (
    ("captions", w.CAPTION, w.CAPTION_ZH),
    ("music", w.MUSIC, w.MUSIC_ZH),
    ("logo", LOGO, LOGO),
    ("fade_in", r"fade[- ]ins?(?! (?:a\u2060nd|and|/))", r"淡入(?!和?淡出)"),
    ("fade_out", r"fade[- ]outs?", r"淡出"),
    ("fade", r"fad(?:es?|ing)(?:[- ](?:ins?|outs?))?(?: effects?)?", r"淡入淡出|淡入|淡出"),
    ("bars", r"(?:black )?bars|blurr?ed (?:background|bars|sides)|letterbox(?:ing)?|padding", r"黑边|模糊背景"),
    ("title", _TITLE, w.TITLE_ZH),
)
_ALL = (
    r"\bstart(?:ing)? (?:over|again|from scratch|afresh)(?: from scratch)?\b"
    r"|\bundo (?:everything|all(?: of (?:it|them|that)| (?:the |my )?(?:changes|edits))?)\b"
    r"|\b(?:revert|reset|restore|return|(?:go |get |take it |put it )?back) (?:everything |it |this |all )?"
    r"(?:to )?(?:the )?original(?: (?:video|clip|version|upload|footage|state))?\b"
    r"(?! (?:speed|sound|audio|voice|volume))"
    r"|\breset (?:everything|all|the (?:timeline|draft|edit|project))\b|^\W*reset\W*$"
    r"|从头(?:开始|再来)|重新开始|(?:恢复|还原)(?:到|成|为)?(?:原始|原片|原样|原视频|最初|初始)(?:的)?(?:状态|视频|样子|版本)?"
    r"|全部(?:撤销|撤回|还原)|撤销(?:全部|所有)(?:的)?(?:修改|操作|更改)?"
)
_LAST = (
    r"\b(?:undo|revert|take back|roll back)\b(?:\W+(?:the|my|that|this|it|last|previous|latest|most recent))*"
    r"(?:\W+(?:change|edit|step|message|one|thing|action|operation|instruction)s?)?\b"
    r"|\bgo back (?:one|a) step\b|\btake (?:that|it) back\b"
    r"|(?:撤销|撤回|回退|取消|还原)(?:掉)?(?:上一步|上一次|上次|刚才|最后一次|最近一次)?(?:的)?(?:修改|操作|更改|改动|步骤)?"
)


def undo(reading: Reading) -> None:
    """Read a wish to go back, unless it names a thing: that is taken off."""
    for pattern, everything in ((_ALL, True), (_LAST, False)):
        match = reading.find(pattern)
        if match is None or (not everything and re.fullmatch(r"取消|还原", match[0])):
            continue
        denied = reading.denied(match.start())
        steps, rest = _steps(reading.low)
        if not denied and (re.search(_WHICH, rest) or w.SLOTS.search(rest) or any(p.search(rest) for p, _ in w.SHAPES)):
            reading.refused = True  # which change it is cannot be told: not the last one in its stead
            return
        reading.blank(match)
        while reading.take(_COUNTED):
            pass
        if not denied:
            reading.ops.append(Undo(everything, 1 if everything else steps))
        return


_NUMBERS = {"twice": 2, "two": 2, "both": 2, "three": 3, "thrice": 3, "four": 4, "five": 5, "两": 2, "二": 2, "三": 3}
_NUMBERS |= {"四": 4, "五": 5, "一": 1, "one": 1}
_COUNTED = (
    r"\b(?P<t>twice|thrice)\b|\b(?P<n>\d{1,2}|one|two|three|four|five) (?:times|(?:last |previous |latest )?"
    r"(?:changes?|edits?|steps?|messages?|things?|actions?|operations?|instructions?)\b)"
    r"|\blast (?P<m>\d{1,2}|two|three|four|five)\b|(?P<z>\d{1,2}|[一两二三四五])(?:步|次|个(?:修改|操作|改动|更改))"
)
_WHICH = (
    r"\b(?:first|second|third|fourth|fifth|[2-9](?:nd|rd|th)|1st|before (?:the )?last|last but|except|but)\b"
    r"|第[一二三四五\d]"
)


def _steps(low: str) -> tuple[int, str]:
    """Tell how many changes a clause wishes to take back, and what else it says."""
    found = re.search(_COUNTED, re.sub("上一|最后一|最近一", "  ", low))
    if found is None:
        return 1, low
    word = next(group for group in found.groups() if group)
    steps = int(word) if word.isascii() and word.isdigit() else _NUMBERS[word]
    return max(steps, 1), low[: found.start()] + low[found.end() :]


def remove(reading: Reading) -> None:
    """Read what is to go of that which was added: "remove the title", 去掉标题."""
    if re.search(rf"{Q}\s*(?:button|sticker|按钮)", reading.rest):
        return
    for thing, noun, noun_zh in _THINGS:
        match = (
            reading.find(rf"{_OUT}\b{_DET}(?:{noun})(?![\w-])(?!\W+(?:with|by|to|from \d|at|files?)\b)")
            or reading.find(rf"\btake{_DET}(?:{noun}) (?:out|off|away)\b")
            or reading.find(rf"\bturn{_DET}(?:{noun}) off\b")
            or reading.find(rf"{_OUT_ZH}{_ALL_ZH}(?:{noun_zh})")
            or reading.find(rf"(?:{noun_zh})(?:都|全部|全)?{_OUT_ZH}")
            or reading.find(rf"不要(?:{noun_zh})了")
        )
        if match is None:
            continue
        if reading.timed and not reading.denied(match.start()):
            reading.refused = True  # of a part of the time only
            return
        reading.blank(match)
        text = ""
        if thing == "title" and (quote := reading.take(Q)):
            text = reading.passage.quote(quote[0])[:300]
        if match[0].startswith("不要") or not (reading.denied(match.start()) or reading.inherited_not):
            reading.ops.append(Remove(thing, text))
    swapped = reading.find(_SWAPPED)
    if swapped is not None and not reading.denied(swapped.start()):
        reading.ops.append(Remove("title"))
