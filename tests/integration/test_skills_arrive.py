"""For each of the five skills: the headers and the session's body that arrive at the backend are its document's."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemo_watch import skills
from nemo_watch.sandbox.records import Records, Request
from tests.arriving import TALKS, against, titles, version
from tests.media_fixtures import clip
from tests.program import eventually

OF_THE_DOCUMENTS = {  # the body of the session that each document shows; the title is the clip's
    "ai-video-pro-online": {},
    "video-editing-with": {},
    "video-skill-online": {"language": "en"},
    "from-video-openapi": {},
    "ai-video-jobs-remote": {"language": "en"},
}


def install(home: Path) -> None:
    """Install three of them, each in another place and written in another way."""
    texts = {
        ".clawhub/skills/pro/SKILL.md": "---\nname: ai-video-pro-online\nversion: 2.1.0  # newest\n---\nversion: 9\n",
        ".cursor/skills/video-skill-online/SKILL.md": "\ufeff---\r\nversion: '3.0'\r\nm:\r\n  version: 9\r\n---\r\n",
        "elsewhere/from-video-openapi/SKILL.md": "---\nname: from-video-openapi\nversion: 4\n---\n",
    }
    for name, text in texts.items():
        path = home / name
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode())


def of_session(records: Records, session_id: str) -> list[Request]:
    """The requests of one session: it is opened, its file comes, it is told something and looked at."""
    about = (
        each for each in records.requests() if session_id in (each.summary.get("session_id"), *each.path.split("/"))
    )
    return list(about)


@pytest.mark.parametrize("installed", [False, True], ids=["built in", "installed"])
async def test_the_headers_and_the_body_of_every_skill(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    if installed:
        install(home)
    said = dict.fromkeys(OF_THE_DOCUMENTS, ("1.0.0", "unknown"))
    if installed:
        said |= {"ai-video-pro-online": ("2.1.0", "clawhub"), "video-skill-online": ("3.0", "cursor")}
    content = Path(clip(tmp_path_factory, "corners.mp4")).read_bytes()
    async with against(tmp_path, TALKS, inbox_extra='skill = "video-skill-online"') as place:
        for number, name in enumerate(OF_THE_DOCUMENTS):
            text = f'prompt = "cut it"\nskill = "{name}"\n'
            place.drop(f"{name}.mp4", version(content, number), text, toml=True)
        place.drop("of the inbox.mp4", version(content, 10), "cut it")
        place.drop("chinese.mp4", version(content, 11), 'prompt = "cut it"\nlanguage = "zh-CN"\n', toml=True)
        await eventually(lambda: len(place.files("rejects")) == 3 * 7, "all came to their end")
    wanted = {name: (name, *said[name], body) for name, body in OF_THE_DOCUMENTS.items()}
    wanted["of the inbox"] = ("video-skill-online", *said["video-skill-online"], {"language": "en"})
    wanted["chinese"] = ("video-skill-online", *said["video-skill-online"], {"language": "zh-CN"})
    with Records(tmp_path / "backend") as records:
        sessions = titles(records)
        assert set(sessions) == set(wanted)
        for title, (source, release, platform, body) in wanted.items():
            requests = of_session(records, sessions[title])
            calls = " ".join(each.path for each in requests)
            assert all(part in calls for part in ("/api/tasks/", "/api/upload-video/", "/run_sse", "/api/state/"))
            for request in requests:
                sent = [request.headers[f"x-skill-{name}"] for name in ("source", "version", "platform")]
                assert sent == [source, release, platform], (title, request.path)
            (opened,) = [each for each in requests if each.path.startswith("/api/tasks/")]
            assert opened.summary["body"] == {"task_name": title, **body}
        for request in records.requests(path="/api/"):
            if "anonymous-token" not in request.path:
                assert all(request.headers[f"x-skill-{name}"] for name in ("source", "version", "platform"))


async def test_a_skill_by_its_path_and_a_platform_by_the_environment(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine = tmp_path / ".clawhub" / "mine"
    mine.mkdir(parents=True)
    (mine / "SKILL.md").write_text("---\nname: 'video-skill-online'\nversion: 7\n---\n")
    content = Path(clip(tmp_path_factory, "corners.mp4")).read_bytes()
    env = {"SKILL_SOURCE": "nas"}
    for number, (more, platform) in enumerate((({}, "unknown"), (env, "nas"))):
        root = tmp_path / str(number)
        async with against(root, TALKS, inbox_extra=f"skill = '{mine}'", env=more) as place:
            place.drop("one.mp4", content, "cut it")
            await eventually(lambda place=place: len(place.files("rejects")) == 3, "it came to its end")
        with Records(root / "backend") as records:
            (opened,) = records.requests("POST", "/with-session/")
        assert opened.summary["body"] == {"task_name": "one", "language": "en"}
        sent = [opened.headers[f"x-skill-{name}"] for name in ("source", "version", "platform")]
        assert sent == ["video-skill-online", "7", platform]


def test_the_documents_are_the_five() -> None:
    assert tuple(OF_THE_DOCUMENTS) == skills.NAMES
