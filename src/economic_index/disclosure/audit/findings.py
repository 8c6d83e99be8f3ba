"""What the auditor says: findings with a stable table form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pyarrow as pa

LEAK = "leak"
NOTE = "note"

FINDINGS_SCHEMA = pa.schema(
    [
        ("check_name", pa.string()),
        ("attack", pa.string()),
        ("family", pa.string()),
        ("cell", pa.string()),
        ("severity", pa.string()),
        ("sentence", pa.string()),
    ]
)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that an outsider can learn, or that the release must not hold.

    Attributes:
        check_name: the check that found it.
        attack: number of the attack in docs/privacy.md (``A1`` .. ``A16``).
        family: the table or family of cells.
        cell: the cell, in released ids only; never a value that may come from a conversation.
        severity: ``leak`` stops a publication, ``note`` does not.
        sentence: one sentence for people.
    """

    check_name: str
    attack: str
    family: str
    cell: str
    severity: str
    sentence: str


def findings_table(findings: Iterable[Finding]) -> pa.Table:
    """Findings as an Arrow table with ``FINDINGS_SCHEMA``, sorted, so that the same release gives the
    same table.
    """
    return pa.Table.from_pylist([asdict(finding) for finding in sorted(findings)], schema=FINDINGS_SCHEMA)


class Collector:
    """Collects findings and keeps at most ``limit`` cells of each (check, family); the rest become one
    count.
    """

    def __init__(self, limit: int = 20) -> None:
        self.limit = limit
        self._kept: list[Finding] = []
        self._seen: dict[tuple[str, str, str, str], int] = {}

    def add(
        self, check_name: str, attack: str, family: str, cell: object, sentence: str, severity: str = LEAK
    ) -> None:
        """Record one finding."""
        key = (check_name, attack, family, severity)
        self._seen[key] = self._seen.get(key, 0) + 1
        if self._seen[key] <= self.limit:
            self._kept.append(Finding(check_name, attack, family, str(cell), severity, sentence))

    def findings(self) -> list[Finding]:
        """All findings kept, sorted, with one more row per check where there were too many to list."""
        more = [
            Finding(name, attack, family, "*", severity, f"{count - self.limit} more cells of the same kind.")
            for (name, attack, family, severity), count in self._seen.items()
            if count > self.limit
        ]
        return sorted(self._kept + more)

    def count(self, severity: str = LEAK) -> int:
        """How many findings of a severity there were, listed or not."""
        return sum(count for (*_, found), count in self._seen.items() if found == severity)
