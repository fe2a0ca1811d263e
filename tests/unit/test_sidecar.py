"""A sidecar's bytes are Instructions, or a complaint with its place and the right form. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch import sidecar
from nemo_watch.errors import SidecarError
from nemo_watch.model import Export, Instructions


def _toml(text: str) -> Instructions:
    return sidecar.parse(text.encode(), "clip.mp4.toml", zone=UTC)


def _refused(data: bytes | str, name: str = "clip.toml") -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        sidecar.parse(data.encode() if isinstance(data, str) else data, name, zone=UTC)
    assert caught.value.hint
    return caught.value


# ---------------------------------------------------------------- plain text


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        (b"cut the pauses", ("cut the pauses",)),
        (b"\xef\xbb\xbfcut the pauses\r\n", ("cut the pauses",)),
        ("剪掉停顿".encode(), ("剪掉停顿",)),
        (b"\xff\xfe" + "剪掉停顿\r\n---\r\n导出".encode("utf-16-le"), ("剪掉停顿", "导出")),
        (b"\xfe\xff" + "cut 🎬".encode("utf-16-be"), ("cut 🎬",)),
        (b"one\n---\ntwo\n  ---  \nthree", ("one", "two", "three")),
        (b"---\none\n---\n---\ntwo\n---\n", ("one", "two")),
        (b"one\rstill one", ("one\nstill one",)),
        (b"one --- not a line\n----\nof its own", ("one --- not a line\n----\nof its own",)),
        (b"a" * sidecar.LIMIT_BYTES, ("a" * sidecar.LIMIT_BYTES,)),
    ],
)
def test_plain_text_is_its_messages_in_order(data: bytes, steps: tuple[str, ...]) -> None:
    assert sidecar.parse(data, "clip.TXT") == Instructions(steps=steps)


@pytest.mark.parametrize("data", [b"", b" \r\n\t", b"---\n---", "\ufeff\u200b\u00a0".encode()])
def test_an_empty_instruction_is_refused_with_an_example(data: bytes) -> None:
    error = _refused(data, "clip.txt")
    assert error.code == "sidecar_invalid"
    assert "empty" in error.message
    assert "cut the pauses" in error.hint


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"cut \xe9t\xe9", 4),
        (b"\xef\xbb\xbfcut\xff", 6),
        (b"\xff\xfec\x00u", 4),
        (b"\xff\xfe\x00\xd8a\x00", 2),
        (b"cut\x00\x00\x00", 3),
        (b"c\x00u\x00t\x00", 1),
        (b"\xff\xfec\x00\x00\x00", 4),
    ],
)
def test_what_is_no_text_is_refused_with_the_byte(data: bytes, offset: int) -> None:
    assert f"offset {offset} " in _refused(data, "clip.txt").message


def test_utf32_and_more_than_64_kib_are_refused() -> None:
    assert "UTF-32" in _refused("cut".encode("utf-32"), "clip.txt").message
    assert "longer than 65536" in _refused(b"a" * 65537, "clip.txt").message


# ---------------------------------------------------------------- TOML


def test_every_key_is_read() -> None:
    assert _toml("""\
url = "https://me:secret@example.org:8443/a%20b.mp4?sig=1#x"
steps = ["cut the pauses", "add music"]
language = "zh-CN"
skill = "video-editing-with"
assets = ["./logo.png", "_assets//music.mp3", "logo.png"]
priority = -3
not_before = 2030-01-31T22:00:00+02:00
title = " Summer "
originals = "keep"
duplicates = "process"

[[export]]
format = "MOV"
quality = "best"
resolution = "720p"
fps = 24
name = "teaser"

[[export]]
""") == Instructions(
        steps=("cut the pauses", "add music"),
        exports=(Export("mov", "best", "720p", 24, "teaser"), Export()),
        language="zh-CN",
        skill="video-editing-with",
        assets=("logo.png", "_assets/music.mp3"),
        priority=-3,
        not_before_at=datetime(2030, 1, 31, 20, tzinfo=UTC),
        title="Summer",
        originals="keep",
        duplicates="process",
        url="https://me:secret@example.org:8443/a%20b.mp4?sig=1#x",
    )


def test_a_windows_editor_makes_no_difference() -> None:
    text = 'prompt = """\r\ncut\r\nthe pauses"""\r\n'
    wanted = Instructions(steps=("cut\nthe pauses",))
    assert sidecar.parse(b"\xef\xbb\xbf" + text.encode(), "a.toml") == wanted
    assert sidecar.parse(b"\xff\xfe" + text.encode("utf-16-le"), "a.toml") == wanted


def test_the_line_ends_of_old_macs() -> None:
    assert sidecar.parse(b'prompt = """\rcut\rit"""\r# so\rpriority = 2\r', "a.toml") == Instructions(
        ("cut\nit",), priority=2
    )
    assert _refused(b'# one\rpromt = "cut"\r', "a.toml").line == 2


def test_only_an_export_is_an_instruction_too() -> None:
    assert _toml('[[export]]\nresolution = "1080x1920"') == Instructions((), (Export(resolution="1080p"),))


def test_a_moment_without_an_offset_is_in_the_zone() -> None:
    text = b'prompt = "a"\nnot_before = 2030-01-31T22:00:00'
    east = timezone(timedelta(hours=8))
    assert sidecar.parse(text, "a.toml", zone=east).not_before_at == datetime(2030, 1, 31, 14, tzinfo=UTC)
    here = sidecar.parse(text, "a.toml").not_before_at
    assert here == datetime(2030, 1, 31, 22).astimezone(UTC)  # the host's own zone is meant


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ('promt = "cut"', (1, 1), '"promt" is not a key of a sidecar (did you mean "prompt"?)'),
        ('prompt = "cut"\n\n[[export]]\nfsp = 1', (4, 1), 'did you mean "fps"?'),
        ('prompt = "cut"\nxyzzy = 1', (2, 1), "valid here: prompt, steps"),
        ("prompt = cut", (1, 10), "Invalid value"),
        ('prompt = "cut', (1, 14), ""),
        ('prompt = "cut"\nsteps = ["trim"]', (2, 1), 'both "prompt" and "steps"'),
        ("steps = []", (1, 9), "is empty"),
        ('steps = "cut"', (1, 9), "must be a list"),
        ('steps = ["cut",\n  3]', (2, 3), "must be text in quotes"),
        ("prompt = 3", (1, 10), "must be text in quotes"),
        ('prompt = " "', (1, 10), "is empty"),
        ("", (1, 1), "does not say what to do"),
        ('title = "x"', (1, 1), "does not say what to do"),
        ('prompt = "a"\nlanguage = "english please"', (2, 12), "code of a language"),
        ('prompt = "a"\ntitle = "a\\nb"', (2, 9), "single line"),
        ('prompt = "a"\npriority = "high"', (2, 12), "whole number"),
        ('prompt = "a"\npriority = true', (2, 12), "whole number"),
        ('prompt = "a"\nnot_before = "2030-01-01"', (2, 14), "date with a time"),
        ('prompt = "a"\nnot_before = 2030-01-01', (2, 14), "date with a time"),
        ('prompt = "a"\nnot_before = 9999-12-31T23:59:59-23:00', (2, 14), "beyond the calendar"),
        ('prompt = "a"\noriginals = "burn"', (2, 13), 'must be one of "archive", "delete", "keep"'),
        ('prompt = "a"\nduplicates = 1', (2, 14), "must be text in quotes"),
        ('prompt = "a"\n[export]\nfps = 1', (2, 1), "must be a list"),
        ('prompt = "a"\nexport = ["mp4"]', (2, 11), "must be a table"),
        ('prompt = "a"\n[[export]]\nformat = "gif"', (3, 10), 'must be one of "mp4", "mov"'),
        ('prompt = "a"\n[[export]]\nresolution = "4K"', (3, 14), "above 1080p"),
        ('prompt = "a"\n[[export]]\nresolution = "1440p"', (3, 14), "above 1080p"),
        ('prompt = "a"\n[[export]]\nresolution = "2560x1080"', (3, 14), "above 1080p"),
        ('prompt = "a"\n[[export]]\nresolution = "999p"', (3, 14), "must be one of 360p"),
        ('prompt = "a"\n[[export]]\nresolution = 720', (3, 14), "must be text in quotes"),
        ('prompt = "a"\n[[export]]\nfps = 120', (3, 7), "between 1 and 60"),
        ('prompt = "a"\n[[export]]\nname = "a/b"', (3, 8), "without slashes"),
        ('prompt = "a"\n[[export]]\nname = "..\\\\a"', (3, 8), "without slashes"),
        ('prompt = "a"\n[[export]]\nname = ""', (3, 8), "is empty"),
        ('prompt = "a"\n[[export]]\nname = ".a"', (3, 8), "begin with a dot"),
        ('prompt = "a"\n[[export]]\nname = "a.mp4"', (3, 8), "without its ending"),
        ('prompt = "a"\nskill = "video-skil-online"', (2, 9), 'did you mean "video-skill-online"?'),
        ('prompt = "a"\nskill = "xyzzy"', (2, 9), "is not a skill that is known (valid here: ai-video-pro"),
        ('prompt = "a"\n[[export]]\ntitle = "x"', (3, 1), "write it above the first [[export]]"),
        ('[[clip]]\nfile = "a.mp4"', (1, 1), "can only be used in a file that is called project.toml"),
        ('url = "https://example.org/a.mp4"', (1, 1), "does not say what to do"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, place: tuple[int, int], said: str) -> None:
    error = _refused(text)
    assert error.code == "sidecar_invalid"
    assert (error.line, error.column) == place
    assert error.message.startswith(f"line {place[0]}, column {place[1]}: ")
    assert said in error.message


@pytest.mark.parametrize(
    "asset", ["../a.png", "a/../../b", "/etc/passwd", "~/a.png", "C:/a.png", "..\\a", "\\\\nas\\a"]
)
def test_an_asset_outside_the_inbox_has_a_code_of_its_own(asset: str) -> None:
    error = _refused(f"prompt = 'a'\nassets = ['b.png', '{asset}']")
    assert error.code == "asset_outside_inbox"
    assert (error.line, error.column) == (2, 20)


@pytest.mark.parametrize("asset", ["", ".", "a/", "https://example.org/a.png"])
def test_an_asset_must_name_a_file(asset: str) -> None:
    assert _refused(f'prompt = "a"\nassets = ["{asset}"]').code == "sidecar_invalid"


def test_all_mistakes_are_told_at_once_in_their_order() -> None:
    error = _refused('promt = "a"\nassets = ["../a"]\n[[export]]\nfps = 0\n')
    assert [part in error.message for part in ("line 1", "line 2", "line 4")] == [True, True, True]
    assert error.message.index("line 1") < error.message.index("line 2") < error.message.index("line 4")
    assert error.line == 1
    assert "fps = 30" in error.hint


def test_a_sidecar_may_only_be_gentler_with_the_originals() -> None:
    assert sidecar.gentler("delete", "archive") == "archive"
    assert sidecar.gentler("archive", "keep") == "keep"
    assert sidecar.gentler("archive", "delete") == "archive"
    assert sidecar.gentler("keep", "delete") == "keep"
    assert sidecar.gentler("delete", None) == "delete"


@given(st.binary(max_size=300), st.sampled_from(["clip.txt", "clip.toml"]))
def test_any_bytes_are_instructions_or_our_error(data: bytes, name: str) -> None:
    found: Instructions | SidecarError
    try:
        found = sidecar.parse(data, name, zone=UTC)
    except SidecarError as error:
        found = error
    if isinstance(found, SidecarError):
        assert found.message
        assert found.hint
    else:
        assert found.steps or found.exports


_KEYS = st.sampled_from([*sidecar.KEYS, "url", "clip", "fps", "name", "resolution"])
_TOML_VALUES = st.sampled_from(
    [
        '"a"',
        '""',
        "1",
        "-0.5",
        "nan",
        "true",
        "[]",
        '["a"]',
        "[[1]]",
        "{}",
        "{ fps = 1 }",
        '[{ name = "a" }]',
        "07:32:00",
    ]
)


@given(st.lists(st.tuples(_KEYS, _TOML_VALUES), max_size=6, unique_by=lambda pair: pair[0]))
def test_any_values_are_instructions_or_our_error(pairs: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in pairs)
    line = 1
    try:
        sidecar.parse(text.encode(), "clip.toml", zone=UTC)
    except SidecarError as error:
        line = error.line
    assert 1 <= line <= max(1, len(pairs))
