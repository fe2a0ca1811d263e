"""One event of a stream, read with tolerance in every documented dialect. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

HEARTBEATS = frozenset({"", "heartbeat", "ping", "pong", "keepalive", "keep-alive", "keep_alive"})
_TEXT_TYPES = frozenset({"text", "chunk", "message", "text_delta"})
CALL_TYPES = frozenset({"tool_call", "tool_start", "toolcall_start", "function_call"})
RESULT_TYPES = frozenset({"tool_result", "tool_end", "toolcall_end", "function_response"})
SILENT_TYPES = frozenset(
    {"thought", "thinking", "thinking_start", "thinking_chunk", "thinking_end", "session_ready", "message_accepted"}
)
END_TYPES = frozenset({"done", "end", "complete", "[done]"})

_WORDS = re.compile(r"[^\W_]+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_CLOSING = " \t\r\n*_\"'”’)]」』》"
_STOPS = frozenset(".!?。！？…")
_SENTENCE_WORDS = 5
"""So many words in a row are no fragment, however they end."""

SNIPPET_CHARS = 200
MESSAGE_CHARS = 500


def payload_of(event: dict[str, Any]) -> Any | None:
    """Give what an envelope of success carries, None if the event is not such an envelope."""
    if "type" in event or "content" in event:
        return None
    good = event.get("success") is True or ("code" in event and not refusal_code(event))
    data = event.get("data")
    return data if good and isinstance(data, (dict, list)) else None


def refusal_code(value: dict[str, Any]) -> str:
    """Read the code of a refusal as text, "" if there is none or it says that all is well."""
    code = value.get("code")
    if isinstance(code, bool) or not isinstance(code, (int, str)):
        return ""
    text = str(code).strip() if isinstance(code, str) else _number(code)
    return "" if text in {"", "0"} else text[:SNIPPET_CHARS]


def _number(value: int) -> str:
    return str(value) if abs(value) < 10**18 else "a very large number"


def parts_of(event: dict[str, Any]) -> list[Any] | None:
    """Find the parts of an ADK event."""
    content = event.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return parts if isinstance(parts, list) else None


def comes_again(event: dict[str, Any], before: dict[str, Any], kind: str, parts: list[Any] | None) -> bool:
    """Say whether an event without an id is the one before it, told once more."""
    try:
        if event.get("id") or event.get("partial") is True or event != before:
            return False
    except RecursionError:
        return False
    if kind in CALL_TYPES | RESULT_TYPES:
        return True
    if parts is None:
        return _is_whole(bare_text(event, kind) or "")
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return not texts or _is_whole("".join(texts))


def _is_whole(text: str) -> bool:
    """Say whether a text is a sentence or more, and not a fragment of one. Chinese has no spaces between its words."""
    begin = text[:MESSAGE_CHARS]
    words = len(_WORDS.findall(begin)) + len(_CHINESE.findall(begin)) // 2
    is_sentence = text.rstrip(_CLOSING)[-1:] in _STOPS and not text.lstrip(_CLOSING)[:1].islower()
    return words >= _SENTENCE_WORDS or (words > 1 and is_sentence)


def by_user(event: dict[str, Any]) -> bool:
    """Say whether an event tells what the user said."""
    content = event.get("content")
    role = content.get("role") if isinstance(content, dict) else event.get("role")
    return word_of(event.get("author")) == "user" or word_of(role) == "user"


def bare_text(event: dict[str, Any], kind: str) -> str | None:
    """Find the text of an event that is not ADK's, None if it has none."""
    if kind in _TEXT_TYPES or not kind:
        for key in ("content", "text"):
            if isinstance(event.get(key), str):
                return str(event[key])
        message = event.get("message")
        if kind and isinstance(message, str):
            return message
    return None


def only_detail(event: dict[str, Any]) -> bool:
    """Say whether an event is nothing but FastAPI's words of an error."""
    return bool(event.get("detail")) and not event.keys() - {"detail", "status", "type"}


def word_of(value: Any) -> str:
    """Give a word in lower case, "" for what is none."""
    return value.strip().lower() if isinstance(value, str) else ""


def error_words(source: Any) -> str:
    """Find the words of an error, however deep."""
    if isinstance(source, str):
        return source
    if isinstance(source, dict):
        for key in ("message", "error_message", "msg", "detail", "error"):
            if isinstance(source.get(key), str) and source[key]:
                return str(source[key])
    return sentence_of(source) if isinstance(source, list) and source else ""


def sentence_of(value: Any) -> str:
    """Give any value as text that can be shown."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)[:MESSAGE_CHARS]
    except (ValueError, RecursionError):
        return "something that cannot be shown"
