"""The numbers and values of the intake: windows, graces, what an inspection found, what is to be done next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nemo_watch.model import Drop, FileRef

MAX_UPLOAD_BYTES = 500 * 1024 * 1024
"""Larger files are refused here, before any byte is uploaded (Source: contract.md 3)."""

Verdict = Literal[
    "whole", "unchecked", "unread", "incomplete", "placeholder", "not_media", "empty", "unreadable", "changed"
]
Writer = Literal["none", "open", "unknown", "untried"]
"""Whether somebody has a file open for writing: nobody, somebody, not to be told (it belongs to somebody else), and
not asked where the answer is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look into an open file found; `detail` is the system's own word for an error ("" if none).

    "changed": the opened file is not the one that was judged, so nothing is known of its content. "unread": only
    reading it to its end can tell, and that was not done as it may be open for writing. "unchecked": it cannot be told.
    "placeholder": it has a size, but its content is not on this disk; it was not opened.
    """

    verdict: Verdict
    detail: str = ""
    writer: Writer = "untried"


@dataclass(frozen=True, slots=True)
class SettleRules:
    """How long things must stand still, as seen by us, before they are believed.

    `closed_s` after a close or a rename, `open_s` without one, `polled_s` and `polls` looks where only polling sees.
    The graces begin when the window is over: what looks wrong by then may still be on its way. While somebody has a
    file open for writing it is looked at again after `lease_again_s`, later every `lease_rest_s`, but `lease_cap_s`
    after its last change only a container that is whole counts: servers keep files open long after the last byte.
    `batch_quiet_s` of quiet in its folder are waited for a clip that a `project.toml` names and that is not there.
    Units: seconds. Source: arrivals.md 2; the graces, and how often is looked again, are judgements.
    """

    closed_s: float = 2.0
    open_s: float = 10.0
    sidecar_s: float = 2.0
    polled_s: float = 30.0
    polls: int = 3
    sidecar_wait_s: float = 30.0
    incomplete_after_s: float = 600.0
    empty_grace_s: float = 60.0
    not_media_grace_s: float = 10.0
    unreadable_grace_s: float = 30.0
    link_grace_s: float = 10.0
    lease_again_s: float = 2.0
    lease_rest_s: float = 10.0
    lease_cap_s: float = 60.0
    placeholder_again_s: float = 30.0
    batch_quiet_s: float = 600.0


def settle_rules(
    *,
    settle_s: float | None = None,
    sidecar_wait_s: float = 30.0,
    literal: bool = False,
    base: SettleRules | None = None,
) -> SettleRules:
    """Build the rules from the config's `settle` (None: "auto") and `sidecar_wait`.

    A duration is a lower bound of the windows of clips; sidecars keep their own, shorter one. `literal` takes it as the
    window itself for everything, for tests and demonstrations on folders whose writers are known.
    """
    rules = base if base is not None else SettleRules()
    closed_s, open_s, polled_s, sidecar_s = rules.closed_s, rules.open_s, rules.polled_s, rules.sidecar_s
    if settle_s is not None and literal:
        closed_s = open_s = polled_s = sidecar_s = settle_s
    elif settle_s is not None:
        closed_s, open_s, polled_s = max(closed_s, settle_s), max(open_s, settle_s), max(polled_s, settle_s)
    return replace(
        rules,
        closed_s=closed_s,
        open_s=open_s,
        sidecar_s=sidecar_s,
        polled_s=polled_s,
        sidecar_wait_s=sidecar_wait_s,
    )


@dataclass(frozen=True, slots=True)
class InboxRules:
    """What the intake must know of an inbox.

    `accept_all`: images and sound are drops without a sidecar too. `instruction` is for clips without a sidecar, "" if
    the inbox has none. `ignore`: globs beside the built-in ones.
    """

    name: str
    instruction: str = ""
    accept_all: bool = False
    recursive: bool = True
    ignore: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done now.

    Each request is made once: it is answered by `Intake.see` (for `look`), `inspected`, `listed` (for `listings`, which
    are folders, "" being the inbox itself) and `text_read` (for `read`: texts that stood still, which are opened once:
    does somebody still write them, and which assets does a TOML sidecar name). Those of `inspect` that are in `to_end`
    too are read to their ends, if nothing less tells whether they are whole, even while somebody has them open for
    writing. `next_check_s` is when to decide again if nothing happens, None: never.
    """

    drops: tuple[Drop, ...] = ()
    inspect: tuple[FileRef, ...] = ()
    to_end: frozenset[FileRef] = frozenset()
    look: tuple[str, ...] = ()
    listings: tuple[str, ...] = ()
    read: tuple[FileRef, ...] = ()
    next_check_s: float | None = None
