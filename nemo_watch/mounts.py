"""Tells from the kernel's list of mounts what kind of file system a folder lies on, and how far it can be trusted.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

WatchMode = Literal["native", "polling"]

# Changed by this machine's kernel alone, which tells of every change (Source: arrivals: tested by mounting).
_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "f2fs", "vfat", "msdos", "exfat", "ntfs3", "fuseblk"}
)
_NATIVE = _LOCAL | {"overlay"}
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "beegfs", "gpfs", "ocfs2", "gfs2"}
)
_HOST = frozenset({"9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "fuse.vmhgfs-fuse", "fuse.grpcfuse"})
# A lease is granted there though somebody behind it has the file open for writing (Source: measured).
_LYING_LEASES = frozenset({"overlay", "fuseblk"})
# ZFS counts the blocks of a file only when its transaction group is written, seconds later.
_LATE_BLOCKS = frozenset({"zfs"})
_FUSE_NETWORK = frozenset(
    {"sshfs", "rclone", "davfs", "davfs2", "curlftpfs", "s3fs", "gcsfuse", "glusterfs", "ceph", "cephfs", "juicefs"}
    | {"smbnetfs", "nfs", "moosefs", "mfs", "seaweedfs", "geesefs", "goofys", "blobfuse2"}
)
_AUTOMOUNT = "autofs"
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo. `root` is the folder of the file system that is mounted: of a bind mount not "/"."""

    mount_id: int
    mount_point: str
    fs_type: str
    source: str
    read_only: bool
    root: str = "/"
    device: str = ""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """How far a file system can be trusted.

    `why` is the end of a sentence for people: "as nfs4 tells nobody about changes made by other machines". `leases`: a
    read lease tells the truth. `blocks`: the number of blocks tells whether a file's content is there.
    """

    kind: str
    watch: WatchMode
    why: str
    leases: bool
    blocks: bool
    read_only: bool


def parse(text: str) -> tuple[Mount, ...]:
    """Read the text of /proc/self/mountinfo, line by line; what is no line of it is left out.

    Source: proc(5): id, parent, device, root, mount point, options, any number of optional fields, "-", type, source,
    super options; space, tab, newline and backslash are octal escapes.
    """
    return tuple(_mounts(text))


def _mounts(text: str) -> Iterator[Mount]:
    for line in text.split("\n"):  # not splitlines: a mount point may hold what else ends a line
        before, dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not dash or len(fields) < 6 or len(rest) < 3 or not fields[0].isdigit():
            continue
        read_only = "ro" in fields[5].split(",") or "ro" in rest[-1].split(",")
        yield Mount(
            mount_id=int(fields[0]),
            mount_point=_unescape(fields[4]),
            fs_type=_unescape(rest[0]),
            source=_unescape(" ".join(rest[1:-1])),  # of some file systems it holds bare spaces, or is empty
            read_only=read_only,
            root=_unescape(fields[3]),
            device=fields[2],
        )


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """Find the mount that an absolute path lies on: the longest mount point, and of equal ones the last mounted."""
    found = None
    for mount in mounts:
        if is_under(path, mount.mount_point) and (
            found is None or len(mount.mount_point.rstrip("/")) >= len(found.mount_point.rstrip("/"))
        ):
            found = mount
    return found


def mounts_below(path: str, mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """List what is mounted somewhere inside a folder (not on it)."""
    return tuple(m for m in mounts if m.mount_point.rstrip("/") != path.rstrip("/") and is_under(m.mount_point, path))


def seen_below(path: str, folder: str, mounts: Sequence[Mount]) -> tuple[str, ...]:
    """Give the paths inside a folder (or its own) under which another folder may be seen once more, through mounts.

    A folder can be mounted in two places, and so lie inside one that its path does not name. These are guesses to be
    proven by looking: some network file systems do not tell which of their folders is mounted. Paths are absolute,
    without links.
    """
    own, outer = mount_of(path, mounts), mount_of(folder, mounts)
    if own is None or outer is None:
        return ()
    found = []
    for mount, seen_at in ((outer, folder), *((inner, inner.mount_point) for inner in mounts_below(folder, mounts))):
        for place, start in zip(_places(path, own), _places(seen_at, mount), strict=True):
            if is_under(place, start):
                found.append(f"{seen_at.rstrip('/')}/{place[len(start.rstrip('/')) :].strip('/')}".rstrip("/") or "/")
    return tuple(dict.fromkeys(found))


def _places(path: str, mount: Mount) -> tuple[str, str]:
    """Say where a folder really lies, by its device and by what is mounted (`nas:/export/clips`)."""
    rest = path[len(mount.mount_point.rstrip("/")) :].strip("/")
    inside = f"{mount.root.rstrip('/')}/{rest}".rstrip("/")
    return mount.device + inside, mount.source.rstrip("/") + inside


def classify(mount: Mount | None) -> FileSystem:
    """Judge a file system by its type, never by a probe: on FUSE a probe sees its own write and is blind to others."""
    if mount is None:
        return FileSystem("unknown", "polling", "as its file system is not known", False, False, False)  # noqa: FBT003
    kind = mount.fs_type
    native = kind in _NATIVE
    return FileSystem(
        kind=kind,
        watch="native" if native else "polling",
        why=_why(kind),
        leases=native and kind not in _LYING_LEASES,
        blocks=native and kind not in _LATE_BLOCKS,
        read_only=mount.read_only,
    )


def is_network(fs_type: str) -> bool:
    """Tell whether a file system is shared with other machines, as far as its type says."""
    return fs_type in _NETWORK or (fs_type.startswith("fuse.") and fs_type.removeprefix("fuse.") in _FUSE_NETWORK)


def file_system_of(path: str, mounts: Sequence[Mount], *, mount_id: int | None = None) -> FileSystem:
    """Judge the file systems that a folder's tree lies on; what is mounted inside it makes it no better.

    `mount_id` is that of the opened folder, which knows better than its path what it lies on.
    """
    by_id = next((mount for mount in mounts if mount.mount_id == mount_id), None)
    own = classify(by_id if by_id is not None else mount_of(path, mounts))
    inner = [(mount, classify(mount)) for mount in mounts_below(path, mounts) if mount.fs_type != _AUTOMOUNT]
    watch, why = own.watch, own.why
    if watch == "native":
        blind = next((mount for mount, found in inner if found.watch == "polling"), None)
        if blind is not None:
            watch = "polling"
            why = f"because of {blind.mount_point} inside it, {_why(blind.fs_type)}"
    return FileSystem(
        kind=own.kind,
        watch=watch,
        why=why,
        leases=own.leases and all(found.leases for _, found in inner),
        blocks=own.blocks and all(found.blocks for _, found in inner),
        read_only=own.read_only,
    )


def _why(kind: str) -> str:
    if kind in _NATIVE:
        return f"as the kernel tells of every change on {kind}"
    if kind in _NETWORK:
        return f"as {kind} tells nobody about changes made by other machines"
    if kind in _HOST:
        return f"as {kind} tells nobody about changes made by the host"
    if kind == "fuse" or kind.startswith("fuse."):
        return f"as {kind} tells nobody about changes made behind it"
    if kind == _AUTOMOUNT:
        return "as nothing is mounted there yet"
    return f"as it is not known whether {kind} tells of every change"


def fstab_points(text: str) -> tuple[str, ...]:
    """Read from the text of /etc/fstab where something should be mounted, longest first.

    Those that are not mounted at boot (`noauto`, automounts) count too: an inbox lies below a mount point only because
    something is to be mounted there. The root file system does not count.
    """
    points = set()
    for line in text.split("\n"):
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith("#") or fields[2] == "swap":
            continue
        point = _unescape(fields[1]).rstrip("/")
        if point.startswith("/"):
            points.add(point)
    return tuple(sorted(points, key=lambda point: (-len(point), point)))


def unmounted_point(path: str, points: Iterable[str], mounts: Iterable[Mount]) -> str:
    """Give the mount point at or above a path that nothing is mounted on though something should be; "" if none.

    `points` are those of `fstab_points`. An automount that nobody has triggered yet counts as not mounted: enter the
    folder before asking.
    """
    mount = mount_of(path, mounts)
    if mount is not None and mount.fs_type == _AUTOMOUNT:
        return mount.mount_point
    mounted = len(mount.mount_point.rstrip("/")) if mount is not None else -1
    missing = [point for point in points if is_under(path, point) and len(point.rstrip("/")) > mounted]
    return max(missing, key=len, default="")


def is_under(path: str, point: str) -> bool:
    """Tell whether an absolute path is a folder or lies inside it, by whole components."""
    folder = point.rstrip("/")
    return path.rstrip("/") == folder or path.startswith(folder + "/")


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), raw).decode("utf-8", "surrogateescape")
