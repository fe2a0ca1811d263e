"""Every case of the matrix in one profile or another; `python -m tests.matrix` runs every case in each."""

from __future__ import annotations

import pytest

from nemo_watch.sandbox.profiles import PROFILES
from tests.matrix import run
from tests.matrix_cases import cases

NAMES = {profile: [case.name for case in cases(profile)] for profile in PROFILES}
EVERY = list(dict.fromkeys(name for names in NAMES.values() for name in names))


def mine(profile: str) -> set[str]:
    """Deal the cases out to the profiles that have them, one after the other."""
    holders = {name: [one for one in PROFILES if name in NAMES[one]] for name in EVERY}
    return {name for at, name in enumerate(EVERY) if holders[name][at % len(holders[name])] == profile}


def test_every_case_is_dealt_out_once() -> None:
    assert sorted(name for profile in PROFILES for name in mine(profile)) == sorted(EVERY)
    assert len(EVERY) > 250


@pytest.mark.timeout(900)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_promised_comes_of_every_fault(profile: str) -> None:
    found = run(profile, mine(profile))
    assert len(found) == len(mine(profile)) > 10
    assert [one for one in found if not one.is_kept] == []
