"""The skills whose documents the product was made from, as those documents present them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from nemo_watch import tomltext
from nemo_watch.errors import SidecarError


@dataclass(frozen=True, slots=True)
class SkillProfile:
    """A skill as its document presents it.

    `session_language` is the language its document sends when it opens a session, "" if it sends none. `path` is the
    SKILL.md that a config names in place of one of ours, "" for ours.
    """

    name: str
    example: str
    session_language: str = ""
    version: str = "1.0.0"
    platform: str = "unknown"
    path: str = ""


PROFILES = (
    SkillProfile("ai-video-pro-online", "cut the pauses, add background music, and export in 1080p"),
    SkillProfile("video-editing-with", "cut the pauses, add background music, and export as a 1-minute highlight"),
    SkillProfile("video-skill-online", "trim the intro, add captions, and export for YouTube", session_language="en"),
    SkillProfile("from-video-openapi", "extract metadata, generate a summary, and export a trimmed clip via API"),
    SkillProfile(
        "ai-video-jobs-remote",
        "trim silences, add captions, and export a clean MP4 for client delivery",
        session_language="en",
    ),
)
NAMES = tuple(each.name for each in PROFILES)


def profile(name: str) -> SkillProfile:
    """Return the built-in profile of that name.

    Raises: SidecarError with the nearest name; for a name in the config, `problem` gives the same sentence.
    """
    for each in PROFILES:
        if each.name == name:
            return each
    raise SidecarError(problem(name), hint=f'Write for example: skill = "{PROFILES[0].name}"')


def problem(name: str) -> str:
    """Say what is wrong with a skill's name, "" if it is one of ours."""
    return "" if name in NAMES else f'there is no skill "{name}" ({tomltext.did_you_mean(name, NAMES).rstrip(".")}).'
