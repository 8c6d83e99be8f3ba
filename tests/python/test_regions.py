"""Regions: shown from 100 conversations up, and never to be had from the rest of their country."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from macro_sql import project
from released import small_release

Conversation = tuple[str | None, str | None, str]
POLICY = """
    create table wall_policy as select 15 as min_conversations, 5 as min_accounts,
    0.5 as max_share_of_largest_account, 10 as min_conversations_without_two_largest,
    3 as min_accounts_without_two_largest, 0.1 as min_remainder_share_of_largest, 500 as zero_closure_below,
    {region} as min_conversations_region
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb.connect()
    opened.execute(
        "create table regions as select * from (values ('AA-1', 'AA', 'One'), ('AA-2', 'AA', 'Two'), "
        "('AA-3', 'AA', 'Three'), ('BB-1', 'BB', 'One')) as listed (region_code, country_code, region_name)"
    )
    opened.execute(
        "create table wall_spine as select 1 as task_id, 'learning' as collaboration_pattern, 'global' as block"
    )
    opened.execute(
        "create table wall_geography_margins as select * from (values ('AA', 'AA'), ('BB', 'other'), "
        "('other', 'other')) as listed (country_code, unit)"
    )
    yield opened
    opened.close()


def people(country: str, region: str | None, n: int, *, n_accounts: int = 0) -> list[Conversation]:
    return [(country, region, f"{country}-{region}-{i % (n_accounts or n)}") for i in range(n)]


def blocks(
    connection: duckdb.DuckDBPyConnection, conversations: list[Conversation], floor: int = 100
) -> dict[str, str | None]:
    """Region to its block, by the project's own SQL."""
    connection.execute(POLICY.format(region=floor))
    connection.execute(
        "create table wall_conversations (country_code text, region_code text, account text, record uhugeint, "
        "outcome text, task_id integer, collaboration_pattern text)"
    )
    connection.executemany(
        "insert into wall_conversations values (?, ?, ?, ?, 'classified', 1, 'learning')",
        [(*conversation, number) for number, conversation in enumerate(conversations)],
    )
    for name in ("wall_region_cells", "wall_region_closure"):
        connection.execute(f"create table {name} as {project().model(f'wall/{name}.sql')}")
    rows = connection.execute("select country_code, region_code, block from wall_region_closure").fetchall()
    assert {country for country, _, _ in rows} <= {"AA"}
    return {region: block for _, region, block in rows}


def test_a_region_of_100_stands_alone_and_one_of_99_does_not(connection: duckdb.DuckDBPyConnection) -> None:
    found = blocks(
        connection, people("AA", "AA-1", 100) + people("AA", "AA-2", 99) + people("AA", "AA-3", 30)
    )
    assert found == {"AA-1": "AA-1", "other": "*"}


def test_no_policy_lowers_the_floor_of_100(connection: duckdb.DuckDBPyConnection) -> None:
    found = blocks(
        connection, people("AA", "AA-1", 100) + people("AA", "AA-2", 99) + people("AA", "AA-3", 30), 15
    )
    assert found == {"AA-1": "AA-1", "other": "*"}


def test_a_dominated_region_does_not_stand_alone(connection: duckdb.DuckDBPyConnection) -> None:
    heavy = [("AA", "AA-2", "heavy") for _ in range(150)] + people("AA", "AA-2", 100)
    assert blocks(connection, people("AA", "AA-1", 300) + heavy + people("AA", None, 200)) == {
        "AA-1": "AA-1",
        "other": "*",
    }


def test_a_rest_that_could_only_be_one_region_takes_in_another(connection: duckdb.DuckDBPyConnection) -> None:
    found = blocks(
        connection, people("AA", "AA-1", 400) + people("AA", "AA-2", 120) + people("AA", "AA-3", 40)
    )
    assert found == {"AA-1": "AA-1", "other": "*"}


def test_an_unsafe_rest_takes_in_the_smallest_region(connection: duckdb.DuckDBPyConnection) -> None:
    found = blocks(
        connection,
        people("AA", "AA-1", 400)
        + people("AA", "AA-2", 120)
        + people("AA", "AA-3", 130)
        + people("AA", None, 5),
    )
    assert found == {"AA-1": "AA-1", "AA-2": "*", "AA-3": "AA-3", "other": "*"}


def test_unknown_codes_and_codes_of_other_countries_are_no_region(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = blocks(
        connection, people("AA", "AA-1", 300) + people("AA", "ZZ-9", 200) + people("AA", "BB-1", 200)
    )
    assert found == {"AA-1": "AA-1", "other": "*"}


def test_a_country_without_a_region_of_its_own_shows_none(connection: duckdb.DuckDBPyConnection) -> None:
    found = blocks(connection, people("AA", None, 300) + people("AA", "AA-2", 60) + people("BB", "BB-1", 300))
    assert found == {}


def test_a_release_shows_regions_that_add_up_to_their_country() -> None:
    with duckdb.connect(str(small_release().candidate), read_only=True) as release:
        rows = release.execute(
            "select country_code, region_code, region_name, status, n_conversations, share_of_country "
            "from marts.region_usage"
        ).fetchall()
        countries = dict(
            release.execute("select country_code, n_conversations from marts.geography_usage").fetchall()
        )
    shown = [row for row in rows if row[3] == "published"]
    assert {row[1] for row in shown} >= {"US-CA", "US-NY", "other"}
    assert all(row[4] >= 100 for row in shown if row[1] != "other")
    assert {row[0] for row in rows} <= {"US", "DE", "IN"}
    for country in {row[0] for row in shown}:
        parts = [row for row in shown if row[0] == country]
        assert sum(row[5] for row in parts) == pytest.approx(1)
        assert abs(sum(row[4] for row in parts) - countries[country]) <= 4 * (len(parts) + 24)
    assert "US-WY" in {row[1] for row in rows} and "IN-ZZ" not in {row[1] for row in rows}
