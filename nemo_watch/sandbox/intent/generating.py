"""A wish for a video out of words alone: what it is to say, how long, in which shape, with what music. Pure.

There is no generator of pictures here. What can be made is a card: the text's own words on a moving background.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nemo_watch.sandbox.intent.ops import Aspect, Fade, Highlight, Music, Title
from nemo_watch.sandbox.intent.understand import understand

USUAL_MS = 10_000
SHORTEST_MS, LONGEST_MS = 3000, 60_000
LEAST_CARD_MS = 2000
_MOST_CHARS = 4000
_LONGEST_LINE = 90

_NOUN = (
    r"(?:videos?|clips?|movies?|films?|animations?|reels?|shorts?|tiktoks?|trailers?|teasers?|montages?|commercials?"
    r"|adverts?|ads?|vlogs?|slideshows?|intros?|title cards?)\b"
)
_NOUN_ZH = r"(?:视频|短片|影片|动画|片子|宣传片|广告片?|预告片|片头)"
_WISH = re.compile(
    r"\b(?:mak(?:e|ing)|creat(?:e|ing)|generat(?:e|ing)|produc(?:e|ing)|film|shoot|animate|compose|design"
    r"|i(?:'d| would)? (?:want|need|like))\b"
    r"(?: (?:me|us))?(?! (?:it|this|that|these|those|the|my|our|his|her|their|its)\b)"
    rf"(?: [^\s.!?;]+){{0,7}}? {_NOUN}",
    re.IGNORECASE,
)
_VERB_ZH = r"(?:生成|制作|做|创建|创作|拍|来|给我|想要|需要)"
_WISH_ZH = re.compile(rf"{_VERB_ZH}(?![^，。]*[把这那])[^，。！？\n]{{0,30}}?{_NOUN_ZH}")
_ABOUT = re.compile(
    r"^[\s:,-]*(?:(?:that|which) )?"
    r"(?:(?:shows?|showing|about|of|on|for|featuring|with|where|in which|from|saying|says)\b)?"
    r"[\s:,-]*(?:(?:this|the) text\b[\s:,-]*)?",
    re.IGNORECASE,
)
_ABOUT_ZH = re.compile(r"关于(?P<what>[^，。！？\n]+?)的?(?:视频|短片|影片|动画|片子|宣传片|[，。！？\n]|$)")
_OF_ZH = re.compile(rf"{_VERB_ZH}(?:一?[个段部条])?(?P<what>[^，。！？\n]*?)的?{_NOUN_ZH}")
_LENGTH = re.compile(
    r"(?:\b(?:for|lasting|in|of|about) )?"
    r"\b(?P<n>\d{1,4}(?:\.\d+)?)[\s-]*(?P<unit>seconds?|secs?|s|minutes?|mins?|min)\b"
    r"(?:[\s-]*(?:long|in length))?|(?P<zn>\d{1,4}(?:\.\d+)?)\s*(?P<zunit>秒钟?|分钟)长?的?",
    re.IGNORECASE,
)
_ASIDE = (
    re.compile(
        r"[,，]?\s*(?:\b(?:in|as|for)\b )?\b(?:an? )?"
        r"(?:\d{1,2}\s*[:：x/]\s*\d{1,2}\b(?: (?:aspect )?(?:ratio|format|shape))?"
        r"|(?:vertical|portrait|landscape|horizontal|square|widescreen)\b(?: (?:format|shape))?"
        r"|(?:for |on )?(?:tiktok|instagram|reels|youtube(?: shorts)?)\b)",
        re.IGNORECASE,
    ),
    re.compile(
        r"[,，]?\s*(?:\b(?:and )?(?:with|add|plus|over|to)\b )(?:an? |some |the )?(?:[\w-]+ ){0,2}?"
        r"(?:music|soundtrack|song|bgm)\b(?: (?:in the background|underneath))?",
        re.IGNORECASE,
    ),
    re.compile(  # what is done with the result
        r"[,;.]?\s*(?:\b(?:and|then) )*\b(?:export|download|render|save|deliver)\b"
        r"(?: (?:it|this|the (?:video|result)))?"
        r"(?: (?:in|at|as|to|for|with)\b[^,.;!?\n]*)?(?=\s*(?:[,.;!?\n]|$))",
        re.IGNORECASE,
    ),
    re.compile(r"[，,]?\s*(?:并|然后|最后)?(?:导出|下载|输出)[^，。！？\n]*"),
    re.compile(r"[，,]?\s*(?:并?(?:配上|加上|配|加|带)[^，。]{0,6}(?:音乐|配乐)|(?:竖屏|横屏|方形|竖版|横版)的?)"),
)
_EDITS = re.compile(
    r"\W*(?:please |now |then |can you |could you )*"
    r"(?:add|cut|trim|remov|delet|keep|undo|redo|speed|slow|mut|crop|rotat"
    r"|resiz|export|download|chang|replac|swap|turn|fade|zoom|caption|subtitl|transcri|split|merg|join|put|insert|burn"
    r"|overlay|blur|stabili|denois|clean|enhanc|increas|decreas|lower|rais|normali|apply|use|give|make|start over"
    r"|revert|summari|show|tell|list|upload|render|send|shorten|tighten|highlight)\w*\b|\W*(?:剪|删|加|去|裁|调|改|换|把|撤|导出|下载|静音)",
    re.IGNORECASE,
)
_THERE = re.compile(
    rf"\b(?:it|this|that|these|my|our|your|you|i|we)\b|\b(?:the|each|every|all) (?:\w+ )?{_NOUN}|这|那|我|你",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"[?？]\s*$|^\W*(?:what|how|why|who|where|when|which|can|could|do|does|is|are|hello|hi|hey|thanks?|ok)\b"
    r"|^\W*(?:你好|谢谢|什么|怎么)|吗\W*$",
    re.IGNORECASE,
)
_SENTENCES = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\n+")


@dataclass(frozen=True, slots=True)
class Card:
    """A card to make: its `lines` one after the other, its length and the shape `w`:`h` of its picture.

    `wished_ms` is the length that was asked for, 0 for none; `left_out` counts lines there is no time for.
    """

    lines: tuple[str, ...]
    length_ms: int
    w: int = 16
    h: int = 9
    music: Music | None = None
    fade: Fade | None = None
    wished_ms: int = 0
    left_out: int = 0


def _head(text: str) -> str:
    """Give what is read of a message, with one blank or line end where there are many: searches go back over those."""
    return re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", text[:_MOST_CHARS]))


def asks_for_a_video(text: str) -> bool:
    """Tell whether a message says that a video is to be made: "make a short video about the sea"."""
    head = _head(text)
    return _WISH.search(head) is not None or _WISH_ZH.search(head) is not None


def describes_one(text: str) -> bool:
    """Tell whether a message only describes what a video could show, as the text of a prompt does.

    An instruction, a question and whatever speaks of something that is there already are none.
    """
    head = _head(text)
    if _EDITS.match(head) or _THERE.search(head) or _QUESTION.search(head.strip()):
        return False
    if len(re.findall(r"[^\W\d_]{2,}", head)) < 3 and len(re.findall(r"[\u3400-\u9fff]", head)) < 4:
        return False
    return all(isinstance(op, Aspect | Music | Fade | Title | Highlight) for op in understand(head).ops)


def card_of(text: str) -> Card:
    """Read what a card is to say and how it is to be. Repeat: safe."""
    head = _head(text)
    ops = understand(text[:_MOST_CHARS]).ops
    wished_ms = _length_ms(head)
    length_ms = min(max(wished_ms or USUAL_MS, SHORTEST_MS), LONGEST_MS)
    aspect = next((op for op in ops if isinstance(op, Aspect) and op.w), Aspect(16, 9))
    titles = [op.text for op in ops if isinstance(op, Title) and op.text.strip()]
    lines = titles or _lines(_subject(head))
    room = max(1, length_ms // LEAST_CARD_MS)
    return Card(
        lines=tuple(lines[:room]),
        length_ms=length_ms,
        w=aspect.w,
        h=aspect.h,
        music=next((op for op in ops if isinstance(op, Music)), None),
        fade=next((op for op in ops if isinstance(op, Fade)), None),
        wished_ms=wished_ms,
        left_out=max(0, len(lines) - room),
    )


def _length_ms(text: str) -> int:
    match = _LENGTH.search(text)
    if match is None:
        return 0
    number, unit = match["n"] or match["zn"], (match["unit"] or match["zunit"]).lower()
    return round(float(number) * (60_000 if unit.startswith(("m", "分")) else 1000))


def _subject(text: str) -> str:
    """Give the words a message wants to see something of, without those about length, shape and music."""
    bare = _LENGTH.sub(" ", text)
    for pattern in _ASIDE:
        bare = pattern.sub(" ", bare)
    bare = re.sub(r"[^\S\n]+", " ", bare)
    wish = _WISH.search(bare)
    if wish is not None:
        subject = bare[: wish.start()].strip(" ,.:;") + " " + _ABOUT.sub("", bare[wish.end() :])
    elif match := _ABOUT_ZH.search(bare) or _OF_ZH.search(bare):
        subject = match["what"]
        if not subject.strip():
            subject = re.sub(r"^[\s，,：:。]*(?:内容是|内容为|主题是|主题为|关于)?", "", bare[match.end() :])
    else:
        subject = bare
    subject = re.sub(r"\b(?:please|thanks|thank you)\b|^\s*(?:请|帮我)", " ", subject, flags=re.IGNORECASE)
    cleaned = re.sub(r"[^\S\n]+", " ", subject).strip(" ,，.。:：;；-\n")
    return cleaned or re.sub(r"\s+", " ", text).strip()


def _lines(subject: str) -> list[str]:
    lines: list[str] = []
    for sentence in _SENTENCES.split(subject):
        words = re.sub(r"\s+([,.!?;])", r"\1", sentence.strip(" ,，;；")).rstrip(".。")
        while len(words) > _LONGEST_LINE:
            cut = words.rfind(" ", 20, _LONGEST_LINE)
            cut = cut if cut > 0 else _LONGEST_LINE
            lines.append(words[:cut].strip())
            words = words[cut:].strip()
        if words:
            lines.append(words)
    return [line[0].upper() + line[1:] for line in lines if line]
