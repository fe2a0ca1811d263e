"""The vocabulary: what people call things and doings, in English and Chinese. Pure."""

from __future__ import annotations

import re

from nemo_watch.sandbox.intent.ops import Mood, Position
from nemo_watch.sandbox.intent.passage import A, D, F, Q, R

GAP = r"(?:\W+\w+){0,6}?\W+"
"""Up to six words between a verb and its object: "remove all of the long, awkward" pauses."""
IT = (
    r"(?:(?:it|this|that|everything|things|all|(?:the|this|my|our|whole|entire|full) )*"
    r"(?:video|clip|footage|recording|movie|film|playback|picture|whole thing)?)"
)
"""The whole of it, or nothing."""
DET = r"(?:(?:the|an?|my|our|its|your|this|that|these|those|some|any|all|every|each|more|of)\W+)*"

# ---------------------------------------------------------------- doings

REMOVE = (
    r"\b(?:cut(?:ting|s)?(?: (?:out|off|away|down))?|trim(?:ming|s)?(?: (?:out|off|away|down|back))?"
    r"|remov(?:e|es|ed|ing)|delet(?:e|es|ing)|strip(?:ping|s)?(?: out)?|drop(?:ping)?(?! in\b)|get(?:ting)? rid of"
    r"|eliminat(?:e|ing)|tak(?:e|ing) out|edit(?:ing)? out|clean(?:ing)?(?: (?:out|up))?|chop(?:ping)?(?: (?:out|off))?"
    r"|snip(?:ping)?(?: (?:out|off))?|kill|lose|ditch|tighten(?:ing)?(?: up)?|clear(?: out)?|eras(?:e"
    r"|ing)|skip(?:ping)?"
    r"|excis(?:e|ing)|slic(?:e|ing) (?:out|off)|shav(?:e|ing) (?:off)?|scrap|discard|shorten(?:ing)?|reduce"
    r"|jump[- ]?cut|leave out|throw (?:out|away)|weed out|auto[- ]?cut|collapse|minimi[sz]e|squeeze out)\b"
)
REMOVE_ZH = (
    r"(?:剪掉|剪去|剪除|剪切|剪走|剪短|剪了|去掉|去除|去了|删掉|删除|删去|删了|移除|切掉|切除|裁掉"
    r"|裁剪|裁去|除去|除掉|消除|消灭|剔除|清除|清理"
    r"|砍掉|跳过|过滤|拿掉|抠掉|缩短|减少|压缩|修剪|不要|剪|删|切|裁|(?<!出)去(?![年看过吧]))"
)
REMOVED = (
    r"\b(?:removed|cut(?: out| off)?|trimmed(?: out| off)?|deleted|gone|out|stripped(?: out)?|edited out"
    r"|taken (?:out|away|off)|squeezed out|off|(?:needs?|ha(?:s|ve)|got) to go|(?:must|should|can) go"
    r"|go away)\b"
)
KEEP = r"\b(?:keep(?:ing|s)?|kept|retain(?:ing)?|preserv(?:e|ing)|leav(?:e|ing)(?! out)|hold on to|maintain(?:ing)?)\b"
KEEP_ZH = r"(?:保留|留下|留着|保持|留住)"
SELECT = (
    r"\b(?:keep(?:ing)?(?: only| just)?|only|just|use|export|extract|grab|take|select|give me|clip|retain|preserve|show"
    r"|trim(?: \w+){0,3} (?:to|down to)|cut(?: \w+){0,3} (?:down )?to|make|want|need|isolate|pick)\b"
)
SELECT_ZH = r"(?:保留|只要|只留|留下|截取|提取|取出|选取|选择|导出|取|要|用|只)"
ADD = (
    r"\b(?:add(?:ing|s|ed)?|put(?:ting)?|insert(?:ing)?|include|including|overlay(?:ing)?|lay(?:ing)?"
    r"|burn(?:ing)?(?: in)?"
    r"|giv(?:e|ing)|plac(?:e|ing)|show(?:ing)?|us(?:e|ing)|drop in|set|attach|creat(?:e|ing)"
    r"|generat(?:e|ing)|mak(?:e|ing)"
    r"|with|apply|display|write|start(?:s|ing)?|open(?:s|ing)?|begin(?:s|ning)?|end(?:s|ing)?|close|closing|need|want"
    r"|mix(?: in)?|throw in|slap|bring|superimpose|print|type|say|read|hardcode|embed|render|get|have|turn on|play)\b"
)
ADD_ZH = (
    r"(?:加上|加入|加个|加|添加|添上|配上|配|放上|放入|放|插入|叠加|打上|上|生成|烧录|压制|带上|带|显示"
    r"|写上|写|嵌入|铺|来|用|做|设置)"
)

# ---------------------------------------------------------------- things

PAUSE = (
    r"\b(?:(?:pauses?|silences?|dead[- ](?:air|space|time|spots?)|(?:silent|quiet|empty|dead|idle|blank) (?:parts?"
    r"|sections?|bits?|gaps?|moments?|passages?|stretch(?:es)?|segments?|spots?|portions?|spaces?|time)|silent(?=\s*$)"
    r"|gaps?(?: (?:between|in) (?:the )?(?:speech|words|sentences|talking))?|jump[- ]?cuts?|lulls?|hesitations?"
    r"|(?:parts?|bits?|places|moments|sections?) (?:where|when|in which) (?:nobody|no one|no-one|noone|nothing)"
    r"(?: (?:is|speaks|talks|says|speaking|talking|said|happens|happening))*))\b"
)
PAUSE_ZH = (
    r"(?:停顿|静音(?:的?(?:部分|片段|段落|地方|处|段))?|静默|沉默|无声(?:的?(?:部分|片段|段落|地方|处"
    r"|段))?|空白(?:的?(?:部分|片段|段|处))?|冷场"
    r"|安静的(?:部分|片段|地方)|间隙|空隙|空档|没(?:有)?(?:人)?(?:说话|声音|讲话)的(?:部分|片段|地方"
    r"|时候)|声音(?:很|较|太|比较)?小的(?:部分|片段|地方|时候)|气口)"
)
INTRO = r"\b(?:intro(?:duction)?s?|opening(?: part| section)?|lead[- ]?in|beginning|start|preamble|first part)\b"
INTRO_ZH = r"(?:片头|开头|开场白?|前奏|引子|序幕|开始(?:的)?部分)"
OUTRO = (
    r"\b(?:outro|ending|end(?:s|ing)?(?= |$)|closing(?: part| section)?|(?:end|closing) credits|credits"
    r"|tail|last part)\b"
)
OUTRO_ZH = r"(?:片尾|结尾|末尾|尾声|结束(?:的)?部分)"
MUSIC = (
    r"\b(?:(?:back(?:ground|ing) )?(?:music(?: (?:bed|track))?|song|tunes?|soundtrack|score|track|melody|audio bed)|bgm"
    r"|(?:lo-?fi|chill|mellow) beats|musical bed|bed of music|music)\b"
)
MUSIC_ZH = r"(?:背景音乐|背景乐|音乐|配乐|bgm|伴奏|曲子|歌曲)"
CAPTION = (
    r"\b(?:(?:closed |open |burned[- ]in |hard )?(?:captions?|captioning|captioned|subtitles?|subtitled"
    r"|subs|subtitling)|cc|srt)\b"
)
CAPTION_ZH = r"(?:字幕|对白字幕)"
TITLE = (
    r"\b(?:(?:title|text|end|opening|intro) (?:card|overlay|screen|slide)|titles?|titled|entitled"
    r"|headlines?|headings?|header"
    r"|text(?: on screen)?|captions?|label|lower[- ]thirds?|banner|subtitle|tagline|words|message|slogan|caption)\b"
)
TITLE_ZH = r"(?:标题|文字|题目|片名|字样|大字|标语|口号|字幕条|名字|文本)"
HIGHLIGHT = (
    r"\b(?:highlights?(?: (?:reel|video|clip|version|cut|film))?(?!ed|ing)|teasers?|trailers?|recap|sizzle reel|promo"
    r"|best[- ]ofs?"
    r"|(?:best|strongest|most (?:exciting|interesting|important)|key|top|greatest) (?:moments?|parts?"
    r"|bits?|scenes?|clips?"
    r"|of)|short(?:er|ened)? (?:version|cut|edit|clip|video)|condensed (?:version|cut|edit)"
    r"|summary (?:video|clip|reel))\b"
)
HIGHLIGHT_ZH = r"(?:精华|集锦|高光|精彩(?:的)?(?:部分|片段|瞬间|时刻|镜头|剪辑|内容)?|亮点|预告片?|短版|浓缩版?|混剪)"
CONDENSE = (
    r"\b(?:shorten|condense|compress|boil|summari[sz]e|squeeze|distil+|reduce|edit|bring|get|cut|turn|make|recap)\b"
)
CONDENSE_ZH = r"(?:缩短|压缩|浓缩|精简|概括|总结|控制|剪辑|剪|做|弄|缩|变)(?:成|到|为|至|在)"
LENGTH_NOUN = (
    r"(?:video|clip|version|cut|edit|short|ad|reel|spot|film|movie|summary|promo|recap|teaser|trailer|highlights?)"
)
LIMIT = (
    r"(?:\b(?:no|not) (?:be )?(?:longer|more) than|\bat most|\b(?:max|maximum)(?: of| length(?: of)?)?|\bunder|\bbelow"
    r"|\bless than|\bwithin|\bup to|\b(?:don't|do not|not|never) (?:exceed|go over|be over"
    r"|be longer than)|不(?:要)?超过"
    r"|不(?:要)?长于|最多|最长|控制在|小于|少于)"
)
SUMMARY = (
    r"\b(?:meta[- ]?data|summar(?:y|ies)|summari[sz]e|(?:media|video|clip|file"
    r"|technical) (?:info(?:rmation)?|stats|details"
    r"|facts|properties|specs?)|stats|statistics|describe|analy[sz]e|analysis|report|overview"
    r"|how long (?:is|it is)|tell me about"
    r"|(?:tell|give|show) me (?:the |its )?(?:length|duration|resolution|fps|frame ?rate|file size|codec)"
    r"|what(?:'s| is) in)\b"
)
SUMMARY_ZH = (
    r"(?:元数据|元信息|摘要|总结|概述|概要|简介|统计|概括|分析|(?:视频|素材|文件|媒体|影片|基本)信息|资讯"
    r"|时长是多少|多长|描述|(?:给出|列出|告诉我?).{0,4}(?:时长|分辨率|帧率|大小))"
)
PLACE = (
    rf"(?:\b(?:put|place|add|load|drop|lay|import|insert|set|keep|leave){GAP}(?:timeline|unchanged"
    r"|as(?: it)? is|untouched|unedited)\b"
    rf"|\b(?:merge|combine|join|concatenate|stitch)\b(?:{GAP}(?:videos?|clips?|files?|footage|them|both|all|together))"
    r"|(?:放|加|添加|放置|导入).{0,10}时间[线轴]|(?:合并|拼接|拼|连)(?:在一起|起来)?.{0,6}(?:视频|片段|素材|文件)?)"
)

UPRIGHT = r"(?:vertical(?:ly)?|portrait|upright)"
WIDE = r"(?:landscape|horizontal(?:ly)?|widescreen|wide[- ]screen)"
_SHAPED = (
    r"(?=\s*(?:$|\d|[\ue000-\uf3ff]|(?:video|clip|format|version|crop|shape|aspect|ratio|mode"
    r"|orientation|cut|teaser|highlight|export"
    r"|mp4|file|frame|canvas|layout|reel|short|trailer|recap|one|for|in|at|of|please|size|screen|edit"
    r"|picture|too|instead"
    r"|promo|film|output|with|on|post|ad)\b))"
)
SHAPES: tuple[tuple[re.Pattern[str], tuple[int, int]], ...] = (
    (
        re.compile(
            rf"\b{UPRIGHT}{_SHAPED}|\btik ?tok\b|\breels?\b(?<!highlight reel)(?<!sizzle reel)"
            r"|\b(?:youtube )?shorts\b"
            r"|\b(?:instagram|ig|facebook|snapchat) (?:story|stories)\b|\bsnapchat\b|\bdouyin\b"
            r"|\bkuaishou\b"
        ),
        (9, 16),
    ),
    (re.compile(rf"\bsquare(?:d)?{_SHAPED}|\b(?:instagram|ig) (?:feed|post)s?\b"), (1, 1)),
    (re.compile(rf"\b{WIDE}{_SHAPED}"), (16, 9)),
    (re.compile(r"竖[屏版向式]|竖着|纵向|直式|竖|抖音|快手|视频号"), (9, 16)),
    (re.compile(r"正?方形|正方|方屏"), (1, 1)),
    (re.compile(r"小红书"), (3, 4)),
    (re.compile(r"横[屏版向式]|横着|宽屏"), (16, 9)),
)

MOODS: tuple[tuple[re.Pattern[str], Mood], ...] = (
    (
        re.compile(
            r"\b(?:upbeat|energetic|happy|happier|fun|cheerful|lively|dance|danceable|pop|bouncy|driving"
            r"|dynamic|positive"
            r"|bright|playful|motivational|fast(?:er)?|exciting)\b|欢快|轻快|活力|动感|快乐|热血"
            r"|活泼|愉快|节奏感|积极"
        ),
        "upbeat",
    ),
    (
        re.compile(
            r"\b(?:calm(?:er|ing)?|relax(?:ing|ed)|chill(?:ed)?|ambient|peaceful|soothing|lo-?fi|mellow|meditative"
            r"|dreamy|slow(?:er)?|tranquil|sleepy)\b|安静|平静|舒缓|放松|轻柔|宁静|悠扬|抒情|柔和"
            r"|平和|缓慢"
        ),
        "calm",
    ),
    (
        re.compile(
            r"\b(?:cinematic|epic|dramatic|orchestral|inspir(?:ing|ational)|tense|suspense(?:ful)?|dark(?:er)?"
            r"|heroic"
            r"|grand|moody|emotional)\b|史诗|大气|电影感|震撼|紧张|激昂|励志|悬疑|恢弘|煽情|感人"
        ),
        "cinematic",
    ),
    (
        re.compile(
            r"\b(?:warm(?:er)?|soft(?:er)?|gentle|gentler|cozy|cosy|pleasant|light|neutral|subtle|simple|nice"
            r"|corporate)\b"
            r"|温暖|温馨|温柔|轻松|简单|好听"
        ),
        "warm",
    ),
)
QUIET = (
    r"\b(?:(?:not too|nothing too|isn't too|don't make it too) (?:loud|strong|dominant)|quiet(?:er"
    r"|ly)?|softly|subtl[ey]|low(?: in the mix)?"
    r"|(?:at |with )?(?:an? )?low(?:er)?(?: in)? volume|in the back(?! ?ground))\b|轻声|小声|(?:声音"
    r"|音量)?(?:不要|别)太(?:大声?|响|吵)|音量(?:小|低)(?:一点|些|点)?|低音量|淡淡"
)
LOUD = (
    r"\b(?:loud(?:ly|er)?|prominent(?:ly)?|(?:at |with )?(?:a )?high(?:er)? volume)\b|大声|响亮|音量(?:大"
    r"|高)(?:一点|些|点)?"
)
PERCENT = r"(?:at |音量\s*)?(\d{1,3})\s?(?:%|percent\b)(?: volume)?"
DUCKED = r"\b(?:duck(?:ed|ing|s)?|dips?|steps? back)(?: (?:under|below|when|while|during|for)(?: \w+){0,4})?\b"

POSITIONS: tuple[tuple[re.Pattern[str], Position], ...] = (
    (re.compile(r"\b(?:top|upper)[- ]left\b|左上角?"), "top-left"),
    (re.compile(r"\b(?:top|upper)[- ]right\b|右上角?"), "top-right"),
    (re.compile(r"\b(?:bottom|lower)[- ]left\b|左下角?"), "bottom-left"),
    (re.compile(r"\b(?:bottom|lower)[- ]right\b|右下角?"), "bottom-right"),
    (re.compile(r"\b(?:top|upper third|upper part|above|header)\b|顶部|上方|上面|顶端"), "top"),
    (
        re.compile(
            r"\b(?:bottom|lower[- ]thirds?|lower part|below|underneath|captions?|subtitle|tagline)\b|底部|下方"
            r"|下面|底端"
        ),
        "bottom",
    ),
    (re.compile(r"\b(?:on|to|at) the left\b|左侧|左边"), "left"),
    (re.compile(r"\b(?:on|to|at) the right\b|右侧|右边"), "right"),
    (re.compile(r"\b(?:cent(?:er|re)(?:ed|d)?|middle)\b|中间|中央|居中|正中"), "center"),
)
AT_END = (
    r"\b(?:(?:at|near|for|on|to) the (?:very )?end|end(?:ing)? (?:with|card|title|screen|slide)"
    r"|closing (?:title|card|text))\b|片尾|结尾|末尾|最后"
)
AT_START = (
    r"\b(?:(?:at|in|on|for|from|to) the (?:very )?(?:start|beginning|opening|intro)|opening|intro"
    r"|start(?:s|ing)? with|open with|begin with)\b|片头|开头|开场|开始处?"
)
WHOLE = (
    r"\b(?:throughout|the (?:whole|entire|full) (?:video|clip|time|length|duration)|all the time"
    r"|permanently|always)\b|全程|一直|始终|整个视频"
)

# ---------------------------------------------------------------- no

NOT_VERB = (
    r"(?:\b(?:don'?t|do not|doesn't|didn't|never|avoid|stop|refrain from|no need (?:to|for)|please not"
    r"|shouldn't|should not|must not"
    r"|mustn't|can't|won't|without(?=\W+(?!(?:bor|annoy|linger|open|end)ing)\w+ing\b)|instead of|rather than"
    r"|except(?: for)?|leave out|not)\b"
    r"(?! (?:too|so|only|very|longer|more than|just|exceed|forget|hesitate))"
    r"|不要(?!太|超过|长于|忘)|不用|不需要|不必|不想|不许|不得|不能|不剪|不加|不配|不添加|不裁|无需"
    r"|无须|勿|禁止|没必要|避免|而不是|除了"
    r"|(?<![特识分区个级类性告派])别(?![的人名墅忘太]))"
)
NOT_THING = (
    r"(?:\b(?:no|without(?: any| the)?|zero|free of|free from|minus|sans|skip|omit|lose|drop|(?:rid|void) of)\b"
    r"(?! (?:longer|more|less|shorter|problem|later|need|matter|worries|rush))|没有|无(?!论|声|需|须"
    r"|缝)|不带|不含|去掉|不要|[- ]free\b)"
)

# ---------------------------------------------------------------- words that ask for nothing


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILLER = _words(
    "a about above across again all along also am an any anyway appreciate are around as asap at attached "
    "attachment auto-edit automatically background be because been before behind below beneath between but by can "
    "cheers clip clips colleague colleagues content could deadline dear do do's does done dropped during edit "
    "edited editing else etc everything file files finally fine finish first folder following footage for from "
    "get give go goes going good got great had has have hello help her here hey hi his how's i i'd i'll i'm i've "
    "if in interview into is it it's its job just kind kindly know last lecture let let's like little long look "
    "lot made make making may maybe me media meeting might mine more movie much must my myself n need needed "
    "needs next nice not now of off ok okay on once one only onto or original other our out over overall part "
    "parts perhaps piece please podcast possible process produce properly provide provided quick quickly raw "
    "really recording recordings right run same screen screencast see session shall she short should simply so "
    "some something somewhere sound source step steps still such sure take talk task team than thank thanks that "
    "that's the their them then there there's these they thing things this those through throughout time to today "
    "tomorrow too turn under underneath up upload uploaded uploads us use used using very via video videos vlog "
    "want wanted was way we we'd we'll webinar well were what what's when where where's which while who's will "
    "wish with within without work works would yes yet you you'll your youre yourself"
)
DELIVERY = _words(
    "1080p 1440p 2160p 2k 480p 4k 540p 720p 8k aac api approval avc avi back best bitrate boss broadcast channel "
    "convert clean client clients codec compressed copy crisp customer customers deliver delivered delivery download "
    "downloadable downloaded draft email end export exported exporting facebook fhd final finished format "
    "formatted fps frame frames full full-hd gif h.264 h264 h265 hand hd hevc hi-res high high-quality high-res "
    "higher highest instagram internet linkedin m4v master max maximum mb media mkv mov mp4 output outputs "
    "platform platforms presentation preview professional publishable quality rate ready render rendered "
    "rendering res resolution rest result results return review save saved second send sent share shared sharing "
    "sharp ship sign-off size small social standard suitable tiktok twitter uhd upload uploading use version "
    "vimeo web webm website x x264 youtube yt low lowest medium youtube's"
)
SOURCE = _words(
    "call class clip conversation course episode file film footage interview lecture material meeting movie "
    "podcast presentation recording screencast session speech talk tutorial video vlog webinar"
)
_FILLER_ZH = (
    r"请问|请|麻烦|帮我|帮忙|帮|给我|给|我们|我|想要|想|希望|需要|要|能不能|能否|可以|可不可以|一下子?"
    r"|一些|一个|一段|一条|一版|这个|这段|这条|这|那个|那|"
    r"个|段|条|吧|吗|呢|啊|哦|了|的|得|地|把|将|对|在|从|到|为|成|里面|里|中|内|上|下|谢谢|感谢|您好"
    r"|你好|您|你|先|首先|再|然后|最后|最终|也|都|全部|所有|全|"
    r"太长了?|视频|影片|片子|素材|原片|原视频|录像|录屏|采访|访谈|讲座|会议|课程|播客|内容|文件|剪辑"
    r"|编辑|处理|制作|做|进行|完成|自动|直接|帮忙|即可|就行|就好|好|"
    r"甲方|乙方|领导|导出|输出|下载|保存|渲染|发给|发送|发|交付|提交|客户|老板|朋友|同事|高清|超清|蓝光|标清|画质"
    r"|质量|高质量|高|格式|分辨率|帧率|码率|成片|成品|版本|版|最|"
    r"油管|b站|微信|网站|网页|平台|接口|通过|适合|用于|用|以及|和|与|并|或|以|是|有|干净|清晰|专业"
    r"|正式|最好|尽量|随便|出来|出|一份|份|即|及|让|使|它|他"
)
FILLER_ZH = re.compile("|".join(sorted(_FILLER_ZH.split("|"), key=len, reverse=True)))
"""Longest first: 成品 is one word, not 成 and a rest."""

_THINGS = (PAUSE, INTRO, OUTRO, MUSIC, CAPTION, TITLE, HIGHLIGHT, SUMMARY)
_THINGS_ZH = (PAUSE_ZH, INTRO_ZH, OUTRO_ZH, MUSIC_ZH, CAPTION_ZH, TITLE_ZH, HIGHLIGHT_ZH, SUMMARY_ZH)
KNOWN_THINGS = re.compile("|".join((*_THINGS, *_THINGS_ZH)))
SLOTS = re.compile(f"{Q}|{D}|{R}|{A}|{F}")
