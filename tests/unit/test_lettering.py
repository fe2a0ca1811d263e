"""Letters that no font here has are told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nemo_watch.sandbox import lettering


def titled(text: str) -> dict[str, Any]:
    return {"t": [{"tt": 0, "sg": [{"src": "a"}]}, {"tt": 7, "sg": [{"tx": text}]}]}


def test_only_letters_without_a_font_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, own = tmp_path / "system", tmp_path / "own"
    system.mkdir()
    own.mkdir()
    monkeypatch.setattr(lettering, "_FOLDERS", (str(system),))
    assert lettering.about_letters(titled("Größe Привет"), "en", "") == ""
    assert "fonts-noto-cjk" in lettering.about_letters(titled("你好"), "en", "")
    assert "方框" in lettering.about_letters(titled("こんにちは"), "zh", str(own))
    (own / "any.ttf").touch()
    assert lettering.about_letters(titled("你好"), "en", str(own)) == ""
    (system / "DejaVuSans.ttf").touch()
    assert lettering.about_letters(titled("안녕"), "en", "") != ""
    (system / "NotoSansCJK-Bold.ttc").touch()
    assert lettering.about_letters(titled("안녕"), "en", "") == ""
