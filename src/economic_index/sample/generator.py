"""A realistic log of conversations for demonstration and tests, with the truth beside it.

Everything follows from ``(n, seed)`` and the sample taxonomy: no clock, same bytes every time.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from economic_index.sample import texts

T = TypeVar("T")
Turns = list[tuple[str | None, str | None]]

MESSAGES: Final = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))
CONVERSATION_SCHEMA: Final = pa.schema(
    [
        pa.field("conversation_id", pa.string()),
        pa.field("account_id", pa.string()),
        pa.field("started_at", pa.timestamp("us")),
        pa.field("messages", MESSAGES),
        pa.field("model", pa.string()),
        pa.field("product", pa.string()),
        pa.field("language", pa.string()),
        pa.field("country_code", pa.string()),
        pa.field("region_code", pa.string()),
        pa.field("organization_id", pa.string()),
        pa.field("extended_thinking", pa.bool_()),
        pa.field("safety_flagged", pa.bool_()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
    ]
)
TRUTH_SCHEMA: Final = pa.schema(
    [
        pa.field("input_row", pa.int64()),
        pa.field("conversation_id", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("task_id", pa.int64()),
        pa.field("pattern", pa.string()),
        pa.field("skills", pa.list_(pa.string())),
        pa.field("soc_major", pa.list_(pa.string())),
        pa.field("work", pa.string()),
        pa.field("coursework", pa.string()),
        pa.field("personal", pa.string()),
    ]
)

#: Share of the work conversations by SOC major group; groups that are not named get ``SMALL_SHARE`` each.
GROUP_SHARES: Final = {
    "15": 0.290,
    "27": 0.118,
    "25": 0.098,
    "43": 0.088,
    "13": 0.078,
    "11": 0.038,
    "19": 0.032,
    "41": 0.027,
    "29": 0.025,
    "17": 0.023,
    "23": 0.020,
    "21": 0.018,
}
SMALL_SHARE: Final = 0.0145
#: Popularity within a group falls as (rank + offset) ** -slope: large groups have many
#: popular tasks, small ones one or two.
SHAPES: Final = {
    "15": (8.0, 2.0),
    "27": (6.0, 2.2),
    "25": (6.0, 2.2),
    "43": (5.0, 2.2),
    "13": (4.0, 2.2),
    "11": (2.0, 2.0),
    "19": (1.0, 1.8),
}
SMALL_SHAPE: Final = (0.0, 1.6)
TAIL_SHAPE: Final = (0.0, 0.5)
#: Share of a group's conversations about tasks without hand-written requests.
TAIL_SHARE: Final = 0.07

#: Shares of all rows.
CHATTER: Final = 0.12
UNCOVERED: Final = 0.02
HOSTILE: Final = 0.005
FLAGGED: Final = 0.004
DUPLICATE: Final = 0.005
BROKEN: Final = 0.004
OTHER_LANGUAGE: Final = 0.012
MISSING_ACCOUNT: Final = 0.006

#: Tasks in which heavy accounts have most of the conversations: task id to number of such accounts.
DOMINATED: Final = {900105: 1, 900129: 2, 900216: 1, 900281: 1, 900479: 1, 900706: 1}
DOMINATED_SHARE: Final = 0.8
#: Popularity that these tasks have at least.
DOMINATED_WEIGHT: Final = 0.003

START: Final = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000
DAYS: Final = 28
DAY: Final = 86_400_000_000
#: Hours at which a conversation starts, all equally likely.
HOURS: Final = (2, 6, 7, 8, 9, 9, 10, 10, 11, 12, 13, 13, 14, 14, 15, 15, 16, 17, 18, 19, 20, 21, 22, 23)
YEAR_1: Final = -62_135_596_800_000_000
YEAR_9999: Final = 253_370_764_800_000_000

#: Countries with their weight, language and regions. NA is Namibia.
COUNTRIES: Final[tuple[tuple[str, int, str, tuple[str, ...]], ...]] = (
    ("US", 300, "en", ("US-CA", "US-TX", "US-NY", "US-WA", "US-FL", "US-IL", "US-OH", "US-GA")),
    ("IN", 120, "en", ("IN-MH", "IN-KA", "IN-TN", "IN-DL")),
    ("GB", 80, "en", ("GB-ENG", "GB-SCT", "GB-WLS")),
    ("DE", 70, "de", ("DE-BY", "DE-BE", "DE-NW")),
    ("BR", 60, "pt", ("BR-SP", "BR-RJ")),
    ("FR", 50, "fr", ("FR-IDF", "FR-ARA")),
    ("CA", 45, "en", ("CA-ON", "CA-BC", "CA-QC")),
    ("JP", 45, "ja", ("JP-13", "JP-27")),
    ("ES", 40, "es", ("ES-MD", "ES-CT")),
    ("AU", 35, "en", ("AU-NSW", "AU-VIC")),
    ("NG", 30, "en", ()),
    ("IT", 28, "it", ("IT-25",)),
    ("NL", 25, "nl", ()),
    ("MX", 25, "es", ()),
    ("NA", 14, "en", ("NA-KH",)),
    ("IS", 4, "en", ()),
)
MODELS: Final = ("model-small", "model-medium", "model-large", "model-reason")
#: Cumulative weights: in general, and for accounts and requests that need more.
MODEL_WEIGHTS: Final = ((0.4, 0.85, 0.97, 1.0), (0.15, 0.45, 0.85, 1.0))
PRODUCTS: Final = ("assistant-web", "assistant-app", "assistant-api", "assistant-code")
#: Cumulative weights: in general, and for code.
PRODUCT_WEIGHTS: Final = ((0.55, 0.9, 0.98, 1.0), (0.2, 0.3, 0.55, 1.0))

_SLOT = re.compile(r"\{(n|big|amount|pct|age|" + "|".join(texts.SLOTS) + r")\}")
_EXPLAINS = re.compile(
    r"(?:explain|show|tell|teach|quiz|ask me|help|work through|practice|interpret|discuss|walk|rehearse"
    r"|go over)\b"
)


#: Share of coursework and of personal use by SOC major group; of ``HOMEWORK`` tasks half is coursework.
COURSEWORK: Final = {"25": 0.06, "15": 0.07, "19": 0.16, "17": 0.10, "23": 0.06, "27": 0.05}
PERSONAL: Final = {"27": 0.14, "37": 0.25, "39": 0.25, "35": 0.20, "47": 0.20, "49": 0.25, "29": 0.12}
HOMEWORK: Final = (900375, 900376, 900378, 900383)
#: Work, coursework, personal use: what a request that does not say so looks like.
LIKELY_WORK: Final = ("likely", "non", "possibly")

_PLAIN = re.compile(r" (" + "|".join(map(re.escape, texts.WORDS)) + r")(?![\w'])")
_WRITES = re.compile(
    r"(?:write|draft|word|put together|put into|answer|reply|turn|tell [A-Z{]|announce|remind)\b"
)
#: Requests that speak to the assistant and cannot follow "I had to".
_ADDRESSED = re.compile(r"\w+ (?:me|us)\b")


@dataclass(frozen=True)
class Task:
    """A distinct task text: lowest task id, SOC major groups that hold it, and the kind of work it is."""

    task_id: int
    text: str
    groups: tuple[str, ...]
    group: str
    family: str
    skills: tuple[str, ...]
    requests: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()

    @cached_property
    def pattern_weights(self) -> list[float]:
        """Cumulative weights of ``texts.PATTERNS``: the family's mix, shifted a little by task."""
        shift = np.random.default_rng(self.task_id).dirichlet(np.full(len(texts.PATTERNS), 2.0))
        mix = np.array(texts.FAMILIES[self.family].patterns)
        return list(accumulate((0.8 * mix + 0.2 * mix * shift / (mix * shift).sum()).tolist()))


@dataclass(frozen=True)
class Account:
    """Who writes: pseudonym and what stays the same from one conversation to the next."""

    account_id: str
    country: str
    region: str | None
    organization: str | None
    heavy_models: bool


@dataclass(frozen=True)
class Row:
    """One conversation with its truth; ``None`` in the truth means that nothing can be expected."""

    turns: Turns | None
    kind: str
    outcome: str
    started_at: int | None = 0
    order: int = 0
    account: Account | None = None
    conversation_id: str | None = ""
    reason: str | None = None
    task: Task | None = None
    pattern: str | None = None
    uses: tuple[str, str, str] = ("non", "non", "possibly")
    language: str | None = "en"
    safety_flagged: bool | None = False
    changes: dict[str, object] = field(default_factory=dict)


class Draw:
    """Random choices from one numpy generator, drawn in blocks so that a single choice costs little."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._block: list[float] = []

    def unit(self) -> float:
        """A float in [0, 1)."""
        if not self._block:
            self._block = self._generator.random(8192).tolist()
        return self._block.pop()

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.unit() < probability

    def integer(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return low + int(self.unit() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[int(self.unit() * len(options))]

    def weighted(self, options: Sequence[T], cumulative: Sequence[float]) -> T:
        """One of the options; ``cumulative`` are running sums of their weights."""
        return options[int(np.searchsorted(cumulative, self.unit() * cumulative[-1], side="right"))]

    def token(self, length: int) -> str:
        """Random hexadecimal digits."""
        return "".join(self.pick("0123456789abcdef") for _ in range(length))

    def sizes(self, n: int, shares: Iterable[float]) -> list[int]:
        """Row counts for shares of ``n`` (rounded to the nearest)."""
        return [round(n * share) for share in shares]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def load_tasks(seeds_dir: Path) -> list[Task]:
    """Distinct task texts of the sample taxonomy, by task id."""
    statements = _rows(seeds_dir / "onet_task_statements.csv")
    activities: dict[str, str] = {}
    for row in _rows(seeds_dir / "onet_tasks_to_dwas.csv"):
        activities.setdefault(row["task_id"], row["dwa_id"])
    with (files("economic_index.sample") / "requests.jsonl").open(encoding="utf-8") as stream:
        written = {line["task_id"]: line for line in map(json.loads, stream)}
    holders: dict[str, list[dict[str, str]]] = {}
    for row in statements:
        holders.setdefault(row["task"], []).append(row)
    tasks = []
    for text, rows in holders.items():
        task_id = min(int(row["task_id"]) for row in rows)
        groups = tuple(sorted({row["onet_soc_code"][:2] for row in rows}))
        activity = next((activities[row["task_id"]] for row in rows if row["task_id"] in activities), "")
        family, skills = texts.ACTIVITIES.get(activity) or texts.ACTIVITIES.get(
            activity.rpartition(".")[0], ("plan", ("critical_thinking",))
        )
        own = written.get(task_id, {})
        tasks.append(
            Task(
                task_id=task_id,
                text=text,
                groups=groups,
                group=own.get("group", rows[0]["onet_soc_code"][:2]),
                family=family,
                skills=skills,
                requests=tuple(own.get("requests", ())),
                reports=tuple(own.get("reports", ())),
            )
        )
    order = {task_id: rank for rank, task_id in enumerate(written)}
    return sorted(tasks, key=lambda task: (order.get(task.task_id, len(order)), task.task_id))


def task_weights(tasks: Sequence[Task]) -> list[float]:
    """Popularity of each task (sums to 1): shares of the groups, a heavy tail within each."""
    weights = dict.fromkeys((task.task_id for task in tasks), 0.0)
    for group in sorted({task.group for task in tasks}):
        members = [task for task in tasks if task.group == group]
        share = GROUP_SHARES.get(group, SMALL_SHARE)
        head = [task for task in members if task.requests]
        tail = [task for task in members if not task.requests]
        shape = SHAPES.get(group, SMALL_SHAPE)
        for part, part_share, (offset, slope) in (
            (head, 1 - TAIL_SHARE, shape),
            (tail, TAIL_SHARE, TAIL_SHAPE),
        ):
            ranks = [(rank + 1 + offset) ** -slope for rank in range(len(part))]
            for task, rank_weight in zip(part, ranks, strict=True):
                weights[task.task_id] = share * part_share * rank_weight / sum(ranks)
    for task_id in DOMINATED:
        if task_id in weights:
            weights[task_id] = max(weights[task_id], DOMINATED_WEIGHT)
    total = sum(weights.values())
    return [weights[task.task_id] / total for task in tasks]


def make_accounts(n: int, draw: Draw) -> tuple[list[Account], list[float]]:
    """Accounts (45 to a hundred conversations, many of them idle) with cumulative Zipf weights."""
    country_weights = list(accumulate(weight for _, weight, _, _ in COUNTRIES))
    organizations = [f"org-{draw.token(6)}" for _ in range(40)]
    organization_weights = list(accumulate((rank + 1) ** -0.9 for rank in range(len(organizations))))
    accounts = []
    for _ in range(max(30, n * 45 // 100)):
        country, _, _, regions = draw.weighted(COUNTRIES, country_weights)
        accounts.append(
            Account(
                account_id=f"acct-{draw.token(12)}",
                country=country,
                region=draw.pick(regions) if regions and draw.chance(0.8) else None,
                organization=draw.weighted(organizations, organization_weights) if draw.chance(0.4) else None,
                heavy_models=draw.chance(0.3),
            )
        )
    return accounts, list(accumulate((rank + 6) ** -0.8 for rank in range(len(accounts))))


class Writer:
    """Turns a task and a pattern into messages."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def fill(self, template: str, **given: str) -> str:
        """The template with its slots filled; ``given`` goes before random values."""
        for name, value in given.items():
            template = template.replace(f"{{{name}}}", value)
        return _SLOT.sub(self._slot, template)

    def _slot(self, match: re.Match[str]) -> str:
        draw, name = self._draw, match[1]
        if name == "n":
            return str(draw.integer(3, 29))
        if name == "big":
            return str(draw.integer(12, 940) * draw.pick((1, 1, 10)))
        if name == "amount":
            return f"{draw.integer(11, 980) * 10:,}"
        if name == "pct":
            return str(draw.integer(2, 78))
        if name == "age":
            return str(draw.integer(19, 88))
        return draw.pick(texts.SLOTS[name])

    def request(self, task: Task) -> str:
        """A verb phrase that asks for the task in everyday words."""
        if task.requests:
            return self.fill(self._draw.pick(task.requests))
        return self._rewritten(task.text)

    def _rewritten(self, text: str) -> str:
        """The task text with another verb, plainer words, and often without its last clause."""
        draw = self._draw
        phrase = text[0].lower() + text[1:].rstrip(".")
        for joint in (" so that ", ", including ", " before ", " according to "):
            if joint in phrase and draw.chance(0.6):
                phrase = phrase.partition(joint)[0]
        words = phrase.split(" ")
        for count in (2, 1):
            verb = " ".join(words[:count])
            if verb in texts.VERBS:
                phrase = " ".join([draw.pick(texts.VERBS[verb]), *words[count:]])
                break
        phrase = _PLAIN.sub(lambda match: f" {self.fill(draw.pick(texts.WORDS[match[1]]))}", phrase)
        if draw.chance(0.7):
            phrase += self.fill(draw.pick((" at {firm}", " in {city}", " for {firm}", " by {day}")))
        return phrase

    def conversation(self, task: Task, pattern: str, cue: str) -> Turns:
        """User and assistant turns; ``cue`` is a sentence on what the person needs it for, or empty."""
        draw = self._draw
        if task.reports and pattern in ("directive", "feedback_loop") and draw.chance(0.45):
            voice = texts.FAMILIES[task.family]
            first = f"{_capital(self.fill(draw.pick(task.reports)))}. {draw.pick(texts.TROUBLE)}".rstrip()
        else:
            phrase = self.request(task)
            voice = texts.FAMILIES[_voice(phrase, task.family)]
            first = self._opening(phrase, pattern, voice)
        if cue:
            first = f"{_ended(first)} {self.fill(cue)}"
        elif pattern != "none" and draw.chance(0.4):
            first = f"{_ended(first)} {self.fill(draw.pick(texts.DETAILS))}"
        turns: Turns = [("user", self._typed(first))]
        if pattern == "none":
            return [*turns, ("assistant", "Noted.")] if draw.chance(0.5) else turns
        if pattern == "directive" and draw.chance(0.14):
            return turns
        turns.append(("assistant", self.fill(draw.pick(voice.reply))))
        follow, rounds = {
            "feedback_loop": (voice.back, draw.integer(1, 2)),
            "task_iteration": (voice.refine, draw.integer(1, 2)),
            "learning": (texts.ASK_AGAIN, draw.integer(0, 1)),
        }.get(pattern, ((), 0))
        for asked, answered in zip(self._some(follow, rounds), self._some(voice.more, rounds), strict=True):
            turns += [("user", self.fill(asked)), ("assistant", self.fill(answered))]
        if rounds == 0 and draw.chance(0.12):
            turns.append(("user", draw.pick(texts.THANKS)))
        return turns

    def _some(self, options: Sequence[str], count: int) -> list[str]:
        """``count`` different options, next to each other in the pool."""
        start = self._draw.integer(0, max(0, len(options) - 1))
        return [options[(start + step) % len(options)] for step in range(count)]

    def _opening(self, phrase: str, pattern: str, voice: texts.Family) -> str:
        draft = ""
        addressed = _ADDRESSED.match(phrase) is not None
        if pattern == "learning":
            template = self._draw.pick(texts.LEARN_WHAT if _EXPLAINS.match(phrase) else texts.LEARN_HOW)
        elif pattern == "validation" and not addressed:
            template = self._draw.pick(texts.VALIDATE)
            draft = self.fill(self._draw.pick(voice.draft))
        elif pattern == "none":
            template = self._draw.pick(texts.NO_PATTERN[:1] if addressed else texts.NO_PATTERN)
        else:
            template = texts.DIRECTIVE[0] if self._draw.chance(0.25) else self._draw.pick(texts.DIRECTIVE)
        return self.fill(template, vp=phrase, Vp=_capital(phrase), draft=draft)

    def _typed(self, text: str) -> str:
        """As people type: a share without capitals or full stops, and some slips of the finger."""
        draw = self._draw
        if draw.chance(0.22):
            text = text[0].lower() + text[1:].rstrip(".")
        if draw.chance(0.06) and len(text) > 20:
            at = draw.integer(8, len(text) - 3)
            if text[at].isalpha() and text[at + 1].isalpha():
                text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        return text


def _voice(phrase: str, family: str) -> str:
    """The family whose replies fit the request: a letter about money is answered as a letter."""
    if _WRITES.match(phrase) and family not in ("code", "write", "serve"):
        return "write"
    if _EXPLAINS.match(phrase) and family in ("write", "edit", "plan", "serve"):
        return "teach"
    return family


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _ended(text: str) -> str:
    return text if text[-1] in ".!?" else f"{text}."


class Generator:
    """All kinds of rows of one sample."""

    def __init__(self, n: int, seed: int, seeds_dir: Path) -> None:
        self.n = n
        self.draw = Draw(seed)
        self.writer = Writer(self.draw)
        self.tasks = load_tasks(seeds_dir)
        self.by_id = {task.task_id: task for task in self.tasks}
        self.weights = list(accumulate(task_weights(self.tasks)))
        self.accounts, self.account_weights = make_accounts(n, self.draw)
        first = len(self.accounts) // 100
        self.heavy: dict[int, list[Account]] = {}
        for task_id, count in DOMINATED.items():
            self.heavy[task_id] = self.accounts[first : first + count]
            first += count

    def rows(self) -> list[Row]:
        """``n`` rows in the order of the log."""
        shares = (CHATTER, UNCOVERED, HOSTILE, FLAGGED, DUPLICATE, BROKEN)
        n_chatter, n_uncovered, n_hostile, n_flagged, n_duplicate, n_broken = self.draw.sizes(self.n, shares)
        n_work = self.n - sum((n_chatter, n_uncovered, n_hostile, n_flagged, n_duplicate, n_broken))
        rows = [
            self._placed(row)
            for make, count in (
                (self._work, n_work),
                (self._chatter, n_chatter),
                (self._uncovered, n_uncovered),
                (self._hostile, n_hostile),
                (self._flagged, n_flagged),
            )
            for row in (make(index) for index in range(count))
        ]
        work = rows[:n_work]
        rows += [self._repeated(self.draw.pick(work)) for _ in range(n_duplicate)]
        rows += [self._broken(index, rows) for index in range(self.n - len(rows))]
        rows.sort(key=lambda row: (row.order, row.conversation_id or ""))
        return self._resolved(rows)

    def _placed(self, row: Row) -> Row:
        """The row with an id, a time on one of the days, and an account."""
        draw = self.draw
        day = draw.integer(0, DAYS - 1)
        if day % 7 > 4 and draw.chance(0.5):
            day = draw.integer(0, DAYS - 1)
        moment = START + day * DAY + draw.pick(HOURS) * 3_600_000_000 + int(draw.unit() * 3_600_000_000)
        heavy = self.heavy.get(row.task.task_id if row.task else 0)
        if heavy and draw.chance(DOMINATED_SHARE):
            account: Account | None = draw.pick(heavy)
        else:
            account = draw.weighted(self.accounts, self.account_weights)
        if row.kind == "request" and draw.chance(MISSING_ACCOUNT):
            account = None
        identifier = f"sample-{draw.token(16)}"
        return replace(row, started_at=moment, order=moment, account=account, conversation_id=identifier)

    def _work(self, index: int) -> Row:
        draw = self.draw
        if draw.chance(OTHER_LANGUAGE):
            foreign = draw.pick(texts.OTHER_LANGUAGES)
            return Row(
                [("user", self.writer.fill(foreign.text)), ("assistant", foreign.reply)],
                kind="other_language",
                outcome="classified",
                task=self.by_id[foreign.task_id],
                pattern=foreign.pattern,
                uses=LIKELY_WORK,
                language=foreign.language,
            )
        task = draw.weighted(self.tasks, self.weights)
        pattern = draw.weighted(texts.PATTERNS, task.pattern_weights)
        cue, uses = self._use(task)
        turns = self.writer.conversation(task, pattern, cue)
        kind = "request" if task.requests else "rewrite"
        return Row(turns, kind, "classified", task=task, pattern=pattern, uses=uses)

    def _use(self, task: Task) -> tuple[str, tuple[str, str, str]]:
        """A sentence that shows the use (or nothing) and how likely work, coursework and personal use are."""
        draw = self.draw
        coursework = 0.5 if task.task_id in HOMEWORK else COURSEWORK.get(task.group, 0.02)
        personal = PERSONAL.get(task.group, 0.05)
        value = draw.unit()
        if value < coursework:
            return draw.pick(texts.COURSEWORK_CUES), ("non", "explicitly", "non")
        if value < coursework + personal:
            return draw.pick(texts.PERSONAL_CUES), ("non", "non", "explicitly")
        if draw.chance(0.22):
            return draw.pick(texts.WORK_CUES), ("explicitly", "non", "non")
        return "", ("likely", "possibly" if task.family == "teach" else "non", "possibly")

    def _chatter(self, index: int) -> Row:
        draw, fill = self.draw, self.writer.fill
        turns: Turns = [("user", fill(draw.pick(texts.CHATTER)))]
        if draw.chance(0.85):
            turns.append(("assistant", fill(draw.pick(texts.CHATTER_REPLY))))
            if draw.chance(0.4):
                turns.append(("user", fill(draw.pick(texts.CHATTER_MORE))))
        return Row(turns, "chatter", "screened_out", pattern="none", uses=("non", "non", "likely"))

    def _uncovered(self, index: int) -> Row:
        phrase = self.writer.fill(self.draw.pick(texts.UNCOVERED))
        opening = self.writer.fill(self.draw.pick(texts.DIRECTIVE), vp=phrase, Vp=_capital(phrase))
        turns: Turns = [("user", f"{_ended(opening)} {self.writer.fill(self.draw.pick(texts.DETAILS))}")]
        turns.append(("assistant", self.draw.pick(texts.FAMILIES["hands"].reply)))
        return Row(turns, "uncovered", "none", pattern="directive", uses=LIKELY_WORK)

    def _hostile(self, index: int) -> Row:
        draw = self.draw
        if index % 2:
            junk = texts.HOSTILE_JUNK[index // 2 % len(texts.HOSTILE_JUNK)]
            return Row([("user", self.writer.fill(junk))], "hostile", "screened_out", pattern="none")
        task = draw.weighted(self.tasks, self.weights)
        turns = self.writer.conversation(task, "directive", "")
        suffix = texts.HOSTILE_SUFFIX[index // 2 % len(texts.HOSTILE_SUFFIX)]
        turns[0] = ("user", f"{turns[0][1]}\n{suffix}")
        return Row(turns, "hostile", "classified", task=task, pattern="directive", uses=LIKELY_WORK)

    def _flagged(self, index: int) -> Row:
        if index % 2:
            row = self._work(index)
        else:
            text = self.writer.fill(self.draw.pick(texts.FLAGGED))
            turns: Turns = [("user", text), ("assistant", "I cannot help with that.")]
            row = Row(turns, "flagged", "safety_filtered")
        return replace(row, kind="flagged", outcome="safety_filtered", safety_flagged=True)

    def _repeated(self, original: Row) -> Row:
        """The same messages by the same account, some minutes later."""
        assert original.started_at is not None
        moment = min(original.started_at + self.draw.integer(20, 5400) * 1_000_000, START + DAYS * DAY - 1)
        return replace(
            original,
            kind="duplicate",
            outcome="duplicate",
            started_at=moment,
            order=moment + 1,
            conversation_id=f"sample-{self.draw.token(16)}",
        )

    def _broken(self, index: int, others: Sequence[Row]) -> Row:
        """A row with something wrong with it; the kinds take turns."""
        good = self._placed(replace(self._work(index), kind="broken"))
        kinds = self._broken_kinds()
        reason, change = kinds[index % len(kinds)]
        row = change(good, others)
        if reason is None:
            return row
        return replace(row, outcome="quarantined", reason=reason)

    def _broken_kinds(self) -> list[tuple[str | None, Callable[[Row, Sequence[Row]], Row]]]:
        """Expected reason (None: admitted all the same) and the change to a good row."""

        def turns(*messages: tuple[str | None, str | None]) -> Callable[[Row, Sequence[Row]], Row]:
            return lambda row, _: replace(row, turns=list(messages))

        def long_text(size: int) -> Callable[[Row, Sequence[Row]], Row]:
            return lambda row, _: replace(row, turns=_padded(row.turns or [], size))

        def column(name: str, value: object) -> Callable[[Row, Sequence[Row]], Row]:
            return lambda row, _: replace(row, changes={name: value})

        return [
            ("no_user_message", turns(("assistant", "How can I help you today?"))),
            ("no_user_message", turns(("user", ""), ("assistant", "You sent an empty message."))),
            ("no_user_message", turns(("user", " \n\t "))),
            ("no_messages", turns()),
            ("no_messages", lambda row, _: replace(row, turns=None)),
            ("unknown_role", turns(("system", "Be brief."), ("user", "list three rivers"))),
            ("unknown_role", turns(("user", "list three lakes"), ("tool", "{}"))),
            ("wrong_type", turns((None, "who am I"))),
            ("wrong_type", turns(("user", None))),
            ("duplicate_id", lambda row, others: _later_with_id_of(row, others[0])),
            ("duplicate_id", lambda row, others: _later_with_id_of(row, others[len(others) // 2])),
            ("bad_timestamp", lambda row, _: replace(row, started_at=YEAR_1)),
            ("bad_timestamp", lambda row, _: replace(row, started_at=YEAR_9999)),
            ("missing_timestamp", lambda row, _: replace(row, started_at=None)),
            ("missing_conversation_id", lambda row, _: replace(row, conversation_id=None)),
            ("missing_conversation_id", lambda row, _: replace(row, conversation_id="   ")),
            ("bad_conversation_id", lambda row, _: replace(row, conversation_id="sample-\n0001")),
            ("bad_conversation_id", lambda row, _: replace(row, conversation_id="sample-" + "9" * 300)),
            ("too_large", long_text(1_100_000)),
            ("wrong_type", column("input_tokens", -5)),
            ("wrong_type", column("product", "p" * 300)),
            (None, long_text(200_000)),
            (None, column("country_code", "Namibia")),
            (
                None,
                lambda row, _: replace(
                    row, turns=[("user", f"{row.turns[0][1]}\x00")] if row.turns else None
                ),
            ),
        ]

    def _resolved(self, rows: list[Row]) -> list[Row]:
        """Short messages collide by chance: the later of two equal ones of one account is a duplicate."""
        seen: set[tuple[object, ...]] = set()
        result = []
        for row in rows:
            if row.outcome != "quarantined":
                key = (row.account.account_id if row.account else None, tuple(row.turns or ()))
                if key in seen:
                    row = replace(row, outcome="duplicate")
                seen.add(key)
            result.append(row)
        return result

    def conversation(self, row: Row) -> dict[str, object]:
        """The row as the input contract wants it."""
        draw, account = self.draw, row.account
        family = row.task.family if row.task else "chat"
        technical = family in ("code", "data", "calc")
        heavy = technical or (account is not None and account.heavy_models)
        model = draw.weighted(MODELS, MODEL_WEIGHTS[heavy])
        thinking = draw.chance(0.8 if model == "model-reason" else 0.15)
        words = {"user": 0, "assistant": 0}
        for role, text in row.turns or []:
            if role in words:
                words[role] += len((text or "").split())
        values: dict[str, object] = {
            "conversation_id": row.conversation_id,
            "account_id": account.account_id if account else None,
            "started_at": row.started_at,
            "messages": row.turns and [{"role": role, "content": text} for role, text in row.turns],
            "model": model if draw.chance(0.99) else None,
            "product": draw.weighted(PRODUCTS, PRODUCT_WEIGHTS[family == "code"]),
            "language": row.language if draw.chance(0.98) else None,
            "country_code": account.country if account else None,
            "region_code": account.region if account else None,
            "organization_id": account.organization if account else None,
            "extended_thinking": thinking if draw.chance(0.97) else None,
            "safety_flagged": row.safety_flagged,
            "input_tokens": 4 + words["user"] * 4 // 3,
            "output_tokens": words["assistant"] * 4 // 3 * draw.integer(2, 9),
        }
        return values | row.changes


def _padded(turns: Turns, size: int) -> Turns:
    """The turns with ``size`` more characters of a pasted table in the first one."""
    line = "2026-06-01;depot 4;ok;0.00\n"
    (role, text), *rest = turns
    return [(role, f"{text}\n" + (line * (size // len(line) + 1))[:size]), *rest]


def _later_with_id_of(row: Row, other: Row) -> Row:
    """The row under the id of another one that comes before it."""
    moment = START + DAYS * DAY - 1
    return replace(row, conversation_id=other.conversation_id, started_at=moment, order=moment + 2)


def _truth(index: int, row: Row) -> dict[str, object]:
    work, coursework, personal = row.uses
    return {
        "input_row": index + 1,
        "conversation_id": row.conversation_id,
        "outcome": row.outcome,
        "reason": row.reason,
        "kind": row.kind,
        "task_id": row.task.task_id if row.task else None,
        "pattern": row.pattern,
        "skills": list(row.task.skills) if row.task else [],
        "soc_major": list(row.task.groups) if row.task else [],
        "work": work,
        "coursework": coursework,
        "personal": personal,
    }


def generate(n: int, seed: int, seeds_dir: Path) -> tuple[pa.Table, pa.Table]:
    """Conversations and what is to be expected of each.

    Args:
        n: Number of rows.
        seed: Same seed, same tables.
        seeds_dir: Folder of the sample taxonomy (``seeds/sample``).

    Returns:
        Conversations in the input contract (``started_at`` in naive UTC microseconds) and the truth, both of
        ``n`` rows in the same order (``input_row`` counts from 1, as the reader does).
    """
    generator = Generator(n, seed, seeds_dir)
    rows = generator.rows()
    conversations = [generator.conversation(row) for row in rows]
    truth = [_truth(index, row) for index, row in enumerate(rows)]
    return (
        pa.Table.from_pylist(conversations, schema=CONVERSATION_SCHEMA),
        pa.Table.from_pylist(truth, schema=TRUTH_SCHEMA),
    )


def write_sample(n: int, seed: int, output: Path, truth_output: Path, seeds_dir: Path) -> None:
    """Write both tables as Parquet files."""
    for table, path in zip(generate(n, seed, seeds_dir), (output, truth_output), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd")


def write_broken_jsonl(path: Path, seed: int) -> None:
    """Write lines with faults that only JSONL can hold: cut JSON, wrong types, lone surrogates, no UTF-8.

    The first and the last line are sound, so a reader that stops early shows.
    """
    draw = Draw(seed)

    def line(**changes: object) -> bytes:
        row: dict[str, object] = {
            "conversation_id": f"broken-{draw.token(12)}",
            "account_id": f"acct-{draw.token(8)}",
            "started_at": "2026-06-03T10:00:00Z",
            "messages": [{"role": "user", "content": f"add {draw.integer(2, 99)} and {draw.integer(2, 99)}"}],
        }
        return json.dumps(row | changes).encode()

    whole = line()
    text = "add these up"
    lines = [
        line(),
        whole[: len(whole) // 2],
        b"{'conversation_id': 'single quotes'}",
        b"not json at all",
        b"[1, 2, 3]",
        b'"only a text"',
        b"null",
        b"{}",
        b"   ",
        line(messages="hello"),
        line(messages={"role": "user", "content": text}),
        line(messages=[text]),
        line(messages=[["user", text]]),
        line(messages=[{"role": "user", "content": {"text": text}}]),
        line(messages=[{"role": "user", "content": 7}]),
        line(messages=[{"role": 1, "content": text}]),
        line(messages=[{"content": text}]),
        line(messages=None),
        line(started_at="yesterday"),
        line(started_at=1_780_000_000),
        line(started_at="2026-02-30T00:00:00Z"),
        line(conversation_id={"id": 1}),
        line(conversation_id=None),
        line(account_id=["a", "b"]),
        line(input_tokens="many"),
        line(safety_flagged="perhaps"),
        line(messages=[{"role": "user", "content": "cut emoji \ud83d here"}]),
        line(messages=[{"role": "user", "content": "nul \u0000 inside"}]),
        whole.replace(b"add", b"\xff\xfe\xe9"),
        b"\xef\xbb\xbf" + line(),
        b"[" * 3000,
        whole.replace(b'"add', b'"\x07add'),
        line(input_tokens=10**30),
        whole + whole,
        line(),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines) + b"\n")
