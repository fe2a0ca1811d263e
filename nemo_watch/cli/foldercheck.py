"""What each folder lies on, how it is watched, and whether it can be written to: by doing what the daemon will do.

Touches: the folders (trying to write, and undoing it), mountinfo.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator

from nemo_watch.cli.findings import Finding
from nemo_watch.cli.places import ROLES, Role, folder_of
from nemo_watch.config import Config, Inbox
from nemo_watch.folders import TEMP_PREFIX
from nemo_watch.folderthreads import NoAnswerError, answer_within
from nemo_watch.guarded import START_WAIT_S
from nemo_watch.mounts import FileSystem
from nemo_watch.watcher.disk import ground_of


def folders(config: Config) -> Iterator[Finding]:
    """Look at the four folders of every inbox; one that hangs is said to, and does not hold up the others."""
    for inbox in config.inboxes:
        for role in ROLES:
            name, path = f"{inbox.name}: {role}", folder_of(inbox, role)
            try:
                yield answer_within(START_WAIT_S, _folder, name, inbox, role)
            except NoAnswerError:
                mend = "It hangs: look at the server or the program behind this mount. Other folders are not held up."
                yield Finding(name, "bad", f"{path} does not answer", mend)


def writable(name: str, path: str) -> Finding:
    """Look at a folder that is written to; one that is missing is made by the daemon, if it may."""
    if os.path.lexists(path) and not os.path.isdir(path):
        return Finding(name, "bad", f"{path} is not a folder", "Move that file away, or name another folder.")
    place = path
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        on = f"{path}, on {ground_of(place).file_system.kind}"
        _try_to_write(place)
    except OSError as error:
        return Finding(name, "bad", f"{path}: {error.strerror}", _mend(place))
    return Finding(name, "good", f"{on}, writable" if place == path else f"{on}, will be made in {place}")


def _folder(name: str, inbox: Inbox, role: Role) -> Finding:
    return _inbox(name, inbox) if role == "inbox" else writable(name, folder_of(inbox, role))


def _inbox(name: str, inbox: Inbox) -> Finding:
    path = inbox.path
    if not os.path.isdir(path):
        return Finding(name, "bad", f"{path} is not there", "Make it, or run `nemo-watch init`.")
    try:
        file_system = ground_of(path).file_system
        on = f"{path}, on {file_system.kind}, {_watching(inbox, file_system)}"
        os.listdir(path)
    except OSError as error:
        return Finding(name, "bad", f"{path}: {error.strerror}", f"Give the user {os.getuid()} the right to read it.")
    try:
        _try_to_write(path)
    except OSError as error:
        if error.errno == errno.EROFS:
            mend = 'Originals stay where they are, as with originals = "keep"; mount it writable if they are to leave.'
            return Finding(name, "note", f"{on}, mounted read-only", mend)
        if inbox.originals == "keep":
            return Finding(name, "note", f"{on}, not writable ({error.strerror}), as originals are kept")
        return Finding(name, "bad", f"{on}, not writable: {error.strerror}", _mend(path))
    return Finding(name, "good", f"{on}, writable")


def _watching(inbox: Inbox, file_system: FileSystem) -> str:
    if inbox.watch == "polling" or (inbox.watch == "auto" and file_system.watch == "polling"):
        why = file_system.why if inbox.watch == "auto" else "as the config says"
        return f"polled every {inbox.poll:g} s {why}"
    but = "" if file_system.watch == "native" else f" (as the config says, but {file_system.why})"
    return f"watched by native events and a rescan every {inbox.rescan:g} s{but}"


def _try_to_write(place: str) -> None:
    """Make a file, rename it, remove it. Raises: OSError."""
    first = os.path.join(place, f"{TEMP_PREFIX}check-{uuid.uuid4().hex}.tmp")
    second = first.removesuffix(".tmp") + "-b.tmp"
    try:
        os.close(os.open(first, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.rename(first, second)
        os.unlink(second)
    finally:
        for left in (first, second):
            if os.path.lexists(left):
                os.unlink(left)


def _mend(place: str) -> str:
    return f"Give the user {os.getuid()} the right to write in {place}, or mount it."
