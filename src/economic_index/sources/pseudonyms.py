"""Keyed pseudonyms: a raw account id or organisation id never reaches a table, a file of ours, or a log."""

from __future__ import annotations

import re
from functools import lru_cache

from economic_index.keys import keyed_digest

_WRITTEN = re.compile(r"(?:acct|org|test)_([0-9a-f]{32})")


class Pseudonyms:
    """Pseudonyms under one key (``keys.load_key('pseudonyms')``): HMAC-SHA-256, 16 bytes as 32 hex digits.

    ``economic-index import`` writes ``acct_<pseudonym>`` into its file, with the fingerprint of the key in
    the metadata. A file with the fingerprint of this very key is not hashed a second time, so that an account
    has one pseudonym whether its conversations were imported or read as they are; ids of any other file are
    always hashed.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.fingerprint = keyed_digest(key, "fingerprint")[:8].hex()
        # Accounts repeat; a bounded cache keeps memory flat on millions of them.
        self._of = lru_cache(maxsize=65_536)(self._compute)

    def _compute(self, kind: str, value: str) -> str:
        return keyed_digest(self._key, kind, value)[:16].hex()

    def account(self, account_id: str | None, already: bool = False) -> str | None:
        """Pseudonym of an account; null stays null. ``already``: the file was written under this key."""
        return self._pseudonym("account", account_id, already)

    def organization(self, organization_id: str | None, already: bool = False) -> str | None:
        """Pseudonym of an organisation; null stays null."""
        return self._pseudonym("organization", organization_id, already)

    def _pseudonym(self, kind: str, value: str | None, already: bool) -> str | None:
        if value is None:
            return None
        if already and (written := _WRITTEN.fullmatch(value)):
            return written.group(1)
        return self._of(kind, value)

    def row(self, source_file: str, row: int) -> str:
        """Name of a row without a usable conversation id: it depends on the file name and its place only."""
        return f"row-{keyed_digest(self._key, 'row', source_file, str(row))[:8].hex()}"

    def test_account(self, conversation_id: str, source_file: str, row: int) -> str:
        """A surrogate account of one conversation, for test corpora that have none, as in a file."""
        return f"test_{keyed_digest(self._key, 'test', conversation_id, source_file, str(row))[:16].hex()}"
