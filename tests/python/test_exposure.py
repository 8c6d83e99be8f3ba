"""Forecasts beside observed use: installing them, matching codes of two vintages, correlations with
intervals.
"""

from __future__ import annotations

import csv
import math
import os
import shutil
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from economic_index.errors import UserError
from economic_index.release.exposure import (
    Correlation,
    compare,
    correlate,
    install_exposure,
    spearman_interval,
)

REPO = Path(__file__).resolve().parents[2]
SAMPLE = REPO / "seeds" / "sample"
REFERENCE = REPO / "seeds" / "reference"
DATA = Path(os.environ.get("ECONOMIC_INDEX_DATA") or REPO.parent / "shared" / "data") / "exposure"


def write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """The sample taxonomy with a crosswalk where one 2010 code has another 2019 code."""
    folder = tmp_path / "seeds"
    shutil.copytree(SAMPLE, folder)
    write(
        folder / "onet_soc_crosswalk.csv",
        ["onet_soc_2010_code", "onet_soc_2010_title", "onet_soc_2019_code", "onet_soc_2019_title"],
        [["15-1131.00", "P", "15-1251.00", "P"]]
        + [[f"1{i}-1011.00", "x", f"1{i}-1011.00", "x"] for i in range(9)],
    )
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "release.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("""
            create schema marts;
            create table marts.release_manifest as select 'taxonomy_release' as item, 'sample-1' as value,
            'r' as release_id
                union all select 'soc_vintage', '2019', 'r';
            create table marts.occupation_usage as
                select '1' || i || '-1011.00' as onet_soc_code, '1' || i as soc_major_code, 'published' as
                status,
                    i / 100.0 as share_of_published_tasks from range(9) as t(i)
                union all select '15-1251.00', '15', 'published', 0.9
                union all select '19-1011.00', '19', 'withheld', null;
            create table marts.occupation_category_usage as
                select '1' || i as soc_major_code, 'published' as status, i / 100.0 as
                share_of_published_tasks,
                    i / 10.0 as ratio_of_usage_to_employment from range(9) as t(i);
        """)
    return path


def install(folder: Path) -> Path:
    folder.mkdir()
    values = [[f"1{i}-1011", "x", i / 10] for i in range(9)]
    # The computer occupation has its 2010 code here.
    write(
        folder / "felten_aioe_appendix_a.csv",
        ["SOC Code", "Occupation Title", "AIOE"],
        [*values, ["15-1131", "P", 5]],
    )
    scores = [[f"1{i}-1011", "x", -i] for i in range(9)]
    write(folder / "soc_ai_applicability_scores.csv", ["SOC Code", "title", "ai_applicability_score"], scores)
    counts = install_exposure(folder, folder / "installed" / "exposure.csv")
    assert counts == {"Felten et al. 2021: AIOE": 10, "Tomlinson et al. 2025: AI applicability": 9}
    return folder / "installed" / "exposure.csv"


def test_codes_of_both_vintages_are_matched(release: Path, seeds: Path, tmp_path: Path) -> None:
    results = compare(release, install(tmp_path / "exposure"), seeds, REFERENCE)
    found: dict[tuple[str, str, str], Correlation] = {(r.source, r.level, r.usage): r for r in results}
    felten = found["Felten et al. 2021", "occupation", "share"]
    assert felten.n == 10, "the 2010 code came through the crosswalk"
    assert felten.spearman == pytest.approx(1) and felten.kendall == pytest.approx(1)
    other = found["Tomlinson et al. 2025", "occupation", "share"]
    assert other.n == 9 and other.spearman == pytest.approx(-1)
    assert found["Felten et al. 2021", "soc_major_group", "per_worker"].n == 9


def test_use_per_worker_takes_the_employment_that_is_given(
    release: Path, seeds: Path, tmp_path: Path
) -> None:
    exposure = install(tmp_path / "exposure")
    header = ["AREA_TITLE", "OCC_CODE", "OCC_TITLE", "O_GROUP", "TOT_EMP", "A_MEAN", "A_MEDIAN", "H_MEDIAN"]
    # The more exposed an occupation is, the more workers share its use; a suppressed count is none.
    employed = [
        ["U.S.", f"1{i}-1011", "x", "detailed", f"{1000 ** (i + 1):,}", "1", "1", "1"] for i in range(8)
    ]
    employed += [["U.S.", "18-1011", "x", "detailed", "**", "1", "1", "1"]]
    employed += [["U.S.", "15-1251", "P", "detailed", "1", "1", "1", "1"]]
    write(tmp_path / "oews.csv", header, employed)
    results = compare(release, exposure, seeds, REFERENCE, tmp_path / "oews.csv")
    found = {(r.source, r.level, r.usage): r for r in results}
    felten = found["Felten et al. 2021", "soc_code", "per_worker"]
    assert felten.n == 9, "eight codes with employment, and the 2010 code by its 2018 code"
    other = found["Tomlinson et al. 2025", "soc_code", "per_worker"]
    # Use per worker falls as exposure falls, but for the first code, which has no use at all.
    assert other.n == 8 and other.spearman == pytest.approx(1 / 3)
    write(tmp_path / "empty.csv", header, [["U.S.", "00-0000", "All", "total", "9", "1", "1", "1"]])
    with pytest.raises(UserError, match="no detailed occupation"):
        compare(release, exposure, seeds, REFERENCE, tmp_path / "empty.csv")


def test_nothing_installed_and_no_known_file(release: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="reference install"):
        compare(release, tmp_path / "none.csv", SAMPLE, REFERENCE)
    with pytest.raises(UserError, match="none of the files"):
        install_exposure(tmp_path, tmp_path / "x.csv")
    write(tmp_path / "felten_aioe_appendix_a.csv", ["SOC Code", "AIOE"], [["11-1011", "high"]])
    with pytest.raises(UserError, match="Data row 1"):
        install_exposure(tmp_path, tmp_path / "x.csv")


@given(st.floats(-0.99, 0.99), st.integers(4, 2000))
def test_intervals_hold_the_estimate_and_shrink(r: float, n: int) -> None:
    bounds = spearman_interval(r, n)
    assert bounds is not None
    lower, upper = bounds
    assert -1 <= lower < r < upper <= 1 or math.isclose(lower, upper)
    wider = spearman_interval(r, 4)
    assert wider is not None and wider[1] - wider[0] >= upper - lower - 1e-12


def test_no_interval_and_no_correlation_where_there_is_none() -> None:
    assert spearman_interval(1.0, 50) is None and spearman_interval(0.5, 3) is None
    assert correlate([1, 2, 3, 4], [1, 2, 3, 4]) == (None, None), "too few pairs"
    assert correlate([1.0] * 9, list(range(9))) == (None, None)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the exposure files are not beside the checkout")
def test_the_authors_files_are_read(tmp_path: Path) -> None:
    counts = install_exposure(DATA, tmp_path / "x.csv")
    assert counts["Eloundou et al. 2024: beta, human raters"] == 923
    assert counts["Felten et al. 2021: AIOE"] == 774
    assert counts["Tomlinson et al. 2025: AI applicability"] == 785
