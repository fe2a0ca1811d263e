"""Codes and statuses of the cloud API as errors with sentences for a person. Pure."""

from __future__ import annotations

import re

from nemo_watch.errors import RefusedError, UnintelligibleError
from nemo_watch.reply import without_secrets

DUPLICATE_ID = "duplicate_id"
"""The code where an export is refused because its id was used before. Source: contract.md 8.1."""

_TYPES = "mp4, mov, avi, webm, mkv, jpg, png, gif, webp, mp3, wav, m4a and aac"

# What happened and what to do, by the code of product.md 9.
_WORDS: dict[str, tuple[str, str]] = {
    "1001": (
        "The backend does not accept the token: it is missing, wrong, revoked or expired",
        "Check NEMO_TOKEN or the token file; without a token of your own a new anonymous one is fetched by itself.",
    ),
    "1002": (
        "The backend does not know the session any more, or it belongs to another account",
        "A new session and upload are needed.",
    ),
    "2001": ("The account has no credits left", "Top up the account, then the work goes on by itself."),
    "4001": ("The backend does not take this type of file", f"Convert it to one of {_TYPES}."),
    "4002": ("The file is too large for the backend", "Make it smaller than 500 MB, then drop it again."),
    "400": (
        "The backend found something missing or wrong in the request",
        "If it stays so, the backend and this version of nemo-watch do not fit together.",
    ),
    "402": (
        "The account's plan does not allow this export",
        "Upgrade the plan or register the account; the edit is kept and only has to be exported then.",
    ),
    "403": (
        "The token does not have the right to do this",
        "Use a token with this right or upgrade the plan; the edit is kept.",
    ),
    "404": ("The backend does not know what was asked for", "Try again; if it stays so, check the backend's address."),
    "409": ("The backend is still busy with an earlier request of this session", "It is tried again later."),
    "422": (
        "The backend found the request malformed",
        "The backend and this version of nemo-watch do not fit together.",
    ),
    "429": ("The backend asks to slow down", "It is tried again later."),
    DUPLICATE_ID: ("The backend knows this id already (duplicate id)", "The earlier request with this id counts."),
    "token_quota": (
        "The backend gives no new anonymous token to this machine for now (one in seven days)",
        "Set NEMO_TOKEN to a token of your own, or wait until the stated moment.",
    ),
}

# 1010 and 1011 are the sibling gateway's numbers for the same thing (contract.md 2).
_SAME = {"1010": "1001", "1011": "1001", "401": "1001", "413": "4002", "415": "4001"}
# Statuses that say who must act, where the code beside them is one that nobody knows.
_TELLING = frozenset({401, 402, 403, 413, 415, 429})
_BUSINESS = frozenset({"1001", "1002", "2001", "4001", "4002"})
_USED_BEFORE = re.compile(r"\bduplicate|\balready (?:exists|used|in use|taken)\b|重复|已存在", re.I)
# These mean what they say, also in such words: "You have already used your free exports."
_OF_THE_ACCOUNT = frozenset({"1001", "1002", "2001", "4001", "4002", "402", "403", "429"})
_TRY_AGAIN = "Try again; if it stays so, ask the backend's support."


def refusal(
    code: str,
    doing: str,
    *,
    status: int,
    told: str = "",
    retry_after_s: float | None = None,
    session: bool = False,
) -> RefusedError:
    """Make the error for a complete answer with an error code.

    `code` is the backend's number, "http_NNN" if only the status tells, or a word. The backend's own business codes
    prove that nothing was accepted, whatever the status. A server's failure (5xx, in the status or as the code, with
    whatever other code beside it: a gateway may say so of a call that went through) and a timeout (408) do not; every
    other complete refusal does. An answer that names no code, with a good status, proves nothing either.
    Source: contract.md 2, product.md 9.
    """
    number = code.removeprefix("http_")
    if number == "408" or (number.isdigit() and len(number) == 3 and 500 <= int(number) <= 599):
        code, status = f"http_{number}", int(number)
    elif _SAME.get(number, number) in _WORDS:
        code = _SAME.get(number, number)
    elif status in _TELLING:
        code = _SAME.get(str(status), str(status))
    if session and code == "404" and status < 500:
        code = "1002"
    what, hint = _WORDS.get(code, (f"The backend refused with {_called(code)}", _TRY_AGAIN))
    if code.startswith("http_5"):
        what, hint = f"The backend failed by itself with {_called(code)}", "It is tried again later."
    quoted = f' The backend says: "{without_secrets(told)[:200]}".' if told else ""
    named = code in _WORDS or (not code.startswith("http_") and code != "backend_error")
    certain = code in _BUSINESS or (status < 500 and status != 408 and (status >= 400 or named))
    return RefusedError(
        f"{what} (while {doing}).{quoted}",
        code=code,
        hint=hint,
        status=status,
        refused=certain,
        retry_after_s=retry_after_s,
    )


def is_of_a_duplicate(error: RefusedError) -> bool:
    """Say whether an export was refused because its id was used before. Source: contract.md 8.1."""
    return error.code == "409" or (error.code not in _OF_THE_ACCOUNT and bool(_USED_BEFORE.search(error.message)))


def unintelligible(doing: str, status: int, words: str) -> UnintelligibleError:
    """Make the error for an answer that the contract does not know."""
    shown = f': "{without_secrets(words)}"' if words else ", and it is empty"
    return UnintelligibleError(
        f"The answer while {doing} cannot be understood (HTTP {status}){shown}.",
        hint="Check the backend's address and any proxy between; it is tried again later.",
        status=status,
        refused=400 <= status < 500 and status != 408,
    )


def _called(code: str) -> str:
    return f"HTTP {code.removeprefix('http_')}" if code.startswith("http_") else f"code {code}"
