"""Any order and timing of writes, events, lost events and scans: every whole file exactly once, none too early."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nemo_watch.intake import SettleRules
from nemo_watch.model import SightingKind
from tests.unit.intake_world import world

CLIPS = ("one.mp4", "Two.MOV", "sub/three.mkv", "sub/deep/four.webm", "bad.mp4", "half.mp4")
SIDECARS = {
    "one.mp4": ("one.txt", "ONE.mp4.toml"),
    "Two.MOV": ("two.toml",),
    "sub/three.mkv": ("sub/three.mkv.txt", "sub/three.txt"),
    "sub/deep/four.webm": ("sub/deep/four.txt",),
    "bad.mp4": ("bad.txt",),
    "half.mp4": ("half.txt",),
}
TEXTS = (*(name for names in SIDECARS.values() for name in names), "_default.txt", "sub/_default.toml")
CONTROLS = ("one.mp4.part", "sub/three.mkv.aria2", ".one.mp4.Ab12Cd", "sub/.DS_Store")
RULES = SettleRules()


class Arrivals(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.w = world(settle=RULES)
        self.changed_s: dict[str, float] = {}
        self.checked = 0

    def _write(self, rel: str, event: SightingKind | None) -> None:
        verdict = "not_media" if rel.startswith("bad") else "incomplete" if rel.startswith("half") else "whole"
        self.w.put(rel, event=event, verdict=verdict)  # type: ignore[arg-type]  # one of the verdicts
        self.changed_s[rel] = self.w.now_s

    @rule(rel=st.sampled_from(CLIPS), event=st.sampled_from(["closed", "moved", "created", None]))
    def write_clip(self, rel: str, event: SightingKind | None) -> None:
        self._write(rel, event)

    @rule(rel=st.sampled_from(TEXTS), event=st.sampled_from(["closed", "moved", None]))
    def write_text(self, rel: str, event: SightingKind | None) -> None:
        self._write(rel, event)

    @rule(rel=st.sampled_from(CONTROLS))
    def write_control(self, rel: str) -> None:
        self._write(rel, "created")

    @rule(rel=st.sampled_from((*CLIPS, *TEXTS, *CONTROLS)), told=st.booleans())
    def remove(self, rel: str, *, told: bool) -> None:
        if rel in self.w.files:
            self.w.remove(rel, event=told)

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

    def _check_drops(self) -> None:
        new, times = self.w.drops[self.checked :], self.w.drop_times[self.checked :]
        for drop, at_s in zip(new, times, strict=True):
            rel = drop.clip.rel
            still_s = at_s - self.changed_s[rel]
            if self.w.files.get(rel) is None or self.w.files[rel].stamp != drop.clip.stamp:
                continue  # it changed after the drop, in the same step of the test
            assert still_s >= RULES.closed_s
            assert not rel.startswith("half")
            assert (drop.refusal is not None) == rel.startswith("bad")
            assert drop.refusal is None or still_s >= RULES.closed_s + RULES.not_media_grace_s
            lying = [name for name in SIDECARS[rel] if name in self.w.files and self.changed_s[name] < at_s]
            if lying and drop.refusal is None:
                assert drop.source == "sidecar"
            if drop.sidecar is not None and drop.sidecar.rel in self.w.files:
                found = self.w.files[drop.sidecar.rel]
                assert found.stamp != drop.sidecar.stamp or at_s - self.changed_s[drop.sidecar.rel] >= RULES.sidecar_s
        stamps = [drop.clip.stamp for drop in self.w.drops]
        assert len(stamps) == len(set(stamps)), "the same bytes twice"
        self.checked = len(self.w.drops)

    def teardown(self) -> None:
        for control in CONTROLS:
            self.w.files.pop(control, None)
        for _ in range(3):
            self.w.scan()
            self.w.run(200)
        self._check_drops()
        assert self.w.intake.idle()
        dropped = {drop.clip.stamp for drop in self.w.drops}
        for rel, found in self.w.files.items():
            if rel in CLIPS:
                assert (found.stamp in dropped) is not rel.startswith("half"), f"{rel} is lost"


TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
