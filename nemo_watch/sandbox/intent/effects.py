"""What a clause wishes to be done to the whole: its speed, fades, bars, a logo over it. Pure."""

from __future__ import annotations

import re

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.levels import ADDING, take_music
from nemo_watch.sandbox.intent.making import FILE_OFF
from nemo_watch.sandbox.intent.ops import Aspect, Corner, Fade, Fit, Logo, Remove, Speed
from nemo_watch.sandbox.intent.passage import A, D, F, Q, R
from nemo_watch.sandbox.intent.reading import Reading

DEFAULT_FADE_MS = 1000
FASTER, SLOWER = 1.5, 0.5
"""What is done if no figure is named; the reply says it."""

_COUNTS = {
    "a quarter": 0.25, "a third": 1 / 3, "half": 0.5, "one and a half": 1.5, "double": 2.0, "twice": 2.0, "two": 2.0,
    "triple": 3.0, "three": 3.0, "four": 4.0, "quadruple": 4.0,
}  # fmt: skip
_COUNT = r"(?P<n>\d{1,3}(?:\.\d{1,3})?|" + "|".join(sorted(_COUNTS, key=len, reverse=True)) + ")"
_COUNTS_ZH = {"半": 0.5, "一": 1.0, "一点五": 1.5, "两": 2.0, "二": 2.0, "三": 3.0, "四": 4.0}
_COUNT_ZH = r"(?P<n>\d{1,3}(?:\.\d{1,3})?|一点五|[半一两二三四])"


def _count(text: str) -> float:
    return _COUNTS[text] if text in _COUNTS else _COUNTS_ZH[text] if text in _COUNTS_ZH else float(text)


# ---------------------------------------------------------------- speed

_SPEED_FIGURES: tuple[tuple[str, bool | None], ...] = (
    # the wish, and whether its figure divides: None is "as the clause says"
    (rf"\b(?:slow(?:ed|ing)?|slow {w.IT}) (?:down )?(?:to|by) (?P<p>\d{{1,3}}) ?%(?: (?:of )?(?:the )?speed)?", None),
    (rf"\bspeed(?:ing)?\W+{w.IT}\W*(?:up )?(?:to|by) (?P<p>\d{{1,3}}) ?%", None),
    (r"\b(?P<p>\d{1,3}) ?% (?:of (?:the |its )?(?:original |normal )?)?(?:speed|faster|slower)\b", None),
    (rf"\b{_COUNT} ?(?:x|times)\W+(?:slower|as slow)\b|\btwice as slow(?P<twice>)\b", True),
    (rf"\bslow(?:ed|ing)?\W+{w.IT}\W*(?:down\W+)?(?:by )?(?:a factor of )?{_COUNT} ?(?:x|times)(?![\w])", True),
    (rf"\b{_COUNT}(?: ?x| times)?(?: the| of the| its)?\W+(?:(?:normal|original|playback) )?speed\b", False),
    (rf"\b{_COUNT} ?(?:x|times)?\W+(?:as fast|faster|as quick(?:ly)?|quicker)\b", False),
    (
        (
            rf"\b(?:speed|fast|faster|quick|play|playback|run|pace|tempo)\w*\b[^\x1f]{{0,40}}?"
            rf"(?<![\w.]){_COUNT} ?(?:x|times)(?!\w)"
        ),
        False,
    ),
    (rf"^\W*(?:(?:make|play|run|set|do) {w.IT}\W*)?(?:at |to |in )?{_COUNT} ?x\W*(?:please|speed)?\W*$", False),
    (r"\bhalf(?P<half>) (?:as fast|(?:the )?speed)\b", False),
    (rf"(?:加速|提速|快进|变速|速度|播放|放慢|减速|慢放|调)[^\d\n]{{0,6}}?{_COUNT_ZH}\s*倍速?", False),
    (rf"{_COUNT_ZH}\s*倍(?:速度?|播放|加速|慢放|慢速|快放)", False),
    (r"快一倍(?P<double>)|加快一倍(?P<double2>)|速度翻倍(?P<double3>)", False),
    (r"半速(?P<half2>)|(?:放慢|减速|慢)一半(?P<half3>)|慢一倍(?P<half4>)", False),
    (r"(?:加速|加快|提速)\s*(?P<p>\d{1,3})\s*%", None),
    (r"(?:减速|放慢|降速)\s*(?P<p>\d{1,3})\s*%", None),
)
_SLOW = (
    rf"\bslow(?:ing)?\W+{w.IT}\W*down\b|\bslow(?:ing)? down(?:\W+{w.IT})?|\b(?:in )?slow[- ]?mo(?:tion)?\b"
    r"|慢动作|慢放|慢镜头|放慢(?:速度|视频|播放)?|减速|降速"
)
_FAST = (
    rf"\bspeed(?:ing|ed)?\W+{w.IT}\W*up\b|\bspeed(?:ing|ed)? up(?:\W+{w.IT})?"
    r"|加速|加快(?:速度|视频|播放)?|提速|快放"
)
_FASTER = rf"^\W*(?:make {w.IT}\W*|play {w.IT}\W*)?(?:a bit |a little |much )?(?P<how>faster|slower)\W*$"
_OWN_SPEED = (
    r"\b(?:normal|original|regular|real) speed\b|\b(?:reset|undo|remove)\W+(?:the )?speed(?: change)?\b"
    r"|恢复(?:原速|正常速度|原来的速度)|正常速度|原速(?!度的)"
)


def speed(reading: Reading, *, after_music: bool) -> None:
    """Read how fast it is to run; `after_music`: a bare "faster" is about the music that was just spoken of."""
    if re.search(rf"(?:faster|slower)\W+(?:{w.MUSIC})|{w.MUSIC}|{w.MUSIC_ZH}", reading.rest) or reading.timed:
        return
    if own := reading.find(_OWN_SPEED):
        reading.blank(own)
        if not reading.denied(own.start()):
            reading.ops.append(Remove("speed"))
        return
    for pattern, divides in _SPEED_FIGURES:
        if match := reading.find(pattern):
            _take_speed(reading, match, _factor(match, divides=divides))
            return
    for pattern, factor in ((_SLOW, SLOWER), (_FAST, FASTER)):
        if match := reading.find(pattern):
            _take_speed(reading, match, factor)
            return
    if not after_music and (match := reading.find(_FASTER)):
        _take_speed(reading, match, FASTER if match["how"] == "faster" else SLOWER)


def _factor(match: re.Match[str], *, divides: bool | None) -> float:
    slow = re.search(r"\bslow|慢|减速|降速", match[0]) is not None
    named = match.groupdict()
    if named.get("p"):
        share = int(named["p"]) / 100
        if re.search(r"\bto \d|% (?:of|speed)", match[0]):
            return share
        return max(1 - share, 0.01) if slow else 1 + share
    if "n" not in named or named["n"] is None:
        return 0.5 if any(name.startswith(("half", "twice")) and named[name] is not None for name in named) else 2.0
    count = max(_count(named["n"]), 0.01)
    if divides is None:
        divides = slow
    return 1 / count if divides and count > 1 else count if not (slow and count > 1) else 1 / count


def _take_speed(reading: Reading, match: re.Match[str], factor: float) -> None:
    reading.blank(match)
    for file in re.finditer(F, match[0]):  # "speed up a.mp4 2x": the name is still to be read
        at = match.start() + file.start()
        reading.rest = reading.rest[:at] + file[0] + reading.rest[at + 1 :]
    while reading.take(r"\b(?:speed\w*|slow\w*|fast\w*|playback|times|pace|tempo|rate)\b|速度|加速|减速|播放|倍速?"):
        pass
    if not reading.denied(match.start()):
        # once its own speed is its own speed
        reading.ops.append(Remove("speed") if factor == 1 else Speed(round(factor, 4)))


# ---------------------------------------------------------------- fades

_FADE_BOTH = (
    r"\bfad(?:e|es|ed|ing)\W+(?:it |everything |the (?:video|clip|picture) )?in (?:a\u2060nd|and|/) (?:fade )?out\b"
    r"|\bfade[- ]ins? (?:a\u2060nd|and|/) (?:fade[- ])?outs?\b"
    r"|\b(?:add|with|use|put)\W+(?:a |some )?fades?\b(?!\W+(?:in|out|to|from|between))"
    r"|淡入淡出|淡入和淡出|渐显渐隐"
)
_THE_CLIP = r"(?:it |everything |the (?:video|clip|picture) )?"
_FADE_IN = rf"\bfad(?:e|es|ed|ing)[- ]{_THE_CLIP}in\b(?! the (?:title|text))|\bfade from black\b|淡入|渐显"
_FADE_OUT = rf"\bfad(?:e|es|ed|ing)[- ]{_THE_CLIP}out\b|\bfade(?: it)? to black\b|淡出|渐隐"
_NO_FADE = rf"{w.MUSIC}|{w.MUSIC_ZH}|{w.TITLE}|{w.TITLE_ZH}|{Q}|\b(?:cross|between|logo|white)\b|标志"


def fade(reading: Reading) -> None:
    """Read fades of the whole; those of music and titles are not chosen here."""
    if reading.find(_NO_FADE) or reading.find(R):
        if reading.find(rf"{_FADE_IN}|{_FADE_OUT}") and not re.search(ADDING, reading.rest):
            take_music(reading)  # it is not to be added
        return
    both, into, out = reading.find(_FADE_BOTH), reading.find(_FADE_IN), reading.find(_FADE_OUT)
    found = both or into or out
    if found is None:
        return
    if both is not None:
        into = out = both
    spans = re.findall(D, reading.rest)
    lengths = [reading.passage.span_ms(slot) for slot in spans]
    if len(lengths) > 2 or any(not 0 < ms <= 60_000 for ms in lengths):
        return
    for pattern in (_FADE_BOTH, _FADE_IN, _FADE_OUT, rf"\b(?:(?:for|of|over|in|the|last|first|during)\W+)*{D}", D):
        while reading.take(pattern):
            pass
    while reading.take(
        r"\bfad\w+\b|\b(?:at|in|from|to) the (?:very )?(?:start|beginning|end)\b"
        r"|\b(?:to|from) black\b|效果|开头|结尾|片头|片尾"
    ):
        pass
    if reading.denied(found.start()) or reading.without(found.start()):
        return
    first = lengths[0] if lengths else DEFAULT_FADE_MS
    last = lengths[-1] if lengths else DEFAULT_FADE_MS
    reading.ops.append(Fade(first if into else None, last if out else None))


# ---------------------------------------------------------------- bars

_BLUR = (
    r"\bblurr?(?:ed|y)?[- ](?:background|bg|sides|edges|bars|padding|fill)\b|模糊(?:的)?背景|背景模糊|虚化背景|背景虚化"
)
_BLUR_IT = r"\bblur(?:ring)?\W+(?:the )?(?:background|sides|edges|bars)\b"
_BARS = (
    r"\b(?:black |side )?bars\b|\bletter ?box(?:ed|ing)?\b|\bpillar ?box(?:ed|ing)?\b"
    r"|\bpad(?:ded|ding)?\b(?!\W*(?:music|of music))"
    r"|(?:上下|左右)?(?:加|留|添加|补)?(?:上)?黑边"
)
_WHOLE_PICTURE = (
    r"\b(?:don'?t|do not|without|no|never|not) (?:any )?crop(?:ping|ped)?"
    r"(?:\W+(?:it|anything|the (?:picture|video|image)))?\b"
    r"|\buncropped\b|\b(?:keep|fit|show)\W+(?:the )?(?:whole|entire|full) (?:picture|frame|image)\b(?:\W+in)?"
    r"|不裁[切剪]?|不要裁[切剪]?|不裁剪|完整画面|保留全部画面"
)


def bars(reading: Reading) -> None:
    """Read how clips come into a picture of another shape."""
    shaped = any(
        re.search(A, clause.low) or any(pattern.search(clause.low) for pattern, _ in w.SHAPES)
        for clause in reading.passage.clauses
    )
    kinds: list[tuple[str, Fit]] = [(_BLUR, "blur"), (_BARS, "pad")]
    if shaped:
        kinds = [(_BLUR, "blur"), (_BLUR_IT, "blur"), (_BARS, "pad"), (_WHOLE_PICTURE, "pad")]
    for pattern, fit in kinds:
        match = reading.find(pattern)
        if match is None or reading.find(Q):
            continue
        while reading.take(pattern):
            pass
        if pattern != _WHOLE_PICTURE and (reading.denied(match.start()) or reading.without(match.start())):
            continue  # "no black bars": the picture is cropped anyway
        reading.ops.append(Aspect(0, 0, fit))
        return


# ---------------------------------------------------------------- logo

LOGO = (
    r"\b(?:(?:company |brand |channel |our |my |club |team )*(?:logos?|water ?marks?))\b"
    r"|(?:公司)?(?:水印|台标|商标|标志|徽标|logo)"
)
_IMAGE = re.compile(r".*\.(?:png|jpe?g|webp|gif)", re.I | re.S)
_CORNERS: tuple[Corner, ...] = ("top-left", "top-right", "bottom-left", "bottom-right")
_OVER = r"\b(?:corner|overlay|on top|over the (?:video|clip|picture))\b|角|叠加"
_OTHER_PLACE = (
    r"\b(?:cent(?:er|re)|middle|intro|outro|end|beginning|animat\w+|spin\w*|bounc\w+|blur\w*|hide|cover\w*|pixel\w+)\b"
    r"|中间|中央|居中|打码|遮"
)

_OTHER_SIZE = (
    r"\b(?:bigger|smaller|larger|huge|resiz\w+|scal(?:e|ed|ing)|enlarg\w+|shrink\w*|grow|transparent|rotat\w+)\b"
    r"|(?:变|放|缩|弄|调|大|小)(?:大|小)?一?[点些]|放大|缩小|变大|变小"
)


def logo(reading: Reading) -> None:
    """Read an image that is to lie in a corner; takes its file, which is no clip to be placed."""
    if reading.find(FILE_OFF):
        return  # it is to go
    noun = reading.find(LOGO)
    if (noun is not None or reading.find(F)) and not reading.find(Q) and (other := reading.find(_OTHER_SIZE)):
        reading.refused = noun is not None and not reading.denied(other.start())
        return
    file = reading.find(F)
    name = reading.passage.files[ord(file[0]) - ord(F[1])] if file is not None else ""
    if reading.find(Q) or reading.timed or reading.find(_OTHER_PLACE):
        if file is not None and _IMAGE.fullmatch(name) and (noun is not None or "logo" in name.casefold()):
            reading.blank(file)  # asked for otherwise than it can be done, and no clip to be placed either
        return
    corner = next((c for c in _CORNERS for pattern, place in w.POSITIONS if place == c and reading.find(pattern)), None)
    if file is not None and not _IMAGE.fullmatch(name):
        return
    told = noun is not None or (file is not None and ("logo" in name.casefold() or corner or reading.find(_OVER)))
    if not told:
        return
    wished = re.search(rf"{w.ADD}|{w.ADD_ZH}", reading.rest) or corner or reading.find(_OVER)
    alone = re.fullmatch(rf"\W*(?:with )?(?:the |a |an )?(?:{LOGO})\W*(?:please|too)?\W*", reading.rest)
    if not (wished or alone or file is not None):
        return
    at = noun.start() if noun is not None else file.start() if file is not None else 0
    places = [pattern for pattern, place in w.POSITIONS if place in _CORNERS]
    words: list[str | re.Pattern[str]] = [LOGO, F, _OVER, *places, r"\b(?:in|into|to|at|on) the\b"]
    for taken in words:
        while reading.take(taken):
            pass
    if not (reading.denied(at) or reading.without(at)):
        reading.ops.append(Logo(name, corner or "top-right"))
