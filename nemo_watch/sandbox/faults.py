"""Scripted faults: which requests the sandbox spoils, how, and how often. Pure."""

from __future__ import annotations

import math
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args

from nemo_watch.errors import OperatorError
from nemo_watch.sandbox.wire import Heartbeat

Endpoint = Literal[
    "token", "claim", "balance", "session", "state", "upload", "run_sse", "render", "poll", "cancel", "download", "cdn"
]
"""`download` is the fallback at the API, `cdn` the other host."""

Do = Literal[
    "answer",  # an error in place of everything, before anything happened
    "cut",  # the connection ends before anything happened
    "lose",  # everything happens, then the connection ends without a byte
    "delay",  # everything happens, later
    "mask",  # everything happens, then an error is answered in its place
    "break_stream",  # the connection ends after some events; the turn goes on
    "heartbeats",  # nothing but heartbeats, until the client leaves; the turn goes on
    "beats",  # a heartbeat before every event
    "json",  # the turn is worked on to its end, then told as one JSON answer in place of a stream
    "again",  # every event comes twice
    "trail",  # after the last event come more
    "silent",  # the edit is made, and nothing is said of it
    "noise",  # after the reply comes a sentence about a temporary issue
    "screen",  # the reply talks of buttons and panels
    "talk",  # something is said, and nothing is edited
    "fail_turn",  # the turn ends with an error inside the stream, and nothing is edited
    "fail_model",  # the turn ends well after an error of the model, and nothing is edited
    "stages",  # the draft changes, and changes once more some time later
    "two_stage",  # what was asked for is there and told of, some time later music is added and told of, in one turn
    "late",  # the message is taken, the work on it begins some time later
    "afterwards",  # something is said and the stream ends well, the edit is made some time later
    "existing",  # an id that was used before gets the render it named, not an error
    "fail_render",  # taken, then failed
    "stick",  # taken, and never finished
    "slow",  # progress is told for some time, then the work begins
    "forget",  # the render is not known any more
    "no_url",  # finished, and no address is told
    "truncate",  # the connection ends in the middle of the file
    "corrupt",  # as long as it should be, and damaged
    "no_ranges",  # the whole file, whatever part was asked for
    "address",  # JSON with the address of the file
    "redirect",  # the client is sent to the address of the file
]

Form = Literal[Heartbeat, "every"]

_ANYWHERE = frozenset({"answer", "cut", "lose", "delay", "mask"})
_ONLY: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            *("break_stream", "heartbeats", "beats", "json", "again", "trail", "silent", "noise", "screen", "talk"),
            *("fail_turn", "fail_model", "stages", "two_stage", "late", "afterwards"),
        ),
        frozenset({"run_sse"}),
    ),
    **dict.fromkeys(("existing", "fail_render", "stick", "slow"), frozenset({"render"})),
    **dict.fromkeys(("forget", "no_url"), frozenset({"poll"})),
    **dict.fromkeys(("truncate", "corrupt", "no_ranges"), frozenset({"download", "cdn"})),
    **dict.fromkeys(("address", "redirect"), frozenset({"download"})),
}

_PATHS: tuple[tuple[Endpoint, str, re.Pattern[str]], ...] = (
    ("token", "POST", re.compile(r"/api/auth/anonymous-token")),
    ("claim", "POST", re.compile(r"/api/auth/claim-token")),
    ("balance", "GET", re.compile(r"/api/credits/balance/simple")),
    ("session", "POST", re.compile(r"/api/tasks/.*")),
    ("state", "GET", re.compile(r"/api/state/.*")),
    ("upload", "POST", re.compile(r"/api/upload-video/.*")),
    ("run_sse", "POST", re.compile(r"/run_sse")),
    ("render", "POST", re.compile(r"/api/render/proxy/(lambda|draft)")),
    ("cancel", "POST", re.compile(r"/api/render/proxy/lambda/[^/]+/cancel")),
    ("download", "GET", re.compile(r"/api/render/proxy/[^/]+/download")),
    ("poll", "GET", re.compile(r"/api/render/proxy/.+")),
    ("cdn", "GET", re.compile(r"/v/.*")),
)


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """Name what a request is for, None if it is for nothing that is known."""
    return next((name for name, verb, shape in _PATHS if verb == method and shape.fullmatch(path)), None)


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the script: spoil requests to `on`, from the one after the first `after`, `times` of them (0: all).

    `rate` is the share of the requests in its turn that are spoiled, chosen by the seed. `code` (0: 500), `status` (0:
    what the profile has for that code), `message` and `retry_after` (seconds) are for "answer" and "mask"; with `page`
    it is a proxy's HTML page. `message` is also what is said where nothing else is; `code` stands beside it in
    "fail_turn" and "fail_model" unless it is 0. `seconds` are of the sandbox's clock; `events` is how many are told
    before the stream breaks, `share` how much of a file comes before the end, `form` how "heartbeats" and "beats" are
    written ("every": in every form in turn).
    """

    on: Endpoint
    do: Do
    times: int = 1
    after: int = 0
    rate: float = 1.0
    code: int = 0
    status: int = 0
    message: str = "A fault of the script."
    retry_after: float = 0.0
    page: bool = False
    seconds: float = 0.0
    events: int = 1
    share: float = 0.5
    form: Form = "json"

    def __post_init__(self) -> None:
        """Refuse what could never happen. Raises: ValueError."""
        if self.do not in _ANYWHERE and self.on not in _ONLY[self.do]:
            raise ValueError(f'"{self.do}" can only be done on {" or ".join(sorted(_ONLY[self.do]))}, not on {self.on}')
        if min(self.times, self.after, self.seconds, self.events, self.retry_after) < 0:
            raise ValueError("no number may be below 0")
        if self.status and not 200 <= self.status <= 599:
            raise ValueError("status is one of HTTP, 200 to 599")
        if not all(map(math.isfinite, (self.seconds, self.retry_after))):
            raise ValueError("seconds and retry_after are numbers that end")
        if not 0 <= self.rate <= 1 or not 0 <= self.share <= 1:
            raise ValueError("rate and share lie between 0 and 1")


class Faults:
    """The script at work. The same requests in the same order are spoiled in the same way."""

    def __init__(self, faults: Sequence[Fault] = (), *, seed: int = 0) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._seen = [0] * len(self._faults)
        self._done = [0] * len(self._faults)

    @property
    def played(self) -> tuple[int, ...]:
        """Tell how often each fault was played, in the order of the script."""
        return tuple(self._done)

    def next(self, endpoint: Endpoint | None) -> Fault | None:
        """Tell what is to be done to a request that has just come, None: answer it well. Repeat: once a request."""
        for number, fault in enumerate(self._faults):
            if fault.on != endpoint:
                continue
            seen = self._seen[number]
            self._seen[number] += 1
            if seen < fault.after or (fault.times and self._done[number] >= fault.times):
                continue
            chance = random.Random(f"{self._seed}/{number}/{seen}").random()  # noqa: S311 - a script, not a secret
            if chance < fault.rate:
                self._done[number] += 1
                return fault
        return None


def parse(text: str, name: str) -> Faults:
    """Read a script: `seed = 1` and `[[fault]]` tables with the fields of `Fault`.

    Raises: OperatorError with the table and what is wrong with it.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(name, f"it is no TOML: {error}") from error
    rows = table.pop("fault", [])
    seed = table.pop("seed", 0)
    if table or isinstance(seed, bool) or not isinstance(seed, int) or not isinstance(rows, list):
        raise _bad(name, "it holds a number seed and [[fault]] tables, and nothing else")
    return Faults([_fault(row, f"{name}, fault {number}") for number, row in enumerate(rows, 1)], seed=seed)


_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
_CHOICES: dict[str, tuple[str, ...]] = {"on": get_args(Endpoint), "do": get_args(Do), "form": get_args(Form)}


def _fault(row: Mapping[str, Any], where: str) -> Fault:
    if not isinstance(row, dict):
        raise _bad(where, "it is a table")
    known = {field.name: str(field.type) for field in fields(Fault)}
    for key, value in row.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            raise _bad(where, f'there is no key "{key}"' + (f', but "{near[0]}"' if near else ""))
        if key in _CHOICES:
            if value not in _CHOICES[key]:
                raise _bad(where, f"{key} is one of {', '.join(_CHOICES[key])}")
        elif not isinstance(value, _KINDS[known[key]]) or isinstance(value, bool) != (known[key] == "bool"):
            raise _bad(where, f"{key} is a {known[key]}")
    try:
        return Fault(**row)
    except (TypeError, ValueError) as error:
        missing = [key for key in ("on", "do") if key not in row]
        raise _bad(where, f"{' and '.join(missing)} must be said" if missing else str(error)) from error


def _bad(where: str, what: str) -> OperatorError:
    return OperatorError(f"The faults in {where} cannot be used: {what}.", code="config", hint="Correct the file.")
