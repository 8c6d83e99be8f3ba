"""What a task hierarchy by Claude would cost, before anything is sent: the questions of ``anthropic_``, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from math import ceil

import numpy as np

from economic_index.engines.anthropic.estimate import MODES, Asked, Estimate, estimate_questions
from economic_index.engines.anthropic.money import PriceTable
from economic_index.engines.anthropic.render import PAGE_AFTER
from economic_index.taxonomy.anthropic_ import (
    CANDIDATES_PER_CALL,
    CHILDREN_FOR_A_NAME,
    CHILDREN_PER_CALL,
    NEAREST_PARENTS,
    assign_question,
    deduplicate_question,
    propose_question,
    rename_question,
)
from economic_index.taxonomy.build import Candidate, Neighbourhood, Node, Recipe, level_sizes

#: Parents shown to a dozen similar children, as a multiple of what one of them is shown.
_UNION = 2.5
#: Tokens of an answer: a name with its description, and one assignment.
_NAME_TOKENS, _PAIR_TOKENS = 45.0, 14.0
_NAME = "Prepare and explain records of some kind for people of another kind"
_TEXT = "Work on records of a kind, their checks and what follows from them for those who asked."


def estimate_hierarchy(
    texts: Sequence[str],
    recipe: Recipe,
    models: Mapping[str, str],
    prices: PriceTable,
    modes: Sequence[str] = MODES,
) -> list[Estimate]:
    """One line per mode for the hierarchy over ``texts`` (distinct task statements), paid once for all later runs.

    Raises:
        UserError: a recipe that cannot be carried out on so few tasks.
    """
    sizes = level_sizes(len(texts), recipe.checked().levels, recipe.n_top)
    asked: list[Asked] = []
    for level in range(recipe.levels - 2, -1, -1):
        children = _nodes(texts) if level == recipe.levels - 2 else [_node(_NAME, _TEXT)]
        asked += _one_level(children, sizes[level + 1], sizes[level], recipe)
    return [estimate_questions("taxonomy", mode, asked, models, prices) for mode in modes]


def _one_level(children: Sequence[Node], n_children: int, n_parents: int, recipe: Recipe) -> list[Asked]:
    """The four kinds of question about one level; ``children``: typical nodes below."""
    members = tuple(_some(children, min(n_children, recipe.neighbourhood)))
    outside = tuple(_some(children, min(recipe.outsiders, max(0, n_children - len(members)))))
    per_neighbourhood = max(1, ceil(1.5 * n_parents * len(members) / n_children))
    proposed = ceil(n_children / recipe.neighbourhood) * per_neighbourhood
    group = min(proposed, CANDIDATES_PER_CALL)
    kept = max(1, round(group * n_parents / proposed))
    shown = min(n_parents, PAGE_AFTER, round(_UNION * NEAREST_PARENTS))
    dozen = _some(children, min(n_children, CHILDREN_PER_CALL))
    typical = _some(children, max(1, min(CHILDREN_FOR_A_NAME, round(n_children / n_parents))))
    seen = Neighbourhood(members, outside, 1, per_neighbourhood)
    candidate = Candidate(_NAME, _TEXT, np.zeros(1, dtype=np.float32))
    return [
        Asked(
            propose_question(seen),
            ceil(n_children / recipe.neighbourhood),
            _NAME_TOKENS * max(1.0, 0.75 * per_neighbourhood),
        ),
        Asked(deduplicate_question([candidate] * group, kept), ceil(proposed / group), _NAME_TOKENS * kept),
        Asked(
            assign_question(dozen, [candidate] * shown),
            ceil(n_children / CHILDREN_PER_CALL),
            _PAIR_TOKENS * len(dozen),
        ),
        Asked(rename_question(typical), n_parents, _NAME_TOKENS),
    ]


def _node(name: str, description: str = "") -> Node:
    return Node(name, description, np.zeros(1, dtype=np.float32), (0,))


def _nodes(texts: Sequence[str]) -> list[Node]:
    """An even sample of the statements, so that their mean length is about right."""
    step = max(1, len(texts) // 200)
    return [_node(text) for text in islice(sorted(texts), 0, None, step)]


def _some(nodes: Sequence[Node], count: int) -> list[Node]:
    """``count`` of the nodes, evenly spread, repeated where there are too few."""
    return [nodes[(i * max(1, len(nodes) // max(1, count))) % len(nodes)] for i in range(count)]
