"""The closed vocabulary of what is not an edit: export, format, delivery, credits, status; English and Chinese. Pure.

`routing` takes a clause out of a message only if these words cover it from end to end, so a word that is missing here
costs nothing (the clause is sent to the chat, and exported all the same), while a word too many could swallow a wish.
"""

from __future__ import annotations

import re
from typing import Literal

from nemo_watch.model import EXPORT_HEIGHTS

Kind = Literal[
    "action", "upload", "option", "foreign", "credits", "status", "tracks", "ask", "object", "courtesy", "weak"
]

_ENGLISH: dict[Kind, str] = {
    "action": """export|exports|exported|exporting|download|downloads|save|deliver|render|output|encode|convert
        |send (?:me|us|it|them|this|back)|give (?:me|us|it)|hand (?:it )?over
        |get (?:me )?(?:the|my) (?:finished |final )?(?:video|file)""",
    "upload": "upload|uploads",
    "option": r"""(?:full[ -]?hd|fhd|uhd|ultra[ -]?hd|hd|[248]k)(?: (?:resolution|quality))?
        |(?:high|higher|highest|best|maximum|max|top|good|standard|normal|medium|low|lower|lowest|draft)[ -]quality
        |high[ -]res(?:olution)?|h\.?264|(?:clean )?(?:mp4|mov)s?|quicktime
        |original (?:resolution|quality|size|format|frame rate|fps)
        |youtube|vimeo|client(?:'s)? delivery|client(?:'s)? review|delivery|(?:the |an )?api|(?:the )?client|outbox
        |for (?:the )?web|for sharing|social media""",
    "credits": "credits|credit|credit balance|balance",
    "status": "status|(?:export|render|job|upload|project) status",
    "tracks": """(?:show|list|see)(?: me)?(?: the| all)? (?:tracks|timeline)
        |what(?:'s| is) (?:in it|on the timeline)""",
    "ask": """show|check|tell|what(?:'s)?|how many|how much|do i(?: still)? have|have i got|are|is|left|remaining
        |available|current|account|remain|see|query|get|view|there""",
    "object": """video|videos|clip|clips|movie|film|file|files|result|results|version|versions|copy|project|everything
        |footage|(?:final|finished) (?:edit|cut)""",
    "courtesy": "please|pls|plz|kindly|thanks|thank you|thx|many thanks|cheers|ok|okay",
    "weak": """a|an|the|this|that|it|its|them|my|our|your|me|us|you|i|in|as|at|to|for|of|on|with|by|via|through|using
        |into|just|can|could|would|will|want|need|like|i'd|let|let's|be|go ahead|finished|final|edited|whole|full|entire
        |complete|completed|ready|when done|when ready|when finished|once done|once ready|once finished
        |(?:when|once) (?:you're|you are|it's|it is|that's) (?:done|ready|finished)
        |format|formats|resolution|quality|frame rate|size|codec|file format|make it|and|or|both|directly|now
        |straight away|afterwards|for me|folder|back""",
}

_CHINESE: dict[Kind, str] = {
    "action": "导出|输出|下载|保存|另存|存为|存成|渲染|发给我|发我|传给我|给我|交付|转成|转为|转换成",
    "upload": "上传",
    "option": "全高清|超高清|高清|超清|(?:最高|最好|高|标准|普通|低|草稿|中等)(?:画质|质量|清晰度)"
    "|原(?:画质|分辨率|帧率)|油管|给客户|客户|接口|网页",
    "credits": "积分|余额|点数",
    "status": "状态|进度|现在什么样了|什么样了",
    "tracks": "(?:显示|查看|看看|看一下|列出)(?:所有)?(?:轨道|时间线)",
    "ask": "查询|查看|查一下|查|显示|看看|看一下|告诉我|还剩|还有|剩余|剩下|多少|几个|现在|当前|是|什么|怎么样"
    "|账户|账号",
    "object": "视频|影片|片子|成片|成品|文件|结果|作品|项目|短片",
    "courtesy": "请|麻烦|谢谢|好的",
    "weak": "帮我|帮忙|把|将|我要|我想要|我想|我需要|需要|最终|剪好的|编辑好的|做好的|整个|完整|完整的|直接|的|了"
    "|吧|呢|吗|啊|我|你|您|一下|一个|一份|为|成|到|以|用|按照|按|作为|通过|用于|格式|分辨率|画质|质量|清晰度|帧率"
    "|版本|版|完成后|好了之后|就行|即可|就可以了|它|这个|该|在|里|和|与|及|并|并且|都|给",
}

_ASKING_ENGLISH: dict[Kind, str] = {  # in a text of which it is known that it only asks
    "credits": "how much is left|how many (?:are )?left|account balance",
    "status": r"""state|progress|queue|(?:an )?update|how(?:'s| is) it going|how far (?:is it|are you|along)
        |(?:what(?:'s| is)|anything) (?:going on|happening)|(?:is it|are you|is everything) (?:done|ready|finished)
        |(?:is it|are you) done yet""",
    "tracks": "tracks?|timeline|what(?:'s|s| is) (?:in there|inside|in the (?:video|clip|project|edit))",
    "ask": r"""send me|give me|get me|let me know|let us know|report|list|print|display|look up|find out|what(?:'?s)?
        |whats|which|how|how's|who|where|when|does|do|did|has|have|had|am|was|were|many|much|still|any|all|got
        |i've|have got|know|wonder|wondering|question|quick question|overview|summary|latest|today|right now|so far
        |up to now|doing|looking|stand|things|nemo[ -]?watch|nemo|nemovideo|jobs?|queue|yet|use|used|spent|spend
        |about|some|also|then""",
    "courtesy": r"hi|hello|hey|dear|hi there|good (?:morning|evening|afternoon)|thanks in advance|sorry|cheers|best",
}
_ASKING_CHINESE: dict[Kind, str] = {
    "credits": "账户余额|积分余额",
    "status": "情况|怎么样了|做到哪了|到哪了|好了吗|完成了吗|做完了吗|剪完了吗",
    "tracks": "轨道|时间线|时间轴|里面有什么",
    "ask": "发给我|发我|给我|告诉|请问|想知道|知道|有没有|有|有哪些|哪些|能|可以|可用|目前|今天|账户里|任务"
    "|多少钱|几|总共|一共",
    "courtesy": "你好|您好|嗨|谢谢您|谢谢你|辛苦了|拜托",
}

JOINERS_ENGLISH = r"(?:and then|and finally|and also|and|&|\+|then|finally|lastly|also|plus|after that|afterwards|next)"
BARE_JOINERS_ENGLISH = r"(?:and then|and finally|and also|and|&|\+|then|plus)"  # "show what comes next and export"
JOINERS_CHINESE = r"(?:再然后|然后|最后|并且|而且|接着|随后|之后|同时|以及|完成后|并|再|和)"
SEQUENCE = re.compile(r"then|after|next|finally|lastly|然后|接着|随后|再|之后", re.IGNORECASE)

RESOLUTION = re.compile(
    r"(?<![0-9A-Za-z.])(?:(?P<height>\d{3,4})\s?p|(?P<wide>\d{3,4})\s?[x×*]\s?(?P<high>\d{3,4})|(?P<k>[248])\s?k"
    r"|(?P<full>full[ -]?hd|fhd)|(?P<ultra>uhd|ultra[ -]?hd)"
    r"|(?:resolution(?:\s(?:of|to|at|is))?|分辨率[为是到]?)\s?[:：]?\s?(?P<named>\d{3,4})(?!\s?[x×*])"
    r"|(?P<before>\d{3,4})\s?(?:resolution|分辨率))(?![0-9A-Za-z])|(?P<ultra_zh>超高清)|(?P<full_zh>全高清)",
    re.IGNORECASE,
)
ANY_HD = re.compile(  # a word for many sizes, so no size is chosen by it
    r"(?<![0-9A-Za-z])(?<!full[ -])(?<!ultra[ -])hd(?![0-9A-Za-z])|(?<![全超])高清(?!晰)", re.IGNORECASE
)
BROKEN_FPS = re.compile(
    r"(?<![0-9A-Za-z.])(?P<rate>\d{1,3}\.\d{1,3})\s?-?(?:fps|frames? per second|frames?/s|帧(?:每秒|/秒)?)"
    r"(?![0-9A-Za-z])|每秒\s?(?P<rate_zh>\d{1,3}\.\d{1,3})\s?帧",
    re.IGNORECASE,
)
FPS = re.compile(
    r"(?<![0-9A-Za-z.])(?P<a>\d{1,3})\s?-?(?:fps|frames? per second|frames?/s)(?![0-9A-Za-z])"
    r"|每秒\s?(?P<b>\d{1,3})\s?帧|(?<![0-9A-Za-z.])(?P<c>\d{1,3})\s?帧(?:每秒|/秒)|(?<![0-9A-Za-z.])(?P<d>24|25|30|48|50|60)\s?帧(?![画图截])",
    re.IGNORECASE,
)
QUALITY = re.compile(
    r"(?P<best>\b(?:highest|best|maximum|max|top)[ -]quality|最[高好](?:画质|质量|清晰度))"
    r"|(?P<high>\b(?:high|higher|good)[ -]quality|\bhigh[ -]res(?:olution)?\b|(?<!最)[高](?:画质|质量|清晰度))"
    r"|(?P<standard>\b(?:standard|normal|medium)[ -]quality|(?:标准|普通|中等)(?:画质|质量|清晰度))"
    r"|(?P<draft>\b(?:draft|low|lower|lowest)[ -]quality|(?:草稿|低)(?:画质|质量|清晰度))",
    re.IGNORECASE,
)
FORMAT = re.compile(
    r"(?<![0-9A-Za-z.])(?:(?P<mp4>mp4s?|h\.?264)|(?P<mov>movs?|quicktime))(?![0-9A-Za-z])", re.IGNORECASE
)
FORMAT_ASKED = re.compile(  # in a clause with more in it a format counts only where it is plainly the wish
    r"(?:\b(?:as|to|in|into|an?)\s+(?:an?\s+)?(?:clean\s+)?|[为成])\s?\.?(?:(?P<mp4>mp4)|(?P<mov>mov|quicktime))(?![0-9A-Za-z])",
    re.IGNORECASE,
)
FOREIGN_FORMAT = re.compile(
    r"(?<![0-9A-Za-z.])(?:animated gif|gif|webm|mkv|avi|wmv|flv|m4v|mpe?g|ogv|webp|apng|mp3|wav|m4a|aac|flac|prores"
    r"|hevc|h\.?265|av1|vp9)s?(?![0-9A-Za-z])",
    re.IGNORECASE,
)
FOREIGN_ASKED_BEFORE = re.compile(
    r"(?:\b(?:as|to|in|into)\s+(?:an?\s+(?:[\w-]+\s+)?)?"
    r"|\b(?:export|render|save|output|deliver|download|encode)(?:\s+(?:it|this))?\s+(?:an?\s+)?"
    r"|(?:导出|输出|保存|下载|[为成])\s*)\.?$",
    re.IGNORECASE,
)
ASKED_BEFORE = re.compile(  # in a clause with more in it quality and size count only where they are plainly of the file
    r"(?:\b(?:export|render|save|output|deliver|download|encode)(?:s|ed|ing)?\b[^,.;:!?\n，。；、]*"
    r"|\b(?:in|at|as)\s+(?:an?\s+|the\s+)?|(?:导出|输出|渲染|保存|下载)[^,.;:!?\n，。；、]*|[以用为成]\s*)$",
    re.IGNORECASE,
)
ASKED_BEHIND = re.compile(r"\s*地?(?:导出|输出|渲染|保存|下载)|\s+(?:export|render|output)\b", re.IGNORECASE)
OF_A_PART = re.compile(  # "without the low quality parts"
    r"\s*(?:parts?|shots?|clips?|scenes?|sections?|segments?|takes?|frames?|moments?|bits?|photos?|pictures?|images?|audio"
    r"|music|sound|logo)\b|\s*的?(?:部分|片段|镜头|画面|场景|图片|照片|音乐)",
    re.IGNORECASE,
)
BARE_EDIT = re.compile(  # an edit that says nothing of what is to be done
    r"\s*(?:(?:please|pls|kindly|just|can you|could you|now)[\s,]+)*(?:edit|process)(?:\s+(?:it|this|them))?"
    r"(?:[\s,]+please)?[\s.!,]*|\s*(?:请|帮我)*(?:编辑|剪辑|处理)(?:一下)?[\s。！，]*",
    re.IGNORECASE,
)
K_ASKED = re.compile(
    r"\b(?:in|at|to|as|into)\s+[248]k\b(?!\s+[a-z]+s\b)|[248]k\s*(?:resolution|export|分辨率|画质)", re.IGNORECASE
)
SENT_ELSEWHERE = re.compile(
    r"\b(?:to|on)\s+(?:my\s+)?(?P<en>youtube|vimeo)\b|到\s*(?P<zh>youtube|vimeo|油管)", re.IGNORECASE
)

API_WORD = re.compile(
    r"\b(?:export|import|upload|download|save|share|render|credits?|status|output)(?:s|ed|ing)?\b"
    r"|导出|导入|上传|下载|保存|分享|渲染|积分|余额|状态|输出",
    re.IGNORECASE,
)
NAMING = re.compile(  # behind these words stands what is to be shown or spoken, not what is to be done
    r"\b(?:says?|saying|said|reads?|reading|written|writes?|writing|called|titled|named|labell?ed|spell(?:s|ing)|lyrics|words?"
    r"|phrase)\b|写着|写上|写|内容[为是]|文字[为是]|名为|叫做|题为|标题[为是]|字幕[为是]|显示文字|说",
    re.IGNORECASE,
)
SHOWN = re.compile(  # before a colon: behind it stands what is to be shown or spoken
    r"\b(?:titles?|texts?|captions?|subtitles?|cards?|script|voice|narrat\w+|lyrics|labels?|heading|banner"
    r"|lower thirds?|cta|slogan|hook|buttons?|menu|list|steps?|chapters?|slides?|words?)\b"
    r"|文字|字幕|标题|字样|文案|旁白|口播|按钮|菜单|写|加|步骤",
    re.IGNORECASE,
)
SUBORDINATE = re.compile(  # behind these words a clause may tell of something instead of asking for it
    r"\b(?:where|when|while|which|who|whose|if|unless|until|before|without|not|never|instead|how|why|asking|telling"
    r"|inviting|encouraging|reminding|so that|only|about|tutorial|explain(?:s|ing)?|teach(?:es|ing)?|buttons?|icons?"
    r"|menu)\b|n['’]t\b|不|别|如果|当|的时候|之前|除了|关于|介绍|讲解|教程|按钮|图标",
    re.IGNORECASE,
)
EDIT_VERB = re.compile(
    r"(?:please\s+|also\s+)?(?:add|cut|trim|remove|delete|make|put|insert|crop|rotate|speed|slow|mute|merge|split|apply|change"
    r"|replace|overlay|blur|zoom|fade|highlight|caption|subtitle|create|generate|extract|summari[sz]e|stabili[sz]e|colou?r|adjust"
    r"|normali[sz]e|reduce|raise|lower|turn|use|translate|keep|drop|shorten|set|write|place|combine|clean|fix|edit|boost|flip"
    r"|mirror|reverse|freeze|loop|resize|reframe|give|start|end|begin|hide|show|brighten|darken|smooth|level|find|sync|pick|leave"
    r"|shrink|sharpen|denoise|brand|animate|stitch|join)\b"
    r"|(?:请|帮我)?(?:添加|加|剪|去掉|去除|去|删|裁|把|将|给|配|插入|放|调|做|生成|合并|拼接|转|变|改|用|提取|总结|翻译|静音|旋转|缩短|保留"
    r"|制作|增加|降低|提高|模糊|替换|混|留|只留|隐藏|放大|稳定|美颜)",
    re.IGNORECASE,
)


def _english(words: str) -> str:
    """Make one pattern of a list of phrases; a blank in a phrase is any stretch of blanks."""
    joined = re.sub(r"\s*\n\s*", "", words).replace(" ", r"\s+").replace(r"[\s+-]", r"[\s-]").replace("'", "['’]")
    return rf"(?<![A-Za-z0-9])(?:{joined})(?![A-Za-z0-9]|['’][A-Za-z])"


_WORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("option", FPS),
    ("option", BROKEN_FPS),
    ("foreign", FOREIGN_FORMAT),
    *((kind, re.compile(_english(words), re.IGNORECASE)) for kind, words in _ENGLISH.items()),
    *((kind, re.compile(words)) for kind, words in _CHINESE.items()),
)
_ASKING = (
    *((kind, re.compile(_english(words), re.IGNORECASE)) for kind, words in _ASKING_ENGLISH.items()),
    *((kind, re.compile(words)) for kind, words in _ASKING_CHINESE.items()),
    *_WORDS,
)
_BETWEEN = re.compile(r"[\s,，、:：()（）/.。!！?？~～;；\-–—\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff]+")
_FIRST = re.compile(rf"(?:(?:{JOINERS_ENGLISH}|(?:at|in) the end)(?![A-Za-z0-9])|{JOINERS_CHINESE})", re.IGNORECASE)


def cover(clause: str, *, asks: bool = False) -> frozenset[Kind] | None:
    """Cover a clause with the vocabulary from end to end; None if a word, a sign or a quotation is left over.

    `asks`: it stands in a text that only asks, where more words can mean nothing else.
    """
    kinds: set[Kind] = set()
    at = 0
    while at < len(clause):
        if between := _BETWEEN.match(clause, at):
            at = between.end()
            continue
        matches = [
            (found.end(), kind)
            for kind, pattern in (_ASKING if asks else _WORDS)
            if (found := pattern.match(clause, at))
        ]
        if (frame := RESOLUTION.match(clause, at)) and _only_a_size(frame):
            matches.append((frame.end(), "option"))
        if not kinds and (first := _FIRST.match(clause, at)):
            matches.append((first.end(), "weak"))
        end, kind = max(matches, default=(at, "weak"), key=lambda match: match[0])
        if end == at:
            return None
        kinds.add(kind)
        at = end
    return frozenset(kinds)


def height(frame: re.Match[str]) -> int:
    """Return the height that a match of RESOLUTION asks for, of a picture that lies."""
    if plain := frame["height"] or frame["named"] or frame["before"]:
        return int(plain)
    if frame["wide"]:
        return min(int(frame["wide"]), int(frame["high"]))
    if frame["k"]:
        return {"2": 1440, "4": 2160, "8": 4320}[frame["k"]]
    return 2160 if frame["ultra"] or frame["ultra_zh"] else 1080


def _only_a_size(frame: re.Match[str]) -> bool:
    """Whether it is no edit: one is a picture that stands upright, or has a width and a height that is not offered."""
    if not frame["wide"]:
        return True
    upright = int(frame["wide"]) < int(frame["high"])
    return not upright and (height(frame) in EXPORT_HEIGHTS or height(frame) > max(EXPORT_HEIGHTS))
