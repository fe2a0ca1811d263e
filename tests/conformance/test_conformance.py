"""Every sender's row of the conformance run: nothing taken too early, nothing left, nothing twice."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from tests.conformance import SENDERS
from tests.conformance.running import STALL_S, conformance
from tests.conformance.scoring import RULES, Count, Row, Sent, Take, count, owner, table
from tests.conformance.watching import RULES as SETTLE

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Run all senders once, whatever the number of workers."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    kept = root / "conformance.json"
    with (root / "conformance.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            found = conformance()
            print(table(found))
            kept.write_text(json.dumps([row.as_json() for row in found]))
    return {row.name: row for row in map(Row.from_json, json.loads(kept.read_text()))}


@pytest.mark.parametrize("name", sorted(SENDERS))
def test_sender(name: str, rows: dict[str, Row]) -> None:
    row = rows[name]
    if row.skipped:
        pytest.skip(row.skipped)
    assert not row.failed
    assert row.count.takes >= row.files >= 1
    assert row.is_good, "\n".join(row.count.notes)


def test_files_of_nobody_are_not_taken(rows: dict[str, Row]) -> None:
    assert "(nobody)" not in rows, rows["(nobody)"].count.notes


def test_the_run_is_hard_enough(rows: dict[str, Row]) -> None:
    """Rules that believe one event fail in the same run, and many files stood still longer than every window."""
    judged = [row for row in rows.values() if not row.skipped]
    naive = {rule: sum((row.naive.get(rule, Count()) for row in judged), Count()) for rule in RULES}
    assert naive["CLOSE_WRITE alone"].partial >= 3
    assert naive["CLOSE_WRITE alone"].missed >= 3
    assert naive["MOVED_TO alone"].missed >= 10
    assert naive["either of them"].partial >= 3
    assert STALL_S / 2 > SETTLE.open_s > SETTLE.closed_s
    assert sum(row.still_s > 2 * SETTLE.open_s for row in judged) >= 5


def test_the_score_sees_every_fault() -> None:
    sent = [Sent("a.mp4", "A", 10.0, "cut"), Sent("b.mp4", "B", 10.0), Sent("c.mp4", "C", 10.0)]
    takes = [
        Take("a.mp4", "half", 5.0, "cut"),
        Take("a.mp4", "A", 12.0, "c"),
        Take("b.mp4", "B", 13.0),
        Take("b.mp4", "B", 19.0),
        Take("c.mp4", "C", 14.0, refusal="empty_file"),
        Take("litter.mp4", "D", 14.0),
    ]
    found = count(sent, takes)
    assert (found.takes, found.partial, found.missed, found.double, found.sidecar) == (6, 3, 1, 1, 1)
    assert found.waited_s == 3.0
    row = Row("x", files=3, count=found)
    assert not row.is_good
    assert Row.from_json(json.loads(json.dumps(row.as_json()))) == row
    assert "litter.mp4: bytes that are not final were taken, nobody's file" in table([row])
    assert count(sent[1:2], takes[2:3]) == Count(1, waited_s=3.0)


def test_a_file_belongs_to_the_sender_with_the_longest_name() -> None:
    assert owner("cp-p-x.mp4", ["cp", "cp-p"]) == "cp-p"
    assert owner("cp/deep/x.mp4", ["cp", "cp-p"]) == "cp"
    assert owner("cpx.mp4", ["cp", "cp-p"]) == ""
