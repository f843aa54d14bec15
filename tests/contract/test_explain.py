"""Plans and times over both edges: what is asked for is said, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from conftest import clustered, publish_vectors

from vecinity.client import CalibrationSource, Client, Effort, InvalidArgumentError, Strategy
from vecinity.indexer.ann import Family
from vecinity.indexer.dataset import Source
from vecinity.indexer.metric import Metric

QUERIES = clustered(5, seed=21)
FAMILIES = ("ivf-flat", "ivf-pq", "hnsw")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_search_by_the_index(client: Client, family: str) -> None:
    name = f"euclidean-{family}"
    result = client.search(name, vector=QUERIES[0], target_recall=0.9, explain=True)
    plan = result.plan
    assert plan is not None
    assert (plan.strategy, plan.target_recall, plan.items) == (Strategy.INDEX, 0.9, 2_000)
    assert plan.index == client.get_collection(name).index.description
    assert plan.predicted_recall == result.predicted_recall
    assert plan.calibration_source is CalibrationSource.ITEMS
    assert plan.effort is not None and any(plan.effort)
    assert plan.items_matching is None
    assert "the cheapest effort to reach 0.9" in plan.reasons[0]
    assert plan.reasons[-1].startswith("Only items were calibrated with")
    assert plan.times.search > 0 and plan.times.lookup > 0 and plan.times.queue > 0
    assert plan.times.embed == plan.times.filter == 0
    # Whoever asks for that effort gets the same.
    again = client.search(name, vector=QUERIES[0], effort=plan.effort)
    assert list(again.ids) == list(result.ids)


def test_nothing_is_said_that_was_not_asked_for(client: Client) -> None:
    assert client.search("cosine-ivf-pq", id="item-1").plan is None
    assert client.batch_search("cosine-ivf-pq", ids=["item-1"]).plan is None
    assert client.solve_analogy("words", ["king"], ["man"]).plan is None


def test_an_exact_search(client: Client) -> None:
    plan = client.search("dot-flat", vector=QUERIES[0], explain=True).plan
    assert plan is not None
    assert (plan.strategy, plan.effort, plan.predicted_recall) == (Strategy.EXACT, None, 1.0)
    assert (plan.items_scanned, plan.calibration_source) == (2_000, None)
    asked = client.search("dot-hnsw", vector=QUERIES[0], exact=True, explain=True).plan
    assert asked is not None and asked.target_recall is None
    assert asked.reasons == ("The request asks for an exact search.",)


def test_an_effort_of_the_callers(client: Client) -> None:
    plan = client.search("dot-ivf-flat", vector=QUERIES[0], effort=Effort(nprobe=5_000), explain=True).plan
    assert plan is not None and plan.effort is not None
    assert plan.effort.nprobe == int(client.get_collection("dot-ivf-flat").index.description[3:].split(",")[0])
    assert plan.target_recall is None


def test_queries_by_id_are_planned_with_items(client: Client) -> None:
    plan = client.search("euclidean-ivf-pq", id="item-3", explain=True).plan
    assert plan is not None and plan.calibration_source is CalibrationSource.ITEMS
    assert not any("queries of another kind" in reason for reason in plan.reasons)
    assert plan.reasons[0] == "No target was given: 0.95 is the default."


def test_batches_texts_and_analogies(client: Client) -> None:
    batch = client.batch_search("euclidean-ivf-pq", vectors=QUERIES, explain=True)
    assert batch.plan is not None and batch.plan.strategy is Strategy.INDEX
    assert all(result.plan == batch.plan for result in batch)
    text = client.search("words", text="king", explain=True).plan
    assert text is not None and text.times.embed > 0
    analogy = client.solve_analogy("words", ["king", "woman"], ["man"], explain=True).plan
    assert analogy is not None and analogy.times.search > 0
    several = client.batch_solve_analogies("words", [(["king", "woman"], ["man"])] * 2, explain=True)
    assert several.plan is not None


@pytest.mark.parametrize("target", [0.0, 1.0, 1.5, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("family", ["flat", "ivf-pq"])
def test_targets_that_are_none(client: Client, target: float, family: str) -> None:
    with pytest.raises(InvalidArgumentError, match="must be above 0 and below 1"):
        client.search(f"cosine-{family}", id="item-1", target_recall=target)
    with pytest.raises(InvalidArgumentError, match="must be above 0 and below 1"):
        client.batch_search(f"cosine-{family}", ids=["item-1"], target_recall=target)


def test_a_target_with_something_that_contradicts_it(client: Client) -> None:
    for other in (dict(exact=True), dict(effort=Effort(nprobe=3))):
        with pytest.raises(InvalidArgumentError, match="at most one of"):
            client.search("cosine-ivf-pq", id="item-1", target_recall=0.9, **other)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def asked_otherwise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A collection that was calibrated with queries which lie nowhere near its items."""
    folder = tmp_path_factory.mktemp("asked-otherwise")
    np.save(folder / "queries.npy", np.random.default_rng(4).normal(size=(800, 32)))
    publish_vectors(
        folder / "data",
        "odd",
        clustered(6_000),
        folder,
        metric=Metric.COSINE,
        family=Family.IVF_FLAT,
        target_recall=0.5,
        calibration_queries=Source(folder / "queries.npy"),
    )
    with Client.in_process(folder / "data") as client:
        yield client


def test_calibrated_with_queries(asked_otherwise: Client) -> None:
    points = asked_otherwise.get_collection("odd").index.calibration
    assert {point.source for point in points} == {CalibrationSource.ITEMS, CalibrationSource.QUERIES}
    by_query = asked_otherwise.search("odd", vector=QUERIES[0], target_recall=0.9, explain=True).plan
    by_item = asked_otherwise.search("odd", id="7", target_recall=0.9, explain=True).plan
    assert by_query is not None and by_item is not None
    assert by_query.calibration_source is CalibrationSource.QUERIES
    assert by_item.calibration_source is CalibrationSource.ITEMS
    assert by_query.effort is None or (by_item.effort is not None and by_query.effort.nprobe > by_item.effort.nprobe)
    others = np.random.default_rng(5).normal(size=(2_000, 32))
    exact = asked_otherwise.batch_search("odd", vectors=others, exact=True)
    found = asked_otherwise.batch_search("odd", vectors=others, target_recall=0.9)
    share = np.mean([len({*f.ids} & {*e.ids}) / 10 for f, e in zip(found, exact, strict=True)])
    assert 0.88 < share < 0.95


@pytest.mark.parametrize("rows", [1, 2, 9, 10, 50])
@pytest.mark.parametrize("family", ["flat", "ivf-flat", "hnsw"])
def test_small_and_uniform_collections_answer(tmp_path: Path, rows: int, family: str) -> None:
    for number, vectors in enumerate((np.ones((rows, 8), dtype=np.float32), clustered(rows, 8))):
        publish_vectors(tmp_path / "data", f"c{number}", vectors, tmp_path, family=Family(family), target_recall=0.5)
    with Client.in_process(tmp_path / "data") as client:
        for name in ("c0", "c1"):
            for k in (1, 10, 1_000):
                result = client.search(name, vector=np.ones(8), k=k, explain=True)
                assert len(result) == min(k, rows)
                assert result.plan is not None and sum(astuple(result.plan.times)) > 0
