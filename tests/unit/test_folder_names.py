"""Names in outbox, rejects and archive."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.folders.names import RESERVED, encode, free_name, key, split


def test_a_taken_name_gets_a_number() -> None:
    assert free_name("clip", ".mp4", []) == "clip.mp4"
    assert free_name("clip", ".mp4", ["clip.mp4"]) == "clip-2.mp4"
    assert free_name("clip", ".mp4", ["clip.mp4", "clip-2.mp4"]) == "clip-3.mp4"


def test_case_and_unicode_form_do_not_make_a_name_free() -> None:
    assert free_name("Clip", ".mp4", ["clip.MP4"]) == "Clip-2.mp4"
    composed, decomposed = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    assert free_name(composed, ".mp4", [f"{decomposed}.mp4"]) == f"{composed}-2.mp4"


def test_reserved_names_are_avoided() -> None:
    assert free_name("CON", ".mp4", []) == "CON_.mp4"
    assert free_name("console", ".mp4", []) == "console.mp4"


def test_the_suffix_survives_the_cut() -> None:
    name = free_name("ü" * 200, ".report.toml", [])
    assert name.endswith(".report.toml")
    assert len(encode(name)) <= 255


def test_split() -> None:
    assert split("a/b/clip.final.mp4") == ("a/b", "clip.final", ".mp4")
    assert split("clip") == ("", "clip", "")
    assert split(".hidden") == ("", ".hidden", "")


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=300)


@given(stem=NAMES, taken=st.lists(NAMES, max_size=5), again=st.integers(0, 4))
def test_a_free_name_fits_and_collides_with_nothing(stem: str, taken: list[str], again: int) -> None:
    for _ in range(again):
        taken.append(free_name(stem, ".mp4", taken))
    name = free_name(stem, ".mp4", taken)
    assert name.endswith(".mp4")
    assert len(encode(name)) <= 255
    assert key(name) not in {key(other) for other in taken}
    assert name.split(".")[0].casefold() not in RESERVED


@given(raw=st.binary(min_size=1, max_size=300).filter(lambda b: b"/" not in b and b"\0" not in b))
def test_names_that_are_not_utf8_are_cut_by_bytes(raw: bytes) -> None:
    name = free_name(raw.decode("utf-8", "surrogateescape"), ".mp4", [])
    assert len(encode(name)) <= 255
