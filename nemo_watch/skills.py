"""Attribution profiles: under which skill's name, version and platform a job speaks to the backend.

Touches: the disk, to read the front matter of an installed SKILL.md; nothing is written.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nemo_watch.model import SkillHeaders
from nemo_watch.profiles import NAMES, PROFILES, SkillProfile, problem, profile

__all__ = [
    "NAMES",
    "PROFILES",
    "InstalledSkill",
    "SkillProfile",
    "headers",
    "installed",
    "problem",
    "profile",
    "session_language",
]

_WALKED_FOLDERS = 4000
_FRONT_MATTER_BYTES = 16 * 1024
_HEADER_LENGTH = 128


@dataclass(frozen=True, slots=True)
class InstalledSkill:
    """What the front matter of a SKILL.md says; `name` and `version` are "" where it says nothing."""

    path: str
    name: str
    version: str
    platform: str


def session_language(chosen: SkillProfile, language: str) -> str:
    """Return the language for the session's body, "" to leave it out as the skill's document does.

    A language other than English is always said: leaving it out would lose the user's wish.

    Source: contract.md 4.1
    """
    return "" if language == "en" and not chosen.session_language else language


def headers(chosen: SkillProfile, env: Mapping[str, str], home: str) -> SkillHeaders:
    """Make the three attribution headers: of the installed skill if there is one, else of the built-in profile.

    They are read anew at each call, so a skill that was installed or updated counts from the next job on.

    Effects: looks for SKILL.md below `home`
    Repeat: safe
    Source: contract.md 1.1; the variable SKILL_SOURCE feeds the platform, the skill's name feeds the source
    """
    skill = installed(chosen.name, home)
    return SkillHeaders(
        source=_header_safe(skill.name if skill else "") or chosen.name,
        version=_header_safe(skill.version if skill else "") or chosen.version,
        platform=_header_safe(env.get("SKILL_SOURCE", "")) or (skill.platform if skill else "") or chosen.platform,
    )


def installed(name: str, home: str) -> InstalledSkill | None:
    """Find the installed skill of that name, by its front matter or by its folder's name."""
    for platform, folder in (("clawhub", (".clawhub",)), ("cursor", (".cursor", "skills"))):
        for path in _skill_files(os.path.join(home, *folder)):
            front = _front_matter(path)
            said = front.get("name", "")
            if said == name or (not said and os.path.basename(os.path.dirname(path)) == name):
                return InstalledSkill(path, said, front.get("version", ""), platform)
    return None


def _skill_files(root: str) -> Iterator[str]:
    """Walk in the same order every time, and not without end: a home folder may hold anything."""
    walked = os.walk(root)
    for folder, below, files in itertools.islice(walked, _WALKED_FOLDERS):
        below[:] = sorted(each for each in below if each not in {"node_modules", ".git"})
        if "SKILL.md" in files:
            yield os.path.join(folder, "SKILL.md")


def _front_matter(path: str) -> dict[str, str]:
    """Read the plain `key: value` lines between the first two `---`; a file that cannot be read says nothing."""
    try:
        with open(path, "rb") as file:
            text = file.read(_FRONT_MATTER_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return {}
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}
    values: dict[str, str] = {}
    for line in itertools.takewhile(lambda each: each.strip() != "---", lines[1:]):
        key, colon, value = line.partition(":")
        if colon and key == key.strip() and not key.startswith("#"):
            values.setdefault(key, _plain_value(value.strip()))
    return values


def _plain_value(value: str) -> str:
    if value[:1] in {'"', "'"}:
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].strip()


def _header_safe(value: str) -> str:
    """Keep what may stand in an HTTP header field: printable ASCII on one line."""
    kept = "".join(sign if " " <= sign <= "~" else " " for sign in value)
    return " ".join(kept.split())[:_HEADER_LENGTH].strip()
