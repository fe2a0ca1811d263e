"""Recorded lists of mounts: which file system a folder lies on, and how far it can be trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.mounts import (
    FileSystem,
    classify,
    file_system_of,
    fstab_points,
    is_network,
    mount_of,
    mounts_below,
    parse,
    seen_below,
    unmounted_point,
)

DEBIAN = r"""
22 27 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
23 27 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
24 27 0:5 / /dev rw,nosuid,relatime shared:2 - devtmpfs udev rw,size=8012345k,nr_inodes=2003086,mode=755,inode64
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
38 27 0:33 / /run rw,nosuid,nodev,noexec,relatime shared:5 - tmpfs tmpfs rw,size=1609508k,mode=755,inode64
96 27 259:1 / /boot/efi rw,relatime shared:47 - vfat /dev/nvme0n1p1 rw,fmask=0077,dmask=0077,codepage=437
99 27 259:3 / /home rw,relatime shared:50 - xfs /dev/nvme0n1p3 rw,attr2,inode64,logbufs=8,logbsize=32k,noquota
101 27 8:17 / /media/ann/My\040Disk rw,nosuid,nodev,relatime shared:52 - exfat /dev/sdb1 rw,uid=1000,gid=1000
102 27 8:33 / /media/ann/STICK rw,nosuid,nodev,relatime shared:53 - fuseblk /dev/sdc1 rw,user_id=0,allow_other
103 27 8:34 / /media/ann/new ro,nosuid,nodev,relatime shared:54 - ntfs3 /dev/sdd1 ro,uid=1000
110 27 0:45 / /mnt/nfs3 rw,relatime shared:60 - nfs nas:/volume1/video rw,vers=3,rsize=131072,hard,proto=tcp
112 27 0:46 / /mnt/nfs4 rw,relatime shared:61 - nfs4 nas:/volume1/video rw,vers=4.2,hard,proto=tcp,addr=10.0.0.2
114 27 0:47 / /mnt/cifs rw,relatime shared:62 - cifs //nas/video rw,vers=3.1.1,cache=strict,username=ann,soft
116 27 0:48 / /mnt/smb3 rw,relatime shared:63 - smb3 //nas/clips rw,vers=3.1.1,cache=strict,username=ann
118 27 0:49 / /mnt/ceph rw,relatime shared:64 - ceph 10.0.0.3:6789:/ rw,name=admin,secret=<hidden>,acl
120 27 0:50 / /mnt/gluster rw,relatime shared:65 - fuse.glusterfs nas:/gv0 rw,user_id=0,group_id=0,allow_other
122 27 0:51 / /mnt/bind rw,nosuid,nodev,relatime shared:66 - fuse /srv/real rw,user_id=0,group_id=0,allow_other
124 27 0:52 / /mnt/sshfs rw,nosuid,nodev,relatime shared:67 - fuse.sshfs ann@host:/video rw,user_id=1000
126 27 0:53 / /mnt/pool rw,relatime shared:68 - fuse.mergerfs 1:2 rw,user_id=0,group_id=0,allow_other
128 27 0:54 / /mnt/drive rw,nosuid,nodev,relatime shared:69 - fuse.rclone gdrive:video rw,user_id=1000
130 27 0:55 / /media/sf_share rw,nodev,relatime shared:70 - vboxsf share rw,iocharset=utf8,uid=0,gid=998
132 27 0:56 / /mnt/hgfs rw,nosuid,nodev,relatime shared:71 - fuse.vmhgfs-fuse vmhgfs-fuse rw,user_id=0,allow_other
134 27 0:57 / /mnt/host rw,relatime shared:72 - 9p hostshare rw,access=client,msize=104857600,trans=virtio
136 27 0:58 / /mnt/virt rw,relatime shared:73 - virtiofs hostshare rw
138 27 0:59 / /tank/video rw,noatime shared:74 - zfs tank/video rw,xattr,posixacl,casesensitive
140 27 0:60 /@video /srv/video rw,relatime shared:75 - btrfs /dev/sde1 rw,space_cache=v2,subvolid=257,subvol=/@video
142 27 7:1 / /mnt/f2fs rw,relatime shared:76 - f2fs /dev/loop1 rw,lazytime,background_gc=on
144 27 0:61 / /mnt/odd rw,relatime shared:77 - newfs none rw
146 27 259:3 /ann/clips /srv/clips rw,relatime shared:50 - xfs /dev/nvme0n1p3 rw,attr2,inode64
"""

DOCKER = r"""
1290 1172 0:140 / / rw,relatime master:430 - overlay overlay rw,lowerdir=/v/l/A:/v/l/B,upperdir=/v/c/diff,workdir=/v/c/w
1291 1290 0:143 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1292 1290 0:144 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755,inode64
1300 1290 259:2 /var/lib/docker/volumes/clips/_data /data rw,relatime master:1 - ext4 /dev/nvme0n1p2 rw
1301 1290 0:46 /inbox /inbox rw,relatime master:61 - nfs4 nas:/volume1/video rw,vers=4.2,hard
1302 1290 259:2 /srv/library /library ro,relatime master:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
1303 1290 259:2 /var/lib/docker/containers/ab/hosts /etc/hosts rw,relatime - ext4 /dev/nvme0n1p2 rw
"""

DOCKER_ON_A_MAC = r"""
600 500 0:70 / / rw,relatime master:90 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
601 600 0:71 /Users/ann/clips /clips rw,nosuid,nodev,relatime - fakeowner /run/host_mark/Users rw,fakeowner
602 600 0:72 /Users/ann/old /old rw,nosuid,nodev,relatime - fuse.grpcfuse grpcfuse rw,user_id=0,group_id=0,allow_other
"""

WSL2 = r"""
67 66 8:32 / / rw,relatime - ext4 /dev/sdc rw,discard,errors=remount-ro,data=ordered
68 67 0:26 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
70 67 0:33 / /usr/lib/wsl/drivers ro,nosuid,nodev,noatime - 9p drivers ro,dirsync,aname=drivers;fmask=222;dmask=222
85 67 0:50 / /mnt/c rw,noatime - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\;uid=1000;gid=1000;symlinkroot=/mnt/
86 67 0:51 / /mnt/d rw,noatime - 9p drvfs rw,dirsync,aname=drvfs;path=D:\;metadata,mmap,access=client
"""

AUTOMOUNT = r"""
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
60 27 0:40 / /mnt/nas rw,relatime shared:30 - autofs systemd-1 rw,fd=57,pgrp=1,timeout=600,direct,pipe_ino=1831
61 27 0:41 / /mnt/asleep rw,relatime shared:31 - autofs systemd-1 rw,fd=58,pgrp=1,timeout=600,direct,pipe_ino=1832
62 27 0:42 / /misc rw,relatime shared:32 - autofs /etc/auto.misc rw,fd=6,pgrp=901,timeout=300,indirect
210 60 0:80 / /mnt/nas rw,relatime shared:200 - nfs4 nas:/video rw,vers=4.2,hard
212 62 0:81 / /misc/usb rw,relatime shared:201 - ext4 /dev/sdb1 rw
"""


def of(text: str, path: str) -> FileSystem:
    return classify(mount_of(path, parse(text)))


@pytest.mark.parametrize(
    ("path", "kind", "watch", "why"),
    [
        ("/srv/inbox", "ext4", "native", "every change"),
        ("/home/ann/inbox", "xfs", "native", "every change"),
        ("/home", "xfs", "native", "every change"),
        ("/homes", "ext4", "native", "every change"),
        ("/run/inbox", "tmpfs", "native", "every change"),
        ("/boot/efi/x", "vfat", "native", "every change"),
        ("/media/ann/My Disk/in", "exfat", "native", "every change"),
        ("/media/ann/STICK/in", "fuseblk", "native", "every change"),
        ("/media/ann/new", "ntfs3", "native", "every change"),
        ("/mnt/nfs3/in", "nfs", "polling", "by other machines"),
        ("/mnt/nfs4/in", "nfs4", "polling", "by other machines"),
        ("/mnt/cifs/in", "cifs", "polling", "by other machines"),
        ("/mnt/smb3/in", "smb3", "polling", "by other machines"),
        ("/mnt/ceph", "ceph", "polling", "by other machines"),
        ("/mnt/gluster", "fuse.glusterfs", "polling", "behind it"),
        ("/mnt/bind/in", "fuse", "polling", "behind it"),
        ("/mnt/sshfs", "fuse.sshfs", "polling", "behind it"),
        ("/mnt/pool", "fuse.mergerfs", "polling", "behind it"),
        ("/mnt/drive", "fuse.rclone", "polling", "behind it"),
        ("/media/sf_share", "vboxsf", "polling", "by the host"),
        ("/mnt/hgfs", "fuse.vmhgfs-fuse", "polling", "by the host"),
        ("/mnt/host", "9p", "polling", "by the host"),
        ("/mnt/virt/in", "virtiofs", "polling", "by the host"),
        ("/tank/video/in", "zfs", "native", "every change"),
        ("/srv/video/in", "btrfs", "native", "every change"),
        ("/mnt/f2fs", "f2fs", "native", "every change"),
        ("/mnt/odd", "newfs", "polling", "not known"),
        ("/srv/clips", "xfs", "native", "every change"),
    ],
)
def test_a_machine_with_everything(path: str, kind: str, watch: str, why: str) -> None:
    found = of(DEBIAN, path)
    assert (found.kind, found.watch) == (kind, watch)
    assert found.why.startswith("as ")
    assert why in found.why


def test_docker_and_its_volumes() -> None:
    assert (of(DOCKER, "/tmp/inbox").kind, of(DOCKER, "/tmp/inbox").watch) == ("overlay", "native")
    assert (of(DOCKER, "/data/in").kind, of(DOCKER, "/data/in").watch) == ("ext4", "native")
    assert (of(DOCKER, "/inbox").kind, of(DOCKER, "/inbox").watch) == ("nfs4", "polling")
    assert (of(DOCKER, "/library/a").read_only, of(DOCKER, "/data").read_only) == (True, False)
    assert {of(DOCKER_ON_A_MAC, path).watch for path in ("/clips", "/old/in")} == {"polling"}


def test_wsl() -> None:
    assert (of(WSL2, "/home/ann/inbox").kind, of(WSL2, "/home/ann/inbox").watch) == ("ext4", "native")
    assert (of(WSL2, "/mnt/c/Users/ann/Videos").kind, of(WSL2, "/mnt/d").watch) == ("9p", "polling")
    mount = mount_of("/mnt/c/x", parse(WSL2))
    assert mount is not None
    assert mount.source == "C:\\"
    assert of(WSL2, "/usr/lib/wsl/drivers").read_only


def test_how_far_each_is_trusted() -> None:
    trusted = {
        p: (of(DEBIAN, p).leases, of(DEBIAN, p).blocks) for p in ("/srv", "/tank/video", "/mnt/nfs4", "/mnt/bind")
    }
    assert trusted == {
        "/srv": (True, True),
        "/tank/video": (True, False),
        "/mnt/nfs4": (False, False),
        "/mnt/bind": (False, False),
    }
    assert (of(DOCKER, "/").leases, of(DOCKER, "/").blocks) == (False, True)
    assert not of(DEBIAN, "/media/ann/STICK").leases
    assert of(DEBIAN, "/media/ann/new").read_only


def test_nothing_known_is_polled() -> None:
    found = classify(mount_of("/srv", ()))
    assert (found.kind, found.watch, found.leases, found.blocks) == ("unknown", "polling", False, False)


def test_automounts_are_looked_through() -> None:
    mounts = parse(AUTOMOUNT)
    assert of(AUTOMOUNT, "/mnt/nas/in").kind == "nfs4"
    assert of(AUTOMOUNT, "/misc/usb/in").kind == "ext4"
    assert of(AUTOMOUNT, "/mnt/asleep/in").watch == "polling"
    assert unmounted_point("/mnt/nas/in", ("/mnt/nas",), mounts) == ""
    assert unmounted_point("/mnt/asleep/in", (), mounts) == "/mnt/asleep"
    assert unmounted_point("/misc/gone", (), mounts) == "/misc"


def test_the_longest_mount_point_wins_and_then_the_last() -> None:
    text = (
        "1 0 8:1 / / rw - ext4 /dev/a rw\n"
        "2 1 8:2 / /mnt/a rw - xfs /dev/b rw\n"
        "3 2 0:9 / /mnt/a ro shared:1 master:2 propagate_from:3 - tmpfs tmpfs rw,size=1k\n"
        "4 1 0:8 / /mnt/ab rw - nfs x:/y rw\n"
    )
    mounts = parse(text)
    found = {
        path: getattr(mount_of(path, mounts), "mount_id", None) for path in ("/mnt/a", "/mnt/a/b", "/mnt/ab", "/m")
    }
    assert found == {"/mnt/a": 3, "/mnt/a/b": 3, "/mnt/ab": 4, "/m": 1}
    assert [mount.mount_id for mount in mounts_below("/mnt", mounts)] == [2, 3, 4]
    assert mounts[2].read_only


def test_the_id_of_the_opened_folder_knows_better_than_its_path() -> None:
    text = (
        "1 0 8:1 / / rw - ext4 /dev/a rw\n"
        "2 1 0:7 / /mnt/a/b rw - nfs x:/y rw\n"
        "3 1 8:2 / /mnt/a rw - xfs /dev/b rw\n"  # mounted over it: nothing of 2 can be reached any more
    )
    assert file_system_of("/mnt/a/b", parse(text), mount_id=3).kind == "xfs"
    assert file_system_of("/mnt/a/b", parse(text)).kind == "nfs"


def test_what_is_mounted_inside_makes_an_inbox_no_better() -> None:
    text = (
        "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:7 / /in/nas rw - nfs4 x:/y rw\n3 1 0:8 / /other/o rw - overlay o rw\n"
    )
    found = file_system_of("/in", parse(text))
    assert (found.kind, found.watch, found.leases, found.blocks) == ("ext4", "polling", False, False)
    assert found.why == ("because of /in/nas inside it, as nfs4 tells nobody about changes made by other machines")
    assert (file_system_of("/other", parse(text)).watch, file_system_of("/other", parse(text)).leases) == (
        "native",
        False,
    )


def test_names_that_are_escaped_and_sources_that_are_odd() -> None:
    text = (
        "5 1 0:1 / /mnt/a\\040b\\011c\\012d\\134e\\043 rw - tmpfs  rw\n"
        "6 1 0:2 / /mnt/two rw - fuse.sshfs ann@host:/my videos rw,user_id=1\n"
        "7 1 0:3 / /mnt/\udcff rw - tmpfs tmpfs rw\n"
        "8 1 0:4 / /mnt/x\x85y\u2028z rw - tmpfs tmpfs rw\n"
    )
    points = [mount.mount_point for mount in parse(text)]
    assert points == ["/mnt/a b\tc\nd\\e#", "/mnt/two", "/mnt/\udcff", "/mnt/x\x85y\u2028z"]
    assert [mount.source for mount in parse(text)][:2] == ["", "ann@host:/my videos"]


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    parse(text)
    fstab_points(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=20))
def test_any_mount_point_comes_back(name: str) -> None:
    escaped = "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in name)
    (mount,) = parse(f"9 1 0:1 / /mnt/{escaped} rw - tmpfs tmpfs rw\n")
    assert mount.mount_point == f"/mnt/{name}"
    assert mount_of(f"/mnt/{name}/in", [mount]) == mount


FSTAB = r"""
# <file system> <mount point> <type> <options> <dump> <pass>
UUID=1234 / ext4 errors=remount-ro 0 1
UUID=5678 none swap sw 0 0
/swapfile swap swap defaults 0 0
nas:/video /mnt/nas nfs4 _netdev,nofail 0 0
//nas/clips /mnt/My\040Clips/ cifs noauto,credentials=/etc/nas 0 0
/dev/sdb1 /mnt/nas/usb ext4 noauto
broken line
	/dev/sdc1	/data	xfs	defaults
"""


def test_fstab() -> None:
    assert fstab_points(FSTAB) == ("/mnt/My Clips", "/mnt/nas/usb", "/mnt/nas", "/data")


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/mnt/nas/in", ""),
        ("/mnt/nas", ""),
        ("/mnt/nas/usb/in", "/mnt/nas/usb"),
        ("/mnt/My Clips/in", "/mnt/My Clips"),
        ("/data", "/data"),
        ("/data/own/in", ""),  # something of its own is mounted below the point that is not
        ("/database/in", ""),
        ("/srv/in", ""),
    ],
)
def test_an_inbox_below_a_mount_point_that_is_not_mounted(path: str, missing: str) -> None:
    text = (
        "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:7 / /mnt/nas rw - nfs4 nas:/video rw\n"
        "3 1 8:9 / /data/own rw - ext4 /dev/z rw\n"
    )
    assert unmounted_point(path, fstab_points(FSTAB), parse(text)) == missing


VOLUMES = r"""
1290 1172 0:140 / / rw,relatime master:430 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
1300 1290 259:2 /srv/clips /data rw,relatime master:1 - ext4 /dev/nvme0n1p2 rw
1301 1290 259:2 /srv/clips/out /results rw,relatime master:1 - ext4 /dev/nvme0n1p2 rw
1302 1290 259:2 /srv/clips-2 /other rw,relatime master:1 - ext4 /dev/nvme0n1p2 rw
1303 1290 259:3 /srv/clips/out /elsewhere rw,relatime master:1 - ext4 /dev/nvme1n1p1 rw
1304 1300 259:2 /home/ann /data/ann rw,relatime master:1 - ext4 /dev/nvme0n1p2 rw
1305 1290 259:2 /home/ann/My\040Clips /ann rw,relatime master:1 - ext4 /dev/nvme0n1p2 rw
1306 1290 0:46 / /nas rw,relatime master:61 - nfs4 nas:/export rw,vers=4.2,hard
1307 1290 0:47 / /nas-out rw,relatime master:61 - nfs4 nas:/export/out rw,vers=4.2,hard
1308 1290 0:46 / /nas-2 rw,relatime master:61 - nfs4 nas:/export-2 rw,vers=4.2,hard
1309 1290 259:2 / /host rw,relatime master:1 - ext4 /dev/nvme0n1p2 rw
"""


@pytest.mark.parametrize(
    ("path", "folder", "found"),
    [
        ("/results", "/data", ("/data/out",)),
        ("/results/deep/er", "/data", ("/data/out/deep/er",)),
        ("/data", "/results", ()),
        ("/results", "/data/out", ("/data/out",)),
        ("/data/out", "/results", ("/results",)),
        ("/other", "/data", ()),
        ("/elsewhere", "/data", ()),
        ("/ann", "/data", ("/data/ann/My Clips",)),
        ("/results", "/host/srv", ("/host/srv/clips/out",)),
        ("/host/srv/clips/out", "/data", ("/data/out",)),
        ("/", "/data", ()),
        ("/tmp/in", "/tmp/out", ()),
        ("/nas-out", "/nas", ("/nas/out",)),
        # One file system, of which the kernel does not tell what is mounted: a guess, to be proven by looking.
        ("/nas-2", "/nas", ("/nas",)),
    ],
)
def test_a_folder_is_seen_inside_another_through_mounts(path: str, folder: str, found: tuple[str, ...]) -> None:
    assert seen_below(path, folder, parse(VOLUMES)) == found


def test_without_a_list_of_mounts_nothing_is_seen() -> None:
    assert seen_below("/a/b", "/a", ()) == ()


@pytest.mark.parametrize("fs_type", ["nfs4", "cifs", "smb3", "ceph", "fuse.sshfs", "fuse.rclone"])
def test_what_other_machines_share_is_known_by_its_type(fs_type: str) -> None:
    assert is_network(fs_type)


@pytest.mark.parametrize("fs_type", ["ext4", "tmpfs", "overlay", "fuse", "fuse.mergerfs", "fuseblk", "virtiofs"])
def test_what_is_of_this_machine_is_no_network_file_system(fs_type: str) -> None:
    assert not is_network(fs_type)
