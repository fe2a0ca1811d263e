"""The wishes the sandbox knows it cannot fulfil, each with its reason in both languages. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nemo_watch.sandbox.intent.words import ADD, DET, GAP

_LANGUAGE = (
    r"(?:spanish|french|german|italian|portuguese|japanese|korean|russian|arabic|hindi|turkish|dutch|polish|swedish"
    r"|vietnamese|thai|indonesian|ukrainian|greek|hebrew|czech)"
)
_LANGUAGE_ZH = r"(?:西班牙语|法语|德语|意大利语|葡萄牙语|日语|日文|韩语|韩文|俄语|阿拉伯语|泰语|越南语)"
_ANY_LANGUAGE = rf"(?:{_LANGUAGE}|english|chinese|mandarin)"
_OUT_WORDS = r"(?:remov\w+|delet\w+|drop|take out|get rid of|strip(?: out)?|cut(?: out)?|eras\w+|turn off)"
_OUT = rf"\b{_OUT_WORDS}"


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that is asked for and cannot be done here, and why."""

    pattern: re.Pattern[str]
    why: str
    why_zh: str


def _limit(pattern: str, why: str, why_zh: str) -> Limit:
    return Limit(re.compile(pattern), why, why_zh)


_FORMAT = r"(?:animated )?(?:gifs?|webm|avi|mkv|m4v|wmv|flv|动图)(?![a-z])"

LIMITS: tuple[Limit, ...] = (
    _limit(
        rf"\b(?:export|render|save|convert|output|deliver|make|create|download)\w*\b(?:\W+\w+){{0,4}}?\W+{_FORMAT}"
        r"(?!\W+(?:\w+\W+)?(?:to|into|as)\b)"
        rf"|\b(?:as|to|into) (?:an? )?{_FORMAT}|^\W*(?:an? )?{_FORMAT}\W*$"
        rf"|(?:导出|输出|保存|转|存|做|出|生成)[^\n]{{0,6}}?{_FORMAT}",
        "only mp4 and mov files are made",
        "这里只生成 mp4 和 mov 文件",
    ),
    _limit(
        r"(?<![\d.])(?!(?:360|480|540|720|1080)p)(?:\d{3}|10\d\d)p(?![a-z])",
        "the picture is 360, 480, 540, 720 or 1080 high",
        "画面高度只能是 360、480、540、720 或 1080",
    ),
    _limit(
        r"\b(?:export|render|sav|output|deliver|upscal|download|convert|mak)\w*\b(?:\W+\w+){0,3}?\W+"
        r"(?:4k|8k|2k|2160p|1440p|uhd|qhd)\b|^\W*(?:in |at |as )?(?:4k|8k|2k|2160p|1440p|uhd|qhd)"
        r"(?: (?:please|export|video|mp4|quality|resolution))*\W*$"
        r"|(?:导出|输出|渲染|保存)(?:为|成)?\s*(?:4k|8k|2k|2160p|1440p)",
        "the picture is at most 1080 high",
        "画面高度最多 1080",
    ),
    _limit(
        r"(?<!\d)\d+\.\d+ ?(?:fps|frames?(?: per second)?|帧)",
        "frames per second are a whole number here",
        "这里的帧率只能是整数",
    ),
    _limit(
        rf"\btranslat\w+(?:{GAP}(?:captions?|subtitles?|text|video|it|audio))?(?:\W+(?:in)?to {_ANY_LANGUAGE})?"
        rf"|\bdub(?:bed|bing)?\b(?:{GAP}{_ANY_LANGUAGE})?|\b(?:in|into) {_LANGUAGE}\b"
        rf"|\b{_LANGUAGE}\b(?= (?:captions?|subtitles?))"
        rf"|\b(?:bilingual|dual[- ]language|multilingual)\b|(?:翻译|译)(?:成|为|到)?.{{0,6}}?(?:字幕|语"
        rf"|文|$)|双语|{_LANGUAGE_ZH}",
        "there is no translator here",
        "这里没有翻译功能",
    ),
    _limit(
        r"\b(?:voice[- ]?overs?|narrat\w+|text[- ]to[- ]speech|tts|ai voices?|speaker voice|read (?:it"
        r"|this|that) (?:out|aloud))\b"
        r"|\b(?:clone|change|replace)\b(?:\W+\w+){0,2}\W+voice\b|配音|旁白|解说|朗读|变声|语音合成",
        "there is no speech generator here",
        "这里没有语音合成功能",
    ),
    _limit(
        rf"\b(?:blur\w*|pixel+at\w*|anonymi[sz]\w+|censor\w*|bleep\w*|mosaic|hide)\b(?:{GAP}(?:faces?"
        r"|backgrounds?|plates?|names?|screens?|words?"
        r"|people|logos?|eyes))?|打码|马赛克|模糊|虚化|遮挡|遮住",
        "nothing in the picture is recognised or blurred here",
        "这里不能识别或模糊画面内容",
    ),
    _limit(
        r"\b(?:de-?nois\w*|noise[- ]?(?:reduction|removal|cancel\w*|gate)|de-?ess\w*|de-?reverb)\b"
        rf"|\b(?:{_OUT_WORDS}|reduc\w+|clean(?: up)?|suppress\w*|filter(?: out)?|fix|lower|eliminat\w+"
        rf"|kill){GAP}(?:noises?|hiss(?:ing)?|hum(?:ming)?"
        r"|echo(?:es)?|reverb|static|clicks|wind)\b|\bnoise\b"
        r"|\b(?:enhance|improve|clean up|fix|master|repair)(?:\W+(?:the|my|speech|voice"
        r"|vocal))*\W+(?:audio|sound|voice|speech|mic)(?: quality)?\b"
        r"|降噪|去噪|消噪|除噪|(?:去掉|去除|消除|减少)?.{0,4}(?:噪音|噪声|杂音|回声|底噪)|人声增强",
        "noise is not removed from the sound here",
        "这里不能降噪或修复声音",
    ),
    _limit(
        r"\b(?:stock (?:footage|videos?|clips?|photos?|images?)|b[- ]?rolls?|cut ?aways?)\b"
        r"|\b(?:generate|create|imagine|draw|make)\W+(?:(?:an?|some|the|new|ai)\W+)*(?:images?"
        r"|pictures?|scenes?|footage|avatars?|(?:video|clip) of(?! *[\ue400-\uebff]))\b"
        r"|\b(?:ai[- ]generated|avatar|deepfake|text[- ]to[- ]video)\b|空镜|素材库|数字人|虚拟人"
        r"|生成.{0,4}(?:画面|图片|图像|镜头|视频)",
        "there is no stock footage and no picture generator here",
        "这里没有素材库，也不能生成画面",
    ),
    _limit(
        r"\bcolou?r(?:[- ]?(?:grad\w+|correct\w*|balance))\b|\b(?:luts?|brightness|brighten|brighter"
        r"|darken|contrast|saturat\w+|vibran\w+|black a\u2060nd white"
        r"|b&w|monochrome|gr[ae]y ?scale|sepia|vintage|retro|filters?|exposure|hue|white balance"
        r"|vignette|film grain|skin smoothing)\b"
        r"|\b(?:warm|cold|cool|cinematic|moody|dark|bright|film)(?:er)?\W+(?:look|tones?|colou?rs?"
        r"|grade|feel)\b|\bcolou?rs?\b"
        r"|调色|校色|滤镜|黑白|亮度|对比度|饱和度|美颜|磨皮|色调|调亮|调暗|颜色|复古",
        "colours are not changed here",
        "这里不能调整颜色",
    ),
    _limit(
        r"\b(?:smooth )?(?:transitions?|cross[- ]?(?:fades?|dissolves?)|dissolves?|wipes?|swipes?)\b|转场|过渡",
        "cuts are hard cuts here, without transitions",
        "这里只有硬切，没有转场",
    ),
    _limit(
        rf"\bspeed(?:ing|s)?\b(?! (?:dat\w+|skat\w+|boats?|dial|runs?|read\w+|networking|bumps?|traps?|limits?))"
        rf"(?:{GAP}up|\W+up)?\b|\bslow(?:ing)?\W+(?:it |this |the \w+ |everything "
        r"|them )?(?:down)\b|\bslow[- ]?mo(?:tion)?\b"
        r"|\bfast[- ]?forward\w*|\btime[- ]?lapse\b|\bhyper[- ]?lapse\b"
        r"|\b\d+(?:\.\d+)?\s?x\b(?: (?:speed|faster|slower))?|\b(?:double|half|twice)(?: the)? speed\b"
        r"|\b(?:faster|slower)\b(?!\W+(?:music|track|song|tune|bgm))|快进|慢动作|加速|减速|加快|放慢"
        r"|[\d.一二两三半]+倍速?|倍速|慢放|变速",
        'the speed is changed over the whole length only here, by a figure: "2x", "half speed"',
        "这里只能整体改变速度，请写明倍数，例如 2 倍速",
    ),
    _limit(
        rf"\bmut(?:e|ed|ing)\b(?:{GAP}(?:audio|sound|voice|video|original))?|\b(?:turn|crank"
        rf"|bring)\b(?:\W+\w+){{0,4}}?\W+(?:down|up)\b(?!-)|\bvolumes?\b"
        r"|\b(?:louder|quieter)\b|\b(?:normali[sz]e|level|balance|boost|amplify|equali[sz]e"
        r"|eq)\b(?:\W+\w+){0,3}?\W*\b(?:audio|sound|volume|loudness|levels?|voice)?\b"
        r"|\bloudness\b|-?\d+ ?lufs\b|\b(?:remove|delete|strip|drop|replace)(?: \w+){0,3}? (?:audio"
        r"|sound|voice|vocals)\b"
        r"|音量|响度|消音|(?:去掉|去除|关闭|关掉|删除)(?:[^没无\n]{0,3}(?:原声|声音|人声|音频))|静音处理|调大声|调小声",
        "how loud it is can be changed over the whole length only here: a volume in per cent, mute, or -14 LUFS",
        "这里只能整体调整音量：写明百分比、静音，或标准化到 -14 LUFS",
    ),
    _limit(
        r"\bfade[sd]? in a\u2060nd (?:fade )?out\b|\bfad(?:e|es|ed|ing)\b(?: (?:it |the \w+ )?(?:in"
        r"|out|to black|from black|to white))?|淡入淡出|淡入|淡出|渐显|渐隐|渐变",
        "fades are for the beginning and the end of the whole here; music and titles fade by themselves",
        "这里只做整体的开头淡入和结尾淡出；音乐和标题会自动淡入淡出",
    ),
    _limit(
        r"\b(?:letter ?box\w*|pillar ?box\w*|black bars?|pad(?:ded|ding)?|blurr?ed (?:background|sides"
        r"|edges|bars)|borders?|rounded corners)\b|黑边|模糊背景|边框|留白",
        "a picture of another shape is cropped, or gets black bars or a blurred background here",
        "改变比例时，这里可以裁切、加黑边或模糊背景",
    ),
    _limit(
        rf"(?:{ADD}{GAP})?\b(?:(?:company |brand |our )?logos?|water ?marks?|stickers?|emojis?"
        r"|picture[- ]in[- ]picture|pip|web ?cam overlay|memes?|gifs?(?= overlay)"
        r"|(?:image|photo|picture) overlay|progress bar|qr[- ]?codes?|arrows?|subscribe button|call to action|cta)\b"
        rf"|\b{DET}(?:logos?|water ?marks?|stickers?|emojis?)\b|[\ue000-\ue3ff]\s*(?:button|sticker"
        r"|logo|按钮)|按钮|水印|贴纸|台标|商标|标志|徽标|表情"
        r"|画中画|二维码|箭头|进度条",
        "only an uploaded image can be laid over the video here, in a corner, for the whole length",
        "这里只能把上传的图片放在一个角上，全程显示",
    ),
    _limit(
        r"\b(?:rotat\w+|flip\w*|mirror\w*|zoom\w*(?! (?:call|meeting|session|interview))|ken burns"
        r"|panning|pan (?:to|across|over)|stabili[sz]\w+|de-?shake|shak(?:y|iness)|upscal\w+"
        r"|super[- ]?resolution"
        r"|re-?fram\w+|sharpen\w*|deblur|interpolat\w+)\b|\b(?:follow|track(?:ing)?|centre"
        rf"|center){GAP}(?:face|faces|speaker|speakers|subject|person|ball|object)\b"
        r"|\b(?:face|motion|object)[- ]tracking\b|\bsplit[- ]?screen\b|旋转|翻转|镜像|缩放|放大|缩小"
        r"|拉近|防抖|增稳|稳定|跟踪|追踪|超分|分屏|锐化|补帧",
        "the picture is not turned, moved or enlarged here",
        "这里不能旋转、移动或放大画面",
    ),
    _limit(
        r"\b(?:green[- ]?screen|chroma(?:[- ]?key)?)\b|\b(?:replac|chang|remov|swap"
        rf"|delet)\w*{GAP}background\b(?! (?:music|noise|sound|track))|抠像|绿幕|(?:换|替换|去除"
        r"|去掉)背景(?!音)",
        "the background cannot be told from the rest of the picture here",
        "这里不能抠像或更换背景",
    ),
    _limit(
        r"(?:\b(?:remov\w+|cut(?: out)?|delet\w+|edit out|clean up|strip(?: out)?"
        rf"|get rid of){GAP})?\b(?:filler words?|fillers|u+m+s?|uh+s?|er+ms?|stutter\w*|false starts?"
        r"|repetitions?|retakes?|bad takes?|mistakes?|bloopers?|breaths?|coughs?|swear(?:ing| words?)?|you knows)\b"
        r"|口头禅|语气词|嗯啊|废话|口误|重复(?:的)?(?:部分|内容|句子)?|咳嗽|呼吸声|脏话",
        "what is said is not recognised here, only where it is quiet",
        "这里不识别说话内容，只能找到安静的地方",
    ),
    _limit(
        r"\b(?:transcri(?:be|bed|bing|ptions?|pts?)|chapters?(?: markers?)?|hash ?tags?|thumbnails?"
        r"|cover (?:image|photo|picture)|timestamps"
        r"|blog post|show notes|keywords?|seo|speaker (?:names?|labels?)|diari[sz]\w+|(?:write|draft"
        r"|compose|suggest)\b(?:\W+\w+){0,3}\W+(?:description|post|caption|copy|article|tweet|script"
        r"|titles?))\b"
        r"|转录|转写|逐字稿|文稿|章节|封面|缩略图|话题标签|关键词|文案|说话人",
        "nothing that is said is recognised or written down here",
        "这里不识别语音，也不撰写文字",
    ),
    _limit(
        r"\b(?:sound effects?|sfx|whoosh(?:es)?|applause|laugh(?:ter| track)|(?:special "
        r"|visual )?effects?|vfx|motion graphics|animat\w+|particles|glitch(?:es|y)?"
        r"|explosions?|confetti|lens flares?|kinetic|karaoke|word[- ]by[- ]word|typewriter|bounc(?:e"
        r"|ing) text)\b|音效|特效|动画|动效|逐字|粒子|花字",
        "there are no effects and no animations here",
        "这里没有特效和动画",
    ),
    _limit(
        r"\b(?:revers(?:e|ed|ing)|backwards?|loop(?:ed|ing|s)?|freeze[- ]?frames?|boomerang)\b|倒放|倒播|循环|定格",
        "the picture only runs forward, once, here",
        "这里只能正向播放一次",
    ),
    _limit(
        r"\b(?:sync\w*|match|cut|edit|align)(?:\W+\w+){0,4}\W+(?:to|with) (?:the )?(?:beats?|rhythm"
        r"|music)\b|\bbeat[- ]?sync\w*|\bon the beat\b|卡点|踩点",
        "cuts do not follow the music here",
        "这里不能按音乐卡点",
    ),
    _limit(
        r"\b(?:split|divide|break|chop)\b(?:\W+\w+){0,5}?\W+(?:parts?|pieces|clips|segments|chapters"
        r"|videos|halves)\b|\b(?:two|three|several|multiple|different|both|\d+) (?:versions|variants"
        r"|clips|videos|highlights|shorts|edits)\b"
        r"|\bversions\b|(?:拆分|分割|切分|分)成|多个版本|[两二三四五六七八九\d]+个(?:版本|片段|视频|短片)",
        "one session makes one video here",
        "这里一次只做一个视频",
    ),
    _limit(
        r"\b(?:publish|schedule|tweet)\w*\b(?:\W+\w+){0,4}|\b(?:post|upload)(?:\W+(?:it|this|that"
        r"|the \w+|directly|straight))*\W+(?:to|on|onto) (?:my |our |the )?\w+(?: channel| page"
        r"| account)?"
        r"|\be-?mail (?:it|this|that|the \w+|me|him|her|them|us)\b(?: to \w+)?|发布(?:到|至|在)?.{0,6}"
        r"|(?:上传|发)到(?:抖音|快手|b站|油管|微博|小红书|视频号|youtube|tiktok)|发邮件",
        "nothing is published or sent from here, the result is exported only",
        "这里只导出结果，不会发布或发送",
    ),
    _limit(
        r"\b(?:(?:song|music|track|tune|soundtrack|something)(?: \w+){0,2} (?:by|from) \w+(?: \w+)?"
        r"|spotify|apple music|soundcloud|licensed|copyrighted|trending (?:song|sound|audio|music)"
        r"|famous song"
        r"|(?:jazz\w*|rock|metal|hip[- ]?hop|rap|trap|techno|house|edm|electronic|classical|country"
        r"|reggae|blues|funk\w*|piano|guitar|violin|folk|disco"
        r"|punk|k-?pop|drums?)(?=\W+(?:\w+\W+){0,2}(?:music|songs?|tracks?|tunes?|soundtrack|bgm"
        r"|beats?|score|bed)\b))\b"
        r"|(?:爵士|摇滚|说唱|嘻哈|电子|古典|钢琴|吉他|民谣|古风|国风|流行)(?=.{0,3}(?:音乐|配乐|乐|曲"
        r"|bgm|歌))|热门歌曲|周杰伦",
        "music is a generated bed (warm, upbeat, calm or cinematic) or a sound file uploaded with the clip",
        "音乐只能是生成的铺底（温暖、轻快、平静或电影感）或随视频上传的音频",
    ),
    _limit(
        r"\b(?:titles?|text|captions?|subtitles?|headlines?)\W+(?:(?:is|be|in|to be)\W+)?(?:bright |dark )?"
        r"(?:red|blue|green|yellow|orange|purple|pink|black|white|gold(?:en)?|bigger|smaller|larger)\b"
        r"|\b(?:fonts?|typefaces?|bold|italics?|underlined?|helvetica|arial|comic sans|(?:bigger|larger"
        r"|smaller|huge|big|large|small) (?:text|letters|font|captions|subtitles|titles?))\b"
        r"|\b(?:in|with) (?:bright )?(?:red|blue|green|yellow|orange|purple|pink|black|white"
        r"|gold(?:en)?|neon)(?: (?:text|letters|font|captions|colou?r))?\b"
        r"|字体|字号|加粗|斜体|红色|蓝色|绿色|黄色|白色|金色|粉色|描边|大号",
        "text has one font, size and colour here",
        "这里的文字只有一种字体、字号和颜色",
    ),
    _limit(
        r"\b(?:add|create|make|insert|put|generate|build)\W+(?:(?:an?|the|my|our|new|short|animated"
        r"|nice|cool|branded|in)\W+)*(?:intro(?:duction)?|outro|end ?card|end screen"
        r"|opening)\b(?!\W+(?:title|text|card|[\ue000-\ue3ff]|with))"
        r"|(?:加|添加|做|制作|生成|插入)(?:一?个|上|段)?(?:片头|片尾|开场)(?!.{0,4}(?:标题|文字|字|[\ue000-\ue3ff]))",
        "an intro or outro cannot be made here; upload one as a further clip",
        "这里不能制作片头或片尾，可以另外上传一段",
    ),
    _limit(
        r"\b(?:extract|export|save|get|separate|isolate)(?:\W+(?:the|only|just|its|an?))*\W+(?:audio"
        r"|sound(?: ?track)?|mp3|wav|vocals|voice)\b(?! bed)|提取(?:音频|声音|人声)|音频提取|分离人声",
        "only the whole video is exported here",
        "这里只导出整个视频",
    ),
)
"""In the order in which they are looked for: the first that matches takes its words away from the next."""

VAGUE_LENGTH = _limit(
    r"\b(?:shorter|shorten|longer|lengthen|extend)\b|短一点|短一些|长一点|长一些|更短|更长",
    "name a length, for example a 30-second highlight",
    "请写明时长，例如 30 秒精华",
)
MUTED = _limit("静音", "sound is muted over the whole length only here", "这里只能整体静音")
RESULT_NAME = _limit(
    r"^(?:(?:(?:save|export|name|call|rename|render)\b[^\"“'\n]*)?\b(?:as|to|into|named|called|it|this|that|result|file"
    r"|video|export|output)|(?:命名|保存|导出|導出|另存|存|取名|改名|叫)[为為成叫做])"
    r"\s*[\"“„«「『《〈＂`'‘][^\n]*$",
    "the result's name is given by `name` in the instruction file's [[export]]",
    "成片的名字由指令文件 [[export]] 里的 `name` 给出",
)
UNDO = Limit(
    re.compile(r"\b(?:undo|revert|take back|roll back)\b|撤销|撤回|回退"),
    'changes are taken back from the last one on here: "undo", "undo the last two changes"',
    "这里只能从最后一次修改开始撤销，例如“撤销”“撤销两步”",
)
QUESTION = Limit(
    re.compile(
        r"^\W*(?:(?:is|are|was|were) there\b|(?:should|shall) (?:i|we)\b|what (?:would |will )?happens?\b|what if\b"
        r"|do (?:i|we|you|they)\b(?! think you)|(?:does|did) (?:i|we|you|it|the|this)\b|(?:have|has) (?:you|it|the)\b"
        r"|why\b(?! not\b| don't\b)|who\b"
        r"|how (?:do|does|did|can|could|would|should|come)\b|(?:is|are) (?:it|the|this|these|that)\b(?! possible))"
        r"|^\W*(?:这里|视频里?|现在|里面)?有[^\n]{0,10}(?:吗|么|没有)\W*$|^\W*(?:有没有|是否|是不是|要不要|该不该|应不应该)"
        r"|^\W*(?:我|我们)?(?:应?该)[^\n]{0,10}(?:吗|么)\W*$|会怎么?样\W*$|为什么"
    ),
    "a question changes nothing here: write what is to be done",
    "提问不会改动视频：请写明要做什么",
)
REMARK = re.compile(
    r"^\W*(?:i|we) (?:really |also |do |absolutely |quite )*(?:like|love|enjoy)(?:d|ed)? (?!to\b)"
    r"|^\W*我?(?:很|挺|非常)?喜欢"
)
RETRACTED = re.compile(
    r"\W*(?:(?:no |oh )*(?:wait|never ?mind|scratch that|forget (?:it|that)|cancel that)|on second thoughts?"
    r"|(?:please |actually |no )*(?:don't|do not)(?: do (?:it|that|so))?|actually no|算了|还是算了)\W*"
)
UNREAD = Limit(re.compile(r"(?!)"), "that is not among the things that can be done here", "这不在这里能做的事情之内")
NO_TEXT = Limit(
    re.compile(
        rf"^(?:{ADD}\W+)?(?:\w+\W+){{0,3}}(?:titles?|headlines?|text(?: overlay)?|title card"
        r"|lower thirds?)\b|标题|文字|题目"
    ),
    "write the text in quotes, for example title \"Hello\"",
    "请把文字写在引号里，例如 标题“你好”",
)  # fmt: skip


def limit_of(wish: str) -> Limit:
    """Tell why a wish cannot be fulfilled; `wish` is one that `understand` named as such."""
    low = wish.lower()
    if RESULT_NAME.pattern.search(low):
        return RESULT_NAME
    for early in (QUESTION, UNDO):
        if early.pattern.search(low):
            return early
    for limit in (*LIMITS, VAGUE_LENGTH, MUTED, NO_TEXT):
        if limit.pattern.search(low):
            return limit
    return UNREAD
