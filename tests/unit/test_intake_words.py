"""What a person is told to do with a file of a type that is not taken. Pure."""

from __future__ import annotations

import pytest

from nemo_watch.intake import words


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("photo.HEIC", "jpg, png or webp"),
        ("scan.tiff", "jpg, png or webp"),
        ("song.flac", "mp3, wav, m4a or aac"),
        ("memo.opus", "mp3, wav, m4a or aac"),
        ("tape.m4v", "mp4, mov, avi, webm or mkv"),
        ("tape.wmv", "mp4, mov, avi, webm or mkv"),
    ],
)
def test_media_is_to_be_converted_to_a_type_of_its_own_kind(name: str, target: str) -> None:
    failure = words.foreign_type(name)
    assert failure.code == "4001"
    assert failure.action == f"Convert it to {target} and drop the new file together with its sidecar."


@pytest.mark.parametrize("name", ["slides.pdf", "table.xlsx", "README"])
def test_of_what_is_no_media_it_is_said_that_only_media_can_be_edited(name: str) -> None:
    failure = words.foreign_type(name)
    assert failure.code == "4001"
    assert failure.action.startswith("Only media can be edited: video (mp4")
    assert "Convert" not in failure.action
