"""Part of the matrix: every case of it in one profile or another; `python -m tests.matrix` runs every case in each."""

from __future__ import annotations

import pytest

from nemo_watch.sandbox.profiles import PROFILES
from tests.matrix import run
from tests.matrix_cases import cases


@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_promised_comes_of_every_fault(profile: str) -> None:
    turn = list(PROFILES).index(profile)
    mine = {case.name for number, case in enumerate(cases(profile)) if number % len(PROFILES) == turn}
    found = run(profile, mine)
    assert len(found) == len(mine) > 10
    assert [one for one in found if not one.is_kept] == []
