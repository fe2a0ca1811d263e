"""Where files go: free names in outbox, rejects and archive, chosen before anything is moved.

Touches: outbox, rejects and archive (listing, and making folders).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from nemo_watch.folders.files import target_errors
from nemo_watch.folders.names import free_name, free_together, key, split, suffix_after
from nemo_watch.folders.targets import mirrored_folder


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
    path, there = _mirrored(root, folder)
    return os.path.join(path, free_name(stem, suffix, [*there, *also_taken]))


def plan_names(
    root: str, folder: str, parts: Sequence[tuple[str, str]], *, planned: Sequence[str] = (), cut_alike: bool = False
) -> list[str]:
    """Choose final paths for (stem, suffix) pairs that belong together: with the same number, if any.

    `planned` are paths that others have chosen and may not have taken yet. Raises: FolderError. Effects: makes folders.
    Repeat: safe.
    """
    path, there = _mirrored(root, folder)
    there += [os.path.basename(other) for other in planned if os.path.dirname(other) == path]
    return [os.path.join(path, name) for name in free_together(parts, there, cut_alike=cut_alike)]


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
            parts = [(own, suffix) for _rel, own, suffix in members]
            paths = plan_names(target_root, folder, parts, cut_alike=True)
            targets |= {rel: path for (rel, _s, _t), path in zip(members, paths, strict=True)}
    for rel in alone:
        folder, own_stem, suffix = split(rel)
        taken = [os.path.basename(target) for target in targets.values()]
        targets[rel] = plan_name(target_root, folder, own_stem, suffix, also_taken=taken)
    return [Plan(os.path.join(places.inbox, rel), targets[rel]) for rel in rels]


def _mirrored(root: str, folder: str) -> tuple[str, list[str]]:
    with mirrored_folder(root, folder) as (at, below):
        path = os.path.join(root, below) if below else root
        with target_errors(path):
            return path, os.listdir(at)
