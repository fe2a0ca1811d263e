"""Where files go: free names in outbox, rejects and archive, chosen before anything is moved.

Touches: outbox, rejects and archive (listing, and making folders).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nemo_watch.folders.files import target_errors
from nemo_watch.folders.names import free_together, key, split, suffix_after
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


def plan_name(root: str, folder: str, stem: str, suffix: str, *, planned: Sequence[str] = ()) -> str:
    """Choose a free final path below `root`, making the folders on the way; `planned` as for `plan_names`.

    Raises: FolderError. Effects: makes folders. Repeat: safe.
    """
    return plan_names(root, folder, [(stem, suffix)], planned=planned, cut_alike=True)[0]


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


def plan_moves(
    places: Places,
    target_root: str,
    rels: Sequence[str],
    *,
    planned: Sequence[str] = (),
    kept: Mapping[str, str] | None = None,
) -> list[Plan]:
    """Choose where an original and what belongs to it go: under their own names, or all with the same number.

    A clip that becomes `clip-2.mp4` has its instruction beside it as `clip-2.txt`, so that they are a pair again when
    they are put back. The first of `rels` is the clip. `planned` are paths that others have chosen, `kept` the targets
    of those of `rels` that lie there already. Raises: FolderError. Effects: makes folders.
    """
    _folder, stem, _suffix = split(rels[0])
    groups: dict[str, list[tuple[str, str, str]]] = {}
    alone: list[str] = []
    targets = dict(kept or {})
    for rel in rels:
        if rel in targets:
            continue
        folder, name = os.path.split(rel)
        suffix = suffix_after(stem, name)
        group = groups.setdefault(folder, [])
        if suffix is None or any(key(suffix) == key(other) for _rel, _stem, other in group):
            alone.append(rel)
        else:
            group.append((rel, name[: len(name) - len(suffix)], suffix))
    for folder, members in groups.items():
        if members:
            parts = [(own, suffix) for _rel, own, suffix in members]
            paths = plan_names(target_root, folder, parts, planned=[*planned, *targets.values()], cut_alike=True)
            targets |= {rel: path for (rel, _s, _t), path in zip(members, paths, strict=True)}
    for rel in alone:
        folder, own_stem, suffix = split(rel)
        targets[rel] = plan_name(target_root, folder, own_stem, suffix, planned=[*planned, *targets.values()])
    return [Plan(os.path.join(places.inbox, rel), targets[rel]) for rel in rels]


def _mirrored(root: str, folder: str) -> tuple[str, list[str]]:
    with mirrored_folder(root, folder) as (at, below):
        path = os.path.join(root, below) if below else root
        with target_errors(path):
            return path, os.listdir(at)
