"""The fitted model as a file: numbers in an ``.npz`` with a JSON header, no pickle, nothing to execute.

Weights are kept as float16 (the rounding moves no probability by more than about 0.002); a file is refused
unless its features version and its encoder are the ones of this installation.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from economic_index.embeddings import MODEL_ID
from economic_index.engines.local.features import FEATURES_VERSION, MARK_NAMES
from economic_index.errors import UserError

FORMAT = 1
VARIABLE = "ECONOMIC_INDEX_LOCAL_MODEL"
SHIPPED = Path(__file__).with_name("model.npz")

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """One linear reader over the blocks of features.

    ``softmax``: exactly one of ``classes``; ``multi``: each class on its own, chosen from ``thresholds`` up.
    Scores are (features @ weights + bias) / temperature, with ``weights`` of shape (columns, classes).
    """

    name: str
    kind: Literal["softmax", "multi"]
    classes: tuple[str, ...]
    blocks: tuple[tuple[str, float], ...]
    weights: Array
    bias: Array
    temperature: float
    thresholds: Array

    def scores(self, columns: Mapping[str, Any]) -> Array:
        """Calibrated scores, shape (n, classes), from the blocks of features by name."""
        total = np.tile(self.bias, (columns[self.blocks[0][0]].shape[0], 1)).astype(np.float32)
        start = 0
        for name, weight in self.blocks:
            block = columns[name]
            part = self.weights[start : start + block.shape[1]]
            total += np.asarray(block @ part, dtype=np.float32) * np.float32(weight)
            start += block.shape[1]
        scaled: Array = total / np.float32(self.temperature)
        return scaled

    def probabilities(self, columns: Mapping[str, Any]) -> Array:
        """Shape (n, classes): rows sum to one for ``softmax``; each in 0..1 for ``multi``."""
        scores = self.scores(columns)
        if self.kind == "multi":
            return np.asarray(1.0 / (1.0 + np.exp(-np.clip(scores, -30, 30))), dtype=np.float32)
        return softmax(scores)


def softmax(scores: Array) -> Array:
    """Row-wise softmax in float32, without overflow."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class Artefact:
    """Everything the local engine has learned.

    Attributes:
        heads: by name: ``occupational``, ``soc_major``, ``collaboration_pattern``, ``skill`` and the use
        facets.
        mark_mean, mark_scale: shape (marks,); standardise the counted marks.
        translation: shape (384, 384); turns the embedding of what a person wrote into that of the task done.
        settings: constants of the task scoring.
        header: the recipe and what was measured while fitting, for people and manifests.
        digest: SHA-256 of the file's bytes (64 hex digits); part of every ledger key.
    """

    heads: Mapping[str, Head]
    mark_mean: Array
    mark_scale: Array
    translation: Array
    settings: Mapping[str, float]
    header: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""


def save(artefact: Artefact, path: Path) -> str:
    """Write the artefact (replacing the file at once, never half of it) and return its digest. Same content,
    same bytes."""
    header = {
        **artefact.header,
        "format": FORMAT,
        "features_version": FEATURES_VERSION,
        "encoder": MODEL_ID,
        "settings": dict(artefact.settings),
        "heads": [
            {
                "name": head.name,
                "kind": head.kind,
                "classes": list(head.classes),
                "blocks": [list(block) for block in head.blocks],
                "temperature": round(head.temperature, 5),
            }
            for head in artefact.heads.values()
        ],
    }
    arrays: dict[str, NDArray[Any]] = {
        "header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8),
        "mark_mean": artefact.mark_mean.astype(np.float32),
        "mark_scale": artefact.mark_scale.astype(np.float32),
        "translation": artefact.translation.astype(np.float16),
    }
    for head in artefact.heads.values():
        arrays[f"{head.name}.weights"] = head.weights.astype(np.float16)
        arrays[f"{head.name}.bias"] = head.bias.astype(np.float32)
        arrays[f"{head.name}.thresholds"] = head.thresholds.astype(np.float32)
    content = _pack(arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise UserError(f"The local model cannot be written to {path}: {error.strerror}.") from None
    return sha256(content).hexdigest()


def _pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An npz with fixed dates, so that the same numbers are the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            held = io.BytesIO()
            np.lib.format.write_array(held, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), held.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def model_path() -> Path:
    """The artefact in use: what ``ECONOMIC_INDEX_LOCAL_MODEL`` names, else the one in the package."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else SHIPPED


def load(path: Path | None = None) -> Artefact:
    """Read an artefact.

    Raises:
        UserError: the file is missing, not an artefact, or fitted for other features or another encoder.
    """
    path = path or model_path()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"The local model {path} cannot be read ({error.strerror}); "
            f"run economic-index fit-local or unset {VARIABLE}."
        ) from None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays["header"].tobytes())
        versions = (header["format"], header["features_version"], header["encoder"])
    except Exception:
        raise UserError(
            f"The local model {path} is not a file that economic-index fit-local wrote; "
            f"fit it again or unset {VARIABLE}."
        ) from None
    if versions != (FORMAT, FEATURES_VERSION, MODEL_ID) or len(arrays["mark_mean"]) != len(MARK_NAMES):
        raise UserError(
            f"The local model {path} was fitted by another version of this project; "
            "run economic-index fit-local again."
        )
    heads = {entry["name"]: _head(entry, arrays) for entry in header["heads"]}
    return Artefact(
        heads,
        arrays["mark_mean"],
        arrays["mark_scale"],
        arrays["translation"].astype(np.float32),
        header["settings"],
        header,
        sha256(content).hexdigest(),
    )


def _head(entry: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Head:
    name = entry["name"]
    return Head(
        name,
        entry["kind"],
        tuple(entry["classes"]),
        tuple((block, float(weight)) for block, weight in entry["blocks"]),
        arrays[f"{name}.weights"].astype(np.float32),
        arrays[f"{name}.bias"],
        float(entry["temperature"]),
        arrays[f"{name}.thresholds"],
    )


def dense_columns(marks: Array, artefact: Artefact) -> Array:
    """Standardised marks, clipped so that one odd conversation cannot run away, divided by their number's
    root."""
    scaled = np.clip((marks - artefact.mark_mean) / artefact.mark_scale, -3.0, 3.0)
    return np.asarray(scaled / np.sqrt(marks.shape[1]), dtype=np.float32)


Columns = dict[str, Array | sparse.csr_matrix]
