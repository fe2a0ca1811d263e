"""What follows a failure: try again, hold, or reject. The whole table of product.md 9 on one screen.

Pure. Whether anything is retried is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from nemo_watch.errors import CloudError, ConfigError, DropperError, FolderError, MediaToolError, NemoWatchError
from nemo_watch.model import Failure

Paid = Literal["no", "yes", "unknown"]

RATE_LIMIT_S = 30.0
LONGEST_RATE_LIMIT_S = 86400.0
"""However long a Retry-After is: after a day it is tried, which costs nothing."""
BUSY_S = 30.0
FIRST_BACKOFF_S = 5.0
LONGEST_BACKOFF_S = 900.0
FOLDER_LOOK_S = 30.0

EXPORT_REFUSED = frozenset({"402", "403"})
"""An export that the plan does not allow, in whichever of the two ways the backend says so (contract.md 3.2)."""


@dataclass(frozen=True, slots=True)
class HoldLooks:
    """How long after a hold of the whole account its cause is looked at again. Units: seconds."""

    account_s: float = 600.0
    export_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Again:
    """Try the same step again. `anew`: with a new session, as nothing was paid in the old one.

    `counts` is False if nothing was tried at all, so that it is no failure in a row of failures.
    """

    after_s: float
    sentence: str
    anew: bool = False
    counts: bool = True


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
    """End the job: the original goes to rejects with this failure in its report.

    With a `hold` no more is paid for by any job before its cause is gone.
    """

    failure: Failure
    hold: Hold | None = None


Verdict = Again | Hold | Reject


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a job stood when it failed.

    Units: `failing_s` seconds since the first failure in a row, `give_up_after_s` seconds; `chance` is a random number
    in [0, 1) for the jitter; `until_s` are seconds from now to the moment the error names, None if it names none.
    `reuses`: the job uses a session that another one paid for. `continues`: it goes on in the session of an earlier
    job, which no other session can take the place of. `submitted`: the backend took the export of this step.
    """

    step: str
    paid: Paid
    attempts: int
    failing_s: float
    give_up_after_s: float
    chance: float
    until_s: float | None = None
    reuses: bool = False
    continues: bool = False
    submitted: bool = False
    job_id: str = ""
    looks: HoldLooks = field(default_factory=HoldLooks)


_GO_ON = "Put the file back into the inbox: it goes on from its last good step, and nothing is paid again."

NAMES: dict[str, str] = {
    "1001": "Token bad or expired",
    "1002": "Session gone",
    "2001": "Out of credits",
    "400": "Request not accepted",
    "402": "Export not allowed by the plan",
    "403": "Export not allowed for this account",
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
    said = _sentence(error)
    if isinstance(error, CloudError):
        return _after_cloud(error, at, said)
    if isinstance(error, ConfigError):
        # A token file that is gone or unreadable: given by the operator, so everything waits for the operator.
        return Hold("token", said, at.looks.account_s, account=True)
    if isinstance(error, FolderError):  # disk_full, outbox_unavailable, ...
        return Hold(error.code, said, FOLDER_LOOK_S)
    if isinstance(error, DropperError):  # sidecar_invalid, asset_missing, not_media, 4002, ...
        return Reject(_failure(error, at))
    if isinstance(error, MediaToolError):
        return Hold("ffmpeg", said, at.looks.account_s)
    return _again_or_give_up(error, at)


def _after_cloud(error: CloudError, at: Situation, said: str) -> Verdict:
    """The rows of the table that the backend's codes and statuses choose."""
    look_s = at.looks.account_s
    match error.code:
        case "1001":
            return Hold("token", said, look_s, account=True)
        case "token_quota":
            return Hold("token_quota", said, look_s if at.until_s is None else at.until_s, account=True)
        case "2001":
            return Hold("credits", said, look_s, account=True, link=error.link)
        case "1002":
            return _after_lost_session(error, at)
        case "402" | "403" if at.step.startswith("render"):
            why = f"{said} Nothing more is edited, as it could not be exported."
            hold = Hold("export_blocked", why, at.looks.export_s, account=True, link=error.link)
            return Reject(_failure(error, at, action=_export_action(error, at)), hold)
        case "402":  # asked for money before anything was edited
            return Hold("credits", said, look_s, account=True, link=error.link)
        case "403":  # whatever file comes next, this token may not do it either
            return Hold("token", said, look_s, account=True, link=error.link)
        case "429" if error.status == 0:  # held back here, by the gate of the account
            return Again(error.retry_after_s or 0.0, error.message, counts=False)
        case "429":
            wished_s = min(LONGEST_RATE_LIMIT_S, RATE_LIMIT_S if error.retry_after_s is None else error.retry_after_s)
            return Again(wished_s if at.attempts == 0 else max(wished_s, backoff_s(at.attempts, at.chance)), said)
        case "409" if at.failing_s < at.give_up_after_s:
            return Again(BUSY_S, "The session is still busy with a turn; it is looked at again.")
        case "409":
            return Reject(_failure(error, at, action=_GO_ON))
        case "network" | "bad_reply" | "408":
            return _again_or_give_up(error, at)
    if error.status == 408 or error.status >= 500:
        return _again_or_give_up(error, at)
    return Reject(_failure(error, at))  # 4001, 4002, 422, and whatever else is final


def _after_lost_session(error: CloudError, at: Situation) -> Verdict:
    if at.submitted:
        # The export is being made all the same: what counts is its id, which is asked for again.
        return _again_or_give_up(error, at)
    if at.continues and at.paid == "no":
        return Reject(replace(session_ended(), step=at.step))
    if at.paid == "no" and not at.reuses and at.failing_s < at.give_up_after_s:
        return Again(0.0 if at.attempts == 0 else backoff_s(at.attempts, at.chance), _sentence(error), anew=True)
    if at.continues:
        action = session_ended().action
    elif at.reuses:
        action = "Change the instruction and put the clip back to pay for a new edit; it is never done by itself."
    else:
        action = (
            f"The edit is lost with its session. nemo-watch retry {at.job_id} --fresh has the clip edited anew, which "
            "is paid again; it is never done by itself."
        )
    return Reject(_failure(error, at, action=action))


def _export_action(error: CloudError, at: Situation) -> str:
    """Say how a finished edit comes to its file once the plan allows it."""
    where = f" at {error.link}" if error.link else ""
    return (
        f"Upgrade the plan or register the account{where}. Then nemo-watch retry {at.job_id}, or putting the file back "
        "into the inbox, only makes the export: the edit is kept and not paid again."
    )


def _again_or_give_up(error: NemoWatchError, at: Situation) -> Verdict:
    if at.failing_s >= at.give_up_after_s:
        return Reject(_failure(error, at, action=_GO_ON))
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


def edit_no_effect(step: str, job_id: str, told: str = "", *, never_rests: bool = False) -> Failure:
    """Describe a paid message whose fate nobody can tell: no whole answer, and no change of the session.

    `told` are the last words of a turn that broke off or ended with an error; `never_rests`: the session changed at
    every look, so that no two of them agreed.
    """
    message = "The edit message was sent, but neither an answer nor a change of the session was found afterwards."
    if told:
        message = "The edit message was sent, but no change of the session was found afterwards."
        message += f' The editor said: "{told[:500]}"'
    if never_rests:
        message = "The edit message was sent, but the session never came to rest, so its effect cannot be told."
    return Failure(
        code="edit_no_effect",
        message=message,
        action=f"Put the file back into the inbox to look at the session of job {job_id} once more. nemo-watch retry "
        f"{job_id} --from edit sends the message again, which may be charged again.",
        paid="unknown",
        step=step,
    )


def session_went_on(step: str, job_id: str, *, paid: Paid) -> Failure:
    """Describe a message whose effect cannot be told any more: another job spoke in the session that they share."""
    return Failure(
        code="edit_no_effect",
        message="Another job was edited in the session that they share: what this message did cannot be told any more.",
        action=f"nemo-watch retry {job_id} --from edit sends the message again, which may be charged again.",
        paid=paid,
        step=step,
    )


def no_edit_made(step: str, answer: str, refinement: str) -> Failure:
    """Describe turns that only talked: a question or a refusal. `refinement` is the name of a file that answers it."""
    return Failure(
        code="no_edit_made",
        message=f"The editor answered without changing anything: {answer}" if answer else "The editor changed nothing.",
        action=f"Answer it in a text file named {refinement} in the same folder of the inbox: it goes on in the same "
        "session. Or say it differently in the instruction file, then put it and the clip back into the inbox.",
        paid="no",
        step=step,
    )


def session_ended() -> Failure:
    """Describe a refinement whose session is gone: those of anonymous users end with their token, after 7 days."""
    return Failure(
        code="1002",
        message="The session that it would go on in has ended, and with it the timeline.",
        action="Drop the clip itself again with the whole instruction, as a new edit. Sessions of anonymous users last "
        "7 days at most; those of an account of your own (NEMO_TOKEN) last longer.",
        paid="no",
        step="session",
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
