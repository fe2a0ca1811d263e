"""`skills`: the attribution profiles, which of them are installed and where, and what each sends.

Touches: the home folder, to read SKILL.md files; the config; the terminal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console

from nemo_watch import skills
from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.pictures import plain, safe
from nemo_watch.cli.places import load_config
from nemo_watch.config import Config
from nemo_watch.model import Json
from nemo_watch.skills import SkillProfile


def run_skills(config_path: str | None, *, as_json: bool) -> int:
    """Print the five profiles, and any other that an inbox names by its path."""
    told = look(load_config(config_path), os.environ, os.path.expanduser("~"))
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        _print(told)
    return EXIT_GOOD


def look(config: Config, env: Mapping[str, str], home: str) -> Json:
    """Find out what is sent for each profile. Repeat: safe."""
    paths = dict.fromkeys(inbox.skill for inbox in config.inboxes if inbox.skill not in skills.NAMES)
    wrong = [(name, said) for name in paths if (said := skills.problem(name))]
    others = [(name, skills.profile(name)) for name in paths if name not in dict(wrong)]
    return {
        "skills": [_row(config, name, each, env, home) for name, each in [*_ours(), *others]],
        "inboxes": [{"name": inbox.name, "skill": inbox.skill, "language": inbox.language} for inbox in config.inboxes],
        "problems": [said for _name, said in wrong],
    }


def _ours() -> list[tuple[str, SkillProfile]]:
    return [(each.name, each) for each in skills.PROFILES]


def _row(config: Config, name: str, chosen: SkillProfile, env: Mapping[str, str], home: str) -> Json:
    found = None if chosen.path else skills.installed(chosen.name, home)
    using = [inbox for inbox in config.inboxes if inbox.skill == name]
    languages = [skills.session_language(chosen, inbox.language) for inbox in using]
    return {
        "name": chosen.name,
        "installed": found is not None or bool(chosen.path),
        "path": chosen.path or (found.path if found else ""),
        **{f"sent_{key}": value for key, value in asdict(skills.headers(chosen, env, home)).items()},
        "session_language": chosen.session_language,
        "example": chosen.example,
        "inboxes": [{"name": inbox.name, "sent_language": said} for inbox, said in zip(using, languages, strict=True)],
    }


def _print(told: Json) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        for row in told["skills"]:
            inboxes = ", ".join(each["name"] for each in row["inboxes"]) or "-"
            cells = (row["name"], row["sent_version"], row["sent_platform"], row["path"] or "built in", inboxes)
            print("\t".join(plain(cell) for cell in (*cells, row["example"])))
    else:
        for row in told["skills"]:
            console.print(f"[bold]{safe(row['name'])}[/bold]: {_where(row)}")
            console.print(f"  sends as   {safe(_sent(row))}")
            console.print(f"  says       {safe(_language_words(row))}")
            console.print(f"  example    {safe(row['example'])}")
            if row["inboxes"]:
                console.print(f"  inboxes    {safe(', '.join(each['name'] for each in row['inboxes']))}")
    for said in told["problems"]:
        console.print(f"[red]{safe(said)}[/red]")


def _where(row: Json) -> str:
    return f"installed, {safe(row['path'])}" if row["installed"] else "not installed, the built-in profile counts"


def _sent(row: Json) -> str:
    return f"{row['sent_source']}, version {row['sent_version']}, platform {row['sent_platform']}"


def _language_words(row: Json) -> str:
    if row["session_language"]:
        return "the language when it opens a session, as its document does"
    return "a language only when it is not English, as its document leaves it out"
