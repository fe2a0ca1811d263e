"""Senders that bring a folder into step with another one: rsync, rclone, Syncthing.

Touches: the inbox, loopback, servers as children.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

from tests.conformance.desk import LONG_S, Desk, free_port, sender

SLOW = "--bwlimit=1500"


def _source(desk: Desk, kind: str) -> tuple[Path, Path]:
    """Lay out a clip and its sidecar under the names that they are to have."""
    target = desk.target(kind)
    desk.note(target)
    return target, Path(shutil.copy2(desk.clip(kind), desk.room / target.name))


def _rsync(desk: Desk, kind: str, pattern: str, *options: str, to: str = "") -> None:
    """Send sidecar and clip with a stop half way; `pattern` is the name it has meanwhile."""
    target, source = _source(desk, kind)
    text = source.with_suffix(".txt")
    child = desk.start("rsync", "-a", SLOW, *options, text, source, to or f"{desk.inbox}/")
    desk.stop_midway(child, pattern.format(target.name), 500_000)
    desk.wait(child)
    desk.done(target, source)


@sender("rsync", "rsync")
def rsync(desk: Desk) -> None:
    desk.each(lambda kind: _rsync(desk, kind, ".{}.*"), "mp4", "mkv", "webm", "avi")


@sender("rsync-inplace", "rsync")
def rsync_inplace(desk: Desk) -> None:
    desk.each(lambda kind: _rsync(desk, kind, "{}", "--inplace"), "mp4", "fast", "mkv")


@sender("rsync-delay-updates", "rsync")
def rsync_delay(desk: Desk) -> None:
    _rsync(desk, "mp4", ".{}.*", "--delay-updates")


@sender("rsync-partial-killed", "rsync")
def rsync_partial(desk: Desk) -> None:
    def send(kind: str) -> None:
        target, source = _source(desk, kind)
        text = source.with_suffix(".txt")
        child = desk.start("rsync", "-a", SLOW, "--partial", text, source, f"{desk.inbox}/")
        desk.wait_grown(f".{target.name}.*", 700_000, child)
        child.send_signal(signal.SIGKILL)
        child.wait(LONG_S)
        desk.wait_grown(target.name, 1)  # its other half keeps what it has under the final name
        desk.rest()
        desk.run("rsync", "-a", "--partial", text, source, f"{desk.inbox}/")
        desk.done(target, source)

    desk.each(send, "mp4", "fast", "mkv", "webm", "avi")


@sender("rsync-append-killed", "rsync")
def rsync_append(desk: Desk) -> None:
    def send(kind: str) -> None:
        target, source = _source(desk, kind)
        text = source.with_suffix(".txt")
        child = desk.start("rsync", "-a", SLOW, "--append", text, source, f"{desk.inbox}/")
        desk.wait_grown(target.name, 700_000, child)
        child.send_signal(signal.SIGKILL)
        child.wait(LONG_S)
        desk.rest()
        desk.run("rsync", "-a", "--append", text, source, f"{desk.inbox}/")
        desk.done(target, source)

    desk.each(send, "mp4", "fast", "mkv")


@sender("rsync-daemon", "rsync")
def rsync_daemon(desk: Desk) -> None:
    port = free_port()
    conf = desk.room / "rsyncd.conf"
    conf.write_text(
        f"use chroot = no\npid file = {desk.room}/rsyncd.pid\nlog file = {desk.room}/rsyncd.log\n"
        f"[inbox]\npath = {desk.inbox}\nread only = no\n"
        + ("uid = root\ngid = root\n" if desk.inbox.owner() == "root" else "")
    )
    server = desk.start("rsync", "--daemon", "--no-detach", f"--config={conf}", "--address=127.0.0.1", f"--port={port}")
    desk.until_open(port, server)
    url = f"rsync://127.0.0.1:{port}/inbox/"
    desk.each(lambda kind: _rsync(desk, kind, ".{}.*", to=url), "mp4", "fast")


@sender("rclone", "rclone", version=("rclone", "version"))
def rclone(desk: Desk) -> None:
    """Copy between local folders, as `rclone copy` does with a slow remote."""
    target, source = _source(desk, "fast")
    conf = ("--config", "", "--retries", "1")
    desk.run("rclone", "copyto", *conf, source.with_suffix(".txt"), target.with_suffix(".txt"))
    child = desk.start("rclone", "copyto", *conf, "--bwlimit", "1M", "--buffer-size", "0", source, target)
    desk.stop_midway(child, f"{target.name}*", 300_000)
    desk.wait(child)
    desk.done(target, source)


# ---------------------------------------------------------------- syncthing

_CONFIG = """<configuration version="35">
  <folder id="inbox" path="{folder}" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="true"
    fsWatcherDelayS="1"><device id="{one}"/><device id="{two}"/><minDiskFree unit="">0</minDiskFree></folder>
  <device id="{one}"><address>{one_address}</address></device>
  <device id="{two}"><address>{two_address}</address></device>
  <gui enabled="false"/>
  <options>
    <listenAddress>{listen}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted><autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled><stunKeepaliveStartS>0</stunKeepaliveStartS>
    <maxSendKbps>1000</maxSendKbps><limitBandwidthInLan>true</limitBandwidthInLan>
    <reconnectionIntervalS>1</reconnectionIntervalS><setLowPriority>false</setLowPriority>
    <announceLANAddresses>false</announceLANAddresses>
  </options>
</configuration>
"""


@sender("syncthing", "syncthing")
def syncthing(desk: Desk) -> None:
    there, here = desk.room / "there", desk.inbox / desk.name
    for folder in (there, here):
        folder.mkdir()
    first = desk.target("mp4", "first", desk.name)
    second = desk.target("fast", "second", desk.name)
    for target, kind in ((first, "mp4"), (second, "fast")):
        (there / target.name).with_suffix(".txt").write_text(desk.text(target))
        shutil.copy2(desk.clip(kind), there / target.name)
    homes = [desk.room / "home1", desk.room / "home2"]
    ids = []
    for home in homes:
        desk.run("syncthing", "generate", "--no-default-folder", f"--home={home}")
        told = subprocess.run(
            ["syncthing", f"--home={home}", "--device-id"], capture_output=True, text=True, check=True, timeout=30
        )
        ids.append(told.stdout.strip())
    ports = [free_port(), free_port()]
    addresses = [f"tcp://127.0.0.1:{port}" for port in ports]
    nodes = []
    for home, folder, address in zip(homes, (there, here), addresses, strict=True):
        named = {"one": ids[0], "two": ids[1], "one_address": addresses[0], "two_address": addresses[1]}
        (home / "config.xml").write_text(_CONFIG.format(folder=folder, listen=address, **named))
        # Without its own supervisor, so that the process that was started is the one that sends.
        nodes.append(
            desk.start("syncthing", "serve", f"--home={home}", "--no-browser", "--no-upgrade", STMONITORED="yes")
        )
    for port, node in zip(ports, nodes, strict=True):
        desk.until_open(port, node)
    desk.stop_midway(nodes[0], f"{desk.name}/.syncthing.*", 1)
    desk.until(lambda: first.exists() and second.exists(), "both clips are there")
    for target in (first, second):
        desk.until(target.with_suffix(".txt").exists, "its sidecar is there")
        desk.done(target, there / target.name)
