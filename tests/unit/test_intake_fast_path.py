"""A polled folder of which nothing changed is not gone through again, and nothing is ever missed by that."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from nemo_watch.intake import Decision
from nemo_watch.intake.book import Listing
from nemo_watch.model import SightingKind
from tests.unit.intake_world import Pretended, World, world

NAMES = ("one.mp4", "one.txt", "two.mp4", "_default.toml", "logo.png", "README.md", "two.mp4.part")
FILES = (*NAMES, *(f"sub/{name}" for name in NAMES))


def same_again(before: dict[str, Listing], now: dict[str, Listing]) -> dict[str, Listing]:
    """Give folders of which nothing changed as the very same object, as the scan does."""
    return {rel: before[rel] if before.get(rel) == listing else listing for rel, listing in now.items()}


def take_in(w: World, tree: dict[str, Listing], started_s: float) -> None:
    for _ in w.intake.scan_in_steps(tree, started_s=started_s, comes_again=True):
        pass


class Twins(RuleBasedStateMachine):
    """Two intakes see the same: one is given equal listings as new objects, the other as the same ones."""

    def __init__(self) -> None:
        super().__init__()
        self.full, self.fast = world(polled=True), world(polled=True)
        self.shelves: tuple[dict[str, Pretended], dict[str, Pretended]] = ({}, {})
        self.tree: dict[str, Listing] = {}
        self.late: list[tuple[float, dict[str, Listing]]] = []

    def both(self) -> tuple[World, World]:
        return self.full, self.fast

    @rule(rel=st.sampled_from(FILES), event=st.sampled_from(["closed", "created", None, None]))
    def write(self, rel: str, event: SightingKind | None) -> None:
        for each in self.both():
            each.put(rel, event=event, verdict="incomplete" if "two" in rel else "whole", assets=("logo.png",))

    @rule(rel=st.sampled_from(FILES), told=st.booleans())
    def remove(self, rel: str, *, told: bool) -> None:
        for each in self.both():
            if rel in each.files:
                each.remove(rel, event=told)

    @rule(rel=st.sampled_from(FILES))
    def go_and_come_back_but_only_the_going_is_told(self, rel: str) -> None:
        for each in self.both():
            found = each.files.pop(rel, None)
            if found is not None:
                each.see(rel, "gone")
                each.files[rel] = found

    @rule(rel=st.sampled_from(FILES))
    def replace_for_a_while(self, rel: str) -> None:
        for shelf, each in zip(self.shelves, self.both(), strict=True):
            if rel in each.files:
                shelf[rel] = each.files[rel]
                each.put(rel)

    @rule(rel=st.sampled_from(FILES))
    def put_back_untold(self, rel: str) -> None:
        for shelf, each in zip(self.shelves, self.both(), strict=True):
            if rel in shelf:
                each.files[rel] = shelf.pop(rel)

    @rule(rel=st.sampled_from(FILES), kind=st.sampled_from(["closed", "scanned"]))
    def look(self, rel: str, kind: SightingKind) -> None:
        for each in self.both():
            each.see(rel, kind)

    @rule(rel=st.sampled_from(FILES))
    def forget(self, rel: str) -> None:
        for each in self.both():
            each.intake.forget(rel, each.now_s)

    @rule(rel=st.sampled_from(FILES))
    def known(self, rel: str) -> None:
        for each in self.both():
            if rel in each.files:
                each.intake.known(rel, each.files[rel].stamp)

    @rule()
    def begin_a_listing_that_takes_long(self) -> None:
        self.tree = same_again(self.tree, self.fast.tree())
        self.late.append((self.fast.now_s, self.tree))

    @rule()
    def end_it(self) -> None:
        if self.late:
            self._listed(*self.late.pop(0))

    @rule(times=st.integers(1, 4), seconds=st.sampled_from([0.0, 0.1, 5.0, 30.0]))
    def poll(self, times: int, seconds: float) -> None:
        for _ in range(times):
            self.tree = same_again(self.tree, self.fast.tree())
            self._listed(self.fast.now_s, self.tree)
            self.wait(seconds)

    def _listed(self, started_s: float, tree: dict[str, Listing]) -> None:
        take_in(self.fast, tree, started_s)
        self.full.intake.scanned({rel: dict(listing) for rel, listing in tree.items()}, started_s=started_s)
        self._compare()

    @rule(seconds=st.sampled_from([0.0, 1.0, 2.0, 31.0, 70.0]))
    def wait(self, seconds: float) -> None:
        for each in self.both():
            each.run(seconds)
        self._compare()

    def _compare(self) -> None:
        full, fast = self.both()
        assert _told(full) == _told(fast)
        assert sorted(full.drops, key=repr) == sorted(fast.drops, key=repr)

    def teardown(self) -> None:
        for _ in range(12):
            self.poll(1, 30.0)
        self._compare()
        assert all(self.fast.intake.why(rel, self.fast.now_s) is not None for rel in self.fast.files)


def _told(each: World) -> tuple[list[object], Decision]:
    """Tell all that may not differ. In which order files of one moment are looked into may, as no listing has one."""
    entries = sorted(each.intake.entries(), key=lambda entry: entry.rel)
    known = sorted((rel, *item) for rel, folder in each.intake.folders.items() for item in folder.handled.items())
    seen = [(e.rel, e.stamp, e.phase, e.looks, e.looked_s, e.changed_s, e.due_s, e.about) for e in entries]
    decision = each.intake.decide(each.now_s)
    in_order = {name: tuple(sorted(getattr(decision, name), key=repr)) for name in ("drops", "inspect", "look", "read")}
    return [*seen, *known], replace(decision, **in_order)


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=150, stateful_step_count=25)


def test_a_folder_as_it_was_is_not_gone_through_again() -> None:
    w = world(polled=True)
    for number in range(50):
        w.put(f"{number}.mp4", event=None)
    tree = w.tree()
    for _ in range(8):
        take_in(w, tree, w.now_s)
        w.run(30)
    assert w.intake.idle()
    assert len(w.drops) == 50
    take_in(w, tree, w.now_s)
    assert w.intake.folders[""].listing is tree[""]


def test_a_listing_that_a_newer_look_contradicts_is_not_the_one_taken_in() -> None:
    w = world(polled=True)
    w.put("clip.mp4", event=None)
    first, tree, started_s = w.files["clip.mp4"], w.tree(), w.now_s
    w.intake.scanned({"": dict(tree[""])}, started_s=started_s)
    w.now_s += 1
    w.put("clip.mp4")
    take_in(w, tree, started_s)  # it took long: the look is newer
    w.files["clip.mp4"] = first
    w.now_s += 1
    take_in(w, tree, w.now_s)
    found = w.intake.entry("clip.mp4")
    assert found is not None
    assert found.stamp == first.stamp


def test_a_tree_is_taken_in_by_steps_and_what_happens_between_them_counts() -> None:
    w = world()
    for number in range(5000):
        w.put(f"{number}.mp4", event=None)
    steps = 0
    for _ in w.intake.scan_in_steps(w.tree(), started_s=w.now_s):
        steps += 1
        if steps == 1:
            w.now_s += 1
            w.remove("4999.mp4")  # listed, but not taken in yet
            w.put("new.mp4")
    assert steps >= 3
    w.run(200)
    assert sorted(w.dropped()) == sorted([*(f"{number}.mp4" for number in range(4999)), "new.mp4"])


def test_many_are_judged_in_parts() -> None:
    w = world()
    for number in range(10):
        w.put(f"{number}.mp4", event="closed")
    w.now_s += 3
    first = w.intake.decide(w.now_s, most=4)
    assert (len(first.look), first.next_check_s, w.intake.is_judged, w.intake.idle()) == (4, w.now_s, False, False)
    rest = w.intake.decide(w.now_s)
    assert sorted((*first.look, *rest.look)) == [f"{number}.mp4" for number in range(10)]
    assert w.intake.is_judged
