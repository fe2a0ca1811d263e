"""`check` as a person runs it: what it says of each folder, and how it ends."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from nemo_watch.folders.marker import MARKER_NAME
from tests.program import Place

FOLDERS = ("inbox", "outbox", "rejects", "archive")


def findings(place: Place, code: int) -> dict[str, dict[str, str]]:
    told = place.run("check", "--json")
    assert told.returncode == code, told.stdout + told.stderr
    return {finding["what"]: finding for finding in json.loads(told.stdout)}


def test_each_folder_with_its_file_system_its_watching_and_whose_it_is(tmp_path: Path) -> None:
    place = Place(tmp_path / "place", inbox_extra='watch = "polling"\npoll = "7s"')
    before = findings(place, 0)
    assert "polled every 7 s as the config says, writable" in before["videos: inbox"]["found"]
    assert all(f"{place.root / name}, on " in before[f"videos: {name}"]["found"] for name in FOLDERS)
    assert {before[f"videos: whose {name}"]["found"] for name in FOLDERS} == {"it becomes ours at the first start"}
    assert not any((place.root / name / MARKER_NAME).exists() for name in FOLDERS)
    assert place.run("run", "--once").returncode == 0
    place.inbox_extra = ""
    place.write_config()
    (place.root / "archive" / MARKER_NAME).unlink()
    (place.root / "archive" / MARKER_NAME).mkdir()
    after = findings(place, 0)
    assert "watched by native events and a rescan every 60 s, writable" in after["videos: inbox"]["found"]
    assert {after[f"videos: whose {name}"]["found"] for name in FOLDERS[:3]} == {"ours"}
    assert after["videos: whose archive"]["level"] == "note"
    assert "cannot be read (a folder): remove it" in after["videos: whose archive"]["found"]


@pytest.mark.parametrize("backend", ['url = "sandbox"', 'url = "http://127.0.0.1:9"'])
def test_a_config_that_cannot_work_ends_as_run_does_but_with_every_finding(tmp_path: Path, backend: str) -> None:
    place = Place(tmp_path / "place", inbox_extra='skill = "ai-video-pro-onlin"', backend=backend)
    found = findings(place, 78)
    assert "ai-video-pro-online" in found["layout"]["found"]
    assert found["videos: inbox"]["level"] == "good"
    assert "backend" in found
    ran = place.run("run", "--once")
    assert ran.returncode == 78
    assert "ai-video-pro-online" in ran.stderr
    assert place.run("check", "--adopt").returncode == 78


def test_whether_speech_can_be_recognised_is_told_and_never_a_failure(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    speech = findings(place, 0)["speech"]
    if importlib.util.find_spec("faster_whisper") is None:
        assert (speech["level"], speech["found"].split(";")[0]) == ("note", "no speech recogniser is installed")
        assert "nemo-watch[captions]" in speech["mend"]
    else:
        assert speech["level"] == "good"
