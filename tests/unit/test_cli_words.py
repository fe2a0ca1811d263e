"""What the commands say of jobs and fates: sentences for a person, on one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nemo_watch.cli.fates import Fate
from nemo_watch.cli.jobwords import job_words
from nemo_watch.cli.levers import resumed_words
from nemo_watch.cli.pictures import plain, safe
from nemo_watch.cli.plan import export_words, fate_words
from nemo_watch.cli.show import picture
from nemo_watch.cli.showing import credit_words
from nemo_watch.cli.why import Said, in_words
from nemo_watch.errors import OperatorError
from nemo_watch.model import Export, Failure, FileRef, FileStamp, Job, JobState, Step, StepState, Work
from nemo_watch.pipeline.first_run import FirstRun, resume_command
from nemo_watch.pipeline.levers import forgotten

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WORK = Work(messages=("cut",), exports=(Export(),), language="en", skill="s", title="talk", originals="archive")
JOB = Job(
    job_id="abc-1",
    edit_id="abc",
    inbox="videos",
    clip=FileRef("talk.mp4", FileStamp(1, 2, 3)),
    sha256="",
    work=WORK,
    state="ready",
    priority=0,
    created_at=NOON,
    updated_at=NOON,
    sentence="The outbox is away.",
)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("ready", "it is job abc-1 and starts as soon as a worker is free"),
        ("waiting", "it waits as job abc-1: The outbox is away"),
        ("held", "it is held as job abc-1: The outbox is away"),
        ("delivered", "it was delivered as job abc-1 to /out/talk.mp4"),
        ("rejected", "it was rejected as job abc-1"),
        ("cancelled", "job abc-1 was ended before anything was paid: The outbox is away"),
    ],
)
def test_every_state_of_a_job_is_one_sentence(state: JobState, said: str) -> None:
    assert job_words(replace(JOB, state=state), ["/out/talk.mp4"]) == said


def test_a_job_under_way_names_its_step_and_a_rejected_one_its_code_and_what_to_do() -> None:
    assert job_words(replace(JOB, active=True, step="render-1", progress=40.0)).endswith("exporting, 40 %")
    failure = Failure("4002", "talk.mp4 has 600 MB.", "Shorten it.")
    words = job_words(replace(JOB, state="rejected", failure=failure))
    assert "with 4002" in words
    assert words.endswith("talk.mp4 has 600 MB. What to do: Shorten it")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "ready"}, "it is job abc-1 and starts when the daemon runs"),
        (
            {"state": "waiting"},
            "it waits as job abc-1: The outbox is away; nothing goes on before the daemon runs",
        ),
        ({"state": "held"}, "it is held as job abc-1: The outbox is away; the daemon is not running either"),
        (
            {"state": "ready", "active": True, "step": "upload-0"},
            "it was being worked on as job abc-1 (uploading) when the daemon ended, and goes on when it runs again",
        ),
        ({"state": "delivered"}, "it was delivered as job abc-1"),
    ],
)
def test_without_a_daemon_nothing_is_said_to_go_on(changes: dict[str, Any], said: str) -> None:
    assert job_words(replace(JOB, **changes), running=False) == said


@pytest.mark.parametrize(
    ("jobs", "running", "said"),
    [
        (0, True, "what lies there is taken from now on, as it becomes ready"),
        (0, False, "what lies there is taken when the daemon starts, as it becomes ready"),
        (1, True, "1 job goes on now, and what else lies there is taken from now on, as it becomes ready"),
        (
            21,
            False,
            "21 jobs go on when the daemon starts, and what else lies there is taken then, as it becomes ready",
        ),
    ],
)
def test_what_resume_lets_go_is_said_for_what_it_is(jobs: int, running: bool, said: str) -> None:
    assert resumed_words(jobs, running=running) == said


@pytest.mark.parametrize(
    ("inbox", "command"),
    [
        ("videos", "nemo-watch resume videos"),
        ("my inbox", "nemo-watch resume 'my inbox'"),
        ("it's; rm -r $HOME", """nemo-watch resume 'it'"'"'s; rm -r $HOME'"""),
        ("-x", "nemo-watch resume -- -x"),
    ],
)
def test_a_command_that_is_told_can_be_pasted(inbox: str, command: str) -> None:
    assert resume_command(inbox) == command
    assert command in FirstRun("held", 21, "/in", "https://backend", NOON.isoformat()).sentence(inbox)


def test_since_when_and_what_comes_next_are_in_the_sentence_once() -> None:
    said = Said("held", "it is held", since_at=NOON, next_at=NOON, note="the daemon is not running")
    words = in_words(said)
    assert words.count("since") == words.count("next look at") == 1
    assert words.endswith("; the daemon is not running")
    assert in_words(replace(said, tells_when=True)) == "it is held; the daemon is not running"


def test_a_fate_is_one_line() -> None:
    edit = Fate(
        "videos", "a.mp4", "edit", "its own sidecar says what to do", messages=("cut\nit",), exports=(Export(),)
    )
    assert fate_words(edit) == 'its own sidecar says what to do: sends "cut\nit"; exports mp4 as edited high'
    assert plain(fate_words(edit)).count("\n") == 0
    reject = Fate(
        "videos", "a.mp4", "reject", "It is wrong.", code="sidecar_invalid", mend="Mend it.", line=2, column=3
    )
    assert fate_words(reject) == "sidecar_invalid: It is wrong. (line 2, column 3) Mend it."
    assert export_words(Export("mov", "best", "720p", 30, "teaser")) == "mov 720p best 30 fps as teaser"


def test_a_fate_tells_age_and_next_step_behind_its_rule() -> None:
    wait = Fate("videos", "a.mp4", "wait", "it is not whole", unchanged_at=NOON, upcoming="it goes on when it changes")
    words = fate_words(wait)
    assert words.startswith("it is not whole; by its time stamp unchanged since 2026-05-0")
    assert words.endswith("; it goes on when it changes")
    assert "unchanged since" not in fate_words(replace(wait, unchanged_at=None))
    assert fate_words(replace(wait, upcoming="")) == "it is not whole"


def test_hostile_names_stay_in_their_place() -> None:
    name = "a\tb\n[red]\x1b[2J\udce9.mp4"
    assert plain(name) == "a b [red]\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}.mp4"
    assert safe(name).startswith("a b \\[red]")


def test_the_first_run_names_count_cost_and_command() -> None:
    words = FirstRun("held", 500, "/in", "https://backend", NOON.isoformat()).sentence("videos")
    assert "500 files" in words
    assert "25000 credits" in words
    assert "nemo-watch resume videos" in words


def test_a_job_that_a_person_cancelled_says_so() -> None:
    job = replace(JOB, state="cancelled", reason="cancelled", sentence="A person cancelled it.")
    assert job_words(job) == "it was cancelled as job abc-1: A person cancelled it"


@pytest.mark.parametrize(
    ("known", "paid", "said"),
    [
        ({"before": 100.0, "after": 50.0, "spent": 50.0}, "yes", "the edit was paid, 50 credits were spent"),
        (
            {"before": 100.0, "after": 0.0, "spent": None},
            "yes",
            "the edit was paid; the account had 100 before, 0 after",
        ),
        ({"before": None, "after": None, "spent": None}, "unknown", "the edit may have been paid"),
        ({"before": 7.5, "after": None, "spent": None}, "no", "nothing was paid; the account had 7.5 before"),
    ],
)
def test_what_a_job_cost_is_said_as_far_as_it_is_known(known: dict[str, Any], paid: str, said: str) -> None:
    assert credit_words(known, paid) == said


def test_a_job_is_put_together_from_its_steps_and_those_of_the_job_that_paid() -> None:
    def step(name: str, state: StepState = "done", **data: Any) -> Step:
        return Step("abc-1", name, state, "t", data, NOON, NOON + timedelta(seconds=2) if state == "done" else None)

    paying = [
        step("session", session_id="5529798706024415232", credits_before=100.0),
        step("edit-1", changed=True, text="Two pauses were cut."),
        step("draft", timeline="Timeline (1 tracks)", draft={}),
    ]
    own = [step("render-1", "intent", render_id="render_7"), step("retry")]
    told = picture(replace(JOB, reuses="abc-0", active=True, step="render-1"), own, paying, running=True)
    assert (told["session"], told["reply"], told["timeline"]) == (
        "5529798706024415232",
        "Two pauses were cut.",
        "Timeline (1 tracks)",
    )
    assert told["credits"] == {"before": 100.0, "after": None, "spent": None}
    assert told["exports"][0]["render"] == "render_7"
    assert [(s["step"], s["seconds"]) for s in told["steps"]] == [("render-1", None)]
    assert told["state"] == "running"


STEPS = [
    Step("abc-1", name, "intent" if name == "edit-2" else "done", "t")
    for name in ("session", "upload-0", "edit-1", "edit-2", "draft", "render-1", "retry")
]


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("session", ("session", "upload-0", "edit-1", "edit-2", "draft", "render-1")),
        ("upload", ("upload-0", "edit-1", "edit-2", "draft", "render-1")),
        ("edit", ("edit-2", "draft", "render-1")),  # from the message in doubt on
        ("edit-1", ("edit-1", "edit-2", "draft", "render-1")),
        ("render", ("render-1",)),
        ("deliver", ()),
    ],
)
def test_going_back_forgets_what_comes_after(start: str, names: tuple[str, ...]) -> None:
    job = replace(JOB, work=replace(WORK, messages=("one", "two")))
    assert forgotten(job, STEPS, start) == names


@pytest.mark.parametrize("start", ["tea", "edit-0", "edit-3", "render-1", "edit-x", "draft"])
def test_a_step_that_nobody_can_begin_with_is_refused(start: str) -> None:
    job = replace(JOB, work=replace(WORK, messages=("one", "two")))
    with pytest.raises(OperatorError) as refused:
        forgotten(job, STEPS, start)
    assert refused.value.hint


def test_a_job_that_only_uses_another_ones_edit_cannot_send_it_again() -> None:
    with pytest.raises(OperatorError, match="only uses the edit of job abc-0"):
        forgotten(replace(JOB, reuses="abc-0"), [], "edit")
