"""From a file and the environment to a Config, or to a list of everything that is wrong with them.

Touches: the config file, read once; the user database where a path begins with `~name`.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nemo_watch import tomltext
from nemo_watch.config.environment import apply_environment
from nemo_watch.config.example import toml_value
from nemo_watch.config.layout import TARGETS, overlaps
from nemo_watch.config.options import Config, Inbox, Options, Section
from nemo_watch.errors import ConfigError
from nemo_watch.tomltext import Document, Path

_SYSTEM_FILE = "/etc/nemo-watch/config.toml"
_SECRETS = ("token", "password", "secret", "api_key", "key")
_PATH_KEYS = {"path", "spool", "name", *TARGETS}
_TYPES = {
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "tuple_type": "must be a list in square brackets",
    "model_type": "must be a section of its own",
    "too_short": "must be there at least once",
    "string_too_short": "must not be empty",
}


def load(path: str | None, env: Mapping[str, str]) -> Config:
    """Read the config from where it lies; no file at all is fine and means the defaults.

    Raises: ConfigError with every problem, each a sentence with its line or variable.
    Effects: reads one file.
    Repeat: safe
    """
    source = find(path, env)
    return build(_text(source) if source else "", env, base=os.path.dirname(source or "") or os.getcwd(), source=source)


def find(path: str | None, env: Mapping[str, str]) -> str | None:
    """Say which file counts: the one asked for, which must exist, or the first of the usual places that does.

    Raises: ConfigError if a file that was asked for is not there.
    """
    for asked, how in ((path, "--config"), (env.get("NEMO_WATCH_CONFIG"), "NEMO_WATCH_CONFIG")):
        if asked:
            full = os.path.abspath(_expanded(asked, os.getcwd(), env))
            if not os.path.exists(full):
                raise ConfigError(
                    f"the config file {full} (from {how}) does not exist.",
                    hint="Name another one, or write one with: nemo-watch init",
                )
            return full
    home = _xdg(env, "XDG_CONFIG_HOME", ".config")
    return next((each for each in (f"{home}/nemo-watch/config.toml", _SYSTEM_FILE) if os.path.exists(each)), None)


def build(text: str, env: Mapping[str, str], *, base: str, source: str | None = None) -> Config:
    """Make a Config of a file's text; relative paths in it are relative to `base`.

    Raises: ConfigError with every problem.
    """
    try:
        document = tomltext.parse(text)
    except tomltext.TomlTextError as error:
        place = error.place
        raise _failure(source, [f"line {place.line}, column {place.column}: {error.message}."]) from error
    findings = _Findings(document)
    values = apply_environment(copy.deepcopy(document.values), env, findings.variable)
    options = _validated(values, findings)
    if options is not None:
        config = _resolved(options, base, env, source, findings)
        if config is not None and not findings.about_paths:
            for overlap in overlaps(config, os.path.normpath):
                findings.add(overlap.key, overlap.sentence)
        if config is not None and not findings.found:
            return config
    raise _failure(source, findings.sentences())


def _failure(source: str | None, problems: list[str]) -> ConfigError:
    where = f"the config file {source}" if source else "the config"
    what = f"{where} has {len(problems)} problems." if len(problems) > 1 else f"{where}: {problems[0]}"
    return ConfigError(what, problems=tuple(problems), hint="Mend it; config.example.toml shows every key.")


def _text(source: str) -> str:
    try:
        with open(source, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ConfigError(
            f"the config file {source} cannot be read: {error.strerror}.",
            hint="Look at its owner and rights, or name another file with --config.",
        ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _failure(source, [f"line {line}: the byte at offset {error.start} is not UTF-8 text."]) from error


# ---------------------------------------------------------------- problems


@dataclass
class _Findings:
    """What was found wrong so far, and where to point for it."""

    document: Document
    variables: dict[Path, str] = field(default_factory=dict)
    found: list[tuple[int, str]] = field(default_factory=list)
    about_paths: bool = False

    def variable(self, path: Path | None, name: str, problem: str = "") -> None:
        """Note that an option came from the environment, or that the variable itself is wrong."""
        if path is not None:
            self.variables[path] = name
        if problem:
            self.found.append((0, f"{name}: {problem}"))

    def add(self, path: Path, sentence: str) -> None:
        if path and path[-1] in _PATH_KEYS:
            self.about_paths = True
        if path in self.variables:
            self.found.append((0, f"{self.variables[path]}: {sentence}"))
            return
        line = self.document.key(path).line
        self.found.append((line, f"line {line}: {sentence}" if line else sentence))

    def sentences(self) -> list[str]:
        return list(dict.fromkeys(sentence for _, sentence in sorted(self.found, key=lambda each: each[0])))


def _validated(values: dict[str, Any], findings: _Findings) -> Options | None:
    """Check the values; with wrong ones left out go on, so that what is left can be checked against itself."""
    try:
        return Options.model_validate(values)
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_input=False)
    for error in errors:
        findings.add(_place(error), _sentence(error))
    for error in reversed(errors):
        _without(values, _place(error))
    try:
        return Options.model_validate(values)
    except ValidationError:
        return None


def _without(values: Any, path: Path) -> None:
    for part in path[:-1]:
        try:
            values = values[part]
        except (LookupError, TypeError):
            return
    if isinstance(values, dict):
        values.pop(path[-1], None)


def _place(error: ErrorDetails) -> Path:
    """The way to the value that is wrong, without the branches of a union that pydantic appends."""
    path = error["loc"]
    return path[: 3 if path[:1] == ("inbox",) else 2]


def _sentence(error: ErrorDetails) -> str:
    path = _place(error)
    key, table = str(path[-1]), path[:-1]
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown(path)
    if path == ("inbox",) and kind in {"tuple_type", "model_type"}:
        return "an inbox is written with two brackets: [[inbox]]."
    if len(path) == 1 or isinstance(path[-1], int):
        return f"{_header(path)} {_TYPES.get(kind, error['msg'])}."
    context = error.get("ctx") or {}
    if kind == "value_error":
        return f'"{key}" in {_header(table)} {context["error"]}.'
    if kind == "literal_error":
        return f'"{key}" in {_header(table)} must be one of {str(context["expected"]).replace(chr(39), chr(34))}.'
    if kind == "string_pattern_mismatch":
        return f'"{key}" in {_header(table)} must look like {_example(path)}.'
    if kind == "too_short":
        return f'"{key}" in {_header(table)} must not be empty.'
    if kind in _TYPES:
        return f'"{key}" in {_header(table)} {_TYPES[kind]}, for example {key} = {_example(path)}.'
    return f'"{key}" in {_header(table)}: {error["msg"].lower()}, for example {key} = {_example(path)}.'


def _unknown(path: Path) -> str:
    key = str(path[-1])
    if len(path) == 1:
        names = list(Options.model_fields)
        homes = [_header((name,)) for name, section in _sections() if key in section.model_fields]
        hint = f"it belongs into {' or '.join(homes)}" if homes else tomltext.did_you_mean(key, names).rstrip(".")
        return f'"{key}" is not a section of the config ({hint}).'
    if key.casefold() in _SECRETS:
        return (
            f'"{key}": a token never stands in the config. Put it into a file of its own and name that in token_file, '
            "or give it as NEMO_TOKEN or as a systemd credential."
        )
    section = dict(_sections())[str(path[0])]
    hint = tomltext.did_you_mean(key, list(section.model_fields)).rstrip(".")
    return f'"{key}" is not a key of {_header(path[:-1])} ({hint}).'


def _sections() -> Iterator[tuple[str, type[Section]]]:
    for name, section in Options.model_fields.items():
        default = section.default
        yield name, type(default[0] if isinstance(default, tuple) else default)


def _header(path: Path) -> str:
    return f"[[{path[0]}]]" if path[0] == "inbox" else f"[{path[0]}]"


def _example(path: Path) -> str:
    default = dict(_sections())[str(path[0])].model_fields[str(path[-1])].default
    return '["*.bak"]' if default == () else toml_value(default)


# ---------------------------------------------------------------- paths and defaults


def _resolved(
    options: Options, base: str, env: Mapping[str, str], source: str | None, findings: _Findings
) -> Config | None:
    def full(path: str, key: Path) -> str:
        expanded = _expanded(path, base, env)
        if not expanded.startswith("/"):
            findings.add(key, f'the home folder in "{path}" is not known here.')
        return os.path.normpath("/" + expanded.lstrip("/"))

    inboxes: list[Inbox] = []
    unnamed: set[tuple[str, str]] = set()
    for number, inbox in enumerate(options.inbox):
        path = full(inbox.path, ("inbox", number, "path"))
        beside = {"path": path}
        for key in TARGETS:
            named: str = getattr(inbox, key)
            if not named:
                unnamed.add((inbox.name, key))
            beside[key] = full(named, ("inbox", number, key)) if named else f"{os.path.dirname(path).rstrip('/')}/{key}"
        inboxes.append(inbox.model_copy(update=beside))

    first_state = env.get("STATE_DIRECTORY", "").split(":")[0]
    default_state = first_state or f"{_xdg(env, 'XDG_STATE_HOME', '.local/state')}/nemo-watch"
    state_path = full(options.state.path or default_state, ("state", "path"))
    spool = full(options.state.spool, ("state", "spool")) if options.state.spool else f"{state_path}/spool"
    token_file = options.backend.token_file
    folders = {key: getattr(options.sandbox, key) for key in ("fonts_dir", "speech_model")}
    return Config(
        backend=options.backend.model_copy(
            update={"token_file": full(token_file, ("backend", "token_file")) if token_file else ""}
        ),
        state=options.state.model_copy(update={"path": state_path, "spool": spool}),
        queue=options.queue,
        budget=options.budget,
        inboxes=tuple(inboxes),
        sandbox=options.sandbox.model_copy(
            update={key: full(path, ("sandbox", key)) if path else "" for key, path in folders.items()}
        ),
        source=source,
        unnamed=frozenset(unnamed),
    )


def _home(env: Mapping[str, str]) -> str:
    home = env.get("HOME", "")
    return home if home.startswith("/") else os.path.expanduser("~")


def _xdg(env: Mapping[str, str], variable: str, below_home: str) -> str:
    """Read a folder of the XDG base directories; a value that is not absolute is to be ignored (XDG 0.8)."""
    said = env.get(variable, "")
    return said.rstrip("/") if said.startswith("/") else f"{_home(env).rstrip('/')}/{below_home}"


def _expanded(path: str, base: str, env: Mapping[str, str]) -> str:
    if path == "~" or path.startswith("~/"):
        return _home(env).rstrip("/") + path[1:]
    if path.startswith("~"):
        return os.path.expanduser(path)
    return os.path.join(base, path)
