"""Any order and timing of writes, events, lost events and scans: every whole file exactly once, none too early."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nemo_watch.intake import SettleRules, Verdict, Writer
from nemo_watch.intake.names import name_key
from nemo_watch.model import Drop, SightingKind, TomlFacts, Waiting
from tests.unit.intake_world import Pretended, world

SIDECARS = {
    "one.mp4": ("one.txt", "ONE.mp4.toml"),
    "Two.MOV": ("two.toml",),
    "sub/three.mkv": ("sub/three.mkv.txt", "sub/three.txt"),
    "sub/deep/four.webm": ("sub/deep/four.txt",),
    "bad.mp4": ("bad.txt",),
    "half.mp4": ("half.txt",),
    # several videos of one stem share what goes by the stem
    "sub/pair.mp4": ("sub/pair.txt", "sub/pair.mp4.txt"),
    "sub/PAIR.mov": ("sub/pair.txt",),
    # the same name for some systems: decomposed and composed, upper and lower case
    "Cafe\u0301.mp4": ("caf\u00e9.txt", "CAFE\u0301.MP4.toml"),
    "sub/caf\u00c9.mp4": ("sub/cafe\u0301.txt",),
}
CLIPS = tuple(SIDECARS)
WORKS = {
    "credits.ask.txt": "ask",
    "one.refine.txt": "refine",
    "sub/cat.prompt.txt": "generate",
    "sub/link.toml": "url",
}
MEMBERS = ("trip/a.mp4", "trip/in/b.mov")
PROJECT = "trip/project.toml"
"""It is laid down first, and stays: what comes later to its folder is a part of it."""
DEFAULTS = ("_default.txt", "sub/_default.toml", "sub/_DEFAULT.txt", "sub/deep/_default.txt")
TEXTS = (*sorted({name for names in SIDECARS.values() for name in names}), *DEFAULTS)
CONTROLS = ("one.mp4.part", "sub/three.mkv.aria2", "cafe\u0301.mp4.crdownload", ".one.mp4.Ab12Cd", "sub/.DS_Store")
RULES = SettleRules()
LITTLE_S = 1e-6
"""Times are sums of floats."""
STATES: list[tuple[Verdict, Writer]] = [
    ("whole", "none"),
    ("whole", "open"),
    ("whole", "unknown"),
    ("whole", "untried"),
    ("unread", "none"),
    ("unread", "open"),
    ("unread", "unknown"),
    ("incomplete", "none"),
    ("incomplete", "open"),
    ("placeholder", "untried"),
]


class Arrivals(RuleBasedStateMachine):
    """`changed_s` is when the bytes of a file changed last."""

    def __init__(self) -> None:
        super().__init__()
        self.changed_s: dict[str, float] = {}
        self.checked = 0
        self.polled = False
        self.told_at = -1
        self.told: list[Waiting] = []

    @initialize(polled=st.booleans())
    def begin(self, *, polled: bool) -> None:
        self.polled = polled
        self.w = world(settle=RULES, polled=polled)
        self.w.put(PROJECT, event=None, facts=TomlFacts(clips=("a.mp4", "in/B.mov")))
        self.w.scan()

    def _write(self, rel: str, event: SightingKind | None, verdict: Verdict = "whole", writer: Writer = "none") -> None:
        if rel.startswith("bad"):
            verdict = "not_media"
        elif rel.startswith("half"):
            verdict = "incomplete"
        self.w.put(rel, event=None if self.polled else event, size=100_000, verdict=verdict, writer=writer)
        self.changed_s[rel] = self.w.now_s

    @rule(
        rel=st.sampled_from(CLIPS),
        event=st.sampled_from(["closed", "moved", "created", None]),
        state=st.sampled_from(STATES),
    )
    def write_clip(self, rel: str, event: SightingKind | None, state: tuple[Verdict, Writer]) -> None:
        self._write(rel, event, *state)

    @rule(rel=st.sampled_from(TEXTS), event=st.sampled_from(["closed", "moved", None]))
    def write_text(self, rel: str, event: SightingKind | None) -> None:
        self._write(rel, event)

    @rule(rel=st.sampled_from(tuple(WORKS)), event=st.sampled_from(["closed", "moved", None]))
    def write_work(self, rel: str, event: SightingKind | None) -> None:
        facts = TomlFacts(is_url=True) if WORKS[rel] == "url" else None
        self.w.put(rel, event=None if self.polled else event, facts=facts)
        self.changed_s[rel] = self.w.now_s

    @rule(rel=st.sampled_from(MEMBERS), event=st.sampled_from(["closed", "moved", None]))
    def write_member(self, rel: str, event: SightingKind | None) -> None:
        self._write(rel, event)

    @rule(rel=st.sampled_from(MEMBERS), kind=st.sampled_from(["closed", "created", "moved", "scanned"]))
    def late_event_of_a_member(self, rel: str, kind: SightingKind) -> None:
        self.w.see(rel, kind)

    @rule(rel=st.sampled_from(CONTROLS))
    def write_control(self, rel: str) -> None:
        self._write(rel, "created")

    @rule(rel=st.sampled_from((*CLIPS, *TEXTS, *CONTROLS, *WORKS, *MEMBERS)), told=st.booleans())
    def remove(self, rel: str, *, told: bool) -> None:
        if rel in self.w.files:
            self.w.remove(rel, event=told and not self.polled)

    @rule(rel=st.sampled_from(CLIPS), told=st.booleans())
    def close(self, rel: str, *, told: bool) -> None:
        """Whoever had it open closes it, without another byte."""
        found = self.w.files.get(rel)
        if found is not None and found.writer == "open":
            found.writer = "none"
            if told and not self.polled:
                self.w.see(rel, "closed")

    @rule(rel=st.sampled_from(CLIPS))
    def fill(self, rel: str) -> None:
        """What was reserved or not on this disk gets its content, and its stamp stays as it was."""
        found = self.w.files.get(rel)
        if found is not None and found.verdict == "placeholder":
            found.verdict = "whole"

    @rule(rel=st.sampled_from(CLIPS), event=st.sampled_from(["closed", "created", None]))
    def complete(self, rel: str, event: SightingKind | None) -> None:
        found = self.w.files.get(rel)
        if found is not None and found.verdict == "incomplete" and not rel.startswith("half"):
            self._write(rel, event)

    @rule(rel=st.sampled_from(CLIPS), kind=st.sampled_from(["closed", "created", "moved", "scanned"]))
    def late_or_double_event(self, rel: str, kind: SightingKind) -> None:
        self.w.see(rel, kind)

    @rule()
    def scan(self) -> None:
        self.w.scan()

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 1.9, 2.0, 2.1, 5.0, 9.0, 30.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.w.run(seconds)

    @rule(rel=st.sampled_from(CLIPS))
    def write_on_while_it_is_looked_at(self, rel: str) -> None:
        """Between a request and its answer the file grows, and no event tells it."""
        if rel not in self.w.files:
            return
        asked = self.w.intake.decide(self.w.now_s)
        for drop in asked.drops:
            self.w.drops.append(drop)
            self.w.drop_times.append(self.w.now_s)
            self.w.intake.taken(drop.clip.rel, drop.clip.stamp)
        self._check_drops()
        self._write(rel, None)
        for other in (*asked.look, *(ref.rel for ref in asked.inspect), *(ref.rel for ref in asked.read)):
            self.w.intake.missed(other, self.w.now_s)
        for folder in asked.listings:
            self.w.intake.missed_listing(folder, self.w.now_s)

    @invariant()
    def nothing_too_early(self) -> None:
        self._check_drops()

    @invariant()
    def what_is_told_changes_only_with_the_number_of_changes(self) -> None:
        intake, now_s = self.w.intake, self.w.now_s
        said = [replace(wait, sentence="") for wait in intake.waiting(now_s)]
        assert intake.waiting_count == len(said)
        if intake.changes == self.told_at:
            assert said == self.told
        self.told_at, self.told = intake.changes, said

    def _window_s(self, found: Pretended) -> float:
        if self.polled:
            return RULES.polled_s
        return RULES.open_s if found.writer == "unknown" else RULES.closed_s

    def _check_drops(self) -> None:
        if not self.changed_s:
            return
        new, times = self.w.drops[self.checked :], self.w.drop_times[self.checked :]
        for drop, at_s in zip(new, times, strict=True):
            rel = drop.clip.rel
            found = self.w.files.get(rel)
            if drop.kind != "edit":
                self._check_work(drop, at_s)
                continue
            still_s = at_s - self.changed_s[rel] + LITTLE_S
            if found is None or found.stamp != drop.clip.stamp:
                continue  # it changed after the drop, in the same step of the test
            window_s = RULES.polled_s if self.polled else RULES.closed_s
            assert still_s >= window_s
            assert (drop.refusal is not None) == rel.startswith("bad")
            if drop.refusal is None:
                assert still_s >= self._window_s(found)
                assert found.verdict in ("whole", "unread"), "it is not whole"
                assert found.writer != "open" or still_s >= RULES.lease_cap_s, "somebody writes"
                assert found.verdict == "whole" or rel in self.w.ends, "nobody read it to its end"
            assert drop.refusal is None or still_s >= window_s + RULES.not_media_grace_s
            lying = [name for name in SIDECARS[rel] if name in self.w.files and self.changed_s[name] < at_s]
            if lying and drop.refusal is None:
                assert drop.source == "sidecar"
            if drop.source == "default":
                assert drop.sidecar is not None
                assert name_key(drop.sidecar.rel).rpartition("/")[2].startswith("_default.")
            if drop.sidecar is not None and drop.sidecar.rel in self.w.files:
                text = self.w.files[drop.sidecar.rel]
                quiet_s = at_s - self.changed_s[drop.sidecar.rel] + LITTLE_S
                assert text.stamp != drop.sidecar.stamp or quiet_s >= RULES.sidecar_s
        stamps = [drop.clip.stamp for drop in self.w.drops if drop.kind != "batch"]
        parts = [part for drop in self.w.drops for part in drop.parts]
        stamps += [part.clip.stamp for part in parts if part.refusal is None]
        assert len(stamps) == len(set(stamps)), "the same bytes twice"
        self.checked = len(self.w.drops)

    def _check_work(self, drop: Drop, at_s: float) -> None:
        assert drop.kind == WORKS.get(drop.clip.rel, "batch")
        refs = [part.clip for part in drop.parts if part.refusal is None] if drop.kind == "batch" else [drop.clip]
        assert drop.kind != "batch" or drop.parts
        window_s = RULES.sidecar_s if drop.kind != "batch" else RULES.polled_s if self.polled else RULES.closed_s
        for ref in refs:
            found = self.w.files.get(ref.rel)
            if found is not None and found.stamp == ref.stamp:
                assert at_s - self.changed_s[ref.rel] + LITTLE_S >= window_s

    def teardown(self) -> None:
        if not self.changed_s:
            return
        for control in CONTROLS:
            self.w.files.pop(control, None)
        for _ in range(5):
            self.w.scan()
            self.w.run(300)
        self._check_drops()
        assert self.w.intake.idle()
        dropped = {drop.clip.stamp for drop in self.w.drops}
        dropped |= {part.clip.stamp for drop in self.w.drops for part in drop.parts}
        for rel, found in self.w.files.items():
            if rel in (*WORKS, *MEMBERS) and found.stamp not in dropped:
                said = self.w.intake.why(rel, self.w.now_s)
                assert said is not None, f"{rel} is lost"
                assert (WORKS.get(rel), said.reason) == ("refine", "clip"), f"{rel} is lost"  # its clip is not whole
        for rel, found in self.w.files.items():
            if rel in CLIPS:
                is_due = found.verdict not in ("incomplete", "placeholder")
                assert (found.stamp in dropped) is is_due, f"{rel} is {'lost' if is_due else 'taken, but not whole'}"


TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(max_examples=120, stateful_step_count=30)
