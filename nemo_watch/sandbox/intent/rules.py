"""One clause to operations: what each rule recognises it takes out of the clause, the rest stays to be named. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.ops import (
    Aspect,
    Captions,
    CutPauses,
    Highlight,
    Mood,
    Music,
    Op,
    Place,
    Summary,
    Title,
    Trim,
    TrimPart,
)
from nemo_watch.sandbox.intent.passage import A, D, F, Passage, Q, R

Doing = str
"""What a clause does to its objects: "add", "remove", "keep" or "" if it does not say."""

_TAKEN = "\x1f"
MIN_SPAN_MS = 100


@dataclass(slots=True)
class Reading:
    """A clause being read. `rest` has the clause's length always: what was understood is blanked out.

    `limited` tells that it asks for something impossible too: its times may belong to that.
    """

    passage: Passage
    low: str
    rest: str = ""
    inherited: Doing = ""
    inherited_not: bool = False
    taken_out: str = ""
    limited: bool = False
    ops: list[Op] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rest = self.low

    def find(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        """Find `pattern` in what is left."""
        return re.search(pattern, self.rest)

    def take(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        """Find `pattern` in what is left and take it out."""
        match = re.search(pattern, self.rest)
        if match is not None:
            self.blank(match)
        return match

    def blank(self, match: re.Match[str]) -> None:
        taken = re.sub(r"[^\s]", _TAKEN, match[0])
        self.rest = self.rest[: match.start()] + taken + self.rest[match.end() :]

    def has(self, pattern: str | re.Pattern[str]) -> bool:
        return re.search(pattern, self.low) is not None

    def denied(self, at: int) -> bool:
        """Tell whether a "don't" or a "not" stands before `at`."""
        return self.inherited_not or re.search(w.NOT_VERB, self.low[:at]) is not None

    def without(self, at: int) -> bool:
        """Tell whether a "no" or a "without" stands closely before `at`, or "-free" right after."""
        return re.search(w.NOT_THING, self.low[max(0, at - 26) : at]) is not None

    @property
    def removes(self) -> bool:
        return self.has(w.REMOVE) or self.has(w.REMOVE_ZH) or (self.inherited == "remove" and not self.has(w.KEEP))

    @property
    def keeps(self) -> bool:
        return self.has(w.KEEP) or self.has(w.KEEP_ZH) or (self.inherited == "keep" and not self.removes)


# ---------------------------------------------------------------- cutting


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
    if spoken_away is None and reading.inherited == "remove" and not reading.keeps and not reading.has(w.ADD):
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
        gone = bool(unwanted or kept_not or free) or (reading.without(at) and not reading.denied(max(0, at - 30)))
    if not gone:
        return None
    reading.rest = reading.rest[:at] + re.sub(r"\S", _TAKEN, found["x"]) + reading.rest[found.end("x") :]
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
        rf"\b(?:first|initial|opening)\s*(?P<d>{D})|前面?的?\s*(?P<e>{D})|(?:开头|片头)的?\s*(?P<g>{D})",
        lambda ms, away: Trim("head", ms) if away else Trim("keep", 0, ms),
    ),
    (
        rf"\b(?:last|final|closing)\s*(?P<d>{D})|(?:最后|后面?|结尾|末尾|片尾)的?\s*(?P<e>{D})",
        lambda ms, away: Trim("tail", ms) if away else Trim("last", ms),
    ),
    (
        rf"(?P<d>{D})\s*(?:off |from |of )+(?:the )?(?:start|beginning|head|front|top|intro)\b"
        rf"|\bintro (?:by|of)\s*(?P<e>{D})",
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
        rf"\b(?:start|begin)(?:s|ing)?(?: it| the (?:video|clip))? (?:at|from)\s*(?P<d>{D})"
        rf"|\bfrom\s*(?P<e>{D})\s*(?:on|onwards?)\b|从\s*(?P<g>{D})\s*开始",
        lambda ms, away: Trim("head", ms),
    ),
    (
        rf"\b(?:end|stop|finish)(?:s|ing)?(?: it| the (?:video|clip))? at\s*(?P<d>{D})|\b(?:until|till)\s*(?P<e>{D})"
        rf"|到\s*(?P<g>{D})\s*(?:结束|为止)",
        lambda ms, away: Trim("keep", 0, ms),
    ),
    (
        rf"\b(?:trim|cut|crop)(?:\W+\w+){{0,4}}?\W+(?:down )?to\s*(?:just |only |exactly )?(?P<d>{D})"
        rf"(?!\s*(?:highlight|teaser|trailer))|(?:裁剪?|修剪|截)(?:到|至)\s*(?P<e>{D})",
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
            if not reading.denied(match.start()):
                start, end = reading.passage.range_ms(match[0])
                reading.ops.append(Trim("drop" if _takes_away(reading) else "keep", start, end))
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
            if op is None or span(match) < MIN_SPAN_MS or (not away and (placed or reading.limited)):
                break
            reading.blank(match)
            if not reading.denied(match.start()):
                reading.ops.append(op)


def _takes_away(reading: Reading, at: int = -1) -> bool:
    """Tell "remove the first ten seconds" from "trim to the first ten seconds"."""
    if reading.has(r"\b(?:trim|cut|crop)(?:\W+\w+){0,4}? (?:down )?to\b|(?:裁剪?|修剪|剪)(?:到|至|成)"):
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
        if found := _gone(reading, noun, noun_zh):
            name: TrimPart = "intro" if part == "intro" else "outro"
            reading.ops.append(Trim(name))
            del found


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
    )
    if found and not reading.denied(found.start()):
        reading.ops.append(Trim("edges"))


# ---------------------------------------------------------------- picking


def highlight(reading: Reading) -> None:
    length = f"(?P<d>{D}|{R})"
    found = (
        reading.find(rf"{length}[- ]?(?:long )?(?:\w+[- ]){{0,4}}?(?:{w.HIGHLIGHT})")
        or reading.find(
            rf"(?:{w.HIGHLIGHT})(?:\W+(?:of|in|from|to|at|for|about|around|with|is|be|long|a|the|length"
            rf"|video|reel|version|roughly|my|this|{w.LIMIT}))*\W*{length}"
        )
        or reading.find(rf"\b(?:best|top|most \w+|strongest|greatest|key|juiciest|funniest)\s*{length}")
        or reading.find(rf"{length}\s*(?:长?的|左右的?|以内的?|长)?.{{0,4}}?(?:{w.HIGHLIGHT_ZH}|短视频|短片|小视频)")
        or reading.find(rf"(?:{w.HIGHLIGHT_ZH}).{{0,8}}?{length}")
        or reading.find(
            rf"{w.CONDENSE}(?:\W+\w+){{0,5}}?\W+(?:in)?to\b(?:\W+(?:about|around|just|only|an?|roughly"
            rf"|exactly|under))*\W*{length}(?:\s*{w.LENGTH_NOUN})?"
        )
        or reading.find(
            rf"{w.CONDENSE_ZH}(?:一?[个条段])?\s*{length}(?:\s*(?:以内|左右|之内|的)*(?:视频|短片|版本|片段)?)?"
        )
        or reading.find(rf"\bsummari[sz]e(?:\W+\w+){{0,4}}?\W+in\W+{length}")
        or reading.find(rf"{length}[- ]?(?:long )?(?:(?!music|title|intro|outro)\w+ ){{0,3}}?{w.LENGTH_NOUN}\b")
    )
    if found is not None:
        target = reading.passage.span_ms(found["d"])
        if target >= 1000 and not (reading.denied(found.start()) or reading.without(found.start())):
            # only the figure and the noun: "a 30 second captioned teaser" says more in between
            reading.take(re.escape(found["d"]))
            reading.take(rf"{w.HIGHLIGHT}|{w.HIGHLIGHT_ZH}")
            reading.ops.append(Highlight(target))
        return
    if any(isinstance(op, CutPauses | Trim) for op in reading.ops) or reading.has(Q):
        return
    if limit := reading.take(
        rf"{w.LIMIT}(?:\W+(?:a|about))?\s*(?P<d>{D})(?:\s*(?:long|in (?:length|total)))?"
        rf"|(?P<e>{D})\s*(?:or (?:less|shorter)|max(?:imum)?\b|以内|之内|以下)"
    ):
        target = reading.passage.span_ms(limit["d"] or limit["e"])
        if target >= 1000:
            reading.ops.append(Highlight(target))
    if found := reading.take(rf"{w.HIGHLIGHT}|{w.HIGHLIGHT_ZH}"):
        if (
            reading.denied(found.start())
            or reading.without(found.start())
            or any(isinstance(op, Highlight) for op in reading.ops)
        ):
            return
        if (
            re.search(r"\bhighlight (?=(?:the|this|my|each|every|important|key)\b)", reading.low)
            and "moment" not in reading.low
        ):
            reading.rest = reading.low  # "highlight the important words" is another wish
            return
        reading.ops.append(Highlight(named=False))


def aspect(reading: Reading) -> None:
    pairs: list[tuple[int, tuple[int, int]]] = []
    patterns: list[tuple[re.Pattern[str], tuple[int, int] | None]] = [(re.compile(A), None), *w.SHAPES]
    for pattern, shape in patterns:
        # Looked for in the whole clause: a shape often stands between a length and its noun.
        for match in pattern.finditer(reading.low):
            if not re.search(r"\b(?:from|of)\s*$", reading.low[: match.start()]):
                pairs.append((match.start(), shape or reading.passage.ratio(match[0])))
        while reading.take(pattern):
            pass
    exact = {pair for _, pair in pairs}
    for at, (width, height) in sorted(pairs):
        # "vertical 4:5": the figure is more exact than the word
        vague = (
            len(exact) > 1
            and (width, height) in {(9, 16), (16, 9)}
            and _figure_of_kind(exact, width > height, (width, height))
        )
        if not vague and not (reading.denied(at) or reading.without(at)):
            reading.ops.append(Aspect(width, height))


def _figure_of_kind(pairs: set[tuple[int, int]], wide: bool, but: tuple[int, int]) -> bool:  # noqa: FBT001 - a shape, not a switch
    return any((w_ > h_) == wide and w_ != h_ and (w_, h_) != but for w_, h_ in pairs)


# ---------------------------------------------------------------- adding


def mood_of(text: str) -> Mood | None:
    """The first mood named in a text, None if it names none."""
    found = [(m.start(), mood) for pattern, mood in w.MOODS if (m := pattern.search(text))]
    return min(found)[1] if found else None


def music(reading: Reading) -> None:
    match = re.search(rf"{w.MUSIC}|{w.MUSIC_ZH}", reading.rest)
    if match is None:
        return
    denied = reading.denied(match.start()) and not re.search(w.QUIET, reading.low)
    if denied or reading.without(match.start()):
        reading.blank(match)
        return
    reading.ops.append(loudness(reading, Music(mood_of(reading.low) or "warm")))
    for pattern, _ in w.MOODS:
        reading.take(pattern)
    while reading.take(rf"{w.MUSIC}|{w.MUSIC_ZH}"):
        pass


def loudness(reading: Reading, op: Music) -> Music:
    """Take what a clause says of the music's level and put it into the operation."""
    gain = op.gain
    if match := reading.take(w.PERCENT):
        gain = min(100, max(5, int(match[1]))) / 100
    elif reading.take(w.QUIET):
        gain = 0.2
    elif reading.take(w.LOUD):
        gain = 0.55
    duck = op.duck
    if match := reading.take(w.DUCKED):
        duck = not reading.denied(match.start())
    return replace(op, gain=gain if gain != op.gain else op.gain, duck=duck)


_TONE = {"add", "put", "keep", "nothing", "mood", "style", "vibe", "feel", "sounding", "bit", "tempo"} | w.SOURCE


def changes_music(reading: Reading) -> bool:
    """Tell whether a clause without an operation says only how the music is to be: "something calm", "at 20 %"."""
    probe = Reading(reading.passage, reading.low)
    changed = loudness(probe, Music()) != Music() or mood_of(reading.low) is not None
    for pattern, _ in w.MOODS:
        while probe.take(pattern):
            pass
    left = [x for x in re.findall(r"[a-z0-9']+", probe.rest) if x not in w.FILLER | _TONE]
    return changed and not left and not re.search(r"[\u4e00-\u9fff]", w.FILLER_ZH.sub("", probe.rest))


def title(reading: Reading) -> None:
    if not reading.has(Q):
        return
    named = re.search(rf"{w.TITLE}|{w.TITLE_ZH}", reading.low)
    alone = re.fullmatch(rf"\W*{Q}\W*", reading.low)
    shown = re.search(
        rf"(?:{w.ADD}|\b(?:says?|saying|reads?|reading|called)\b)(?:\W+\w+){{0,3}}?\W*{Q}|{w.ADD_ZH}[^\n]{{0,6}}?{Q}",
        reading.low,
    )
    if not (named or shown or (alone and reading.inherited == "title")):
        return
    if not named and re.search(rf"{Q}\s*(?:{w.MUSIC}|{w.MUSIC_ZH}|{w.CAPTION}|{w.HIGHLIGHT})", reading.low):
        return
    match = reading.take(Q)
    if match is None:
        return
    op = Title(reading.passage.quote(match[0])[:300])
    denied = reading.denied(match.start()) or (named is not None and reading.without(named.start()))
    op = place_title(reading, op)
    for pattern in (w.TITLE, w.TITLE_ZH):
        while reading.take(pattern):
            pass
    if not denied:
        reading.ops.append(op)


def place_title(reading: Reading, op: Title) -> Title:
    """Take what a clause says of a title's place and time and put it into the operation."""
    position = next((position for pattern, position in w.POSITIONS if pattern.search(reading.low)), op.position)
    at_end = op.at_end or bool(re.search(w.AT_END, reading.low) and not re.search(w.AT_START, reading.low))
    start_ms, dur_ms = op.start_ms, op.dur_ms
    if found := reading.take(R):
        start_ms, end_ms = reading.passage.range_ms(found[0])
        dur_ms = end_ms - start_ms
    if found := reading.take(rf"(?:\b(?:at|from|after|starting at)|在|第|从)\s*(?P<d>{D})(?!\s*(?:long|内|的))"):
        start_ms = reading.passage.span_ms(found["d"])
    if found := reading.take(D):
        dur_ms = max(500, reading.passage.span_ms(found[0]))
    if reading.take(w.WHOLE):
        dur_ms = 0
    for pattern in (w.AT_END, w.AT_START, *(p for p, _ in w.POSITIONS)):
        while reading.take(pattern):
            pass
    return Title(op.text, start_ms, dur_ms, position, at_end)


def changes_title(reading: Reading) -> bool:
    """Tell whether a clause behind a title says only where and when it is shown: "for five seconds", "at the top"."""
    if re.search(f"{Q}|{A}|{F}", reading.low):
        return False
    probe = Reading(reading.passage, reading.low)
    changed = place_title(probe, Title("")) != Title("") or bool(re.search(w.AT_START, reading.low))
    left = [
        x
        for x in re.findall(r"[a-z0-9']+", probe.rest)
        if x not in w.FILLER | {"show", "shown", "display", "lasting", "visible"}
    ]
    han = re.search(
        r"[\u4e00-\u9fff]", w.FILLER_ZH.sub("", re.sub("持续|显示|时长|停留|位置|放|置于|位于|出现", "", probe.rest))
    )
    return changed and not left and han is None


def captions(reading: Reading) -> None:
    match = re.search(rf"{w.CAPTION}|{w.CAPTION_ZH}", reading.rest)
    if match is None:
        return
    while reading.take(rf"{w.CAPTION}|{w.CAPTION_ZH}"):
        pass
    reading.take(r"\b(?:english|chinese|mandarin)\b|中文|英文|中英文?|自动")
    reading.take(r"\b(?:at|on) the bottom\b|底部|下方")
    if not (reading.denied(match.start()) or reading.without(match.start())):
        reading.ops.append(Captions())


def summary(reading: Reading) -> None:
    match = re.search(rf"{w.SUMMARY}|{w.SUMMARY_ZH}", reading.rest)
    if match is None or any(isinstance(op, Highlight) for op in reading.ops):
        return
    while reading.take(rf"{w.SUMMARY}|{w.SUMMARY_ZH}"):
        pass
    if not (reading.denied(match.start()) or reading.without(match.start())):
        reading.ops.append(Summary())


def place(reading: Reading) -> None:
    match = reading.take(w.PLACE)
    if match is not None and not reading.denied(match.start()):
        reading.ops.append(Place())
    names: list[str] = []
    while match := reading.take(F):
        if not reading.denied(match.start()):
            names.append(reading.passage.files[ord(match[0]) - ord(F[1])])
    if names:
        reading.ops.append(Place(tuple(names)))


RULES: tuple[Callable[[Reading], None], ...] = (
    place, title, cut_pauses, trim, highlight, aspect, music, captions, summary,
)  # fmt: skip
"""In the order in which they look at a clause: a figure belongs to the first that has a use for it."""
