"""What can go wrong in the annex: a draft that cannot be rendered, a render that failed. Pure."""

from __future__ import annotations

from nemo_watch.errors import NemoWatchError


class DraftError(NemoWatchError):
    """The draft or the wished output is out of range or asks for what this backend cannot do. `message` says what."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="draft")


class RenderError(NemoWatchError):
    """The draft was understood, but no file that could be vouched for came of it. `again` says whether a second try
    may help (a full disk, a time limit)."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message, code="render")
        self.again = again
