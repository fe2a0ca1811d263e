"""A client that was not written here: the curl lines of the vendor's document against the sandbox as a server."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.media_fixtures import clip, describe, frame_ids, stream_seconds
from tests.sandbox_wire import events, texts

SCRIPT = Path(__file__).with_name("skill_calls.sh")
MESSAGE = "cut the pauses and add background music"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@contextlib.contextmanager
def serving(store: Path, profile: str) -> Iterator[str]:
    """Run `nemo-watch sandbox` as its users do; give its address."""
    argv = [sys.executable, "-m", "nemo_watch", "sandbox", "--listen", "127.0.0.1:0", "--store", str(store)]
    argv += ["--profile", profile]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            found = re.match(r"sandbox at (\S+),", child.stdout.readline())
            assert found is not None, "the sandbox did not start"
            yield found[1]
        finally:
            child.kill()


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def data(path: Path, profile: str) -> Any:
    """Give what is in the envelope of a reply that is not about a render."""
    body = read(path)
    if profile.startswith("adk"):
        return body
    assert body["code"] == 0
    return body["data"]


@pytest.mark.parametrize(
    ("profile", "caller", "replies"),
    [
        # Every way to ask, and every place where fields stand: adk1 differs in errors, the gateway polls as ar does.
        ("official", "now", "now"),
        ("official", "seeds", "now"),
        ("ar", "first", "withdrawn"),
        ("adk2", "now", "bare"),
    ],
)
def test_from_a_token_to_a_file_that_plays(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, profile: str, caller: str, replies: str
) -> None:
    source = clip(tmp_path_factory, "frameid_short.mp4")
    out = tmp_path / "out"
    out.mkdir()
    # curl is the machine's, python3 the one that runs this.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with serving(tmp_path / "store", profile) as url:
        done = subprocess.run(
            [str(SCRIPT), url, source, str(out), MESSAGE],
            env={"PATH": path, "CALLER": caller, "REPLIES": replies, "POLL_S": "0.2", "LOOKS": "300"},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
    told = {path.name: path.read_text() for path in out.glob("*.json")}
    assert (done.returncode, done.stderr) == (0, ""), told

    # What the documents promise of each reply, beyond the fields that the script itself could not do without.
    assert re.fullmatch(r"nmv_usr_[\w-]{20,}", data(out / "token.json", profile)["token"])
    assert data(out / "session.json", profile)["session_id"].isdigit()
    uploaded = data(out / "upload.json", profile)
    assert [(file["filename"], file["file_type"]) for file in uploaded["files"]] == [("frameid_short.mp4", "video")]
    assert abs(uploaded["files"][0]["duration"] - 8) < 0.1
    assert uploaded["session_state_applied"] is True
    # An address that is not public is not fetched, and that is said: nothing is uploaded in silence.
    by_address = read(out / "upload_url.json")
    assert by_address["code"] == 400
    assert by_address["message"].startswith("http://127.0.0.1/video.mp4 is not fetched")
    before, after = (data(out / name, profile)["state"] for name in ("state_before.json", "state.json"))
    assert (before["draft"], len(before["video_infos"])) == ({}, 1)
    assert {track["tt"] for track in after["draft"]["t"]} == {0, 1}
    told = events((out / "stream.txt").read_bytes())
    assert [one["content"] for one in told if one.get("type") == "text"] if profile == "ar" else any(texts(told))
    spent = [data(out / name, profile)["available"] for name in ("credits_before.json", "credits.json")]
    assert spent[0] - spent[1] == 50
    about = {name: read(out / f"{name}.json") for name in ("submitted", "submitted_too", "cancelled")}
    inside = {name: body if profile.startswith("adk") else body["data"] for name, body in about.items()}
    assert [one["status"] for one in inside.values()] == ["pending", "pending", "cancelled"]
    assert data(out / "claim.json", profile)["claim_token"].startswith("clm_")

    # The file: what the poll said of it, and frame for frame what the draft names.
    polled = read(out / "poll.json")
    result = out / "output.mp4"
    if replies != "withdrawn":
        assert result.stat().st_size == polled["output"]["size"]
    assert result.read_bytes() == (out / "fallback.mp4").read_bytes()
    assert "Video: h264" in describe(str(result))
    draft = read(out / "draft.json")
    length_s = draft["d"] / 1000
    assert length_s < 6
    for stream in ("v", "a"):
        assert abs(stream_seconds(str(result), stream) - length_s) <= 1 / 30 + 0.025
    shown, grid = frame_ids(str(result)), 30 / 1000
    for segment in draft["t"][0]["sg"]:
        first, last = int(segment["s"] * grid + 0.5), int((segment["s"] + segment["d"]) * grid + 0.5) - 1
        assert shown[first] == int(segment["ss"] * grid + 0.5)
        assert shown[last] == shown[first] + last - first
