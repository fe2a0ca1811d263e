"""What can go wrong at the other side, and what must come of one job: product.md 9, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nemo_watch.sandbox.faults import Endpoint, Fault, Form
from nemo_watch.sandbox.wire import HEARTBEATS

ASK = 'add the title "One"'
RATE_S = 0.5
"""What a backend says when it is asked too often; without a word of it half a minute is waited."""


@dataclass(frozen=True, slots=True)
class Promise:
    """How a job ends, with which code, how often its session is charged for and how often its draft is edited.

    `lost` names what is not where it should be: the original, the result, its report; and words that must not be told.
    """

    ends: str = "delivered"
    code: str = ""
    charged: int = 1
    edits: int = 1
    lost: tuple[str, ...] = ()


DELIVERED = Promise()


def rejected(code: str, *, charged: int = 0, edits: int | None = None) -> Promise:
    """Promise a reject."""
    return Promise("rejected", code, charged, charged if edits is None else edits)


def held(reason: str, *, charged: int = 0) -> Promise:
    """Promise a hold that lasts."""
    return Promise("held", reason, charged, charged)


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, or several that belong together.

    `apart` are profiles in which something else must come of it, `unsaid` words that no report may hold; the client
    waits `silent_s` for something else than heartbeats (seconds).
    """

    name: str
    faults: tuple[Fault, ...]
    promised: Promise = DELIVERED
    apart: Mapping[str, Promise] = field(default_factory=dict)
    instruction: str = ASK
    give_up_after_s: float = 86_400.0
    silent_s: float = 30.0
    unsaid: tuple[str, ...] = ()

    @property
    def is_of_a_code(self) -> bool:
        """Tell whether it is about one code at one call."""
        return " code " in self.name or " status " in self.name

    def promise(self, profile: str) -> Promise:
        """Tell what must come of it in a profile."""
        return self.apart.get(profile, self.promised)


STATUSES = {1001: 401, 1002: 404, 2001: 402, 4001: 415, 4002: 413, 400: 400, 402: 402, 403: 403, 404: 404, 409: 409}
STATUSES |= {422: 422, 429: 429, 500: 500, 503: 503}
"""Each code with the HTTP status that says the same. Source: contract.md 2, "What no source says" 3."""

_FINAL = (400, 4001, 4002, 422)
_PAID = ("render", "poll")
_BY_STATUS_ALONE = {("render", 1002), ("render", 2001), ("poll", 2001)}
"""Where a refusal carries no code, its status is all that can be read, and 2001 has that of 402."""


def _of_code(on: Endpoint, code: int) -> Promise:
    """Say what comes of a code that is answered once, by product.md 9."""
    paid = on in _PAID
    match code:
        case 402 | 403 if paid:
            return rejected(str(code), charged=1)
        case 1002 if on == "render":
            return rejected("1002", charged=1)
        case 404 if on in ("session", "render"):
            return rejected("404", charged=int(paid))
        case 500 | 503 if on == "run_sse":
            return rejected("edit_no_effect")
        case _ if code in _FINAL:
            return rejected(str(code), charged=int(paid))
    return DELIVERED  # tried again, held until the cause is gone, or with a new session


def _codes(*kinds: str) -> Iterator[Case]:
    """Every code as a business code with HTTP 200 or as an HTTP status, at every call that a job needs."""
    for on in ("session", "upload", "state", "run_sse", "render", "poll"):
        for code, status in STATUSES.items():
            after = 0.0 if code != 429 else RATE_S
            promised = _of_code(on, code)
            for kind in kinds:
                sent = status if kind == "status" else 200
                fault = Fault(on, "answer", code=code, status=sent, retry_after=after)
                apart = {"ar": rejected(str(status), charged=1)} if (on, code) in _BY_STATUS_ALONE else {}
                yield Case(f"{on} {kind} {code}", (fault,), promised, apart)


def _anywhere() -> Iterator[Case]:
    """What networks and proxies do to any call."""
    for on in ("token", "session", "upload", "state", "balance", "run_sse", "render", "poll", "cdn"):
        said = rejected("edit_no_effect") if on == "run_sse" else DELIVERED
        yield Case(f"{on} cut", (Fault(on, "cut"),), said)
        yield Case(f"{on} lost", (Fault(on, "lose"),))
        yield Case(f"{on} late answer", (Fault(on, "delay", seconds=30),))
        yield Case(f"{on} proxy's page", (Fault(on, "answer", status=502, page=True),), said)
        yield Case(f"{on} masked", (Fault(on, "mask", status=504, page=True),))


def _turns() -> Iterator[Case]:
    """What a stream can be."""
    forms: tuple[Form, ...] = (*HEARTBEATS, "every")
    for form in forms:
        yield Case(f"heartbeats {form}", (Fault("run_sse", "beats", form=form),))
        yield Case(f"nothing but heartbeats {form}", (Fault("run_sse", "heartbeats", form=form),), silent_s=1.5)
    for events in (0, 1, 2, 3):
        yield Case(f"broken off after {events}", (Fault("run_sse", "break_stream", events=events),))
    yield Case("JSON in place of a stream", (Fault("run_sse", "json"),))
    yield Case("every event twice", (Fault("run_sse", "again"),))
    yield Case("events after the end", (Fault("run_sse", "trail"),))
    yield Case("silent edit", (Fault("run_sse", "silent"),))
    yield Case("silent and broken off", (Fault("run_sse", "silent"), Fault("state", "cut", after=1)))
    yield Case("temporary issue", (Fault("run_sse", "noise"),), unsaid=("temporary issue",))
    yield Case("talk of buttons", (Fault("run_sse", "screen"),), unsaid=("click", "Export button", "panel"))
    yield Case(
        "talk of buttons, Chinese",
        (Fault("run_sse", "screen"),),
        instruction='添加标题"你好"',
        unsaid=("点击", "导出按钮", "面板"),
    )
    yield Case("words without an edit", (Fault("run_sse", "talk"),), rejected("no_edit_made"))
    yield Case("error in the stream", (Fault("run_sse", "fail_turn"),), rejected("edit_no_effect"))
    yield Case("2001 in the stream", (Fault("run_sse", "fail_turn", code=2001),))
    yield Case("error of the model", (Fault("run_sse", "fail_model"),), rejected("edit_no_effect"))
    yield Case("draft in stages", (Fault("run_sse", "stages", seconds=30),))
    yield Case("two stages", (Fault("run_sse", "two_stage", seconds=30),))
    yield Case("late work", (Fault("run_sse", "late", seconds=30),))
    yield Case("words, then the edit", (Fault("run_sse", "afterwards", seconds=10),))
    for code, status in ((50400, 504), (404, 503), (408, 0)):
        yield Case(f"masked with {code} and {status}", (Fault("run_sse", "mask", code=code, status=status),))


def _results() -> Iterator[Case]:
    """What renders and their files can be."""
    yield Case("render fails once", (Fault("render", "fail_render"),))
    yield Case("render fails twice", (Fault("render", "fail_render", times=2),), rejected("render_failed", charged=1))
    yield Case("render is slow", (Fault("render", "slow", seconds=60),))
    yield Case(
        "render never ends", (Fault("render", "stick"),), rejected("render_timeout", charged=1), give_up_after_s=1.0
    )
    yield Case("render is forgotten", (Fault("poll", "forget"),))
    # Before the second id is submitted, it is asked for: that is the second of the three.
    yield Case("render is forgotten twice", (Fault("poll", "forget", times=3),), rejected("render_failed", charged=1))
    yield Case("render taken, answer lost, asked for", (Fault("render", "lose"),))
    known_again = (Fault("render", "lose"), Fault("poll", "forget"), Fault("render", "existing"))
    yield Case("render taken, answer lost, the same id again gives it", known_again)
    yield Case("duplicate id", (Fault("render", "answer", code=409, status=409, message="duplicate id: x"),))
    yield Case("duplicate id of what was taken", (Fault("render", "mask", code=409, message="duplicate id: x"),))
    yield Case("no address, three times", (Fault("poll", "no_url", times=3),))
    yield Case("never an address", (Fault("poll", "no_url", times=0),))
    forbidden = Fault("cdn", "answer", code=403, status=403, page=True, times=0)
    yield Case("403 for the file", (forbidden,))
    yield Case(
        "403 for the file, then an address",
        (Fault("cdn", "answer", status=403, page=True), Fault("download", "address")),
    )
    yield Case(
        "403 for the file, then a redirect",
        (Fault("cdn", "answer", status=403, page=True), Fault("download", "redirect")),
    )
    yield Case(
        "403 for the file everywhere",
        (forbidden, Fault("download", "answer", code=403, times=0)),
        rejected("download_corrupt", charged=1),
    )
    yield Case("file ends early", (Fault("cdn", "truncate", times=3),))
    yield Case("file ends early, no ranges", (Fault("cdn", "truncate"), Fault("cdn", "no_ranges", times=0)))
    yield Case("file is damaged once", (Fault("cdn", "corrupt"),))
    yield Case("file stays damaged at its address", (Fault("cdn", "corrupt", times=0),))
    yield Case(
        "file stays damaged everywhere",
        (Fault("cdn", "corrupt", times=0), Fault("download", "corrupt", times=0)),
        rejected("download_corrupt", charged=1),
    )


def _tokens() -> Iterator[Case]:
    yield Case("token 400", (Fault("token", "answer", code=400, status=400),))
    yield Case("token quota", (Fault("token", "answer", code=429, status=429, times=0),), held("token_quota"))
    yield Case("token 503", (Fault("token", "answer", code=503, status=503),))


_SIBLING = frozenset({"render", "poll", "cdn", "download"})
"""The sibling gateway differs in its renders alone."""


def cases(profile: str) -> tuple[Case, ...]:
    """List what applies to a profile."""
    kinds = ("code", "status") if profile == "official" else ("status",)  # elsewhere the status tells what is wrong
    every = (Case("nothing", ()), *_tokens(), *_anywhere(), *_codes(*kinds), *_turns(), *_results())
    if profile != "gateway":
        return every
    return tuple(case for case in every if all(fault.on in _SIBLING for fault in case.faults))
