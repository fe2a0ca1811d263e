"""What stands in a report."""

from __future__ import annotations

import tomllib
import unicodedata
from datetime import UTC, datetime
from urllib.parse import unquote, unquote_to_bytes

import tomli_w
from hypothesis import example, given
from hypothesis import strategies as st

from nemo_watch.model import Export, Failure, FileRef, FileStamp, Job, Work
from nemo_watch.reports import Delivered, error_report, printable, result_report

MOMENT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def job(rel: str = "a/clip.mp4") -> Job:
    work = Work(("cut the pauses",), (Export(),), "en", "ai-video-pro-online", "clip", "archive", instruction="cut it")
    ref = FileRef(rel, FileStamp(1, 2, 3))
    return Job("e1-1", "e1", "videos", ref, "ab" * 32, work, "ready", 0, MOMENT, MOMENT)


def read_back(table: dict[str, object]) -> dict[str, object]:
    return tomllib.loads(tomli_w.dumps(table))


def test_a_result_report_has_every_key_of_the_contract() -> None:
    report = result_report(
        job(),
        backend="sandbox",
        session_id="5529798706024415232",
        render_ids=["render_1"],
        skill="ai-video-pro-online",
        reply="Done.",
        timeline="Timeline (0 tracks)",
        delivered=[Delivered("clip.mp4", 6.9, 1234, "cd" * 32)],
        credits_before=100.0,
        credits_after=50.0,
        credits_alone=True,
        times={"upload-0": 1.23456},
        notes=["Exported at 1080p."],
        finished_at=MOMENT,
    )
    table = read_back(report)
    assert table["backend"] == "sandbox"
    assert table["session"] == "5529798706024415232"
    assert table["credits_spent"] == 50.0
    assert table["account_credits"] == {"before": 100.0, "after": 50.0}
    assert table["times"] == {"upload-0": 1.235}
    assert table["export"] == [{"file": "clip.mp4", "duration": 6.9, "size": 1234, "sha256": "cd" * 32}]
    for name in ("job", "source", "source_sha256", "source_size", "instruction", "messages", "renders", "timeline"):
        assert name in table


def test_credits_spent_is_only_said_if_nobody_else_spent() -> None:
    report = result_report(
        job(), backend="x", session_id="1", render_ids=[], skill="s", reply="", timeline="", delivered=[],
        credits_before=100.0, credits_after=50.0, credits_alone=False, times={}, notes=[], finished_at=MOMENT,
    )  # fmt: skip
    assert "credits_spent" not in report


def test_an_error_report_says_what_to_do() -> None:
    failure = Failure("4001", "It is a .heic.", "Convert it.", step="intake", line=2, column=5, link="https://x")
    table = read_back(error_report(job(), failure, backend="sandbox", when=MOMENT))
    assert table["code"] == "4001"
    assert table["name"] == "File type not supported"
    assert table["action"] == "Convert it."
    assert table["paid"] == "no"
    assert (table["line"], table["column"], table["link"]) == (2, 5, "https://x")


def test_a_name_that_is_not_utf8_is_told_twice() -> None:
    rel = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    table = read_back(error_report(job(rel), Failure("x", "m", "a"), backend="b", when=MOMENT))
    assert table["source"] == "caf�.mp4"
    assert table["source_bytes"] == "caf%E9.mp4"
    assert printable("plain") == "plain"


def test_a_name_that_steers_the_terminal_is_told_twice() -> None:
    rel = "a/\x1b[2Jred\n\u202e4pm.exe.mp4"
    table = read_back(error_report(job(rel), Failure("x", "m", "a"), backend="b", when=MOMENT))
    assert table["source"] == "a/\ufffd[2Jred\ufffd\ufffd4pm.exe.mp4"
    assert unquote(str(table["source_bytes"])) == rel


@given(raw=st.binary(min_size=1, max_size=255).filter(lambda b: b"\0" not in b))
@example(raw=b"\x01\xd4\xb0")
@example(raw=b"\n\xff")
def test_any_name_can_be_told_and_found_again(raw: bytes) -> None:
    rel = raw.decode("utf-8", "surrogateescape")
    table = read_back(error_report(job(rel), Failure("x", rel, rel), backend="b", when=MOMENT))
    told = table.get("source_bytes")
    assert (unquote_to_bytes(str(told)) if told is not None else str(table["source"]).encode()) == raw
    assert not [sign for sign in str(table["source"]) if unicodedata.category(sign) in ("Cc", "Zl", "Zp")]
