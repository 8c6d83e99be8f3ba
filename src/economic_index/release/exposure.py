"""Forecasts of exposure to AI by occupation, installed from the authors' own files and set beside observed
use.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from economic_index.errors import UserError
from economic_index.release.flat_files import read_table

INSTALLED = Path("seeds") / "installed" / "exposure" / "occupation_exposure.csv"
COLUMNS = ("source", "measure", "soc_vintage", "code", "value")
Z_95 = 1.959963984540054
FEWEST_PAIRS = 5


@dataclass(frozen=True)
class Forecast:
    """One file of a forecast: its names, the column of the code, the measures and the vintage of its
    codes.
    """

    source: str
    names: tuple[str, ...]
    code: str
    measures: tuple[tuple[str, str], ...]
    soc_vintage: str


FORECASTS = (
    Forecast(
        "Eloundou et al. 2024",
        ("eloundou_occ_level.csv", "occ_level.csv"),
        "O*NET-SOC Code",
        tuple(
            (f"{rater}_rating_{measure}", f"{measure}, {who}")
            for rater, who in (("dv", "model raters"), ("human", "human raters"))
            for measure in ("alpha", "beta", "gamma")
        ),
        "2019",
    ),
    Forecast("Felten et al. 2021", ("felten_aioe_appendix_a.csv",), "SOC Code", (("AIOE", "AIOE"),), "2010"),
    Forecast(
        "Felten et al. 2023",
        ("felten_language_modeling_lm_aioe.csv",),
        "SOC Code",
        (("Language Modeling AIOE", "AIOE, language modeling"),),
        "2010",
    ),
    Forecast(
        "Felten et al. 2023",
        ("felten_image_generation_ig_aioe.csv",),
        "SOC Code",
        (("Image Generation AIOE", "AIOE, image generation"),),
        "2010",
    ),
    Forecast(
        "Tomlinson et al. 2025",
        ("microsoft_soc_ai_applicability_scores.csv", "soc_ai_applicability_scores.csv"),
        "SOC Code",
        (("ai_applicability_score", "AI applicability"),),
        "2019",
    ),
)


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of a forecast with observed use.

    Attributes:
        level: ``occupation``, ``soc_code`` (six digits) or ``soc_major_group``.
        usage: ``share`` of published use, or ``per_worker`` (share of use over share of employment).
        n: units where both are known; withheld use is unknown, not zero.
        spearman, lower, upper: with the 95 % interval of Bonett and Wright (2000).
        kendall: tau-b.
    """

    source: str
    measure: str
    level: str
    usage: str
    n: int
    spearman: float | None
    lower: float | None
    upper: float | None
    kendall: float | None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def install_exposure(folder: Path, target: Path) -> dict[str, int]:
    """Read the authors' files in ``folder`` into one long table; returns the number of values by source
    and measure.

    Raises:
        UserError: none of the files is there, or one of them is damaged.
    """
    rows: list[dict[str, str]] = []
    for forecast in FORECASTS:
        path = next((folder / name for name in forecast.names if (folder / name).is_file()), None)
        if path is not None:
            rows += _read_forecast(forecast, path)
    if not rows:
        names = ", ".join(forecast.names[0] for forecast in FORECASTS)
        raise UserError(f"The folder {folder} holds none of the files that are known ({names}).")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    counts: dict[str, int] = {}
    for row in rows:
        name = f"{row['source']}: {row['measure']}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def _read_forecast(forecast: Forecast, path: Path) -> Iterable[dict[str, str]]:
    columns = [column for column, _ in forecast.measures]
    for number, row in enumerate(read_table(path, [forecast.code, *columns]), start=1):
        for column, measure in forecast.measures:
            if row[column] == "":
                continue
            try:
                value = float(row[column])
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise UserError(
                    f"Data row {number} of {path} has a {column} that is not a number; mend that cell."
                )
            yield {
                "source": forecast.source,
                "measure": measure,
                "soc_vintage": forecast.soc_vintage,
                "code": row[forecast.code],
                "value": repr(value),
            }


def spearman_interval(r: float, n: int) -> tuple[float, float] | None:
    """95 % interval of a Spearman correlation by Fisher's z with the variance of Bonett and Wright (2000)."""
    if n <= 3 or abs(r) >= 1:
        return None
    half = Z_95 * math.sqrt((1 + r * r / 2) / (n - 3))
    z = math.atanh(r)
    return math.tanh(z - half), math.tanh(z + half)


def correlate(forecast: Sequence[float], usage: Sequence[float]) -> tuple[float | None, float | None]:
    """Spearman's rho and Kendall's tau-b; None where there are too few pairs or one side does not vary."""
    from scipy.stats import kendalltau, spearmanr

    if len(forecast) < FEWEST_PAIRS or len(set(forecast)) < 2 or len(set(usage)) < 2:
        return None, None
    return float(spearmanr(forecast, usage).statistic), float(kendalltau(forecast, usage).statistic)


def compare(
    database: Path, exposure: Path, seeds: Path, reference: Path, employment: Path | None = None
) -> list[Correlation]:
    """Correlate every installed forecast with the use in a release, by occupation and by SOC major group.

    Occupations are matched in the vintage of the forecast: codes of the other vintage go through the first
    target of the crosswalk. Use per worker is the use of all published occupations of a six-digit SOC 2018
    code (the first seven characters of the 2019 code) over its employment in OEWS, which counts by those
    codes whatever the vintage of the release or of the forecast; the forecast of such a code is the mean over
    its occupations.

    Args:
        employment: an OEWS national table (CSV, xlsx or zip). Without one, that of the release's taxonomy;
            published releases that were imported bring none.

    Raises:
        UserError: nothing is installed, the release or the employment cannot be read.
    """
    from economic_index.release.export import open_release

    if not exposure.is_file():
        raise UserError(
            "No forecasts are installed; run `economic-index reference install --exposure DIR` first."
        )
    with open_release(database, seeds, reference) as source:
        connection = source.connection
        for name, path in (("exposure", exposure), ("crosswalk", seeds / "onet_soc_crosswalk.csv")):
            quoted = str(path).replace("'", "''")
            connection.execute(
                f"create view {name} as from read_csv('{quoted}', header = true, all_varchar = true)"
            )
        connection.register("employment", _employment(connection, employment))
        connection.execute(COMPARED, [source.manifest.get("soc_vintage", "2019")])
        rows = connection.execute(
            """
            select source, measure, level, usage, list(exposure order by unit), list(used order by unit)
            from compared
            where exposure is not null and used is not null
            group by all
            order by all
            """
        ).fetchall()
    results = []
    for source_name, measure, level, usage, exposures, used in rows:
        rho, tau = correlate(exposures, used)
        bounds = spearman_interval(rho, len(used)) if rho is not None else None
        lower, upper = bounds or (None, None)
        results.append(Correlation(source_name, measure, level, usage, len(used), rho, lower, upper, tau))
    return results


def _employment(connection: Any, path: Path | None) -> pa.Table:
    """Employees by six-digit code: (soc_code, n_employed), from ``path`` or from the taxonomy's own table."""
    if path is None:
        rows = connection.execute(
            "select occ_code, o_group, tot_emp from bls_oews_national where length(occ_code) = 7"
        ).fetchall()
    else:
        from economic_index.taxonomy.official import found_file, read_oews

        rows = [(row["occ_code"], row["o_group"], row["tot_emp"]) for row in read_oews(found_file(path))]
    counted: dict[str, float] = {}
    for code, group, text in rows:
        digits = str(text or "").replace(",", "")
        if group == "detailed" and digits.isdigit() and int(digits) > 0:
            counted[str(code)] = float(digits)
    if path is not None and not counted:
        raise UserError(
            f"The employment table {path} has no detailed occupation; give an OEWS national table."
        )
    return pa.table(
        {
            "soc_code": pa.array(list(counted), pa.string()),
            "n_employed": pa.array(list(counted.values()), pa.float64()),
        }
    )


# $1 is the vintage of the release's codes. Codes of six digits are matched by their first seven characters.
COMPARED = """
create temp table compared as
with targets as (
    select
        onet_soc_2010_code as code_2010,
        min(onet_soc_2019_code) as code_2019
    from crosswalk
    group by 1
),

origins as (
    select
        onet_soc_2019_code as code_2019,
        min(onet_soc_2010_code) as code_2010
    from crosswalk
    group by 1
),

used as (
    select
        occupations.onet_soc_code,
        occupations.share_of_published_tasks as share,
        case
            when $1 = '2010' then occupations.onet_soc_code
            else coalesce(origins.code_2010, occupations.onet_soc_code)
        end as code_2010,
        case
            when $1 = '2019' then occupations.onet_soc_code
            else coalesce(targets.code_2019, occupations.onet_soc_code)
        end as code_2019
    from marts.occupation_usage as occupations
    left join targets on occupations.onet_soc_code = targets.code_2010
    left join origins on occupations.onet_soc_code = origins.code_2019
    where occupations.status = 'published' and occupations.onet_soc_code <> 'unattributed'
),

matched as (
    select
        exposure.source,
        exposure.measure,
        cast(exposure.value as double) as exposure,
        used.onet_soc_code,
        used.share,
        left(used.code_2019, 7) as soc_code
    from exposure
    inner join used
        on exposure.code = left(
            case exposure.soc_vintage when '2010' then used.code_2010 else used.code_2019 end,
            length(exposure.code)
        )
),

by_soc as (
    select
        matched.source,
        matched.measure,
        matched.soc_code,
        avg(matched.exposure) as exposure,
        sum(matched.share) / any_value(employment.n_employed) as per_worker
    from matched
    inner join employment on matched.soc_code = employment.soc_code
    group by 1, 2, 3
),

groups as (
    select
        soc_major_code,
        share_of_published_tasks as share,
        ratio_of_usage_to_employment as ratio
    from marts.occupation_category_usage
    where status = 'published' and soc_major_code <> 'unattributed'
),

group_exposure as (
    select
        source,
        measure,
        left(code, 2) as soc_major_code,
        avg(cast(value as double)) as exposure
    from exposure
    group by 1, 2, 3
)

select source, measure, 'occupation' as level, 'share' as usage, onet_soc_code as unit, exposure, share as used
from matched
union all
select source, measure, 'soc_code', 'per_worker', soc_code, exposure, per_worker
from by_soc
union all
select source, measure, 'soc_major_group', 'share', soc_major_code, exposure, share
from group_exposure
inner join groups using (soc_major_code)
union all
select source, measure, 'soc_major_group', 'per_worker', soc_major_code, exposure, ratio
from group_exposure
inner join groups using (soc_major_code)
"""
