"""What browsers do in their download folder, as the exact order of their calls. Touches: the inbox.

The programs themselves are not run: the order of their calls was recorded from Chromium 156 and Firefox 153.
"""

from __future__ import annotations

from tests.conformance.desk import Desk, sender


@sender("chromium-calls")
def chromium(desk: Desk) -> None:
    def send(kind: str) -> None:
        target = desk.target(kind)
        data = desk.clip(kind).read_bytes()
        hidden = desk.inbox / f".org.chromium.Chromium.{desk.name}{kind}"
        half = target.with_name(f"{target.name}.crdownload")
        with hidden.open("wb") as out:
            parts = desk.halves(data)
            out.write(next(parts))
            target.touch()  # the name is reserved by an empty file
            hidden.rename(half)
            for part in parts:
                out.write(part)
                out.flush()
        half.rename(target)
        desk.put_note(target)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "mkv")


@sender("firefox-calls")
def firefox(desk: Desk) -> None:
    target = desk.target()
    data = desk.clip().read_bytes()
    drawn = desk.target(tag="Qx7pT2aL")
    drawn.touch()
    drawn.unlink()
    early = drawn.with_name(f"{drawn.name}.part")
    with early.open("wb") as out:
        parts = desk.halves(data)
        out.write(next(parts))
        out.flush()
        target.touch()  # reserved while the person is asked where to put it
        desk.rest()
        late = target.with_name(f"{target.stem}.Qx7pT2aL.mp4.part")
        early.rename(late)
        for part in parts:
            out.write(part)
            out.flush()
    late.rename(target)
    desk.put_note(target)
    desk.done(target, desk.clip())


@sender("chromium-abandoned-calls")
def chromium_abandoned(desk: Desk) -> None:
    """A download that is broken off leaves nothing; the next one under the same name is taken."""
    target = desk.target()
    half = target.with_name(f"{target.name}.crdownload")
    target.touch()
    half.write_bytes(desk.clip().read_bytes()[:1_000_000])
    desk.rest()
    half.unlink()
    target.unlink()
    desk.rest()
    target.touch()
    with half.open("wb") as out:
        desk.feed(out, desk.clip().read_bytes())
    half.rename(target)
    desk.done(target, desk.clip())
