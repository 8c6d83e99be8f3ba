"""What travels with an exported release: a Frictionless data package, a citation file, licences and
attributions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from economic_index.release.export import Exported

FRICTIONLESS_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "FLOAT": "number",
    "DOUBLE": "number",
}

LICENSES = """# Licences and attributions

* Counts and shares (task mappings, automation and augmentation, residuals, details): made from the
publisher's own
  conversations. The publisher of this folder sets their licence; until then they come under none.
* Task statements, occupations, job zones: this product includes information from the O*NET Database by the
U.S.
  Department of Labor, Employment and Training Administration (USDOL/ETA), used under the CC BY 4.0
  license. O*NET is a
  trademark of USDOL/ETA. The information was reduced to the columns shown and modified only in format.
  Where the
  taxonomy in use is the project's own sample, datapackage.json says so, and nothing here is from O*NET.
* Wages and employment: U.S. Bureau of Labor Statistics, Occupational Employment and Wage Statistics;
public domain.
* File names and columns follow the Anthropic Economic Index releases; method: Handa, Tamkin et al. 2025,
  arXiv:2503.04761. No data of theirs is in this folder.
"""


def data_package(
    release_id: str,
    written: Sequence[Exported],
    columns: Mapping[str, Sequence[tuple[Any, ...]]],
    section: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of ``datapackage.json`` (Frictionless Data Package, version 1).

    Args:
        release_id: names the package.
        written: files in their order.
        columns: rows of DuckDB's ``describe`` by file.
        section: the project's own section, ``economic_index``, which import-release reads back.
    """
    return {
        "profile": "tabular-data-package",
        "name": f"economic-index-{release_id}",
        "title": "Use of an AI assistant by occupational task",
        "description": "Shares of conversations by task and pattern, released through a privacy wall.",
        "sources": [
            {
                "title": "O*NET Database, USDOL/ETA (CC BY 4.0)",
                "path": "https://www.onetcenter.org/database.html",
            },
            {"title": "BLS Occupational Employment and Wage Statistics", "path": "https://www.bls.gov/oes/"},
        ],
        "licenses": [
            {
                "name": "CC-BY-4.0",
                "title": "O*NET parts; see LICENSES.md for the others",
                "path": "LICENSES.md",
            }
        ],
        "resources": [_resource(file, columns[file.name]) for file in written],
        "economic_index": dict(section),
    }


def _resource(file: Exported, columns: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return {
        "name": file.name.removesuffix(".csv").lower().replace("_", "-"),
        "path": file.name,
        "title": file.description,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {
            "fields": [
                {"name": row[0], "type": FRICTIONLESS_TYPES.get(str(row[1]), "string")} for row in columns
            ],
            "missingValues": [""],
        },
    }


def citation(release_id: str) -> str:
    """The content of ``CITATION.cff`` (Citation File Format 1.2.0)."""
    return f"""cff-version: 1.2.0
message: If you use these data, cite the publisher of this folder and the method.
title: Use of an AI assistant by occupational task, release {release_id}
type: dataset
authors:
  - name: The publisher of this folder
version: "{release_id}"
references:
  - type: article
    title: "Which Economic Tasks are Performed with AI? Evidence from Millions of Claude Conversations"
    authors:
      - family-names: Handa
        given-names: Kunal
      - family-names: Tamkin
        given-names: Alex
      - name: and others
    year: 2025
    url: https://arxiv.org/abs/2503.04761
  - type: dataset
    title: O*NET Database
    authors:
      - name: U.S. Department of Labor, Employment and Training Administration
    url: https://www.onetcenter.org/database.html
"""
