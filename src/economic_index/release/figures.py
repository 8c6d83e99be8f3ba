"""The paper's figures, drawn from the marts of a release: one static picture each.

Every number stands in a mart; nothing is computed here but the order of bars and the running share of
Figure 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from economic_index.errors import UserError

if TYPE_CHECKING:
    import duckdb

COLOUR, SECOND, RULE = "#2f6f9f", "#d98032", "#555555"
WIDTH = 520
KINDS = ["Use", "US workers"]
LONGEST_LABEL = 70
FORMATS = ("svg", "png", "pdf")

Rows = Sequence[Mapping[str, Any]]


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    """Result of a query as mappings, long labels cut."""
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, map(_plain, row), strict=True)) for row in cursor.fetchall()]


def _plain(value: Any) -> Any:
    """Values as the drawing library takes them: decimals as floats, texts cut."""
    if isinstance(value, Decimal):
        return float(value)
    return shorten(value) if isinstance(value, str) else value


def shorten(text: str) -> str:
    """``text`` cut to the length of a label."""
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1].rstrip() + "…"


def bars(data: Rows, title: str, x_title: str, y: str = "label") -> Any:
    """Horizontal bars of ``share`` in percent with 95 % intervals (``lower``, ``upper``), in the order
    given.
    """
    import altair as alt

    order = [row[y] for row in data]
    base = alt.Chart(alt.Data(values=list(data))).encode(
        y=alt.Y(f"{y}:N", sort=order, title=None, axis=alt.Axis(labelLimit=420))
    )
    shares = base.mark_bar(color=COLOUR).encode(x=alt.X("share:Q", title=x_title))
    chart = shares
    if all(row.get("lower") is not None for row in data):
        chart = shares + base.mark_rule(color=RULE).encode(x="lower:Q", x2="upper:Q")
    return chart.properties(title=title, width=WIDTH)


_TOP = """
    select {label} as label, 100 * {share} as share, 100 * {share}_lower as lower, 100 * {share}_upper as
    upper from marts.{mart}
    where status = 'published' {where}
    order by {share} desc, {label}
    limit {limit}
"""


def top(
    connection: duckdb.DuckDBPyConnection,
    mart: str,
    label: str,
    share: str,
    limit: int,
    where: str = "",
) -> Rows:
    """The largest published shares of a mart, in percent with their intervals."""
    return rows(connection, _TOP.format(mart=mart, label=label, share=share, limit=limit, where=where))


def figure_2(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 2: the six largest groups with their largest occupations."""
    import altair as alt

    data = rows(
        connection,
        """
        with groups as (
            select soc_major_code, title, share_of_published_tasks as share, row_number() over (order by
            share desc) as place from marts.occupation_category_usage
            where status = 'published' and soc_major_code <> 'unattributed'
            qualify place <= 6
        )
        select g.title as category, g.place, o.title as label, 100 * o.share_of_published_tasks as share
        from marts.occupation_usage as o
        inner join groups as g using (soc_major_code)
        where o.status = 'published'
        qualify row_number() over (partition by g.place order by o.share_of_published_tasks desc) <= 5
        order by g.place, share desc
        """,
    )
    titles = list(dict.fromkeys(row["category"] for row in data))
    return (
        alt.Chart(alt.Data(values=list(data)))
        .mark_bar(color=COLOUR)
        .encode(
            x=alt.X("share:Q", title="% of published use"),
            y=alt.Y("label:N", sort="-x", title=None, axis=alt.Axis(labelLimit=320)),
            row=alt.Row(
                "category:N", sort=titles, title=None, header=alt.Header(labelAngle=0, labelAlign="left")
            ),
        )
        .resolve_scale(y="independent")
        .properties(title="Largest occupational groups and their occupations", width=WIDTH)
    )


def figure_3(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 3: groups, use beside US employment."""
    import altair as alt

    data = rows(
        connection,
        """
        select title as label, 'Use' as kind, 100 * share_of_published_tasks as share,
        share_of_published_tasks as place
        from marts.occupation_category_usage where soc_major_code <> 'unattributed' and status = 'published'
        union all
        select title, 'US workers', 100 * share_of_us_employment, coalesce(share_of_published_tasks, 0)
        from marts.occupation_category_usage where soc_major_code <> 'unattributed'
        order by place desc, label, kind
        """,
    )
    order = list(dict.fromkeys(row["label"] for row in data))
    return (
        alt.Chart(alt.Data(values=list(data)))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="%"),
            y=alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=420)),
            yOffset=alt.YOffset("kind:N", sort=KINDS),
            color=alt.Color("kind:N", title=None, sort=KINDS, scale=alt.Scale(range=[COLOUR, SECOND])),
        )
        .properties(title="Use beside the US workforce", width=WIDTH, height=alt.Step(9))
    )


def figure_4(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 4: depth of use."""
    import altair as alt

    data = rows(
        connection,
        """select min_percent_of_tasks as threshold, 100 * share_of_occupations as share
        from marts.depth_of_use order by 1""",
    )
    return (
        alt.Chart(alt.Data(values=list(data)))
        .mark_line(color=COLOUR, point=True)
        .encode(
            x=alt.X("threshold:Q", title="at least this % of the tasks of an occupation"),
            y=alt.Y("share:Q", title="% of occupations"),
        )
        .properties(title="Depth of use", width=WIDTH)
    )


def figure_5(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 5: skills."""
    data = top(connection, "skill_usage", "label", "share_of_classified", 35)
    return bars(data, "Occupational skills shown", "% of classified conversations") if data else None


def figure_6(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 6: use by median wage."""
    import altair as alt

    data = rows(
        connection,
        """select title as label, median_wage_usd as wage, 100 * share_of_published_tasks as share
        from marts.wage_usage where status = 'published' order by onet_soc_code""",
    )
    if not data:
        return None
    points = (
        alt.Chart(alt.Data(values=list(data)))
        .mark_circle(color=COLOUR, opacity=0.6)
        .encode(
            x=alt.X("wage:Q", title="median yearly wage in US dollars"),
            y=alt.Y("share:Q", title="% of published use"),
        )
    )
    names = (
        alt.Chart(alt.Data(values=apart(data)))
        .mark_text(align="left", dx=5, fontSize=10)
        .encode(x="wage:Q", y="share:Q", text="label:N")
    )
    return (points + names).properties(title="Use by wage of the occupation", width=WIDTH, height=360)


def apart(data: Rows, n: int = 8) -> list[Mapping[str, Any]]:
    """The rows of the largest shares whose names do not run into each other; at most ``n``."""
    most = max(row["share"] for row in data)
    named: list[Mapping[str, Any]] = []
    for row in sorted(data, key=lambda row: -row["share"])[: 2 * n]:
        is_free = all(
            abs(row["share"] - other["share"]) > most / 25 or abs(row["wage"] - other["wage"]) > 70_000
            for other in named
        )
        if is_free and len(named) < n:
            named.append(row)
    return named


def figure_7(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 7: automation and augmentation."""
    import altair as alt

    data = rows(
        connection,
        """select label, pattern_group, 100 * coalesce(share_of_classified_patterns, share_of_all) as share,
            share_of_classified_patterns is null as is_of_all
        from marts.collaboration_usage
        where pattern_level = 'pattern' and status = 'published' and pattern_group in ('automation',
        'augmentation') order by position""",
    )
    if not data:
        return None
    base = (
        "all conversations"
        if any(row["is_of_all"] for row in data)
        else "conversations with one of the five patterns"
    )
    return (
        alt.Chart(alt.Data(values=list(data)))
        .mark_bar()
        .encode(
            x=alt.X("sum(share):Q", title=f"% of {base}"),
            y=alt.Y("pattern_group:N", title=None, sort=["automation", "augmentation"]),
            color=alt.Color("label:N", title=None, sort=[row["label"] for row in data]),
        )
        .properties(title="Automation and augmentation", width=WIDTH, height=120)
    )


def figure_8(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 8: top-level tasks by assistant model."""
    import altair as alt

    data = rows(
        connection,
        """select model_label, node_name as label, 100 * share_of_model as share
        from marts.model_usage where status = 'published' and level = 1 order by node_name, model_label""",
    )
    if not data:
        return None
    return (
        alt.Chart(alt.Data(values=list(data)))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="% of the model's use"),
            y=alt.Y("label:N", sort="-x", title=None, axis=alt.Axis(labelLimit=420)),
            yOffset="model_label:N",
            color=alt.Color("model_label:N", title=None),
        )
        .properties(title="Top-level tasks by assistant model", width=WIDTH, height=alt.Step(9))
    )


def figure_10(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 10: conversations against accounts."""
    import altair as alt

    data = rows(
        connection,
        """select title as label, 100 * share_of_conversations as conversations, 100 * share_of_accounts as
        accounts from marts.usage_by_unit where status = 'published' order by soc_major_code""",
    )
    if not data:
        return None
    most = max(max(row["conversations"], row["accounts"]) for row in data)
    diagonal = alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": most, "y": most}])).mark_line(
        color=RULE, strokeDash=[4, 4]
    )
    points = (
        alt.Chart(alt.Data(values=list(data)))
        .mark_circle(color=COLOUR, size=60)
        .encode(
            x=alt.X("conversations:Q", title="% of conversations"),
            y=alt.Y("accounts:Q", title="% of accounts"),
        )
    )
    return (diagonal.encode(x="x:Q", y="y:Q") + points).properties(
        title="Conversations against accounts, by occupational group", width=400, height=400
    )


def figure_11(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 11: top-level tasks."""
    return _hierarchy(connection, "top", "Most frequent top-level tasks")


def figure_12(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 12: middle-level tasks."""
    return _hierarchy(connection, "middle", "Most frequent middle-level tasks")


def _hierarchy(connection: duckdb.DuckDBPyConnection, level: str, title: str) -> Any:
    where = f"and level_name = '{level}' and node_id <> 'unattributed'"
    data = top(connection, "task_hierarchy_usage", "node_name", "share_of_published_tasks", 15, where)
    return bars(data, title, "% of published use") if data else None


def figure_13(connection: duckdb.DuckDBPyConnection) -> Any:
    """Figure 13: base-level tasks."""
    data = top(connection, "task_usage", "task", "share_of_published_tasks", 15)
    return bars(data, "Most frequent O*NET tasks", "% of published use") if data else None


FIGURES: dict[int, tuple[str, Callable[[Any], Any]]] = {
    2: ("task_usage", figure_2),
    3: ("occupation_category_usage", figure_3),
    4: ("depth_of_use", figure_4),
    5: ("skill_usage", figure_5),
    6: ("wage_usage", figure_6),
    7: ("collaboration_usage", figure_7),
    8: ("model_usage", figure_8),
    10: ("usage_by_unit", figure_10),
    11: ("task_hierarchy_usage", figure_11),
    12: ("task_hierarchy_usage", figure_12),
    13: ("task_usage", figure_13),
}


def draw_figures(
    database: Path, output: Path, wanted: Sequence[int] = (), picture: str = "svg"
) -> tuple[list[Path], list[int]]:
    """Draw figures into ``output``; returns the files and the numbers of figures of which nothing is
    published.

    Args:
        database: a release.
        output: made if need be.
        wanted: numbers of the paper's figures; all by default.
        picture: svg, png or pdf.

    Raises:
        UserError: an unknown figure or format, or the file is not a release.
    """
    import duckdb

    unknown = sorted(set(wanted) - FIGURES.keys())
    if unknown:
        known = ", ".join(map(str, FIGURES))
        raise UserError(f"There is no figure {unknown[0]} to draw; choose from {known}.")
    if picture not in FORMATS:
        raise UserError(f"Pictures cannot be written as '{picture}'; choose {', '.join(FORMATS)}.")
    output.mkdir(parents=True, exist_ok=True)
    written, empty = [], []
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            for number in wanted or FIGURES:
                mart, draw = FIGURES[number]
                chart = draw(connection)
                if chart is None:
                    empty.append(number)
                    continue
                path = output / f"figure_{number:02}_{mart}.{picture}"
                chart.save(str(path), **({"scale_factor": 2} if picture == "png" else {}))
                written.append(path)
    except duckdb.Error as error:
        raise UserError(f"The file {database} is not a release with all marts, or it is in use.") from error
    return written, empty
