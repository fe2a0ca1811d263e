"""Speaks to a sandbox as the vendor's documents say, with nothing of the house's client in it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import subprocess
import tempfile
import time
import uuid
import wave
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import imageio_ffmpeg

T = TypeVar("T")
SKILL = {"X-Skill-Source": "nemo-video", "X-Skill-Version": "1.0.0", "X-Skill-Platform": "unknown"}


def eventually(look: Callable[[], T | None], *, within_s: float = 60.0) -> T:
    """Look again until there is something."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Caller:
    """One account at a sandbox."""

    def __init__(self, url: str, client_id: str = "", token: str = "") -> None:
        # no TLS is spoken here, and certificates take a while to load
        self.http = httpx.Client(base_url=url, headers=SKILL, timeout=60, trust_env=False, verify=False)
        self.user_id = ""
        self.client_id = client_id or str(uuid.uuid4())
        if not token:
            data = self.ok(self.http.post("/api/auth/anonymous-token", headers={"X-Client-Id": self.client_id}))
            token, self.user_id = data["token"], data["user_id"]
        self.token = token
        self.http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @staticmethod
    def ok(response: httpx.Response) -> Any:
        assert response.status_code == 200, response.text
        body = response.json()
        assert body["code"] == 0, body
        return body["data"]

    def session(self, language: str = "en") -> str:
        body = {"task_name": "project", "language": language}
        return str(self.ok(self.http.post("/api/tasks/me/with-session/nemo_agent", json=body))["session_id"])

    def try_upload(self, session_id: str, *files: tuple[str, bytes]) -> httpx.Response:
        parts = [("files", file) for file in files]
        return self.http.post(f"/api/upload-video/nemo_agent/me/{session_id}", files=parts)

    def upload(self, session_id: str, *paths: Path) -> list[dict[str, Any]]:
        with contextlib.ExitStack() as stack:
            parts = [("files", (p.name, stack.enter_context(p.open("rb")))) for p in paths]
            answer = self.http.post(f"/api/upload-video/nemo_agent/me/{session_id}", files=parts)
        files = self.ok(answer)["files"]
        assert isinstance(files, list)
        return files

    def state(self, session_id: str) -> dict[str, Any]:
        held = self.ok(self.http.get(f"/api/state/nemo_agent/me/{session_id}/latest"))["state"]
        assert isinstance(held, dict)
        return held

    @staticmethod
    def message(session_id: str, text: str) -> dict[str, Any]:
        parts = {"parts": [{"text": text}]}
        return {"app_name": "nemo_agent", "user_id": "me", "session_id": session_id, "new_message": parts}

    @contextlib.contextmanager
    def saying(self, session_id: str, text: str) -> Iterator[httpx.Response]:
        with self.http.stream("POST", "/run_sse", json=self.message(session_id, text)) as response:
            yield response

    def say(self, session_id: str, text: str) -> list[dict[str, Any]]:
        with self.saying(session_id, text) as response:
            assert response.headers["content-type"].startswith("text/event-stream"), response.read()
            return events(response.read())

    def balance(self) -> dict[str, int]:
        return dict(self.ok(self.http.get("/api/credits/balance/simple")))

    def submit(self, session_id: str, draft: Any, render_id: str = "", **output: Any) -> httpx.Response:
        body = {"id": render_id or f"render_{uuid.uuid4()}", "sessionId": session_id, "draft": draft, "output": output}
        return self.http.post("/api/render/proxy/lambda", json=body)

    def poll(self, render_id: str) -> dict[str, Any]:
        response = self.http.get(f"/api/render/proxy/lambda/{render_id}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def rendered(self, render_id: str) -> dict[str, Any]:
        """Wait for a render's end."""
        ended = ("completed", "failed", "cancelled")
        return eventually(lambda: found if (found := self.poll(render_id))["status"] in ended else None)


def events(body: bytes) -> list[dict[str, Any]]:
    """Take a stream apart; every event is one data line."""
    frames = body.decode().split("\n\n")
    assert frames[-1] == "", "the stream ends within an event"
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames[:-1])
    return [json.loads(frame.removeprefix("data: ")) for frame in frames[:-1]]


def texts(told: list[dict[str, Any]]) -> list[str]:
    """The texts that a person is shown."""
    parts = (part for event in told for part in event.get("content", {}).get("parts", []))
    return [part["text"] for part in parts if "text" in part and not part.get("thought")]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tone(path: Path, seconds: float, *, rate: int = 8000) -> Path:
    """Write a sound: a tone of two seconds in every four."""
    four = array("h", (int(12_000 * math.sin(i * 0.5)) if i < 2 * rate else 0 for i in range(4 * rate)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        whole, rest = divmod(int(seconds * rate), 4 * rate)
        for _ in range(whole):
            file.writeframes(four.tobytes())
        file.writeframes(four[:rest].tobytes())
    return path


def clip(path: Path, seconds: float, *, size: str = "320x180") -> Path:
    """Write a video with a tone of two seconds in every four."""
    sound = "aevalsrc='if(lt(mod(t,4),2),0.4*sin(2*PI*440*t),0)':s=48000"
    args = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=30", "-f", "lavfi", "-i", sound, "-t", str(seconds)]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *args, *codecs, str(path)], check=True)
    return path


@functools.cache
def clip_bytes(seconds: float = 6.0) -> bytes:
    """A small video, made once in a process."""
    with tempfile.TemporaryDirectory() as folder:
        return clip(Path(folder, "clip.mp4"), seconds).read_bytes()
