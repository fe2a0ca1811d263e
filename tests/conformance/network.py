"""Senders over the network, with servers of their own on loopback. Touches: the inbox, loopback, children."""

from __future__ import annotations

import functools
import http.server
import os
import pwd
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.desk import LONG_S, Desk, find, free_port, sender

RATE_BYTES = 1_500_000
PRIVSEP = Path("/run/sshd")

# ---------------------------------------------------------------- ssh


def _ssh(desk: Desk) -> list[str]:
    """Start an ssh server of our own and give the options of a client that may enter."""
    port = free_port()
    for key in ("host", "user"):
        desk.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", desk.room / key)
    (desk.room / "authorized").write_bytes((desk.room / "user.pub").read_bytes())
    (desk.room / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {desk.room}/host\nAuthorizedKeysFile {desk.room}/authorized\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        f"UseDNS no\nSubsystem sftp internal-sftp\n"
    )
    if os.getuid() == 0:
        PRIVSEP.mkdir(mode=0o755, exist_ok=True)  # as its service would; it is empty and stays
    server = find("sshd")
    assert server is not None  # every sender that comes here needs it
    desk.until_open(port, desk.start(server, "-D", "-e", "-f", desk.room / "sshd_config"))
    options = {
        "Port": str(port),
        "IdentityFile": str(desk.room / "user"),
        "User": pwd.getpwuid(os.getuid()).pw_name,
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
    }
    return ["-F", "/dev/null", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]


@sender("scp", "scp", "sshd", "ssh-keygen", root=True, version=("ssh", "-V"))
def scp(desk: Desk) -> None:
    options = _ssh(desk)

    def send(kind: str) -> None:
        target = desk.target(kind)
        desk.run("scp", *options, desk.note(target), f"127.0.0.1:{target.with_suffix('.txt')}")
        limit = str(RATE_BYTES * 8 // 1000)
        child = desk.start("scp", *options, "-l", limit, desk.clip(kind), f"127.0.0.1:{target}")
        desk.stop_midway(child, target.name, 500_000)
        desk.wait(child)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "fast", "mkv", "webm", "avi")


@sender("scp-legacy", "scp", "sshd", "ssh-keygen", root=True, version=("ssh", "-V"))
def scp_legacy(desk: Desk) -> None:
    options, target = _ssh(desk), desk.target("fast")
    os.utime(desk.note(target), (1e9, 1e9))
    desk.run("scp", *options, "-O", "-p", desk.note(target), f"127.0.0.1:{target.with_suffix('.txt')}")
    child = desk.start("scp", *options, "-O", "-p", "-l", "12000", desk.clip("fast"), f"127.0.0.1:{target}")
    desk.stop_midway(child, target.name, 500_000)
    desk.wait(child)
    desk.done(target, desk.clip("fast"))


@sender("rclone-sftp", "rclone", "sshd", "ssh-keygen", root=True, version=("rclone", "version"))
def rclone_sftp(desk: Desk) -> None:
    target = desk.target("mkv")
    desk.put_note(target)
    options = dict(part.split("=", 1) for part in _ssh(desk) if "=" in part)
    site = f":sftp,host=127.0.0.1,port={options['Port']},user={options['User']},key_file='{options['IdentityFile']}'"
    how = ("--config", "", "--retries", "1", "--bwlimit", "1M", "--buffer-size", "0")
    child = desk.start("rclone", "copyto", *how, desk.clip("mkv"), f"{site}:{target}")
    desk.stop_midway(child, f"{target.name}*", 300_000)
    desk.wait(child)
    desk.done(target, desk.clip("mkv"))


@sender("sftp-reput", "sftp", "sshd", "ssh-keygen", root=True, version=("ssh", "-V"))
def sftp(desk: Desk) -> None:
    options = _ssh(desk)

    def send(kind: str) -> None:
        target = desk.target(kind)
        put, again = desk.room / f"{kind}.put", desk.room / f"{kind}.reput"
        put.write_text(f"put {desk.note(target)} {target.with_suffix('.txt')}\nput {desk.clip(kind)} {target}\n")
        again.write_text(f"reput {desk.clip(kind)} {target}\n")
        child = desk.start("sftp", *options, "-l", str(RATE_BYTES * 8 // 1000), "-b", put, "127.0.0.1")
        _break(desk, child, target)
        desk.rest()
        desk.run("sftp", *options, "-b", again, "127.0.0.1")
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "fast", "mkv")


def _break(desk: Desk, child: subprocess.Popen[bytes], target: Path, *, size_bytes: int = 700_000) -> None:
    """Kill a client half way, with its helpers, as a lost connection would."""
    desk.wait_grown(target.name, size_bytes, child)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait(LONG_S)


# ---------------------------------------------------------------- ftp


def _vsftpd(desk: Desk) -> str:
    """Start an FTP server of our own that takes uploads; its root is the folder above the inbox."""
    port = free_port()
    low = free_port()
    empty = desk.room / "empty"
    empty.mkdir()
    (desk.room / "vsftpd.conf").write_text(
        f"listen=YES\nbackground=NO\nlisten_address=127.0.0.1\nlisten_port={port}\nanonymous_enable=YES\n"
        f"no_anon_password=YES\nanon_root={desk.inbox.parent}\nwrite_enable=YES\nanon_upload_enable=YES\n"
        f"anon_mkdir_write_enable=YES\nanon_other_write_enable=YES\nanon_umask=022\nanon_world_readable_only=NO\n"
        f"secure_chroot_dir={empty}\npasv_min_port={low}\npasv_max_port={low + 200}\nseccomp_sandbox=NO\n"
        f"xferlog_enable=NO\nlocal_enable=NO\nisolate_network=NO\n"
    )
    desk.until_open(port, desk.start("vsftpd", desk.room / "vsftpd.conf"))
    return f"ftp://127.0.0.1:{port}/{desk.inbox.name}"


@sender("ftp-curl", "curl", "vsftpd", root=True)
def ftp_curl(desk: Desk) -> None:
    """Upload with a stall while the connection stands."""
    url, target = _vsftpd(desk), desk.target()
    desk.run("curl", "-sS", "-T", desk.note(target), f"{url}/{target.stem}.txt")
    child = desk.start("curl", "-sS", "--limit-rate", str(RATE_BYTES), "-T", desk.clip(), f"{url}/{target.name}")
    desk.stop_midway(child, target.name, 500_000)
    desk.wait(child)
    desk.done(target, desk.clip())


@sender("ftp-curl-resume", "curl", "vsftpd", root=True)
def ftp_curl_resume(desk: Desk) -> None:
    """Upload that breaks off, and is gone on with later."""
    url = _vsftpd(desk)

    def send(kind: str) -> None:
        target, source = desk.target(kind), desk.clip(kind)
        desk.run("curl", "-sS", "-T", desk.note(target), f"{url}/{target.stem}.txt")
        to = f"{url}/{target.name}"
        child = desk.start("curl", "-sS", "--limit-rate", str(RATE_BYTES), "-T", source, to)
        _break(desk, child, target)
        desk.rest()
        child = desk.start("curl", "-sS", "-C", "-", "--limit-rate", str(RATE_BYTES), "-T", source, to)
        _break(desk, child, target, size_bytes=1_200_000)
        desk.rest()
        desk.run("curl", "-sS", "-C", "-", "-T", source, to)
        desk.done(target, source)

    desk.each(send, "mp4", "fast", "mkv", "webm", "avi")


@sender("ftp-lftp-resume", "lftp", "vsftpd", root=True)
def ftp_lftp(desk: Desk) -> None:
    url, target = _vsftpd(desk), desk.target("fast")
    site, folder = url.rsplit("/", 1)

    def lftp(*commands: str) -> subprocess.Popen[bytes]:
        steps = "; ".join(("set net:max-retries 1", "set xfer:use-temp-file no", f"open {site}", *commands))
        return desk.start("lftp", "--norc", "-c", steps)

    put = f"put -O {folder} {desk.note(target)}"
    child = lftp(put, f"set net:limit-rate {RATE_BYTES}", f"put -O {folder} {desk.clip('fast')} -o {target.name}")
    _break(desk, child, target)
    desk.rest()
    desk.wait(lftp(f"put -c -O {folder} {desk.clip('fast')} -o {target.name}"))
    desk.done(target, desk.clip("fast"))


@sender("ftp-lftp-temp", "lftp", "vsftpd", root=True)
def ftp_lftp_temp(desk: Desk) -> None:
    """Upload under a temporary name, with a rename at the end."""
    url, target = _vsftpd(desk), desk.target()
    site, folder = url.rsplit("/", 1)
    steps = f"set xfer:use-temp-file yes; set net:limit-rate {RATE_BYTES}; open {site}; "
    child = desk.start("lftp", "--norc", "-c", f"{steps}put -O {folder} {desk.clip()} -o {target.name}")
    desk.stop_midway(child, f".in.{target.name}*", 500_000)
    desk.wait(child)
    desk.done(target, desk.clip())


# ---------------------------------------------------------------- smb


@sender("smbclient", "smbclient", "smbd", root=True)
def smb(desk: Desk) -> None:
    port = free_port()
    for folder in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
        (desk.room / folder).mkdir(mode=0o700)
    (desk.room / "lock").chmod(0o755)
    (desk.room / "smb.conf").write_text(
        f"[global]\nserver role = standalone server\nmap to guest = bad user\nguest account = nobody\n"
        f"interfaces = 127.0.0.1/8\nbind interfaces only = yes\nsmb ports = {port}\ndisable netbios = yes\n"
        f"disable spoolss = yes\nload printers = no\nprinting = bsd\nprintcap name = /dev/null\n"
        f"private dir = {desk.room}/private\nlock directory = {desk.room}/lock\nstate directory = {desk.room}/state\n"
        f"cache directory = {desk.room}/cache\npid directory = {desk.room}/pid\nncalrpc dir = {desk.room}/ncalrpc\n"
        f"log file = {desk.room}/smbd.log\n"
        f"[inbox]\npath = {desk.inbox}\nread only = no\nguest ok = yes\nforce user = root\n"
    )
    conf = str(desk.room / "smb.conf")
    desk.until_open(port, desk.start("smbd", "-F", "--no-process-group", "-s", conf))

    def send(kind: str) -> None:
        target = desk.target(kind)
        share = ("smbclient", "//127.0.0.1/inbox", "-N", "-s", conf, "-p", str(port), "-c")
        desk.run(*share, f"put {desk.note(target)} {target.stem}.txt")
        child = desk.start(*share, f"put - {target.name}", stdin=subprocess.PIPE)
        assert child.stdin is not None
        desk.feed(child.stdin, desk.clip(kind).read_bytes())
        desk.wait(child)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "fast")


# ---------------------------------------------------------------- http


class _Files(http.server.BaseHTTPRequestHandler):
    """Serves one folder's files with ranges, slowly; a name that begins with "break" loses its connection half way."""

    protocol_version = "HTTP/1.1"

    def __init__(self, desk: Desk, folder: Path, *args: object) -> None:
        self._desk = desk
        self._folder = folder
        super().__init__(*args)  # type: ignore[arg-type]  # what the server gives

    def do_GET(self) -> None:
        mode, _, kind = self.path.strip("/").partition("/")
        data = self._desk.clip(kind).read_bytes()
        asked = self.headers.get("Range")
        first, _, last = asked.removeprefix("bytes=").partition("-") if asked else ("0", "", "")
        begin, end = int(first), int(last) + 1 if last else len(data)
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", "Sun, 09 Sep 2001 01:46:40 GMT")
        self.send_header("ETag", f'"{kind}"')
        self.send_header("Content-Length", str(end - begin))
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
        self.end_headers()
        if mode == "break" and not asked:
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        for part in self._desk.halves(data[begin:end]) if mode == "stall" else [data[begin:end]]:
            self.wfile.write(part)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(self._desk.clip(self.path.rpartition("/")[2]).stat().st_size))
        self.end_headers()

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # the client was killed, as it was to be

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        return


@contextmanager
def _web(desk: Desk) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, desk, desk.room))
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@sender("curl-o", "curl")
def curl(desk: Desk) -> None:
    target = desk.target()
    desk.put_note(target)
    with _web(desk) as url:
        desk.run("curl", "-sS", "-R", "-o", target, f"{url}/stall/mp4")
    desk.done(target, desk.clip())


@sender("curl-resume", "curl")
def curl_resume(desk: Desk) -> None:
    with _web(desk) as url:

        def send(kind: str) -> None:
            target = desk.target(kind)
            desk.put_note(target)
            desk.run("curl", "-sS", "-o", target, f"{url}/break/{kind}", codes=(18,))  # 18: the transfer broke off
            desk.rest()
            desk.run("curl", "-sS", "-C", "-", "-o", target, f"{url}/stall/{kind}")
            desk.done(target, desk.clip(kind))

        desk.each(send, "mp4", "fast", "mkv", "avi")


@sender("wget", "wget")
def wget(desk: Desk) -> None:
    target = desk.target("fast")
    desk.put_note(target)
    with _web(desk) as url:
        desk.run("wget", "-q", "-O", target, f"{url}/stall/fast")
    desk.done(target, desk.clip("fast"))


@sender("wget-resume", "wget")
def wget_resume(desk: Desk) -> None:
    target = desk.target("fast")
    with _web(desk) as url:
        desk.run("wget", "-q", "-t", "1", "-O", target, f"{url}/break/fast", codes=(4,))  # 4: network failure
        desk.rest()
        desk.run("wget", "-q", "-c", "-O", target, f"{url}/stall/fast")
    desk.done(target, desk.clip("fast"))


@sender("aria2", "aria2c")
def aria2(desk: Desk) -> None:
    with _web(desk) as url:

        def send(kind: str) -> None:
            target = desk.target(kind)
            how = {"mp4": "falloc", "fast": "prealloc", "mkv": "none"}[kind]
            desk.put_note(target)
            desk.run(
                *("aria2c", "-q", "--no-conf", f"--file-allocation={how}", "-s", "2", "-x", "2", "-k", "1M"),
                *("-d", desk.inbox, "-o", target.name, f"{url}/stall/{kind}"),
            )
            desk.done(target, desk.clip(kind))

        desk.each(send, "mp4", "fast", "mkv")
