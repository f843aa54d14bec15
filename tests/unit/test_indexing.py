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
    vectors = prepare(clustered(12_000, dimension=16), Metric.COSINE)  # somewhat more than training takes
    samples: list[Rows] = []
    train = Index.train

    def noting(spec, metric, vectors, sample):  # type: ignore[no-untyped-def]
        samples.append(sample)
        return train(spec, metric, vectors, sample)

    monkeypatch.setattr(Index, "train", noting)
    monkeypatch.setattr("vecinity.indexer.calibration.recalls._GRAPH_WORK", 1_000)  # how well is not the question
    monkeypatch.setattr("vecinity.indexer.calibration.recalls._QUERIES_MIN", 30)
    small = {"m": 4, "ef_construction": 20} if family is Family.HNSW_SQ8 else {"nlist": 64}
    made = make_index(vectors, IndexSettings(family=family, target_recall=0.5, **small))
    (sample,) = samples
    held_out = hold_out(len(vectors), 1, 16)
    assert len(held_out) == 1_200
    assert len(sample) == len(np.unique(sample)) == made.index.spec.training_rows < 10_800
    assert not np.intersect1d(sample, held_out).size
