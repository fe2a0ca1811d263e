"""Stamps as the intake keeps them: every one comes back, and equal ones are equal."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from nemo_watch.intake.stamps import packed, unpacked
from nemo_watch.model import ANY_INODE, FileStamp

STAMPS = st.builds(
    FileStamp,
    st.integers(ANY_INODE, 2**64 - 1),
    st.integers(0, 2**63),
    st.integers(-(2**70), 2**70) | st.integers(-1, 3),
)


@given(one=STAMPS, other=STAMPS)
@example(one=FileStamp(2**64 - 1, 1, 1), other=FileStamp(2**64 - 1, 1, 2))
@example(one=FileStamp(ANY_INODE, 0, 0), other=FileStamp(2**63 - 1, 0, 0))
def test_a_stamp_comes_back(one: FileStamp, other: FileStamp) -> None:
    assert unpacked(packed(one)) == one
    assert (packed(one) == packed(other)) == (one == other)
