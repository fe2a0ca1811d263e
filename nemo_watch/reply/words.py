"""Words for people: no control characters, no secrets, no talk about buttons and panels. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# ---------------------------------------------------------------- printable, without secrets

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPACES = re.compile(r"\s+")
_SECRET = re.compile(r"\b(?:nmv_usr_|clm_)[A-Za-z0-9_\-]+|\bBearer\s+[A-Za-z0-9._~+/\-]+=*", re.I)
_URL_PARTS = re.compile(
    r"\b([a-z][a-z0-9+.\-]{1,20}://)(?:[^\s/?#@\"'<>]*@)?([^\s?#\"'<>]*)(?:[?#][^\s\"'<>)\]]*)?", re.I
)


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Give the text as one that any file, terminal and database takes: valid Unicode without control characters."""
    sound = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    sound = _CONTROL.sub(" ", sound)
    return sound if keep_lines else _SPACES.sub(" ", sound).strip()


def without_secrets(text: str) -> str:
    """Take tokens out of a text, and user info, query and fragment out of its URLs."""
    return _SECRET.sub("(secret)", _URL_PARTS.sub(r"\1\2", text))


# ---------------------------------------------------------------- talk about a screen nobody looks at


@dataclass(frozen=True, slots=True)
class _Gesture:
    """One kind of GUI talk and what is true instead; the sentence is used only if nothing else is left of the reply."""

    pattern: re.Pattern[str]
    instead_en: str
    instead_zh: str


_ASKED = (
    r"(?:(?:^|[,;:]\s)\W*|\b(?:please|simply|just|then|now|also|you\s+(?:can|could|may|should|need\s+to|might)|"
    r"feel\s+free\s+to|want\s+to|ready\s+to|to|and|or|by|can|go\s+ahead\s+and)\s+(?:also\s+|now\s+|then\s+|just\s+|simply\s+)?)"
)
_CLICK = r"(?:double[- ]|right[- ])?(?:click|tap)(?:ing)?"
_PRESS = r"(?:press|hit|select|choose|use|find|see)(?:ing)?"
_BUTTON = r"\b(?:export|download|save|play|render|share|generate|publish|apply)\s+(?:button|icon)"
_PANEL = (
    r"(?:timeline|media|asset|assets|editing|editor|edit|properties|preview|side|left|right|export|effects|text|audio|music|"
    r"layers?|inspector)\s*(?:panel|sidebar|tab|menu|pane)"
)
# "Go to", and not the end of "moved to": only where it begins a request.
_GO_ZH = r"(?<![\u4e00-\u9fff])(?:去|到)|[请以您你先再可](?:去|到)"
_EDITOR = r"(?:editor|editing\s+(?:interface|workspace)|timeline\s+(?:player|editor|view))"

_GESTURES = (
    _Gesture(
        re.compile(
            rf"{_BUTTON}|{_ASKED}(?:{_CLICK}|{_PRESS})\s+(?:on\s+)?(?:the\s+)?\W?(?:export|download|save)\b"
            r"|\byou\s+can\s+(?:(?:now|then|also|simply|just)\s+)?(?:export|download)\b|可以(?:现在|直接|马上)?(?:导出|下载)"
            r"|(?:点击|点按|点选|单击|按下?|使用|选择)[^，。；！？,.;!?]*(?:导出|下载|保存)|(?:导出|下载|保存)\s*(?:按钮|键|图标)",
            re.I,
        ),
        "The finished file is exported without further steps.",
        "成片会自动导出，无需其他操作。",
    ),
    _Gesture(
        re.compile(
            rf"{_ASKED}(?:preview|review|watch|view|play|see|check)(?:ing)?\b[^.;!?]*\b(?:in|on|from)\s+(?:the|your)\s+"
            rf"(?:timeline|player|{_EDITOR}|{_PANEL})\b|{_ASKED}(?:check|see|look\s+at)\s+(?:out\s+)?(?:the|your)\s+{_PANEL}\b"
            rf"|(?:在|到|去)[^，。；！？]*(?:时间线|时间轴|轨道|播放器)[^，。；！？]*(?:预览|查看|播放)",
            re.I,
        ),
        "The report lists what is on the timeline.",
        "时间线的内容见报告。",
    ),
    _Gesture(
        re.compile(
            rf"{_ASKED}(?:drag(?:ging)?|drop(?:ping)?)\b\s+(?:and\s+drop\s+)?(?:it|them|the|your|this|that|any|a|clips?|files?|in|on|to)\b"
            r"|\bdrag[- ]and[- ]drop\b|拖拽|拖动|拖放|拖到|拖入",
            re.I,
        ),
        "Whatever should be different can be asked for in a further instruction.",
        "如需调整，请写一条新的指令。",
    ),
    _Gesture(
        re.compile(
            rf"{_ASKED}(?:check|visit|view|see|manage|go\s+to|open)(?:ing)?\s+(?:your\s+|the\s+)?(?:account|billing|subscription|plan)\b"
            rf"(?:\s+(?:page|settings|balance|details|section))?|(?:查看|检查|前往|打开|进入|{_GO_ZH})[^，。；！？]*(?:账户|帐户|账号|账单|余额|订阅)",
            re.I,
        ),
        "`nemo-watch credits` shows the balance.",
        "可用 `nemo-watch credits` 查看余额。",
    ),
    _Gesture(
        re.compile(
            rf"{_ASKED}(?:(?:go|head|navigate|switch)(?:ing)?\s+(?:over\s+)?to|visit(?:ing)?)\s+(?:the\s+|your\s+)?\W?(?:\w+\s+)?"
            rf"(?:settings?|dashboard|tab|menu|page|editor|panel|workspace)\b|(?:前往|进入|打开|转到|{_GO_ZH})[^，。；！？]*(?:设置|仪表盘|控制台|页面)",
            re.I,
        ),
        "There is no settings page to open for this; ask for it in a further instruction.",
        "这里没有设置页面，如需调整，请写一条新的指令。",
    ),
    _Gesture(
        re.compile(
            rf"\b(?:adjust|fine[- ]?tune|tweak|change|edit|modify)(?:ing)?\b[^.;!?]*"
            rf"\b(?:in|with|using|from)\s+the\s+(?:{_EDITOR}|{_PANEL})\b"
            r"|(?:在)[^，。；！？]*(?:编辑器|编辑界面|面板)[^，。；！？]*(?:调整|修改|编辑|微调)",
            re.I,
        ),
        "Whatever should be different can be asked for in a further instruction.",
        "如需调整，请写一条新的指令。",
    ),
    _Gesture(
        re.compile(
            rf"{_ASKED}(?:open|expand|close)(?:ing)?\s+(?:up\s+)?(?:the|your|a)\s+[^.;!?]{{0,40}}?\b(?:panel|menu|sidebar|tab|dialog|window|editor|timeline)\b"
            rf"|\b(?:in|on|from|via|through|using|under)\s+(?:the|your)\s+{_PANEL}\b|\bin\s+the\s+{_EDITOR}\b"
            r"|打开[^，。；！？]*(?:面板|菜单|侧边栏|窗口|编辑器|时间线|时间轴)|(?:在|从)[^，。；！？]*(?:面板|菜单|侧边栏)",
            re.I,
        ),
        "The report lists what is on the timeline.",
        "时间线的内容见报告。",
    ),
    _Gesture(
        re.compile(
            rf"{_ASKED}{_CLICK}\s+(?:on\b|the\b|here\b|\W|[A-Z]|this\b|that\b|it\b|any\b|play\b|generate\b|apply\b|continue\b)"
            rf"|{_ASKED}{_PRESS}\s+(?:the\s+)?[^.;!?]{{0,30}}?\b(?:button|icon)\b|\b(?:button|icon)\s+(?:in|at|on|above|below)\s+the\b"
            rf"|{_ASKED}(?:scroll|hover)(?:ing)?\s+(?:up|down|over|to)\b|{_ASKED}select(?:ing)?\s+the\s+[^.;!?]{{0,30}}?\blayer\b"
            rf"|{_ASKED}{_PRESS}\s+(?:ctrl|cmd|⌘)\W"
            r"|点击|单击|双击|点按|鼠标(?:移|悬|放)|(?:选中|选择)[^，。；！？]*图层|按\s*(?:Ctrl|Cmd|⌘)",
            re.I,
        ),
        "Nothing has to be clicked.",
        "无需点击任何按钮。",
    ),
)

_QUOTED = re.compile(r"\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|「[^」\n]{0,400}」|『[^』\n]{0,400}』|《[^》\n]{0,400}》")
# A full stop ends a sentence only before a space or the end: "2.5" and "clip.mp4" stay whole.
_SENTENCE = re.compile(r"(?:[^.!?。！？\n]|[.!?](?!\s|$|[\"”')\]]))+[.!?。！？…]*[\"”')\]]*|\n+|[.!?。！？…]+")
_CLAUSE = re.compile(r"\s*(?:[,;，；]|\s[—–-]\s|\s\b(?:and|then|or|but)\b(?=\s))\s*", re.I)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_MASK = "\ue000"
_MARKS = re.compile("[\ue000\ue001]")
_HIDDEN = re.compile(_MASK + r"(\d+)" + _MASK)
_WORD = re.compile(rf"[^\W_]|{_MASK}")
_MARKER = re.compile(r"^\s*(?:[-*•·]+|\(?\d{1,2}[.)、）])\s*")
_HEADING = re.compile(r"[:：]\W*$")
# What leads in to a gesture and says nothing without it: "When you are happy, click ...".
_LEAD_IN = re.compile(
    r"^\W*(?:when(?:ever)?|once|if|after|before|until|as\s+soon\s+as|in\s+case|should|unless|to|in\s+order\s+to|from\s+there)\b"
    r"|^\W*(?:如需|如果|如要|若|要是|当|等|待|一旦|为了|想要|需要|要|觉得|确认)|(?:后|之后|以后|时|的话|之前)\s*$",
    re.I,
)
# What was done stays, though it only leads in: "Now that the title is there, click ..." leaves "The title is there".
_LEADING_FACT = re.compile(
    r"^\W*(?:now\s+that|since|because|as(?!\s+soon))\s+(?=\S)|^\W*after\s+(?=(?:I|we)\b)"
    r"|(?<=[^\s后])(?:之后|以后|后)\s*$",
    re.I,
)
_DONE_ZH = re.compile(r"^\W*(?:已|我)")
# A clause that says what was done or not done is news and no request, whatever else it speaks of.
_NEWS = re.compile(
    r"\b(?:could|can|was|were|is|are|did|does|has|have)\s*(?:n['’]t|not)\b|\bcan(?:['’]t|not)\b|\bunable\b|\bfail(?:s|ed)?\b"
    r"|^\W*(?:I|we)(?:['’]ve|\s+have)?(?:\s+(?:just|also|now|already))?\s+\w+ed\b"
    r"|无法|不能|未能|没有|没能|失败",
    re.I,
)
_COORDINATED = re.compile(r"^\W*(?:and|or|but)\b", re.I)
_JUDGED_CHARS = 20_000
_SENTENCE_CHARS = 1_000
_HEADING_CHARS = 120
_GONE = "\ue001"
"""Stands where all of a heading's list was left out; never in a reply, as it is taken out with the mask."""


def plain_words(text: str) -> str:
    """Give a reply as a person without the vendor's screen needs it: requests to click, open or drag are left out.

    What describes the video stays, text in quotes is never judged. If only GUI talk was there, one sentence for each
    kind says what is true instead, so that a reply with content never becomes empty.
    Repeat: safe.
    Source: contract.md 10.
    """
    text = without_secrets(printable(text, keep_lines=True)).strip()
    quotes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        quotes.append(match.group())
        return f"{_MASK}{len(quotes) - 1}{_MASK}"

    judged, unjudged = _MARKS.sub(" ", text[:_JUDGED_CHARS]), text[_JUDGED_CHARS:]
    masked = _QUOTED.sub(hide, judged)
    kept: list[str] = []
    instead: list[str] = []
    for line in masked.split("\n"):
        rest, replaced = _line_without_gestures(line)
        instead.extend(words for words in replaced if words not in instead)
        if not replaced or _WORD.search(_MARKER.sub("", rest)):
            kept.append(rest)
        elif kept and _HEADING.search(kept[-1]) and len(kept[-1]) <= _HEADING_CHARS:
            # Nothing is listed below it any more, unless something follows.
            kept.append(_GONE)
        elif (not kept or kept[-1] != _GONE) and not _MARKER.match(line):
            kept.append("")
    result = "\n".join(_without_empty_headings(kept))
    if not _WORD.search(result):
        result = " ".join(instead).replace("。 ", "。")
    result = _HIDDEN.sub(lambda match: quotes[int(match[1])], result) + unjudged
    # Not by a pattern: for a row of spaces with no line break behind it, it takes a time that grows with the square.
    result = "\n".join(line.rstrip(" \t") for line in result.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", result).strip() or text


def _line_without_gestures(line: str) -> tuple[str, list[str]]:
    rests: list[str] = []
    replaced: list[str] = []
    for sentence in _SENTENCE.findall(line):
        rest, words = _without_gestures(sentence)
        rests.append(rest)
        replaced.extend(words)
    return "".join(rests), replaced


def _without_empty_headings(lines: list[str]) -> list[str]:
    """Leave out a heading whose list is gone, and what marks where it was."""
    found: list[str] = []
    for number, line in enumerate(lines):
        following = lines[number + 1 : number + 3]
        if following[:1] == [_GONE] and not any(_MARKER.match(after) for after in following[1:]):
            continue
        if line != _GONE:
            found.append(line)
    return found


def _without_gestures(sentence: str) -> tuple[str, tuple[str, ...]]:
    """Split a sentence into what is left of it and what is true instead of what was left out."""
    if len(sentence) > _SENTENCE_CHARS or not _gesture_in(sentence):
        return sentence, ()
    lead = sentence[: len(sentence) - len(sentence.lstrip())]
    body = sentence.strip()
    stop = re.search(r"[.!?。！？…]*[\"”')\]]*$", body)
    end = stop.group() if stop else ""
    body = body[: len(body) - len(end)] if end else body
    pieces: list[tuple[str, str]] = []
    at = 0
    for match in _CLAUSE.finditer(body):
        pieces.append((body[at : match.start()], match.group()))
        at = match.end()
    pieces.append((body[at:], ""))
    left: list[tuple[str, str]] = []
    replaced: list[str] = []
    dropping = False
    for clause, joint in pieces:
        gesture = None if _NEWS.search(clause) else _gesture_in(clause)
        # "open the panel and play it": what follows a gesture without a new subject belongs to the gesture.
        if gesture or (dropping and not _says_something(clause)):
            if not dropping and not _COORDINATED.search(clause):
                left = _without_lead_in(left)
            dropping = True
            if gesture:
                replaced.append(gesture.instead_zh if _CHINESE.search(sentence) else gesture.instead_en)
        else:
            dropping = False
            left.append((clause, joint))
    if not left:
        return "", tuple(replaced) or (_instead_of(sentence),)
    if not replaced and any(_NEWS.search(clause) for clause, _ in pieces):
        return sentence, ()
    if not replaced:
        # The gesture spans clauses, so no clause can be kept by itself.
        return "", (_instead_of(sentence),)
    rest = "".join(clause + joint for clause, joint in left[:-1]) + left[-1][0]
    return lead + rest[:1].upper() + rest[1:] + (end.replace("?", ".") or ""), tuple(replaced)


def _without_lead_in(left: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Take from the end of the clauses before a gesture what only leads in to it."""
    if not left or _is_word(left[-1][1]):
        return left
    begin = len(left) - 1
    while begin > 0 and _is_word(left[begin - 1][1]) and not _LEAD_IN.search(left[begin][0]):
        begin -= 1  # "if you like it and it is long enough, click ...": one condition in two clauses
    clause, joint = left[begin]
    if _LEADING_FACT.search(clause) and (_DONE_ZH.search(clause) or not _CHINESE.search(clause)):
        return [*left[:begin], (_LEADING_FACT.sub("", clause), joint), *left[begin + 1 :]]
    return left[:begin] if _LEAD_IN.search(clause) else left


def _is_word(joint: str) -> bool:
    return joint.strip().lower() in ("and", "or", "but")


def _instead_of(sentence: str) -> str:
    gesture = _gesture_in(sentence)
    if gesture is None:
        return ""
    return gesture.instead_zh if _CHINESE.search(sentence) else gesture.instead_en


def _gesture_in(text: str) -> _Gesture | None:
    return next((gesture for gesture in _GESTURES if gesture.pattern.search(text)), None)


_SUBJECT = re.compile(
    r"^\W*(?:I|we|it|they|this|that|the|your|there|here|a|an|all|each|both|two|three|\d+|[A-Z]\w+)\b|"
    + _MASK
    + r"|已|了|为|共|添加|完成",
)


def _says_something(clause: str) -> bool:
    return bool(_SUBJECT.search(clause))
