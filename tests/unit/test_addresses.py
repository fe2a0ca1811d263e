"""addresses: which hosts are asked for a file, what a URL is taken apart into, and what is told of it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nemo_watch.sandbox.addresses import UrlError, all_may_be_fetched, may_be_fetched, read_url, redirected


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "169.253.255.255",
        "192.167.255.255",
        "223.255.255.255",
        "2606:2800:220:1:248:1893:25c8:1946",
        "2a00:1450:4001:80b::200e",
    ],
)
def test_a_public_address_is_asked(address: str) -> None:
    assert may_be_fetched(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:2800::1%eth0",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "",
        "example.com",
        "127.1",
        "0x7f000001",
    ],
)
def test_any_other_address_is_let_alone(address: str) -> None:
    assert not may_be_fetched(address)
    assert may_be_fetched(address, (address,))  # unless it is let pass by name


def test_one_address_that_is_not_public_spoils_the_name() -> None:
    assert all_may_be_fetched(["93.184.216.34", "1.1.1.1"])
    assert not all_may_be_fetched(["93.184.216.34", "10.0.0.1"])
    assert not all_may_be_fetched([])


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "request_", "filename"),
    [
        ("http://a.example/x/clip.mp4", "a.example", 80, "a.example", "/x/clip.mp4", "clip.mp4"),
        ("HTTPS://A.Example:443/clip.mp4?k=1#f", "a.example", 443, "a.example", "/clip.mp4?k=1", "clip.mp4"),
        ("http://a.example:8080", "a.example", 8080, "a.example:8080", "/", ""),
        ("http://[2606:2800::1]:81/b%20c.mp4", "2606:2800::1", 81, "[2606:2800::1]:81", "/b%20c.mp4", "b c.mp4"),
        (
            "https://例子.测试/秋.mp4",
            "xn--fsqu00a.xn--0zwm56d",
            443,
            "xn--fsqu00a.xn--0zwm56d",
            "/%E7%A7%8B.mp4",
            "秋.mp4",
        ),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, authority: str, request_: str, filename: str) -> None:
    target = read_url(url)
    assert (target.host, target.port, target.authority) == (host, port, authority)
    assert (target.request, target.filename) == (request_, filename)


def test_secrets_are_kept_out_of_what_is_told() -> None:
    target = read_url("https://ann:pa%3Ass@a.example/clip.mp4?token=secret")
    assert target.authorization == "Basic YW5uOnBhOnNz"
    for told in (target.told, repr(target), str(target)):
        assert "https://a.example/clip.mp4" in told
        for secret in ("ann", "pa", "secret", "token", "Basic", "YW5"):
            assert secret not in told.replace("a.example", "").replace("clip.mp4", "").replace("Target", "")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "clip.mp4",
        "//a.example/clip.mp4",
        "file:///etc/passwd",
        "ftp://a.example/clip.mp4",
        "gopher://a.example/",
        "data:video/mp4;base64,AAAA",
        "http://",
        "http:///clip.mp4",
        "http://:80/",
        "http://a.example:0/",
        "http://a.example:99999/",
        "http://a.example:x/",
        "http://[::1/",
        "http://[zz]/",
        "http://a b.example/",
        "http://a.example/clip.mp4\r\nX-Header: 1",
        "http://a.example\\@127.0.0.1/",
        "http://a.example/\u202egnp.mp4",
        "http://a..example%2f@/",
        "http://-a.example/",
        "http://a.example/" + "x" * 9000,
    ],
)
def test_what_is_no_address_of_a_file_is_refused(url: str) -> None:
    with pytest.raises(UrlError) as refused:
        read_url(url)
    assert "passwd" not in str(refused.value)


def test_credentials_stay_with_their_origin() -> None:
    first = read_url("https://ann:secret@a.example/clip.mp4?k=1")
    assert redirected(first, "/other.mp4").authorization == first.authorization
    assert redirected(first, "other.mp4?x=2").request == "/other.mp4?x=2"
    for elsewhere in ("https://b.example/clip.mp4", "http://a.example/clip.mp4", "https://a.example:444/clip.mp4"):
        assert redirected(first, elsewhere).authorization == ""
    with pytest.raises(UrlError):
        redirected(first, "file:///etc/passwd")


@given(st.text() | st.from_regex(r"https?://[\w@:.\[\]%/?#-]{0,60}", fullmatch=True))
@example("http://a.example:１/")
@example("http://xn--/")
@example("http://\udc80.example/")
def test_any_text_is_an_address_or_refused(text: str) -> None:
    with contextlib.suppress(UrlError):
        target = read_url(text)
        assert target.request.isascii()
        assert target.request.startswith("/")
        assert target.authority.isascii()
        assert 1 <= target.port <= 65_535
        with contextlib.suppress(UrlError):
            redirected(target, text[::-1])
