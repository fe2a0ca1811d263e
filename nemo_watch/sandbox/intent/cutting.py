"""What a clause wishes to be cut away: pauses, ends and times. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.ops import CutPauses, Highlight, Trim, TrimPart
from nemo_watch.sandbox.intent.passage import D, Q, R
from nemo_watch.sandbox.intent.reading import TAKEN, Reading

MIN_SPAN_MS = 100


def _gone(reading: Reading, noun: str, noun_zh: str) -> re.Match[str] | None:
    """Find a thing that is to go: "remove the X", "X removed", "no X", 把X剪掉; take its noun out of the rest."""
    rest = reading.rest
    spoken_away = (
        re.search(rf"{w.REMOVE}{w.GAP}(?P<x>{noun})", rest)
        or re.search(rf"(?P<x>{noun})(?:\W+\w+){{0,3}}?\W+{w.REMOVED}", rest)
        or re.search(rf"(?P<x>{noun}) (?:removal|remover|cut(?:ting)?|trim(?:ming)?)\b", rest)
        or re.search(rf"{w.REMOVE_ZH}[^\n]{{0,12}}?(?P<x>{noun_zh})", rest)
        or re.search(rf"(?P<x>{noun_zh})[^\n]{{0,8}}?{w.REMOVE_ZH}", rest)
    )
    if reading.forced:
        spoken_away = re.search(rf"(?P<x>{noun}|{noun_zh})", rest)
    elif spoken_away is None and reading.inherited == "remove" and not reading.keeps and not reading.has(w.ADD):
        inherited = re.search(rf"(?P<x>{noun}|{noun_zh})", rest)
        spoken_away = None if inherited and reading.without(inherited.start()) else inherited
    found = spoken_away or re.search(rf"(?P<x>{noun}|{noun_zh})", rest)
    if found is None:
        return None
    at = found.start("x")
    before = reading.low[:at]
    if spoken_away is not None:
        # 不要 is both "don't" and "no": with a thing right behind it, the thing is to go
        bare = re.fullmatch(rf"不要(?P<between>[^\n]{{0,12}}?)(?:{noun_zh})", spoken_away[0])
        if bare is not None:
            gone = re.search(w.REMOVE_ZH, bare["between"]) is None
        else:
            gone = not (reading.denied(spoken_away.start()) or reading.without(spoken_away.start()))
    else:
        unwanted = re.search(r"\b(?:don't|do not) (?:want|need|like|keep|leave|show)\b|不想要|不需要|不要", before)
        kept_not = reading.keeps and re.search(w.NOT_VERB, before)
        free = re.match(r"[- ]free\b", reading.low[found.end("x") :])
        gone = bool(unwanted or kept_not or free) or (reading.without(at) and not reading.denied(at))
    if not gone:
        return None
    reading.rest = reading.rest[:at] + re.sub(r"\S", TAKEN, found["x"]) + reading.rest[found.end("x") :]
    return found


def cut_pauses(reading: Reading) -> None:
    whole_edges = reading.take(
        r"\b(?:leading-trailing|head-tail|start-end|beginning-end(?:ing)?) (?:silences?|pauses?)\b"
        r"|\b(?:silences?|pauses?|dead air) (?:at|from|on) (?:the (?:\w+-\w+|ends)|both ends)\b"
        r"|首尾(?:的)?(?:静音|停顿|空白|沉默)"
    )
    if whole_edges:
        if not reading.denied(whole_edges.start()):
            reading.ops.append(Trim("edges"))
        return
    one_edge = reading.take(
        r"\b(?:leading|initial|opening) (?:silence|pause|dead air)\b|\b(?:silence|pause"
        r"|dead air) (?:at|from|in) the (?:very )?(?:start|beginning)\b"
        r"|开头的?(?:静音|停顿|空白|沉默)"
    )
    other_edge = reading.take(
        r"\b(?:trailing|final|closing) (?:silence|pause|dead air)\b|\b(?:silence|pause|dead air) (?:at"
        r"|from|in) the (?:very )?end(?:ing)?\b"
        r"|(?:结尾|末尾)的?(?:静音|停顿|空白|沉默)"
    )
    for found, part in ((one_edge, "head_edge"), (other_edge, "tail_edge")):
        if found and (reading.removes or reading.without(found.start())) and not reading.denied(found.start()):
            reading.ops.append(Trim("head_edge" if part == "head_edge" else "tail_edge"))
    if one_edge or other_edge:
        return
    shortened = re.search(
        rf"\b(?:shorten|reduce|tighten|limit)\b.*?\bto\s*(?P<d>{D})|(?:缩短|减少)到\s*(?P<e>{D})", reading.rest
    )
    longer = re.search(
        r"(?:\b(?:longer|more|greater|over|above|exceeding|at least|min(?:imum)?)(?: than)?(?: of)?"
        rf"|超过|大于|长于|多于|>)\s*(?P<d>{D})"
        rf"|(?P<e>{D})\s*(?:or (?:longer|more)|以上|\+)",
        reading.rest,
    )
    if not reading.has(f"{w.PAUSE}|{w.PAUSE_ZH}"):
        vague = reading.take(
            r"\btighten (?:up )?(?:it|this|everything|the (?:\w+ )?(?:edit|video|clip|pacing"
            r"|pace))(?: up)?\b|\bjump[- ]?cuts?\b|紧凑"
        )
        if vague and not reading.denied(vague.start()):
            reading.ops.append(CutPauses())
        return
    found = _gone(reading, w.PAUSE, w.PAUSE_ZH) or (
        reading.take(r"\bjump[- ]?cuts?\b") if reading.has(r"\bjump[- ]?cut") else None
    )
    if found is None:
        return
    op = CutPauses()
    if longer is not None:
        op = replace(op, min_ms=max(200, reading.passage.span_ms(longer["d"] or longer["e"])))
        reading.take(re.escape(longer[0]))
    elif shortened is not None:
        op = replace(op, pad_ms=min(2000, reading.passage.span_ms(shortened["d"] or shortened["e"]) // 2))
        reading.take(re.escape(shortened["d"] or shortened["e"]))
    reading.ops.append(op)


_AWAY_OR_KEPT = Callable[[int, bool], Trim | None]
_FIGURES: tuple[tuple[str, _AWAY_OR_KEPT], ...] = (
    (
        (
            rf"(?P<d>{D})\s*(?:to|until|till|-|–) (?:the )?(?:very )?end\b|(?P<e>{D})\s*(?:到|至"
            r"|直到)(?:最后|结尾|末尾|结束)"
        ),
        lambda ms, away: Trim("drop" if away else "keep", ms),
    ),
    (
        rf"\b(?:first|initial|opening)\s*(?P<d>{D})|前面?的?\s*(?P<e>{D})|(?:开头|片头)的?\s*(?P<g>{D})",
        lambda ms, away: Trim("head", ms) if away else Trim("keep", 0, ms),
    ),
    (
        rf"\b(?:last|final|closing)\s*(?P<d>{D})|(?:最后|后面?|结尾|末尾|片尾)的?\s*(?P<e>{D})",
        lambda ms, away: Trim("tail", ms) if away else Trim("last", ms),
    ),
    (
        (
            rf"(?P<d>{D})\s*(?:off |from |of )+(?:the )?(?:start|beginning|head|front|top|intro)\b"
            rf"|\bintro (?:by|of)\s*(?P<e>{D})"
        ),
        lambda ms, away: Trim("head", ms),
    ),
    (
        rf"(?P<d>{D})\s*(?:off |from |of )+(?:the )?(?:end|tail|back|outro|ending)\b",
        lambda ms, away: Trim("tail", ms),
    ),
    (
        rf"(?P<d>{D})\s*(?:long )?(?:的)?(?:{w.INTRO}|{w.INTRO_ZH})",
        lambda ms, away: Trim("head", ms) if away else None,
    ),
    (
        rf"(?P<d>{D})\s*(?:long )?(?:的)?(?:{w.OUTRO}|{w.OUTRO_ZH})",
        lambda ms, away: Trim("tail", ms) if away else None,
    ),
    (
        rf"\b(?:after|past|beyond)\s*(?P<d>{D})|(?P<e>{D})\s*(?:之后|以后|后面|后)",
        lambda ms, away: Trim("drop", ms) if away else Trim("keep", ms),
    ),
    (
        rf"\bbefore\s*(?P<d>{D})|(?P<e>{D})\s*(?:之前|以前|前面)",
        lambda ms, away: Trim("head", ms) if away else Trim("keep", 0, ms),
    ),
    (
        (
            rf"\b(?:start|begin)(?:s|ing)?(?: it| the (?:video|clip))? (?:at|from)\s*(?P<d>{D})"
            rf"|\bfrom\s*(?P<e>{D})\s*(?:on|onwards?)\b|从\s*(?P<g>{D})\s*开始"
        ),
        lambda ms, away: Trim("head", ms),
    ),
    (
        (
            rf"\b(?:end|stop|finish)(?:s|ing)?(?: it| the (?:video|clip))? at\s*(?P<d>{D})"
            rf"|\b(?:until|till)\s*(?P<e>{D})"
            rf"|到\s*(?P<g>{D})\s*(?:结束|为止)"
        ),
        lambda ms, away: Trim("keep", 0, ms),
    ),
    (
        (
            rf"\b(?:trim|cut|crop)(?:\W+\w+){{0,4}}?\W+(?:down )?to\s*(?:just |only |exactly )?(?P<d>{D})"
            rf"(?!\s*(?:highlight|teaser|trailer))|(?:裁剪?|修剪|截)(?:到|至)\s*(?P<e>{D})"
        ),
        lambda ms, away: Trim("keep", 0, ms),
    ),
)
"""Where a length stands and what it then says, if the clause takes away and if it does not."""
_OFF_BOTH_ENDS = (
    rf"\b(?:trim|cut|remove|take|chop|shave)\s*(?P<d>{D})\s*(?:off|from|at) (?:each|both) (?:end|side)s?\b"
    rf"|首尾各?\s*(?P<e>{D})"
)


def trim(reading: Reading) -> None:
    _trim_figures(reading)
    _trim_ends(reading)
    _trim_whole(reading)


def _trim_figures(reading: Reading) -> None:
    def span(match: re.Match[str]) -> int:
        return reading.passage.span_ms(next(g for g in match.groups() if g))

    if not reading.has(f"{D}|{R}") or reading.has(Q):
        return  # times in a clause with a quoted text are the title's
    if both := reading.take(_OFF_BOTH_ENDS):
        if not reading.denied(both.start()):
            reading.ops += [Trim("head", span(both)), Trim("tail", span(both))]
        return
    if match := reading.take(R):
        if not reading.has(rf"{w.HIGHLIGHT}|{w.HIGHLIGHT_ZH}"):
            away = _takes_away(reading)
            if _meant_otherwise(reading, "", away=away, placed=True):
                reading.refused = away and not reading.denied(match.start())
                reading.rest = reading.rest[: match.start()] + match[0] + reading.rest[match.end() :]
                return  # a time that something else is to happen at: it is named, and nothing is cut
            if not reading.denied(match.start()):
                start, end = reading.passage.range_ms(match[0])
                reading.ops.append(Trim("drop" if away else "keep", start, end))
            return
        reading.rest = reading.rest[: match.start()] + match[0] + reading.rest[match.end() :]
    for pattern, build in _FIGURES:
        while match := re.search(pattern, reading.rest):
            away = _takes_away(reading, at=match.start())
            op = build(span(match), away)
            placed = re.search(
                r"\b(?:for|in|during|over|within|throughout|at|on)(?: only| just)?(?: the)?\s*$|在\s*$",
                reading.low[: match.start()],
            )
            if op is None or span(match) < MIN_SPAN_MS:
                break
            if (placed and not away) or _meant_otherwise(reading, match[0], away=away, placed=placed is not None):
                reading.refused = reading.refused or (away and not reading.denied(match.start()))
                break
            reading.blank(match)
            if not reading.denied(match.start()):
                reading.ops.append(op)


_OTHER_THINGS = (
    rf"{w.MUSIC}|{w.MUSIC_ZH}|{w.CAPTION}|{w.CAPTION_ZH}|{w.TITLE}|{w.TITLE_ZH}"
    r"|\b(?:is|are|was|were|needs?|logo|twice|text|frame|move|replace|undo|restore|bring back|play back|slow|fast"
    r"|at the (?:very )?(?:start|beginning|end)|silent|muted?|volume|sound|audio|voices?)\b"
    r"|恢复|还原|静音|声音|音量|原声|人声|音频|移到|移动|重复"
)
_PART = (
    r"\b(?:parts?|sections?|bits?|segments?|pieces?|scenes?|portions?|footage|clips?|videos?|everything|range|time|span"
    r"|intro|outro|beginning|ending|opening|minutes?|seconds?)\b"
)


def _meant_otherwise(reading: Reading, figure: str, *, away: bool, placed: bool) -> bool:
    """Tell whether a time in a clause is only where something else is to happen: then nothing may be cut for it."""
    if reading.limited or re.search(_OTHER_THINGS, reading.rest):
        return True
    rest = reading.rest.replace(figure, " ") if figure else reading.rest
    rest = re.sub(f"{w.SELECT}|{w.KEEP}|{w.REMOVE}|{w.REMOVED}", " ", rest)
    rest = re.sub(f"{w.KEEP_ZH}|{w.REMOVE_ZH}|保留|只|截取?|取|剪|裁|要|用|导出", "", rest)
    if re.search(r"\b(?:only|just)\b", reading.low):
        rest = re.sub(r"\bplay(?:ing)?\b", " ", rest)  # "play from 0:10 to 0:20 only"
    latin = [x for x in re.findall(r"[a-z][a-z']+", rest) if x not in w.FILLER | w.SOURCE | w.DELIVERY]
    if away:  # "remove the man from 0:10 to 0:20" is no cut, "remove the boring part from 0:10 to 0:20" is one
        return bool(latin) and placed and not re.search(_PART, rest)
    if re.search(r"\b(?:start|begin|end|stop|finish|until|till)", figure) or re.search("开始|结束|为止", figure):
        latin = []
    return (bool(latin) and not re.search(_PART, rest)) or bool(
        re.search(r"[\u4e00-\u9fff]", w.FILLER_ZH.sub("", rest))
    )


def _takes_away(reading: Reading, at: int = -1) -> bool:
    """Tell "remove the first ten seconds" from "trim to the first ten seconds"."""
    if reading.has(r"\b(?:trim|cut|crop)(?:\W+\w+){0,4}?\W+(?:down )?to\b|(?:裁剪?|修剪|剪)(?:到|至|成)"):
        return False
    if at < 0 and re.search(r"\btrim(?! (?:out|off|away))\b|裁剪|剪辑|截取", reading.low):
        return False  # "trim the clip from 0:10 to 0:30" keeps that part
    if reading.keeps or re.search(r"\b(?:only|just)\b|只", reading.low):
        return reading.denied(len(reading.low)) and reading.keeps
    return reading.removes or reading.without(at if at >= 0 else len(reading.low))


def _trim_ends(reading: Reading) -> None:
    both = reading.take(
        rf"\b(?:trim|cut|clean up|tidy|crop)\b(?:\W+\w+){{0,2}}?\W+(?:both )?ends\b"
        rf"|{w.REMOVE}{w.GAP}head-tail\b|(?:掐头去尾|去头去尾|修剪首尾)"
    )
    if both and not reading.denied(both.start()):
        reading.ops.append(Trim("edges"))
    for noun, noun_zh, part in ((w.INTRO, w.INTRO_ZH, "intro"), (w.OUTRO, w.OUTRO_ZH, "outro")):
        if not reading.has(f"{noun}|{noun_zh}") or reading.has(Q):
            continue
        before = reading.rest
        # "cut the pauses at the start", "music at the end": a place, not a thing
        if re.search(
            rf"\b(?:at|in|from|on|to|near|until|till|for|by) (?:the |its )?(?:very )?(?:{noun})|(?:在|从)(?:{noun_zh})",
            before,
        ) and (reading.ops or not reading.has(r"\b(?:cut|remove|trim|take|strip|delete)\b")):
            continue
        name: TrimPart = "intro" if part == "intro" else "outro"
        figure = "head" if part == "intro" else "tail"
        # "the intro (first 8 seconds)": the figure says where it ends
        if _gone(reading, noun, noun_zh) and not any(isinstance(op, Trim) and op.part == figure for op in reading.ops):
            reading.ops.append(Trim(name))


def _trim_whole(reading: Reading) -> None:
    if any(isinstance(op, Trim | CutPauses | Highlight) for op in reading.ops) or reading.has(f"{D}|{R}"):
        return
    found = reading.take(
        r"\btrimmed(?:[- ]down)?(?= (?:\w+ ){0,2}(?:clip|video|version|copy|cut|file|mp4|edit|result"
        r"|export|footage|one)\b|\s*$)"
        r"|\btrim\b ?(?:(?:up|down) )?(?:(?:the|this|my|our|it|that|each|every"
        r"|all) ?)?(?:(?:\w+ )?(?:clips?|videos?|footage|recording|file|movie|film|uploads?))?"
        r"(?=\s*$|\s*(?:a bit|a little|slightly|nicely|properly|for|first|as needed|please|neatly|up|down)\b)"
        r"|^(?:请|帮我|麻烦)*(?:修剪|裁剪)(?:一下)?(?:这[个段条])?(?:视频|片段|素材|影片|短片)?(?:一下"
        r"|后)?(?=\s*(?:的?(?:视频|片段)?)?\s*$)"
        r"|(?:修剪|裁剪|剪裁|剪)[好过后](?:的)?(?=.{0,4}(?:视频|片段|版本|短片|影片|文件|clip))"
        r"|剪辑[好过后](?:的)?(?=片段)|(?:修剪|裁剪|剪裁)(?:版本?|的?(?:片段|短片))"
    )
    if found and not reading.denied(found.start()):
        reading.ops.append(Trim("edges"))
