"""Write all texts of a timeline as one subtitle file that libass draws. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pysubs2

from nemo_watch.sandbox.timeline import Text, TextStyle

FONT_FAMILY = "DejaVu Sans"
"""The inner name of the bundled DejaVuSans-Bold.ttf; the file's name is of no use to libass."""
_REFERENCE_PX = 1080
_WORD_JOINER = "\u2060"


def ass_document(texts: Sequence[Text], width: int, height: int) -> str:
    """Make the ASS file for a picture of that size; one style for each look that occurs.

    Source: measured: `subtitles` draws text letter for letter that `drawtext` cannot be given safely (render.md 0.3).
    """
    document = pysubs2.SSAFile()
    document.info.update(
        {
            "ScriptType": "v4.00+",
            "PlayResX": str(width),
            "PlayResY": str(height),
            "WrapStyle": "0",
            "ScaledBorderAndShadow": "yes",
            "YCbCr Matrix": "None",
        }
    )
    document.styles.clear()
    names: dict[TextStyle, str] = {}
    for text in sorted(texts, key=lambda one: one.start_ms):
        name = names.setdefault(text.style, f"s{len(names)}")
        document.styles[name] = _style(text.style, min(width, height) / _REFERENCE_PX, width)
        place = rf"\an{_anchor(text.style)}\pos({text.style.x * width:.0f},{text.style.y * height:.0f})"
        fade = rf"\fad({text.fade_in_ms},{text.fade_out_ms})" if text.fade_in_ms or text.fade_out_ms else ""
        line = f"{{{place}{fade}}}{escape(text.text)}"
        document.events.append(pysubs2.SSAEvent(text.start_ms, text.end_ms, line, style=name))
    return document.to_string("ass")


def escape(text: str) -> str:
    """Make text that is drawn letter for letter: no backslash, brace or line break of it means anything to libass.

    Source: measured (render.md 6): a word joiner after a backslash ends what could be a command.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").strip().split("\n")
    drawn = ("".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cs")) for line in lines)
    safe = (line.replace("\\", "\\" + _WORD_JOINER).replace("{", r"\{").replace("}", r"\}") for line in drawn)
    return r"\N".join(safe)


def _style(style: TextStyle, scale: float, width: int) -> pysubs2.SSAStyle:
    boxed = bool(style.box)
    margin = round(width * 0.04)
    return pysubs2.SSAStyle(
        fontname=style.family or FONT_FAMILY,
        fontsize=round(style.size * scale, 1),
        primarycolor=_colour(style.colour),
        outlinecolor=_colour(style.box if boxed else style.stroke_colour),
        backcolor=_colour("00000080"),
        bold=style.bold,
        italic=style.italic,
        borderstyle=3 if boxed else 1,
        outline=round(max(style.stroke, 8.0 if boxed else 0.0) * scale, 2),
        shadow=round(style.shadow * scale, 2),
        marginl=margin,
        marginr=margin,
        marginv=margin,
    )


def _anchor(style: TextStyle) -> int:
    """Give the number on the keypad: texts in the upper third hang from their place, in the lower third stand on it."""
    row = 7 if style.y < 1 / 3 else 1 if style.y > 2 / 3 else 4
    return row + {"left": 0, "center": 1, "right": 2}[style.align]


def _colour(rgba: str) -> pysubs2.Color:
    red, green, blue, alpha = (int(rgba[at : at + 2], 16) for at in (0, 2, 4, 6))
    return pysubs2.Color(red, green, blue, 255 - alpha)
