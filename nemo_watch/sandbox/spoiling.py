"""What a script of faults makes of a stream and of a reply. Pure."""

from __future__ import annotations

import itertools

from nemo_watch.sandbox.faults import Fault
from nemo_watch.sandbox.profiles import Profile
from nemo_watch.sandbox.wire import HEARTBEATS, Said, Stamped, compact

NOISE = "I encountered a temporary issue. Please try again later."
"""Source: contract.md 6.5."""

_SCREEN = {
    "en": "Great news, your video is on the timeline! {reply} You can preview it in the timeline player, open the media"
    " panel to see your clips, or drag the title to another place. Go to settings to change the canvas, and check your"
    " account page for your balance. When you are happy, click the Export button in the top right corner.",
    "zh": "好消息，视频已经放到时间线上了！{reply} 您可以在时间线播放器中预览，打开素材面板查看片段，"
    "或拖拽标题到其他位置。如需更改画布，请前往设置；余额请查看账户页面。满意后点击右上角的导出按钮即可。",
}
"""Every kind of gesture that replies are known to ask for. Source: contract.md 10."""

_TRAIL = ({"type": "telemetry", "spans": []}, {"type": "done"})


def screen_talk(reply: str, language: str) -> str:
    """Put a reply as one does who takes the reader to sit before an editor."""
    return _SCREEN[language].format(reply=reply)


class Spoiler:
    """One stream's frames, as its fault wants them; without one they are the profile's own."""

    def __init__(self, fault: Fault | None, wire: Profile) -> None:
        self._fault, self._wire = fault, wire
        self._does = fault.do if fault is not None else None
        form = fault.form if fault is not None else "json"
        self._beats = itertools.cycle(HEARTBEATS.values() if form == "every" else [HEARTBEATS[form]])
        self._last = b""
        self.frames_left = fault.events if fault is not None and self._does == "break_stream" else None

    @property
    def only_beats(self) -> bool:
        """Tell whether nothing else comes, not even the end."""
        return self._does == "heartbeats"

    def beat(self) -> bytes:
        """Give the next heartbeat."""
        return next(self._beats)

    def frame(self, stamped: Stamped) -> bytes:
        """Give what is sent for an event, b"" if nothing is. Repeat: once an event."""
        if self._does == "silent" and isinstance(stamped.event, Said):
            return b""
        frame = self._wire.dialect.frame(stamped)
        if not frame:
            return b""
        self._last = frame
        if self.frames_left is not None:
            self.frames_left -= 1
        if self._does == "beats":
            return self.beat() + frame
        return frame * 2 if self._does == "again" else frame

    def end(self) -> bytes:
        """Give what is sent after the last event."""
        if self._does != "trail":
            return b""
        after = [f"data: {compact(event)}\n\n" for event in _TRAIL]
        return self._last + "".join([*after, "data: [DONE]\n\n"]).encode()
