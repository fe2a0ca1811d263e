"""Any bytes as an event stream, through what reads them: the bound, the parser, the builder of turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from httpx_sse import EventSource
from hypothesis import example, given, settings

from nemo_watch.client.transport import event_response, looks_like_events
from nemo_watch.errors import UnintelligibleError
from nemo_watch.model import Turn
from nemo_watch.reply import TurnBuilder, plain_words
from tests.mangling import STREAMS, bounded, in_pieces


def read(pieces: Sequence[bytes]) -> Turn | None:
    """Read a stream as the client does; None if it was refused."""

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def turn() -> Turn:
        builder = TurnBuilder()
        async for event in EventSource(event_response(chunks(), "testing")).aiter_sse():
            builder.feed(event.event, event.data)
            builder.text_so_far.encode("utf-8")
        return builder.finish(ended=True)

    try:
        return asyncio.run(turn())
    except UnintelligibleError:
        return None


@settings(max_examples=300)
@given(in_pieces(STREAMS))
@example([b"\xef", b"\xbb\xbfdata: ", b'{"text":"Hi"}\n\n'])
@example([b"data: \xe6", b"\xa0\x87\n\n"])
@example([b'data: {"text":"a\xe2\x80\xa8b"}', b"\r", b"\n\r\n"])
def test_any_bytes_are_a_turn_however_they_are_cut(pieces: list[bytes]) -> None:
    with bounded(cpu_s=4):
        turn = read(pieces)
        assert turn == read([b"".join(pieces)])
    assert turn is not None
    for text in (turn.text, turn.error_code, turn.error_message, *turn.tools, *turn.unknown, plain_words(turn.text)):
        text.encode("utf-8")
    assert looks_like_events(b"".join(pieces)) in (True, False)
