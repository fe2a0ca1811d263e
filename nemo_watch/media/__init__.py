"""Everything that looks into media: the only room with child processes. Touches: files, child processes.

`sniff` needs no child and serves every drop; `probe`, `run_ffmpeg` and `verify_video` use the ffmpeg of the
imageio-ffmpeg wheel, `run_python` is for the speech recogniser. Without an ffmpeg for the platform `verify_video` still
checks length and boxes.
"""

from nemo_watch.media.probe import AudioInfo, MediaInfo, SubtitleInfo, VideoInfo, measure, parse_probe, probe
from nemo_watch.media.run import Progress, RunLimits, RunResult, run_ffmpeg, run_python, safe_input
from nemo_watch.media.sniff import Sniff, box_duration_ms, sniff
from nemo_watch.media.tool import Tool, check_tool, find_ffmpeg
from nemo_watch.media.verify import verify_video
from nemo_watch.media.whole import EndReader, EndVerdict, judge_ending

__all__ = [
    "AudioInfo",
    "EndReader",
    "EndVerdict",
    "MediaInfo",
    "Progress",
    "RunLimits",
    "RunResult",
    "Sniff",
    "SubtitleInfo",
    "Tool",
    "VideoInfo",
    "box_duration_ms",
    "check_tool",
    "find_ffmpeg",
    "judge_ending",
    "measure",
    "parse_probe",
    "probe",
    "run_ffmpeg",
    "run_python",
    "safe_input",
    "sniff",
    "verify_video",
]
