"""Cluster-based reconstruction of task use (Appendix G): clusters of requests are given tasks, not
conversations.

Clusters are private, have no names and are never published: only the agreement of their counts with direct
assignment leaves the private side, and both sides are counted from tasks that pass the floors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from economic_index.conversation import Conversation, Message
from economic_index.labelling.labels import FURTHER_TASK
from economic_index.paths import warehouse
from economic_index.requests.agreement import Agreement, agreement

#: Mean conversations of a cluster; the paper's base clusters and its coarser levels.
MEAN_SIZES = (15, 60, 240)
ASSIGNMENTS = ("nearest", "majority")
LEVELS = ("task", "occupation", "soc_major_group")
MOST_CONVERSATIONS = 50_000
MOST_CLUSTERS = 2_000
READ_ROWS = 512
#: The row that compares one task with up to three tasks a conversation.
SEVERAL_TASKS = "several_tasks"
#: Sixths are whole numbers for 1, 2 and 3 tasks: sums of weights 1/k stay exact.
SIXTHS = 6
FLOOR_CONVERSATIONS = 15
FLOOR_ACCOUNTS = 5
SEED = 20_250_210
#: Raise it when the computation changes.
RECIPE = 1

SCHEMA = pa.schema(
    [
        ("level", pa.string()),
        ("mean_cluster_size", pa.int32()),
        ("assignment", pa.string()),
        ("n_units_direct", pa.int64()),
        ("n_units_clusters", pa.int64()),
        ("n_units_both", pa.int64()),
        ("correlation_pearson", pa.float64()),
        ("correlation_spearman", pa.float64()),
        ("correlation_kendall", pa.float64()),
        ("mean_squared_error", pa.float64()),
    ]
)
Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Labelled:
    """Classified conversations in a fixed order: account and task by position, both as small integers."""

    accounts: Ids
    tasks: Ids
    vectors: Vectors


@dataclass(frozen=True)
class Allocation:
    """Equal split of tasks over their holders; arrays run over (task, occupation) pairs.

    Attributes:
        task: position of the task.
        occupation, group: positions of the holder and of its SOC major group.
        weight: 1 / number of holders.
        vectors: one row per task.
    """

    task: Ids
    occupation: Ids
    group: Ids
    weight: NDArray[np.float64]
    vectors: Vectors


def cluster(vectors: Vectors, mean_size: int) -> Ids:
    """k-means over unit vectors, about ``mean_size`` rows a cluster; one cluster number per row,
    reproducible.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    k = int(min(max(len(vectors) // mean_size, 2), MOST_CLUSTERS, len(vectors)))
    if len(vectors) > 5_000:
        model: Any = MiniBatchKMeans(k, batch_size=4096, n_init=1, max_iter=30, random_state=SEED)
    else:
        model = KMeans(k, n_init=1, max_iter=50, random_state=SEED)
    return np.asarray(model.fit_predict(vectors), dtype=np.int64)


def assign(clusters: Ids, labelled: Labelled, allocation: Allocation, how: str) -> Ids:
    """Give every conversation the task of its cluster.

    Args:
        clusters: cluster of each conversation.
        labelled: the conversations.
        allocation: for the vectors of the tasks.
        how: ``nearest``, the task whose text is nearest to the cluster's mean, with no use of direct
            labels; or ``majority``, the task that most of its conversations were given directly, ties to
            the first.
    """
    tasks = np.zeros(len(clusters), dtype=np.int64)
    for number in np.unique(clusters):
        members = clusters == number
        if how == "majority":
            tasks[members] = int(np.argmax(np.bincount(labelled.tasks[members])))
        else:
            tasks[members] = int(np.argmax(allocation.vectors @ labelled.vectors[members].mean(axis=0)))
    return tasks


def safe_counts(tasks: Ids, accounts: Ids, n_tasks: int) -> NDArray[np.float64]:
    """Conversations by task, zero where a task has fewer than 15 conversations or 5 accounts."""
    counts = np.bincount(tasks, minlength=n_tasks).astype(np.float64)
    pairs = np.unique(np.stack([tasks, accounts]), axis=1)
    people = np.bincount(pairs[0], minlength=n_tasks)
    counts[(counts < FLOOR_CONVERSATIONS) | (people < FLOOR_ACCOUNTS)] = 0
    return counts


def roll_up(counts: NDArray[np.float64], allocation: Allocation, level: str) -> NDArray[np.float64]:
    """Task counts at a level: the task itself, or split equally over occupations or their SOC major
    groups.
    """
    if level == "task":
        return counts
    units = allocation.occupation if level == "occupation" else allocation.group
    summed = np.bincount(units, weights=counts[allocation.task] * allocation.weight)
    return summed.astype(np.float64)


def scores(labelled: Labelled, allocation: Allocation) -> list[tuple[str, int, str, Agreement]]:
    """Agreement of direct and cluster-based counts for every level, cluster size and way of assigning."""
    n_tasks = len(allocation.vectors)
    direct = safe_counts(labelled.tasks, labelled.accounts, n_tasks)
    results = []
    for size in MEAN_SIZES:
        if len(labelled.tasks) < 2 * size:
            continue
        clusters = cluster(labelled.vectors, size)
        for how in ASSIGNMENTS:
            tasks = assign(clusters, labelled, allocation, how)
            counts = safe_counts(tasks, labelled.accounts, n_tasks)
            results += [
                (
                    level,
                    size,
                    how,
                    agreement(roll_up(direct, allocation, level), roll_up(counts, allocation, level)),
                )
                for level in LEVELS
            ]
    return results


def reconstruction_table(
    conversations: Any,
    facts: Any,
    tasks: Any,
    allocation: Any,
    encode: Callable[[Sequence[str]], Vectors] | None = None,
) -> pa.Table:
    """Clusters of requests against direct assignment: DuckDB relations in, ``SCHEMA`` out.

    Correlations are rounded to two decimals, errors to four.

    Args:
        conversations: conversation_id, messages (list of role and content); read in a stream.
        facts: conversation_id, account_key, task_id, outcome; at most 50,000 classified ones are taken, by
            the digest of their id.
        tasks: task_id, task.
        allocation: task_id, onet_soc_code, soc_major_code, n_holders.
        encode: texts to unit vectors; the cached MiniLM by default.
    """
    if encode is None:
        from economic_index.embeddings import encode as encode_cached

        encode = encode_cached
    classified = (
        facts.filter("outcome = 'classified'").order("md5(conversation_id)").limit(MOST_CONVERSATIONS)
    )
    sampled = classified.project("conversation_id, account_key, task_id").fetchall()
    known = {name: (account or "", int(task_id)) for name, account, task_id in sampled}
    listed = sorted((int(task_id), str(text)) for task_id, text in tasks.project("task_id, task").fetchall())
    place = {task_id: position for position, (task_id, _) in enumerate(listed)}
    known = {name: fact for name, fact in known.items() if fact[1] in place}
    if len(known) < 2 * min(MEAN_SIZES):
        return SCHEMA.empty_table()
    texts = _texts(conversations, known)
    names = [name for name in known if name in texts]
    accounts = {key: number for number, key in enumerate(sorted({known[name][0] for name in names}))}
    labelled = Labelled(
        np.array([accounts[known[name][0]] for name in names], dtype=np.int64),
        np.array([place[known[name][1]] for name in names], dtype=np.int64),
        encode([texts[name] for name in names]),
    )
    pairs = _allocation(allocation, place, encode([text for _, text in listed]))
    return _remembered(labelled, pairs)


def _remembered(labelled: Labelled, pairs: Allocation) -> pa.Table:
    """The scores, computed once for the same input: clustering takes longer than everything else of a re-run."""
    digest = blake2b(repr((RECIPE, MEAN_SIZES, MOST_CLUSTERS, SEED)).encode(), digest_size=16)
    for array in (
        labelled.accounts,
        labelled.tasks,
        labelled.vectors,
        pairs.task,
        pairs.occupation,
        pairs.group,
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(np.ascontiguousarray(pairs.weight).tobytes())
    digest.update(np.ascontiguousarray(pairs.vectors).tobytes())
    path = warehouse() / "requests" / f"{digest.hexdigest()}.parquet"
    if path.is_file():
        return pq.read_table(path).cast(SCHEMA)
    rows = [_row(level, size, how, found) for level, size, how, found in scores(labelled, pairs)]
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=SCHEMA)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    pq.write_table(table, unfinished)
    unfinished.replace(path)
    return table


def _row(level: str, size: int, how: str, found: Agreement) -> tuple[Any, ...]:
    """A row of ``SCHEMA``: correlations in two decimals, errors in four."""
    correlations = [_rounded(value, 2) for value in (found.pearson, found.spearman, found.kendall)]
    error = _rounded(found.mean_squared_error, 4)
    return level, size, how, found.n_direct, found.n_clusters, found.n_both, *correlations, error


def several_tasks_table(facts: Any, labels: Any, allocation: Any) -> pa.Table:
    """One row of ``SCHEMA``: counts by the best task against counts by up to three tasks, by SOC major group.

    A conversation of k tasks gives each 1/k. Tasks below 15 conversations or 5 accounts drop out on both sides,
    by the conversations that were given them, not by their weights. Without further tasks both sides are equal.

    Args:
        facts: DuckDB relation with input_row, account_key, task_id, outcome.
        labels: relation with input_row, facet, option_id; further tasks have the facet ``further_task``.
        allocation: relation with task_id, onet_soc_code, soc_major_code, n_holders.
    """
    first = facts.filter("outcome = 'classified'").project(
        "input_row, coalesce(account_key, '') as account, cast(task_id as bigint) as task_id"
    )
    named = labels.filter(f"facet = '{FURTHER_TASK}'").project(
        "input_row as labelled_row, cast(option_id as bigint) as further_id"
    )
    further = first.join(named, "input_row = labelled_row").project(
        "input_row, account, further_id as task_id"
    )
    every = first.union(further).project(
        "account, task_id, count(*) over (partition by input_row) as n_tasks"
    )
    listed = sorted({int(row[0]) for row in allocation.project("task_id").fetchall()})
    place = {task_id: position for position, task_id in enumerate(listed)}
    pairs = _allocation(allocation, place, np.empty((len(place), 0), dtype=np.float32))
    single = _weights(first.project("*, 1 as n_tasks"), place)
    several = _weights(every, place)
    found = agreement(roll_up(single, pairs, "soc_major_group"), roll_up(several, pairs, "soc_major_group"))
    row = _row("soc_major_group", 1, SEVERAL_TASKS, found)
    return pa.table([[value] for value in row], schema=SCHEMA)


def _weights(assigned: Any, place: Mapping[int, int]) -> NDArray[np.float64]:
    """Weighted conversations by task, zero below the floors; ``assigned``: account, task_id, n_tasks."""
    weights = np.zeros(len(place), dtype=np.float64)
    grouped = assigned.aggregate(
        f"task_id, count(*), count(distinct account), cast(sum({SIXTHS} // n_tasks) as bigint)", "task_id"
    )
    for task_id, n, n_accounts, sixths in grouped.fetchall():
        if int(task_id) in place and n >= FLOOR_CONVERSATIONS and n_accounts >= FLOOR_ACCOUNTS:
            weights[place[int(task_id)]] = sixths / SIXTHS
    return weights


def all_scores(
    conversations: Any,
    facts: Any,
    tasks: Any,
    allocation: Any,
    labels: Any,
    encode: Callable[[Sequence[str]], Vectors] | None = None,
) -> pa.Table:
    """The dbt model ``reconstruction_scores``: ``reconstruction_table`` and ``several_tasks_table``."""
    clusters = reconstruction_table(conversations, facts, tasks, allocation, encode)
    return pa.concat_tables([clusters, several_tasks_table(facts, labels, allocation)])


def _texts(conversations: Any, wanted: Mapping[str, object]) -> dict[str, str]:
    """What the encoder reads of each wanted conversation: the text that labelling has embedded already."""
    from economic_index.engines.local.features import reading_text

    texts: dict[str, str] = {}
    relation = conversations.project("conversation_id, messages")
    while rows := relation.fetchmany(READ_ROWS):
        for name, messages in rows:
            if name in wanted:
                turns = tuple(Message(m["role"], m["content"]) for m in messages)
                texts[name] = reading_text(Conversation(name, turns))
    return texts


def _allocation(relation: Any, place: Mapping[int, int], vectors: Vectors) -> Allocation:
    listed = relation.project("task_id, onet_soc_code, soc_major_code, n_holders").fetchall()
    rows = sorted((place[int(t)], str(o), str(g), int(h)) for t, o, g, h in listed if int(t) in place)
    occupations = {code: number for number, code in enumerate(sorted({row[1] for row in rows}))}
    groups = {code: number for number, code in enumerate(sorted({row[2] for row in rows}))}
    return Allocation(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([occupations[row[1]] for row in rows], dtype=np.int64),
        np.array([groups[row[2]] for row in rows], dtype=np.int64),
        np.array([1 / row[3] for row in rows]),
        vectors,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits) + 0.0
