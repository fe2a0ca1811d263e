"""Whether there is a font for a text: the bundled one has no Chinese, Japanese and Korean letters. Touches: folders."""

from __future__ import annotations

import os
import re
from typing import Any

_EAST_ASIAN = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_FONT = re.compile(
    r"cjk|source-?han|wqy|wenquan|uming|ukai|arphic|droidsansfallback|ipa[gm]|takao|vl-?gothic|nanum|baekmuk|unifont"
    r"|simsun|simhei|msyh|pingfang|hiragino|fandol",
    re.I,
)
_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
_SENTENCE = {
    "en": "No font with Chinese, Japanese or Korean letters was found: they are drawn as boxes. Put one into a folder "
    "and name it in [sandbox] fonts_dir, or install fonts-noto-cjk.",
    "zh": "没有找到含中日韩文字的字体，这些字会显示为方框。"
    "请在 [sandbox] fonts_dir 中指定字体文件夹，或安装 fonts-noto-cjk。",
}


def about_letters(draft: dict[str, Any], language: str, fonts_dir: str) -> str:
    """Say that a draft's texts have letters which no font here is known to have, "" if all can be drawn.

    A font is known by its file's name, in `fonts_dir` and where the system keeps fonts; whatever lies in `fonts_dir` is
    taken to be there for that.
    Source: render.md 2.
    """
    texts = (seg.get("tx") for track in draft.get("t", ()) for seg in track.get("sg", ()))
    if not any(isinstance(text, str) and _EAST_ASIAN.search(text) for text in texts):
        return ""
    if fonts_dir and any(files for _, _, files in os.walk(fonts_dir)):
        return ""
    for folder in _FOLDERS:
        if any(_FONT.search(name) for _, _, files in os.walk(os.path.expanduser(folder)) for name in files):
            return ""
    return _SENTENCE[language]
