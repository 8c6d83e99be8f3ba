"""Tables of a differentially private release: made from noisy task counts and public reference data alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from economic_index.disclosure.differential_privacy import (
    Mechanism,
    NoiseError,
    leaf_error,
    sum_error,
)
from economic_index.errors import UserError

TASKS, OCCUPATIONS = "dp_task_usage", "dp_occupation_usage"
GROUPS, ZONES = "dp_occupation_category_usage", "dp_job_zone_usage"
ACCURACY, MANIFEST = "dp_accuracy", "dp_manifest"
KEYS: Mapping[str, tuple[str, ...]] = {
    TASKS: ("task_id",),
    OCCUPATIONS: ("onet_soc_code",),
    GROUPS: ("soc_major_code",),
    ZONES: ("job_zone",),
    ACCURACY: ("table_name",),
    MANIFEST: ("position",),
}


@dataclass(frozen=True)
class Reference:
    """The public side: nothing here depends on a conversation.

    Attributes:
        tasks: (task id, text), every task of the taxonomy.
        weights: (task id, occupation, numerator): numerator / denominator of the task's count goes to the
            occupation.
        denominator: common one of all weights.
        occupations: (code, title, SOC major group, job zone or None).
        groups: (SOC major group, title).
        zones: (job zone, name).
    """

    tasks: list[tuple[int, str]]
    weights: list[tuple[int, str, int]]
    denominator: int
    occupations: list[tuple[str, str, str, int | None]]
    groups: list[tuple[str, str]]
    zones: list[tuple[int, str]]


@contextmanager
def opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which the private database is attached read-only as ``private_side``.

    Raises:
        UserError: the file is missing or in use, or what is read in it is not there.
    """
    if not database.is_file():
        raise UserError(f"There is no private database at {database}; run dbt build first.")
    # What does not fit into memory is spilled beside the private database, never into the working directory.
    connection = duckdb.connect(config={"temp_directory": str(database.parent / ".dp-spill")})
    try:
        quoted = str(database).replace("'", "''")
        connection.execute(f"attach '{quoted}' as private_side (read_only)")
        yield connection
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise UserError(
            f"The private database {database} lacks tables of a finished build (facts, reference, "
            "wall.wall_run); run dbt build first, an imported release has no conversations to count."
        ) from error
    except duckdb.IOException as error:
        raise UserError(
            f"The private database {database} cannot be read: another process holds it or it is damaged; "
            "wait for the build to end and try again."
        ) from error
    except duckdb.Error as error:
        # The message of the database may hold a value of a conversation, so it goes no further.
        raise UserError(
            f"The private database {database} cannot be counted ({type(error).__name__}): its tables do "
            "not have the types of a finished build; run dbt build again."
        ) from error
    finally:
        connection.close()


def read_run(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The one row of ``wall.wall_run``: window, population, taxonomy, engine.

    Raises:
        UserError: the table does not hold one row.
    """
    run = connection.execute("select * from private_side.wall.wall_run").to_arrow_table().to_pylist()
    if len(run) != 1:
        raise UserError(
            "The table wall.wall_run does not hold one row, so the window is unknown; run dbt build again."
        )
    return dict(run[0])


def read_reference(connection: duckdb.DuckDBPyConnection) -> Reference:
    """Tasks, exact allocation weights, occupations, groups and zones: the schema ``reference``.

    Raises:
        UserError: there are no tasks.
    """

    def rows(columns: str, table: str) -> list[Any]:
        return connection.execute(
            f"select {columns} from private_side.reference.{table} order by all"
        ).fetchall()

    reference = Reference(
        tasks=rows("task_id, task", "tasks"),
        weights=rows("task_id, onet_soc_code, weight_numerator", "task_allocation"),
        denominator=max((n for (n,) in rows("distinct weight_denominator", "task_allocation")), default=1),
        occupations=rows("onet_soc_code, title, soc_major_code, job_zone", "occupations"),
        groups=rows("soc_major_code, title", "soc_major_groups"),
        zones=rows("job_zone, name", "job_zones"),
    )
    if not reference.tasks:
        raise UserError(
            "The table reference.tasks is empty, so there is nothing to count; run dbt build again."
        )
    return reference


_USAGE = [
    ("n_conversations_noisy", pa.float64()),
    ("share_of_tasks", pa.float64()),
    ("expected_absolute_error", pa.float64()),
    ("error_bound_95", pa.float64()),
]
SCHEMAS: Mapping[str, pa.Schema] = {
    TASKS: pa.schema(
        [("release_id", pa.string()), ("task_id", pa.int64()), ("task", pa.string()),
         ("n_conversations_noisy", pa.int64()), *_USAGE[1:]]
    ),
    OCCUPATIONS: pa.schema(
        [("release_id", pa.string()), ("onet_soc_code", pa.string()), ("title", pa.string()),
         ("soc_major_code", pa.string()), ("job_zone", pa.string()), ("n_tasks", pa.int32()), *_USAGE]
    ),
    GROUPS: pa.schema(
        [("release_id", pa.string()), ("soc_major_code", pa.string()), ("title", pa.string()),
         ("n_tasks", pa.int32()), *_USAGE]
    ),
    ZONES: pa.schema(
        [("release_id", pa.string()), ("job_zone", pa.string()), ("name", pa.string()),
         ("n_tasks", pa.int32()), *_USAGE]
    ),
    ACCURACY: pa.schema(
        [("release_id", pa.string()), ("table_name", pa.string()), ("n_rows", pa.int32()),
         ("epsilon", pa.float64()), ("max_conversations_per_account", pa.int32()),
         ("noise_scale", pa.float64()),
         ("expected_absolute_error_median", pa.float64()), ("expected_absolute_error_largest", pa.float64()),
         ("error_bound_95_median", pa.float64()), ("error_bound_95_largest", pa.float64())]
    ),
    MANIFEST: pa.schema(
        [("release_id", pa.string()), ("position", pa.int32()), ("item", pa.string()), ("value", pa.string())]
    ),
}  # fmt: skip

_COLUMNS = {
    "release_id": "The release; a random name that says nothing about the data.",
    "n_conversations_noisy": (
        "Bounded count plus noise. Can be negative: values are not clamped, so that sums stay unbiased."
    ),
    "share_of_tasks": (
        "n_conversations_noisy over the noisy total of all tasks, clamped to 0..1; null when that total "
        "is not positive. The shares do not add up to 1 where counts are negative."
    ),
    "expected_absolute_error": (
        "Mean absolute size of the noise in n_conversations_noisy. Noise only: what the bound on accounts "
        "leaves out is not part of it."
    ),
    "error_bound_95": (
        "The noise in n_conversations_noisy stays within this in 95 of 100 draws; exact for tasks and for "
        "units of one task, an approximation otherwise."
    ),
    "n_tasks": "Tasks of the taxonomy that give a part of their count to the unit.",
}
COMMENTS: Mapping[str, str] = {
    TASKS: "Grain: one row per task of the taxonomy, unused ones included. Differentially private.",
    OCCUPATIONS: "Grain: one row per occupation. A task of h occupations gives each 1/h of its noisy count.",
    GROUPS: "Grain: one row per SOC major group; sums of the noisy counts of its occupations.",
    ZONES: "Grain: one row per job zone and one for occupations without a zone; sums of noisy counts.",
    ACCURACY: "Grain: one row per table of counts: the size of the noise over its rows, in conversations.",
    MANIFEST: "Grain: one row per fact about the release: what is promised and what it was made of.",
}


def comments() -> dict[tuple[str, str], str]:
    """Comments of tables and columns, for the DuckDB file."""
    found = {(table, ""): text for table, text in COMMENTS.items()}
    found |= {
        (table, column): _COLUMNS[column]
        for table in COMMENTS
        for column in SCHEMAS[table].names
        if column in _COLUMNS
    }
    return found


def build_tables(
    release_id: str,
    reference: Reference,
    noisy: Mapping[int, int],
    mechanism: Mechanism,
    facts: Mapping[str, str],
) -> dict[str, pa.Table]:
    """All tables of the release, from noisy counts and public data alone.

    Args:
        release_id: name of the release.
        reference: the public side.
        noisy: every task of ``reference`` to its noisy count.
        mechanism: what drew the noise.
        facts: items of ``dp_manifest``, in order.
    """
    total = sum(noisy.values())
    leaf = leaf_error(mechanism.scale)
    tables: dict[str, list[dict[str, Any]]] = {
        TASKS: [
            {"task_id": task_id, "task": text, **_usage(noisy[task_id], total, leaf)}
            for task_id, text in reference.tasks
        ]
    }
    zone_of = {code: "no_zone" if zone is None else str(zone) for code, _, _, zone in reference.occupations}
    group_of = {code: group for code, _, group, _ in reference.occupations}
    units = {
        OCCUPATIONS: [
            {"onet_soc_code": code, "title": title, "soc_major_code": group, "job_zone": zone_of[code]}
            for code, title, group, _ in reference.occupations
        ],
        GROUPS: [{"soc_major_code": code, "title": title} for code, title in reference.groups],
        ZONES: [
            *({"job_zone": str(zone), "name": name} for zone, name in reference.zones),
            {"job_zone": "no_zone", "name": "No job zone"},
        ],
    }
    unit_of = {OCCUPATIONS: {code: code for code in zone_of}, GROUPS: group_of, ZONES: zone_of}
    for table, listed in units.items():
        weights = _unit_weights(reference, unit_of[table])
        tables[table] = [
            {
                **unit,
                **_roll_up(
                    weights.get(unit[KEYS[table][0]], {}), noisy, reference.denominator, total, mechanism
                ),
            }
            for unit in listed
        ]
    tables[ACCURACY] = [_accuracy(name, rows, mechanism) for name, rows in tables.items()]
    tables[MANIFEST] = [
        {"position": position, "item": item, "value": value}
        for position, (item, value) in enumerate(facts.items(), 1)
    ]
    return {
        name: pa.Table.from_pylist([{"release_id": release_id, **row} for row in rows], schema=SCHEMAS[name])
        for name, rows in tables.items()
    }


def _unit_weights(reference: Reference, unit_of: Mapping[str, str]) -> dict[str, dict[int, int]]:
    """Unit to (task to numerator); a task that several occupations of a unit hold has one weight there."""
    found: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for task_id, occupation, numerator in reference.weights:
        if occupation in unit_of:
            found[unit_of[occupation]][task_id] += numerator
    return {unit: dict(weights) for unit, weights in found.items()}


def _roll_up(
    weights: Mapping[int, int], noisy: Mapping[int, int], denominator: int, total: int, mechanism: Mechanism
) -> dict[str, Any]:
    # Whole numerators until the one division at the end, as in macros/allocation: no mass is lost on the way.
    numerator = sum(weight * noisy[task_id] for task_id, weight in weights.items())
    error = sum_error([weight / denominator for weight in weights.values()], mechanism.scale)
    return {"n_tasks": len(weights), **_usage(numerator / denominator, total, error)}


def _usage(value: float, total: int, error: NoiseError) -> dict[str, Any]:
    return {
        "n_conversations_noisy": value,
        "share_of_tasks": min(1.0, max(0.0, value / total)) if total > 0 else None,
        "expected_absolute_error": error.expected,
        "error_bound_95": error.bound_95,
    }


def _accuracy(name: str, rows: Sequence[Mapping[str, Any]], mechanism: Mechanism) -> dict[str, Any]:
    expected = sorted(row["expected_absolute_error"] for row in rows)
    bounds = sorted(row["error_bound_95"] for row in rows)
    return {
        "table_name": name,
        "n_rows": len(rows),
        "epsilon": mechanism.epsilon,
        "max_conversations_per_account": mechanism.max_conversations,
        "noise_scale": mechanism.scale,
        "expected_absolute_error_median": expected[len(expected) // 2] if rows else 0.0,
        "expected_absolute_error_largest": expected[-1] if rows else 0.0,
        "error_bound_95_median": bounds[len(bounds) // 2] if rows else 0.0,
        "error_bound_95_largest": bounds[-1] if rows else 0.0,
    }
