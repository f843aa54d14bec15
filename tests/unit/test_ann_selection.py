"""Searches that may find only the rows of a set, by every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import clustered
from indexes import ROWS, best_effort, made, numpy_scores

from vecinity.indexer.ann import EXACT, Family, Index, RowSet
from vecinity.indexer.metric import Metric, prepare


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("family", Family)
class TestEveryFamily:
    @pytest.mark.parametrize("share", [0.002, 0.03, 0.5, 1.0])
    def test_finds_rows_of_the_set_only_and_nearly_the_best(
        self, family: Family, metric: Metric, share: float, tmp_path: Path
    ) -> None:
        index = made(family, metric)
        mask = np.random.default_rng(4).random(ROWS) < share
        within = RowSet.of(mask)
        queries = prepare(clustered(40, seed=5), metric)
        truth = np.where(mask, numpy_scores(queries, index.vectors, metric), -np.inf)
        expected = -np.sort(-truth, axis=1)[:, :10]
        wanted = min(10, within.count)
        index.save(tmp_path / "index.faiss")
        opened = Index.load(tmp_path / "index.faiss", index.spec, metric, index.vectors)
        for asked in (index, opened):
            scores, rows = asked.search(queries, 10, best_effort(index), within=within)
            assert ((rows >= 0).sum(axis=1) == wanted).all()  # none is short
            assert mask[rows[:, :wanted]].all()
            assert all(len({*line}) == wanted for line in rows[:, :wanted].tolist())
            assert (scores[:, :wanted] >= expected[:, wanted - 1 : wanted] - 1e-3).mean() >= 0.9
            assert (np.diff(scores[:, :wanted], axis=1) <= 0).all()

    def test_exactly(self, family: Family, metric: Metric) -> None:
        index = made(family, metric)
        mask = np.random.default_rng(4).random(ROWS) < 0.2
        queries = prepare(clustered(40, seed=5), metric)
        scores, rows = index.search(queries, 10, EXACT, within=RowSet.of(mask))
        truth = np.where(mask, numpy_scores(queries, index.vectors, metric), -np.inf)
        np.testing.assert_allclose(scores, -np.sort(-truth, axis=1)[:, :10], rtol=1e-4, atol=1e-4)
        assert mask[rows].all()

    def test_an_empty_set(self, family: Family, metric: Metric) -> None:
        index = made(family, metric)
        scores, rows = index.search(index.vectors[:3], 5, best_effort(index), within=RowSet.of(np.zeros(ROWS, bool)))
        assert (rows == -1).all() and (scores == -np.inf).all()

    def test_candidates_are_what_a_search_re_ranks(self, family: Family, metric: Metric) -> None:
        index = made(family, metric)
        effort = best_effort(index)
        queries = prepare(clustered(20, seed=5), metric)
        candidates = index.candidates(queries, 10 * max(effort.k_factor, 1), effort)
        assert candidates.dtype == np.int64 and candidates.shape == (20, 10 * max(effort.k_factor, 1))
        _, rows = index.search(queries, 10, effort)
        if index.needs_rerank:
            assert all(set(found) <= set(line) for found, line in zip(rows.tolist(), candidates.tolist(), strict=True))
        else:
            np.testing.assert_array_equal(rows, candidates)
