"""Counts what a rule took against what the senders sent in the end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

RULES = ("CLOSE_WRITE alone", "MOVED_TO alone", "either of them")


@dataclass(frozen=True)
class Sent:
    """A file as its sender left it. `sidecar` is the final text of its own sidecar, None without one.

    `stamp` is its inode, size and modification time (ns) in the end.
    """

    rel: str
    sha256: str
    done_s: float
    sidecar: str | None = None
    stamp: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Take:
    """What a rule took at a moment; `refusal` is a code if the file was refused instead."""

    rel: str
    sha256: str
    at_s: float
    sidecar: str | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Count:
    """How often a rule was wrong."""

    takes: int = 0
    partial: int = 0
    missed: int = 0
    double: int = 0
    sidecar: int = 0
    waited_s: float = 0.0
    notes: tuple[str, ...] = ()

    def __add__(self, other: Count) -> Count:
        return Count(
            self.takes + other.takes,
            self.partial + other.partial,
            self.missed + other.missed,
            self.double + other.double,
            self.sidecar + other.sidecar,
            max(self.waited_s, other.waited_s),
            self.notes + other.notes,
        )


@dataclass(frozen=True)
class Row:
    """What became of one sender. `still_s`: how long a file stood unchanged under its final name while not final."""

    name: str
    program: str = ""
    files: int = 0
    still_s: float = 0.0
    count: Count = Count()
    naive: dict[str, Count] = field(default_factory=dict)
    skipped: str = ""
    failed: str = ""

    @property
    def is_good(self) -> bool:
        """Tell whether nothing was taken too early, left or taken twice."""
        count = self.count
        return not (self.failed or count.partial or count.missed or count.double or count.sidecar)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Row:
        naive = {rule: _count(found) for rule, found in data["naive"].items()}
        return Row(**{**data, "count": _count(data["count"]), "naive": naive})


def _count(data: dict[str, Any]) -> Count:
    return Count(**{**data, "notes": tuple(data["notes"])})


def count(sent: Iterable[Sent], takes: Sequence[Take], *, sidecars: bool = True) -> Count:
    """Count what was taken of some files; takes of names that nobody sent are partial ones.

    A refusal is as bad as a partial take: the file would have gone to the rejects.
    """
    total = Count()
    finals = {file.rel: file for file in sent}
    for rel, file in finals.items():
        mine = [take for take in takes if take.rel == rel]
        good = [take for take in mine if take.sha256 == file.sha256 and not take.refusal]
        bad = [take for take in mine if take not in good]
        wrong = [take for take in good if sidecars and take.sidecar != file.sidecar]
        notes = [f"{rel}: {_bad(take)} {take.at_s - file.done_s:+.1f} s from its end" for take in bad]
        notes += [f"{rel}: never taken"] if not good else []
        notes += [f"{rel}: taken {len(good)} times"] if len(good) > 1 else []
        notes += [f"{rel}: sidecar {take.sidecar!r} instead of {file.sidecar!r}" for take in wrong]
        waited_s = good[0].at_s - file.done_s if good else 0.0
        total += Count(
            len(mine), len(bad), int(not good), max(0, len(good) - 1), len(wrong), waited_s, notes=tuple(notes)
        )
    strays = [take for take in takes if take.rel not in finals]
    return total + Count(len(strays), len(strays), notes=tuple(f"{t.rel}: {_bad(t)}, nobody's file" for t in strays))


def _bad(take: Take) -> str:
    return f"refused as {take.refusal}" if take.refusal else "bytes that are not final were taken"


def owner(rel: str, names: Iterable[str]) -> str:
    """Find the sender by the name of its file: every file begins with its sender's name."""
    fitting = [name for name in names if rel == name or rel.startswith((f"{name}.", f"{name}-", f"{name}/"))]
    return max(fitting, key=len, default="")


def table(rows: Sequence[Row]) -> str:
    """Write the rows for a person, the naive rules on the same files below."""
    head = ("sender", "program", "files", "takes", "partial", "missed", "double", "sidecar", "stood s", "waited s")
    judged = [row for row in rows if not row.skipped]
    lines: list[tuple[str, ...]] = [head]
    lines += [(row.name, row.program, str(row.files), *_figures(row.count, row.still_s)) for row in judged]
    whole = sum((row.count for row in judged), Count())
    files = str(sum(row.files for row in judged))
    lines.append(("OVER ALL", "the settle rule", files, *_figures(whole, max((r.still_s for r in judged), default=0))))
    for rule in RULES:
        naive = sum((row.naive.get(rule, Count()) for row in judged), Count())
        shown = (naive.takes, naive.partial, naive.missed, naive.double)
        lines.append(("CONTROL", rule, files, *(str(number) for number in shown), "-", "-", "-"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [_line(line, widths) for line in lines]
    text.insert(1, "-" * len(text[0]))
    text.insert(len(judged) + 2, "-" * len(text[0]))
    for row in rows:
        text += [f"  {row.name}: skipped, {row.skipped}"] if row.skipped else []
        text += [f"  {row.name}: FAILED, {row.failed}"] if row.failed else []
        text += [f"  {row.name}: {note}" for note in row.count.notes]
    return "\n".join(text)


def _figures(found: Count, still_s: float) -> tuple[str, ...]:
    numbers = (found.takes, found.partial, found.missed, found.double, found.sidecar)
    return (*(str(number) for number in numbers), f"{still_s:.1f}", f"{found.waited_s:.1f}")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = enumerate(zip(cells, widths, strict=True))
    shown = [cell.ljust(width) if at < 2 else cell.rjust(width) for at, (cell, width) in pairs]
    return "  ".join(shown).rstrip()
