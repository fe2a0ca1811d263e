"""The events of one message's stream, in every documented dialect, gathered into a Turn. Pure."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any, Literal

from nemo_watch.model import Turn
from nemo_watch.reply.events import (
    CALL_TYPES,
    END_TYPES,
    HEARTBEATS,
    MESSAGE_CHARS,
    RESULT_TYPES,
    SILENT_TYPES,
    SNIPPET_CHARS,
    bare_text,
    by_user,
    comes_again,
    error_words,
    only_detail,
    parts_of,
    payload_of,
    refusal_code,
    sentence_of,
    word_of,
)
from nemo_watch.reply.words import printable, without_secrets

EventKind = Literal["keepalive", "text", "tool", "error", "end", "dropped", "unknown"]
"""What an event was: everything but "keepalive" shows that the turn is alive; "dropped" is known and not for people."""

_TEXT_MOST_CHARS = 1_000_000
_PROGRESS_CHARS = 4000
_TOOLS_MOST = 1000
_UNKNOWN_MOST = 20
_IDS_MOST = 20_000
_LISTED_MOST = 20_000

_NO_CREDITS = "2001"
NO_CREDITS_SAID = "2001?"
"""The code of a turn whose words alone speak of exhausted credits: a title may do that, too, so the balance decides."""
# "2001" as a number of its own: not a part of a longer number, a date or a version.
_NO_CREDITS_IN_ERROR = re.compile(r"(?<![\d.\-/])2001(?![\d\-/]|\.\d)")
_NO_CREDITS_IN_TEXT = re.compile(
    r"\b(?:code|error)\W{0,4}2001(?!\d)|(?<!\d)2001\W{1,4}[^.\n]{0,40}?(?:credits?|积分)", re.I
)

# The backend often closes a good turn with this sentence (contract.md 6.5); what follows it may only be a request to
# try again, so that a report such as "... a temporary issue, so the music is another one. Title added." stays.
_NOISE_START = re.compile(
    r"(?:\bsorry[,.!]? (?:but )?|\bunfortunately,? )?"
    r"\bI(?:'ve| have| just)? encountered a temporary (?:issue|problem|error)\b"
    r"|(?:抱歉[,，。]?)?我?遇到了?(?:一个|一些)?(?:临时|暂时)性?的?问题",
    re.I,
)
_TRY_AGAIN = re.compile(r"try(?:ing)? again|retry|later|apologi[sz]e|apologies|sorry|重试|再试|稍后|抱歉", re.I)
_SENTENCE_END = re.compile(r"[.!?。！？…\n]+")
_NOISE_SENTENCE_CHARS = 160
_NOISE_CHARS = 400


class TurnBuilder:
    """Takes a stream's events one by one and gives the Turn at its end; any input is survived.

    The final text is made of the whole texts; fragments count only where no whole text followed them. An in-stream
    error's code is "2001" where an error or a tool speaks of exhausted credits, NO_CREDITS_SAID where only the text
    does, the backend's own code where there is one, else "stream_error". The sentence about a temporary issue is
    dropped after other text; alone it makes the error code "temporary_issue".
    Source: contract.md 6.2-6.5.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._partials: list[str] = []
        self._chars = 0
        self._tools: list[str] = []
        self._unknown: list[str] = []
        self._error: tuple[str, str] | None = None
        self._no_credits = ""
        self._no_credits_said = ""
        self._seen: set[str] = set()
        self._before: dict[str, Any] = {}
        self._break_before_text = False

    @property
    def text_so_far(self) -> str:
        """The end of the text as far as it has come, fragments included: for progress, not for the report."""
        tail: list[str] = []
        length = 0
        for piece in itertools.chain(reversed(self._partials), reversed(self._texts)):
            tail.append(piece)
            length += len(piece)
            if length >= _PROGRESS_CHARS:
                break
        return without_secrets("".join(reversed(tail))[-_PROGRESS_CHARS:])

    def feed(self, event_type: str, data: str) -> EventKind:
        """Take one event as the stream's parser gives it.

        Repeat: once per event; an event that comes again is dropped. It is known by its id; one without an id by being
        the very same as the one just before it, if it is a tool's or its text is whole: nobody says a sentence twice
        in a row, while two equal fragments ("ha", "ha") may be meant.
        """
        raw = data.strip().removeprefix("\ufeff").strip()
        if raw.lower() in HEARTBEATS:
            return "keepalive"
        if raw.upper() == "[DONE]":
            return "end"
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            if event_type.lower() == "error":
                return self._fail(raw)
            return "keepalive"
        if event_type.lower() in HEARTBEATS - {"", "message"}:
            return "keepalive"
        return self.feed_value(value)

    def feed_value(self, value: Any) -> EventKind:
        """Take one event that is already JSON: a list is taken as its events in order, the last one's kind is given.

        Of a list without end the first ones are taken.
        """
        pending: list[Any] = [value]
        kind: EventKind = "keepalive"
        for _ in range(_LISTED_MOST):
            if not pending:
                break
            event = pending.pop()
            if isinstance(event, list):
                pending.extend(reversed(event))
            elif isinstance(event, dict):
                inner = payload_of(event)
                if inner is not None:
                    pending.append(inner)
                else:
                    kind = self._event(event)
            elif isinstance(event, str) and event.strip().lower() in HEARTBEATS:
                kind = "keepalive"
            elif isinstance(event, str) and event.strip().upper() == "[DONE]":
                kind = "end"
            else:
                kind = self._remember_unknown(event)
        return kind

    def finish(self, *, ended: bool) -> Turn:
        """Give the Turn. `ended` says whether the stream came to its own end.

        Repeat: safe.
        """
        text = "".join(self._texts + self._partials).strip()
        without_noise = _without_noise(text)
        code, message = self._error or ("", "")
        if text and not without_noise and not code:
            code, message = "temporary_issue", text
        if self._no_credits:
            code, message = _NO_CREDITS, message if code == _NO_CREDITS else self._no_credits
        elif self._no_credits_said and not code:
            code, message = NO_CREDITS_SAID, self._no_credits_said
        return Turn(
            text=without_noise,
            tools=tuple(self._tools),
            error_code=code,
            error_message=without_secrets(message)[:MESSAGE_CHARS],
            ended=ended,
            unknown=tuple(self._unknown),
        )

    # ------------------------------------------------------------ one event

    def _event(self, event: dict[str, Any]) -> EventKind:
        kind = word_of(event.get("type"))
        parts = parts_of(event)
        if kind in HEARTBEATS and kind:
            return "keepalive"
        if not event:
            return "keepalive"
        before, self._before = self._before, event
        if comes_again(event, before, kind, parts):
            return "dropped"
        if kind in CALL_TYPES | RESULT_TYPES:
            return self._typed_tool(event, kind)
        if event.get("error") and parts is None and not isinstance(event.get("content"), str):
            return self._fail(event["error"], event)
        if kind == "error":
            return self._fail(event.get("message") or event.get("content") or event.get("text") or "", event)
        if refusal_code(event) and parts is None and not kind:
            return self._fail(event.get("message") or event.get("msg") or "", event)
        if only_detail(event):
            return self._fail(event["detail"], event)
        failed = self._model_error(event)
        if parts is not None:
            of_parts = self._adk_event(event, parts)
            return "error" if failed else of_parts
        if failed:
            return "error"
        if kind in END_TYPES:
            return "end"
        if kind in SILENT_TYPES:
            return "dropped"
        text = bare_text(event, kind)
        if text is not None:
            return self._fragment(text, by_user=by_user(event))
        if "actions" in event or "invocationId" in event or "invocation_id" in event:
            return "dropped"
        return self._remember_unknown(event)

    def _adk_event(self, event: dict[str, Any], parts: list[Any]) -> EventKind:
        partial = event.get("partial") is True
        event_id = event.get("id")
        if isinstance(event_id, str) and event_id and not partial:
            # Fragments may share the id of the whole text that follows them, so only whole events are compared.
            if event_id in self._seen:
                return "dropped"
            if len(self._seen) < _IDS_MOST and len(event_id) <= SNIPPET_CHARS:
                self._seen.add(event_id)
        texts: list[str] = []
        kind: EventKind = "dropped"
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            if not isinstance(part, dict) or part.get("thought"):
                continue
            if isinstance(part.get("text"), str):
                texts.append(part["text"])
            call = part.get("functionCall", part.get("function_call"))
            result = part.get("functionResponse", part.get("function_response"))
            if isinstance(call, dict):
                self._call(call.get("name"))
                kind = "tool"
            if isinstance(result, dict):
                self._result(result.get("name"), result.get("response"))
                kind = "tool"
        text = "".join(texts)
        if not text or by_user(event):
            return kind
        if partial:
            if kept := self._within(text):
                self._partials.append(kept)
        else:
            self._chars -= sum(map(len, self._partials))
            self._partials.clear()
            self._whole(text)
        return "text"

    def _whole(self, text: str) -> None:
        """Add a whole text: unlike a fragment it is a message of its own and begins on a new line."""
        self._break_before_text = True
        self._add(text)
        self._break_before_text = True

    def _fragment(self, text: str, *, by_user: bool) -> EventKind:
        if by_user or not text:
            return "dropped"
        self._add(text)
        return "text"

    def _add(self, text: str) -> None:
        self._scan_text(text)
        last = self._texts[-1] if self._texts else ""
        if self._break_before_text and last and not last[-1:].isspace() and not text[:1].isspace():
            self._texts.append("\n")
        self._break_before_text = False
        kept = self._within(text)
        if kept:
            self._texts.append(kept)

    def _within(self, text: str) -> str:
        kept = printable(text, keep_lines=True)[: max(0, _TEXT_MOST_CHARS - self._chars)]
        self._chars += len(kept)
        return kept

    # ------------------------------------------------------------ tools

    def _typed_tool(self, event: dict[str, Any], kind: str) -> EventKind:
        name = next((event[key] for key in ("tool_name", "tool", "name") if isinstance(event.get(key), str)), "")
        if kind in CALL_TYPES:
            self._call(name)
        else:
            self._result(name, event.get("result", event.get("response", event.get("error"))))
        return "tool"

    def _call(self, name: Any) -> None:
        self._break_before_text = True
        if isinstance(name, str) and name and len(self._tools) < _TOOLS_MOST:
            self._tools.append(printable(name)[:SNIPPET_CHARS])

    def _result(self, name: Any, response: Any) -> None:
        self._break_before_text = True
        if isinstance(name, str) and name and printable(name)[:SNIPPET_CHARS] not in self._tools:
            self._call(name)
        if isinstance(response, dict):
            if response.get("error") or word_of(response.get("status")) in ("error", "failed"):
                # What failed was not used: nobody may say that it made something.
                self._tools = [tool for tool in self._tools if tool != name]
            told = response.get("error") or response.get("message") or ""
            if refusal_code(response) == _NO_CREDITS or (
                response.get("error") and _NO_CREDITS_IN_ERROR.search(sentence_of(told))
            ):
                self._no_credits = sentence_of(told) or sentence_of(response)
        elif isinstance(response, str):
            self._scan_text(response)

    # ------------------------------------------------------------ errors

    def _model_error(self, event: dict[str, Any]) -> bool:
        code = event.get("errorCode") or event.get("error_code")
        if not code:
            return False
        self._note_error(sentence_of(code), sentence_of(event.get("errorMessage") or event.get("error_message") or ""))
        return True

    def _fail(self, told: Any, event: dict[str, Any] | None = None) -> EventKind:
        details = (event or {}).get("error_details")
        sources = [source for source in (told, event, details) if isinstance(source, dict)]
        code = next((found for source in sources if (found := refusal_code(source))), "")
        message = ""
        for source in [told, *sources]:
            message = message or error_words(source)
        self._note_error(code or "stream_error", message or "The backend reported an error without words.")
        return "error"

    def _note_error(self, code: str, message: str) -> None:
        if code == _NO_CREDITS or _NO_CREDITS_IN_ERROR.search(message):
            self._no_credits = message or code
        if self._error is None:
            self._error = (printable(code)[:SNIPPET_CHARS], printable(message))

    def _scan_text(self, text: str) -> None:
        found = _NO_CREDITS_IN_TEXT.search(text)
        if found:
            self._no_credits_said = printable(text[max(0, found.start() - 100) : found.end() + 100])

    def _remember_unknown(self, event: Any) -> EventKind:
        if len(self._unknown) < _UNKNOWN_MOST:
            self._unknown.append(without_secrets(printable(sentence_of(event)))[:SNIPPET_CHARS])
        return "unknown"


def _without_noise(text: str) -> str:
    for start in _NOISE_START.finditer(text, max(0, len(text) - _NOISE_CHARS)):
        before = text[: start.start()].rstrip()
        first, *others = (part.strip() for part in _SENTENCE_END.split(text[start.start() :]))
        starts_sentence = not before or text[start.start() - 1] == "\n" or before[-1] in '.!?。！？…)"”'
        only_noise = len(first) <= _NOISE_SENTENCE_CHARS and all(_TRY_AGAIN.search(part) for part in others if part)
        if starts_sentence and only_noise:
            return before
    return text
