"""Uploads by address from a host with a public address and a name, as the sandbox meets them outside of tests.

In a network namespace of its own, whose only interface carries a public address, and with a hosts file of its own; as
root.
"""

from __future__ import annotations

import fcntl
import http.server
import os
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import Caller, clip_bytes

PUBLIC = "93.184.216.34"
HOSTS = (
    f"127.0.0.1 localhost inside.example\n{PUBLIC} media.example\n{PUBLIC} both.example\n10.9.8.7 both.example\n"
    "169.254.169.254 metadata.example\n"
)
ENTER = 'mount --bind "$0" /etc/hosts && exec "$@"'
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.timeout(120)
def test_public_hosts_are_asked_and_no_others(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS)
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", ENTER, str(hosts), sys.executable, "-m", __name__],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "all was seen"


# ---------------------------------------------------------------- inside


def give_addresses() -> None:
    """Raise the loopback and give it a public address: nothing else is there to be reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        flags = struct.unpack("16sh", fcntl.ioctl(sock, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh", b"lo", flags | 1))
        for request, address in ((0x8916, PUBLIC), (0x891C, "255.255.255.255")):
            told = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(sock, request, told)


class Origin(http.server.BaseHTTPRequestHandler):
    """The host: a clip, and ways from it to where nothing may be fetched."""

    seen: list[tuple[str, str]] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        self.seen.append((self.headers["Host"], self.path))
        place = {"/inside.mp4": "http://inside.example/clip.mp4", "/meta.mp4": "http://metadata.example/x.mp4"}
        if self.path in place:
            self.send_response(302)
            self.send_header("Location", place[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(clip_bytes())))
        self.end_headers()
        self.wfile.write(clip_bytes())

    def log_message(self, *_: Any) -> None:
        pass


class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass  # a certificate that is not accepted ends the connection


def served(port: int, tls: ssl.SSLContext | None = None) -> None:
    server = Threaded(("0.0.0.0", port), Origin)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def with_a_certificate_of_its_own(folder: Path, names: list[str | None]) -> ssl.SSLContext:
    """Make a TLS server that notes which name it is asked for."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-subj", "/CN=media.example"]
    subprocess.run([*argv, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    def noted(_sock: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        names.append(name)

    tls.sni_callback = noted
    return tls


def main() -> None:
    give_addresses()
    names: list[str | None] = []
    with tempfile.TemporaryDirectory() as folder:
        served(80)
        served(443, with_a_certificate_of_its_own(Path(folder), names))
        with SandboxServer(Path(folder, "store")) as server, Caller(server.url) as caller:
            session = caller.session()

            def fetch(url: str) -> Any:
                body = {"urls": [url], "source_type": "url"}
                return caller.http.post(f"/api/upload-video/nemo_agent/me/{session}", json=body).json()

            for good in (f"http://{PUBLIC}/clip.mp4", "http://media.example/clip.mp4"):
                told = fetch(good)
                assert told["code"] == 0, told
            assert Origin.seen == [(PUBLIC, "/clip.mp4"), ("media.example", "/clip.mp4")]
            refused = (
                ("http://inside.example/clip.mp4", "http://inside.example/clip.mp4"),
                ("http://metadata.example/clip.mp4", "http://metadata.example/clip.mp4"),
                ("http://both.example/clip.mp4", "http://both.example/clip.mp4"),  # one of its addresses is private
                ("http://media.example/inside.mp4", "http://inside.example/clip.mp4"),
                ("http://media.example/meta.mp4", "http://metadata.example/x.mp4"),
                (f"{server.cdn_url}/clip.mp4", f"{server.cdn_url}/clip.mp4"),
            )
            for url, named in refused:
                told = fetch(url)
                assert told["code"] == 400, (url, told)
                assert told["message"].startswith(f"{named} is not fetched"), told
            assert [host for host, _ in Origin.seen[2:]] == ["media.example", "media.example"]
            told = fetch("https://media.example/clip.mp4")
            assert (told["code"], "certificate" in told["message"]) == (502, True), told
            assert names == ["media.example"], names  # the name, though the connection goes to the address
            told = fetch("http://nobody.example/clip.mp4")
            assert (told["code"], "not known" in told["message"]) == (502, True), told
    print("all was seen")


if __name__ == "__main__":
    main()
