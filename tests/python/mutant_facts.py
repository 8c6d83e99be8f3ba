"""Facts on which every mutation of the wall shows: random worlds, heavy accounts, cells at the very thresholds."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pyarrow as pa
from synthetic_facts import PATTERNS, make_facts
from test_wall_worlds import World, facts_of, random_world
from wall_project import FACT_SCHEMA, LABEL_SCHEMA, task_table

COUNTRIES = ("US", "IN", "NA", "DE", "FR", "BR", "JP", "ZZ", "GB", "KE")
MODELS = ("other", "small", "large")
# The smaller ones of these are above 15 conversations and below 100.
REGIONS = {"US": ("US-CA",) * 40 + ("US-NY",) * 24 + ("US-WY", None), "IN": ("IN-KA",) * 4 + ("IN-AP", None)}
N_WORLDS = 36
# Chosen by all but a handful of conversations: its complement is a few people.
ALMOST_ALWAYS = "speaking"
RARE = "validation"


def world_tasks() -> list[int]:
    """Tasks that hold random worlds and nothing else."""
    return sorted({task for task, _ in task_table()})[: N_WORLDS * 2 : 2]


def mutant_worlds() -> dict[int, World]:
    """A random world for each of ``world_tasks``."""
    draw = random.Random(11)
    worlds = {task: random_world(draw) for task in world_tasks()}
    # Many conversations without an answer: a safe group, but no pattern that could stand alone.
    sizes = {"directive": 60, "learning": 30, "task_iteration": 25, None: 40}
    worlds[world_tasks()[0]] = {child: Counter(f"{child}{i}" for i in range(n)) for child, n in sizes.items()}
    # One pattern is so rare that it is no safe block over everything; what else it held counts as another one.
    for task in world_tasks():
        if RARE in worlds[task]:
            rare = worlds[task].pop(RARE)
            worlds[task]["learning"] = worlds[task].get("learning", Counter()) + rare
    worlds[world_tasks()[1]][RARE] = Counter(f"{RARE}{i}" for i in range(6))
    return worlds


def lonely_occupation() -> list[int]:
    """The tasks of an occupation that shares none with another one."""
    holders: dict[int, set[str]] = defaultdict(set)
    for task, occupation in task_table():
        holders[task].add(occupation)
    tasks: dict[str, list[int]] = defaultdict(list)
    for task, occupation in task_table():
        tasks[occupation].append(task)
    taken = set(world_tasks())
    for occupation in sorted(tasks):
        own = sorted(set(tasks[occupation]))
        if len(own) >= 6 and all(len(holders[task]) == 1 and task not in taken for task in own):
            return own
    raise AssertionError("the sample taxonomy has no occupation of its own tasks alone")


def _planted() -> list[dict[str, object]]:
    """An occupation whose only withheld tasks are two small ones, which together would pass the rule.

    Its published patterns have as many accounts as an account band begins with.
    """
    *shown, first, second = lonely_occupation()
    rows: list[dict[str, object]] = []
    for task in shown:
        for pattern, n in (("directive", 50), ("learning", 25)):
            rows += [
                {"task_id": task, "collaboration_pattern": pattern, "account_key": f"p{i}"} for i in range(n)
            ]
    for task in (first, second):
        rows += [
            {"task_id": task, "collaboration_pattern": "directive", "account_key": f"q{task}-{i}"}
            for i in range(9)
        ]
    return rows


def mutant_facts() -> tuple[pa.Table, pa.Table]:
    """(facts, labels): about 10,000 conversations of the sample taxonomy; always the same."""
    others = sorted({task for task, _ in task_table()} - set(world_tasks()) - set(lonely_occupation()))
    base, labels = make_facts(4000, seed=3, sigma=2.0, tasks=others, countries=COUNTRIES, models=MODELS)
    place = base.schema.get_field_index("collaboration_pattern")
    patterns = ["learning" if name == RARE else name for name in base["collaboration_pattern"].to_pylist()]
    base = base.set_column(place, FACT_SCHEMA.field(place), pa.array(patterns, pa.string()))
    draw = random.Random(5)
    added = facts_of(mutant_worlds()).to_pylist()
    for number, row in enumerate(_planted()):
        added.append(
            {**row, "input_row": len(added), "conversation_id": f"p{number}", "outcome": "classified"}
        )
    for row in added:
        row["input_row"] = int(row["input_row"]) + base.num_rows
        row["conversation_id"] = f"w{row['input_row']}"
        row["model"] = draw.choices((*MODELS, None), (70, 20, 9, 1))[0]
        row["country_code"] = draw.choices((*COUNTRIES, None), [0.55**i for i in range(len(COUNTRIES) + 1)])[
            0
        ]
        row["region_code"] = draw.choice(REGIONS.get(row["country_code"], (None,)))
        row["is_extended_thinking"] = draw.choices((True, False, None), (30, 60, 10))[0]
    facts = pa.concat_tables([base, pa.Table.from_pylist(added, schema=FACT_SCHEMA)])
    classified = [row["conversation_id"] for row in facts.to_pylist() if row["outcome"] == "classified"]
    always = [
        {"conversation_id": name, "facet": "skill", "option_id": ALMOST_ALWAYS} for name in classified[6:]
    ]
    return facts, pa.concat_tables([labels, pa.Table.from_pylist(always, schema=LABEL_SCHEMA)])


assert len(PATTERNS) == 6
