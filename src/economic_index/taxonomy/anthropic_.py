"""The proposer that asks Claude: the four steps of the paper's Appendix B.1 that need judgement.

Bounded in what it sends: a neighbourhood with its nearest outsiders per proposal; candidates in groups of
similar ones for deduplication; a dozen children with the union of their nearest parents per assignment, so
that 17,535 texts cost about 4 M input tokens and not the 146 M of "every task against every parent". Every
answer goes through the ledger: a killed build goes on where it was, and the same tasks are never paid for
twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from economic_index import embeddings
from economic_index.engines.anthropic.engine import Question
from economic_index.engines.anthropic.prompts import Prompt, read_prompts
from economic_index.engines.anthropic.render import (
    PAGE_AFTER,
    Parsed,
    Rendered,
    object_schema,
    one_line,
    read_object,
)
from economic_index.engines.asking import Progress, ask
from economic_index.engines.base import Answer, Engine, Request
from economic_index.engines.ledger import Ledger
from economic_index.engines.usage import Tally
from economic_index.errors import UserError
from economic_index.taxonomy.build import Candidate, Neighbourhood, Node, neighbourhoods
from economic_index.taxonomy.names import name_groups

VERSION = "1"
CHILDREN_PER_CALL = 12
NEAREST_PARENTS = 20
CANDIDATES_PER_CALL = 60
CHILDREN_FOR_A_NAME = 40
#: As long as a name may be in a release (disclosure.audit).
LONGEST_NAME = 160
STAGES = tuple(f"taxonomy_{step}" for step in ("propose", "dedupe", "assign", "rename"))
#: Nothing that the auditor would take for an address or an id may stand in a name.
_NO_NAME = re.compile(r"@|://|\d{5,}|[\x00-\x1f]")
_STRING = {"type": "string"}
_GROUPS = object_schema(
    {"groups": {"type": "array", "items": object_schema({"name": _STRING, "description": _STRING})}}
)
_NAME = object_schema({"name": _STRING, "description": _STRING})

Order = Callable[[int], NDArray[np.int64]]


@dataclass
class AnthropicProposer:
    """Proposes, deduplicates, assigns and renames with Claude.

    ``fallbacks`` counts by step what embeddings had to decide because no valid answer came after one repair.
    """

    engine: Engine
    ledger: Ledger
    seed: int = 0
    on_progress: Progress | None = None
    fallbacks: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def identity(self) -> dict[str, str]:
        """Implementation, models and prompts: what decides the answers."""
        return proposer_identity(self.engine)

    def usage(self) -> dict[str, dict[str, Any]]:
        """What the answers so far cost, those that the ledger held included."""
        self.tally.name_models(_models(self.engine))
        return self.tally.as_rows()

    def propose(self, neighbourhoods: Sequence[Neighbourhood]) -> list[list[Candidate]]:
        """Between ``at_least`` and ``at_most`` candidates for each neighbourhood; more are cut, fewer
        stand."""
        answers = self._ask([propose_question(seen) for seen in neighbourhoods])
        named = [self._groups(answer, "propose") for answer in answers]
        for position, seen in enumerate(neighbourhoods):
            named[position] = named[position][: seen.at_most] or [_fallback_name(seen.members)]
        return self._candidates(named)

    def deduplicate(self, candidates: Sequence[Candidate], target: int) -> list[Candidate]:
        """At most ``target`` candidates: similar ones are merged together, each group to its share of the
        target."""
        if len(candidates) <= 1:
            return list(candidates)
        groups = self._similar(candidates)
        shares = _shares([len(group) for group in groups], target)
        answers = self._ask(
            [deduplicate_question([candidates[i] for i in g], n) for g, n in zip(groups, shares, strict=True)]
        )
        named = []
        for answer, group, share in zip(answers, groups, shares, strict=True):
            kept = self._groups(answer, "deduplicate")[:share]
            named.append(kept or [(candidates[i].name, candidates[i].description) for i in group][:share])
        distinct: dict[str, Candidate] = {}
        for found in self._candidates(named):
            for candidate in found:
                distinct.setdefault(candidate.name.casefold(), candidate)
        return list(distinct.values())[:target]

    def assign(self, children: Sequence[Node], parents: Sequence[Candidate], order: Order) -> list[int]:
        """Best parent of each child among the nearest of its group, shown in a shuffled order."""
        vectors = np.stack([child.vector for child in children])
        centres = np.stack([parent.vector for parent in parents])
        nearest = _nearest(vectors, centres, min(NEAREST_PARENTS, len(parents)))
        chosen = [int(row[0]) for row in nearest]
        groups = list(_runs(np.argsort(nearest[:, 0], kind="stable"), CHILDREN_PER_CALL))
        offers = [_offer(nearest[group], order(int(group[0]))) for group in groups]
        questions = [
            assign_question([children[i] for i in group], [parents[i] for i in offer])
            for group, offer in zip(groups, offers, strict=True)
        ]
        for answer, group, offer in zip(self._ask(questions), groups, offers, strict=True):
            if answer.status != "ok" or answer.summary is None:
                self._fell_back("assign", len(group))
                continue
            for place, child in enumerate(group):
                chosen[int(child)] = int(offer[json.loads(answer.summary)[place]])
        return chosen

    def rename(self, groups: Sequence[Sequence[Node]]) -> list[tuple[str, str]]:
        """A name and description for each group from its most typical children; names are unique."""
        answers = self._ask([rename_question(_typical(group)) for group in groups])
        plain = name_groups(groups)
        names: list[tuple[str, str]] = []
        taken: set[str] = set()
        for answer, fallback in zip(answers, plain, strict=True):
            found = self._groups(answer, "rename")[:1]
            name, description = found[0] if found else fallback
            if name.casefold() in taken:
                self._fell_back("rename_unique", 1)
                plainly = fallback[0]
                name = plainly if plainly.casefold() not in taken else f"{plainly} ({len(names) + 1})"
            taken.add(name.casefold())
            names.append((name, description))
        return names

    def _ask(self, rendered: Sequence[Rendered]) -> list[Answer]:
        requests: list[Request] = [Question.of(entry) for entry in rendered]
        answers = ask(self.engine, self.ledger, requests, self.on_progress, self.tally)
        stopped = sum(answer.status == "failed" for answer in answers)
        if stopped:
            reason = next(str(answer.reason) for answer in answers if answer.status == "failed")
            raise UserError(
                f"The task hierarchy stopped with {stopped:,} of {len(answers):,} questions open "
                f"({reason}); run again to go on from here, with a higher max_cost if the reason is budget."
            )
        return answers

    def _groups(self, answer: Answer, step: str) -> list[tuple[str, str]]:
        if answer.status != "ok" or answer.summary is None:
            self._fell_back(step, 1)
            return []
        return [(name, description) for name, description in json.loads(answer.summary)]

    def _fell_back(self, step: str, count: int) -> None:
        self.fallbacks[step] = self.fallbacks.get(step, 0) + count

    def _candidates(self, named: Sequence[Sequence[tuple[str, str]]]) -> list[list[Candidate]]:
        flat = [name for names in named for name, _ in names]
        vectors = iter(embeddings.encode(flat))
        return [[Candidate(name, text, next(vectors)) for name, text in names] for names in named]

    def _similar(self, candidates: Sequence[Candidate]) -> list[list[int]]:
        """Positions of the candidates in groups of similar ones, none larger than a call takes."""
        labels = neighbourhoods(np.stack([c.vector for c in candidates]), CANDIDATES_PER_CALL, self.seed)
        groups = []
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            groups += [[int(i) for i in run] for run in _runs(rows, 2 * CANDIDATES_PER_CALL)]
        return groups


def proposer_identity(engine: Engine) -> dict[str, str]:
    """What decides the answers of an ``AnthropicProposer`` on this engine, and no more: a model or a prompt of
    the labelling makes no new hierarchy. Asks nothing and needs no key."""
    prompts = {k: v for k, v in engine.identity().items() if k.startswith("prompt_taxonomy_")}
    return {"name": "anthropic", "version": VERSION, **_models(engine), **prompts}


def _models(engine: Engine) -> dict[str, str]:
    """The model of each step, as ``model_<stage>``."""
    known = engine.identity()
    default = known.get("model_taxonomy") or known.get("model_default", "")
    return {f"model_{stage}": known.get(f"model_{stage}") or default for stage in STAGES}


def _prompt(name: str) -> Prompt:
    return read_prompts()[f"taxonomy_{name}"]


def _rendered(
    step: str, text: str, user: str, schema: dict[str, Any], reader: Callable[[str], Parsed]
) -> Rendered:
    prompt = _prompt(step)
    return Rendered(f"taxonomy_{step}", text, user, schema, prompt.max_tokens, (), prompt, False, reader)


def _listed(texts: Sequence[str], tag: str = "items") -> str:
    name = tag.partition(" ")[0]
    lines = "\n".join(f"{place}: {one_line(text)}" for place, text in enumerate(texts, 1))
    return f"<{tag}>\n{lines}\n</{name}>"


def _described(name: str, description: str) -> str:
    return f"{name} :: {description}" if description else name


def _bounded(step: str, low: int, high: int) -> str:
    return _prompt(step).text.replace("{low}", str(low)).replace("{high}", str(high))


def propose_question(seen: Neighbourhood) -> Rendered:
    """The question for candidates of a neighbourhood."""
    text = _bounded("propose", seen.at_least, seen.at_most)
    members = _listed([_described(node.name, node.description) for node in seen.members])
    outside = "\n".join(f"- {one_line(node.name)}" for node in seen.outsiders)
    user = f"Members:\n{members}" + (f"\n\nNeighbours outside:\n{outside}" if outside else "")
    return _rendered("propose", text, user, _GROUPS, _read_groups)


def deduplicate_question(candidates: Sequence[Candidate], share: int) -> Rendered:
    """The question which of similar candidates are the same, down to ``share``."""
    text = _bounded("dedupe", max(1, (2 * share) // 3), share)
    user = _listed([_described(c.name, c.description) for c in candidates])
    return _rendered("dedupe", text, user, _GROUPS, _read_groups)


def assign_question(children: Sequence[Node], parents: Sequence[Candidate]) -> Rendered:
    """The question for the parent of each child, among those shown in this order."""
    offered = _listed([_described(p.name, p.description) for p in parents], 'options for="parent"')
    items = _listed([_described(child.name, child.description) for child in children])
    pair = object_schema(
        {
            "item": {"type": "integer", "enum": list(range(1, len(children) + 1))},
            "parent": {"type": "integer", "enum": list(range(1, len(parents) + 1))},
        }
    )
    schema = object_schema({"assignments": {"type": "array", "items": pair}})
    reader = partial(_read_assignments, len(children), len(parents))
    return _rendered("assign", _prompt("assign").text, f"{offered}\n\n{items}", schema, reader)


def rename_question(children: Sequence[Node]) -> Rendered:
    """The question for the name of a parent with these children."""
    user = _listed([_described(child.name, child.description) for child in children])
    return _rendered("rename", _prompt("rename").text, user, _NAME, _read_name)


def _read_groups(text: str) -> Parsed:
    """Names with descriptions, as a JSON list of pairs."""
    record = read_object(text)
    if record is None:
        return Parsed(problem="not_json")
    pairs = [_pair(entry) for entry in record.get("groups") or ()]
    if not pairs or None in pairs:
        return Parsed(problem="missing_field")
    return Parsed(summary=json.dumps(pairs))


def _read_name(text: str) -> Parsed:
    pair = _pair(read_object(text))
    return Parsed(problem="missing_field") if pair is None else Parsed(summary=json.dumps([pair]))


def _pair(entry: Any) -> tuple[str, str] | None:
    """A clean (name, description); None when there is no name."""
    if not isinstance(entry, dict):
        return None
    name, description = entry.get("name"), entry.get("description")
    if not isinstance(name, str) or not name.strip() or not isinstance(description, str):
        return None
    if _NO_NAME.search(" ".join(name.split())):
        return None
    return " ".join(name.split())[:LONGEST_NAME], " ".join(description.split())[: 2 * LONGEST_NAME]


def _read_assignments(n_items: int, n_parents: int, text: str) -> Parsed:
    """The position of the parent of each item, as a JSON list; every item exactly once."""
    record = read_object(text)
    if record is None:
        return Parsed(problem="not_json")
    places: dict[int, int] = {}
    for entry in record.get("assignments") or ():
        try:
            item, parent = int(entry["item"]), int(entry["parent"])
        except (KeyError, TypeError, ValueError):
            return Parsed(problem="missing_field")
        if not (1 <= item <= n_items and 1 <= parent <= n_parents) or item in places:
            return Parsed(problem="option_not_offered")
        places[item] = parent - 1
    if len(places) != n_items:
        return Parsed(problem="missing_field")
    return Parsed(summary=json.dumps([places[item] for item in range(1, n_items + 1)]))


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Positions (n, count) of the nearest centres of each row, nearest first."""
    out = np.empty((len(vectors), count), dtype=np.int64)
    for start in range(0, len(vectors), 2_000):
        likeness = vectors[start : start + 2_000] @ centres.T
        out[start : start + 2_000] = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
    return out


def _offer(nearest: NDArray[np.int64], order: NDArray[np.int64]) -> list[int]:
    """The parents shown to a group: each child's nearest, by turns up to what an enum may hold; shuffled."""
    kept = list(dict.fromkeys(int(p) for column in nearest.T for p in column))[:PAGE_AFTER]
    place = {int(parent): position for position, parent in enumerate(order)}
    return sorted(kept, key=lambda parent: place[parent])


def _runs(positions: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _shares(sizes: Sequence[int], target: int) -> list[int]:
    """The target split in proportion to the sizes, at least one each and no more than there are
    candidates."""
    total = sum(sizes)
    return [max(1, min(size, round(target * size / total))) for size in sizes]


def _typical(group: Sequence[Node]) -> list[Node]:
    """The children nearest to their mean, at most as many as a name needs."""
    if len(group) <= CHILDREN_FOR_A_NAME:
        return list(group)
    vectors = np.stack([child.vector for child in group])
    likeness = vectors @ vectors.mean(axis=0)
    kept = np.sort(np.argsort(-likeness, kind="stable")[:CHILDREN_FOR_A_NAME])
    return [group[int(i)] for i in kept]


def _fallback_name(members: Sequence[Node]) -> tuple[str, str]:
    return name_groups([list(members)])[0]
