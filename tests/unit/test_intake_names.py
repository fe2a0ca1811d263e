"""What a name alone tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.intake.names import NameRules, guarded_keys, name_key, printable, rel_keys, sidecar_keys, split_name


@pytest.mark.parametrize(
    ("rel", "role"),
    [
        ("clip.mp4", "video"),
        ("CLIP.MOV", "video"),
        ("a/b/clip.mkv", "video"),
        ("cover.jpeg", "still"),
        ("song.m4a", "still"),
        ("tape.m4v", "foreign"),
        ("phone.HEIC", "foreign"),
        ("README.md", "other"),
        ("noextension", "other"),
        ("clip.mp4.txt", "instruction"),
        ("clip.TOML", "instruction"),
        ("project.toml", "instruction"),
        ("_default.txt", "default"),
        ("a/_Default.toml", "default"),
        ("clip.srt", "subtitle"),
        ("clip.mp4.aria2", "control"),
        ("clip.mp4.crdownload", "control"),
        ("clip.mp4.1a2b3c4d.partial", "control"),
        (".hidden.mp4", "ignored"),
        ("._clip.mp4", "ignored"),
        ("~clip.mp4", "ignored"),
        ("~nemo-watch-1.tmp", "ignored"),
        (".rsync-partial/clip.mp4", "ignored"),
        ("a/.~tmp~/clip.mp4", "ignored"),
        ("@eaDir/clip.mp4", "ignored"),
        ("#recycle/clip.mp4", "ignored"),
        ("__MACOSX/clip.mp4", "ignored"),
        ("_UNPACK_show/clip.mp4", "ignored"),
        ("clip.mp4.download/clip.mp4", "ignored"),
        ("_assets/logo.png", "ignored"),
        ("a/_Assets/b/intro.mp4", "ignored"),
        ("clip.sync-conflict-20260101-101010-ABCDEFG.mp4", "ignored"),
        ("clip.temp.mp4", "ignored"),
        ("clip.f137.mp4", "ignored"),
        ("Thumbs.db", "ignored"),
        ("Icon\r", "ignored"),
        ("clip.report.toml", "ignored"),
        ("clip.mp4.error.toml", "ignored"),
        ("credits.answer.txt", "ignored"),
        ("clip.refine.txt", "refine"),
        ("a/Clip.mp4.REFINE.Toml", "refine"),
        ("credits.ask.txt", "ask"),
        ("cat.Prompt.TXT", "prompt"),
        ("cat.prompt.toml", "instruction"),
        ("credits.ask.toml", "instruction"),
        ("prompt.txt", "instruction"),
        (".ask.txt", "ignored"),
        ("~cat.prompt.txt", "ignored"),
        ("_assets/cat.prompt.txt", "ignored"),
        ("cat.prompt.txt.part", "control"),
        ("cat.ask.answer.txt", "ignored"),
        ("clip\udcff.mp4", "video"),
        ("new\nline.mp4", "video"),
        (".mp4", "ignored"),
        ("f22.mp4", "video"),
    ],
)
def test_role_of_a_name(rel: str, role: str) -> None:
    named = NameRules().classify(rel)
    assert named.role == role
    if role == "ignored":
        assert named.rule


@pytest.mark.parametrize(
    ("glob", "rel", "hit"),
    [
        ("*.wip.mp4", "a/Clip.WIP.mp4", True),
        ("drafts", "drafts/clip.mp4", True),
        ("drafts/", "a/drafts/b/clip.mp4", True),
        ("a/drafts", "a/drafts/clip.mp4", True),
        ("a/drafts", "b/drafts/clip.mp4", False),
        ("old/*.mov", "old/clip.mov", True),
        ("caf\u00e9*", "cafe\u0301.mp4", True),
        ("*.mov", "clip.mp4", False),
    ],
)
def test_ignore_globs_of_the_inbox(glob: str, rel: str, *, hit: bool) -> None:
    rules = NameRules(ignore=(glob,))
    named = rules.classify(rel)
    assert (named.role == "ignored") is hit
    assert rules.ignored_by_user(rel) is hit
    if hit:
        assert glob.strip("/") in named.rule


def test_a_flat_inbox_does_not_look_into_folders() -> None:
    rules = NameRules(recursive=False)
    assert rules.classify("clip.mp4").role == "video"
    assert "recursive" in rules.classify("a/clip.mp4").rule


def test_sidecars_in_their_order() -> None:
    assert [key for key, _ in sidecar_keys("Clip.MP4")] == ["clip.mp4.toml", "clip.toml", "clip.mp4.txt", "clip.txt"]


@pytest.mark.parametrize(
    ("control", "guards"),
    [
        ("clip.mp4.part", "clip.mp4"),
        ("Clip.mp4.aria2", "clip.mp4"),
        ("clip.mp4.aria2__temp", "clip.mp4"),
        ("clip.xYz12.mp4.part", "clip.mp4"),
        ("clip.mp4.0a1b2c3d.partial", "clip.mp4"),
    ],
)
def test_what_a_control_file_guards(control: str, guards: str) -> None:
    assert guards in guarded_keys(control)


def test_paths_that_a_sidecar_names() -> None:
    found = rel_keys("a/b", ["logo.PNG", "../c/x.mp4", "./y.mp4", "../../../out.mp4", "/etc/passwd", ""])
    assert found == {"a/b/logo.png", "a/c/x.mp4", "a/b/y.mp4"}


@given(st.text(alphabet=st.characters(blacklist_characters="/\0"), min_size=1))
def test_any_name_has_a_role_and_can_be_shown(name: str) -> None:
    rules = NameRules(ignore=("x*", "a/b"))
    rules.classify(name)
    assert printable(name).isprintable() or printable(name) == ""
    assert name_key(name_key(name)) == name_key(name)
    stem, extension = split_name(name)
    assert extension == "" or name.casefold().endswith(extension)
    assert stem
