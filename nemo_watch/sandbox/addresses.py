"""Addresses that files are fetched from: which URLs are taken, what is told of them, which hosts are asked. Pure."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin, urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL_CHARS = 8000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?\Z")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"
_QUERY_SAFE = _PATH_SAFE + "?"

_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network: 0.0.0.0 reaches this machine
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud has its metadata at 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public, and is one cloud's own service for its machines
        "169.254.0.0/16",  # link-local, and the metadata of most clouds at 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
"""All that was ever given out. Loopback, ::, mapped and compatible IPv4, NAT64, unique local (with the metadata of one
cloud), link-local, site-local and multicast addresses lie outside."""
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo and other things of the IETF: an IPv4 address may hide in it
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address hides in it
        "3fff::/20",
    )
)


class UrlError(ValueError):
    """An address nothing is fetched from; the text says why, without anything secret."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes. `authority` is what the Host header says, `told` all that people and logs are told.

    `request` (path and query) and `authorization` may hold secrets.
    """

    scheme: str
    host: str
    port: int
    authority: str
    request: str
    filename: str
    told: str
    authorization: str

    def __repr__(self) -> str:
        return f"Target({self.told})"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials are for: they never go to another one."""
        return self.scheme, self.host, self.port


def read_url(url: str) -> Target:
    """Take an address apart: http or https, a host, no control characters.

    Raises: UrlError.
    Source: product.md 3; contract.md "What no source says" 20.
    """
    if len(url) > MAX_URL_CHARS:
        raise UrlError(f"The address is longer than {MAX_URL_CHARS} characters.")
    if any(c.isspace() or not c.isprintable() for c in url) or "\\" in url:
        raise UrlError("The address holds a space, a backslash or a character that cannot be seen.")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise UrlError("The address cannot be read: its host or its port is not one.") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise UrlError("The address does not begin with http:// or https://.")
    host = _host(host)
    if port == 0:
        raise UrlError("The address names port 0.")
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{shown}:{port}"
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    return Target(
        scheme=parts.scheme,
        host=host,
        port=port or _DEFAULT_PORTS[parts.scheme],
        authority=authority,
        request=path + (f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else ""),
        filename=unquote(parts.path.rpartition("/")[2], errors="replace"),
        told=f"{parts.scheme}://{authority}{path}",
        authorization=_basic(parts.username, parts.password),
    )


def redirected(target: Target, location: str) -> Target:
    """Follow a redirect: credentials go along to the same origin only.

    Raises: UrlError.
    """
    if any(c.isspace() or not c.isprintable() for c in location) or "\\" in location:
        raise UrlError("The redirect's address holds a character that does not belong there.")
    try:
        joined = urljoin(f"{target.scheme}://{target.authority}{target.request}", location)
    except ValueError as error:
        raise UrlError("The redirect's address cannot be read.") from error
    following = read_url(joined)
    if following.authorization or following.origin != target.origin or not target.authorization:
        return following
    return Target(**{name: getattr(following, name) for name in _FIELDS} | {"authorization": target.authorization})


_FIELDS = tuple(Target.__dataclass_fields__)


def may_be_fetched(address: str, let_pass: Collection[str] = ()) -> bool:
    """Tell whether a host at this address may be asked: a public one, or one of those that are let pass by name.

    Source: the special-purpose registries of IANA for IPv4 and IPv6.
    """
    if address in let_pass:
        return True
    try:
        parsed: IPAddress = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in _NOT_PUBLIC_4)
    public = parsed.scope_id is None and parsed in _PUBLIC_6
    return public and not any(parsed in network for network in _NOT_PUBLIC_6)


def all_may_be_fetched(addresses: Iterable[str], let_pass: Collection[str] = ()) -> bool:
    """Tell whether every address of a host may be asked: one that may not spoils the name."""
    found = tuple(addresses)
    return bool(found) and all(may_be_fetched(address, let_pass) for address in found)


def _host(host: str) -> str:
    if not host:
        raise UrlError("The address names no host.")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError as error:
            raise UrlError("The address names a host that is not one.") from error
    try:
        plain = host if host.isascii() else host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise UrlError("The address names a host that is not one.") from error
    if not _NAME.match(plain):
        raise UrlError("The address names a host that is not one.")
    return plain


def _basic(user: str | None, password: str | None) -> str:
    if user is None and password is None:
        return ""
    both = unquote_to_bytes(user or "") + b":" + unquote_to_bytes(password or "")
    return "Basic " + base64.b64encode(both).decode("ascii")
