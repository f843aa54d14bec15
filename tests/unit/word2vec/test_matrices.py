import numpy as np
import pytest

from vecinity.indexer.errors import SettingError
from vecinity.indexer.word2vec import Word2VecSettings, matrices
from vecinity.indexer.word2vec.matrices import Matrices

LARGE = Word2VecSettings(dimension=4096, subword_buckets=2**27)


def test_what_does_not_fit_is_refused_before_it_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrices, "memory_bytes", lambda: 8 * 10**9)
    granted = lambda *_: pytest.fail("memory is asked for")  # noqa: E731
    monkeypatch.setattr(matrices, "zeros", granted)
    for asked in (Matrices.untrained, Matrices.check_fits):
        with pytest.raises(SettingError) as caught:
            asked(1_000, LARGE)
        assert str(caught.value) == (
            "dimension is 4,096; with 1,000 words and 134,217,728 subword_buckets the matrices take 2,199.1 GB, of "
            "8.0 GB that this machine has: lower dimension, subword_buckets or max_vocabulary"
        )


def test_the_limit_is_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Word2VecSettings(dimension=10)  # Rows are padded to 64 bytes.
    monkeypatch.setattr(matrices, "memory_bytes", lambda: 2 * 100 * 64)
    Matrices.check_fits(100, settings)
    with pytest.raises(SettingError, match="lower dimension"):
        Matrices.check_fits(101, settings)


def test_memory_that_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(rows: int, columns: int) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr(matrices, "zeros", refuse)
    with pytest.raises(SettingError, match="lower dimension, subword_buckets or max_vocabulary"):
        Matrices.untrained(10, Word2VecSettings(dimension=10))


def test_this_machine_has_memory() -> None:
    assert matrices.memory_bytes() > 10**8
