"""The reply's sentences about effects and about what is taken back, in English and Chinese. Pure."""

from __future__ import annotations

OF_EFFECTS: dict[str, tuple[str, str]] = {
    "card": (
        (
            "Made a title card of {total} ({w}:{h}): the words of the message on a plain moving background, drawn by "
            "the sandbox. It is not an AI-generated picture: nothing of what the text describes is shown. "
            'It says: "{text}".'
        ),
        (
            "已制作一张 {total} 的标题卡（{w}:{h}）：由沙盒绘制，只把消息里的文字放在简单的动态背景上。"
            "这不是 AI 生成的画面，文字描述的内容不会出现在画面中。文字：“{text}”。"
        ),
    ),
    "card_length": (
        "{wished} is not possible for a card, so it is {total}: 3 to 60 seconds.",
        "标题卡的时长只能是 3 到 60 秒，不能是 {wished}，现为 {total}。",
    ),
    "card_left_out": (
        "There is no time for the rest of the text ({count} more lines); ask for a longer card.",
        "时长不够，还有 {count} 行文字没有显示；可以要求更长的标题卡。",
    ),
    "no_such_clip": (
        "Nothing was changed: {name} is not among the clips of this session. There are: {names}.",
        "没有改动：{name} 不在这个会话的素材里。现有：{names}。",
    ),
    "no_clips": (
        "Nothing was changed: {name} is not among the uploads of this session, and there are no others.",
        "没有改动：{name} 不在这个会话的上传文件里，也没有其他文件。",
    ),
    "brought_up": ("The timeline of {name} is shown again.", "已切换到 {name} 的时间线。"),
    "speed": (
        "Changed the speed to {factor} times what it was; {before} -> {after}.",
        "速度改为原来的 {factor} 倍；{before} -> {after}。",
    ),
    "speed_limit": (
        "Clips run at a quarter to four times their own speed here, no slower and no faster.",
        "这里的播放速度只能是原速的 0.25 到 4 倍。",
    ),
    "speed_still": (
        "The speed was not changed: there are only stills on the timeline.",
        "没有改变速度：时间线上只有图片。",
    ),
    "aspect_pad": (
        "Changed the picture to {w}:{h} ({width}x{height}); the clips are whole, with bars.",
        "画面改为 {w}:{h}（{width}x{height}），画面完整，四周加黑边。",
    ),
    "aspect_blur": (
        "Changed the picture to {w}:{h} ({width}x{height}); the clips are whole, before a blurred background.",
        "画面改为 {w}:{h}（{width}x{height}），画面完整，背景为模糊画面。",
    ),
    "fit_crop": (
        "The clips fill the picture now, cropped around the centre.",
        "画面改为居中裁切、填满。",
    ),
    "fit_pad": (
        "The clips are whole now, with bars.",
        "画面改为完整显示，四周加黑边。",
    ),
    "fit_blur": (
        "The clips are whole now, before a blurred background.",
        "画面改为完整显示，背景为模糊画面。",
    ),
    "fit_same_crop": (
        "The picture is cropped already.",
        "画面已经是裁切的。",
    ),
    "fit_same_pad": (
        "There are bars already.",
        "已经有黑边了。",
    ),
    "fit_same_blur": (
        "There is a blurred background already.",
        "已经是模糊背景了。",
    ),
    "no_bars": (
        "No bars were added: the clips have the shape of the picture. Name another shape, for example 9:16.",
        "没有加边：视频与画面的比例相同。请写明比例，例如 9:16。",
    ),
    "clip_volume": (
        "Set the clips' own sound to {gain} %.",
        "原声音量设为 {gain} %。",
    ),
    "music_volume": (
        "Set the music to {gain} %.",
        "音乐音量设为 {gain} %。",
    ),
    "clip_muted": (
        "Muted the clips' own sound.",
        "原声已静音。",
    ),
    "music_muted": (
        "Muted the music.",
        "音乐已静音。",
    ),
    "all_muted": (
        "Muted everything.",
        "已全部静音。",
    ),
    "unmuted": (
        "What was muted is heard again.",
        "已取消静音。",
    ),
    "nothing_muted": (
        "Nothing was muted.",
        "没有静音的内容。",
    ),
    "clip_same": (
        "The clips' own sound is at {gain} % already.",
        "原声音量已经是 {gain} %。",
    ),
    "music_same": (
        "The music is at {gain} % already.",
        "音乐音量已经是 {gain} %。",
    ),
    "clip_silent": (
        "The volume was not changed: the clips have no sound.",
        "没有调整音量：视频没有声音。",
    ),
    "loudness": (
        "Normalized the loudness of the whole sound to {lufs} LUFS.",
        "整体响度已标准化为 {lufs} LUFS。",
    ),
    "loudness_same": (
        "The loudness is normalized to {lufs} LUFS already.",
        "整体响度已经标准化为 {lufs} LUFS。",
    ),
    "fade_both": (
        "Added a fade in of {fade_in} s and a fade out of {fade_out} s, for picture and sound.",
        "已加画面和声音的淡入 {fade_in} 秒、淡出 {fade_out} 秒。",
    ),
    "fade_in": (
        "Added a fade in of {fade_in} s, for picture and sound.",
        "已加画面和声音的淡入 {fade_in} 秒。",
    ),
    "fade_out": (
        "Added a fade out of {fade_out} s, for picture and sound.",
        "已加画面和声音的淡出 {fade_out} 秒。",
    ),
    "logo": (
        "Put {name} in the {corner} corner.",
        "已把 {name} 放在{corner}角。",
    ),
    "logo_new": (
        "Changed the logo to {name}, in the {corner} corner.",
        "标志换成 {name}，放在{corner}角。",
    ),
    "logo_unknown": (
        "No logo was added: {name} is not among the images of this session.",
        "没有加标志：{name} 不在这个会话的图片里。",
    ),
    "logo_many": (
        "No logo was added: there are several images ({names}). Name the one that is meant.",
        "没有加标志：有多个图片（{names}），请写明文件名。",
    ),
    "logo_missing": (
        "No logo was added: no image was uploaded beside the clip.",
        "没有加标志：没有上传图片。",
    ),
    "undone_more": (
        "Took back the last {steps} changes; the timeline is {total} long.",
        "已撤销最近 {steps} 次修改；时间线长 {total}。",
    ),
    "undone": (
        "Took back the last change; the timeline is {total} long.",
        "已撤销上一次修改；时间线长 {total}。",
    ),
    "started_over": (
        "Took back everything: the clips are as they were uploaded, {total} in all.",
        "已全部还原：素材恢复为上传时的样子，共 {total}。",
    ),
    "nothing_to_undo": (
        "There is nothing to undo.",
        "没有可以撤销的修改。",
    ),
    "removed_title": (
        "Removed the text.",
        "已去掉文字。",
    ),
    "removed_music": (
        "Removed the music.",
        "已去掉音乐。",
    ),
    "removed_captions": (
        "Removed the captions.",
        "已去掉字幕。",
    ),
    "removed_logo": (
        "Removed the logo.",
        "已去掉标志。",
    ),
    "removed_fade": (
        "Removed the fades.",
        "已去掉淡入淡出。",
    ),
    "removed_fade_in": (
        "Removed the fade in.",
        "已去掉淡入。",
    ),
    "removed_fade_out": (
        "Removed the fade out.",
        "已去掉淡出。",
    ),
    "removed_speed": (
        "The clips run at their own speed again.",
        "已恢复原速。",
    ),
    "removed_loudness": (
        "The loudness is as recorded again.",
        "已恢复原来的响度。",
    ),
    "removed_bars": (
        "Removed the bars: the picture is cropped.",
        "已去掉边框，画面改为裁切。",
    ),
    "no_title_here": (
        "No text was removed: none was added to the timeline with these words. What is in the picture itself stays.",
        "没有去掉文字：时间线上没有加过这样的文字；画面本身的文字去不掉。",
    ),
    "no_music_here": (
        "The music was not changed: none was added to the timeline. The clip's own sound is one piece.",
        "音乐没有变化：时间线上没有加过音乐；原声里的音乐无法分离。",
    ),
    "no_captions_here": (
        "No captions were removed: none were added to the timeline. What is in the picture itself stays.",
        "没有去掉字幕：时间线上没有加过字幕；画面本身的字幕去不掉。",
    ),
    "no_logo_here": (
        "No logo was removed: none was added to the timeline. What is in the picture itself stays.",
        "没有去掉标志：时间线上没有加过标志；画面本身的标志去不掉。",
    ),
    "no_fade_here": (
        "There are no fades to remove.",
        "没有淡入淡出可去掉。",
    ),
    "no_fade_in_here": (
        "There is no fade in to remove.",
        "没有淡入可去掉。",
    ),
    "no_fade_out_here": (
        "There is no fade out to remove.",
        "没有淡出可去掉。",
    ),
    "no_speed_here": (
        "The speed was not changed: the clips run at their own speed.",
        "没有改变速度：视频已是原速。",
    ),
    "no_loudness_here": (
        "The loudness was not normalized before: nothing was reset.",
        "没有做过响度标准化，未作恢复。",
    ),
    "no_bars_here": (
        "There are no bars that were added here.",
        "没有在这里加过边框。",
    ),
}
