"""An address is told without its secrets, also by others who quote it."""

from __future__ import annotations

import pytest

from nemo_watch import urls
from nemo_watch.pipeline.first_run import FirstRun

SECRET = "https://bobby:pw12345@files.example.com/v/talk.mp4?sig=SECRET%2FSIG&expires=1234567#frag99"


@pytest.mark.parametrize(
    "said",
    [
        f"cannot fetch {SECRET}",
        "denied: signature SECRET/SIG does not match for user bobby",
        "bobby:pw12345 was refused",
        "bad query sig=SECRET%2FSIG&expires=1234567",
        "expires 1234567 is over",
        "nothing at frag99",
    ],
)
def test_what_others_say_of_an_address_keeps_its_secrets(said: str) -> None:
    told = urls.scrubbed(said, SECRET)
    assert not [secret for secret in ("bobby", "pw12345", "SECRET", "1234567", "frag99") if secret in told]


def test_what_is_no_secret_stays() -> None:
    assert urls.scrubbed("talk.mp4 is too large", SECRET) == "talk.mp4 is too large"
    assert urls.scrubbed(SECRET, SECRET) == "https://files.example.com/v/talk.mp4"


def test_a_first_start_tells_what_texts_cost() -> None:
    said = FirstRun("held", 22, "/inbox", "https://cloud", "now", 2).sentence("videos")
    assert "about 1200 credits (50 each, 100 from a text)" in said
    assert "about 1100 credits (50 each)" in FirstRun("held", 22, "/inbox", "https://cloud", "now").sentence("videos")
