"""How the index of a version is made."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import clustered

from vecinity.indexer.ann import Family, Index, Rows
from vecinity.indexer.calibration import hold_out
from vecinity.indexer.indexing import IndexSettings, make_index
from vecinity.indexer.metric import Metric, prepare


@pytest.mark.parametrize("family", [Family.IVF_FLAT, Family.IVF_PQ, Family.HNSW_SQ8])
def test_what_measures_an_index_has_not_trained_it(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the calibration promises more than other queries find."""
    vectors = prepare(clustered(20_000, dimension=16), Metric.COSINE)
    samples: list[Rows] = []
    train = Index.train

    def noting(spec, metric, vectors, sample):  # type: ignore[no-untyped-def]
        samples.append(sample)
        return train(spec, metric, vectors, sample)

    monkeypatch.setattr(Index, "train", noting)
    made = make_index(vectors, IndexSettings(family=family, target_recall=0.5))
    (sample,) = samples
    held_out = hold_out(len(vectors), 1, 16)
    assert len(held_out) == 2_000
    assert len(sample) == len(np.unique(sample)) == min(made.index.spec.training_rows, 18_000)
    assert not np.intersect1d(sample, held_out).size
