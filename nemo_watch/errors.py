"""The error tree: every failure says what happened and what to do, in the same words everywhere. Pure.

NemoWatchError(message, code, hint)        who must act
|- OperatorError                           the one who runs the daemon
|  |- ConfigError                             the config file or the environment
|  |- FolderError                             an inbox, outbox, rejects or archive folder
|  |- LedgerError                             the database in the state folder
|  '- MediaToolError                          ffmpeg missing or unusable
|- DropperError                            the one who dropped the file
|  |- SidecarError(line, column)              the instruction file
|  '- MediaError                              the video, image or sound
'- CloudError(status, refused, ...)        the other side of the wire
   |- UnreachableError                          no connection, broken off, timed out
   |- UnintelligibleError                          an answer that is not what the contract says
   '- RefusedError                             an answer with an error code
"""

from __future__ import annotations

from datetime import datetime


class NemoWatchError(Exception):
    """A failure with its code, a sentence of what happened and a sentence of what to do now.

    `message` and `hint` are shown word for word in report, log, page and terminal, so they never hold a secret.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class OperatorError(NemoWatchError):
    """The one who runs the daemon must act."""


class ConfigError(OperatorError):
    """The config cannot be used; `problems` lists every finding, each a sentence of its own."""

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, code="config", hint=hint)
        self.problems = problems or (message,)


class FolderError(OperatorError):
    """A folder is missing, full, read-only or laid out in a way that cannot work."""


class LedgerError(OperatorError):
    """The ledger cannot be opened, read or written."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="ledger", hint=hint)


class MediaToolError(OperatorError):
    """ffmpeg is missing, too old or lacks a part that is needed."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="ffmpeg", hint=hint)


class DropperError(NemoWatchError):
    """The one who dropped the file must act."""


class SidecarError(DropperError):
    """The instruction file is wrong; `line` and `column` count from 1, 0 where no place can be named."""

    def __init__(
        self, message: str, *, code: str = "sidecar_invalid", hint: str = "", line: int = 0, column: int = 0
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.line = line
        self.column = column


class MediaError(DropperError):
    """The dropped file is not something that can be edited."""


class CloudError(NemoWatchError):
    """The other side failed, refused or could not be understood.

    `code` is the backend's own number as a string where there is one ("2001"), else "http_503" or a word.
    `status` is the HTTP status, 0 where there was no answer. `refused` is True only if it is certain that the request
    had no effect: the connection was refused, or a complete error answer came before anything was accepted. For a paid
    call everything else is a doubt (contract.md 6.7). `retry_after_s` is the server's own wish, None if it has none.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        status: int = 0,
        refused: bool = False,
        retry_after_s: float | None = None,
        until: datetime | None = None,
        link: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.refused = refused
        self.retry_after_s = retry_after_s
        self.until = until
        self.link = link


class UnreachableError(CloudError):
    """No answer: not connected, broken off, timed out. `code` is "network"."""

    def __init__(self, message: str, *, hint: str = "", refused: bool = False) -> None:
        super().__init__(message, code="network", hint=hint, refused=refused)


class UnintelligibleError(CloudError):
    """An answer that the contract does not know: HTML from a proxy, JSON of another shape. `code` is "bad_reply"."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0, refused: bool = False) -> None:
        super().__init__(message, code="bad_reply", hint=hint, status=status, refused=refused)


class RefusedError(CloudError):
    """The backend answered with an error code."""
