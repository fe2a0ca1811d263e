"""Any file name goes through planning, moving and back on a real folder; nothing is overwritten."""

from __future__ import annotations

import os
import tempfile
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch import folders
from nemo_watch.folders import Plan
from nemo_watch.folders.names import RESERVED, encode, key
from tests.folder_tools import drop, make_places, move, names, read, ref_of

EXTENSIONS = st.sampled_from([".mp4", ".MP4", ".mov", ".webm", ".Mkv"])
HARD = st.sampled_from(
    ["CON", "nul", "aux.txt", "COM1 ", "clip.", "clip ", " clip", ".", "..", "-rf", "~", "a\nb", "\x1b[2J", "\u202e4pm",
     "e\u0301", "\u00e9", "ß", "ss", "ẞ", "ﬁ", "İ", "ı", "ǰ", "\u0345", "👩\u200d👧\u200d👦", "🎬" * 62, "ü" * 126,
     "é" * 60,
     "x" * 251, "*?<>|:\"\\", "%41", "clip-2", "~nemo-watch-job", "con.tar.gz"]
)  # fmt: skip
ANY = st.binary(min_size=1, max_size=251).filter(lambda raw: b"/" not in raw and b"\0" not in raw).map(os.fsdecode)
TEXT = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=120)
STEMS = st.one_of(HARD, ANY, TEXT).filter(lambda stem: len(os.fsencode(stem)) <= 250)


def spelled_otherwise(stem: str) -> st.SearchStrategy[str]:
    """The same name for a person: other case, other Unicode form."""
    forms = [stem, stem.upper(), stem.lower(), *(unicodedata.normalize(form, stem) for form in ("NFC", "NFD"))]
    fitting = [form for form in forms if len(os.fsencode(form)) <= 250]
    return st.sampled_from(fitting or [stem])


@settings(max_examples=150)
@given(data=st.data(), stem=STEMS, extension=EXTENSIONS, in_folder=st.booleans())
def test_any_name_goes_there_and_back(data: st.DataObject, stem: str, extension: str, in_folder: bool) -> None:
    with tempfile.TemporaryDirectory() as root:
        places = make_places(root)
        contents: dict[str, bytes] = {}
        for number in range(3):  # the same clip again and again, each with content of its own
            spelled = data.draw(spelled_otherwise(stem)) + extension
            rel = f"sub/{spelled}" if in_folder else spelled
            ref = drop(places, rel, f"content {number}".encode())
            plan = folders.plan_moves(places, places.archive, [rel])[0]
            assert move(places, ref, "", plan.target) == "moved"
            contents[plan.target] = f"content {number}".encode()
        assert len(contents) == 3
        folder = os.path.dirname(next(iter(contents)))
        kept = names(folder)
        assert len({key(name) for name in kept}) == 3
        for target, content in contents.items():
            assert read(target) == content
            name = os.path.basename(target)
            assert name.endswith(extension)
            assert len(encode(name)) <= 255
            assert name.split(".")[0].rstrip(" ").casefold() not in RESERVED
            # A person puts it back, and it goes again.
            os.rename(target, os.path.join(places.inbox, name))
            again = ref_of(places, name)
            assert folders.read_small(places.inbox, again, 100) == content
            assert move(places, again, places.rejects) == "moved"
        assert len(names(places.rejects)) == 3


@settings(max_examples=60)
@given(stem=STEMS, taken=st.booleans())
def test_any_name_gets_its_result_and_its_reports(stem: str, taken: bool) -> None:
    with tempfile.TemporaryDirectory() as root:
        places = make_places(root)
        spool = os.path.join(root, "spool.mp4")
        with open(spool, "wb") as out:
            out.write(b"result")
        digest = folders.hash_file(spool)
        if taken:
            drop(places, "x")
            os.rename(os.path.join(places.inbox, "x"), folders.plan_name(places.outbox, "", stem.upper()[:60], ".mp4"))
        target = folders.plan_name(places.outbox, "", stem, ".mp4")
        assert folders.publish(places.outbox, Plan(spool, target, digest), "job")
        for suffix in (".report.toml", ".error.toml"):
            report = folders.plan_name(places.outbox, "", os.path.basename(target), suffix)
            assert folders.write_new(places.outbox, report, b"report", "job")
            assert report.endswith(suffix)
        assert read(target) == b"result"
        assert len(names(places.outbox)) == 3 + taken


def test_what_cannot_be_told_apart_elsewhere_is_kept_apart_here(tmp_path: os.PathLike[str]) -> None:
    places = make_places(os.fspath(tmp_path))
    for name in ("Straße.mp4", "STRASSE.mp4", "strasse.mp4", "e\u0301.mp4", "\u00e9.mp4", "E\u0301.MP4"):
        assert move(places, drop(places, name)) == "moved"
    assert names(places.archive) == sorted(
        ["Straße.mp4", "STRASSE-2.mp4", "strasse-3.mp4", "e\u0301.mp4", "\u00e9-2.mp4", "E\u0301-3.MP4"]
    )


def test_two_spellings_of_one_sidecar_do_not_collide(tmp_path: os.PathLike[str]) -> None:
    places = make_places(os.fspath(tmp_path))
    rels = ["clip.mp4", "clip.txt", "CLIP.TXT"]
    refs = [drop(places, rel, rel.encode()) for rel in rels]
    plans = folders.plan_moves(places, places.archive, rels)
    for ref, plan in zip(refs, plans, strict=True):
        assert move(places, ref, "", plan.target) == "moved"
    assert len({key(name) for name in names(places.archive)}) == 3
