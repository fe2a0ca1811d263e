"""From the bytes of an instruction file to its text, and from a plain text to its messages. Pure."""

from __future__ import annotations

import codecs
import unicodedata

from nemo_watch.errors import SidecarError

LIMIT_BYTES = 64 * 1024
EXAMPLE = "cut the pauses and add background music"


def decoded(data: bytes) -> str:
    """Read the bytes as text; whatever ends a line there is a newline here.

    Raises: SidecarError with the offset of the byte that does not fit.
    """
    if len(data) > LIMIT_BYTES:
        raise SidecarError(
            f"the instruction file is longer than {LIMIT_BYTES} bytes (64 KiB).",
            hint="Shorten it: an instruction is a few sentences.",
        )
    encoding, skipped = "utf-8", 0
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise SidecarError("the instruction file is UTF-32 text.", hint="Save it as UTF-8 and drop it again.")
    for mark, marked in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            encoding, skipped = marked, len(mark)
    body = data[skipped:]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(encoding, skipped + error.start) from error
    if (nul := text.find("\0")) >= 0:
        raise _not_text(encoding, skipped + len(text[:nul].encode(encoding)))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def messages(text: str) -> tuple[str, ...]:
    """Split a plain text at its lines `---`. Raises: SidecarError if there is nothing in it."""
    parts: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    found = tuple(message for part in parts if is_visible(message := "\n".join(part).strip()))
    if not found:
        raise empty(EXAMPLE)
    return found


def empty(example: str) -> SidecarError:
    """Make the complaint about a file in which nothing stands."""
    return SidecarError("the instruction file is empty.", hint=f'Write what is to be done, for example "{example}".')


def is_visible(text: str) -> bool:
    """Whether there is anything to see: zero-width signs and blanks are no instruction."""
    return any(unicodedata.category(sign)[0] not in "ZC" for sign in text)


def _not_text(encoding: str, offset: int) -> SidecarError:
    kind = "UTF-8" if encoding == "utf-8" else "UTF-16"
    return SidecarError(
        f"the instruction file is not {kind} text: the byte at offset {offset} does not fit.",
        hint="Save it as UTF-8 (in Notepad: Save as, Encoding UTF-8) and drop it again.",
    )
