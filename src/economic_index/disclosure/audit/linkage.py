"""Joint bounds over all released tables (attacks A1, A2, A6, A15): what the whole release says about each
withheld cell.

The system has one unknown for every count that is hidden behind a residual, one for every published leaf
(known within its rounding), and one row for every equation an outsider can write down:

* a hidden block is the sum of its patterns; a rest by pattern is the sum of that pattern over the hidden
blocks;
* a SOC group's conversations are the sum of its answers about use, published, hidden or not given;
* a node's conversations are the sum of its models.

Withheld tasks stand in exactly one residual each, so their bounds are closed forms: none, or the whole
residual.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from economic_index.disclosure.audit.catalogue import FLOOR_CONVERSATIONS
from economic_index.disclosure.audit.equations import _SOC_RESIDUALS, REST_OF_ALL, REST_OF_GROUP
from economic_index.disclosure.audit.findings import NOTE, Collector
from economic_index.disclosure.audit.system import EPSILON, INFINITE, Bounds, Solver, System, bound

WIDTH = 10.0
# Where a unit has fewer conversations, a pattern that nobody shows must not be provable (policy column
# zero_closure_below).
ZERO_CLOSURE_BELOW = 500
N_WORST = 20
SECONDS_OF_CUBE = 60.0
SEVERAL = "several"
WORLDS_SCHEMA = pa.schema(
    [
        ("rank", pa.int32()),
        ("cell", pa.string()),
        ("bound", pa.string()),
        ("unknown", pa.string()),
        ("value", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Target:
    """A withheld count.

    Attributes:
        family: for the report.
        unknown: its number in the system.
        group: the row of the table it stands in.
        parent: conversations of that row, as released.
        is_group: several cells together (a residual of many tasks): only its size can be known, not whose it
        is.
    """

    family: str
    unknown: int
    group: int
    parent: float
    is_group: bool = False


@dataclass
class Linked:
    """The joint system of a release and its targets."""

    system: System = field(default_factory=System)
    targets: list[Target] = field(default_factory=list)
    base: int = 5
    _groups: int = 0

    def rounded(self, value: float, n_blocks: int = 1) -> tuple[float, float]:
        """Interval of a true count behind a sum of ``n_blocks`` rounded blocks, each at least at the
        floor.
        """
        slack = (self.base - 1) * n_blocks
        return max(float(FLOOR_CONVERSATIONS), value - slack), value + slack

    def target(self, family: str, unknown: int, group: int, parent: float, is_group: bool = False) -> None:
        """Add a target."""
        self.targets.append(Target(family, unknown, group, parent, is_group))

    def new_group(self) -> int:
        """A number for a row of a table."""
        self._groups += 1
        return self._groups


@dataclass
class Block:
    """A block of the spine: a published leaf (``hidden`` empty) or one that hides patterns."""

    name: str
    group: str
    unknown: int
    released: float
    hidden: dict[str, int] = field(default_factory=dict)


def check_linkage(
    connection: duckdb.DuckDBPyConnection,
    found: Collector,
    *,
    on_step: Callable[[str], None] | None = None,
    seconds: float = 300.0,
    is_cubed: bool = True,
) -> dict[str, Any]:
    """Bound every withheld cell over all released tables together; findings where one is known too well.

    Args:
        connection: with the tables of the release and ``ref_*``.
        seconds: time for single linear programs; cells undecided after it are a finding.
        is_cubed: bound the tables by country once more, over country, SOC group and pattern.

    Returns:
        figures: per family the number of withheld cells, how many are exact, narrower than 10, proven
        present or proven empty, and the narrowest interval; size of the system; the worst cells (``worst``)
        and their worlds (``worlds``).
    """
    say = on_step or (lambda _: None)
    say("joint system")
    linked = Linked(base=_rounding_base(connection))
    blocks = _spine(connection, linked)
    _rests(connection, linked, blocks)
    _composition(connection, linked, blocks)
    by_group, by_pattern = _geography(connection, linked, blocks)
    _models(connection, linked, blocks)
    _single_tables(connection, linked)
    families = _task_candidates(connection, found)
    say(f"joint bounds of {len(linked.targets):,} withheld cells")
    figures: dict[str, Any] = {
        "n_unknowns": len(linked.system.names),
        "n_equations": len(linked.system.rows),
        "families": families,
    }
    if not linked.targets:
        return figures
    solver = Solver(linked.system)
    unknowns = np.array([target.unknown for target in linked.targets])
    groups = np.array([target.group for target in linked.targets])
    bounds = bound(linked.system, unknowns, groups, width=WIDTH, seconds=seconds, solver=solver)
    if bounds is None:
        found.add(
            "linkage",
            "A2",
            "release",
            "*",
            "No world agrees with all tables: two of them contradict each other.",
        )
        return figures
    figures["n_linear_programs"] = bounds.n_solves
    if not bounds.is_complete:
        found.add("linkage", "A2", "release", "*", "The time ran out before every withheld cell was bounded.")
    families.update(_judge(linked, bounds, found))
    figures["worst"], figures["worlds"] = _worst(linked, bounds, solver)
    if by_pattern and is_cubed:
        say("country x SOC group x pattern")
        figures["cube"] = _check_cube(linked, blocks, by_group, by_pattern, found)
    return figures


def _check_cube(
    linked: Linked,
    blocks: list[Block],
    by_group: dict[tuple[str, str], int],
    by_pattern: dict[tuple[str, str], int],
    found: Collector,
) -> dict[str, Any]:
    """Bound the cells of both country tables once more, with one unknown for each country, SOC group and pattern.

    Much the larger system, so it has a time of its own; cells that it does not reach keep the bounds of the tables.
    """
    _cube(linked, blocks, by_group, by_pattern)
    inside = {*by_group.values(), *by_pattern.values()}
    targets = [target for target in linked.targets if target.unknown in inside]
    figures: dict[str, Any] = {"n_unknowns": len(linked.system.names), "n_equations": len(linked.system.rows)}
    if not targets:
        return figures
    cube = Linked(linked.system, [replace(t, family=f"{t.family}, cubed") for t in targets], linked.base)
    bounds = bound(
        linked.system,
        np.array([target.unknown for target in targets]),
        np.array([target.group for target in targets]),
        width=WIDTH,
        seconds=SECONDS_OF_CUBE,
    )
    if bounds is None:
        found.add(
            "linkage",
            "A2",
            "country x pattern",
            "*",
            "No world of countries, SOC groups and patterns agrees with all tables.",
        )
        return figures
    figures["is_complete"] = bounds.is_complete
    figures["n_linear_programs"] = bounds.n_solves
    if bounds.is_complete:
        figures["families"] = _judge(cube, bounds, found)
    else:
        found.add(
            "linkage",
            "A2",
            "country x pattern",
            "*",
            "The time ran out before every triple was bounded.",
            NOTE,
        )
    return figures


def _rounding_base(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute(
        "select max(cast(p.rounding_base as integer)) from ref_privacy_policies as p inner join "
        "release_manifest as m on m.item = 'privacy_policy' and m.value = p.policy"
    ).fetchone()
    return int(row[0]) if row and row[0] else 5


def _spine(connection: duckdb.DuckDBPyConnection, linked: Linked) -> list[Block]:
    """Blocks of the spine; hidden ones with an unknown for each pattern they may hold and one for no
    answer.
    """
    patterns = [
        str(p)
        for (p,) in connection.execute("select pattern from ref_collaboration_patterns order by 1").fetchall()
    ]
    groups = dict(
        connection.execute(
            f"select task_id, case when n_groups = 1 then soc_major_code else '{SEVERAL}' end from ref_tasks"
        ).fetchall()
    )
    shown = connection.execute(
        "select task_id, collaboration_pattern, n_conversations, n_accounts_at_least from "
        "task_collaboration_usage where pattern_level = 'pattern' and n_conversations is not null order "
        "by 1, 2"
    ).fetchall()
    blocks = []
    published: dict[int, set[str]] = {}
    for task, pattern, n, accounts in shown:
        published.setdefault(task, set()).add(pattern)
        low, high = linked.rounded(n)
        name = f"task|{task}|{pattern}"
        block = Block(
            name, str(groups.get(task, SEVERAL)), linked.system.unknown(name, max(low, accounts), high), n
        )
        blocks.append(block)
    by_name = {block.name: block for block in blocks}
    for task, open_patterns in published.items():
        if "not_attributed" in open_patterns:
            hidden = [pattern for pattern in patterns if pattern not in open_patterns]
            _hide(linked, by_name[f"task|{task}|not_attributed"], hidden, "task x pattern", False)
    residuals = connection.execute(
        f"""
        select 'occupation|' || onet_soc_code, substr(onet_soc_code, 1, 2), n_conversations_residual from
        occupation_usage
        where onet_soc_code <> 'unattributed' and n_conversations_residual is not null
        union all select 'soc|' || unit, unit, n from ({_SOC_RESIDUALS}) where n > 0
        union all select 'global', '{SEVERAL}', n_conversations from occupation_category_usage
        where soc_major_code = 'unattributed' and n_conversations is not null order by 1
        """
    ).fetchall()
    for name, group, n in residuals:
        block = Block(name, group, linked.system.unknown(name, *linked.rounded(n)), n)
        _hide(linked, block, patterns, "residual x pattern", True)
        blocks.append(block)
    return blocks


def _hide(linked: Linked, block: Block, patterns: Iterable[str], family: str, is_group: bool) -> None:
    group = linked.new_group()
    for pattern in patterns:
        unknown = linked.system.unknown(f"{block.name}|{pattern}")
        block.hidden[pattern] = unknown
        linked.target(family, unknown, group, block.released, is_group)
    block.hidden["unanswered"] = linked.system.unknown(f"{block.name}|unanswered")
    parts = list(block.hidden.values())
    linked.system.row([block.unknown, *parts], 0.0, 0.0, [1.0, *([-1.0] * len(parts))])


def _rests(connection: duckdb.DuckDBPyConnection, linked: Linked, blocks: list[Block]) -> None:
    """Rests by pattern: within SOC groups, and what is left over all of them."""
    of_group: dict[str, dict[str, float]] = {}
    for _, group, pattern, n in connection.execute(REST_OF_GROUP).fetchall():
        if n:
            of_group.setdefault(str(group), {})[str(pattern)] = float(n)
    left: dict[str, list[int]] = {}
    for group in sorted({block.group for block in blocks if block.hidden}):
        inside = [block for block in blocks if block.group == group and block.hidden]
        shown = of_group.get(group, {})
        closed: list[int] = []
        for pattern in sorted({pattern for block in inside for pattern in block.hidden}):
            parts = [block.hidden[pattern] for block in inside if pattern in block.hidden]
            if pattern in shown:
                linked.system.row(parts, *linked.rounded(shown[pattern]))
            else:
                left.setdefault(pattern, []).extend(parts)
                closed.extend(parts)
        if "not_attributed" in shown:
            linked.system.row(closed, *linked.rounded(shown["not_attributed"]))
        elif shown and closed:
            # Everything of the group is attributed to a pattern that is shown, so nothing is of another one.
            linked.system.row(closed, 0.0, 0.0)
    _last_rest(connection, linked, left)


def _last_rest(connection: duckdb.DuckDBPyConnection, linked: Linked, left: dict[str, list[int]]) -> None:
    shown = {str(pattern): float(n) for pattern, n in connection.execute(REST_OF_ALL).fetchall() if n}
    slacks = []
    for pattern, parts in sorted(left.items()):
        slack = linked.system.unknown(f"last|{pattern}")
        slacks.append(slack)
        # The rest of tasks of several groups and the last rest are added up in what is shown: two blocks at
        # most.
        low, high = linked.rounded(shown[pattern], 2) if pattern in shown else (0.0, 0.0)
        linked.system.row([*parts, slack], low, high, [*([1.0] * len(parts)), -1.0])
    if "not_attributed" in shown and slacks:
        linked.system.row(slacks, *linked.rounded(shown["not_attributed"]))
    elif shown and slacks:
        linked.system.row(slacks, 0.0, 0.0)


def _composition(connection: duckdb.DuckDBPyConnection, linked: Linked, blocks: list[Block]) -> None:
    """Answers about use within SOC groups, their residuals, and the rest of each answer over all groups."""
    rows = connection.execute(
        "select facet, soc_group, option_id, n_conversations from conversation_composition order by 1, 2, 3"
    ).fetchall()
    options: dict[str, list[str]] = {}
    for facet, option in connection.execute(
        "select facet, option_id from ref_facet_options order by 1, 2"
    ).fetchall():
        options.setdefault(str(facet), []).append(str(option))
    shown = {(str(f), str(g), str(o)): float(n) for f, g, o, n in rows if n is not None}
    groups = sorted({block.group for block in blocks})
    for facet in sorted({str(row[0]) for row in rows}):
        hidden_of: dict[str, list[int]] = {}
        for group in groups:
            members = [block for block in blocks if block.group == group]
            _composition_of_group(linked, facet, group, members, options.get(facet, []), shown, hidden_of)
        published = {
            o: shown.get((facet, "all", o), 0.0) for o in (*options.get(facet, []), "not_attributed")
        }
        rests = {
            o: n - sum(shown.get((facet, g, o), 0.0) for g in groups if o != "not_attributed")
            for o, n in published.items()
        }
        closed = []
        for option in (*options.get(facet, []), "unanswered"):
            parts = hidden_of.get(option, [])
            if rests.get(option, 0.0) > 0:
                linked.system.row(parts, *linked.rounded(rests[option]))
            else:
                closed += parts
        if rests["not_attributed"] > 0:
            linked.system.row(closed, *linked.rounded(rests["not_attributed"]))
        elif any(n > 0 for n in rests.values()) and closed:
            linked.system.row(closed, 0.0, 0.0)


def _composition_of_group(
    linked: Linked,
    facet: str,
    group: str,
    members: list[Block],
    options: list[str],
    shown: dict[tuple[str, str, str], float],
    hidden_of: dict[str, list[int]],
) -> None:
    name = f"{facet}|{group}"
    open_options = [option for option in options if (facet, group, option) in shown]
    parts = []
    for option in open_options:
        parts.append(
            linked.system.unknown(f"{name}|{option}", *linked.rounded(shown[(facet, group, option)]))
        )
    star = shown.get((facet, group, "not_attributed"))
    hidden: list[int] = []
    if star is not None or not open_options:
        row = linked.new_group()
        released = star if star is not None else sum(block.released for block in members)
        for option in [*(o for o in options if o not in open_options), "unanswered"]:
            unknown = linked.system.unknown(f"{name}|{option}")
            hidden.append(unknown)
            hidden_of.setdefault(option, []).append(unknown)
            if option != "unanswered":
                linked.target("use x SOC group", unknown, row, released)
        if star is not None:
            linked.system.row(hidden, *linked.rounded(star))
    # Conversations of the group for which the question was not asked or has no answer.
    parts += [*hidden, linked.system.unknown(f"{name}|no label")]
    linked.system.row(
        [*(block.unknown for block in members), *parts],
        0.0,
        0.0,
        [*([1.0] * len(members)), *([-1.0] * len(parts))],
    )


def _geography(
    connection: duckdb.DuckDBPyConnection, linked: Linked, blocks: list[Block]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Country by SOC group and country by pattern; the columns' totals are those of the spine.

    Returns:
        the unknowns of both tables by (country, column).
    """
    by_group: dict[str, list[int]] = {}
    by_pattern: dict[str, list[int]] = {}
    for block in blocks:
        by_group.setdefault(block.group, []).append(block.unknown)
        if block.hidden:
            for pattern, unknown in block.hidden.items():
                by_pattern.setdefault(pattern, []).append(unknown)
        else:
            by_pattern.setdefault(block.name.rsplit("|", 1)[1], []).append(block.unknown)
    tables = (
        ("geography_category_usage", "soc_group", "country x SOC group", by_group, 1),
        # What a country does not show, and patterns that are no column of their own, are two blocks.
        ("geography_collaboration_usage", "collaboration_pattern", "country x pattern", by_pattern, 2),
    )
    totals: dict[str, list[list[int]]] = {}
    cells: list[dict[tuple[str, str], int]] = []
    for table, column, family, columns, n_blocks in tables:
        cells.append({})
        shown: dict[str, dict[str, float]] = {}
        for country, key, n in connection.execute(
            f"select country_code, {column}, n_conversations from {table}"
        ).fetchall():
            if n is not None:
                shown.setdefault(str(country), {})[str(key)] = float(n)
        in_column: dict[str, list[int]] = {}
        for country, values in sorted(shown.items()):
            row, parts, hidden = linked.new_group(), [], []
            star = values.get("not_attributed")
            for key in sorted(columns):
                if key in values:
                    unknown = linked.system.unknown(f"{country}|{key}|shown", *linked.rounded(values[key]))
                    parts.append(unknown)
                elif star is None:
                    continue
                else:
                    unknown = linked.system.unknown(f"{country}|{key}")
                    hidden.append(unknown)
                    if key != "unanswered":
                        linked.target(family, unknown, row, star)
                in_column.setdefault(key, []).append(unknown)
                cells[-1][(country, key)] = unknown
            if star is not None and hidden:
                linked.system.row(hidden, *linked.rounded(star, n_blocks))
            totals.setdefault(country, []).append(parts + hidden)
        for key, parts in in_column.items():
            known = columns[key]
            linked.system.row([*known, *parts], 0.0, 0.0, [*([1.0] * len(known)), *([-1.0] * len(parts))])
    for country, parts in _regions(connection, linked).items():
        totals.setdefault(country, []).append(parts)
    for first, *others in totals.values():
        for other in others:
            linked.system.row([*first, *other], 0.0, 0.0, [*([1.0] * len(first)), *([-1.0] * len(other))])
    return cells[0], cells[1]


def _cube(
    linked: Linked,
    blocks: list[Block],
    by_group: dict[tuple[str, str], int],
    by_pattern: dict[tuple[str, str], int],
) -> None:
    """Country by SOC group by pattern: the three tables of two are sums of one of three.

    Each conversation has one of each, so worlds that agree with the tables one by one may still contradict each other
    (the cycle of notes on linked tables). One unknown for each triple, three kinds of sums.
    """
    in_block: dict[tuple[str, str], list[int]] = {}
    for block in blocks:
        hidden = block.hidden or {block.name.rsplit("|", 1)[1]: block.unknown}
        for pattern, unknown in hidden.items():
            in_block.setdefault((block.group, pattern), []).append(unknown)
    countries = sorted({country for country, _ in by_group} & {country for country, _ in by_pattern})
    of_triple: dict[tuple[str, str, str], int] = {}
    for country in countries:
        groups, patterns = (
            sorted(key for place, key in table if place == country) for table in (by_group, by_pattern)
        )
        for group in groups:
            for pattern in patterns:
                if (group, pattern) in in_block:
                    name = f"{country}|{group}|{pattern}"
                    of_triple[(country, group, pattern)] = linked.system.unknown(name)
    sums: dict[tuple[str, str, str], list[int]] = {}
    for (country, group, pattern), unknown in of_triple.items():
        for key in ((country, group, ""), (country, "", pattern), ("", group, pattern)):
            sums.setdefault(key, []).append(unknown)
    for (country, group, pattern), parts in sorted(sums.items()):
        if country and group:
            known = [by_group[(country, group)]]
        elif country:
            known = [by_pattern[(country, pattern)]]
        else:
            known = in_block[(group, pattern)]
        linked.system.row([*known, *parts], 0.0, 0.0, [*([1.0] * len(known)), *([-1.0] * len(parts))])


def _regions(connection: duckdb.DuckDBPyConnection, linked: Linked) -> dict[str, list[int]]:
    """Regions of each country that shows some, and what the rest of the country may hold; all parts by country."""
    rows: dict[str, dict[str, float | None]] = {}
    for country, region, n in connection.execute(
        "select country_code, region_code, n_conversations from region_usage order by 1, 2"
    ).fetchall():
        rows.setdefault(str(country), {})[str(region)] = None if n is None else float(n)
    parts_of: dict[str, list[int]] = {}
    for country, values in rows.items():
        rest, group = values.pop("other", None), linked.new_group()
        parts = [
            linked.system.unknown(f"{country}|{region}|shown", *linked.rounded(n))
            for region, n in values.items()
            if n is not None
        ]
        if rest is not None:
            hidden = [
                linked.system.unknown(f"{country}|{region}") for region, n in values.items() if n is None
            ]
            for unknown in hidden:
                linked.target("country x region", unknown, group, rest)
            hidden.append(linked.system.unknown(f"{country}|no region"))
            linked.system.row(hidden, *linked.rounded(rest))
            parts += hidden
        parts_of[country] = parts
    return parts_of


def _models(connection: duckdb.DuckDBPyConnection, linked: Linked, blocks: list[Block]) -> None:
    """Models by node of the lowest level shown, and the rest of each model."""
    nodes = connection.execute(
        "select node_id, n_tasks_published, n_conversations from task_hierarchy_usage where node_id <> "
        "'unattributed' and level = (select max(level) from task_hierarchy_usage) and n_conversations is "
        "not null order by 1"
    ).fetchall()
    shown = {
        (str(node), str(model)): float(n)
        for model, node, n in connection.execute(
            "select model, node_id, n_conversations from model_usage where n_conversations is not null"
        ).fetchall()
    }
    models = [
        str(m) for (m,) in connection.execute("select distinct model from model_usage order by 1").fetchall()
    ]
    if len(models) < 2:
        return
    rest_of: dict[str, list[int]] = {model: [] for model in models}
    for node, n_tasks, n in nodes:
        row = linked.new_group()
        parts = [linked.system.unknown(f"node|{node}|no model")]
        for model in models:
            count = shown.get((node, model))
            if count is not None:
                blocks_in = int(n_tasks)
                slack = (linked.base - 1) * blocks_in
                low = max(float(FLOOR_CONVERSATIONS), count - slack)
                parts.append(linked.system.unknown(f"node|{node}|{model}|shown", low, count + slack))
                if n_tasks == 1:
                    continue
            unknown = linked.system.unknown(f"node|{node}|{model}")
            parts.append(unknown)
            rest_of[model].append(unknown)
            if count is None:
                linked.target("model x node", unknown, row, n, is_group=n_tasks > 1)
        # Each task is the sum of up to seven leaves; which leaves are the node's is not needed for a sound
        # interval.
        spread = (linked.base - 1) * 7 * int(n_tasks)
        linked.system.row(parts, max(0.0, n - spread), n + spread)
    units = [block for block in blocks if not block.name.startswith("task|")]
    if units:
        parts = [linked.system.unknown("unpublished|no model")]
        for model in models:
            unknown = linked.system.unknown(f"unpublished|{model}")
            parts.append(unknown)
            rest_of[model].append(unknown)
        linked.system.row(
            [*(block.unknown for block in units), *parts],
            0.0,
            0.0,
            [*([1.0] * len(units)), *([-1.0] * len(parts))],
        )
    for model, parts in rest_of.items():
        rest = shown.get(("unattributed", model))
        if rest is not None and parts:
            linked.system.row(parts, *linked.rounded(rest))


def _single_tables(connection: duckdb.DuckDBPyConnection, linked: Linked) -> None:
    """Tables with one residual and no link to another one: outcomes, generic facets."""
    outcomes = connection.execute(
        "select outcome, n_conversations from outcome_totals where outcome not in ('classified', 'other') "
    ).fetchall()
    other = connection.execute(
        "select n_conversations from outcome_totals where outcome = 'other'"
    ).fetchone()
    _single(linked, "outcome", outcomes, other[0] if other else None)
    for (facet,) in connection.execute("select distinct facet from facet_usage order by 1").fetchall():
        options = connection.execute(
            "select option_id, n_conversations from facet_usage where facet = ? and option_id <> "
            "'not_attributed'",
            [facet],
        ).fetchall()
        rest = connection.execute(
            "select n_conversations from facet_usage where facet = ? and option_id = 'not_attributed'",
            [facet],
        ).fetchone()
        _single(linked, f"facet {facet}", [*options, ("unanswered", None)], rest[0] if rest else None)


def _single(linked: Linked, family: str, children: list[tuple[str, Any]], rest: float | None) -> None:
    hidden = [str(child) for child, n in children if n is None]
    if rest is None or not hidden:
        return
    group = linked.new_group()
    unknowns = [linked.system.unknown(f"{family}|{child}") for child in hidden]
    for child, unknown in zip(hidden, unknowns, strict=True):
        if child != "unanswered":
            linked.target(family, unknown, group, rest)
    linked.system.row(unknowns, *linked.rounded(rest))


_CANDIDATES = f"""
    with withheld as (
        select t.task_id, r.n_occupations, r.n_groups, r.onet_soc_code, r.soc_major_code
        from task_usage as t inner join ref_tasks as r on t.task_id = r.task_id where t.n_conversations is
        null
    ),
    occupations as (
        select onet_soc_code, n_conversations_residual as n from occupation_usage
        where n_conversations_residual is not null and onet_soc_code <> 'unattributed'
    ),
    socs as (select unit, n from ({_SOC_RESIDUALS}) where n > 0),
    whole as (
        select n_conversations as n from occupation_category_usage
        where soc_major_code = 'unattributed' and n_conversations is not null
    )
    select w.task_id,
        case when w.n_occupations = 1 and o.n is not null then 'occupation|' || w.onet_soc_code end as
        in_occupation,
        case when w.n_groups = 1 and s.n is not null then 'soc|' || w.soc_major_code end as in_soc,
        (select count(*) from whole) > 0 as has_global
    from withheld as w
    left join occupations as o on w.n_occupations = 1 and w.onet_soc_code = o.onet_soc_code
    left join socs as s on w.n_groups = 1 and w.soc_major_code = s.unit
"""


def _task_candidates(connection: duckdb.DuckDBPyConnection, found: Collector) -> dict[str, Any]:
    """Withheld tasks by the residual they must be in: a residual of one task is that task."""
    inside: dict[str, list[int]] = {}
    n_withheld = n_empty = 0
    for task, occupation, soc, has_global in connection.execute(_CANDIDATES).fetchall():
        n_withheld += 1
        # An occupation's own residual holds all of its own withheld tasks; where it has none they went up.
        homes = (
            [occupation] if occupation else [home for home in (soc, "global" if has_global else None) if home]
        )
        for home in homes:
            inside.setdefault(home, []).append(task)
        n_empty += not homes
    released = dict(
        connection.execute(
            "select 'occupation|' || onet_soc_code, n_conversations_residual from occupation_usage where "
            "n_conversations_residual is not null union all select 'soc|' || unit, n from "
            f"({_SOC_RESIDUALS}) where n > 0 union all select 'global', n_conversations from "
            "occupation_category_usage where soc_major_code = 'unattributed' and n_conversations is not "
            "null"
        ).fetchall()
    )
    n_exact = n_present = 0
    for home in sorted(released):
        tasks = inside.get(home, [])
        if len(tasks) == 0:
            found.add(
                "linkage",
                "A2",
                "task",
                home,
                "The residual has no withheld task that could be in it: it is something else.",
            )
        elif len(tasks) == 1:
            n_exact += 1
            found.add(
                "linkage", "A1", "task", str(tasks[0]), f"The residual {home} can only be this withheld task."
            )
        elif len(tasks) == 2:
            n_present += 2
            found.add(
                "minimality",
                "A15",
                "task",
                home,
                "The residual has two possible tasks; one alone would have been published, so both are "
                "there.",
            )
    narrowest = min(
        (float(n) + 4 for home, n in released.items() if len(inside.get(home, [])) > 1), default=None
    )
    return {
        "task": {
            "n_withheld": n_withheld,
            "n_exact": n_exact,
            "n_narrow": n_exact,
            "n_proven_present": n_exact + n_present,
            "n_proven_empty": n_empty,
            "narrowest": narrowest,
        }
    }


def _judge(linked: Linked, bounds: Bounds, found: Collector) -> dict[str, Any]:
    families: dict[str, dict[str, Any]] = {}
    for position, target in enumerate(linked.targets):
        low = float(np.ceil(bounds.low[position] - EPSILON))
        high = float(np.floor(bounds.high[position] + EPSILON))
        figures = families.setdefault(
            target.family,
            {
                "n_withheld": 0,
                "n_exact": 0,
                "n_narrow": 0,
                "n_proven_present": 0,
                "n_proven_empty": 0,
                "narrowest": None,
            },
        )
        figures["n_withheld"] += 1
        cell = linked.system.names[target.unknown]
        if high <= 0:
            figures["n_proven_empty"] += 1
            if target.parent < ZERO_CLOSURE_BELOW - 4:
                found.add(
                    "linkage", "A5", target.family, cell, "The withheld cell is proven to be empty.", NOTE
                )
            continue
        figures["narrowest"] = min(
            high - low, figures["narrowest"] if figures["narrowest"] is not None else INFINITE
        )
        # A group of many cells that is itself above the floor is no secret about any one of them.
        is_small = not target.is_group or low < FLOOR_CONVERSATIONS
        if high - low < 1 and is_small:
            figures["n_exact"] += 1
        if high - low < WIDTH and is_small:
            figures["n_narrow"] += 1
            found.add(
                "linkage",
                "A2",
                target.family,
                cell,
                f"The withheld cell is known to be between {low:.0f} and {high:.0f}.",
            )
        if low > 0 and (not target.is_group or high < FLOOR_CONVERSATIONS):
            figures["n_proven_present"] += 1
            found.add(
                "linkage",
                "A6",
                target.family,
                cell,
                f"The withheld cell is proven to be there, at least {low:.0f}.",
            )
    return families


def _worst(
    linked: Linked, bounds: Bounds, solver: Solver
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The 20 cells known best, with two complete worlds each: one with the smallest, one with the largest
    value.
    """
    spread = bounds.high - bounds.low
    order = [
        int(i)
        for i in np.argsort(spread, kind="stable")
        if bounds.high[i] > EPSILON and not linked.targets[i].is_group
    ]
    worst, worlds = [], []
    for rank, position in enumerate(order[:N_WORST], 1):
        target = linked.targets[position]
        cell = linked.system.names[target.unknown]
        limits = []
        for label, sign in (("lowest", 1.0), ("highest", -1.0)):
            world = solver.minimise([target.unknown], sign)
            if world is None:
                continue
            if np.abs(world - np.round(world)).max() > 1e-5:
                whole = solver.whole(target.unknown, sign)
                world = (
                    whole if whole is not None and linked.system.holds(np.round(whole).tolist()) else world
                )
            rounded = np.round(world)
            values = rounded if linked.system.holds(rounded.tolist()) else world
            limits.append(float(values[target.unknown]))
            worlds += [
                {
                    "rank": rank,
                    "cell": cell,
                    "bound": label,
                    "unknown": linked.system.names[i],
                    "value": float(values[i]),
                }
                for i in np.flatnonzero(np.abs(values) > EPSILON)
            ]
        worst.append({"rank": rank, "family": target.family, "cell": cell, "interval": limits})
    return worst, worlds


def worlds_table(worlds: list[dict[str, Any]]) -> pa.Table:
    """Worlds as an Arrow table with ``WORLDS_SCHEMA``."""
    return pa.Table.from_pylist(worlds, schema=WORLDS_SCHEMA)


def to_json(figures: dict[str, Any]) -> str:
    """Figures without the worlds, as JSON."""
    return json.dumps({name: value for name, value in figures.items() if name != "worlds"}, sort_keys=True)
