"""Names for parents: verb phrases cut from the tasks' own sentences, so that a person recognises a task in them.

A task statement of the form "Plan, direct, or coordinate kitchen staff to ..." has a central clause: its verbs and
the object up to the first sensible border (a comma, "using", "to", "such as" ...). A parent takes the clause that is
nearest to its children, or two of them joined by "and" where one does not cover the children well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from economic_index.embeddings import encode
from economic_index.taxonomy.build import Node

MAX_WORDS = 12
_MAX_PHRASE_WORDS = 7
_CENTRAL_CHILDREN = 14
_TOP_PHRASES = 24
#: A second phrase must bring this much similarity, averaged over the children, to be worth its words.
_PAIR_GAIN = 0.02

_PREPOSITIONS = frozenset(
    ["about", "above", "across", "against", "along", "among", "around", "as", "at", "before", "behind", "below", "beneath", "beside", "between", "beyond", "by", "concerning", "despite", "down", "during", "for", "from", "in", "inside", "into", "near", "of", "off", "on", "onto", "out", "outside", "over", "per", "regarding", "through", "throughout", "to", "toward", "towards", "under", "until", "up", "upon", "via", "with", "within", "without"]
)
_BORDERS = frozenset(
    ["accordance", "according", "after", "although", "because", "based", "before", "but", "despite", "during", "either", "ensuring", "even", "given", "how", "if", "including", "involving", "making", "not", "once", "prior", "related", "relating", "so", "such", "than", "that", "then", "thereby", "through", "unless", "until", "upon", "using", "utilizing", "via", "what", "when", "whenever", "where", "whether", "which", "while", "who", "whom", "whose", "why", "without"]
) | frozenset([";", ":", "(", ")", "--", "-", "e.g.", "i.e.", "etc.", "etc"])
_JOINERS = frozenset(["and", "or", "and/or", "&"])
_DETERMINERS = frozenset(["a", "an", "the", "all", "any", "each", "every", "other", "some", "various", "appropriate", "necessary", "required"])
_PRONOUNS = frozenset(["it", "its", "them", "their", "they", "themselves", "he", "she", "his", "her", "him", "these", "this", "those", "others", "same"])
_NOT_AT_END = (
    _PREPOSITIONS | _JOINERS | _DETERMINERS | _PRONOUNS | _BORDERS
    | frozenset(["is", "are", "be", "been", "being", "may", "can", "will", "must", "should", "also", "more", "most", "own", "specific", "new"])
)
_ADJECTIVE = re.compile(r"(?:al|ic|ive|ous|ary|able|ible|ful|less|ed|ish|ular|ly)$")
_NOUNS_LIKE_ADJECTIVES = frozenset(
    ["animal", "animals", "approval", "capital", "chemical", "clinic", "disposal", "fabric", "feed", "hospital", "journal", "manual", "material", "mechanic", "metal", "mineral", "need", "music", "panel", "personal", "potential", "proposal", "rehearsal", "removal", "rental", "signal", "speed", "seed", "terminal", "traffic", "trial", "withdrawal", "appraisal", "arrival", "survival", "portal", "medical", "logic", "topic", "public", "critic", "electronic", "vehicle", "table", "cable", "assembly", "supply", "family", "library", "salary", "summary", "diary", "dictionary"]
) - frozenset(["medical", "personal", "electronic", "potential"])
_TOKEN = re.compile(r"[,;:()]|--|[^\s,;:()]+")


@dataclass(frozen=True)
class Phrase:
    """A verb (or two joined by "and") and its object, in lower-case-initial words."""

    verb: str
    object: str

    def __str__(self) -> str:
        """The phrase as it stands inside a sentence."""
        return f"{self.verb} {self.object}".strip()

    def words(self) -> int:
        """Number of words."""
        return len(str(self).split())


class Lexicon:
    """What the statements themselves teach: which words begin a statement (verbs), and which end a clause (nouns)."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Count over ``texts``, one statement each."""
        self.first: Counter[str] = Counter()
        self.anywhere: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        for text in texts:
            tokens = _tokens(text)
            if not tokens:
                continue
            self.first[tokens[0].lower()] += 1
            for token, following in zip(tokens, [*tokens[1:], ";"], strict=True):
                word = token.lower()
                self.anywhere[word] += 1
                if following.lower() in _BORDERS or following.lower() in _PREPOSITIONS:
                    self.ends[word] += 1

    def is_verb(self, word: str) -> bool:
        """Whether statements begin with the word, often enough for it to be a verb wherever it stands."""
        word = word.lower()
        return self.first[word] >= 2 and not word.endswith(("ly", "ing")) and self.first[word] * 20 >= self.anywhere[word]

    def ends_a_clause(self, word: str) -> bool:
        """Whether a clause may end in the word: mostly nouns do, adjectives before a comma do not."""
        word = word.lower()
        if word in _NOT_AT_END or not word[-1:].isalnum():
            return False
        if self.anywhere[word] >= 4:
            return self.ends[word] / self.anywhere[word] >= 0.25
        return word in _NOUNS_LIKE_ADJECTIVES or not _ADJECTIVE.search(word)


def phrases(text: str, lexicon: Lexicon) -> list[Phrase]:
    """Phrases that may stand for a statement, the most central first; empty when none reads well."""
    tokens = _tokens(text)
    while len(tokens) > 1 and tokens[0].lower().endswith("ly") and not lexicon.is_verb(tokens[0]):
        tokens = tokens[1:]
    if not tokens or not tokens[0][:1].isalpha():
        return []
    verbs, rest = _leading_verbs(tokens, lexicon)
    found: list[Phrase] = []
    for words in _objects(rest, lexicon):
        if not words or any(word.lower() in _PRONOUNS for word in words):
            continue
        target = " ".join(words)
        if len(verbs) > 1 and verbs[0] != verbs[1]:
            found.append(Phrase(f"{verbs[0]} and {verbs[1]}", target))
        found.append(Phrase(verbs[0], target))
    return [phrase for phrase in dict.fromkeys(found) if phrase.words() <= _MAX_PHRASE_WORDS]


def split_name(name: str, lexicon: Lexicon) -> list[Phrase]:
    """The phrases that a name made here consists of."""
    words = name.split()
    for i in range(2, len(words) - 1):
        if words[i] == "and" and lexicon.is_verb(words[i + 1]) and i + 2 < len(words):
            return [_phrase(words[:i], lexicon), _phrase(words[i + 1 :], lexicon)]
    return [_phrase(words, lexicon)] if len(words) > 1 else []


def name_groups(groups: Sequence[Sequence[Node]]) -> list[str]:
    """One name per group of children: a unique verb phrase of at most 12 words that begins with a capital."""
    children = [child for group in groups for child in group]
    at_base = all(len(child.tasks) == 1 for child in children)
    lexicon = Lexicon([child.name for child in children])
    offered = [_offered(group, lexicon, at_base) for group in groups]
    distinct = sorted({str(phrase) for phrase_list in offered for phrase in phrase_list})
    row_of = {text: row for row, text in enumerate(distinct)}
    vectors = encode(distinct).astype(np.float64)
    names = [""] * len(groups)
    taken: set[str] = set()
    ranked = sorted(range(len(groups)), key=lambda g: (-_size(groups[g]), min(t for c in groups[g] for t in c.tasks)))
    centres = np.stack([_centre(group) for group in groups])
    for g in ranked:
        found = offered[g]
        options = []
        if found:
            rows = vectors[[row_of[str(phrase)] for phrase in found]]
            options = _ranked_names(groups[g], found, rows, centres, g)
        names[g] = _first_free([*options, *_plain(groups[g])], taken)
        taken.add(names[g].lower())
    return names


def _offered(group: Sequence[Node], lexicon: Lexicon, at_base: bool) -> list[Phrase]:
    """Phrases of the children nearest to the group's centre."""
    centre = _centre(group)
    nearness = np.stack([child.vector for child in group]) @ centre
    order = np.argsort(-nearness, kind="stable")
    found: dict[Phrase, None] = {}
    limit = _CENTRAL_CHILDREN if at_base else len(group)
    used = 0
    for i in order:
        named = phrases(group[i].name, lexicon) if at_base else split_name(group[i].name, lexicon)
        found.update(dict.fromkeys(named))
        used += bool(named)
        if used >= limit:
            break
    return list(found)


def _ranked_names(
    group: Sequence[Node], found: list[Phrase], rows: NDArray[np.float64], centres: NDArray[np.float64], own: int
) -> list[str]:
    """Names from the best to the worst: the best single phrase or pair first, then all others."""
    children = np.stack([child.vector for child in group]).astype(np.float64)
    weights = np.array([len(child.tasks) for child in group], dtype=np.float64)
    weights /= weights.sum()
    similar = rows @ children.T
    others = rows @ centres.T
    others[:, own] = -1.0
    words = np.array([phrase.words() for phrase in found])
    # A name should be near its own children, not near another group, and short phrases are the general ones.
    score = similar @ weights - 0.25 * others.max(axis=1) - 0.012 * np.abs(words - 4)
    best = np.argsort(-score, kind="stable")[:_TOP_PHRASES]
    singles = [(float(score[i]), _sentence(str(found[i]))) for i in best]
    pairs = []
    for a in best[:12]:
        for b in best:
            joined = _join(found[a], found[b])
            if a == b or joined is None:
                continue
            gain = float(np.maximum(similar[a], similar[b]) @ weights - similar[a] @ weights)
            redundant = float(rows[a] @ rows[b])
            if gain > _PAIR_GAIN and redundant < 0.85:
                value = float(score[a]) + 2.0 * (gain - _PAIR_GAIN) + 0.1 * float(score[b])
                pairs.append((value, _sentence(joined)))
    ordered = sorted(singles + pairs, key=lambda option: (-option[0], option[1]))
    return [text for _, text in ordered]


def _join(first: Phrase, second: Phrase) -> str | None:
    """Two phrases as one, sharing a verb or an object where they can; None when the result reads badly or is long."""
    if first.object.lower() == second.object.lower():
        verbs = dict.fromkeys([*first.verb.split(" and "), *second.verb.split(" and ")])
        joined = f"{' and '.join(verbs)} {first.object}" if len(verbs) == 2 else None
    elif first.verb == second.verb:
        small = {word.lower() for word in first.object.split()} & {word.lower() for word in second.object.split()}
        prepositional = {first.object.split()[0].lower(), second.object.split()[0].lower()} & _PREPOSITIONS
        joined = None if small or prepositional else f"{first.verb} {first.object} and {second.object}"
    elif " and " in str(first) and " and " in str(second):
        joined = None
    else:
        joined = f"{first} and {second}"
    if joined is None or len(joined.split()) > MAX_WORDS or joined.split().count("and") > 1:
        return None
    return joined


def _first_free(options: Sequence[str], taken: set[str]) -> str:
    for option in options:
        if option.lower() not in taken:
            return option
    stem = " ".join(options[0].split()[: MAX_WORDS - 2])
    number = 2
    while f"{stem}, part {number}".lower() in taken:
        number += 1
    return f"{stem}, part {number}"


def _plain(group: Sequence[Node]) -> list[str]:
    """Last resort: the children's own first words, cut at 12 and never ending in a preposition."""
    centre = _centre(group)
    order = np.argsort(-(np.stack([child.vector for child in group]) @ centre), kind="stable")
    names = []
    for i in order[:50]:
        words = [word for word in _tokens(group[i].name) if word[:1].isalnum()][:MAX_WORDS]
        while len(words) > 1 and words[-1].lower() in _NOT_AT_END:
            words.pop()
        if words:
            names.append(_sentence(" ".join(words)))
    return names or ["Do other work"]


def _leading_verbs(tokens: list[str], lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """The verbs a statement begins with, and what follows them."""
    verbs, i = [tokens[0].lower() if not tokens[0].isupper() else tokens[0]], 1
    while i < len(tokens):
        j = i
        while j < len(tokens) and (tokens[j] == "," or tokens[j].lower() in _JOINERS):
            j += 1
        if j == i or j >= len(tokens) or not lexicon.is_verb(tokens[j]):
            break
        verbs.append(tokens[j].lower())
        i = j + 1
    return verbs, tokens[i:]


def _objects(rest: list[str], lexicon: Lexicon) -> list[list[str]]:
    """Objects of different length, the shortest first: up to the first preposition, and up to the one after."""
    while rest and rest[0].lower() in _DETERMINERS - {"a", "an", "the"}:
        rest = rest[1:]
    # "Confer with board members", "respond to calls": a preposition right after the verb belongs to it.
    start = 1 if rest and rest[0].lower() in _PREPOSITIONS else 0
    cuts: list[int] = []
    for i in range(start, len(rest) + 1):
        word = rest[i].lower() if i < len(rest) else ";"
        hard = word in _BORDERS or word == ","
        next_is_verb = i + 1 < len(rest) and lexicon.is_verb(rest[i + 1])
        hard = hard or (word in _JOINERS and next_is_verb)
        # "to" before a verb begins a purpose; other prepositions begin a detail that may be kept once.
        hard = hard or (word == "to" and (next_is_verb or i + 1 >= len(rest)))
        if hard or (word in _PREPOSITIONS and word != "of" and i > start):
            cuts.append(i)
        if hard or len(cuts) == 2:
            break
    good = []
    for cut in cuts:
        words = rest[:cut]
        while words and words[-1].lower() in _JOINERS:
            words = words[:-1]
        stopped_by_comma = cut < len(rest) and rest[cut] == ","
        enough = len(words) > start
        if enough and lexicon.ends_a_clause(words[-1]) and not (stopped_by_comma and _list_of_adjectives(words, lexicon)):
            good.append(words)
    return good


def _list_of_adjectives(words: list[str], lexicon: Lexicon) -> bool:
    """Whether a clause before a comma is probably the first of several adjectives ("financial, legal, or ...")."""
    last = words[-1].lower()
    return bool(_ADJECTIVE.search(last)) and last not in _NOUNS_LIKE_ADJECTIVES and lexicon.anywhere[last] < 50


def _phrase(words: list[str], lexicon: Lexicon) -> Phrase:
    if len(words) > 3 and words[1] == "and" and lexicon.is_verb(words[2]):
        return Phrase(" ".join([_lowered(words[0]), *words[1:3]]), " ".join(words[3:]))
    return Phrase(_lowered(words[0]), " ".join(words[1:]))


def _tokens(text: str) -> list[str]:
    """Words and the punctuation that matters, without bracketed remarks and the final full stop."""
    text = re.sub(r"\([^)]*\)", " ", text).strip().rstrip(".").strip()
    return [token.rstrip(".") if token not in ("e.g.", "i.e.", "etc.") else token for token in _TOKEN.findall(text)]


def _centre(group: Sequence[Node]) -> NDArray[np.float64]:
    weights = np.array([len(child.tasks) for child in group], dtype=np.float64)
    mean = np.average(np.stack([child.vector for child in group]).astype(np.float64), axis=0, weights=weights)
    unit: NDArray[np.float64] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return unit


def _size(group: Sequence[Node]) -> int:
    return sum(len(child.tasks) for child in group)


def _lowered(word: str) -> str:
    return word if word.isupper() and len(word) > 1 else word[:1].lower() + word[1:]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
