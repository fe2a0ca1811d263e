"""Subtitle files to cues: SRT and WebVTT, whatever their encoding, within bounds. Touches: the subtitle parser."""

from __future__ import annotations

import codecs
import html
import re

import pysubs2

from nemo_watch.errors import NemoWatchError
from nemo_watch.sandbox.facts import Cue

MAX_BYTES = 8 * 1024 * 1024
MAX_CUES = 5000
MAX_CUE_CHARS = 500
MAX_LINE_CHARS = 4000
"""Longer lines are no subtitles, and the parser's patterns take a time for them that grows with the square."""
_MOST_TIMES = 4 * MAX_CUES
"""Cues without text or length count, too: reading them takes as long."""
LONGEST_MS = 24 * 3600 * 1000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Neither goes past the beginning of the next one, so a text is gone through once, however many lack their ends.
_TAG = re.compile(r"\{[^{}]*\}|<[^<>]*>")
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029]")


class CaptionsError(NemoWatchError):
    """The bytes are not a subtitle file that can be used. `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="subtitles", hint="Save it as SRT or WebVTT in UTF-8.")


def read_cues(data: bytes) -> tuple[Cue, ...]:
    """Read the cues of an SRT or WebVTT file, in order of time, as plain text.

    Marks of style are dropped, cues without text or length too. UTF-8, UTF-16 with a byte order mark, GB18030 and
    Windows-1252 are tried in this order.

    Raises: CaptionsError for anything that holds no cue, is too large or is another kind of file.
    """
    if len(data) > MAX_BYTES:
        raise CaptionsError(f"The subtitle file is larger than {MAX_BYTES // 1024 // 1024} MB.")
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise CaptionsError("The subtitle file is empty.")
    if "-->" not in text:
        raise CaptionsError("The file is neither SRT nor WebVTT: it has no line with times.")
    if any(len(line) > MAX_LINE_CHARS for line in text.split("\n")):
        raise CaptionsError(f"The subtitle file has a line of more than {MAX_LINE_CHARS} characters.")
    if text.count("-->") > _MOST_TIMES:
        raise CaptionsError(f"The subtitle file has more than {MAX_CUES} cues.")
    # The parser looks for a number after every line break of a row of them.
    text = _BLANK_LINES.sub("\n\n", text)
    kind = "vtt" if text.lstrip("\ufeff \n").startswith("WEBVTT") else "srt"
    try:
        # With the marks of style left in: its own patterns for them take hours for a megabyte of "<a<a<a".
        events = pysubs2.SSAFile.from_string(text, format_=kind, keep_html_tags=True).events
    except Exception as error:
        raise CaptionsError("The subtitle file cannot be read: its times or lines are broken.") from error
    cues = sorted(
        (
            Cue(event.start, min(event.end, LONGEST_MS), shown)
            for event in events
            if 0 <= event.start < min(event.end, LONGEST_MS) and (shown := _plain(event.text))
        ),
        key=lambda cue: (cue.start_ms, cue.end_ms, cue.text),
    )
    if not cues:
        raise CaptionsError("The subtitle file has no cue with a text and a length.")
    if len(cues) > MAX_CUES:
        raise CaptionsError(f"The subtitle file has more than {MAX_CUES} cues.")
    return tuple(cues)


def _decoded(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise CaptionsError("The subtitle file breaks off inside a character.") from error
    if b"\x00" in data:
        raise CaptionsError("The file is not text.")
    for encoding in ("utf-8",) if _is_western(data) else ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue  # the next encoding; the last one takes any bytes
    return data.decode("cp1252", errors="replace")


def _is_western(data: bytes) -> bool:
    """Tell accents among Latin letters from Chinese: there a byte above 127 seldom stands alone, here nearly always.

    Without it "résumé" is Chinese: GB18030 takes an é and the letter after it for one character.
    """
    runs = _HIGH_BYTES.findall(data)
    return sum(len(run) == 1 for run in runs) * 2 > len(runs)


def _plain(text: str) -> str:
    """Drop marks of style; the text is drawn letter for letter, so what is left of them would be seen."""
    text = _TAG.sub("", text.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " "))
    # A number of more than 4300 digits is an error to Python.
    text = _CONTROL.sub("", html.unescape(text[:MAX_LINE_CHARS]))
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)[:MAX_CUE_CHARS].strip()
