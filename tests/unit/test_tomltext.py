"""Every key and value of a TOML text is found at the place where it really stands. Pure."""

from __future__ import annotations

import contextlib
import time
import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch import tomltext
from nemo_watch.tomltext import Place, TomlTextError

TEXT = '''\
# a comment with [brackets] = and "quotes"
prompt = """
[not_a_header]
steps = "neither"
"""
"a.b" = 1
c.d = [1, # [x]
  { e = 'f"', g = [] },
]

[table]  # one
key = 2030-01-31T22:00:00Z
[[export]]
fps = 1
[export.deep]
x = "]"
[[export]]
fps = 2
'''


def test_each_key_is_found_past_strings_comments_and_arrays() -> None:
    document = tomltext.parse(TEXT)
    assert document.key(("prompt",)) == Place(2, 1)
    assert document.value(("prompt",)) == Place(2, 10)
    assert document.key(("a.b",)) == Place(6, 1)
    assert document.key(("c", "d")) == Place(7, 1)
    assert document.value(("c", "d", 0)) == Place(7, 8)
    assert document.key(("c", "d", 1, "g")) == Place(8, 15)
    assert document.key(("table",)) == Place(11, 1)
    assert document.value(("table", "key")) == Place(12, 7)
    assert document.key(("export", 0, "fps")) == Place(14, 1)
    assert document.key(("export", 0, "deep", "x")) == Place(16, 1)
    assert document.value(("export", 1, "fps")) == Place(18, 7)


def test_what_stands_nowhere_is_pointed_to_by_what_is_around_it() -> None:
    document = tomltext.parse(TEXT)
    assert document.key(("export", 1, "missing")) == Place(17, 1)
    assert document.key(("missing", "entirely")) == Place()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("prompt = cut the pauses", Place(1, 10)),
        ('a = 1\r\nb = "open\r\n', Place(2, 10)),
        ("a = 1\na = 2\n", Place(2, 6)),
        ("a = [1,\n2", Place(2, 2)),
        ("a = " + "[" * 5000, Place(1, 1)),
        ("a = " + "1" * 5000, Place(1, 1)),
    ],
)
def test_what_is_not_toml_is_refused_with_its_place(text: str, place: Place) -> None:
    with pytest.raises(TomlTextError) as caught:
        tomltext.parse(text)
    assert caught.value.place == place
    assert "(at " not in caught.value.message


DEEP = ".".join("a" * 20_000)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{DEEP} = 1", Place(1, 1)),
        (f"b = 1\r\n  {DEEP} = 1", Place(2, 3)),
        (f"b = 1\n[{DEEP}]", Place(2, 2)),
        (f"[[ {DEEP} ]]", Place(1, 4)),
        (f"x = {{{DEEP} = 1}}", Place(1, 6)),
        (f"x = [1, [{{b = 1, {DEEP} = 1}}]]", Place(1, 18)),
        (" . ".join(['"a.\\"b"', "'c.d'"] * 4000) + " = 1", Place(1, 1)),
        (f'x = """{DEEP} = 1"""\n# {DEEP} = 1\ny = "{DEEP} = 1"\n{DEEP} = 1', Place(4, 1)),
        (f"x = '''\"'''\n{DEEP} = 1", Place(2, 1)),
        ("[a.a.a.a.a.a.a.a]\nb.b.b.b.b.b.b.b = 1\nc.c.c.c.c.c.c.c.c = 1", Place(3, 1)),
        ("x = " + "{a = " * 8000, Place(1, 81)),
        ("x = " + "[{a = " * 8000, Place(1, 97)),
        (f"{DEEP} = [", Place(1, 1)),
    ],
)
def test_keys_that_are_nested_deeply_are_refused_at_once(text: str, place: Place) -> None:
    began = time.process_time()
    with pytest.raises(TomlTextError) as caught:
        tomltext.parse(text)
    assert (caught.value.place, caught.value.message) == (place, "keys are nested deeper than 16 here")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        f'a = "{DEEP} = 1" # {DEEP} = 1',
        f"a = \"\"\"\n{DEEP} = 1\"\"\"\nb = '''{DEEP} = 1'''",
        ".".join("a" * 16) + " = 1",
        ".".join("a" * 14) + " = [{a = 1}, {a.b = 1}]\nb = {c = 1}\n[b2.c.d]\ne = {}",
        "\n".join(f"[t{n}]\na = {{b = [{{c = 1}}]}}" for n in range(100)),
        '"' + DEEP + '" = 1',
    ],
)
def test_what_is_not_nested_deeply_is_read(text: str) -> None:
    assert tomltext.parse(text).values == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        '"' * 60_000,
        '"""' + '\\"' * 30_000,
        "'''\n" * 15_001,
        "a " * 30_000,
        "a . " * 15_000,
        '"a" ' * 15_000,
        "[" * 60_000,
        " " * 60_000,
        "a.\n" * 20_000,
        "a = {" + "b = 1, " * 8000,
        '""' + '"\n""' * 15_000,
    ],
)
def test_a_text_without_sense_is_refused_at_once(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(TomlTextError):
        tomltext.parse(text)
    assert time.process_time() - began < 1


_SCALARS = st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.text(max_size=8), st.floats(allow_nan=False))
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


@given(st.dictionaries(st.text(max_size=5), _VALUES, max_size=4), st.booleans())
def test_nothing_that_can_be_written_is_overlooked(values: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(values, multiline_strings=multiline)
    document = tomltext.parse(text)
    assert document.values == tomllib.loads(text)
    lines = text.split("\n")
    for path in _paths(document.values):
        assert path in document.keys, path
        place = document.key(path)
        here = lines[place.line - 1][place.column - 1 :]
        if isinstance(path[-1], str) and not here.startswith("["):
            written = here.split("=")[0].strip() if "=" not in path[-1] else ""
            assert not written or written.strip('"') == path[-1] or "\\" in written or '"' in path[-1]


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_our_error(text: str) -> None:
    line = 1
    try:
        tomltext.parse(text)
    except TomlTextError as error:
        line = error.place.line
    assert 1 <= line <= text.count("\n") + 1


def test_the_nearest_word() -> None:
    assert tomltext.nearest("promt", ["prompt", "steps"]) == "prompt"
    assert tomltext.nearest("Not-Before", ["not_before", "title"]) == "not_before"
    assert tomltext.nearest("xyzzy", ["prompt", "steps"]) == ""
    assert tomltext.did_you_mean("xyzzy", ["prompt", "steps"]) == "valid here: prompt, steps."
