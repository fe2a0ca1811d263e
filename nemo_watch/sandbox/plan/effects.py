"""What is seen of the whole: its shape, its speed, a logo over it, its fades. Pure."""

from __future__ import annotations

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import Aspect, Fade, Logo, Speed
from nemo_watch.sandbox.plan import say
from nemo_watch.sandbox.plan.board import even
from nemo_watch.sandbox.plan.work import Work

SLOWEST, FASTEST = 0.25, 4.0


def aspect(work: Work, op: Aspect) -> None:
    """Change the canvas, and how the clips come into it."""
    facts = work.board.draft["m"]
    width, height = int(facts.get("width") or 1280), int(facts.get("height") or 720)
    fit = str(facts.get("fit") or "crop")
    same = not op.w or abs(width * op.h - height * op.w) <= 2 * max(op.w, op.h)
    if same and fit == op.fit:
        work.tell("aspect_same" if op.w else f"fit_same_{op.fit}", w=op.w, h=op.h)
        return
    if not op.w and not _bars(work, width, height):
        work.tell("no_bars")  # the clips have the picture's shape: there is nothing to fill
        return
    if not same:
        short = min(width, height, 1080)
        # The longer side may not pass 1920 nor the shape's own limit; then the shorter one gives way.
        long = min(short * max(op.w, op.h) / min(op.w, op.h), 1920)
        short_side = long * min(op.w, op.h) / max(op.w, op.h)
        width, height = (even(long), even(short_side)) if op.w > op.h else (even(short_side), even(long))
        facts["width"], facts["height"] = width, height
    if op.fit == "crop":
        facts.pop("fit", None)
    else:
        facts["fit"] = op.fit
    if op.fit == "pad":
        facts["bg"] = "#000000"
    work.board.set_logos()
    work.tell(f"aspect_{op.fit}" if op.w else f"fit_{op.fit}", w=op.w, h=op.h, width=width, height=height)
    work.used("set_aspect")


def _bars(work: Work, width: int, height: int) -> bool:
    """Tell whether a clip has another shape than the picture."""
    clips = [asset for seg in work.board.main() if (asset := work.board.asset(seg)) is not None]
    return any(abs(a.width * height - a.height * width) > 2 * max(width, height) for a in clips if a.width and a.height)


def speed(work: Work, op: Speed) -> None:
    """Run everything faster or slower, as far as every clip can go."""
    board = work.board
    if not board.moving():
        work.tell("speed_still")
        return
    speeds = [float(seg.get("sp", 1.0)) for seg in board.moving()]
    factor = min(max(op.factor, SLOWEST / min(speeds)), FASTEST / max(speeds))
    if abs(factor - op.factor) > 1e-6:
        work.tell("speed_limit")
    before = board.duration_ms
    if abs(factor - 1) < 1e-6:
        return
    board.speed(factor)
    work.tell("speed", factor=f"{factor:.4g}", before=work.s(before), after=work.s(board.duration_ms))
    work.used("set_speed")


def fade(work: Work, op: Fade) -> None:
    """Fade the whole in and out; both together fill no more than its length."""
    draft, total = work.board.draft, work.board.duration_ms
    lengths = {"fi": op.in_ms, "fo": op.out_ms}
    for key, ms in lengths.items():
        if ms is not None:
            draft[key] = min(ms, total // 2)
    into, out = int(draft.get("fi", 0)), int(draft.get("fo", 0))
    if op.in_ms is not None and op.out_ms is not None:
        work.tell("fade_both", fade_in=say.bare_seconds(into), fade_out=say.bare_seconds(out))
    elif op.in_ms is not None:
        work.tell("fade_in", fade_in=say.bare_seconds(into))
    else:
        work.tell("fade_out", fade_out=say.bare_seconds(out))
    work.used("add_fade")


def logo(work: Work, op: Logo) -> None:
    """Lay an uploaded image into a corner, in place of one that is there."""
    board = work.board
    shown = {seg.get("src") for seg in board.main()}
    images = [asset for asset in board.all if asset.kind == "image" and asset.url not in shown]
    found = _image(work, op, images)
    if found is None:
        return
    had = bool(board.logos())
    board.logo(found, op.corner)
    where = say.corner(work.language, op.corner)
    work.tell("logo_new" if had else "logo", name=found.filename, corner=where)
    work.used("add_logo")


def _image(work: Work, op: Logo, images: list[Asset]) -> Asset | None:
    if op.filename:
        low = op.filename.casefold()
        hits = [a for a in images if a.filename.casefold() == low]
        hits = hits or [a for a in images if a.filename and low.endswith(a.filename.casefold())]
        if not hits:
            work.tell("logo_unknown", name=op.filename)
        return hits[0] if hits else None
    named = [a for a in images if "logo" in a.filename.casefold() or "标志" in a.filename]
    for choice in (images, named):
        if len(choice) == 1:
            return choice[0]
    if images:
        work.tell("logo_many", names=say.names(work.language, images))
    else:
        work.tell("logo_missing")
    return None
