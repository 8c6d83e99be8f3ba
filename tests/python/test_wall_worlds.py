"""The wall's own SQL on hundreds of small random worlds, each a task, against a plain reading of the rule.

One dbt run holds all worlds. The reading here is written from docs/privacy.md, not from the SQL, and is then
used to go through every world that agrees with what is shown (the swap proof, and attack A15: an attacker
who knows the algorithm).
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from synthetic_facts import PATTERNS
from wall_project import FACT_SCHEMA, LABEL_SCHEMA, Built, run_wall, task_table

Accounts = Counter[str]
World = dict[str | None, Accounts]


def is_safe(accounts: Accounts) -> bool:
    sizes = sorted(accounts.values(), reverse=True)
    n, left = sum(sizes), sum(sizes[2:])
    return bool(
        n >= 15
        and len(sizes) >= 5
        and sizes[0] <= 0.5 * n
        and left >= 10
        and len(sizes) - 2 >= 3
        and left >= 0.1 * sizes[0]
    )


def together(parts: list[Accounts]) -> Accounts:
    return sum(parts, Counter())


def close(world: World, n_domain: int = 6, n_passes: int = 6) -> dict[str | None, str | None]:
    """Block of each child: itself, ``*`` or ``None``, as docs/privacy.md says."""
    size = {child: sum(accounts.values()) for child, accounts in world.items()}
    own = {child for child in world if child is not None and is_safe(world[child])}
    for number in range(n_passes):
        hidden = [accounts for child, accounts in world.items() if child not in own]
        is_open = bool(hidden) and not is_safe(together(hidden))
        shows_zeros = number == 0 and not hidden and len(world) < n_domain and sum(size.values()) < 500
        if (is_open or shows_zeros) and own:
            own.remove(min(own, key=lambda child: (size[child], child)))
    hidden = [accounts for child, accounts in world.items() if child not in own]
    if not hidden or is_safe(together(hidden)):
        return {child: child if child in own else "*" for child in world}
    return dict.fromkeys(world, "*" if is_safe(together(list(world.values()))) else None)


def random_world(draw: random.Random) -> World:
    world: World = {}
    for pattern in draw.sample(PATTERNS, draw.randint(1, 6)):
        kind = draw.choice(("many", "few", "one", "heavy", "large"))
        n = {
            "many": draw.randint(13, 30),
            "few": draw.randint(1, 14),
            "one": draw.randint(5, 60),
            "large": draw.randint(60, 240),
        }
        accounts: Accounts = Counter()
        if kind == "heavy":
            accounts["heavy"] = draw.randint(10, 80)
            accounts.update(f"a{draw.randrange(40)}" for _ in range(draw.randint(4, 40)))
        elif kind == "one":
            accounts.update({"heavy": n["one"]})
        else:
            accounts.update(f"a{draw.randrange(draw.choice((6, 40)))}" for _ in range(n[kind]))
        world[pattern] = accounts
    if draw.random() < 0.3:
        world[None] = Counter(f"a{draw.randrange(40)}" for _ in range(draw.randint(1, 20)))
    return world


def facts_of(worlds: dict[int, World]) -> pa.Table:
    rows = [
        {
            "account_key": f"{task}-{account}",
            "task_id": task,
            "collaboration_pattern": pattern,
            "outcome": "classified",
        }
        for task, world in worlds.items()
        for pattern, accounts in world.items()
        for account in accounts.elements()
    ]
    for number, row in enumerate(rows):
        row |= {"input_row": number, "conversation_id": f"c{number}"}
    return pa.Table.from_pylist(rows, schema=FACT_SCHEMA)


@pytest.fixture(scope="module")
def worlds() -> dict[int, World]:
    draw = random.Random(7)
    tasks = sorted({task for task, _ in task_table()})
    return {task: random_world(draw) for task in tasks[:600]}


@pytest.fixture(scope="module")
def built(worlds: dict[int, World], tmp_path_factory: pytest.TempPathFactory) -> Built:
    labels = pa.Table.from_pylist([], schema=LABEL_SCHEMA)
    return run_wall(tmp_path_factory.mktemp("worlds"), facts_of(worlds), labels, select="+wall_spine_blocks")


def query(path: Path, sql: str) -> list[tuple]:
    connection = duckdb.connect(str(path), read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_every_task_is_closed_as_the_rule_says(worlds: dict[int, World], built: Built) -> None:
    found: dict[int, dict[str | None, str | None]] = {}
    for task, child, block in query(
        built.private, "select task_id, collaboration_pattern, block from wall.wall_pattern_closure"
    ):
        found.setdefault(task, {})[child] = block
    wrong = [task for task, world in worlds.items() if found[task] != close(world)]
    assert wrong == []
    blocks = Counter(
        block if block in ("*", None) else "own" for task in found.values() for block in task.values()
    )
    assert min(blocks["own"], blocks["*"], blocks[None]) > 100


def test_blocks_of_the_spine_are_a_partition_and_every_one_is_safe(
    worlds: dict[int, World], built: Built
) -> None:
    placed: dict[str, list[Accounts]] = {}
    for task, child, block in query(
        built.private, "select task_id, collaboration_pattern, block from wall.wall_spine"
    ):
        assert block is not None
        own = Counter({f"{task}-{account}": n for account, n in worlds[task][child].items()})
        placed.setdefault(block, []).append(own)
    assert all(is_safe(together(parts)) for parts in placed.values())
    sizes = dict(query(built.private, "select block, n from wall.wall_spine_blocks"))
    assert sizes == {block: sum(together(parts).values()) for block, parts in placed.items()}
    assert sum(sizes.values()) == sum(sum(a.values()) for world in worlds.values() for a in world.values())
    assert {block.split("|")[0] for block in sizes} >= {"task", "occupation"}


def distinct(counts: dict[str | None, int]) -> World:
    """A world in which every conversation has an account of its own."""
    return {child: Counter(f"{child}{i}" for i in range(n)) for child, n in counts.items() if n}


def shown(counts: dict[str | None, int], n_domain: int) -> tuple[tuple[tuple[str, int], ...], int | None]:
    """What a task shows without rounding: its patterns and its residual."""
    blocks = close(distinct(counts), n_domain)
    own = tuple(sorted((str(c), counts[c]) for c, block in blocks.items() if block not in ("*", None)))
    hidden = [counts[c] for c, block in blocks.items() if block == "*"]
    return own, sum(hidden) if hidden else None


@pytest.mark.parametrize(
    "counts", [(20, 3, 0), (40, 25, 2), (16, 17, 0), (30, 14, 1), (15, 15, 0), (60, 13, 13)]
)
def test_every_hidden_pattern_could_be_absent_even_for_who_knows_the_algorithm(
    counts: tuple[int, int, int],
) -> None:
    children: tuple[str | None, ...] = ("a", "b", "c", None)
    truth = {**dict(zip(children, counts, strict=False)), None: 0}
    own, residual = shown(truth, 3)
    assert residual is not None and residual >= 15
    published = dict(own)
    hidden = [child for child in children if child not in published]
    seen: dict[str | None, set[int]] = {child: set() for child in hidden}
    for cut in itertools.product(range(residual + 1), repeat=len(hidden) - 1):
        if sum(cut) > residual:
            continue
        world = {**published, **dict(zip(hidden, (*cut, residual - sum(cut)), strict=True))}
        if shown(world, 3) == (own, residual):
            for child in hidden:
                seen[child].add(world[child])
    for child in hidden:
        if child is not None:
            assert min(seen[child]) == 0
            assert max(seen[child]) - min(seen[child]) >= 10
