"""Every command's help and output as it was approved, and every --json as its schema says.

What differs is looked at; then `python -m tests.approving` approves it anew.
"""

from __future__ import annotations

import json
import re

import pytest

from nemo_watch.cli.schemas import TABLES
from tests.approving import APPROVED, COMMANDS, settled, texts


@pytest.fixture(scope="module")
def shown() -> dict[str, tuple[tuple[str, ...], str]]:
    """Everything that is approved, run once: each text's command and what it prints now."""
    return {text.name: (text.args, now) for text, now in texts()}


def test_every_text_is_the_approved_one(shown: dict[str, tuple[tuple[str, ...], str]]) -> None:
    approved = {path.stem: path.read_text() for path in APPROVED.iterdir()}
    now = {name: text for name, (_args, text) in shown.items()}
    assert sorted(now) == sorted(approved), "approve anew with: python -m tests.approving"
    for name, text in now.items():
        assert text == approved[name], f"{name}: look at it, then approve it with: python -m tests.approving"


def test_every_json_has_the_keys_of_its_schema_and_no_other(shown: dict[str, tuple[tuple[str, ...], str]]) -> None:
    seen = set()
    for args, text in shown.values():
        if "--json" in args:
            body = re.sub(r"\[exit \d+\]\n$", "", text)
            body = re.sub(r'("(?:seconds|left_s)": )N', r"\g<1>1", body)
            if args[0] == "check":
                body = body.replace('"what": "speech",\n', '"what": "speech", "level": "note", "found": "", "mend": ""')
            told = json.loads(body)
            which = "error" if "error" in told else args[0]
            TABLES[which].model_validate(told, strict=False)
            seen.add(which)
    assert seen == set(TABLES), "every schema is held to what its command prints"


def test_every_command_has_its_help_and_no_help_speaks_of_types(
    shown: dict[str, tuple[tuple[str, ...], str]],
) -> None:
    for command in COMMANDS:
        for columns in (100, 40):
            text = shown[f"help-{command}-{columns}"][1]
            assert "<bool>" not in text
            assert "<str>" not in text
            assert max(len(line) for line in text.splitlines()) <= columns


def test_what_is_piped_has_no_escape_codes_and_no_line_is_cut(shown: dict[str, tuple[tuple[str, ...], str]]) -> None:
    piped = [text for name, (_args, text) in shown.items() if name.endswith("-piped")]
    assert all("\x1b" not in text and "…" not in text for text in piped)


def test_placeholders_are_as_long_as_what_they_stand_for() -> None:
    assert settled("| 05-04 12:30 |") == "| MM-DD hh:mm |\n"
    assert settled("at 2026-05-04 12:30:01 |") == "at YYYY-MM-DD hh:mm:ss |\n"
