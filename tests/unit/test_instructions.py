"""The table of instructions through sidecar and routing: every word that is sent, every export that follows. Pure."""

from __future__ import annotations

import pytest

from nemo_watch import sidecar, skills
from nemo_watch.routing import route
from tests import instructions
from tests.instructions import Row


@pytest.mark.parametrize("row", instructions.TABLE, ids=instructions.names())
def test_what_is_sent_and_what_is_exported(row: Row) -> None:
    routed = route(sidecar.parse(row.text.encode(), "clip.txt").steps, ())
    assert routed.messages == tuple(message.strip() for message in row.messages)
    assert routed.exports == row.wanted
    assert routed.questions == row.questions
    assert row.note in " ".join(routed.notes)
    assert bool(routed.notes) == bool(row.note)


def test_the_table_is_the_one_that_was_asked_for() -> None:
    texts = [row.text for row in instructions.TABLE]
    assert len(set(texts)) == len(texts)
    assert [row.text for row in instructions.EXAMPLES] == [profile.example for profile in skills.PROFILES]
    assert len(instructions.LIFE) >= 60
