"""Write the files of a multipart body to disk while it arrives, in memory never more than a piece of it.

Touches: one folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from nemo_watch.sandbox.landing import Landing, Received, safe_name
from nemo_watch.sandbox.wire import Refusal

FIELD = b"files"
MAX_FILES = 64
MAX_BODY_OVERHEAD_BYTES = 1024 * 1024
"""Boundaries, headers and other fields of the form."""


class FileSink:
    """Takes a multipart body in pieces and writes each part of the field `files` to the folder.

    Not async: give it to a thread. `feed` raises a Refusal for a name or size that is not accepted, and for a body
    that is not multipart.
    """

    def __init__(self, content_type: str, folder: Path, *, check_name: Callable[[str], str], limit_bytes: int) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise Refusal(400, "The upload is not multipart/form-data with a boundary.", status=400)
        self._folder, self._check_name, self._limit_bytes = folder, check_name, limit_bytes
        self._received: list[Received] = []
        self._landings: list[Landing] = []
        self._file: Landing | None = None
        self._other_bytes = 0
        self._ended = False
        self._begin_part()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise Refusal(400, f"The upload cannot be read: {error}.", status=400) from error

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise Refusal(400, f"The upload cannot be read: {error}.", status=400) from error

    def finish(self) -> tuple[Received, ...]:
        """Say which files came, once the body has ended."""
        if not self._ended:
            raise Refusal(400, "The upload ends before its last boundary.", status=400)
        if not self._received:
            raise Refusal(400, "The upload holds no file in the form field `files`.", status=400)
        return tuple(self._received)

    def abandon(self) -> None:
        """Remove everything that was written."""
        for landing in self._landings:
            landing.abandon()

    def _begin_part(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != FIELD or b"filename" not in options:
            return
        if len(self._received) >= MAX_FILES:
            raise Refusal(400, f"One upload holds at most {MAX_FILES} files.", status=400)
        name = safe_name(options[b"filename"].decode("utf-8", "replace"))
        self._file = Landing(self._folder, name, self._check_name(name), limit_bytes=self._limit_bytes)
        self._landings.append(self._file)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._other_bytes += end - start
            if self._other_bytes > MAX_BODY_OVERHEAD_BYTES:
                raise Refusal(400, "The upload holds too much beside its files.", status=400)
            return
        self._file.write(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        if self._file is not None:
            self._received.append(self._file.finish())
            self._file = None

    def _on_end(self) -> None:
        self._ended = True
