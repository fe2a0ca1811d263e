"""Addresses of the web as they may be told: without user info and query, which often are passwords. Pure."""

from __future__ import annotations

import unicodedata
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SCHEMES = ("http", "https")
MOST_SIGNS = 2000
UNREADABLE = "an address that cannot be read"


def redacted(url: str) -> str:
    """Tell scheme, host, port and path of an address; whatever else is in it may be a secret and is dropped.

    Of what is no web address nothing is told, as nobody knows where in it the secret stands. Never raises.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        return UNREADABLE
    if parts.scheme not in SCHEMES or not host:
        return UNREADABLE
    bracketed = f"[{host}]" if ":" in host else host
    return _plain(f"{parts.scheme}://{bracketed}{'' if port is None else f':{port}'}{parts.path}")


def scrubbed(text: str, url: str) -> str:
    """Take an address and its secret parts out of what somebody else says of it. Never raises."""
    try:
        parts = urlsplit(url.strip())
        secrets = [url.strip(), parts.query, parts.netloc.rpartition("@")[0], parts.password or "", parts.fragment]
        secrets += [parts.username or "", *(value for _name, value in parse_qsl(parts.query, keep_blank_values=True))]
    except ValueError:
        secrets = [url.strip()]
    for secret in sorted(secrets, key=len, reverse=True):
        for form in (secret, unquote(secret), quote(secret, safe="")):
            if len(form) > 3:
                text = text.replace(form, redacted(url) if secret == url.strip() else "…")
    return text


def problem(url: str) -> str:
    """Say what is wrong with an address that is to be fetched, in words that repeat nothing of it; "" if it is good."""
    if len(url) > MOST_SIGNS:
        return f"is longer than {MOST_SIGNS} signs"
    if any(unicodedata.category(sign)[0] in "ZC" for sign in url):
        return "holds a blank or a control character"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "is not a web address"
    if parts.scheme not in SCHEMES:
        return "must begin with http:// or https://"
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        return "has a port that is no number up to 65535"
    if port == 0:
        return "has a port that is no number up to 65535"
    return "" if host else "names no host"


def _plain(text: str) -> str:
    """Write out what a terminal or a log could take for something else."""
    return "".join(
        quote(sign, safe="", errors="replace") if unicodedata.category(sign)[0] in "ZC" else sign for sign in text
    )
