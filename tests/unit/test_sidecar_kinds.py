"""Sidecars that give work by themselves: an address, a batch, a text; and what is known of any of them. Pure."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch import sidecar, tomltext, urls
from nemo_watch.errors import SidecarError
from nemo_watch.model import BatchClip, Export, Instructions, TomlFacts

SECRET = "hunter2"


def _refused(text: str, name: str = "clip.toml") -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        sidecar.parse(text.encode(), name)
    assert caught.value.hint
    return caught.value


# ---------------------------------------------------------------- an address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"ftp://me:{SECRET}@example.org/a.mp4", "http:// or https://"),
        (f"file:///home/{SECRET}.mp4", "http:// or https://"),
        (f"me:{SECRET}@example.org/a.mp4", "http:// or https://"),
        (f"example.org/a.mp4?{SECRET}", "http:// or https://"),
        (f"https:///a.mp4?{SECRET}", "no host"),
        (f"https://me:{SECRET}@/a.mp4", "no host"),
        (f"https://me:{SECRET}@example.org:99999/a.mp4", "port"),
        (f"https://me:{SECRET}@example.org:0/a.mp4", "port"),
        (f"https://me@example.org:{SECRET}/a.mp4", "port"),
        (f"https://[{SECRET}/a.mp4", "no web address"),
        (f"https://example.org/a b.mp4?{SECRET}", "a blank"),
        (f"https://example.org/a\\u0007.mp4?{SECRET}", "control"),
        (f"https://example.org/a\\nb.mp4?{SECRET}", "control"),
        (f"https://example.org/?{SECRET}{'a' * 2000}", "2000"),
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(url: str, said: str) -> None:
    error = _refused(f'prompt = "cut"\nurl = "{url}"')
    assert (error.line, error.column) == (2, 7)
    assert said.replace("no web", "not a web") in error.message
    assert SECRET not in error.message + error.hint
    assert "https://example.org/clip.mp4" in error.hint


@pytest.mark.parametrize("name", ["_default.toml", "_DEFAULT.TOML", "clip.refine.toml"])
def test_an_address_needs_a_file_of_its_own(name: str) -> None:
    assert "of its own" in _refused('url = "https://example.org/a"\nprompt = "a"', name).message


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://example.org/a.mp4", "https://example.org/a.mp4"),
        (f"HTTPS://me:{SECRET}@Example.ORG:8443/a%20b.mp4?k={SECRET}#{SECRET}", "https://example.org:8443/a%20b.mp4"),
        (f"http://me@{SECRET}:x@[::1]:80/a", "http://[::1]:80/a"),
        (f"https://{SECRET}:{SECRET}/a", urls.UNREADABLE),
        (f"me:{SECRET}@example.org", urls.UNREADABLE),
        (f"ftp://me:{SECRET}@example.org/", urls.UNREADABLE),
        (f"https://[{SECRET}", urls.UNREADABLE),
        ("", urls.UNREADABLE),
        ("https://example.org/\u001b[31m\u202e\u2028a", "https://example.org/%1B[31m%E2%80%AE%E2%80%A8a"),
    ],
)
def test_what_is_told_of_an_address(url: str, told: str) -> None:
    assert urls.redacted(url) == told


@given(st.text(), st.text(alphabet="abc:/?#[]@%\\ 1"))
def test_of_any_address_something_safe_is_told(some: str, odd: str) -> None:
    for url in (some, f"https://me:{SECRET}@{odd}", f"https://x/?{some}"):
        told = urls.redacted(url)
        assert told.isprintable()
        assert "https://me:" not in told


# ---------------------------------------------------------------- a batch

BATCH = """\
language = "zh-CN"
skill = "video-skill-online"
assets = ["logo.png"]
priority = 3
title = "Summer"
originals = "keep"
duplicates = "process"

[[export]]
resolution = "720p"

[[clip]]
file = "./one.mp4"
prompt = "cut the pauses"
title = "One"
assets = ["_assets/a.mp3"]

[[clip.export]]
name = "teaser"

[[clip.export]]
format = "mov"

[[clip]]
file = "b/two.mov"
steps = ["trim it", "add music"]

[[clip]]
file = "three.mp4"
"""


def test_a_batch_is_its_clips_in_their_order() -> None:
    assert sidecar.parse(BATCH.encode(), "Project.TOML") == Instructions(
        steps=(),
        exports=(Export(resolution="720p"),),
        language="zh-CN",
        skill="video-skill-online",
        assets=("logo.png",),
        priority=3,
        title="Summer",
        originals="keep",
        duplicates="process",
        clips=(
            BatchClip(
                "one.mp4", ("cut the pauses",), (Export(name="teaser"), Export("mov")), ("_assets/a.mp3",), "One"
            ),
            BatchClip("b/two.mov", ("trim it", "add music")),
            BatchClip("three.mp4", ()),
        ),
    )


CLIP = '[[clip]]\nfile = "a.mp4"\nprompt = "a"\n'


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ('prompt = "a"\n' + CLIP, (1, 1), "cannot stand beside [[clip]]"),
        ('steps = ["a"]\n' + CLIP, (1, 1), "cannot stand beside [[clip]]"),
        ('url = "https://example.org"\n' + CLIP, (1, 1), "cannot stand beside [[clip]]"),
        (CLIP + '[[clip]]\nfile = "A.MP4"\nprompt = "b"', (5, 8), "the same file as line 2"),
        ('[[clip]]\nfile = "\u00e9.mp4"\nprompt = "a"\n[[clip]]\nfile = "e\u0301.mp4"\nprompt = "b"', (5, 8), "line 2"),
        ('[[clip]]\nprompt = "a"', (1, 1), 'names no "file"'),
        ('[[clip]]\nfile = "a.mp4"', (1, 1), "does not say what to do"),
        (CLIP + 'steps = ["b"]', (4, 1), 'both "prompt" and "steps"'),
        (CLIP + 'promt = "b"', (4, 1), 'did you mean "prompt"?'),
        (CLIP + "[[clip.export]]\nfsp = 3", (5, 1), 'did you mean "fps"?'),
        (CLIP + '[[clip.export]]\nresolution = "4k"', (5, 14), "above 1080p"),
        (CLIP + 'language = "en"', (4, 1), "write it above the first [[clip]]"),
        (CLIP + "priority = 1", (4, 1), "write it above the first [[clip]]"),
        ("clip = []", (1, 1), "is empty"),
        ("clip = 3", (1, 8), "must be a list"),
        ('clip = ["a.mp4"]', (1, 9), "must be a table"),
        ('[[clip]]\nfile = "a\\\\b.mp4"\nprompt = "a"', (2, 8), "written with /"),
        ('[[clip]]\nfile = 3\nprompt = "a"', (2, 8), "must be text in quotes"),
        ('[[clip]]\nfile = "b/"\nprompt = "a"', (2, 8), "must name a file"),
        ('[[clip]]\nfile = "https://example.org/a.mp4"\nprompt = "a"', (2, 8), "not an address"),
    ],
)
def test_a_mistake_in_a_batch_is_named_with_its_place(text: str, place: tuple[int, int], said: str) -> None:
    error = _refused(text, "project.toml")
    assert (error.code, error.line, error.column) == ("sidecar_invalid", *place)
    assert said in error.message


@pytest.mark.parametrize("file", ["../a.mp4", "/a.mp4", "b/../../a.mp4", "~/a.mp4", "C:/a.mp4", "..\\\\a.mp4"])
def test_a_clip_lies_in_the_folder_of_its_batch(file: str) -> None:
    error = _refused(f'[[clip]]\nfile = "{file}"\nprompt = "a"', "project.toml")
    assert (error.code, error.line, error.column) == ("asset_outside_inbox", 2, 8)


def test_a_batch_has_an_end() -> None:
    text = "".join(f'[[clip]]\nfile = "{number}.mp4"\nprompt = "a"\n' for number in range(201))
    assert "201 times; a batch has at most 200" in _refused(text, "project.toml").message
    assert len(sidecar.parse(text.rpartition("[[clip]]")[0].encode(), "project.toml").clips) == 200


# ---------------------------------------------------------------- what is known of any of them


@pytest.mark.parametrize(
    ("text", "name", "known"),
    [
        ('prompt = "a"\nassets = ["b.png"]', "clip.toml", TomlFacts(("b.png",))),
        ('prompt = "a"', "project.toml", TomlFacts()),
        ('prompt = "a"\nassets = ["b.png"]\nx = 1', "clip.toml", TomlFacts()),
        ("prompt", "clip.toml", TomlFacts()),
        ("cut it", "clip.txt", TomlFacts()),
        ('url = "https://example.org/a"\nprompt = "a"\nassets = ["b.png"]', "x.toml", TomlFacts(("b.png",), True)),
        ('url = "nonsense"\nprompt = "a"', "x.toml", TomlFacts(is_url=True)),
        ('prompt = cut it\nurl = "https://example.org/a"', "x.toml", TomlFacts(is_url=True)),
        ('url = "https://example.org/a"\nprompt = "a"', "_default.toml", TomlFacts()),
        ('url = "https://example.org/a"\nprompt = "a"', "x.refine.toml", TomlFacts()),
        (BATCH, "PROJECT.toml", TomlFacts(("logo.png", "_assets/a.mp3"), clips=("one.mp4", "b/two.mov", "three.mp4"))),
        (BATCH, "holiday.toml", TomlFacts()),
        (
            BATCH + "x = 1",
            "project.toml",
            TomlFacts(("logo.png", "_assets/a.mp3"), clips=("./one.mp4", "b/two.mov", "three.mp4")),
        ),
        (
            "[[clip]]\nfile = 'a.mp4'\npromt = 'cut'\n[[clip]]\nfile = 7",
            "project.toml",
            TomlFacts((), False, ("a.mp4",), True),
        ),
        ("[clip]\nfile = 'a.mp4'\nprompt = 'cut'", "project.toml", TomlFacts(clips=("a.mp4",))),
        ("clip = 3\nassets = 3", "project.toml", TomlFacts(clips=(), is_broken=True)),
        (BATCH + "x", "project.toml", TomlFacts(is_broken=True)),
        ('prompt = "a"\nurl = "https://example.org"\n' + CLIP, "project.toml", TomlFacts(clips=("a.mp4",))),
        ('clip = [{ file = "a.mp4" }]', "project.toml", TomlFacts(clips=("a.mp4",))),
        ('prompt = "about a [[clip]]"\nx = 1', "project.toml", TomlFacts()),
        ("x", "project.toml", TomlFacts()),
    ],
)
def test_what_is_known_of_a_file(text: str, name: str, known: TomlFacts) -> None:
    assert sidecar.facts(text.encode(), name) == known


def test_a_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = tomltext.parse

    def counted(text: str) -> tomltext.Document:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(tomltext, "parse", counted)
    for text in (BATCH, BATCH + "x = 1", BATCH + "x"):
        sidecar.facts(text.encode(), "project.toml")
    assert len(parsed) == 3


def test_a_batch_in_an_encoding_that_broke_off_is_broken() -> None:
    assert sidecar.facts(codecs.BOM_UTF16_LE + CLIP.encode("utf-16-le") + b"x", "project.toml").is_broken
    assert sidecar.facts(CLIP.encode() + b"\xff", "project.toml").is_broken
    assert sidecar.facts(CLIP.encode() + b"#" * sidecar.LIMIT_BYTES, "project.toml").is_broken


_LINES = st.lists(st.sampled_from([*BATCH.splitlines(), "url = 'https://a/'", "prompt = 'a'", "clip", "[[clip]] x"]))


@given(st.binary(max_size=200) | _LINES.map(lambda lines: "\n".join(lines).encode()), st.sampled_from(["p", "project"]))
def test_of_any_bytes_something_is_known(data: bytes, stem: str) -> None:
    known = sidecar.facts(data, f"{stem}.toml")
    assert not (known.is_url and (known.clips is not None or known.is_broken))


# ---------------------------------------------------------------- a text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b" a sunrise \r\n---\r\nover the sea\n", "a sunrise \n---\nover the sea"),
        (codecs.BOM_UTF8 + "\u79ef\u5206".encode(), "\u79ef\u5206"),
        (codecs.BOM_UTF16_BE + "credits".encode("utf-16-be"), "credits"),
        (b"one\rtwo", "one\ntwo"),
    ],
)
def test_a_text_is_whole(data: bytes, text: str) -> None:
    assert sidecar.parse_text(data) == text


@pytest.mark.parametrize("data", [b"", b" \n", "\u200b".encode(), b"\xff", b"a" * 65537])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(SidecarError) as caught:
        sidecar.parse_text(data)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", [CLIP, CLIP + "colour = 1\n", "[[clip]\n", "prompt = 1", "a." * 20_000 + "a = 1\n[[clip]]"]
)
def test_what_is_known_costs_one_reading(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    real = tomltext.parse
    monkeypatch.setattr(tomltext, "parse", lambda text: parsed.append(text) or real(text))
    assert sidecar.facts(text.encode(), "project.toml").is_broken is ("clip" in text and not text.startswith(CLIP))
    assert parsed == [text]
