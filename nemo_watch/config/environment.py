"""Options from the environment: NEMO_WATCH_SECTION__KEY for any key, and the two addresses by their own names. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from nemo_watch import tomltext
from nemo_watch.config.options import Options
from nemo_watch.tomltext import Path

_PREFIX = "NEMO_WATCH_"
_ADDRESSES: dict[str, Path] = {"NEMO_API_URL": ("backend", "url"), "NEMO_WEB_URL": ("backend", "web_url")}
_NUMBERED = re.compile(r"INBOX__(\d{1,3})__(.+)")


class Note(Protocol):
    """Where to tell which option came from which variable, and what is wrong with a variable."""

    def __call__(self, path: Path | None, name: str, problem: str = "") -> None: ...


def apply_environment(values: dict[str, Any], env: Mapping[str, str], note: Note) -> dict[str, Any]:
    """Lay the environment over the file's values, in place. The variable that names the key exactly wins."""
    for name, path in _ADDRESSES.items():
        if env.get(name):
            _put(values, path, env[name], name, note)
    for name in sorted(env, key=_in_order):
        if name.startswith(_PREFIX):
            _apply(values, name, env[name], note)
    return values


def _in_order(name: str) -> tuple[str, int, str]:
    """Inbox 2 before inbox 10, so that each new one finds the one before it."""
    found = _NUMBERED.fullmatch(name.removeprefix(_PREFIX))
    return ("INBOX", int(found[1]), found[2]) if found else (name, 0, "")


def _apply(values: dict[str, Any], name: str, text: str, note: Note) -> None:
    rest = name.removeprefix(_PREFIX)
    if rest == "CONFIG":
        return
    found = _NUMBERED.fullmatch(rest)
    known = dict(_known(int(found[1]) if found else 0))
    if rest in known:
        _put(values, known[rest], _value(text, known[rest]), name, note)
    elif rest.endswith(("__TOKEN", "__PASSWORD", "__SECRET", "__API_KEY")):
        note(None, name, "a token is given as NEMO_TOKEN, or as a file named by NEMO_WATCH_BACKEND__TOKEN_FILE.")
    elif "__" in rest or _single(rest) in {_single(each) for each in known}:
        near = tomltext.nearest(rest, known)
        hint = f"did you mean {_PREFIX}{near}?" if near else "it names no key of the config"
        note(None, name, f"there is no such option ({hint}).")


def _known(number: int) -> Iterator[tuple[str, Path]]:
    """Every variable there can be, with the way to its option; `number` is the inbox that is meant."""
    for section, field in Options.model_fields.items():
        default = field.default
        many = isinstance(default, tuple)
        way: Path = (section, number) if many else (section,)
        for key in type(default[0] if many else default).model_fields:
            yield "__".join(str(part) for part in (*way, key)).upper(), (*way, key)


def _single(name: str) -> str:
    return name.replace("__", "_")


def _value(text: str, path: Path) -> object:
    """Read a variable as a TOML value if it is one, else as text; where an option is text, it is text at once."""
    section = Options.model_fields[str(path[0])].default
    default = type(section[0] if isinstance(section, tuple) else section).model_fields[str(path[-1])].default
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    if list(parsed) != ["value"] or (isinstance(default, str) and not isinstance(parsed["value"], str)):
        return text
    return parsed["value"]


def _put(values: dict[str, Any], path: Path, value: object, name: str, note: Note) -> None:
    section = path[0]
    if len(path) == 2:
        table = values.setdefault(str(section), {})
    else:
        tables = values.get(str(section), [])
        number = int(path[1])
        if isinstance(tables, list) and number > len(tables):
            note(None, name, f"there are only {len(tables)} inboxes before this one: number them from 0 without gaps.")
            return
        if isinstance(tables, list) and number == len(tables):
            tables = values[str(section)] = [*tables, {}]
        table = tables[number] if isinstance(tables, list) else None
    if isinstance(table, dict):  # anything else is the file's mistake and is told as such
        table[str(path[-1])] = value
        note(path, name)
