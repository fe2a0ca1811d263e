"""The reply's sentences, in English and Chinese. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import Corner, limit_of
from nemo_watch.sandbox.plan.sentences import OF_EFFECTS

Language = Literal["en", "zh"]

_SENTENCES: dict[str, tuple[str, str]] = {
    "no_upload": (
        "Nothing was changed: this session has no video, image or sound to work on.",
        "没有改动：这个会话里还没有视频、图片或音频。",
    ),
    "nothing": (
        "Nothing was changed: the message asks for nothing that is done on the timeline.",
        "没有改动：这条消息没有要求对时间线做任何修改。",
    ),
    "placed": ("Put {names} on the timeline, {total} in all.", "已把 {names} 放到时间线上，共 {total}。"),
    "there": ("{names} is on the timeline already, {total} in all.", "{names} 已在时间线上，共 {total}。"),
    "unknown_file": (
        "{name} is not among the uploads of this session.",
        "{name} 不在这个会话的上传文件里。",
    ),
    "nothing_else": (
        "Nothing was changed: no other clip is edited in its stead.",
        "没有改动：不会改用其他素材。",
    ),
    "work_kept": (
        'Not done: {names} alone would replace the whole timeline. Begin with "start over," if that is meant.',
        "未做：只对 {names} 操作会丢掉时间线上的其他内容。确需如此，请在同一条消息开头写“重新开始，”。",
    ),
    "image_left": (
        "Not done: {name} was not put on the timeline; beside a video an image is only laid into a corner, as a logo.",
        "未做：没有把 {name} 放到时间线上；有视频时，图片只能作为标志放在一个角上。",
    ),
    "cut_pauses_one": (
        "Removed 1 pause, {cut} in all; {before} -> {after}.",
        "剪掉 1 处停顿，共 {cut}；{before} -> {after}。",
    ),
    "cut_pauses": (
        "Removed {count} pauses, {cut} in all; {before} -> {after}.",
        "剪掉 {count} 处停顿，共 {cut}；{before} -> {after}。",
    ),
    "no_pauses": (
        "No pauses found of {least} or more: nothing was cut for that.",
        "没有找到 {least} 以上的停顿，未作剪切。",
    ),
    "no_sound": (
        "No pauses found: there is no sound to find them in.",
        "没有找到停顿：素材里没有声音。",
    ),
    "trim_intro": ("Cut the first {cut} as the intro.", "剪掉开头 {cut} 作为片头。"),
    "trim_outro": ("Cut the last {cut} as the outro.", "剪掉结尾 {cut} 作为片尾。"),
    "trim_edges": ("Cut {cut} of silence at the ends.", "剪掉首尾的静音 {cut}。"),
    "trim_head_edge": ("Cut {cut} of silence at the beginning.", "剪掉开头的静音 {cut}。"),
    "trim_tail_edge": ("Cut {cut} of silence at the end.", "剪掉结尾的静音 {cut}。"),
    "trim_head": ("Cut the first {cut}.", "剪掉开头 {cut}。"),
    "trim_tail": ("Cut the last {cut}.", "剪掉结尾 {cut}。"),
    "trim_last": ("Kept the last {start}.", "保留最后 {start}。"),
    "trim_keep": ("Kept {start} to {end}.", "保留 {start} 到 {end}。"),
    "trim_drop": ("Cut {start} to {end}.", "剪掉 {start} 到 {end}。"),
    "trim_result": ("Trimmed: {before} -> {after}.", "修剪后：{before} -> {after}。"),
    "miss_intro": (
        "No intro was cut: there is no pause and no change of scene in the first fifth that could end one.",
        "没有剪片头：开头五分之一里没有可作为片头结尾的停顿或场景切换。",
    ),
    "miss_outro": (
        "No outro was cut: there is no pause and no change of scene in the last fifth that could begin one.",
        "没有剪片尾：结尾五分之一里没有可作为片尾开头的停顿或场景切换。",
    ),
    "miss_edges": (
        "Nothing was trimmed: there is no silence at either end.",
        "没有修剪：首尾没有静音。",
    ),
    "miss_head_edge": ("Nothing was trimmed: there is no silence at the beginning.", "没有修剪：开头没有静音。"),
    "miss_tail_edge": ("Nothing was trimmed: there is no silence at the end.", "没有修剪：结尾没有静音。"),
    "miss_range": (
        "Not trimmed as asked: the timeline is {total} long, and that would take nothing or all of it.",
        "没有按要求修剪：时间线长 {total}，这样会什么都不剪或全部剪掉。",
    ),
    "highlight": ("Kept the strongest {after} of {before}.", "从 {before} 中保留最精彩的 {after}。"),
    "highlight_whole": (
        "The timeline is {before} long, not longer than {target}: all of it is kept as the highlight.",
        "时间线长 {before}，不超过 {target}，全部保留为精华。",
    ),
    "no_length": ("No length was named, so one minute was taken.", "没有写明时长，按一分钟处理。"),
    "aspect_crop": (
        "Changed the picture to {w}:{h} ({width}x{height}), cropped around the centre.",
        "画面改为 {w}:{h}（{width}x{height}），居中裁切。",
    ),
    "aspect_same": ("The picture is {w}:{h} already.", "画面已经是 {w}:{h}。"),
    "music": ("Added music: {name}, at {gain} %{duck}.", "已加音乐：{name}，音量 {gain} %{duck}。"),
    "music_new": ("Changed the music to {name}, at {gain} %{duck}.", "音乐换成 {name}，音量 {gain} %{duck}。"),
    "music_missing": (
        "No music was added: no other sound is used in its stead.",
        "没有加音乐：不会改用其他音频。",
    ),
    "music_one": ("Not used: {names}; there is one music track here.", "没有使用 {names}：这里只有一条音乐轨。"),
    "music_main": ("{name} is what the timeline is made of: it is not laid under itself.", "{name} 已是时间线的主体。"),
    "music_ends": (
        "It is repeated {count} times, no more, and ends at {end}.",
        "最多重复 {count} 次，音乐在 {end} 处结束。",
    ),
    "duck": (", lower under speech", "，有人声时自动压低"),
    "title": ('Added the text "{text}" ({start}-{end} s).', "已加文字“{text}”（{start}-{end} 秒）。"),
    "title_no_room": (
        'The text "{text}" was not added: the timeline ends before its time.',
        "未加文字“{text}”：时间线在那之前就结束了。",
    ),
    "captions_one": ("Added captions: 1 cue from {name}.", "已加字幕：来自 {name} 的 1 条。"),
    "captions": ("Added captions: {count} cues from {name}.", "已加字幕：来自 {name} 的 {count} 条。"),
    "captions_missing": (
        "No captions were added: no other file is shown in its stead.",
        "没有加字幕：不会改用其他文件。",
    ),
    "captions_cut": (
        "That is as many as one video can hold here; later cues are left out.",
        "这已是一个视频能容纳的上限，其后的字幕未显示。",
    ),
    "captions_carried": ("the subtitles inside {names}", "{names} 自带的字幕"),
    "captions_heard": (
        "the speech in {names} (recognised by machine: read them once)",
        "{names} 中的语音（机器识别，请核对）",
    ),
    "captions_skipped": ("Captions were skipped: {why}", "已跳过字幕：{why}"),
    "captions_partly": ("No captions for {names}: {why}", "{names} 没有字幕：{why}"),
    "why_no_recogniser": (
        "no speech recogniser is installed. Put NAME.srt beside the video or install nemo-watch[captions].",
        "没有安装语音识别。请在视频旁放一个同名的 .srt 文件，或安装 nemo-watch[captions]。",
    ),
    "why_no_model": (
        "the speech recogniser has no model it can use (`nemo-watch check` says more). Put NAME.srt beside the video.",
        "语音识别没有可用的模型（详见 `nemo-watch check`）。请在视频旁放一个同名的 .srt 文件。",
    ),
    "why_no_speech": (
        "no speech that can be understood was found in {names}.",
        "在 {names} 中没有找到能听懂的语音。",
    ),
    "why_no_sound": ("{names} has no sound.", "{names} 没有声音。"),
    "why_nobody": (
        "there is no clip on the timeline in which anybody could speak.",
        "时间线上没有可能有人说话的素材。",
    ),
    "why_broken": (
        "the speech recogniser failed on {names}. Send the message again, or put NAME.srt beside the video.",
        "识别 {names} 的语音时出错。请重新发送这条消息，或在视频旁放一个同名的 .srt 文件。",
    ),
    "captions_unused": (
        "Not used, as no clip on the timeline has that name: {names}.",
        "没有使用 {names}：它与时间线上的视频不同名。",
    ),
    "captions_unmatched": (
        "Captions were skipped: {names} does not have the name of a clip on the timeline.",
        "已跳过字幕：{names} 与时间线上的视频不同名。",
    ),
    "captions_elsewhere": (
        "Captions were skipped: no cue of {name} falls into what is on the timeline.",
        "已跳过字幕：{name} 里没有落在时间线内容上的字幕。",
    ),
    "not_done": ("Not done: {wishes}.", "未做：{wishes}。"),
    "wish": ('"{wish}" ({why})', "“{wish}”（{why}）"),
}

_FACTS: dict[str, tuple[str, str]] = {
    "length": ("{} long", "时长 {}"),
    "picture": ("{}x{}, {} fps", "{}x{}，每秒 {} 帧"),
    "still": ("{}x{}", "{}x{}"),
    "hdr": ("HDR", "HDR"),
    "size": ("{} MB", "{} MB"),
    "silent": ("no sound", "没有声音"),
    "speech": ("sound on {} % of the time", "{} % 的时间有声音"),
    "loudness": ("{} dB on average", "平均 {} dB"),
    "pauses": ("pauses of 0.5 s or more: {}", "0.5 秒以上的停顿：{} 处"),
    "scenes": ("scenes: {}", "场景：{} 个"),
    "cues": ("subtitle cues: {}", "字幕：{} 条"),
}


def language_of(code: str) -> Language:
    """Give the reply's language for a session's: Chinese for any Chinese, English else."""
    return "zh" if code.casefold().startswith("zh") else "en"


def say(language: Language, key: str, **values: object) -> str:
    """Fill in a sentence."""
    return (_SENTENCES.get(key) or OF_EFFECTS[key])[language == "zh"].format(**values)


def seconds(language: Language, ms: int) -> str:
    """Write a length: to a tenth of a second."""
    return f"{ms / 1000:.1f} {'秒' if language == 'zh' else 's'}"


def bare_seconds(ms: int) -> str:
    """Write a place in seconds without trailing zeros."""
    return f"{ms / 1000:.1f}".removesuffix(".0")


_MUSIC_ZH = {
    "warm": "温暖的铺底（生成）",
    "calm": "平静的铺底（生成）",
    "upbeat": "轻快的律动（生成）",
    "cinematic": "电影感的铺底（生成）",
}


def generated(language: Language, mood: str, name: str) -> str:
    """Name generated music in a sentence; `name` is what the timeline calls it."""
    return _MUSIC_ZH.get(mood, name) if language == "zh" else name


_CORNERS_ZH: dict[Corner, str] = {
    "top-left": "左上",
    "top-right": "右上",
    "bottom-left": "左下",
    "bottom-right": "右下",
}


def corner(language: Language, place: Corner) -> str:
    """Name a corner in a sentence."""
    return _CORNERS_ZH[place] if language == "zh" else place.replace("-", " ")


def names(language: Language, assets: Sequence[Asset]) -> str:
    """Name files in a sentence."""
    shown = [asset.filename for asset in assets[:4]]
    more = len(assets) - len(shown)
    if more:
        shown.append(f"另外 {more} 个" if language == "zh" else f"{more} more")
    if len(shown) == 1:
        return shown[0]
    joint = "、" if language == "zh" else ", "
    last = " 和 " if language == "zh" else " and "
    return joint.join(shown[:-1]) + last + shown[-1]


def not_done(language: Language, unsupported: Sequence[str]) -> str:
    """Name the wishes that were not fulfilled, each with its reason."""
    told = []
    for wish in unsupported:
        limit = limit_of(wish)
        told.append(say(language, "wish", wish=wish, why=limit.why_zh if language == "zh" else limit.why))
    return say(language, "not_done", wishes="；".join(told) if language == "zh" else "; ".join(told))


def facts(language: Language, asset: Asset, *, silent_ms: int, pauses: int, average_db: float | None) -> str:
    """Tell what was measured in an upload, nothing else."""

    def fact(key: str, *values: object) -> str:
        return _FACTS[key][language == "zh"].format(*values)

    told = []
    if asset.kind == "subtitle":
        told.append(fact("cues", len(asset.cues)))
    if asset.duration_ms and asset.kind != "subtitle":
        told.append(fact("length", seconds(language, asset.duration_ms)))
    if asset.kind == "video":
        told.append(fact("picture", asset.width, asset.height, f"{asset.fps:.3f}".rstrip("0").rstrip(".")))
    elif asset.kind == "image":
        told.append(fact("still", asset.width, asset.height))
    if asset.hdr:
        told.append(fact("hdr"))
    told.append(fact("size", f"{asset.size_bytes / 1_000_000:.1f}"))
    if asset.kind in ("video", "audio"):
        if not asset.has_audio:
            told.append(fact("silent"))
        elif average_db is not None and asset.duration_ms:
            told.append(fact("speech", round(100 * (1 - min(silent_ms / asset.duration_ms, 1)))))
            told.append(fact("loudness", round(average_db)))
            told.append(fact("pauses", pauses))
    if asset.kind == "video" and asset.analysis is not None:
        told.append(fact("scenes", len(asset.analysis.scenes_ms) + 1))
    comma, stop = ("，", "。") if language == "zh" else (", ", ".")
    return f"{asset.filename}: {comma.join(told)}{stop}"
