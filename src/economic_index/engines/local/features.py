"""What the local engine reads of a conversation: one text for the encoder, hashed words, and counted marks.

Everything here is a function of the conversation alone: no fitted state, no randomness. The version below is
part of the artefact's recipe; change it whenever a feature changes, so that an old artefact is refused, not
misread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from economic_index.conversation import Conversation

FEATURES_VERSION = 1

#: Word pieces given to the encoder, whose limit is 256: two thirds of a long text from its head, one third
#: from its tail, where a request usually stands when something long is pasted.
PIECES = 224
FIRST_PIECES = 130
#: Characters that the hashed words and the counted marks look at, per conversation.
CHARACTERS = 6_000
#: Marks are counted at the ends of each turn only, and lengths are capped: the training texts are shorter
#: than what people paste, and a count that grows with a pasted book says nothing about what is asked.
HEAD_CHARACTERS = 300
TAIL_CHARACTERS = 200
LONGEST_FIRST, LONGEST_LATER, LONGEST_LAST = 300, 200, 150
#: An answer that was not recorded counts as a long one, as most are: its absence says nothing of the request.
SHORTEST_ANSWER, LONGEST_ANSWER = 40, 150
HASH_BITS = 13
STYLE_BITS = 12

_SPACE = re.compile(r"\s+")


def _prefix_length(text: str, budget: float) -> int:
    """Number of leading characters that make about ``budget`` word pieces (4 ASCII characters a piece, else
    0.9)."""
    if len(text) <= budget:
        return len(text)
    if text.isascii():
        return min(len(text), int(budget * 4))
    spent = 0.0
    for position, character in enumerate(text):
        spent += 0.25 if character < "\x80" else 0.9
        if spent > budget:
            return position
    return len(text)


def cut(text: str, pieces: float) -> str:
    """``text`` with white space collapsed, cut to about ``pieces`` word pieces: head and tail, the middle
    left out."""
    # Collapsing costs time on a pasted book, of which only the ends are read anyway.
    reach = int(pieces * 8)
    head, tail = _SPACE.sub(" ", text[:reach]).strip(), _SPACE.sub(" ", text[-reach:]).strip()
    if len(text) <= reach and _prefix_length(head, pieces) == len(head):
        return head
    first = head[: _prefix_length(head, pieces * 2 / 3)]
    backwards = tail[::-1]
    return f"{first} ... {backwards[: _prefix_length(backwards, pieces / 3)][::-1]}"


def user_turns(conversation: Conversation) -> list[str]:
    """The contents of the user's messages, in order."""
    return [message.content for message in conversation.messages if message.role == "user"]


def reading_text(conversation: Conversation) -> str:
    """The one text of a conversation that the encoder reads: the user's turns, the first one with the larger
    part."""
    turns = user_turns(conversation)
    if len(turns) == 1:
        return cut(turns[0], PIECES)
    return f"{cut(turns[0], FIRST_PIECES)} | {cut(' | '.join(turns[1:]), PIECES - FIRST_PIECES)}"


# Cue words in the languages that public chat logs hold most of. Each entry is a regular expression; where a
# language is written without spaces, no word boundary is asked for. They are cheap evidence for a reader
# whose encoder is centred on English, not a dictionary: a missing language only means less evidence.
_CUES: dict[str, tuple[str, str]] = {
    "explain": (
        r"explain|why|what(?:'s| is| are| does| do)?|how (?:do|does|did|is|are|come|can|could|to)|"
        r"difference|mean(?:s|ing)?|"
        r"understand|tell me about|versus|vs|warum|wieso|wie|was (?:ist|sind|bedeutet)|erkl[aä]r\w*|"
        r"unterschied|"
        r"por ?qu[eé]|qu[eé] (?:es|son|significa)|c[oó]mo|cu[aá]l\w*|expl[ií]c\w*|diferencia|pourquoi|"
        r"comment|"
        r"qu[' ]est[- ]ce|expliqu\w*|quelle?s?|perch[eé]|cos[' ]?[eè]|spiega\w*|come|o que|qual|почему|"
        r"зачем|"
        r"что такое|чем отличается|как|объясни\w*|расскажи\w*|що таке|чому|як|miért|mi az|hogyan|neden|"
        r"nedir|nasıl|"
        r"dlaczego|czym jest|jak|waarom|wat is|hoe|varför|hur|tại sao|là gì|thế nào|"
        r"mengapa|apa itu|bagaimana|zergatik|zer da|nola|per qu[eè]|què [eé]s|kial|kio estas",
        r"为什么|什么|如何|怎么|解释|区别|なぜ|とは|どう|教えて|説明|왜|무엇|어떻게|설명|لماذا|ما هو|"
        r"ما هي|كيف|اشرح|क्यों|क्या है|कैसे|ทำไม|คืออะไร|อย่างไร|چرا|چیست|چگونه|למה|מה זה|איך",
    ),
    "make": (
        r"write|create|make|generate|give me|draft|compose|design|build|implement|develop|produce|list|"
        r"prepare|come up with|"
        r"suggest|plan|schreib\w*|erstell\w*|mach\w*|gib mir|entwirf|escrib\w*|crea\w*|haz\w*|genera\w*|"
        r"dame|redact\w*|"
        r"elabora\w*|[ée]cri[stv]\w*|r[ée]dig\w*|cr[ée]e[rz]?|fais|donne[ -]moi|g[ée]n[èe]re\w*|scriv\w*|"
        r"cre[ia]\w*|"
        r"fammi|dammi|escrev\w*|cri[ea]\w*|faça|напиши\w*|создай\w*|сделай\w*|придумай\w*|составь\w*|"
        r"сгенерируй|"
        r"напишіть?|створи\w*|írj\w*|készíts\w*|yaz\w*|oluştur\w*|napisz\w*|stwórz\w*|schrijf|maak|"
        r"skriv\w*|viết|tạo|"
        r"hãy|buatkan|tuliskan|idatzi|egin|escriu|fes|skribu|verku",
        r"写|创建|生成|设计|帮我|列出|编写|書いて|作って|作成|써|만들어|작성|اكتب|أنشئ|اصنع|लिख|बनाओ|"
        r"เขียน|สร้าง|بنویس|کתוב|כתוב|צור",
    ),
    "solve": (
        r"solve|calculate|compute|find|determine|prove|show that|evaluate|simplify|derive|how many|"
        r"how much|integral|"
        r"l[öo]se|berechne\w*|beweise|resuelv\w*|calcul\w*|demuestr\w*|r[ée]sou\w*|démontre\w*|risolv\w*|"
        r"resolv\w*|"
        r"реши\w*|вычисли\w*|найди\w*|докажи|сколько|oldd meg|hesapla\w*|oblicz\w*|rozwiąż",
        r"求|计算|证明|解方程|計算|解いて|증명|계산|احسب|حل",
    ),
    "fix": (
        r"error\w*|exception|traceback|fail\w*|does ?n[o']?t work\w*|not working|isn'?t working|bug\w*|"
        r"crash\w*|fix\w*|"
        r"debug|still|wrong|undefined|warning|stack ?trace|broken|won'?t|no luck|same (?:problem|issue|"
        r"thing)|"
        r"fehler\w*|funktioniert nicht|geht nicht|erreur\w*|marche pas|fonctionne pas|no funciona|falla|"
        r"errore|"
        r"non funziona|não funciona|erro|ошибк\w*|не работает|помилк\w*|hiba|nem működik|hata|błąd|"
        r"nie działa|lỗi",
        r"报错|错误|不行|失败|エラー|動かない|에러|오류|안 ?돼|خطأ|لا يعمل|त्रुटि|ขัดข้อง",
    ),
    "review": (
        r"check|review|correct|proof ?read|critique|feedback|is (?:this|that|it|my) (?:right|correct|"
        r"ok\w*|good|fine|valid)|"
        r"am i right|did i|verify|validate|grade|evaluate my|what do you think|any mistakes?|improve my|"
        r"look over|"
        r"my (?:answer|solution|essay|proof|code|draft|cv|resume|attempt|translation)|right\?|correct\?|"
        r"überprüf\w*|korrigier\w*|stimmt das|richtig|prüf\w*|v[ée]rifi\w*|corrig\w*|revis\w*|est[áa] bien|"
        r"c'est (?:bon|correct|juste)|controll\w*|è giusto|está (?:certo|correto)|провер\w*|правильно|"
        r"верно|перевір\w*|"
        r"ellenőriz\w*|jó ez|kontrol et|sprawdź|czy to",
        r"检查|对吗|正确吗|修改一下|批改|確認|合ってる|添削|확인|맞나요|검토|تحقق|راجع|هل هذا صحيح|जाँच|"
        r"ตรวจ",
    ),
    "refine": (
        r"shorter|longer|instead|more|less|make (?:it|this|that|them)|change|add|remove|replace|rewrite|"
        r"again|another|"
        r"now|also|but|without|keep|too|better|version|tone|rather|same but|continue|go on|next|"
        r"kürzer|länger|stattdessen|mehr|weniger|ändere|füge|jetzt|nochmal|ohne|weiter|aber|"
        r"más|menos|cambia\w*|agrega\w*|añade|ahora|otra|sin|pero|continúa|sigue|plus|moins|change\w*|"
        r"ajoute\w*|"
        r"maintenant|encore|sans|mais|continue\w*|più|meno|aggiungi|adesso|ancora|senza|mais|agora|outra|"
        r"sem|"
        r"короче|длиннее|ещё|еще|добавь\w*|измени\w*|теперь|вместо|без|но|продолж\w*|додай|тепер|"
        r"rövidebb|most|"
        r"daha|şimdi|ekle|krócej|teraz|dodaj|bez|korter|nu|ngắn hơn|thêm|bây giờ",
        r"更|短一点|换成|加上|改成|继续|再|もっと|短く|追加|続けて|変えて|더|짧게|추가|계속|أضف|أقصر|غير|"
        r"और|छोटा",
    ),
    "thanks": (
        r"thanks?|thank you|thx|ty|great|perfect|nice|cool|ok(?:ay)?|danke|super|gracias|genial|merci|"
        r"parfait|grazie|"
        r"obrigad[oa]|спасибо|отлично|дякую|köszönöm|teşekkür\w*|dziękuję|bedankt|tack|cảm ơn|terima kasih",
        r"谢谢|好的|ありがとう|감사|고마워|شكرا|धन्यवाद|ขอบคุณ",
    ),
    "chat": (
        r"hi|hello|hey|are you|do you (?:like|think|feel|have|know|believe)|your (?:name|favou?rite|"
        r"opinion)|would you|can you "
        r"(?:feel|think)|joke|funny|riddle|who (?:are you|would win|made you|is|was)|i feel|"
        r"i'?m (?:bored|sad|lonely|tired)|"
        r"tell me (?:a|something)|guess|lol|haha|hallo|hola|bonjour|salut|ciao|olá|привет|здравствуй\w*|"
        r"привіт|szia|merhaba|"
        r"witz|chiste|blague|barzelletta|piada|шутк\w*|анекдот|загадк\w*|bist du|eres|es-tu|sei|você é|"
        r"ты|ti|ти|"
        r"xin chào|halo|cześć|hoi|hej|kaixo|saluton",
        r"你好|你是|笑话|猜|こんにちは|あなた|冗談|안녕|너는|농담|مرحبا|هل أنت|نكتة|नमस्ते|สวัสดี|سلام|"
        r"שלום",
    ),
    "fiction": (
        r"story|stories|poem|poetry|haiku|limerick|song|lyrics|novel|chapter|character|role ?play|scene|"
        r"dialogue|screenplay|script "
        r"for|fantasy|fairy ?tale|rap|verse|rhyme|blog|article|essay|slogan|headline|tweet|post|"
        r"geschichte|gedicht|lied|"
        r"märchen|historia|cuento|poema|canción|histoire|poème|conte|chanson|storia|poesia|racconto|"
        r"canzone|história|"
        r"conto|рассказ\w*|истори\w*|стих\w*|сказк\w*|песн\w*|вірш|казк\w*|vers|mese|hikaye|şiir|wiersz|"
        r"opowiadanie|"
        r"verhaal|gedicht|truyện|bài thơ|cerita|puisi|ipuin\w*|poemo",
        r"故事|诗|小说|歌词|作文|文章|物語|詩|小説|歌詞|이야기|시를|소설|قصة|قصيدة|कहानी|कविता|เรื่อง|"
        r"กลอน|داستان|شعر|סיפור|שיר",
    ),
    "language": (
        r"translat\w*|summar\w*|paraphras\w*|rephras\w*|grammar|übersetz\w*|zusammenfass\w*|tradu\w*|"
        r"resum\w*|r[ée]sum\w*|"
        r"riassum\w*|перевед\w*|перевод\w*|переклад\w*|fordíts\w*|çevir\w*|tłumacz\w*|vertaal|översätt|"
        r"dịch|terjemah\w*",
        r"翻译|总结|摘要|翻訳|要約|번역|요약|ترجم|لخص|अनुवाद|แปล|ترجمه|תרגם",
    ),
    "work": (
        r"my (?:boss|manager|client|clients|team|company|customers?|colleagues?|coworkers?|business|"
        r"startup|employees?|staff)|"
        r"our (?:team|company|clients?|customers?|product|office|users|app|website|staff|warehouse|"
        r"production)|we (?:are|have|need|sell|"
        r"run|use)|client|customers?|meeting|deadline|budget|invoice|quarter(?:ly)?|stakeholders?|"
        r"deploy\w*|production|"
        r"chef|kunden?|firma|empresa|cliente|jefe|entreprise|client|patron|azienda|начальник|компани\w*|"
        r"клиент\w*",
        r"公司|客户|老板|会社|顧客|회사|고객|شركة|عميل",
    ),
    "study": (
        r"homework|assignment|exam|class|teacher|professor|course|thesis|lecture|student|school|"
        r"university|uni|quiz|"
        r"semester|essay|textbook|exercise|problem set|hausaufgabe\w*|prüfung|klausur|schule|tarea|"
        r"examen|escuela|"
        r"profesora?|devoirs?|école|exposé|compiti|esame|scuola|lição|prova|escola|домашн\w*|экзамен\w*|"
        r"школ\w*|"
        r"реферат\w*|зачет|вуз|házi|ödev|sınav|praca domowa|egzamin",
        r"作业|考试|老师|论文|宿題|試験|レポート|숙제|시험|과제|واجب|امتحان",
    ),
    "private": (
        r"my (?:wife|husband|partner|girlfriend|boyfriend|mom|mum|mother|dad|father|son|daughter|kids?|"
        r"child|children|baby|"
        r"friend|dog|cat|family|house|apartment|flat|garden|kitchen|car|birthday|wedding|landlord|"
        r"neighbou?r)|dinner|"
        r"recipe|holiday|vacation|trip|weight|sleep|hobby|meine? (?:frau|mann|tochter|sohn|mutter|hund)|"
        r"mi (?:esposa|"
        r"novia|hijo|hija|madre|perro)|ma (?:femme|fille|m[èe]re)|mon (?:mari|fils|chien|chat)|моя|мой|"
        r"рецепт\w*|отпуск",
        r"妈妈|女朋友|男朋友|孩子|旅行|レシピ|子供|엄마|여행|أمي|زوجتي|وصفة",
    ),
}
_CUE_PATTERNS = {
    name: (re.compile(rf"(?<!\w)(?:{spaced})(?!\w)"), re.compile(unspaced))
    for name, (spaced, unspaced) in _CUES.items()
}

_MARKS: dict[str, re.Pattern[str]] = {
    "fence": re.compile(r"```|~~~"),
    "code": re.compile(
        r"[;{}]\s*$|^\s*(?:def|class|import|from|for|while|if|return|public|private|function|const|let|"
        r"var|#include|"
        r"SELECT|INSERT|CREATE|using|package|fn|func)\b|=>|==|!=|\(\)|</?\w+>|::|\w+\.\w+\(|//|/\*",
        re.M,
    ),
    "traceback": re.compile(
        r"Traceback|Exception|Error:|error:|at \w+\.\w+\(|line \d+|undefined|NullPointer|errno|\bE\d{3,}|"
        r"exit code|"
        r"warning:|Segmentation"
    ),
    "shell": re.compile(r"^\s*[$#>] \w|\b(?:sudo|pip|npm|git|docker|apt|kubectl|cd|ls)\s", re.M),
    "maths": re.compile(
        r"\\(?:frac|sqrt|int|sum|begin|cdot|le|ge|in)\b|\$[^$]{1,80}\$|\b[a-z]\s?\^\s?\d|[=<>≤≥]\s?\d|"
        r"[∫∑√π∞≠±²³]"
    ),
    "digits": re.compile(r"\d+"),
    "question": re.compile(r"[?？؟]"),
    "bullet": re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.M),
    "exclaim": re.compile(r"[!！]"),
    "quote": re.compile(r"[\"“”«»「」]"),
    "you": re.compile(r"(?<!\w)(?:you|your|u)(?!\w)"),
    "me": re.compile(r"(?<!\w)(?:i|i'm|im|my|me|ich|mein\w*|yo|mi|je|mon|ma|я|мне|мой|моя)(?!\w)"),
    "upper": re.compile(r"[A-Z]{3,}"),
}
_SCRIPTS: dict[str, re.Pattern[str]] = {
    "latin_accented": re.compile(r"[\u00c0-\u024f\u1e00-\u1eff]"),
    "cyrillic": re.compile(r"[\u0400-\u052f]"),
    "han": re.compile(r"[\u4e00-\u9fff]"),
    "kana_hangul": re.compile(r"[\u3040-\u30ff\uac00-\ud7af]"),
    "other_script": re.compile(r"[\u0370-\u03ff\u0590-\u0e7f]"),
}


def _ends(turn: str) -> str:
    if len(turn) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return turn
    return f"{turn[:HEAD_CHARACTERS]}\n{turn[-TAIL_CHARACTERS:]}"


def _marks_of(text: str) -> list[float]:
    lowered = text.lower()
    cues = [
        len(spaced.findall(lowered)) + len(unspaced.findall(lowered))
        for spaced, unspaced in _CUE_PATTERNS.values()
    ]
    return [math.log1p(count) for count in (*cues, *(len(p.findall(text)) for p in _MARKS.values()))]


_MARK_NAMES = (*_CUES, *_MARKS)
#: Names of the dense columns, in order.
MARK_NAMES: tuple[str, ...] = (
    *(f"first_{name}" for name in _MARK_NAMES),
    *(f"later_{name}" for name in _MARK_NAMES),
    *(f"open_{name}" for name in _CUES),
    *_SCRIPTS,
    "log_characters_first",
    "log_characters_later",
    "log_characters_last",
    "log_characters_assistant",
    "user_turns",
    "one_user_turn",
    "ends_with_user",
    "first_ends_with_question",
    "last_ends_with_question",
    "assistant_fence",
    "assistant_question",
    "assistant_bullet",
    "long_paste",
)
OPENING_CHARACTERS = 60
_TURNS = ("user_turns", "one_user_turn", "ends_with_user", "long_paste")
#: Columns that say what is asked and how: no scripts (in which language somebody writes says nothing of
#: whether it is work), no lengths, no turns.
CUES: tuple[int, ...] = tuple(
    i for i, name in enumerate(MARK_NAMES) if name not in (*_SCRIPTS, *_TURNS) and not name.startswith("log_")
)
#: Cues, lengths, the number of turns, and whether the person has the last word after an answer.
HABITS: tuple[int, ...] = tuple(
    i
    for i, name in enumerate(MARK_NAMES)
    if i in CUES or name.startswith("log_") or name in ("user_turns", "ends_with_user")
)


_PASTED = tuple(
    MARK_NAMES.index(name)
    for name in (
        "first_fence",
        "first_traceback",
        "first_shell",
        "later_fence",
        "later_traceback",
        "assistant_fence",
    )
)
_CODE_LINES = MARK_NAMES.index("first_code")
_FORMULAS = MARK_NAMES.index("first_maths")


def technical(counted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Is code, or are formulas, pasted? Shape (n, 2) of zeros and ones, from ``marks`` of shape (n, marks).

    Hardly anybody chats in code, but few enough training texts hold any that a penalised count would not say so.
    """
    code = (counted[:, _PASTED] > 0).any(axis=1) | (counted[:, _CODE_LINES] > math.log1p(1.5))
    return np.stack([code, counted[:, _FORMULAS] > 0], axis=1).astype(np.float32)


def marks(conversation: Conversation) -> NDArray[np.float32]:
    """Counted marks of one conversation, shape (len(MARK_NAMES),): cue words, punctuation, scripts, lengths,
    turns."""
    turns = user_turns(conversation)
    first = _ends(turns[0])
    later = "\n".join(_ends(turn) for turn in turns[1:])[:CHARACTERS]
    answer = "\n".join(m.content[:600] for m in conversation.messages if m.role == "assistant")[:CHARACTERS]
    opening = first.strip()[:OPENING_CHARACTERS].lower()
    opened = [
        float(bool(spaced.search(opening) or unspaced.search(opening)))
        for spaced, unspaced in _CUE_PATTERNS.values()
    ]
    read = first + later
    scripts = [len(pattern.findall(read)) / max(1, len(read)) for pattern in _SCRIPTS.values()]
    last = turns[-1] if len(turns) > 1 else ""
    values = [
        *_marks_of(first),
        *(_marks_of(later) if later else [0.0] * len(_MARK_NAMES)),
        *opened,
        *scripts,
        math.log1p(min(len(turns[0]), LONGEST_FIRST)),
        math.log1p(min(len(later), LONGEST_LATER)),
        math.log1p(min(len(last), LONGEST_LAST)),
        math.log1p(min(max(len(answer), SHORTEST_ANSWER), LONGEST_ANSWER) if answer else LONGEST_ANSWER),
        math.log2(len(turns)),
        float(len(turns) == 1),
        float(conversation.messages[-1].role == "user" and bool(answer)),
        float(first.rstrip()[-1:] in "?？؟"),
        float(last.rstrip()[-1:] in "?？؟" and bool(last)),
        float("```" in answer),
        float("?" in answer[-200:]),
        math.log1p(len(_MARKS["bullet"].findall(answer))),
        float(len(turns[0]) > 1200),
    ]
    return np.asarray(values, dtype=np.float32)


_WORD = re.compile(r"[^\W\d_]+|\d+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\u0e00-\u0e7f]")
STEM = 6


def words_of(text: str) -> list[str]:
    """Lower-case words cut to six letters (so that inflected forms meet); pairs of characters where no
    spaces are used."""
    words: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _UNSPACED.search(word):
            words.extend(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        elif not word[0].isdigit():
            words.append(word[:STEM])
    return words


def topic_tokens(conversation: Conversation) -> list[str]:
    """Words of the whole conversation, each once: what it is about. The assistant's turns count by their
    beginnings."""
    text = "\n".join(
        m.content[: CHARACTERS // 2] if m.role == "user" else m.content[:400] for m in conversation.messages
    )
    return sorted(set(words_of(text[: 2 * CHARACTERS])))


def style_tokens(conversation: Conversation) -> list[str]:
    """How the person asks: opening words of the first turn, all words of later turns, each with its place."""
    turns = user_turns(conversation)
    opening = words_of(turns[0][:120])[:6]
    tokens = {f"o0:{word}" for word in opening[:1]} | {f"o:{word}" for word in opening}
    tokens |= {f"o2:{a}_{b}" for a, b in pairwise(opening)}
    closing = words_of(turns[0][-120:])[-8:] if len(turns[0]) > 240 else []
    tokens |= {f"c:{word}" for word in closing}
    for turn in turns[1:6]:
        words = words_of(turn[:400])
        tokens |= {f"l:{word}" for word in words} | {f"lo:{word}" for word in words[:2]}
        tokens |= {f"l2:{a}_{b}" for a, b in pairwise(words[:12])}
    return sorted(tokens)


def hashed(tokens: Sequence[Sequence[str]], bits: int = HASH_BITS) -> sparse.csr_matrix:
    """Token lists as a sparse float32 matrix (n, 2**bits) of unit rows; the hash is the same on every
    machine."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.preprocessing import normalize

    hasher = FeatureHasher(2**bits, input_type="string", dtype=np.float32, alternate_sign=True)
    return normalize(hasher.transform([list(row) or ["<empty>"] for row in tokens])).tocsr()
