"""The published numbers, held by our own marts."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from economic_index.errors import UserError
from economic_index.release.overlay import make_overlay
from economic_index.release.reproduce import Number, Reproduction, as_markdown, find_data, reproduce, shown

REPO = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ECONOMIC_INDEX_DATA") or REPO.parent / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "aei" / "release_2025_03_27").is_dir(),
    reason="the published releases are not beside the checkout",
)


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_PROJECT", str(REPO))


def seed() -> list[dict[str, str]]:
    path = REPO / "seeds" / "reference" / "published_numbers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(**changes: object) -> Number:
    values: dict[str, object] = {
        "edition": "v1", "number_id": "x", "position": 1, "paper_section": "3", "label": "X",
        "unit": "percent", "published_value": 37.2, "reference_value": 37.225, "value": 37.2249, "outcome": "reproduced",
        "recipe": "as it is", "reason": None,
    }  # fmt: skip
    return Number(**{**values, **changes})  # type: ignore[arg-type]


def test_every_number_of_the_seed_has_a_value_or_a_reason() -> None:
    rows = seed()
    assert len({row["number_id"] for row in rows}) == len(rows)
    for row in rows:
        assert bool(row["reference_value"]) != bool(row["reason"]), row["number_id"]
        assert bool(row["reference_value"]) == bool(row["tolerance"]), row["number_id"]
        if row["reference_value"]:
            assert float(row["tolerance"]) <= 0.05, row["number_id"]
    by_measure = {m: sum(row["measure"] == m for row in rows) for m in {row["measure"] for row in rows}}
    assert by_measure["category_share"] == 44 and by_measure["pattern_share"] == 7


def test_the_seed_agrees_with_the_numbers_of_the_paper() -> None:
    published = {row["number_id"]: float(row["published_value"]) for row in seed() if row["published_value"]}
    recomputed = {row["number_id"]: float(row["reference_value"]) for row in seed() if row["reference_value"]}
    for name, value in published.items():
        if "job_zone" in name:
            continue
        # Printed values are rounded; the second report says "about 40 %" of a curve.
        assert recomputed[name] == pytest.approx(value, abs=1.5 if name == "v2_depth_20" else 0.5), name
    assert 1.4 <= recomputed["v1_job_zone_ratio_4"] <= 1.6
    assert 0.55 <= recomputed["v1_job_zone_ratio_5"] <= 0.65


def test_missing_data_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_DATA", str(tmp_path))
    with pytest.raises(UserError, match="--data"):
        find_data(None)
    with pytest.raises(UserError, match="release_2025_02_10"):
        find_data(tmp_path / "other")


def test_differences_and_text() -> None:
    assert number().difference == pytest.approx(0.0249)
    assert number(published_value=None).difference == pytest.approx(-0.0001)
    assert number(value=None).difference is None
    assert (
        shown(-0.0001, "percent") == "0.000"
        and shown(2781.0, "count") == "2,781"
        and shown(None, "count") == "-"
    )


def test_the_page_names_what_differs_and_what_cannot_be_recomputed() -> None:
    numbers = [
        number(),
        number(number_id="y", value=40.0, outcome="differs"),
        number(number_id="z", label="Skills", outcome="not_reproducible", value=None, reason="not released"),
    ]
    page = as_markdown(Reproduction(numbers, 1.0, ["a note"]))
    assert "1 numbers are reproduced, 1 differ, 1 cannot" in page
    assert "| X | 37.2 | 37.225 | 37.225 | 0.025 |" in page
    assert "| Skills | 3 | not released |" in page and "* a note" in page


def test_an_overlay_never_reaches_into_the_project(tmp_path: Path) -> None:
    overlay = make_overlay(tmp_path / "o")
    assert (overlay.folder / "models").resolve() == REPO / "models"
    assert overlay.seeds.parent == overlay.folder / "seeds" and not overlay.seeds.parent.is_symlink()
    environment = overlay.environment()
    assert environment["ECONOMIC_INDEX_TAXONOMY"] == "seeds/imported"
    for name in ("ECONOMIC_INDEX_WAREHOUSE", "DBT_TARGET_PATH", "DBT_LOG_PATH"):
        assert environment[name].startswith(str(tmp_path))


@pytest.mark.data
@needs_data
def test_the_paper_is_reproduced() -> None:
    result = reproduce(DATA)
    assert result.counts() == {"reproduced": 157, "differs": 0, "not_reproducible": 11}
    values = {number.number_id: number.value for number in result.numbers}
    # Printed in the paper, to the digits it gives.
    assert round(values["v1_category_15"] or 0, 1) == 37.2
    assert round(values["v1_category_27"] or 0, 1) == 10.3
    printed = {
        "validation": 2.8,
        "task_iteration": 31.3,
        "learning": 23.3,
        "feedback_loop": 14.8,
        "directive": 27.8,
    }
    for pattern, value in printed.items():
        assert round(values[f"v1_pattern_{pattern}"] or 0, 1) == value
    assert (round(values["v1_augmentation"] or 0), round(values["v1_automation"] or 0)) == (57, 43)
    assert [values[f"change_tasks_{part}"] for part in ("only_first", "only_second", "both")] == [
        733,
        584,
        2781,
    ]
    assert result.seconds < 180, "60 s on two cores of their own"
    for number_of in result.numbers:
        if number_of.outcome == "reproduced":
            assert number_of.value == pytest.approx(number_of.reference_value, abs=0.05)
