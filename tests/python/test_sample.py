"""The sample taxonomy (``seeds/sample``) and the generator of sample conversations."""

from __future__ import annotations

import csv
import json
import statistics
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from economic_index.sample import generate, texts, write_broken_jsonl, write_sample
from economic_index.sample.generator import DOMINATED, load_tasks

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "seeds" / "sample"
CIVILIAN_GROUPS = {f"{code}" for code in range(11, 55, 2)}
N = 10_000


@cache
def seed_rows(name: str, folder: Path = SEEDS) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@cache
def statements() -> list[dict[str, str]]:
    return seed_rows("onet_task_statements")


def holders() -> dict[str, list[str]]:
    """Task text to the occupations that hold it."""
    result = defaultdict(list)
    for row in statements():
        result[row["task"]].append(row["onet_soc_code"])
    return result


# The taxonomy.


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("onet_occupations", "onet_soc_code,title,description"),
        (
            "onet_task_statements",
            "onet_soc_code,task_id,task,task_type,incumbents_responding,task_date,domain_source",
        ),
        ("onet_job_zones", "onet_soc_code,job_zone"),
        ("onet_iwa_reference", "element_id,iwa_id,iwa_title"),
        ("onet_dwa_reference", "element_id,iwa_id,dwa_id,dwa_title"),
        ("onet_tasks_to_dwas", "onet_soc_code,task_id,dwa_id"),
        ("bls_oews_national", "occ_code,occ_title,o_group,tot_emp,a_mean,a_median,h_median"),
        (
            "onet_soc_crosswalk",
            "onet_soc_2010_code,onet_soc_2010_title,onet_soc_2019_code,onet_soc_2019_title",
        ),
        ("taxonomy_release", "taxonomy_release,soc_vintage,wage_release,is_sample,source"),
    ],
)
def test_seed_columns(table: str, columns: str) -> None:
    rows = seed_rows(table)
    assert list(rows[0]) == columns.split(",")
    assert all(None not in row and None not in row.values() for row in rows)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("onet_occupations", ("onet_soc_code",)),
        ("onet_task_statements", ("task_id",)),
        ("onet_task_statements", ("onet_soc_code", "task")),
        ("onet_job_zones", ("onet_soc_code",)),
        ("onet_iwa_reference", ("iwa_id",)),
        ("onet_dwa_reference", ("dwa_id",)),
        ("onet_dwa_reference", ("dwa_title",)),
        ("onet_tasks_to_dwas", ("task_id", "dwa_id")),
        ("bls_oews_national", ("occ_code",)),
        ("onet_soc_crosswalk", ("onet_soc_2010_code", "onet_soc_2019_code")),
        ("taxonomy_release", ("taxonomy_release",)),
    ],
)
def test_seed_keys_are_unique(table: str, key: tuple[str, ...]) -> None:
    keys = [tuple(row[column] for column in key) for row in seed_rows(table)]
    assert len(set(keys)) == len(keys)


def test_seed_foreign_keys_hold() -> None:
    occupations = {row["onet_soc_code"] for row in seed_rows("onet_occupations")}
    occupation_of_task = {row["task_id"]: row["onet_soc_code"] for row in statements()}
    iwas = {row["iwa_id"]: row["element_id"] for row in seed_rows("onet_iwa_reference")}
    dwas = {row["dwa_id"] for row in seed_rows("onet_dwa_reference")}
    assert set(occupation_of_task.values()) == occupations
    assert {row["onet_soc_code"] for row in seed_rows("onet_job_zones")} < occupations
    assert {row["onet_soc_2019_code"] for row in seed_rows("onet_soc_crosswalk")} == occupations
    for row in seed_rows("onet_dwa_reference"):
        assert iwas[row["iwa_id"]] == row["element_id"]
        assert row["dwa_id"].startswith(f"{row['iwa_id']}.D")
    links = seed_rows("onet_tasks_to_dwas")
    assert all(occupation_of_task[row["task_id"]] == row["onet_soc_code"] for row in links)
    assert {row["dwa_id"] for row in links} == dwas


def test_taxonomy_has_the_promised_size() -> None:
    assert len(seed_rows("onet_occupations")) >= 84
    assert {row["onet_soc_code"][:2] for row in seed_rows("onet_occupations")} == CIVILIAN_GROUPS
    assert {row["job_zone"] for row in seed_rows("onet_job_zones")} == set("12345")
    assert len(seed_rows("onet_job_zones")) == len(seed_rows("onet_occupations")) - 1
    assert len(statements()) >= 860
    assert min(Counter(row["onet_soc_code"] for row in statements()).values()) >= 8
    shared = [codes for codes in holders().values() if len(codes) > 1]
    assert len(shared) >= 25
    assert max(map(len, shared)) >= 5
    assert sum(len({code[:2] for code in codes}) > 1 for codes in shared) >= 8


def test_task_statements_read_like_tasks() -> None:
    assert min(int(row["task_id"]) for row in statements()) == 900_001
    for row in statements():
        assert 8 <= len(row["task"].split()) <= 25, row["task"]
        assert row["task"][0].isupper() and row["task"].endswith("."), row["task"]
        assert row["task_type"] in ("Core", "Supplemental", "")
        assert row["incumbents_responding"].isdigit() or not row["incumbents_responding"]
        assert row["domain_source"] == "Sample"
    assert {row["task_type"] for row in statements()} == {"Core", "Supplemental", ""}


def test_work_activities_cover_nearly_all_tasks() -> None:
    linked = Counter(row["task_id"] for row in seed_rows("onet_tasks_to_dwas"))
    assert set(linked.values()) == {1, 2}
    assert 0 < len(statements()) - len(linked) <= 0.04 * len(statements())
    assert 140 <= len(seed_rows("onet_dwa_reference")) <= 160
    assert 40 <= len(seed_rows("onet_iwa_reference")) <= 50


def test_wages_look_like_the_official_table() -> None:
    rows = {row["occ_code"]: row for row in seed_rows("bls_oews_national")}
    majors = {code: row for code, row in rows.items() if row["o_group"] == "major"}
    detailed = {code: row for code, row in rows.items() if row["o_group"] == "detailed"}
    assert rows["00-0000"]["o_group"] == "total"
    assert {code[:2] for code in majors} == CIVILIAN_GROUPS
    assert int(rows["00-0000"]["tot_emp"]) == sum(int(row["tot_emp"]) for row in majors.values())
    for code, major in majors.items():
        within = sum(int(row["tot_emp"]) for key, row in detailed.items() if key[:2] == code[:2])
        assert within <= int(major["tot_emp"])
    medians = Counter(row["a_median"] for row in rows.values())
    assert medians["#"] == 2 and medians["*"] == 1
    occupations = {row["onet_soc_code"][:7] for row in seed_rows("onet_occupations")}
    assert len(occupations - set(detailed)) == 1


def test_crosswalk_has_a_rename_and_a_split() -> None:
    rows = seed_rows("onet_soc_crosswalk")
    assert sum(row["onet_soc_2010_code"] == row["onet_soc_2019_code"] for row in rows) > len(rows) / 2
    assert any(row["onet_soc_2010_code"] != row["onet_soc_2019_code"] for row in rows)
    splits = Counter(row["onet_soc_2010_code"] for row in rows)
    assert sorted(splits.values())[-2:] == [1, 2]


def test_release_says_that_it_is_a_sample() -> None:
    (row,) = seed_rows("taxonomy_release")
    assert (row["taxonomy_release"], row["soc_vintage"], row["is_sample"]) == ("sample-1", "2019", "true")


# The data files of the generator.


def test_requests_belong_to_tasks_of_their_group() -> None:
    groups = {task.task_id: task.groups for task in load_tasks(SEEDS)}
    path = ROOT / "src" / "economic_index" / "sample" / "requests.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({line["task_id"] for line in lines}) == len(lines) >= 300
    assert sum(len(line["requests"]) >= 2 for line in lines) >= 300
    assert all(line["group"] in groups[line["task_id"]] for line in lines)
    requests = [request for line in lines for request in line["requests"]]
    assert len(set(requests)) == len(requests)


def test_phrases_name_known_skills_activities_and_tasks() -> None:
    skills = {row["skill"] for row in seed_rows("skills", ROOT / "seeds" / "reference")}
    activities = {row["iwa_id"] for row in seed_rows("onet_iwa_reference")}
    activities |= {row["dwa_id"] for row in seed_rows("onet_dwa_reference")}
    assert set(texts.ACTIVITIES) <= activities
    assert {row["iwa_id"] for row in seed_rows("onet_iwa_reference")} <= set(texts.ACTIVITIES)
    for family, shown in texts.ACTIVITIES.values():
        assert family in texts.FAMILIES
        assert set(shown) <= skills
    for family in texts.FAMILIES.values():
        assert sum(family.patterns) == pytest.approx(1.0)
    lowest = {task.task_id for task in load_tasks(SEEDS)}
    assert {foreign.task_id for foreign in texts.OTHER_LANGUAGES} | set(DOMINATED) <= lowest


# The conversations.


@pytest.fixture(scope="module")
def sample() -> tuple[pa.Table, pa.Table]:
    return generate(N, 7, SEEDS)


@pytest.fixture(scope="module")
def pairs(sample: tuple[pa.Table, pa.Table]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(conversation, truth) per row, without the timestamps that Python cannot hold."""
    conversations, truth = sample
    return list(zip(conversations.drop_columns("started_at").to_pylist(), truth.to_pylist(), strict=True))


@pytest.fixture(scope="module")
def classified(
    pairs: list[tuple[dict[str, Any], dict[str, Any]]],
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [pair for pair in pairs if pair[1]["outcome"] == "classified"]


def test_same_seed_same_tables() -> None:
    first, again, other = generate(400, 3, SEEDS), generate(400, 3, SEEDS), generate(400, 4, SEEDS)
    assert first[0].equals(again[0]) and first[1].equals(again[1])
    assert not first[0].equals(other[0])


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample(300, 5, tmp_path / name / "c.parquet", tmp_path / name / "t.parquet", SEEDS)
        write_broken_jsonl(tmp_path / name / "broken.jsonl", 5)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert pq.read_table(tmp_path / "one" / "c.parquet").equals(generate(300, 5, SEEDS)[0])


@pytest.mark.parametrize("n", [0, 1, 25, 333])
def test_any_number_of_rows(n: int) -> None:
    conversations, truth = generate(n, 1, SEEDS)
    assert conversations.num_rows == truth.num_rows == n


def test_types_follow_the_contract(sample: tuple[pa.Table, pa.Table]) -> None:
    conversations, truth = sample
    types = {field.name: str(field.type) for field in conversations.schema}
    columns = (
        "conversation_id,account_id,started_at,messages,model,product,language,country_code,region_code,"
        "organization_id,extended_thinking,safety_flagged,input_tokens,output_tokens"
    )
    assert ",".join(types) == columns
    assert types["started_at"] == "timestamp[us]"
    assert (
        types["messages"].startswith("list<") and "struct<role: string, content: string>" in types["messages"]
    )
    assert conversations.num_rows == truth.num_rows == N
    assert truth["input_row"].to_pylist() == list(range(1, N + 1))
    assert truth["conversation_id"].equals(conversations["conversation_id"])


def test_sound_rows_are_sound(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    ids = set()
    for row, truth in pairs:
        if truth["outcome"] == "quarantined":
            continue
        assert row["conversation_id"] not in ids
        ids.add(row["conversation_id"])
        assert 1 <= len(row["messages"]) <= 6
        assert {message["role"] for message in row["messages"]} <= {"user", "assistant"}
        assert row["messages"][0]["role"] == "user" and row["messages"][0]["content"].strip()
        assert not any(
            "{firm}" in message["content"] or "{vp}" in message["content"] for message in row["messages"]
        )


def test_times_lie_in_the_window(sample: tuple[pa.Table, pa.Table]) -> None:
    conversations, truth = sample
    days = set()
    micros = conversations["started_at"].cast(pa.int64()).to_pylist()
    reasons = truth["reason"].to_pylist()
    for moment, reason in zip(micros, reasons, strict=True):
        if reason not in ("bad_timestamp", "missing_timestamp"):
            days.add(moment // 86_400_000_000 - 20_605)
    assert days == set(range(28))  # day 20,605 after 1970 is 2026-06-01


def test_outcomes(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    outcomes = Counter(truth["outcome"] for _, truth in pairs)
    kinds = Counter(truth["kind"] for _, truth in pairs)
    assert 0.10 <= outcomes["screened_out"] / N <= 0.14
    assert 0.015 <= outcomes["none"] / N <= 0.025
    assert 0.004 <= outcomes["duplicate"] / N <= 0.01
    assert 10 <= outcomes["safety_filtered"] <= 100
    assert 24 <= outcomes["quarantined"] <= 60
    assert 0.003 <= kinds["hostile"] / N <= 0.008
    assert len({truth["reason"] for _, truth in pairs}) >= 10
    for row, truth in pairs:
        assert (truth["outcome"] == "quarantined") == (truth["reason"] is not None)
        assert row["safety_flagged"] == (truth["outcome"] == "safety_filtered")


def test_duplicates_repeat_the_same_account(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    seen = set()
    for row, truth in pairs:
        if truth["outcome"] == "quarantined":
            continue
        key = (row["account_id"], json.dumps(row["messages"]))
        assert (key in seen) == (truth["outcome"] == "duplicate")
        seen.add(key)


def test_quarantine_reasons_are_those_of_the_reader(sample: tuple[pa.Table, pa.Table]) -> None:
    validate = pytest.importorskip("economic_index.sources.validate")
    conversations, truth = sample
    micros = conversations["started_at"].cast(pa.int64()).to_pylist()
    rows = conversations.drop_columns("started_at").to_pylist()
    for row, moment, expected in zip(rows, micros, truth.to_pylist(), strict=True):
        if expected["reason"] == "duplicate_id":
            continue
        row["started_at"] = None if moment is None else validate.Epoch(moment)
        assert validate.check(row).reason == expected["reason"]


def test_groups_have_roughly_their_shares(classified: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    shares: Counter[str] = Counter()
    for _, truth in classified:
        for group in truth["soc_major"]:
            shares[group] += 1 / len(truth["soc_major"]) / len(classified)
    assert 0.25 <= shares["15"] <= 0.34
    assert 0.09 <= shares["27"] <= 0.15
    assert 0.08 <= shares["25"] <= 0.13
    assert 0.07 <= shares["43"] <= 0.11
    assert 0.06 <= shares["13"] <= 0.11
    assert set(shares) == CIVILIAN_GROUPS
    assert min(shares.values()) >= 0.0105


def test_enough_tasks_are_large_enough_to_publish(
    classified: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    accounts = defaultdict(Counter)
    groups = {}
    for row, truth in classified:
        accounts[truth["task_id"]][row["account_id"]] += 1
        groups[truth["task_id"]] = truth["soc_major"]
    large = [task for task, counts in accounts.items() if counts.total() > 30 and len(counts) >= 12]
    assert len(large) >= 60
    assert len({group for task in large for group in groups[task]}) >= 18
    # The tail is long, and a few tasks belong to one or two accounts.
    assert len(accounts) >= 500
    for task, count in DOMINATED.items():
        top = sum(size for _, size in accounts[task].most_common(count))
        assert accounts[task].total() >= 10 and top > accounts[task].total() / 2


def test_accounts_are_many_and_uneven(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    sizes = Counter(row["account_id"] for row, _ in pairs)
    missing = sizes.pop(None)
    assert 20 <= missing <= 150
    assert len(sizes) >= 2_500
    assert 50 <= sizes.most_common(1)[0][1] <= 0.03 * N
    assert sum(size == 1 for size in sizes.values()) >= 1_000


def test_patterns_and_uses(classified: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    patterns = Counter(truth["pattern"] for _, truth in classified)
    assert set(patterns) == set(texts.PATTERNS)
    assert min(patterns[name] for name in texts.PATTERNS if name != "none") >= 0.05 * len(classified)
    assert 0.3 <= patterns["directive"] / len(classified) <= 0.6
    for use in ("work", "coursework", "personal"):
        levels = Counter(truth[use] for _, truth in classified)
        assert set(levels) <= {"non", "possibly", "likely", "explicitly"}
        assert levels["explicitly"] >= 0.03 * len(classified)
    by_task = defaultdict(Counter)
    for _, truth in classified:
        by_task[truth["task_id"]][truth["pattern"]] += 1
    shares = [counts["learning"] / counts.total() for counts in by_task.values() if counts.total() >= 60]
    assert max(shares) - min(shares) > 0.2


def test_truth_names_the_lowest_task_id(classified: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    lowest: dict[str, int] = {}
    groups: dict[int, set[str]] = defaultdict(set)
    for row in statements():
        groups[lowest.setdefault(row["task"], int(row["task_id"]))].add(row["onet_soc_code"][:2])
    for _, truth in classified:
        assert truth["soc_major"] == sorted(groups[truth["task_id"]])
        assert 1 <= len(truth["skills"]) <= 3


def test_conversations_are_short_and_varied(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    words = []
    first = Counter()
    turns = Counter()
    for row, truth in pairs:
        if truth["outcome"] == "quarantined":
            continue
        words.append(sum(len(message["content"].split()) for message in row["messages"]))
        first[row["messages"][0]["content"]] += 1
        turns[len(row["messages"])] += 1
    assert statistics.median(words) < 45
    assert first.most_common(1)[0][1] <= 0.03 * N
    assert set(turns) >= {1, 2, 3, 4, 6}


def test_requests_are_not_the_task_text(classified: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    texts_by_id = {task.task_id: task.text.rstrip(".").lower() for task in load_tasks(SEEDS)}
    pasted = sum(
        texts_by_id[truth["task_id"]] in row["messages"][0]["content"].lower() for row, truth in classified
    )
    assert pasted <= 0.02 * len(classified)


def test_attributes_vary(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    countries = Counter(row["country_code"] for row, _ in pairs)
    assert len(countries) >= 15 and countries["NA"] >= 20
    assert len({row["model"] for row, _ in pairs} - {None}) == 4
    assert len({row["organization_id"] for row, _ in pairs}) >= 20
    assert len({row["region_code"] for row, _ in pairs}) >= 10
    assert len({row["language"] for row, _ in pairs}) >= 6
    assert {row["extended_thinking"] for row, _ in pairs} == {True, False, None}
    for row, truth in pairs:
        if truth["kind"] != "broken" and row["region_code"] is not None:
            assert row["region_code"].startswith(f"{row['country_code']}-")


def test_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    write_broken_jsonl(path, 1)
    lines = path.read_bytes().splitlines()
    assert len(lines) >= 24

    def parses(line: bytes) -> bool:
        try:
            return isinstance(json.loads(line), dict)
        except (ValueError, RecursionError):
            return False

    assert parses(lines[0]) and parses(lines[-1])
    assert sum(not parses(line) for line in lines) >= 8
    assert any(b"\\ud83d here" in line for line in lines)
