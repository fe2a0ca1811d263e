"""The options themselves: every key with its type, default and the sentence that explains it. Pure.

The descriptions are the comments of config.example.toml, which is generated from here.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nemo_watch.config.hours import parse_hours
from nemo_watch.model import Duplicates, Originals

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*")
_LONGEST_S = 10 * 365 * 86400.0
SESSION_CREDITS = 50
GENERATION_CREDITS = 100
"""About what one editing session costs. Source: contract.md 7."""
_LANGUAGE = r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*$"


def seconds(value: object) -> float:
    """Read a duration: text like "30s", "1h30m", "250ms", or a number of seconds.

    Units: seconds
    Raises: ValueError with words that follow the key's name.
    """
    found = _counted(value)
    if found is None:
        raise ValueError('must be a duration like "30s", "5m" or "1h30m", or a number of seconds')
    if not 0 <= found <= _LONGEST_S:  # "not a number" is not between them either
        raise ValueError("must be a duration between 0 and ten years")
    return found


def _counted(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str):
        return float(max(-_LONGEST_S * 2, min(value, _LONGEST_S * 2)) if isinstance(value, int) else value)
    text = value.strip().casefold()
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return float(text)
    pieces = _PIECE.findall(text)
    if not pieces or _PIECE.sub("", text):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in pieces)


def _longer_than_zero(value: object) -> float:
    found = seconds(value)
    if found < 0.01:
        raise ValueError('must be longer than zero, for example "30s"')
    return found


def _settle(value: object) -> float | str:
    return "auto" if value == "auto" else seconds(value)


def _tuple(value: object) -> object:
    """TOML knows arrays; a frozen option holds a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _url(value: object) -> object:
    """Refuse an address that would carry the token in the clear, or that holds a secret itself; never repeat it."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("is not an address like https://example.org") from error
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s\x00-\x1f]", value):
        raise ValueError("is not an address like https://example.org")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("must be a bare address without user, password, ? or #")
    if parts.scheme == "http" and not _loopback(host):
        raise ValueError("must begin with https://, because the token goes with every call")
    return value.rstrip("/")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _backend_url(value: object) -> object:
    return value if value == "sandbox" else _url(value)


def _path(value: object) -> object:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("holds a zero character, which no path may")
    return value


def _hours(value: object) -> object:
    if isinstance(value, str):
        parse_hours(value)
    return value


def _budget(value: object) -> object:
    if isinstance(value, int) and 0 < value < SESSION_CREDITS:
        raise ValueError(f"would let nothing begin: one session costs about {SESSION_CREDITS} credits, 0 is no limit")
    return value


def _name(value: object) -> object:
    if isinstance(value, str) and (not value.strip() or value != value.strip() or not value.isprintable()):
        raise ValueError("must be a short name on one line")
    return value


Seconds = Annotated[float, BeforeValidator(seconds)]
"""A duration in the file, float seconds in the program."""
Interval = Annotated[float, BeforeValidator(_longer_than_zero)]
Settle = Annotated[float | Literal["auto"], BeforeValidator(_settle)]
PathText = Annotated[str, BeforeValidator(_path)]
Globs = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_tuple)]


class Section(BaseModel):
    """A table of the file: nothing is converted silently, nothing unknown is let through."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Backend(Section):
    """Where the editing happens."""

    url: Annotated[str, BeforeValidator(_backend_url)] = Field(
        default="https://mega-api-prod.nemovideo.ai",
        description='The editing service; "sandbox" is the embedded one, which needs no account. NEMO_API_URL '
        "overrides it.",
    )
    web_url: Annotated[str, BeforeValidator(_url)] = Field(
        default="https://nemovideo.com",
        description="The service's pages for people, for links in reports. NEMO_WEB_URL overrides it.",
    )
    token_file: PathText = Field(
        default="",
        description="A file that holds only the token; it is read again when it changes. The token itself never "
        'stands here: without a file it comes from NEMO_TOKEN or a systemd credential. "": an anonymous account.',
    )
    render_poll: Interval = Field(default=30.0, description="How often a running export is asked for.")
    give_up_after: Interval = Field(
        default=86400.0, description="How long a job goes on trying when the service or the network fails."
    )


class State(Section):
    """Where the program keeps what it must remember."""

    path: PathText = Field(
        default="",
        description='The state folder, never on a network file system. "": $STATE_DIRECTORY, else '
        "$XDG_STATE_HOME/nemo-watch (~/.local/state/nemo-watch).",
    )
    spool: PathText = Field(
        default="", description='Where results are downloaded to. "": the folder spool inside the state folder.'
    )


class Queue(Section):
    """How much is done at once."""

    workers: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Uploads, edits and downloads at once; waiting for an export takes none.",
    )
    hours: Annotated[str, BeforeValidator(_hours)] = Field(
        default="",
        description='"22:00-06:00": paid work starts only then, by the local clock; what has begun goes on. "": at any '
        "time.",
    )
    stop_wait: Seconds = Field(default=120.0, description="How long stopping waits for a paid call in flight.")


class Budget(Section):
    """How much may be spent."""

    credits_per_day: Annotated[int, BeforeValidator(_budget)] = Field(
        default=0,
        ge=0,
        le=10**9,
        description="So many credits a day, counted by how the account's balance falls from one local midnight to the "
        "next, whoever spends them; each session under way counts as 50. Above it new work is held until midnight. "
        "0: no limit.",
    )


class Inbox(Section):
    """A watched folder; repeat the section for more of them."""

    name: Annotated[str, BeforeValidator(_name)] = Field(
        default="videos", max_length=64, description="How messages and commands call this inbox; unique."
    )
    path: Annotated[PathText, Field(min_length=1)] = Field(
        default="~/nemo-watch/inbox",
        description="The folder to drop videos into. A path may begin with ~; one that is not absolute is relative "
        "to the folder of this file.",
    )
    outbox: PathText = Field(
        default="",
        description='Where results go. "": the folder outbox beside the inbox. If the inbox is itself a mount point, '
        "outbox, rejects and archive must be named.",
    )
    rejects: PathText = Field(
        default="", description='Where a file goes that failed, with its error report. "": rejects beside the inbox.'
    )
    archive: PathText = Field(
        default="", description='Where an original goes when its job is done. "": archive beside the inbox.'
    )
    instruction: str = Field(
        default="",
        description='For clips without a sidecar, for example "cut the pauses and add background music". "": such '
        "a clip waits for its sidecar.",
    )
    skill: Annotated[str, BeforeValidator(_name)] = Field(
        default="ai-video-pro-online",
        description="The attribution profile: one that `nemo-watch skills` lists, or the path of a SKILL.md.",
    )
    language: str = Field(
        default="en",
        pattern=_LANGUAGE,
        description='The language of the editing session: "en", "zh-CN", ...',
    )
    accept: Literal["video", "all"] = Field(
        default="video",
        description='"video": images and sound are drops only with a sidecar of their own; "all": always.',
    )
    recursive: bool = Field(default=True, description="Watch the folders below, too.")
    settle: Settle = Field(
        default="auto",
        description='How long a file must be quiet. "auto": 2 s after it was closed or renamed, 10 s without that '
        "sign, 30 s and three polls where it is polled; a duration is a lower bound.",
    )
    sidecar_wait: Seconds = Field(
        default=30.0, description="How long a clip waits for its sidecar before the default instruction counts."
    )
    watch: Literal["auto", "native", "polling"] = Field(
        default="auto",
        description='"native": the kernel tells of changes (inotify); "polling": the folder is listed again and again; '
        '"auto": by the type of its file system, as network shares and FUSE tell nothing of what others change there.',
    )
    poll: Interval = Field(
        default=5.0,
        description="How often a polled folder is listed; while nothing happens there, it is listed less and "
        "less often, down to every six polls or every rescan, whichever comes first.",
    )
    rescan: Interval = Field(
        default=60.0, description="How often the folder is gone through for what no event told; events may get lost."
    )
    originals: Originals = Field(
        default="archive", description='What happens to an original that is done: "archive", "delete" or "keep".'
    )
    duplicates: Duplicates = Field(
        default="reuse",
        description='The same clip with the same instruction again: "reuse" the result, "process" it anew (paid '
        'again) or "reject" it.',
    )
    ignore: Globs = Field(
        default=(), description='More names to leave alone beside the built-in ones, as globs: ["*.bak", "old/*"].'
    )


class Sandbox(Section):
    """The embedded backend, used when [backend] url is "sandbox"."""

    credits: int = Field(default=10000, ge=0, le=10**9, description="With how many credits an account begins.")
    fonts_dir: PathText = Field(
        default="",
        description='More fonts for titles and captions, as for Chinese. "": the bundled one and the system\'s.',
    )
    speech_model: PathText = Field(
        default="",
        description="A folder with a CTranslate2 Whisper model, to recognise speech for captions with. "
        '"": the English one of nemo-watch[captions], if that is installed.',
    )


class Options(Section):
    """The whole file as it is written."""

    backend: Backend = Backend()
    state: State = State()
    queue: Queue = Queue()
    budget: Budget = Budget()
    inbox: Annotated[tuple[Inbox, ...], BeforeValidator(_tuple), Field(min_length=1)] = (Inbox(),)
    sandbox: Sandbox = Sandbox()


@dataclass(frozen=True, slots=True)
class Config:
    """The options with every path absolute and every default filled in.

    `source` is the file they came from, None if there was none. `unnamed` are the (inbox name, key) pairs of outbox,
    rejects and archive folders that were not named and so lie beside their inbox.
    """

    backend: Backend
    state: State
    queue: Queue
    budget: Budget
    inboxes: tuple[Inbox, ...]
    sandbox: Sandbox
    source: str | None = None
    unnamed: frozenset[tuple[str, str]] = frozenset()
