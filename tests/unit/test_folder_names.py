"""Names in outbox, rejects and archive."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.folders.names import (
    RESERVED,
    cut,
    encode,
    folder_key,
    folder_name,
    free_name,
    free_together,
    key,
    split,
    suffix_after,
)


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
    assert free_name("aux.final", ".mp4", []) == "aux_.final.mp4"
    assert free_name("nul ", ".mp4", []) == "nul _.mp4"
    assert free_name("COM¹", ".mp4", []) == "COM¹_.mp4"


def test_the_suffix_survives_the_cut() -> None:
    name = free_name("ü" * 200, ".report.toml", [])
    assert name.endswith(".report.toml")
    assert len(encode(name)) <= 255


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        ("🎬", ""),  # four bytes
        ("👩\u200d👧\u200d👦", ""),  # one sign of several
        ("👍🏽", ""),  # with a colour
        ("e\u0301", ""),  # with its accent
        ("éx", "é"),
    ],
)
def test_the_cut_keeps_signs_whole(tail: str, kept: str) -> None:
    for room in range(len(encode(tail))):
        got = cut("clip" + tail, len("clip") + room)
        assert got == ("clip" + kept if room >= len(encode(kept)) else "clip")


def test_nothing_but_marks_is_cut_all_the_same() -> None:
    assert cut("\u0301" * 200, 255) == "\u0301" * 127


def test_names_of_one_clip_get_one_number() -> None:
    taken = ["clip.txt", "clip-2.mp4"]
    assert free_together([("clip", ".mp4"), ("Clip", ".txt")], taken) == ["clip-3.mp4", "Clip-3.txt"]


def test_several_exports_of_one_clip_and_their_report_are_numbered_as_a_set() -> None:
    twice = [("clip", ".mp4"), ("clip", ".mp4"), ("clip", ".report.toml")]
    assert free_together(twice, []) == ["clip.mp4", "clip-2.mp4", "clip.report.toml"]
    assert free_together(twice, ["CLIP-2.mp4"]) == ["clip-3.mp4", "clip-4.mp4", "clip-3.report.toml"]
    assert free_together(twice, ["clip.report.toml"]) == ["clip-2.mp4", "clip-3.mp4", "clip-2.report.toml"]
    named = [("short", ".mp4"), ("long", ".mov"), ("short", ".report.toml")]
    assert free_together(named, ["long.mov"]) == ["short-2.mp4", "long-2.mov", "short-2.report.toml"]
    # A name that a person chose may be the one that a number would make.
    chosen = [("clip", ".mp4"), ("clip", ".mp4"), ("Clip-2", ".mp4")]
    assert free_together(chosen, []) == ["clip-2.mp4", "clip-3.mp4", "Clip-2-2.mp4"]


def test_a_result_is_not_cut_because_its_report_must_be() -> None:
    stem = "x" * 251
    assert free_together([(stem, ".mp4"), (stem, ".report.toml")], [], cut_alike=False) == [
        f"{stem}.mp4",
        f"{'x' * 243}.report.toml",
    ]
    pair = free_together([(stem, ".mp4"), (stem[:-4], ".mp4.txt")], [f"{stem}.mp4"])
    assert pair == [f"{'x' * 247}.mp4", f"{'x' * 247}.mp4.txt"]


@given(
    parts=st.lists(st.tuples(st.sampled_from(["clip", "CLIP", "clip-2", "x" * 300]), st.sampled_from([".mp4", ".mov"])),
                   min_size=1, max_size=5),
    taken=st.lists(st.sampled_from(["clip.mp4", "Clip-2.MP4", "clip-3.mov", "clip-2-2.mp4"])),
)  # fmt: skip
def test_a_set_of_names_collides_with_nothing_and_not_with_itself(
    parts: list[tuple[str, str]], taken: list[str]
) -> None:
    for cut_alike in (True, False):
        chosen = free_together(parts, taken, cut_alike=cut_alike)
        keys = {key(name) for name in chosen}
        assert len(keys) == len(parts)
        assert not keys & {key(name) for name in taken}


def test_folders_get_names_that_every_system_takes() -> None:
    assert [folder_name(part) for part in ("talks", "CON", "aux.old", "talks.", "talks. ", "..x")] == [
        "talks",
        "CON_",
        "aux_.old",
        "talks._",
        "talks. _",
        "..x",
    ]
    assert folder_key("Talks./CAFE\u0301") == folder_key("talks./Caf\u00e9")
    assert folder_key("") == ""


@given(raw=st.binary(min_size=1, max_size=255).filter(lambda b: b"/" not in b and b"\0" not in b))
def test_any_folder_name_is_made_fit_once_and_for_all(raw: bytes) -> None:
    name = folder_name(raw.decode("utf-8", "surrogateescape"))
    assert len(encode(name)) <= 255
    assert not name.endswith((".", " "))
    assert folder_name(name) == name


def test_what_belongs_to_a_stem() -> None:
    assert suffix_after("clip", "clip.mp4.txt") == ".mp4.txt"
    assert suffix_after("Caf\u00e9", "CAFE\u0301.txt") == ".txt"
    assert suffix_after("clip", "clip2.txt") is None
    assert suffix_after("clip", "clip") == ""


def test_a_suffix_as_long_as_a_name_is_cut() -> None:
    name = free_name("x", "." + "y" * 253, ["x." + "y" * 253])
    assert len(encode(name)) <= 255
    assert name.startswith("x.")


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
    assert name.split(".")[0].rstrip(" ").casefold() not in RESERVED


@given(raw=st.binary(min_size=1, max_size=300).filter(lambda b: b"/" not in b and b"\0" not in b))
def test_names_that_are_not_utf8_are_cut_by_bytes(raw: bytes) -> None:
    name = free_name(raw.decode("utf-8", "surrogateescape"), ".mp4", [])
    assert len(encode(name)) <= 255
