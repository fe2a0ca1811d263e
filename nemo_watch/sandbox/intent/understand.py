"""A message in English or Chinese to a closed set of operations, and the wishes that cannot be fulfilled. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.cutting import cut_pauses, trim
from nemo_watch.sandbox.intent.effects import LOGO
from nemo_watch.sandbox.intent.limits import LIMITS, NO_TEXT, QUESTION, REMARK, RETRACTED, VAGUE_LENGTH
from nemo_watch.sandbox.intent.making import changes_music, changes_title, loudness, mood_of, named_alone, place_title
from nemo_watch.sandbox.intent.ops import (
    ORDER,
    Aspect,
    Captions,
    CutPauses,
    Fade,
    Fit,
    Highlight,
    Logo,
    Music,
    Op,
    Place,
    Remove,
    Speed,
    Summary,
    Thing,
    Title,
    Trim,
    Undo,
    Volume,
)
from nemo_watch.sandbox.intent.passage import ALL_BUT, ALL_BUT_ZH, Clause, D, F, Passage, Q, R, read
from nemo_watch.sandbox.intent.reading import Reading
from nemo_watch.sandbox.intent.rules import RULES, effects

_SOURCES = "(?:" + "|".join(w.SOURCE) + r")\b(?! (?:version|cut|edit))"
_ABOUT = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:from|of|in|for|on|with) (?:my|our|the|this|that|his|her|their) (?:[\w'-]+ |{D} ){{0,4}}?{_SOURCES}",
        rf"\b(?:from|of|in) an? (?:[\w'-]+ |{D} ){{0,3}}?{_SOURCES}",
        rf"\b(?:the|this|that|my|our) {D} ?(?:[\w'-]+ ){{0,3}}?{_SOURCES}",
        rf"[这那](?:个|段|条)?\s*{D}\s*长?的",
        r"\bin (?:(?:its|their|the) )?(?:full|entire|whole|original) (?:length|duration)\b",
    )
)
"""What the material is: "from my 20 minute zoom call recording" wishes for nothing."""
_DIRECT = re.compile(
    r"(?P<verb>[a-z][a-z'-]*)\W+(?:(?:to|into|over|on|from)\W+)?(?:the|my|our|this|that|these|those"
    rf"|all|its)\W+(?:\w+\W+){{0,2}}?"
    rf"(?:{w.MUSIC}|{w.CAPTION}|{w.SUMMARY}|{w.TITLE})"
)
_ADDING_VERBS = re.compile(
    rf"{w.ADD}|\b(?:chang|replac|swap|switch|choos|pick|us|add|mak|extract|pull|read|tell|collect"
    r"|gather|list|print)\w*\b"
)
_EXCEPTION = re.compile(
    r"^\W*(?:except\b(?=.*\w)|not (?:under|in|during|over|at|on|near|for|from|while|when|before|after|behind|between"
    r"|the (?:ones?|first|last|second|third|final))\b)"
)
_WILL = re.compile(
    r"^\W*(?:i|we)(?:'ll| will|'m going to| am going to|'re going to| are going to) (?:then |just |later |probably )?"
    r"(?:put|upload|post|share|show|send|publish|play|present|watch|check|e-?mail|use)\b"
)
"""What the person means to do with the result is not asked for here."""
_THINGS: tuple[tuple[Thing, str], ...] = (
    ("captions", w.CAPTION), ("music", w.MUSIC), ("title", w.TITLE), ("logo", LOGO), ("fade", r"\bfades?\b"),
)  # fmt: skip
_THINGS_ZH: tuple[tuple[Thing, str], ...] = (
    ("captions", w.CAPTION_ZH), ("music", w.MUSIC_ZH), ("title", w.TITLE_ZH),
)  # fmt: skip
_SECOND = {"Speed": "a second speed", "Undo": "a second undo", "Logo": "a second logo"}
MAX_UNSUPPORTED = 12
_MAX_WISH_CHARS = 160


@dataclass(frozen=True, slots=True)
class Understood:
    """What a message asks for: operations in the order of application, and other wishes in the person's own words."""

    ops: tuple[Op, ...]
    unsupported: tuple[str, ...]


def understand(text: str) -> Understood:
    """Read a message by rules over its clauses.

    Words about the export, courtesy and statements of fact ask for nothing here and are passed over; everything else
    that is no operation is named in `unsupported`. Time is bounded by the text's length: clauses are cut to a size.

    Repeat: safe
    """
    passage = read(text)
    ops: list[Op] = []
    wishes: list[str] = []
    shades: list[Reading] = []
    before = Reading(passage, "")
    for clause in passage.clauses:
        reading = _reading(passage, clause, before)
        exempt = _all_but(passage, reading)
        if exempt is not None:
            ops += exempt
            wishes += [] if exempt else [passage.as_written(clause.text)]
            before = Reading(passage, "")
            continue
        if _is_exception(reading, before):
            wishes.append(passage.as_written(clause.text))
            continue
        if QUESTION.pattern.search(clause.low):
            if not re.search(f"{w.SUMMARY}|{w.SUMMARY_ZH}", clause.low):
                wishes.append(passage.as_written(clause.text))
                before = Reading(passage, "")
                continue
        elif REMARK.search(clause.low):
            before = Reading(passage, "")
            continue
        elif RETRACTED.fullmatch(clause.low) and len(passage.clauses) > 1:
            return Understood((), (_cut_short(passage.as_written(text)),))  # what is still meant is not guessed
        effects(reading, after_music=bool(ops) and isinstance(ops[-1], Music))
        if reading.refused:
            wishes.append(passage.as_written(clause.text))
            before = Reading(passage, "")
            continue
        if not reading.ops and ops and isinstance(ops[-1], Title) and changes_title(reading):
            ops[-1] = place_title(reading, ops[-1])
            continue
        if not reading.ops and changes_music(reading) and any(isinstance(op, Music) for op in ops):
            shades.append(reading)
            continue
        if _points_back(reading) and not before.ops and (them := _removed_before(passage, before)):
            if wishes and wishes[-1] == passage.as_written(before.low):
                wishes.pop()
            ops += them
            before = reading
            continue
        found = _limits(passage, clause, reading)
        for rule in RULES:
            rule(reading)
        named_alone(reading)
        if reading.refused:
            reading.ops, found = [], [passage.as_written(clause.text)]
        elif _WILL.search(reading.low):
            found = []
        elif _done_otherwise(reading):
            reading.ops = []
            found = [passage.as_written(clause.text)]
        elif reading.ops:
            found += _leftovers(passage, clause, reading)
        elif found:
            found = [passage.as_written(clause.text)]
        elif changes_music(reading):
            shades.append(reading)
        elif _asks_for_something(reading):
            found = [passage.as_written(clause.text)]
        ops += reading.ops
        wishes += found
        before = reading
    if not ops and not wishes and not shades:
        ops = _unwanted(passage)
    return _settled(passage, ops, wishes, shades)


def _unwanted(passage: Passage) -> list[Op]:
    """Read a message that only says what there is not to be, "no music please": what is there of it goes."""
    found: list[Op] = []
    for clause in passage.clauses:
        for thing, noun in (*_THINGS, *_THINGS_ZH):
            if re.fullmatch(
                rf"\W*(?:(?:no|without)(?: (?:the|any|my))?|不要|无|没有)\s*(?:{noun})"
                r"(?: ?(?:please|any ?more|at all|now|thanks?|了))*\W*",
                clause.low,
            ):
                found.append(Remove(thing))
                break
    return found


def _all_but(passage: Passage, reading: Reading) -> list[Op] | None:
    """Read "remove everything but X" as keeping X: empty if X is no single time, None if it is something else."""
    low = reading.low
    match = ALL_BUT.search(low)
    if match is None:
        match = ALL_BUT_ZH.search(low)
        if match is None or not re.search(w.REMOVE_ZH, low[: match.start()] + low[match.end() :]):
            return None
        around = low[: match.start()] + low[match.end() :]
    else:
        around = low[: match.start()] + low[match.end() :]
        if "nothing" in match[0]:
            if not re.search(rf"{w.KEEP}|\b(?:use|show|want|include)\b", around):
                return None
        elif not re.search(rf"{w.REMOVE}|{w.REMOVED}", around):
            return []  # "add music to everything except the intro"
    kept = Reading(passage, "keep only " + match["x"])
    trim(kept)
    left = [x for x in _tokens(kept.rest) if not _known(x) and x != "keep"]
    unclear = left or _han_left(kept.rest) or re.search(f"{D}|{R}", kept.rest) or re.search(w.NOT_VERB, around)
    if unclear or len(kept.ops) != 1 or not isinstance(kept.ops[0], Trim) or kept.ops[0].part not in ("keep", "last"):
        return []
    return kept.ops


def _is_exception(reading: Reading, before: Reading) -> bool:
    """Tell whether a clause takes something out of what the one before asks for: "not under the intro"."""
    match = _EXCEPTION.search(reading.low)
    if match is None or not (before.ops or match[0].strip().startswith("except")):
        return False
    unknown = [x for x in _tokens(reading.low) if not _known(x) and x not in ("except", "first", "last")]
    return bool(unknown or w.SLOTS.search(reading.low) or re.search(r"\b(?:ones?|first|last)\b", reading.low))


def _reading(passage: Passage, clause: Clause, before: Reading) -> Reading:
    """A clause without a verb of its own does what the one before did: "remove the intro, the outro"."""
    reading = Reading(passage, clause.low)
    own_verb = any(reading.has(p) for p in (w.REMOVE, w.REMOVE_ZH, w.ADD, w.ADD_ZH, w.KEEP, w.KEEP_ZH))
    if own_verb or not before.low:
        return reading
    if any(isinstance(op, Title) for op in before.ops):
        reading.inherited = "title"
        return reading
    reading.inherited = "remove" if before.removes else "keep" if before.keeps else ""
    if not clause.after_comma:
        reading.inherited_not = before.inherited_not or re.search(w.NOT_VERB, before.low) is not None
    also = not clause.after_comma or re.match(r"\W*(?:the|all|my)\b", clause.low)
    if reading.inherited == "remove" and also and any(isinstance(op, Remove) for op in before.ops):
        # "remove the music and captions": both go, neither is added
        reading.ops += [Remove(thing) for thing, noun in _THINGS if not reading.inherited_not and reading.take(noun)]
    return reading


def _points_back(reading: Reading) -> bool:
    """Tell whether a clause only says that something named before is to go: "remove them", 帮我去掉."""
    bare = re.sub(rf"{w.REMOVE}|{w.REMOVE_ZH}", " ", reading.low)
    if bare == reading.low or re.search(w.NOT_VERB, reading.low) or w.SLOTS.search(bare):
        return False
    return not _han_left(bare) and all(_known(x) for x in _tokens(bare))


def _removed_before(passage: Passage, before: Reading) -> list[Op]:
    """What is to go of that which the clause before only spoke of: "there are long pauses"."""
    spoken = Reading(passage, before.low, inherited="remove", forced=True)
    for rule in (cut_pauses, trim):
        rule(spoken)
    return spoken.ops


def _limits(passage: Passage, clause: Clause, reading: Reading) -> list[str]:
    """Name what the clause asks for that is known to be impossible, and take it out of the clause."""
    for pattern in _ABOUT:
        if match := pattern.search(reading.rest):
            reading.blank(match)
    spans: list[tuple[int, int]] = []
    if re.search(rf"{w.MUSIC}|{w.MUSIC_ZH}", reading.rest):  # how loud the music is can be said
        spans = [m.span() for m in re.finditer(rf"{w.PERCENT}|{w.QUIET}|{w.LOUD}", reading.rest)]
    found: list[tuple[int, str]] = []
    for limit in LIMITS:
        for match in limit.pattern.finditer(reading.rest):
            if any(start <= match.start() < end for start, end in spans):
                continue
            if not match[0].strip() or "\x1f" in match[0]:
                continue
            reading.blank(match)
            if not (reading.denied(match.start()) or reading.without(match.start())):
                found.append((match.start(), passage.as_written(clause.text[match.start() : match.end()])))
    reading.limited = bool(found)
    return [words for _, words in sorted(found) if words]


def _done_otherwise(reading: Reading) -> bool:
    """Tell whether something unknown is to be done to what would be added: "harmonize the music"."""
    if not reading.ops or not all(isinstance(op, Music | Captions | Summary) for op in reading.ops):
        return False
    match = _DIRECT.search(reading.low)
    if match is None or w.KNOWN_THINGS.fullmatch(match["verb"]):
        return False
    return not _known(match["verb"]) and _ADDING_VERBS.fullmatch(match["verb"]) is None


def _leftovers(passage: Passage, clause: Clause, reading: Reading) -> list[str]:
    """What an understood clause says besides: an unknown doing, or a manner ("in a neon style") nobody looked at."""
    found: list[str] = []
    if vague := VAGUE_LENGTH.pattern.search(reading.rest):
        reading.blank(vague)
    for match in re.finditer(
        r"\b(?:in|using|(?<!'d )(?<!would )like|at|into|over|by|via|as)\b(?P<rest>[^\x1f\ue000-\uf3ff]{2,120})",
        reading.rest,
    ):
        unknown = [x for x in _tokens(match["rest"]) if not _known(x)]
        if unknown and not reading.denied(match.start()):
            found.append(passage.as_written(clause.text[match.start() : match.end()]))
            break
    found += [
        passage.as_written(clause.text[match.start() : match.end()])
        for match in re.finditer(rf"(?:[\w']+\W+){{0,2}}(?:{D}|{R})", reading.rest)
        if not reading.denied(match.start())
    ]
    for match in re.finditer(r"(?:用|以|像|按照?)(?P<rest>[\u4e00-\u9fff]{2,20})", reading.rest):
        if _han_left(match["rest"]):
            found.append(passage.as_written(clause.text[match.start() : match.end()]))
            break
    return found


def _asks_for_something(reading: Reading) -> bool:
    """Tell whether a clause without any operation is a wish at all."""
    low = reading.low
    if re.search(w.NOT_VERB, low) or re.match(rf"\W*(?:{w.NOT_THING})", low) or reading.inherited_not:
        return False  # what is not to be done is not done
    if re.match(
        r"\W*(?:(?:this|it|here|there|that|they|these|i|we|he|she|my \w+|our \w+|the (?:\w+ )?(?:video"
        r"|clip|footage|recording|file|interview|audience"
        r"|speaker|talk|client|customer|source))(?:'s|'m|'re|'ve)?) (?:is|are|was|were|has|have|had"
        r"|contains?|shows?|features|am|includes|lasts|filmed|shot"
        r"|recorded|made|just)\b(?! to\b)|\W*(?:it's|that's|here's|there's|i'm|we're|i've|we've)\b"
        r"|\W*(?:nobody|no one|everyone|everybody|people|viewers)\W+(?:really |ever )?"
        r"(?:wants?|likes?|hates?|loves?|cares?|knows?|thinks?|watch(?:es)?|has|is|are)\b"
        r"|.*\b(?:is|are|would be) (?:totally |perfectly |quite )?(?:fine|ok|okay|enough|good enough|sufficient)"
        r"(?: (?:for|with) \w+)?\W*$"
        r"|[^\n]{0,16}(?:太|很|非常|过于|比较|有点|有些)(?:多|长|久|少|慢|拖沓|啰嗦)了?\W*$"
        r"|^(?:这|那|它|视频|我)[^\n]{0,4}(?:是|有|拍|录)",
        low,
    ):
        return False
    if re.search(f"{D}|{R}", reading.rest) and reading.keeps:
        return True
    if reading.keeps and w.KNOWN_THINGS.search(low):
        return False  # "keep the pauses"
    if re.search(rf"{w.KEEP}|{w.KEEP_ZH}", low) and not [x for x in _tokens(re.sub(w.KEEP, " ", low)) if not _known(x)]:
        return bool(_han_left(re.sub(w.KEEP_ZH, "", low)))
    if (
        re.search(r"\bclean (?:(?:it|this|that|everything) )?up\b", low)
        or VAGUE_LENGTH.pattern.search(low)
        or (NO_TEXT.pattern.search(low) and not re.search(Q, low))
    ):
        return True
    if re.search(F, reading.rest):
        return True
    latin = [x for x in _tokens(reading.rest) if not _known(x)]
    if re.search(w.PAUSE, low) or re.search(rf"{w.INTRO}|{w.OUTRO}", low):
        latin.append("?")
    if re.search(f"{Q}", reading.rest) and not re.search(r"\b(?:called|named|name)\b|命名|叫|取名", low):
        return True
    if re.search(f"{D}|{R}", reading.rest) and re.search(rf"{w.REMOVE}|{w.REMOVE_ZH}|{w.KEEP}", low):
        return True
    return bool(latin) or bool(_han_left(reading.rest))


def _tokens(text: str) -> list[str]:
    return re.findall(r"[a-z][a-z0-9']*", text)


def _known(token: str) -> bool:
    return token in w.FILLER or token in w.DELIVERY or token in w.SOURCE or len(token) == 1


def _han_left(text: str) -> str:
    return "".join(re.findall(r"[\u4e00-\u9fff]", w.FILLER_ZH.sub("", text)))


def _settled(passage: Passage, ops: list[Op], wishes: list[str], shades: Iterable[Reading]) -> Understood:
    """Make one consistent set of what the clauses gave, in the order of application."""
    kept: list[Op] = []
    for op in ops:
        same = next((k for k in kept if type(k) is type(op)), None)
        match op:
            case Music() if isinstance(same, Music):
                kept[kept.index(same)] = op if same == Music() else same
            case CutPauses() if isinstance(same, CutPauses):
                kept[kept.index(same)] = CutPauses(min(op.min_ms, same.min_ms), min(op.pad_ms, same.pad_ms))
            case Highlight() if isinstance(same, Highlight):
                kept[kept.index(same)] = min(op, same, key=lambda h: (not h.named, h.target_ms))
            case Aspect() if isinstance(same, Aspect):
                fit: Fit = "blur" if "blur" in (op.fit, same.fit) else "pad" if "pad" in (op.fit, same.fit) else "crop"
                if op.w and same.w and (op.w, op.h) != (same.w, same.h):
                    wishes.append(f"{op.w}:{op.h}")
                kept[kept.index(same)] = Aspect(same.w or op.w, same.h or op.h, fit)
            case Fade() if isinstance(same, Fade):
                ends = (op.in_ms if op.in_ms is not None else same.in_ms, op.out_ms)
                kept[kept.index(same)] = Fade(ends[0], same.out_ms if ends[1] is None else ends[1])
            case Speed() | Undo() | Logo() if same is not None:
                if op != same:
                    wishes.append(_SECOND[type(op).__name__])
            case Place() if isinstance(same, Place):
                names = dict.fromkeys((*same.filenames, *op.filenames))
                kept[kept.index(same)] = Place(tuple(names))
            case Volume(of="all") if any(isinstance(x, Music) for x in ops):
                kept.append(Volume(op.gain))  # the music that comes with it is to be heard
            case _:
                if op not in kept:
                    kept.append(op)
    bed = next((op for op in kept if isinstance(op, Music)), None)
    for shade in shades:
        if bed is None:
            wishes.append(passage.as_written(shade.low))
            continue
        changed = loudness(shade, replace(bed, mood=mood_of(shade.low) or bed.mood))
        kept[kept.index(bed)] = changed
        bed = changed
    if isinstance(bed, Music):
        _level_bed(kept, bed)
    wishes += [passage.as_written(name) for name in passage.result_names]
    if passage.rest.strip():
        wishes.append("…" + passage.as_written(passage.rest)[:60])
    ordered = sorted(kept, key=lambda op: ORDER.index(type(op)))
    named = [_cut_short(x) for x in dict.fromkeys(wishes) if x]
    return Understood(tuple(ordered), tuple(named[:MAX_UNSUPPORTED]))


def _cut_short(wish: str) -> str:
    return wish if len(wish) <= _MAX_WISH_CHARS else wish[: _MAX_WISH_CHARS - 1] + "…"


def _level_bed(kept: list[Op], bed: Music) -> None:
    """Put what is said of the music's level into the music that the same message adds."""
    for op in [op for op in kept if isinstance(op, Volume) and op.of == "music"]:
        kept.remove(op)
        gain = min(max(bed.gain * op.gain if op.relative else op.gain, 0.0), 1.0)
        louder = replace(bed, gain=round(gain, 4))
        kept[kept.index(bed)] = louder
        bed = louder
