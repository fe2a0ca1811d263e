"""What follows a failure: try again, hold, or reject. The whole table of product.md 9 on one screen.

Pure. Whether anything is retried is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nemo_watch.errors import CloudError, ConfigError, DropperError, FolderError, MediaToolError, NemoWatchError
from nemo_watch.model import Failure

Paid = Literal["no", "yes", "unknown"]

RATE_LIMIT_S = 30.0
BUSY_S = 30.0
FIRST_BACKOFF_S = 5.0
LONGEST_BACKOFF_S = 900.0
CREDITS_LOOK_S = 600.0
FOLDER_LOOK_S = 30.0


@dataclass(frozen=True, slots=True)
class Again:
    """Try the same step again. `anew`: with a new session, as nothing was paid in the old one."""

    after_s: float
    sentence: str
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Stand still until the cause is gone; nothing is rejected. `account`: all paid work, not this job only."""

    reason: str
    sentence: str
    look_after_s: float
    account: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """End the job: the original goes to rejects with this failure in its report."""

    failure: Failure


Verdict = Again | Hold | Reject


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a job stood when it failed.

    Units: `failing_s` seconds since the first failure in a row, `give_up_after_s` seconds; `chance` is a random number
    in [0, 1) for the jitter; `until_s` are seconds from now to the moment the error names, None if it names none.
    `reuses`: the job uses a session that another one paid for.
    """

    step: str
    paid: Paid
    attempts: int
    failing_s: float
    give_up_after_s: float
    chance: float
    until_s: float | None = None
    reuses: bool = False


NAMES: dict[str, str] = {
    "1001": "Token bad or expired",
    "1002": "Session gone",
    "2001": "Out of credits",
    "400": "Request not accepted",
    "402": "Export not allowed by the plan",
    "403": "Not allowed for this token",
    "4001": "File type not supported",
    "4002": "File too large",
    "429": "Too many requests",
    "asset_missing": "Asset missing",
    "asset_outside_inbox": "Asset outside the inbox",
    "bad_reply": "Answer not understood",
    "download_corrupt": "Result damaged",
    "edit_no_effect": "No effect of the edit found",
    "empty_file": "Empty file",
    "incomplete": "File not whole",
    "network": "Backend not reachable",
    "no_edit_made": "No edit was made",
    "not_media": "Not a video, image or sound",
    "render_failed": "Render failed",
    "render_timeout": "Render takes too long",
    "sidecar_invalid": "Instruction file not valid",
    "symlink": "Symbolic link",
    "token_quota": "No new token for now",
    "unreadable": "File cannot be read",
}


def name_of(code: str) -> str:
    """Name a code in a few words."""
    return NAMES.get(code, "Backend error" if code.isdigit() or code.startswith("http_") else code.replace("_", " "))


def backoff_s(attempts: int, chance: float) -> float:
    """Compute the pause after the n-th failure in a row: doubling, with jitter, at most a quarter of an hour."""
    longest = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(attempts, 16))
    return longest * (0.5 + chance / 2)


def after_failure(error: NemoWatchError, at: Situation) -> Verdict:
    """Decide what follows a failure. An edit message in doubt never comes here: see the looks in the pipeline.

    Source: product.md 9.
    """
    if isinstance(error, CloudError):
        return _after_cloud(error, at)
    if isinstance(error, ConfigError):
        # A token file that is gone or unreadable: given by the operator, so everything waits for the operator.
        return Hold("token", _sentence(error), CREDITS_LOOK_S, account=True)
    if isinstance(error, FolderError):
        return Hold(error.code, _sentence(error), FOLDER_LOOK_S)
    if isinstance(error, DropperError):
        return Reject(_failure(error, at))
    if isinstance(error, MediaToolError):
        return Hold("ffmpeg", _sentence(error), CREDITS_LOOK_S)
    return _again_or_give_up(error, at)


def _after_cloud(error: CloudError, at: Situation) -> Verdict:
    code = error.code
    if code == "1001":
        return Hold("token", _sentence(error), CREDITS_LOOK_S, account=True)
    if code == "token_quota":
        return Hold(
            "token_quota", _sentence(error), at.until_s if at.until_s is not None else CREDITS_LOOK_S, account=True
        )
    if code == "2001":
        return Hold("credits", _sentence(error), CREDITS_LOOK_S, account=True, link=error.link)
    if code == "1002":
        if at.paid == "no" and not at.reuses and at.failing_s < at.give_up_after_s:
            return Again(0.0 if at.attempts == 0 else backoff_s(at.attempts, at.chance), _sentence(error), anew=True)
        action = "Change the instruction and put the clip back to pay for a new edit; it is never done by itself."
        return Reject(_failure(error, at, action=action))
    if code in ("409", "429") and at.failing_s >= at.give_up_after_s:
        return Reject(_failure(error, at))
    if code == "409":
        return Again(BUSY_S, "The session is still busy with a turn; it is looked at again.")
    if code == "429":
        wished = error.retry_after_s if error.retry_after_s is not None else RATE_LIMIT_S
        return Again(wished if at.attempts == 0 else max(wished, backoff_s(at.attempts, at.chance)), _sentence(error))
    if code in ("network", "bad_reply", "408") or error.status == 408 or error.status >= 500:
        return _again_or_give_up(error, at)
    return Reject(_failure(error, at))


def _again_or_give_up(error: NemoWatchError, at: Situation) -> Verdict:
    if at.failing_s >= at.give_up_after_s:
        return Reject(_failure(error, at))
    return Again(backoff_s(at.attempts, at.chance), _sentence(error))


def _sentence(error: NemoWatchError) -> str:
    return f"{error.message} {error.hint}".strip()


def _failure(error: NemoWatchError, at: Situation, *, action: str = "") -> Failure:
    link = error.link if isinstance(error, CloudError) else ""
    return Failure(
        code=error.code,
        message=error.message,
        action=action or error.hint or "Put the file back into the inbox to try again.",
        paid=at.paid,
        step=at.step,
        link=link,
        line=getattr(error, "line", 0),
        column=getattr(error, "column", 0),
    )


# ---------------------------------------------------------------- endings that are no error of a call


def edit_no_effect(step: str, job_id: str) -> Failure:
    """Describe a paid message whose fate nobody can tell: no answer, and no change of the session."""
    return Failure(
        code="edit_no_effect",
        message="The edit message was sent, but neither an answer nor a change of the session was found afterwards.",
        action=f"Put the file back into the inbox to look at the session of job {job_id} once more. To have it edited "
        "anew, which may be charged again, change the instruction and put it back.",
        paid="unknown",
        step=step,
    )


def no_edit_made(step: str, answer: str) -> Failure:
    """Describe turns that only talked: a question or a refusal."""
    return Failure(
        code="no_edit_made",
        message=f"The editor answered without changing anything: {answer}" if answer else "The editor changed nothing.",
        action="Say it differently in the instruction file, then put it and the clip back into the inbox.",
        paid="no",
        step=step,
    )


def render_failed(step: str, reason: str) -> Failure:
    """Describe a render that failed twice, or whose id the backend does not know any more."""
    return Failure(
        code="render_failed",
        message=f"The export failed twice: {reason}" if reason else "The export failed twice.",
        action="Put the file back into the inbox: only the export is tried again, the edit is kept and not paid again.",
        paid="yes",
        step=step,
    )


def render_timeout(step: str, render_id: str) -> Failure:
    """Describe a render that stayed pending or processing until patience ended."""
    return Failure(
        code="render_timeout",
        message=f"The export {render_id} was still not finished when the waiting time ended.",
        action="Put the file back into the inbox: the same export is asked for again, nothing is paid again.",
        paid="yes",
        step=step,
    )


def download_corrupt(step: str, reason: str) -> Failure:
    """Describe a result that stayed unreadable after new downloads and one more render."""
    return Failure(
        code="download_corrupt",
        message=f"The result could not be used: {reason}",
        action="Put the file back into the inbox: the export is made again, the edit is kept and not paid again.",
        paid="yes",
        step=step,
    )
