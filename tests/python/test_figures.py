"""Figures from a release, and what is said when there is nothing to draw."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from economic_index.errors import UserError
from economic_index.release.figures import FIGURES, LONGEST_LABEL, apart, draw_figures, figure_7, shorten


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with the columns that figures read, and little in it."""
    path = tmp_path / "release.duckdb"
    share = "0.25 as {0}, 0.2 as {0}_lower, 0.3 as {0}_upper".format
    published = share("share_of_published_tasks")
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"""
            create schema marts;
            create table marts.occupation_category_usage as select i::varchar as soc_major_code, 'Group <b>
            ' || i as title,
                'published' as status, {published}, 0.1 as share_of_us_employment from range(11, 19) t(i);
            create table marts.occupation_usage as select i || '-1' as onet_soc_code, 'Job ' || i as title,
                i::varchar as soc_major_code, 'published' as status, {published} from range(11, 19) t(i);
            create table marts.depth_of_use as select i * 5 as min_percent_of_tasks, 1.0 / i as
            share_of_occupations
                from range(1, 21) t(i);
            create table marts.skill_usage as select 'Skill ' || i as label, if(i = 1, 'withheld',
            'published') as status,
                {share("share_of_classified")} from range(3) t(i);
            create table marts.wage_usage as select i || '-1' as onet_soc_code, 'Job ' || i as title,
            'published' as status,
                10000.0 * i as median_wage_usd, {published} from range(11, 19) t(i);
            create table marts.collaboration_usage as select 'Directive' as label, 'automation' as
            pattern_group,
                'pattern' as pattern_level, 'published' as status, 1 as position, 0.3 as share_of_all,
                null::double as share_of_classified_patterns;
            create table marts.model_usage as select 'Model' as model_label, 'Node' as node_name, 1 as level,
                'withheld' as status, null::double as share_of_model;
            create table marts.usage_by_unit as select 'Group' as title, '11' as soc_major_code,
            'published' as status,
                0.2 as share_of_conversations, 0.1 as share_of_accounts;
            create table marts.task_hierarchy_usage as select level_name, 'n' as node_id, 'Node ' ||
            level_name as node_name,
                'published' as status, {published} from (values ('top'), ('middle')) as l(level_name);
            create table marts.task_usage as select 'Task ' || i as task, 'published' as status,
            {published} from range(3) t(i);
        """)
    return path


def test_every_figure_is_drawn_or_said_to_be_empty(release: Path, tmp_path: Path) -> None:
    written, empty = draw_figures(release, tmp_path / "figures")
    assert empty == [8], "nothing of the models is published"
    assert len(written) == len(FIGURES) - 1
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<svg") and len(text) > 1000
        assert "<b>" not in text
    assert "Skill 0" in (tmp_path / "figures" / "figure_05_skill_usage.svg").read_text(encoding="utf-8")
    assert "Skill 1" not in (tmp_path / "figures" / "figure_05_skill_usage.svg").read_text(encoding="utf-8")


def test_the_same_release_gives_the_same_picture(release: Path, tmp_path: Path) -> None:
    first, _ = draw_figures(release, tmp_path / "a", [4, 13])
    second, _ = draw_figures(release, tmp_path / "b", [4, 13])
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_png(release: Path, tmp_path: Path) -> None:
    (path,), _ = draw_figures(release, tmp_path, [4], "png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_base_of_figure_7_is_the_one_that_is_published(release: Path) -> None:
    with duckdb.connect(str(release), read_only=True) as connection:
        assert "all conversations" in figure_7(connection).to_json()


def test_names_do_not_run_into_each_other() -> None:
    data = [{"label": str(i), "share": 5.0 - i / 100, "wage": 50_000.0} for i in range(5)]
    assert [row["label"] for row in apart(data)] == ["0"]
    assert shorten("x" * 500) == "x" * (LONGEST_LABEL - 1) + "…"


def test_user_errors(release: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no figure 9"):
        draw_figures(release, tmp_path, [9])
    with pytest.raises(UserError, match="cannot be written as 'bmp'"):
        draw_figures(release, tmp_path, [4], "bmp")
    with duckdb.connect(str(tmp_path / "other.duckdb")):
        pass
    with pytest.raises(UserError, match="not a release"):
        draw_figures(tmp_path / "other.duckdb", tmp_path, [4])
