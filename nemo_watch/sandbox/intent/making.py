"""What a clause wishes to be made: a highlight, a shape, music, text, captions, facts. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.ops import (
    Aspect,
    Captions,
    CutPauses,
    Highlight,
    Mood,
    Music,
    Place,
    Remove,
    Summary,
    Thing,
    Title,
    Trim,
    Volume,
)
from nemo_watch.sandbox.intent.passage import A, D, F, Q, R
from nemo_watch.sandbox.intent.reading import Reading


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
        or reading.find(
            rf"\bmake (?:it|this|(?:the|this|my) (?:video|clip|edit))\W+(?:be )?(?:(?:about|around|exactly|just|only"
            rf"|roughly)\W+)*{length}(?: (?:long|in length|in total))?\W*$"
        )
        or reading.find(rf"{length}[- ]?(?:long )?(?:(?!music|title|intro|outro)\w+ ){{0,3}}?{w.LENGTH_NOUN}\b")
    )
    if found is not None:
        before = reading.low[: found.start("d")]
        clock = re.fullmatch(R, found["d"]) and ":" in reading.passage.as_written(found["d"])
        if clock or re.search(r"(?:\b(?:first|last|final|opening)|前面?的?|最后的?)\s*$", before):
            return  # a place in the video, not a length
        target = reading.passage.span_ms(found["d"])
        if target >= 1000 and not (reading.denied(found.start()) or reading.without(found.start())):
            # only the figure and the noun: "a 30 second captioned teaser" says more in between
            reading.take(re.escape(found["d"]))
            reading.take(rf"{w.HIGHLIGHT}|{w.HIGHLIGHT_ZH}")
            reading.ops.append(Highlight(target))
        return
    if any(isinstance(op, CutPauses | Trim) for op in reading.ops) or reading.has(Q):
        return
    if reading.limited:
        return  # the figure belongs to what cannot be done
    if bare := re.fullmatch(
        r"\W*(?:(?:about|around|roughly|exactly|total|length|duration|long|time|of|in|时长|长度|总长"
        rf"|大约|大概|左右|约|为)\W*)*(?P<d>{D})"
        r"\W*(?:(?:long|total|in total|max|please|or so|altogether|左右|以内|之内)\W*)*",
        reading.rest,
    ):
        reading.take(re.escape(bare["d"]))
        if reading.passage.span_ms(bare["d"]) >= 1000:
            reading.ops.append(Highlight(reading.passage.span_ms(bare["d"])))
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
        pairs += [
            (match.start(), shape or reading.passage.ratio(match[0]))
            for match in pattern.finditer(reading.low)
            if not re.search(r"\b(?:from|of)\s*$", reading.low[: match.start()])
        ]
        while reading.take(pattern):
            pass
    exact = {pair for _, pair in pairs}
    for at, (width, height) in sorted(pairs):
        # "vertical 4:5": the figure is more exact than the word
        vague = (
            len(exact) > 1
            and (width, height) in {(9, 16), (16, 9)}
            and any((w_ > h_) == (width > height) and w_ != h_ and (w_, h_) != (width, height) for w_, h_ in exact)
        )
        if not vague and not (reading.denied(at) or reading.without(at)):
            reading.ops.append(Aspect(width, height))


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
    bed = loudness(reading, Music(mood_of(reading.low) or "warm"))
    reading.ops.append(bed if bed.gain else Volume(0.0, "music"))  # music that nobody hears is none
    for pattern, _ in w.MOODS:
        reading.take(pattern)
    while reading.take(rf"{w.MUSIC}|{w.MUSIC_ZH}"):
        pass


def loudness(reading: Reading, op: Music) -> Music:
    """Take what a clause says of the music's level and put it into the operation."""
    gain = op.gain
    if match := reading.take(w.PERCENT):
        gain = min(100, max(5, int(match[1]))) / 100 if int(match[1]) else 0.0
    elif reading.take(w.QUIET):
        gain = 0.2
    elif reading.take(w.LOUD):
        gain = 0.55
    duck = op.duck
    if match := reading.take(w.DUCKED):
        duck = not (reading.denied(match.start()) or reading.without(match.start()))
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
    from_end_ms = 0
    if found := reading.take(
        rf"(?P<d>{D})\s*(?:before|from) the (?:very )?end\b|(?:结束|结尾|片尾)(?:之)?前的?\s*(?P<e>{D})"
    ):
        from_end_ms = reading.passage.span_ms(found["d"] or found["e"])
        at_end = True
    elif found := reading.take(rf"\b(?:last|final|closing)\s*(?P<d>{D})"):
        dur_ms, at_end = max(500, reading.passage.span_ms(found["d"])), True
    elif found := reading.take(
        rf"(?:\b(?:at|from|after|starting at)|在|第|从)\s*(?P<d>{D})(?!\s*(?:long|内|的))(?:\s*(?:处|开始))?"
        rf"|(?P<e>{D})\s*(?:处|的?时候|的地方|时(?!长)|开始|起)"
    ):
        start_ms = reading.passage.span_ms(found["d"] or found["e"])
    if found := reading.take(D):
        dur_ms = max(500, reading.passage.span_ms(found[0]))
    if from_end_ms:
        dur_ms = min(dur_ms, from_end_ms) or from_end_ms
        start_ms = from_end_ms - dur_ms
    if reading.take(w.WHOLE):
        dur_ms = 0
    for pattern in (re.compile(w.AT_END), re.compile(w.AT_START), *(p for p, _ in w.POSITIONS)):
        while reading.take(pattern):
            pass
    return Title(op.text, start_ms, dur_ms, position, at_end)


def changes_title(reading: Reading) -> bool:
    """Tell whether a clause behind a title says only where and when it is shown: "for five seconds", "at the top"."""
    if re.search(f"{Q}|{A}|{F}|{w.CAPTION}|{w.MUSIC}", reading.low):
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


_FILE_OFF = (
    r"(?:\b(?:remov\w+|delet\w+|drop|get rid of|take (?:out|off)|eras\w+|leave out|exclude)\W+(?:the |my )?"
    rf"|(?:去掉|删掉|删除|移除|不要)\s*)(?P<f>{F})(?!\s*的|'s)"
    rf"|\btake\W+(?:the |my )?(?P<g>{F})\W+(?:off|out|away)\b"
)
FILE_OFF = re.compile(_FILE_OFF)


def _file(reading: Reading, slot: str) -> str:
    return reading.passage.files[ord(slot) - ord(F[1])]


def _thing_of(name: str) -> Thing | None:
    """Tell what a file can have been added as; None for a clip."""
    suffix = name.rpartition(".")[2].casefold()
    if suffix in ("mp3", "wav", "m4a", "aac"):
        return "music"
    if suffix in ("srt", "vtt"):
        return "captions"
    return "logo" if suffix in ("png", "jpg", "jpeg", "webp", "gif") else None


def place(reading: Reading) -> None:
    for gone in re.finditer(_FILE_OFF, reading.rest):
        if _thing_of(_file(reading, gone["f"] or gone["g"])) is None and not reading.denied(gone.start()):
            reading.refused = True  # a clip: nothing here takes one off, and it must not be put on
            return
    match = reading.take(w.PLACE)
    if match is not None and not reading.denied(match.start()):
        reading.ops.append(Place())
    while match := reading.take(_FILE_OFF):
        thing = _thing_of(_file(reading, match["f"] or match["g"]))
        if thing is not None and not reading.denied(match.start()):
            reading.ops.append(Remove(thing))
    names: list[str] = []
    while match := reading.take(F):
        if not reading.denied(match.start()):
            names.append(_file(reading, match[0]))
    if names:
        reading.ops.append(Place(tuple(names)))


def named_alone(reading: Reading) -> None:
    """A sound or subtitles that are added are music or captions, though the clause does not say so: "add song.mp3"."""
    names = [name for op in reading.ops if isinstance(op, Place) for name in op.filenames]
    if not names or not all(isinstance(op, Place) for op in reading.ops) or reading.limited:
        return
    if not reading.has(f"{w.ADD}|{w.ADD_ZH}"):
        return
    thing = _thing_of(names[0])
    if thing == "music":
        reading.ops.append(loudness(reading, Music()))
    elif thing == "captions":
        reading.ops.append(Captions())
