"""`nemo-watch skills`: what is installed, what is sent, and which inbox uses what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nemo_watch import config as configuration
from nemo_watch import skills
from nemo_watch.cli.skills import look, run_skills
from nemo_watch.model import Json
from tests.program import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A config with one inbox that uses a SKILL.md by its path, and a home with another one installed."""
    place = Place(tmp_path, inbox_extra=f"skill = '{tmp_path / 'mine'}'\nlanguage = 'zh-CN'")
    for folder, text in (
        ("mine", "name: my-own\nversion: 9"),
        ("home/.cursor/skills/x", "name: video-skill-online\nversion: 2"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "SKILL.md").write_text(f"---\n{text}\n---\n")
    return place


def told(place: Place, **env: str) -> Json:
    return look(configuration.load(str(place.config_path), {}), env, str(place.root / "home"))


def test_what_is_told_of_each(place: Place) -> None:
    rows = {row["name"]: row for row in told(place)["skills"]}
    assert list(rows) == [*skills.NAMES, "my-own"]
    for profile in skills.PROFILES:
        assert rows[profile.name]["example"] == profile.example
        assert rows[profile.name]["session_language"] == profile.session_language
    online, own = rows["video-skill-online"], rows["my-own"]
    assert (online["installed"], online["sent_version"], online["sent_platform"]) == (True, "2", "cursor")
    assert online["path"].endswith("/.cursor/skills/x/SKILL.md")
    assert (own["installed"], own["sent_version"], own["sent_platform"]) == (True, "9", "unknown")
    assert own["inboxes"] == [{"name": "videos", "sent_language": "zh-CN"}]
    quiet = rows["ai-video-pro-online"]
    assert (quiet["installed"], quiet["path"], quiet["inboxes"]) == (False, "", [])
    assert {row["sent_platform"] for row in told(place, SKILL_SOURCE="nas")["skills"]} == {"nas"}


def test_a_skill_that_is_not_there_is_told(place: Place) -> None:
    (place.root / "mine" / "SKILL.md").unlink()
    found = told(place)
    assert [row["name"] for row in found["skills"]] == list(skills.NAMES)
    assert found["problems"] == [f"there is no {place.root}/mine/SKILL.md."]


def test_in_a_pipe_each_skill_is_a_line_and_json_has_it_all(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place.root / "home"))
    assert run_skills(str(place.config_path), as_json=False) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [*skills.NAMES, "my-own"]
    assert lines[0][1:] == ["1.0.0", "unknown", "built in", "-", skills.PROFILES[0].example]
    assert lines[5][:5] == ["my-own", "9", "unknown", f"{place.root}/mine/SKILL.md", "videos"]
    assert run_skills(str(place.config_path), as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == told(place)
