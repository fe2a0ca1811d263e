"""Where files go: free names in outbox, rejects and archive, chosen before anything is moved.

Touches: outbox, rejects and archive (listing, and making folders).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from nemo_watch.folders.files import target_errors
from nemo_watch.folders.names import free_name, free_together, key, split, suffix_after
from nemo_watch.folders.targets import target_folder


@dataclass(frozen=True, slots=True)
class Places:
    """One inbox and where its files go; all paths absolute. Sub-folders of the inbox are mirrored in the others."""

    inbox: str
    outbox: str
    rejects: str
    archive: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One file on its way to its final name: committed before anything is moved, so that a kill leaves no doubt.

    `source` and `target` are absolute. `sha256` is of the whole file; "" if it is not known yet (a move in one file
    system needs none).
    """

    source: str
    target: str
    sha256: str = ""


def plan_name(root: str, folder: str, stem: str, suffix: str, *, also_taken: Sequence[str] = ()) -> str:
    """Choose a free final path below `root`, making the folders on the way.

    Raises: FolderError. Effects: makes folders. Repeat: safe.
    """
    name = free_name(stem, suffix, [*_names_in(root, folder), *also_taken])
    return os.path.join(root, folder, name)


def plan_moves(places: Places, target_root: str, rels: Sequence[str]) -> list[Plan]:
    """Choose where an original and what belongs to it go: under their own names, or all with the same number.

    A clip that becomes `clip-2.mp4` has its instruction beside it as `clip-2.txt`, so that they are a pair again when
    they are put back. The first of `rels` is the clip. Raises: FolderError. Effects: makes folders.
    """
    _folder, stem, _suffix = split(rels[0])
    groups: dict[str, list[tuple[str, str, str]]] = {}
    alone: list[str] = []
    for rel in rels:
        folder, name = os.path.split(rel)
        suffix = suffix_after(stem, name)
        group = groups.setdefault(folder, [])
        if suffix is None or any(key(suffix) == key(other) for _rel, _stem, other in group):
            alone.append(rel)
        else:
            group.append((rel, name[: len(name) - len(suffix)], suffix))
    targets: dict[str, str] = {}
    for folder, members in groups.items():
        if members:
            names = free_together([(own, suffix) for _rel, own, suffix in members], _names_in(target_root, folder))
            pairs = zip(members, names, strict=True)
            targets |= {rel: os.path.join(target_root, folder, name) for (rel, _s, _t), name in pairs}
    for rel in alone:
        folder, own_stem, suffix = split(rel)
        taken = [os.path.basename(target) for target in targets.values()]
        targets[rel] = plan_name(target_root, folder, own_stem, suffix, also_taken=taken)
    return [Plan(os.path.join(places.inbox, rel), targets[rel]) for rel in rels]


def _names_in(root: str, folder: str) -> list[str]:
    with target_folder(root, folder) as at, target_errors(os.path.join(root, folder)):
        return os.listdir(at)
