"""Attribution profiles: under which skill's name, version and platform a job speaks to the backend.

Touches: the disk, to read the front matter of an installed SKILL.md; nothing is written.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from nemo_watch import profiles
from nemo_watch.model import SkillHeaders
from nemo_watch.profiles import NAMES, PROFILES, SkillProfile

__all__ = ["NAMES", "PROFILES", "InstalledSkill", "SkillProfile", "headers", "installed", "problem", "profile"]

_WALKED_FOLDERS = 4000
_FRONT_MATTER_BYTES = 16 * 1024
_HEADER_LENGTH = 128
_KEY = re.compile(r"""["']?(?P<key>[A-Za-z_][\w-]*)["']?\s*:(?:\s+(?P<value>.*))?$""")
_BLOCK = re.compile(r"[|>][+-]?\d?(?:\s+#.*)?")
_TAG = re.compile(r"^!\S*\s+")
_QUOTED = re.compile(r"""\"(?P<double>(?:[^"\\]|\\.)*)\"|'(?P<single>(?:[^']|'')*)'""")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")


@dataclass(frozen=True, slots=True)
class InstalledSkill:
    """What the front matter of a SKILL.md says; `name` and `version` are "" where it says nothing."""

    path: str
    name: str
    version: str
    platform: str


def profile(skill: str) -> SkillProfile:
    """Return the built-in profile of that name, or the one that the SKILL.md at a path presents.

    What a file leaves open, or one that is gone by now, is filled from the name of its folder and from the first of
    ours: a session is opened as that one's document does.

    Effects: reads the file at a path
    Repeat: safe
    Raises: SidecarError with the nearest name.
    """
    if "/" not in skill:
        return profiles.profile(skill)
    path = _skill_file(skill)
    front = _front_matter(path)
    name = _header_safe(front.get("name", "")) or _header_safe(os.path.basename(os.path.dirname(path)))
    like = next((each for each in PROFILES if each.name == name), PROFILES[0])
    version = _header_safe(front.get("version", "")) or like.version
    return replace(like, name=name or like.name, version=version, platform="unknown", path=path)


def problem(skill: str) -> str:
    """Say what is wrong with a config's skill, "" if it is one of ours or the path of a SKILL.md."""
    if "/" not in skill:
        return profiles.problem(skill)
    if not os.path.isabs(os.path.expanduser(skill)):
        return f'the skill "{skill}" must be a name or a whole path that begins with / or ~/.'
    return "" if os.path.isfile(_skill_file(skill)) else f"there is no {_skill_file(skill)}."


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
    skill = None if chosen.path else installed(chosen.name, home)
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


def _skill_file(path: str) -> str:
    """Find the SKILL.md that a path means: itself, or the one in that folder."""
    whole = os.path.expanduser(path)
    return whole if os.path.basename(whole).casefold() == "skill.md" else os.path.join(whole, "SKILL.md")


def _skill_files(root: str) -> Iterator[str]:
    """Walk in the same order every time, and not without end: a home folder may hold anything, links in a ring too."""
    seen: set[str] = set()
    for folder, below, files in itertools.islice(os.walk(root, followlinks=True), _WALKED_FOLDERS):
        real = os.path.realpath(folder)
        below[:] = [] if real in seen else sorted(each for each in below if each not in {"node_modules", ".git"})
        if real not in seen and "SKILL.md" in files:
            yield os.path.join(folder, "SKILL.md")
        seen.add(real)


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
    front = list(itertools.takewhile(lambda each: each.strip() not in {"---", "..."}, lines[1:]))
    values: dict[str, str] = {}
    for number, line in enumerate(front):
        found = _KEY.match(line)
        if found is None:
            continue
        value = (found["value"] or "").strip()
        if _BLOCK.fullmatch(value):
            below = itertools.takewhile(lambda each: each[:1] in {" ", "\t"} or not each, front[number + 1 :])
            value = " ".join(each.strip() for each in below).strip()
        else:
            value = _plain_value(value)
        values.setdefault(found["key"], value)
    return values


def _plain_value(value: str) -> str:
    """Read a scalar of YAML; a list, a table or nothing is "" here."""
    value = _TAG.sub("", value)
    if quoted := _QUOTED.match(value):
        if quoted["double"] is not None:
            return re.sub(r"\\(.)", r"\1", quoted["double"])
        return quoted["single"].replace("''", "'")
    plain = _COMMENT.sub("", value).strip()
    return "" if plain[:1] in {"[", "{", "&", "*"} or plain in {"~", "null"} else plain


def _header_safe(value: str) -> str:
    """Keep what may stand in an HTTP header field: printable ASCII on one line."""
    kept = "".join(sign if " " <= sign <= "~" else " " for sign in value)
    return " ".join(kept.split())[:_HEADER_LENGTH].strip()
