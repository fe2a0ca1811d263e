"""The five profiles, and the headers they make with and without an installed SKILL.md. Pure but for a made-up disk."""

from __future__ import annotations

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

from nemo_watch import skills
from nemo_watch.errors import SidecarError
from nemo_watch.model import SkillHeaders

NAMES = (
    "ai-video-pro-online",
    "video-editing-with",
    "video-skill-online",
    "from-video-openapi",
    "ai-video-jobs-remote",
)
HOME = "/home/someone"


def test_the_five_profiles_in_their_order() -> None:
    assert tuple(profile.name for profile in skills.PROFILES) == NAMES
    assert all(skills.profile(name).example for name in NAMES)
    assert [skills.profile(name).session_language for name in NAMES] == ["", "", "en", "", "en"]


def test_an_unknown_skill_is_refused_with_the_nearest() -> None:
    with pytest.raises(SidecarError, match='did you mean "video-skill-online"') as caught:
        skills.profile("video-skil-online")
    assert caught.value.hint
    assert skills.problem("video-skil-online") == caught.value.message
    assert skills.problem("video-skill-online") == ""


def test_the_language_of_a_session() -> None:
    quiet, telling = skills.profile("ai-video-pro-online"), skills.profile("video-skill-online")
    assert skills.session_language(quiet, "en") == ""
    assert skills.session_language(quiet, "zh-CN") == "zh-CN"
    assert skills.session_language(telling, "en") == "en"
    assert skills.session_language(telling, "ja") == "ja"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_installed(fs: FakeFilesystem, name: str) -> None:
    assert skills.headers(skills.profile(name), {}, HOME) == SkillHeaders(name, "1.0.0", "unknown")


@pytest.mark.parametrize(
    ("folder", "platform"),
    [(".clawhub/skills/x", "clawhub"), (".clawhub", "clawhub"), (".cursor/skills/a/b", "cursor"), ("other", "unknown")],
)
def test_an_installed_skill_gives_its_version_and_platform(fs: FakeFilesystem, folder: str, platform: str) -> None:
    front = '---\nname: video-editing-with\nversion: "2.3.1"  # newest\nmetadata:\n  version: 9\n---\nversion: 8\n'
    fs.create_file(f"{HOME}/{folder}/SKILL.md", contents=front)
    version = "1.0.0" if platform == "unknown" else "2.3.1"
    profile = skills.profile("video-editing-with")
    assert skills.headers(profile, {}, HOME) == SkillHeaders("video-editing-with", version, platform)
    assert skills.headers(profile, {"SKILL_SOURCE": "nas"}, HOME).platform == "nas"
    assert skills.headers(skills.profile("from-video-openapi"), {}, HOME).version == "1.0.0"


def test_it_is_read_anew_each_time(fs: FakeFilesystem) -> None:
    file = fs.create_file(f"{HOME}/.clawhub/SKILL.md", contents="---\nname: video-editing-with\nversion: 2\n---\n")
    profile = skills.profile("video-editing-with")
    assert skills.headers(profile, {}, HOME).version == "2"
    file.set_contents("---\nname: video-editing-with\nversion: 3\n---\n")
    assert skills.headers(profile, {}, HOME).version == "3"


def test_a_folder_name_counts_where_the_front_matter_is_silent(fs: FakeFilesystem) -> None:
    fs.create_file(f"{HOME}/.cursor/skills/video-editing-with/SKILL.md", contents="---\nversion: '4'\n---\n")
    found = skills.headers(skills.profile("video-editing-with"), {}, HOME)
    assert found == SkillHeaders("video-editing-with", "4", "cursor")


@pytest.mark.parametrize(
    "text", ["", "no front matter", "---\nversion: 7\r\nX-Evil: 1\x00\n---\n", "---\n" * 3, "\xff"]
)
def test_headers_are_never_empty_and_always_safe(fs: FakeFilesystem, text: str) -> None:
    fs.create_file(f"{HOME}/.clawhub/video-skill-online/SKILL.md", contents=text.encode("latin-1"))
    found = skills.headers(skills.profile("video-skill-online"), {"SKILL_SOURCE": "\r\n 雪 "}, HOME)
    for value in (found.source, found.version, found.platform):
        assert value
        assert value.isascii()
        assert value.isprintable()
    assert found.platform == "clawhub"


@pytest.mark.parametrize(
    ("front", "name", "version"),
    [
        ("name: a-b\nversion: 1.2", "a-b", "1.2"),
        ("\ufeff# SKILL\nname: a # no\nversion: 1#2", "", ""),  # no front matter: it begins with a comment
        ("name: \"a \\\"b\\\" # c\" # d\nversion: 'it''s'", 'a "b" # c', "it's"),
        ("\"name\": a\n'version' : 2", "a", "2"),
        ("name: >-\n  a\n  b\nversion: |\n  3\nother: 1", "a b", "3"),
        ("name: !!str a\nversion: [1, 2]", "a", ""),
        ("name:\n  - a\nversion: {a: 1}", "", ""),
        ("name: ~\nversion: null", "", ""),
        ("tags:\n- name: x\n  version: 9\nname: a\nname: b\nversion:", "a", ""),
        ("name:a\nversion: 2\n...\nversion: 3", "", "2"),
        ("description: see https://a/b: name: x\nname: a\r\nversion: 2\r", "a", "2"),
    ],
)
def test_front_matter_as_people_write_it(fs: FakeFilesystem, front: str, name: str, version: str) -> None:
    text = front if front.startswith("\ufeff") else f"---\n{front}\n---\nname: z\n"
    fs.create_file(f"{HOME}/.clawhub/video-editing-with/SKILL.md", contents=text, encoding="utf-8")
    found = skills.installed(name or "video-editing-with", HOME)
    assert found is not None
    assert (found.name, found.version, found.platform) == (name, version, "clawhub")


def test_skills_behind_links_are_found_and_a_ring_of_links_has_an_end(fs: FakeFilesystem) -> None:
    fs.create_file("/src/mine/SKILL.md", contents="---\nname: video-editing-with\nversion: 5\n---\n")
    fs.create_symlink(f"{HOME}/.cursor/skills/mine", "/src/mine")
    fs.create_symlink("/src/mine/again", "/src")
    found = skills.headers(skills.profile("video-editing-with"), {}, HOME)
    assert found == SkillHeaders("video-editing-with", "5", "cursor")


def test_a_skill_by_its_path(fs: FakeFilesystem) -> None:
    fs.create_file("/s/own/SKILL.md", contents="---\nname: video-skill-online\nversion: 6\n---\n")
    fs.create_file("/s/silent/SKILL.md", contents="nothing")
    fs.create_file(f"{HOME}/.clawhub/SKILL.md", contents="---\nname: video-skill-online\nversion: 7\n---\n")
    for path in ("/s/own", "/s/own/", "/s/own/SKILL.md"):
        own = skills.profile(path)
        assert skills.problem(path) == ""
        assert skills.headers(own, {}, HOME) == SkillHeaders("video-skill-online", "6", "unknown")
        assert skills.session_language(own, "en") == "en"
    silent = skills.profile("/s/silent/SKILL.md")
    assert skills.headers(silent, {"SKILL_SOURCE": "nas"}, HOME) == SkillHeaders("silent", "1.0.0", "nas")
    assert skills.session_language(silent, "en") == ""
    assert skills.problem("/s/gone") == "there is no /s/gone/SKILL.md."
    assert "whole path" in skills.problem("s/own")
