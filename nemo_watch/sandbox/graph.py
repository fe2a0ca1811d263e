"""Write one filter graph: inputs and chains in ffmpeg's language. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from nemo_watch.media import safe_input
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.music import BED_S, bed_expression
from nemo_watch.sandbox.timeline import Clip, Overlay, Sound, Timeline

RATE = 48000
TEXT_FILE = "text.ass"
FONTS_DIR = "fonts"
_LIMITER = "alimiter=limit=0.95:level=0:latency=1"
_PAD_S = 2
"""How long a picture may end before its file: the last frame stands. A longer lack is a damaged source and is found
by the frame count of the result."""
_CLICK_S = "0.008"
_STEREO = "aformat=sample_fmts=fltp:channel_layouts=mono|stereo,pan=stereo|FL=FL+FC|FR=FR+FC"
"""Whatever has channels, as two: a single one (FC) goes to both as it is, where ffmpeg's own way takes 3 dB off. A
channel that a source lacks counts as silence; more than two are mixed down to two before."""
_TONEMAP = (
    "zscale=pin=bt2020:min=bt2020nc:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)


class Graph:
    """Inputs and filter chains of one run of ffmpeg, written top to bottom; every label is made and used once."""

    def __init__(self, line: Timeline) -> None:
        self._line = line
        self._fps = str(line.fps)
        self._pairs = 0
        self._at = 0
        self.inputs: list[str] = []
        self._count = 0
        self._music = 0
        self._giving_way: list[str] = []
        self._steady: list[str] = []
        self._blurs = self._laid = 0
        self._places: list[str] = []
        self.chains: list[str] = []

    def _input(self, name: str, *options: str) -> int:
        self.inputs += safe_input(name, *options)
        self._count += 1
        return self._count - 1

    def _samples(self, frames: int) -> int:
        return round(frames * RATE / self._line.fps)

    def _seconds(self, frames: int) -> str:
        return f"{float(frames / self._line.fps):.6f}"

    def _take(self, clip: Clip) -> tuple[int, int]:
        """Move on by a clip: its number and its samples, cumulated so that the roundings cannot add up."""
        samples = self._samples(self._at + clip.frames) - self._samples(self._at)
        self._at += clip.frames
        self._pairs += 1
        return self._pairs - 1, samples

    def _fit(self, *, hdr: bool) -> str:
        """Bring a source into the picture as the draft wants it; pixels that are not square are made so on the way."""
        width, height = self._line.width, self._line.height
        tone = f",{_TONEMAP}" if hdr else ",format=yuv420p"
        if self._line.fit == "crop":
            return f"{_covering(width, height)}{tone}"
        whole = (
            f"scale=w='max(2*floor((min({width},{height}*dar)+0.01)/2),2)'"
            f":h='max(2*floor((min({height},{width}/dar)+0.01)/2),2)':out_range=tv,setsar=1{tone}"
        )
        if self._line.fit == "pad":
            return f"{whole},pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:color=0x{self._line.background}"
        # The copy behind it is blurred small, where it costs little, and stretched to the picture's size.
        mark, small = f"b{self._blurs}", (max(2 * round(width / 32), 16), max(2 * round(height / 32), 16))
        self._blurs += 1
        return ";\n".join(
            (
                f"split=2[{mark}f][{mark}s]",
                f"[{mark}f]{whole}[{mark}front]",
                f"[{mark}s]{_covering(*small)}{tone},gblur=sigma=3,scale={width}:{height},setsar=1[{mark}back]",
                f"[{mark}back][{mark}front]overlay=x=(W-w)/2:y=(H-h)/2,format=yuv420p",
            )
        )

    def _background(self, number: int, frames: int) -> None:
        line = self._line
        self.chains.append(
            f"color=c=0x{line.background}:s={line.width}x{line.height}:r={self._fps},trim=end_frame={frames},"
            f"setsar=1,format=yuv420p[v{number}]"
        )

    def _silence(self, number: int, samples: int) -> None:
        self.chains.append(f"anullsrc=r={RATE}:cl=stereo,atrim=end_sample={samples}[a{number}]")

    def gap(self, clip: Clip) -> None:
        number, samples = self._take(clip)
        self._background(number, clip.frames)
        self._silence(number, samples)

    def still(self, clip: Clip, name: str, *, hdr: bool) -> None:
        number, samples = self._take(clip)
        index = self._input(name)
        # Scaled once, then repeated: the first picture of a GIF as well, whose reader knows no "-loop".
        self.chains.append(
            f"[{index}:v:0]trim=end_frame=1,setpts=PTS-STARTPTS,{self._fit(hdr=hdr)},"
            f"tpad=stop_mode=clone:stop_duration={self._seconds(clip.frames + 30)},"
            f"fps={self._fps}:start_time=0,trim=end_frame={clip.frames}{self._video_fades(clip)}[v{number}]"
        )
        self._silence(number, samples)

    def run(self, clips: Sequence[Clip], asset: Asset, name: str, joints: Sequence[tuple[bool, bool]]) -> None:
        origin, end = clips[0].first, max(clip.end for clip in clips)
        seek = max(Fraction(origin) - Fraction(1, 4), Fraction(0)) if origin else Fraction(0)
        # A quarter of a frame before the wished one: it is the first to come, however its time was rounded.
        ahead = origin - seek
        length_s = (end - seek) / self._line.fps + Fraction(1, 2)
        # From the keyframe before it, as the frame that is shown at that time may have come long before: screens are
        # recorded so. `fps` drops what is earlier, and the reading ends with the last `trim`; `-t` counts otherwise.
        begin = ["-noaccurate_seek", "-ss", f"{float(seek / self._line.fps):.6f}"]
        index = self._input(name, *(begin if seek else ["-t", f"{float(length_s):.6f}"]))
        numbers = [self._take(clip) for clip in clips]
        heard = [asset.has_audio and clip.volume > 0 for clip in clips]
        tag = f"g{index}"
        if asset.kind == "video":
            labels = "".join(f"[{tag}v{at}]" for at in range(len(clips)))
            pad = round(_PAD_S * self._line.fps)
            self.chains.append(
                f"[{index}:v:0]fps={self._fps}:start_time=0,tpad=stop_mode=clone:stop={pad},split={len(clips)}{labels}"
            )
        if any(heard):
            labels = "".join(f"[{tag}a{at}]" for at, used in enumerate(heard) if used)
            self.chains.append(
                f"[{index}:a:0]aresample={RATE}:async=1:first_pts=0,{_STEREO},asplit={sum(heard)}{labels}"
            )
        for at, (clip, (number, samples)) in enumerate(zip(clips, numbers, strict=True)):
            first = clip.first - origin
            if asset.kind == "video":
                self._picture(clip, f"[{tag}v{at}]", first, number, hdr=asset.hdr)
            else:
                self._background(number, clip.frames)
            if heard[at]:
                start = round((first + ahead) * RATE / self._line.fps)
                self._voice(clip, f"[{tag}a{at}]", start, number, samples, joints[at])
            else:
                self._silence(number, samples)

    def _picture(self, clip: Clip, label: str, first: int, number: int, *, hdr: bool) -> None:
        steps = [f"trim=start_frame={first}:end_frame={first + clip.source_frames}", "setpts=PTS-STARTPTS"]
        if clip.speed != 1:
            steps = [
                f"trim=start_frame={first}:end_frame={first + clip.source_frames}",
                # On a time base fine enough, rounded up: frame n shows the source's frame n * speed, from the first on.
                f"settb=1/{self._line.fps.numerator * 1000}",
                f"setpts=floor((PTS-STARTPTS)/{clip.speed:.6f})",
                f"fps={self._fps}:start_time=0:round=up",
                "tpad=stop_mode=clone:stop=3",
                f"trim=end_frame={clip.frames}",
            ]
        self.chains.append(f"{label}{','.join(steps)},{self._fit(hdr=hdr)}{self._video_fades(clip)}[v{number}]")

    def _voice(self, clip: Clip, label: str, start: int, number: int, samples: int, joint: tuple[bool, bool]) -> None:
        taken = round(clip.frames * clip.speed * RATE / self._line.fps)
        steps = [f"atrim=start_sample={start}:end_sample={start + taken}", "asetpts=PTS-STARTPTS", *_tempo(clip.speed)]
        steps += [f"apad=whole_len={samples}", f"atrim=end_sample={samples}"]
        if clip.volume != 1:
            steps.append(f"volume={clip.volume:.4f}")
        length_s = samples / RATE
        cut_in, cut_out = joint
        if clip.fade_in or cut_in:
            fade = self._seconds(clip.fade_in) if clip.fade_in else _CLICK_S
            steps.append(f"afade=t=in:d={fade}")
        if clip.fade_out or cut_out:
            fade = self._seconds(clip.fade_out) if clip.fade_out else _CLICK_S
            steps.append(f"afade=t=out:st={max(length_s - float(fade), 0):.6f}:d={fade}")
        self.chains.append(f"{label}{','.join(steps)}[a{number}]")

    def _video_fades(self, clip: Clip) -> str:
        text = ""
        if clip.fade_in:
            text += f",fade=t=in:s=0:n={clip.fade_in}:c=0x{self._line.background}"
        if clip.fade_out:
            text += f",fade=t=out:s={clip.frames - clip.fade_out}:n={clip.fade_out}:c=0x{self._line.background}"
        return text

    def pieces(self, pieces: Sequence[tuple[str, int]]) -> None:
        """Take parts that were rendered before as they are."""
        for name, frames in pieces:
            number, samples = self._take(Clip("", frames))
            index = self._input(name)
            whole = f",apad=whole_len={samples},atrim=end_sample={samples}"
            self.chains += [
                f"[{index}:v:0]fps={self._fps}:start_time=0,trim=end_frame={frames},setsar=1,format=yuv420p[v{number}]",
                f"[{index}:a:0]aresample={RATE},{_STEREO}{whole}[a{number}]",
            ]
        self.join()

    def join(self) -> None:
        labels = "".join(f"[v{number}][a{number}]" for number in range(self._pairs))
        self.chains.append(f"{labels}concat=n={self._pairs}:v=1:a=1[vc][ac]")

    def sound(self, sound: Sound, name: str) -> None:
        samples = self._samples(sound.start + sound.frames) - self._samples(sound.start)
        if sound.mood:
            head = (
                f"aevalsrc=exprs='{bed_expression(sound.mood)}':s={RATE}:c=stereo:d={BED_S},"
                f"aloop=loop=-1:size={BED_S * RATE}"
            )
        else:
            start_s = float(sound.first / self._line.fps)
            length_s = float(sound.frames / self._line.fps) * sound.speed + 0.5
            index = self._input(name, "-ss", f"{start_s:.6f}", "-t", f"{length_s:.6f}")
            tempo = "".join(f",{step}" for step in _tempo(sound.speed))
            head = f"[{index}:a:0]aresample={RATE}:async=1:first_pts=0,{_STEREO}{tempo}"
            head += f",apad=whole_len={samples}"
        fade_in, fade_out = sound.fade_in, sound.fade_out
        ending_s = max((sound.frames - fade_out) / self._line.fps, Fraction(0))
        steps = [
            f"atrim=end_sample={samples}",
            "asetpts=N/SR/TB",
            f"volume={sound.volume:.4f}",
            f"afade=t=in:d={self._seconds(fade_in) if fade_in else _CLICK_S}",
        ]
        if fade_out:
            steps.append(f"afade=t=out:st={float(ending_s):.6f}:d={self._seconds(fade_out)}")
        if sound.start:
            steps.append(f"adelay={self._samples(sound.start)}S:all=1")
        self.chains.append(f"{head},{','.join(steps)},aformat=sample_fmts=fltp[m{self._music}]")
        (self._giving_way if sound.duck else self._steady).append(f"[m{self._music}]")
        self._music += 1

    def mix(self) -> None:
        """Lay the music under the clips' own sound, quieter while that is heard.

        Source: measured: `amix` halves the voice without normalize=0; sidechaincompress ends with its shorter input.
        """
        total = self._samples(self._line.frames)
        whole = f"apad=whole_len={total},atrim=end_sample={total}"
        voice = "[ac]"
        heard: list[str] = []
        if self._giving_way:
            self.chains += [
                f"{_together(self._giving_way)}{whole}[bed]",
                "[ac]asplit=2[voice][key]",
                "[key]apad[keyp]",
                "[bed][keyp]sidechaincompress=threshold=0.02:ratio=6:attack=20:release=350[duck]",
            ]
            voice = "[voice]"
            heard.append("[duck]")
        if self._steady:
            self.chains.append(f"{_together(self._steady)}{whole}[steady]")
            heard.append("[steady]")
        mixing = ""
        if heard:
            count = 1 + len(heard)
            mixing = f"amix=inputs={count}:duration=first:normalize=0,{_LIMITER},"
        elif any(clip.volume > 1 for clip in self._line.clips):
            mixing = f"{_LIMITER},"
        self.chains.append(f"{voice}{''.join(heard)}{mixing}{self._levelled()}{whole}{self._sound_fades()}[ao]")

    def _levelled(self) -> str:
        """Bring the mix to the loudness that is wanted; the filter gives 192 kHz back."""
        if self._line.lufs is None:
            return ""
        return f"loudnorm=I={self._line.lufs:.1f}:TP=-1.5:LRA=11,aresample={RATE},"

    def _sound_fades(self) -> str:
        line, text = self._line, ""
        if line.fade_in:
            text += f",afade=t=in:d={self._seconds(line.fade_in)}"
        if line.fade_out:
            text += f",afade=t=out:st={self._seconds(line.frames - line.fade_out)}:d={self._seconds(line.fade_out)}"
        return text

    def text_and_end(self) -> None:
        line = self._line
        base = f"[vc]fps={self._fps}:start_time=0,trim=end_frame={line.frames}"
        for number in range(self._laid):
            self.chains.append(f"{base}[p{number}]")
            base = f"[p{number}][l{number}]{self._places[number]}"
        text = f",subtitles=f={TEXT_FILE}:fontsdir={FONTS_DIR},format=yuv420p" if line.texts else ""
        if line.fade_in:
            text += f",fade=t=in:s=0:n={line.fade_in}"
        if line.fade_out:
            text += f",fade=t=out:s={line.frames - line.fade_out}:n={line.fade_out}"
        self.chains.append(f"{base}{text}[vo]")

    def overlay(self, overlay: Overlay, name: str) -> None:
        """Lay an image over the picture; `text_and_end` puts it under the texts."""
        line = self._line
        index = self._input(name)
        width, height = (max(round(side * overlay.scale), 2) for side in (line.width, line.height))
        fade = f",colorchannelmixer=aa={overlay.opacity:.4f}" if overlay.opacity < 1 else ""
        self.chains.append(
            f"[{index}:v:0]trim=end_frame=1,setpts=PTS-STARTPTS,"
            f"scale=w='max(min({width},{height}*dar),2)':h='max(min({height},{width}/dar),2)',setsar=1,"
            f"format=rgba{fade}[l{self._laid}]"
        )
        x, y = (f"{round(at * side)}" for at, side in ((overlay.x, line.width), (overlay.y, line.height)))
        last = overlay.start + overlay.frames - 1
        when = f":enable='between(n,{overlay.start},{last})'" if overlay.frames < line.frames else ""
        self._places.append(f"overlay=x={x}-w/2:y={y}-h/2:eof_action=repeat{when},format=yuv420p")
        self._laid += 1

    def end(self) -> None:
        self.chains += ["[vc]null[vo]", "[ac]anull[ao]"]


def _covering(width: int, height: int) -> str:
    return (
        f"scale=w='2*ceil((max({width},{height}*dar)-0.01)/2)':h='2*ceil((max({height},{width}/dar)-0.01)/2)'"
        f":out_range=tv,crop={width}:{height},setsar=1"
    )


def _together(labels: Sequence[str]) -> str:
    mixing = f"amix=inputs={len(labels)}:duration=longest:normalize=0," if len(labels) > 1 else ""
    return f"{''.join(labels)}{mixing}"


def _tempo(speed: float) -> list[str]:
    """Chain `atempo` in steps between 0.5 and 2, outside of which it drops samples."""
    steps: list[str] = []
    while speed > 2:
        steps.append("atempo=2")
        speed /= 2
    while speed < 0.5:
        steps.append("atempo=0.5")
        speed /= 0.5
    return [*steps, f"atempo={speed:.6f}"] if abs(speed - 1) > 1e-6 else steps
