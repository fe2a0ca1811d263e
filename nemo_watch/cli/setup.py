"""`init`: a config and the folders, ready to run.

Touches: the config file and the folders it makes; never anything that is there already.
"""

from __future__ import annotations

import os
import shlex

import tomli_w
from rich.console import Console

from nemo_watch.cli import EXIT_FOUND, EXIT_GOOD
from nemo_watch.cli.pictures import safe

FOLDERS = ("inbox", "outbox", "rejects", "archive")
WORDS = {
    "inbox": "drop videos here, each with a text file of the same name",
    "outbox": "finished videos appear here",
    "rejects": "what failed, with a report that says why and what to do",
    "archive": "originals that are done",
}


def write_config(path: str, folder: str, *, sandbox: bool, extra: dict[str, dict[str, object]] | None = None) -> None:
    """Write a small config that names what a person would want to change. Raises: FileExistsError, OSError."""
    sections: dict[str, object] = {"backend": {"url": "sandbox", "render_poll": "1s"}} if sandbox else {}
    text = "# nemo-watch's config. config.example.toml in the project lists every key with its default.\n\n"
    if sections or extra:
        text += tomli_w.dumps(sections | (extra or {})) + "\n"
    # Written as a table of its own, so that a second [[inbox]] can simply be added below.
    text += "[[inbox]]\n" + tomli_w.dumps({"name": "videos", "path": os.path.join(folder, "inbox"), "instruction": ""})
    text += '# instruction is for clips without a text file, for example "cut the pauses and add background music"\n'
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "x", encoding="utf-8") as out:
        out.write(text)


def _usual_place() -> str:
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return os.path.join(home, "nemo-watch", "config.toml")


def run_init(config_path: str | None, folder: str, *, sandbox: bool) -> int:
    """Write the config and make the folders; what is there already is left as it is."""
    console = Console(highlight=False, soft_wrap=True)
    target = os.path.abspath(os.path.expanduser(config_path or _usual_place()))
    home = os.path.abspath(os.path.expanduser(folder))
    try:
        write_config(target, home, sandbox=sandbox)
    except FileExistsError:
        console.print(f"There is already a config at {safe(target)}: it was left as it is.")
        console.print("Remove it first, or name another place with --config FILE.")
        return EXIT_FOUND
    except OSError as error:
        console.print(f"The config {safe(target)} cannot be written: {error.strerror}.")
        return EXIT_FOUND
    console.print(f"config   {safe(target)}")
    for name in FOLDERS:
        try:
            os.makedirs(os.path.join(home, name), exist_ok=True)
        except OSError as error:
            console.print(f"The folder {safe(os.path.join(home, name))} cannot be made: {error.strerror}.")
            return EXIT_FOUND
        console.print(f"{name:8} {safe(os.path.join(home, name))}: {WORDS[name]}")
    start = "nemo-watch run" + (f" --config {shlex.quote(target)}" if config_path else "")
    console.print(f"\nStart it with: [bold]{safe(start)}[/bold]")
    return EXIT_GOOD
