"""Names for parents: verb phrases cut from the tasks' own sentences, so that a person recognises a task.

A task statement of the form "Plan, direct, or coordinate kitchen staff to ..." has a central clause: its
verbs and the object up to the first sensible border (a comma, "using", "to", "such as" ...). A parent
takes the clause that is nearest to its children, or two of them joined by "and" where one does not cover
the children well.
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
_TYPICAL = 6
#: A second phrase must bring this much similarity, averaged over the children, to be worth its words.
_PAIR_GAIN = 0.02


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PREPOSITIONS = _words(
    "about above across against along among around as at before behind below beneath beside between "
    "beyond by concerning despite down during for from in inside into near of off on onto out outside "
    "over per regarding through throughout to toward towards under until up upon via with within without"
)
_BORDERS = _words(
    "accordance according after although because based before but despite during either ensuring even "
    "given how if including involving making not once prior related relating so such than that then "
    "thereby through unless until upon using utilizing via what when whenever where whether which while "
    "who whom whose why without"
) | frozenset([";", ":", "(", ")", "--", "-", "e.g.", "i.e.", "etc.", "etc"])
_JOINERS = frozenset(["and", "or", "and/or", "&"])
_DETERMINERS = _words("a an the all any each every other some various appropriate necessary required")
_PRONOUNS = _words("it its them their they themselves he she his her him these this those others same")
_NOT_AT_END = (
    _PREPOSITIONS
    | _JOINERS
    | _DETERMINERS
    | _PRONOUNS
    | _BORDERS
    | _words("is are be been being may can will must should also more most own specific new")
)
_ADJECTIVE = re.compile(r"(?:al|ic|ive|ous|ary|able|ible|ful|less|ed|ish|ular|ly)$")
_NOUNS_LIKE_ADJECTIVES = _words(
    "animal animals approval capital chemical clinic disposal fabric feed hospital journal manual "
    "material mechanic metal mineral need music panel proposal rehearsal removal rental signal speed seed "
    "terminal traffic trial withdrawal appraisal arrival survival portal logic topic public critic "
    "vehicle table cable assembly supply family library salary summary diary dictionary"
)
#: "Provide clients with advice", "ask patients about pain": these verbs need what follows the preposition.
_WITH_TWO_OBJECTS = _words(
    "advise ask assist brief compare convert educate equip furnish help inform notify present provide "
    "question refer supply teach tell"
)
_SECOND_OBJECT = _words("about for on to with")
_VERBS_IN_LY = _words("apply comply fly multiply rely reply supply")
_TOKEN = re.compile(r"[,;:()]|--|[^\s,;:()]+")


@dataclass(frozen=True)
class Phrase:
    """A verb and its object, in lower case except for names."""

    verb: str
    object: str

    def __str__(self) -> str:
        """The phrase as it stands inside a sentence."""
        return f"{self.verb} {self.object}".strip()

    def words(self) -> int:
        """Number of words."""
        return len(str(self).split())


class Lexicon:
    """What the statements themselves teach: which words begin a statement (verbs), and which end a clause
    (nouns).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Count over ``texts``, one statement each."""
        self.first: Counter[str] = Counter()
        self.anywhere: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.full_stops: Counter[str] = Counter()
        self.after_to: Counter[str] = Counter()
        for text in texts:
            tokens = _tokens(text)
            if not tokens:
                continue
            self.first[tokens[0].lower()] += 1
            for token, following in zip(tokens, [*tokens[1:], ";"], strict=True):
                word = token.lower()
                self.anywhere[word] += 1
                self.ends[word] += following.lower() in _BORDERS or following.lower() in _PREPOSITIONS
                self.full_stops[word] += following == ";"
                self.after_to[following.lower()] += word == "to"

    def is_verb(self, word: str) -> bool:
        """Whether statements begin with the word, often enough for it to be a verb wherever it stands."""
        word = word.lower()
        return (
            self.first[word] >= 2
            and (word in _VERBS_IN_LY or not word.endswith(("ly", "ing")))
            and self.first[word] * 20 >= self.anywhere[word]
        )

    def begins_a_purpose(self, word: str) -> bool:
        """Whether "to" before the word begins a purpose ("to ensure ..."), not a place or a person."""
        word = word.lower()
        return self.is_verb(word) or self.after_to[word] >= 0.3 * max(1, self.anywhere[word])

    def ends_a_clause(self, word: str) -> bool:
        """Whether a clause may end in the word: mostly nouns do, adjectives before a comma do not."""
        word = word.lower()
        if word in _NOT_AT_END or not word[-1:].isalnum():
            return False
        if word.endswith("ly") and word not in _NOUNS_LIKE_ADJECTIVES:
            return False
        if word.endswith(("ing", "ed")):
            # "records pertaining", "data collected": a participle ends a clause only where it ends sentences.
            return self.full_stops[word] >= max(2.0, 0.15 * self.anywhere[word])
        if self.anywhere[word] >= 4:
            return self.ends[word] / self.anywhere[word] >= 0.25
        return word in _NOUNS_LIKE_ADJECTIVES or not _ADJECTIVE.search(word)


def phrases(text: str, lexicon: Lexicon) -> list[Phrase]:
    """Phrases that may stand for a statement, the most central first; empty when none reads well."""
    tokens = _tokens(text)
    while len(tokens) > 1 and tokens[0].lower().endswith("ly") and lexicon.is_verb(tokens[1]):
        tokens = tokens[1:]
    if not tokens or not tokens[0][:1].isalpha():
        return []
    verbs, rest = _leading_verbs(tokens, lexicon)
    found: list[Phrase] = []
    for words in _objects(verbs[-1], rest, lexicon):
        if not words or any(word.lower() in _PRONOUNS for word in words):
            continue
        target = " ".join(words)
        # The last verb stands beside the object, so the two always belong together ("clean or perform
        # repairs").
        found.append(Phrase(verbs[-1], target))
    return [phrase for phrase in dict.fromkeys(found) if phrase.words() <= _MAX_PHRASE_WORDS]


def name_groups(groups: Sequence[Sequence[Node]]) -> list[tuple[str, str]]:
    """A name and a description for each group of children.

    The name is a verb phrase of at most 12 words that begins with a capital, unique in the list. The
    description lists the typical phrases it was chosen from, separated by semicolons; the level above is
    named from them.
    """
    lexicon = Lexicon([child.name for group in groups for child in group])
    offered = [_offered(group, lexicon) for group in groups]
    distinct = sorted({str(phrase) for found in offered for phrase in found})
    row_of = {text: row for row, text in enumerate(distinct)}
    vectors = encode(distinct).astype(np.float64)
    centres = np.stack([_centre(group) for group in groups])
    answers = [("", "")] * len(groups)
    taken: set[str] = set()
    for g in sorted(range(len(groups)), key=lambda g: (-_size(groups[g]), _first_task(groups[g]))):
        found = offered[g]
        options: list[str] = []
        typical: list[str] = []
        if found:
            rows = vectors[[row_of[str(phrase)] for phrase in found]]
            options, typical = _ranked_names(groups[g], found, rows, centres, g)
        name = _first_free([*options, *_plain(groups[g])], taken)
        taken.add(name.lower())
        answers[g] = (name, "; ".join(typical))
    return answers


def _offered(group: Sequence[Node], lexicon: Lexicon) -> Counter[Phrase]:
    """Phrases of the children nearest to the group's centre, with how many children offer them."""
    nearness = np.stack([child.vector for child in group]) @ _centre(group)
    found: Counter[Phrase] = Counter()
    used = 0
    for i in np.argsort(-nearness, kind="stable"):
        child = group[int(i)]
        if child.description:
            offers = [Phrase(*text.split(" ", 1)) for text in child.description.split("; ") if " " in text]
        elif len(child.tasks) == 1:
            offers = phrases(child.name, lexicon)
        else:
            offers = []
        found.update(offers)
        # Parents carry a handful of phrases each and are few; of the tasks, the central ones are enough.
        used += bool(offers) and not child.description
        if used >= _CENTRAL_CHILDREN:
            break
    return found


def _ranked_names(
    group: Sequence[Node],
    offers: Counter[Phrase],
    rows: NDArray[np.float64],
    centres: NDArray[np.float64],
    own: int,
) -> tuple[list[str], list[str]]:
    """Names from the best to the worst, single phrases and pairs, and the typical phrases."""
    found = list(offers)
    children = np.stack([child.vector for child in group]).astype(np.float64)
    weights = np.array([len(child.tasks) for child in group], dtype=np.float64)
    weights /= weights.sum()
    similar = rows @ children.T
    others = rows @ centres.T
    others[:, own] = -1.0
    words = np.array([phrase.words() for phrase in found])
    # A name should be near its own children and not near another group; what several children say and what is
    # short is general.
    score = similar @ weights - 0.25 * others.max(axis=1) - 0.012 * np.abs(words - 4)
    score += 0.02 * np.log2([offers[phrase] for phrase in found])
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
    typical = [str(found[i]) for i in best[:_TYPICAL]]
    return [text for _, text in ordered], typical


def _join(first: Phrase, second: Phrase) -> str | None:
    """Two phrases as one, sharing a verb or an object where they can; None when the result reads badly or
    is long.
    """
    if first.object.lower() == second.object.lower():
        verbs = dict.fromkeys([*first.verb.split(" and "), *second.verb.split(" and ")])
        joined = f"{' and '.join(verbs)} {first.object}" if len(verbs) == 2 else None
    elif first.verb == second.verb:
        small = {word.lower() for word in first.object.split()} & {
            word.lower() for word in second.object.split()
        }
        simple = not any(word.lower() in _PREPOSITIONS for word in f"{first.object} {second.object}".split())
        joined = f"{first.verb} {first.object} and {second.object}" if simple and not small else None
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


def _objects(verb: str, rest: list[str], lexicon: Lexicon) -> list[list[str]]:
    """Objects of different length, the shortest first: up to the first preposition, and up to the one
    after.
    """
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
        # Other prepositions begin a detail that may be kept once.
        hard = hard or (
            word == "to" and i > start and (i + 1 >= len(rest) or lexicon.begins_a_purpose(rest[i + 1]))
        )
        part_of_verb = word in _SECOND_OBJECT and verb in _WITH_TWO_OBJECTS and i > start and not cuts
        if hard or (word in _PREPOSITIONS and word != "of" and i > start and not part_of_verb):
            cuts.append(i)
        if hard or len(cuts) == 2:
            break
    good = []
    for number, cut in enumerate(cuts):
        if number and {"such", "including"} & {word.lower() for word in rest[cut : cut + 2]}:
            continue  # "assist workers in tasks such as ...": the detail would be empty words
        words = rest[:cut]
        while words and words[-1].lower() in _JOINERS:
            words = words[:-1]
        stopped_by_comma = cut < len(rest) and rest[cut] == ","
        enough = len(words) > start
        if (
            enough
            and lexicon.ends_a_clause(words[-1])
            and not (stopped_by_comma and _list_of_adjectives(words, lexicon))
        ):
            good.append(words)
    return good


def _list_of_adjectives(words: list[str], lexicon: Lexicon) -> bool:
    """Whether a clause before a comma is probably the first of several adjectives ("financial, legal, or
    ...").
    """
    last = words[-1].lower()
    return (
        bool(_ADJECTIVE.search(last)) and last not in _NOUNS_LIKE_ADJECTIVES and lexicon.anywhere[last] < 50
    )


def _tokens(text: str) -> list[str]:
    """Words and the punctuation that matters, without bracketed remarks and the final full stop."""
    text = re.sub(r"\([^)]*\)", " ", text).strip().rstrip(".").strip()
    return [
        token.rstrip(".") if token not in ("e.g.", "i.e.", "etc.") else token
        for token in _TOKEN.findall(text)
    ]


def _centre(group: Sequence[Node]) -> NDArray[np.float64]:
    weights = np.array([len(child.tasks) for child in group], dtype=np.float64)
    mean = np.average(np.stack([child.vector for child in group]).astype(np.float64), axis=0, weights=weights)
    unit: NDArray[np.float64] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return unit


def _first_task(group: Sequence[Node]) -> int:
    return min(task for child in group for task in child.tasks)


def _size(group: Sequence[Node]) -> int:
    return sum(len(child.tasks) for child in group)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
