"""The arithmetic of analogies against formulas written out for one analogy at a time, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vecinity.indexer.metric import Metric, normalise
from vecinity.service.analogy import pair_direction, three_cos_add, three_cos_avg, three_cos_mul
from vecinity.service.analogy.combining import best_products, best_weighted_sums, weighted_sums
from vecinity.service.analogy.scan import Combine, Keep, scan
from vecinity.service.analogy.terms import Terms
from vecinity.service.errors import InvalidArgumentError

ROWS, DIMENSION = 9_001, 12  # not a multiple of any block


@pytest.fixture
def items(rng: np.random.Generator) -> np.ndarray:
    return normalise(rng.normal(size=(ROWS, DIMENSION)).astype(np.float32))


@pytest.fixture
def terms(rng: np.random.Generator, items: np.ndarray) -> Terms:
    """Analogies of 1 to 4 terms, of a few vectors that they share; the first of each is added."""
    counts = rng.integers(1, 5, 150)
    weights = rng.choice([-2.0, -1.0, 0.5, 1.0], counts.sum())
    weights[np.cumsum(counts) - counts] = 1.0
    return Terms(items[:40], rng.integers(0, 40, counts.sum()), counts, weights)


def triples(rng: np.random.Generator, vectors: np.ndarray, count: int) -> Terms:
    """Analogies of [a*, b] and [a], with the negative in any place."""
    which = np.array([rng.choice(len(vectors), 3, replace=False) for _ in range(count)])
    weights = np.array([rng.permutation([1.0, 1.0, -1.0]) for _ in range(count)])
    return Terms(vectors, which.ravel(), np.full(count, 3), weights.ravel())


def each(terms: Terms) -> list[tuple[np.ndarray, np.ndarray]]:
    """Vectors and weights of each analogy, float64."""
    ends = np.cumsum(terms.counts)
    parts = [slice(end - count, end) for end, count in zip(ends, terms.counts, strict=True)]
    return [(terms.vectors[terms.which[part]].astype(np.float64), terms.weights[part]) for part in parts]


def added(items: np.ndarray, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return items @ (weights @ vectors)


def multiplied(items: np.ndarray, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    score, below = np.ones(len(items)), np.ones(len(items))
    for vector, weight in zip(vectors, weights, strict=True):
        similarity = (1 + items @ vector) / 2
        score, below = (score * similarity**weight, below) if weight > 0 else (score, below * similarity**-weight)
    return score / (below + 1e-6) if (weights < 0).any() else score / (1 + 1e-6)


def pointed(items: np.ndarray, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    (a_star, b), (a,) = vectors[weights > 0], vectors[weights < 0]
    from_b, way = items - b, a_star - a
    lengths = np.linalg.norm(from_b, axis=1) * np.linalg.norm(way)
    return np.where(lengths > 1e-6, (from_b @ way) / np.maximum(lengths, 1e-12), -1)


def check_scan(
    items: np.ndarray,
    terms: Terms,
    combine: Combine,
    score: Callable[..., np.ndarray],
    count: int,
    rtol: float = 2e-5,
    keep: Keep | None = None,
) -> None:
    scores, rows = scan(terms.vectors, items, len(terms), count, combine, keep)
    assert scores.shape == rows.shape == (len(terms), count)
    for line, (vectors, weights) in enumerate(each(terms)):
        expected = score(items.astype(np.float64), vectors, weights)
        assert len({*rows[line]}) == count
        np.testing.assert_allclose(scores[line], np.sort(expected)[::-1][:count], rtol=rtol, atol=rtol)
        np.testing.assert_allclose(scores[line], expected[rows[line]], rtol=rtol, atol=rtol)


def refuse(products: np.ndarray, part: slice) -> np.ndarray:
    raise AssertionError("the machine code was to be used")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecinity.service.analogy.scan.KEEP_SCORES_MIN", 0)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("count", [1, 13, 200])
def test_compiled_scan_of_sums(items: np.ndarray, terms: Terms, count: int) -> None:
    check_scan(items, terms, refuse, added, count, keep=best_weighted_sums(*terms.padded()))


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("count", [1, 13, 200])
def test_compiled_scan_of_products(items: np.ndarray, terms: Terms, count: int) -> None:
    signs = Terms(terms.vectors, terms.which, terms.counts, np.sign(terms.weights))
    check_scan(items, signs, refuse, multiplied, count, rtol=3e-4, keep=best_products(*signs.padded()))
    assert best_products(*terms.padded()) is None  # weights are exponents


@pytest.mark.parametrize("count", [1, 13, 400, ROWS])
def test_scan_of_sums(items: np.ndarray, terms: Terms, count: int) -> None:
    check_scan(items, terms, weighted_sums(*terms.padded()), added, count)


@pytest.mark.parametrize("count", [1, 13, 400])
def test_scan_of_products(items: np.ndarray, terms: Terms, count: int) -> None:
    check_scan(items, terms, three_cos_mul.products_of_similarities(*terms.padded()), multiplied, count, rtol=3e-4)


def test_scan_of_ways(items: np.ndarray, rng: np.random.Generator) -> None:
    terms = triples(rng, items[:40], 70)
    combine = pair_direction.cosines_of_ways(terms, pair_direction.ways(terms, "terms"))
    keep = np.ones(ROWS, dtype=bool)
    keep[:40] = False  # float32 says little of an item that equals b
    check_scan(items[keep], terms, combine, pointed, 20, rtol=1e-4)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("make", [None, best_weighted_sums, best_products])
def test_the_first_of_equal_rows_comes_first(items: np.ndarray, make: Callable[..., Keep] | None) -> None:
    twice = np.concatenate([items[:5], items[:5], items[5:500]])
    terms = Terms(items[:5], np.arange(5), np.ones(5, dtype=np.int64), np.ones(5))
    keep = make and make(*terms.padded())
    _, rows = scan(terms.vectors, twice, 5, 2, weighted_sums(*terms.padded()), keep)
    np.testing.assert_array_equal(rows, [[i, i + 5] for i in range(5)])


@pytest.mark.parametrize("metric", Metric)
def test_sums(terms: Terms, metric: Metric) -> None:
    sums = three_cos_add.sums(terms, metric, "terms")
    for line, (vectors, weights) in enumerate(each(terms)):
        expected = weights @ vectors
        expected = expected / np.linalg.norm(expected) if metric is Metric.COSINE else expected
        np.testing.assert_allclose(sums[line], expected, rtol=1e-4, atol=1e-5)


def test_3cosavg(rng: np.random.Generator, items: np.ndarray) -> None:
    left, right = items[:7], items[7:14]
    terms = Terms(items[:40], np.array([20, 30]), np.array([1, 1]), np.array([1.0, 2.0]))
    relation = three_cos_avg.relation(left, right)
    np.testing.assert_allclose(relation, (right.astype(float) - left).mean(axis=0))
    moved = three_cos_avg.moved(terms, relation, Metric.COSINE, "terms")
    for line, (row, weight) in enumerate([(20, 1.0), (30, 2.0)]):
        expected = weight * items[row] + relation
        np.testing.assert_allclose(moved[line], expected / np.linalg.norm(expected), atol=1e-6)
    lengths = three_cos_avg.moved(terms, relation, Metric.DOT, "terms")
    np.testing.assert_allclose(lengths[1], 2 * items[30] + relation, atol=1e-6)


def test_the_best_of_pair_direction_is_near_one_of_its_queries(rng: np.random.Generator, items: np.ndarray) -> None:
    terms = triples(rng, items[:40], 60)
    ways, (_, b, _) = pair_direction.ways(terms, "terms"), pair_direction.roles(terms)
    queries = pair_direction.queries(ways, items[b])
    found = 0
    for line, (vectors, weights) in enumerate(each(terms)):
        scores = pointed(items.astype(float), vectors, weights)
        scores[terms.which.reshape(-1, 3)[line]] = -2
        candidates = {int(row) for asked in queries for row in np.argsort(-(items @ asked[line]))[:32]}
        found += int(scores.argmax()) in candidates
    assert found >= 59


def test_exact_cosines_of_ways(rng: np.random.Generator, items: np.ndarray) -> None:
    terms = triples(rng, items[:40], 8)
    ways, (_, b, _) = pair_direction.ways(terms, "terms"), pair_direction.roles(terms)
    scores = pair_direction.exact_cosines(np.broadcast_to(items[:60], (8, 60, DIMENSION)), items[b], ways)
    for line, (vectors, weights) in enumerate(each(terms)):
        np.testing.assert_allclose(scores[line], pointed(items[:60].astype(float), vectors, weights), atol=1e-5)
        assert scores[line, b[line]] == -1


def test_first_guesses_where_the_terms_cancel(items: np.ndarray) -> None:
    terms = Terms(items[:3], np.array([0, 0, 1, 2]), np.array([2, 2]), np.array([1.0, -1.0, 1.0, -1.0]))
    guesses = three_cos_mul.first_guesses(terms)
    np.testing.assert_array_equal(guesses[0], items[0])
    np.testing.assert_allclose(guesses[1], normalise((items[1] - items[2])[None])[0], atol=1e-6)


def test_a_gradient_points_uphill(rng: np.random.Generator, items: np.ndarray) -> None:
    terms = triples(rng, items[:40], 30)
    which, padded = terms.padded()
    at = normalise(rng.normal(size=(30, DIMENSION)).astype(np.float32))
    cosines = np.einsum("nsd,nd->ns", items[:40][which].astype(float), at)
    uphill = three_cos_mul.gradients(items[:40], which, padded, cosines)
    for line, (vectors, weights) in enumerate(each(terms)):
        step = at[line] + 1e-3 * uphill[line].astype(float)
        before, after = (multiplied(x[None], vectors, weights)[0] for x in (at[line].astype(float), step))
        assert after > before


@pytest.mark.parametrize("number", [0, 2])
def test_the_analogy_that_cancels_is_named(items: np.ndarray, number: int) -> None:
    which = np.array([0, 1, 2, 3, 4, 5])
    which[2 * number + 1] = which[2 * number]
    terms = Terms(items[:6], which, np.array([2, 2, 2]), np.array([1.0, -1.0] * 3))
    with pytest.raises(InvalidArgumentError, match=rf"^terms, analogy {number}: the terms cancel"):
        three_cos_add.sums(terms, Metric.COSINE, "terms")


def test_a_way_to_nowhere(items: np.ndarray) -> None:
    terms = Terms(items[:2], np.array([0, 1, 0]), np.array([3]), np.array([1.0, 1.0, -1.0]))
    with pytest.raises(InvalidArgumentError, match="are the same: there is no direction"):
        pair_direction.ways(terms, "positives, negatives")
