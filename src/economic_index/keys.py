"""Secret keys: made once, mode 0600, never in a table, a log or an error."""

from __future__ import annotations

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

from economic_index.errors import UserError
from economic_index.paths import warehouse

KEY_BYTES = 32


def load_key(purpose: str) -> bytes:
    """Return the key for ``purpose`` (``pseudonyms``, ``rounding``, ``sampling``), making it on first use.

    The file is ``<warehouse>/keys/<purpose>.key``, or what ``ECONOMIC_INDEX_<PURPOSE>_KEY_FILE`` names. It is created
    with ``O_EXCL`` and mode 0600, so that two processes cannot both make one.

    Raises:
        UserError: the file is empty, shorter than 16 bytes, or readable by others.
    """
    given = os.environ.get(f"ECONOMIC_INDEX_{purpose.upper()}_KEY_FILE")
    path = Path(given) if given else warehouse() / "keys" / f"{purpose}.key"
    if not given:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        if given:
            raise UserError(
                f"The key file {path} does not exist; create it or unset the variable that names it."
            )
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_hex(KEY_BYTES).encode())
                file.flush()
                os.fsync(file.fileno())
    if path.stat().st_mode & 0o077:
        raise UserError(f"The key file {path} can be read by other users; run chmod 600 on it.")
    key = path.read_bytes().strip()
    if len(key) < 16:
        raise UserError(f"The key file {path} holds fewer than 16 bytes; delete it to have a new key made.")
    return key


def keyed_digest(key: bytes, *parts: str | bytes) -> bytes:
    """HMAC-SHA-256 of the parts, each length-prefixed so that ('a', 'bc') and ('ab', 'c') differ; 32 bytes."""
    mac = hmac.new(key, digestmod=sha256)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        mac.update(len(raw).to_bytes(8, "big"))
        mac.update(raw)
    return mac.digest()
