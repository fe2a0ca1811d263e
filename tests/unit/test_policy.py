"""The table of product.md 9, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.errors import (
    ConfigError,
    FolderError,
    MediaError,
    NemoWatchError,
    RefusedError,
    SidecarError,
    UnreachableError,
)
from nemo_watch.policy import (
    LONGEST_BACKOFF_S,
    Again,
    Hold,
    Reject,
    Situation,
    Verdict,
    after_failure,
    backoff_s,
    edit_no_effect,
    name_of,
    no_edit_made,
)


def at(**changes: object) -> Situation:
    usual: dict[str, object] = {
        "step": "edit-1",
        "paid": "no",
        "attempts": 0,
        "failing_s": 0.0,
        "give_up_after_s": 86400.0,
        "chance": 0.5,
        "job_id": "job-1",
    }
    return Situation(**(usual | changes))  # type: ignore[arg-type]  # a test's keyword arguments


def refused(code: str, status: int = 200, **more: object) -> RefusedError:
    return RefusedError("It said no.", code=code, hint="Do this.", status=status, refused=True, **more)  # type: ignore[arg-type]  # a test's keyword arguments


HELD = [
    (refused("1001"), {}, "token", True),
    (refused("2001", link="https://x/register?bind=a"), {}, "credits", True),
    (refused("402", 402), {}, "credits", True),
    (refused("403", 403), {}, "token", True),
    (ConfigError("The token file is gone."), {}, "token", True),
    (refused("token_quota"), {"until_s": 700.0}, "token_quota", True),
    (FolderError("Full.", code="disk_full"), {}, "disk_full", False),
    (FolderError("Away.", code="outbox_unavailable"), {"paid": "yes"}, "outbox_unavailable", False),
]


@pytest.mark.parametrize(("error", "changes", "reason", "account"), HELD)
def test_a_hold_names_its_reason_and_rejects_nothing(
    error: NemoWatchError, changes: dict[str, object], reason: str, account: bool
) -> None:
    verdict = after_failure(error, at(**changes))
    assert isinstance(verdict, Hold)
    assert (verdict.reason, verdict.account) == (reason, account)
    assert error.message in verdict.sentence


def test_a_quota_is_looked_at_when_its_window_ends() -> None:
    verdict = after_failure(refused("token_quota"), at(until_s=700.0))
    assert isinstance(verdict, Hold)
    assert verdict.look_after_s == 700.0


def test_credits_hold_carries_the_registration_link() -> None:
    verdict = after_failure(refused("2001", link="https://x/register?bind=a"), at())
    assert isinstance(verdict, Hold)
    assert verdict.link.endswith("?bind=a")
    assert verdict.look_after_s == 600.0


REJECTED = [
    (refused("4001"), "4001"),
    (refused("4002"), "4002"),
    (refused("422", 422), "422"),
    (SidecarError("Line 3 is wrong.", line=3, column=7), "sidecar_invalid"),
    (MediaError("Not a video.", code="not_media"), "not_media"),
]


@pytest.mark.parametrize(("error", "code"), REJECTED)
def test_a_reject_keeps_code_and_words(error: NemoWatchError, code: str) -> None:
    verdict = after_failure(error, at(paid="yes"))
    assert isinstance(verdict, Reject)
    assert verdict.failure.code == code
    assert verdict.failure.message == error.message
    assert verdict.failure.action
    assert verdict.failure.paid == "yes"


def test_a_sidecar_error_keeps_its_place() -> None:
    verdict = after_failure(SidecarError("Line 3 is wrong.", line=3, column=7), at())
    assert isinstance(verdict, Reject)
    assert (verdict.failure.line, verdict.failure.column) == (3, 7)


def test_a_lost_session_starts_anew_while_nothing_is_paid() -> None:
    verdict = after_failure(refused("1002"), at(paid="no"))
    assert verdict == Again(0.0, "It said no. Do this.", anew=True)


@pytest.mark.parametrize("paid", ["yes", "unknown"])
def test_a_lost_session_never_pays_again_by_itself(paid: str) -> None:
    verdict = after_failure(refused("1002"), at(paid=paid))
    assert isinstance(verdict, Reject)
    assert verdict.failure.paid == paid
    assert "nemo-watch retry job-1 --fresh has the clip edited anew, which is paid again" in verdict.failure.action


def test_a_lost_session_does_not_matter_while_its_export_is_made() -> None:
    assert isinstance(after_failure(refused("1002"), at(paid="yes", step="render-1", submitted=True)), Again)
    assert isinstance(after_failure(refused("1002"), at(paid="yes", step="render-1")), Reject)


def test_a_lost_session_of_another_job_is_no_reason_to_pay() -> None:
    verdict = after_failure(refused("1002"), at(reuses=True))
    assert isinstance(verdict, Reject)
    assert "new edit" in verdict.failure.action


@pytest.mark.parametrize("code", ["402", "403"])
def test_an_export_that_is_not_allowed_ends_one_job_and_holds_further_edits(code: str) -> None:
    link = "https://x/register?bind=a"
    verdict = after_failure(refused(code, int(code), link=link), at(paid="yes", step="render-2"))
    assert isinstance(verdict, Reject)
    assert (verdict.failure.code, verdict.failure.paid, verdict.failure.link) == (code, "yes", link)
    assert f"{link}. Then nemo-watch retry job-1" in verdict.failure.action
    assert verdict.hold is not None
    assert (verdict.hold.reason, verdict.hold.account, verdict.hold.link) == ("export_blocked", True, link)
    assert verdict.hold.look_after_s == 3600.0


def test_a_gate_that_is_closed_here_is_no_failure() -> None:
    verdict = after_failure(refused("429", 0, retry_after_s=12.0), at(attempts=5))
    assert verdict == Again(12.0, "It said no.", counts=False)


def test_a_rate_limit_never_ends_a_job() -> None:
    assert isinstance(after_failure(refused("429", 429), at(attempts=90, failing_s=1e6)), Again)


def test_rate_limit_waits_as_long_as_it_is_told() -> None:
    assert after_failure(refused("429", 429, retry_after_s=12.0), at()) == Again(12.0, "It said no. Do this.")
    assert after_failure(refused("429", 429, retry_after_s=9e5), at()) == Again(86400.0, "It said no. Do this.")
    verdict = after_failure(refused("429", 429), at())
    assert isinstance(verdict, Again)
    assert verdict.after_s == 30.0


@pytest.mark.parametrize("error", [UnreachableError("No answer."), refused("http_503", 503), refused("408", 408)])
def test_a_backend_that_is_down_is_tried_until_patience_ends(error: NemoWatchError) -> None:
    first, later = after_failure(error, at()), after_failure(error, at(attempts=3))
    assert isinstance(first, Again)
    assert isinstance(later, Again)
    assert first.after_s < later.after_s
    ended = after_failure(error, at(attempts=50, failing_s=86400.0))
    assert isinstance(ended, Reject)


@given(attempts=st.integers(0, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_backoff_stays_within_bounds(attempts: int, chance: float) -> None:
    assert 2.5 <= backoff_s(attempts, chance) <= LONGEST_BACKOFF_S


@given(code=st.text(max_size=20), status=st.integers(0, 599), paid=st.sampled_from(["no", "yes", "unknown"]))
def test_every_answer_has_a_verdict(code: str, status: int, paid: str) -> None:
    verdict: Verdict = after_failure(refused(code, status), at(paid=paid, step="render-1"))
    if isinstance(verdict, Reject):
        assert verdict.failure.paid == paid
    elif isinstance(verdict, Again):
        assert verdict.after_s >= 0
        assert not (verdict.anew and paid != "no")


def test_endings_tell_what_to_do() -> None:
    assert "job-1" in edit_no_effect("edit-1", "job-1").action
    assert edit_no_effect("edit-1", "job-1").paid == "unknown"
    assert "Which part?" in no_edit_made("edit-1", "Which part?", "talk.refine.txt").message
    assert name_of("4001") == "File type not supported"
    assert name_of("http_502") == "Backend error"
