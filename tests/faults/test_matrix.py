"""The cases of the matrix, each in one profile or another, but for those of a single code.

`python -m tests.matrix` runs all of them in each profile; the codes are also those of `test_policy_rows`.
"""

from __future__ import annotations

import pytest

from nemo_watch.sandbox.profiles import PROFILES
from tests.matrix import run
from tests.matrix_cases import cases

NAMES = {profile: [case.name for case in cases(profile) if not case.is_of_a_code] for profile in PROFILES}
EVERY = list(dict.fromkeys(name for names in NAMES.values() for name in names))


def mine(profile: str) -> set[str]:
    """Deal the cases out to the profiles that have them, one after the other."""
    holders = {name: [one for one in PROFILES if name in NAMES[one]] for name in EVERY}
    return {name for at, name in enumerate(EVERY) if holders[name][at % len(holders[name])] == profile}


def test_every_case_is_dealt_out_once() -> None:
    assert sorted(name for profile in PROFILES for name in mine(profile)) == sorted(EVERY)
    assert len(EVERY) > 100


@pytest.mark.timeout(900)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_promised_comes_of_every_fault(profile: str) -> None:
    found = run(profile, mine(profile))
    assert len(found) == len(mine(profile)) > 5
    assert [one for one in found if not one.is_kept] == []
