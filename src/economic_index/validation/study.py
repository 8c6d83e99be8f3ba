"""Human validation (Appendix C): a stratified sample for reading, and the scores of what readers said.

The sample is private: it shows conversations. It is written with mode 0600, refers to nothing outside
itself, and numbers its rows; no id of a conversation or an account is in it.
"""

from __future__ import annotations

import csv
import html
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from economic_index.errors import UserError
from economic_index.release.flat_files import read_table
from economic_index.validation.scores import kappa, wilson

ITEMS = {
    "top": "Top-level task",
    "middle": "Middle-level task",
    "task": "O*NET task",
    "collaboration_pattern": "Collaboration pattern",
}
VERDICTS = ("acceptable", "not_acceptable", "unsure")
FEWEST_READINGS = 100
READINGS_STEP = 50
LONGEST_TURN = 6_000
RESULTS = Path("validation") / "readings.csv"
SHEET = ("number", *ITEMS, "conversation")

SCHEMA = pa.schema(
    [
        ("item", pa.string()),
        ("n_readings", pa.int64()),
        ("acceptable_percent", pa.int32()),
        ("acceptable_percent_lower", pa.int32()),
        ("acceptable_percent_upper", pa.int32()),
        ("n_read_twice", pa.int64()),
        ("agreement_percent", pa.int32()),
        ("agreement_kappa", pa.float64()),
    ]
)

READABLE = """
    with groups as (
        select task_id, min(soc_major_code) as stratum from reference.task_occupations group by task_id
    ),
    nodes as (
        select level_name, node_id, name from reference.task_hierarchy
    )
    select
        f.conversation_id,
        g.stratum,
        coalesce(top.name, '') as top,
        coalesce(middle.name, '') as middle,
        t.task,
        coalesce(f.collaboration_pattern, '') as collaboration_pattern
    from facts.fct_conversations as f
    inner join reference.tasks as t on f.task_id = t.task_id
    inner join groups as g on f.task_id = g.task_id
    left join reference.task_paths as p on f.task_id = p.task_id
    left join nodes as top on p.top_node_id = top.node_id
    left join nodes as middle on p.middle_node_id = middle.node_id
    where f.outcome = 'classified'
"""


@dataclass(frozen=True)
class Reading:
    """One row for a reader: a number, the labels to judge by item, and the turns as (role, text)."""

    number: int
    labels: Mapping[str, str]
    turns: Sequence[tuple[str, str]]


def allocate(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """``n`` rows over strata in proportion to their sizes, largest remainders first; never more than a
    stratum has.
    """
    total = sum(sizes.values())
    n = min(n, total)
    exact = {name: n * size / total for name, size in sizes.items()} if total else {}
    given = {name: int(value) for name, value in exact.items()}
    order = sorted(exact, key=lambda name: (-(exact[name] - given[name]), name))
    for name in order[: n - sum(given.values())]:
        given[name] += 1
    return given


def draw(rows: Sequence[tuple[str, str]], n: int, key: bytes) -> list[str]:
    """Ids of a proportional stratified sample of (id, stratum), by a keyed order; the same key draws the
    same rows.
    """
    from economic_index.keys import keyed_digest

    given = allocate(Counter(stratum for _, stratum in rows), n)
    ordered = sorted(rows, key=lambda row: keyed_digest(key, "validation", row[0]))
    chosen = []
    for name, stratum in ordered:
        if given.get(stratum, 0) > 0:
            given[stratum] -= 1
            chosen.append(name)
    return chosen


def sample(database: Path, n: int, key: bytes) -> list[Reading]:
    """Draw ``n`` classified conversations, in proportion to the SOC major group of their task.

    Raises:
        UserError: the private database is missing, in use, or has no classified conversation.
    """
    import duckdb

    if not database.is_file():
        raise UserError(f"There is no private database at {database}; run dbt build first.")
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            rows = connection.execute(READABLE).fetchall()
            by_id = {row[0]: dict(zip(ITEMS, row[2:], strict=True)) for row in rows}
            chosen = draw([(row[0], row[1]) for row in rows], n, key)
            messages = _messages(connection, set(chosen))
    except duckdb.Error as error:
        raise UserError(
            f"The private database {database} is in use or not built; run dbt build and try again."
        ) from error
    if not chosen:
        raise UserError("There is no classified conversation to read; run dbt build first.")
    return [
        Reading(number, by_id[name], messages.get(name, ())) for number, name in enumerate(chosen, start=1)
    ]


def _messages(connection: Any, wanted: set[str]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    cursor = connection.execute("select conversation_id, messages from facts.conversations_to_label")
    while rows := cursor.fetchmany(512):
        for name, messages in rows:
            if name in wanted:
                found[name] = [(m["role"], m["content"][:LONGEST_TURN]) for m in messages]
    return found


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` with mode 0600, replacing what is there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline=""
    ) as file:
        file.write(text)


def as_sheet(readings: Sequence[Reading]) -> str:
    """CSV for a spreadsheet: labels and conversation, and an empty verdict column per item.

    A cell that a spreadsheet would run as a formula is given a leading apostrophe.
    """
    import io

    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["number", *ITEMS, *(f"verdict_{item}" for item in ITEMS), "conversation"])
    for reading in readings:
        text = "\n".join(f"[{role}] {content}" for role, content in reading.turns)
        cells = [*(reading.labels[item] for item in ITEMS), *("" for _ in ITEMS), text]
        writer.writerow([reading.number, *(_harmless(cell) for cell in cells)])
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def as_page(readings: Sequence[Reading]) -> str:
    """One local HTML page: every conversation beside its labels, buttons for the verdicts, a download of
    the answers.

    Text of conversations is escaped, and the policy of the page lets nothing in or out: one script, known
    by its hash.
    """
    digest = sha256(SCRIPT.encode()).digest()
    import base64

    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src "
        f"'sha256-{base64.b64encode(digest).decode()}'; form-action 'none'; base-uri 'none'"
    )
    body = "\n".join(_article(reading) for reading in readings)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'
        f"<title>Reading sheet</title><style>{STYLE}</style></head>\n<body>\n<header><h1>Reading sheet</h1>"
        "<p>Is each label acceptable for the conversation? Private: keep this file where it is, and save "
        "the answers "
        'beside it.</p><label>Reader <input id="reader" maxlength="40"></label> '
        '<button id="save">Save answers</button> <span id="done"></span></header>\n'
        f"{body}\n<script>{SCRIPT}</script></body></html>\n"
    )


def _article(reading: Reading) -> str:
    turns = "".join(
        f'<div class="{"user" if role == "user" else "assistant"}"><b>{html.escape(role)}</b>'
        f"<pre>{html.escape(content)}</pre></div>"
        for role, content in reading.turns
    )
    questions = "".join(
        f"<fieldset><legend>{html.escape(title)}</legend><p>{html.escape(reading.labels[item]) or '(none)'}</p>"
        + "".join(
            f'<label><input type="radio" name="{reading.number}.{item}" value="{verdict}"> '
            f"{verdict.replace('_', ' ')}</label> "
            for verdict in VERDICTS
        )
        + "</fieldset>"
        for item, title in ITEMS.items()
    )
    return f"<article><h2>{reading.number}</h2><section>{turns}</section><form>{questions}</form></article>"


STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:0 "
    "auto;max-width:75rem;padding:1rem;color:#222}header{position:sticky;top:0;background:#fff;border-bottom:1px "
    "solid #ccc;padding-bottom:.5rem}article{display:grid;grid-template-columns:3fr "
    "2fr;gap:1rem;border-bottom:2px solid #ddd;padding:1rem "
    "0}h2{grid-column:1/-1;margin:0}pre{white-space:pre-wrap;font:inherit;margin:.2rem 0 "
    "1rem}.user{background:#f3f6fb;padding:.5rem}.assistant{padding:.5rem}fieldset{border:1px solid "
    "#ccc;margin:0 0 .7rem}"
)
SCRIPT = """
document.getElementById('save').addEventListener('click', function () {
  var reader = document.getElementById('reader').value.replace(/[^A-Za-z0-9_-]/g, '') || 'reader';
  var lines = ['reader,number,item,verdict'];
  document.querySelectorAll('input[type=radio]:checked').forEach(function (box) {
    var at = box.name.indexOf('.');
    lines.push([reader, box.name.slice(0, at), box.name.slice(at + 1), box.value].join(','));
  });
  var link = document.createElement('a');
  link.href = 'data:text/csv;charset=utf-8,' + encodeURIComponent(lines.join('\\n') + '\\n');
  link.download = 'answers_' + reader + '.csv';
  link.click();
  document.getElementById('done').textContent = (lines.length - 1) + ' answers saved';
});
"""


# What readers said
# ------------------------------------------------------------------------------------------------

Verdicts = dict[tuple[int, str], str]


def read_answers(path: Path) -> Verdicts:
    """Answers of one reader by (number, item): what the page saves, or a filled sheet. Empty verdicts are
    left out.

    Raises:
        UserError: another file, or a verdict or item that is not known.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    if "verdict" in header:
        rows = read_table(path, ["number", "item", "verdict"])
        listed = [(row["number"], row["item"], row["verdict"]) for row in rows]
    elif f"verdict_{next(iter(ITEMS))}" in header:
        sheet = read_table(path, ["number", *(f"verdict_{item}" for item in ITEMS)])
        listed = [(row["number"], item, row[f"verdict_{item}"]) for row in sheet for item in ITEMS]
    else:
        raise UserError(f"The file {path} holds no verdicts; give what the page saved, or the filled sheet.")
    answers: Verdicts = {}
    for number, item, verdict in listed:
        word = verdict.strip().lower().replace(" ", "_")
        word = {"yes": "acceptable", "y": "acceptable", "no": "not_acceptable", "n": "not_acceptable"}.get(
            word, word
        )
        if word == "":
            continue
        if word not in VERDICTS or item not in ITEMS or not number.isdecimal():
            raise UserError(
                f"The file {path} has a verdict that is not one of {', '.join(VERDICTS)} for a known item; "
                "mend it."
            )
        answers[int(number), item] = word
    return answers


def store(readers: Sequence[Verdicts], path: Path) -> None:
    """Keep all answers, readers numbered, for the dbt model ``validation_readings``; mode 0600."""
    lines = ["reader,number,item,verdict"]
    lines += [
        f"{reader},{number},{item},{verdict}"
        for reader, answers in enumerate(readers, start=1)
        for (number, item), verdict in sorted(answers.items())
    ]
    write_private(path, "\n".join(lines) + "\n")


def score(readers: Sequence[Verdicts]) -> list[dict[str, Any]]:
    """Acceptable share by item, over the first reader that decided, with Wilson's interval; agreement of
    two readers.

    ``unsure`` is no decision. Percents are whole numbers. Agreement is over rows that the first two
    readers both decided: raw, and Cohen's kappa.
    """
    results = []
    for item in ITEMS:
        decided = [_decided(answers, item) for answers in readers]
        first: dict[int, bool] = {}
        for verdicts in reversed(decided):
            first |= verdicts
        if not first:
            continue
        share = wilson(sum(first.values()), len(first))
        row: dict[str, Any] = {
            "item": item,
            "n_readings": len(first),
            "acceptable_percent": round(100 * share.value),
            "acceptable_percent_lower": round(100 * share.low),
            "acceptable_percent_upper": round(100 * share.high),
            **_between(decided),
        }
        results.append(row)
    return results


def _decided(answers: Verdicts, item: str) -> dict[int, bool]:
    return {
        number: verdict == "acceptable"
        for (number, of), verdict in answers.items()
        if of == item and verdict != "unsure"
    }


def _between(decided: Sequence[Mapping[int, bool]]) -> dict[str, Any]:
    import numpy as np

    both = sorted(decided[0].keys() & decided[1].keys()) if len(decided) > 1 else []
    if not both:
        return {"n_read_twice": 0, "agreement_percent": None, "agreement_kappa": None}
    one, other = (np.array([int(d[number]) for number in both]) for d in decided[:2])
    value = kappa(one, other, 2)
    return {
        "n_read_twice": len(both),
        "agreement_percent": round(100 * float((one == other).mean())),
        "agreement_kappa": None if np.isnan(value) else round(float(value), 2),
    }


def readings_table(path: Path) -> pa.Table:
    """The dbt model ``validation_readings``: scores of the stored answers; empty where nobody has read
    anything.
    """
    if not path.is_file():
        return SCHEMA.empty_table()
    readers: dict[str, Verdicts] = {}
    for row in read_table(path, ["reader", "number", "item", "verdict"]):
        readers.setdefault(row["reader"], {})[int(row["number"]), row["item"]] = row["verdict"]
    return pa.Table.from_pylist(score([readers[name] for name in sorted(readers)]), schema=SCHEMA)


def as_json(results: Sequence[Mapping[str, Any]]) -> str:
    """Results as one JSON document."""
    return json.dumps(list(results))
