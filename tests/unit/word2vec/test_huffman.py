import heapq
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vecinity.indexer.errors import InputError
from vecinity.indexer.word2vec.huffman import HuffmanTree, huffman_tree

Counts = npt.NDArray[np.int64]


def least_cost(counts: Counts) -> int:
    """Σ count · depth of an optimal code: what the joined nodes weigh together."""
    heap, cost = counts.tolist(), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        heapq.heappush(heap, joined)
        cost += joined
    return cost


def cost(tree: HuffmanTree, counts: Counts) -> int:
    return sum(count * turns for count, turns in zip(counts.tolist(), np.diff(tree.offsets).tolist(), strict=True))


def codes(tree: HuffmanTree) -> list[str]:
    return ["".join(map(str, tree.path(word)[1])) for word in range(len(tree))]


def zipf(words: int, scale: float) -> Counts:
    return np.maximum(1, scale / np.arange(1, words + 1)).astype(np.int64)


COUNTS = [
    zipf(500, 1e5),
    zipf(500, 50),  # Mostly ties.
    np.full(37, 4),
    np.array([9, 1]),
    np.array([2**61 >> i for i in range(61)]),
]


@pytest.mark.parametrize(
    ("counts", "fault"),
    [
        ([], "at least two words"),
        ([5], "at least two words"),
        ([[5, 4], [3, 2]], "at least two words"),
        ([5, 0], "at least 1"),
        ([5, -3], "at least 1"),
        ([5, 6], "most frequent word first"),
    ],
)
def test_counts_that_make_no_tree(counts: Any, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        huffman_tree(np.array(counts, dtype=np.int64))


@pytest.mark.parametrize("counts", COUNTS)
def test_no_code_begins_another(counts: Counts) -> None:
    in_order = sorted(codes(huffman_tree(counts)))
    assert not any(after.startswith(before) for before, after in pairwise(in_order))
    assert sum(2.0 ** -len(code) for code in in_order) == 1  # Kraft: nor is there room for another code.


@pytest.mark.parametrize("counts", COUNTS)
def test_the_code_is_as_short_as_any(counts: Counts) -> None:
    tree = huffman_tree(counts)
    assert cost(tree, counts) == least_cost(counts)
    shares = counts / counts.sum()
    entropy = -(shares * np.log2(shares)).sum()
    assert entropy - 1e-9 <= cost(tree, counts) / sum(counts.tolist()) < entropy + 1


def test_the_code_is_as_short_as_gensims() -> None:
    keyed_vectors = pytest.importorskip("gensim.models.keyedvectors")
    word2vec = pytest.importorskip("gensim.models.word2vec")
    counts = zipf(2_000, 1e5)
    words = keyed_vectors.KeyedVectors(1)
    words.add_vectors([str(word) for word in range(len(counts))], np.zeros((len(counts), 1)))
    for word, count in enumerate(counts):
        words.set_vecattr(str(word), "count", int(count))
    word2vec._assign_binary_codes(words)
    theirs = [len(words.get_vecattr(str(word), "code")) for word in range(len(counts))]
    tree = huffman_tree(counts)
    assert cost(tree, counts) == (counts * theirs).sum()
    assert tree.depth <= max(theirs)


@pytest.mark.parametrize("counts", COUNTS)
def test_each_way_leads_down_one_tree(counts: Counts) -> None:
    tree = huffman_tree(counts)
    assert (tree.offsets.dtype, tree.points.dtype, tree.codes.dtype) == (np.int64, np.int32, np.uint8)
    assert set(tree.points.tolist()) == set(range(len(counts) - 1))
    prefixes: dict[int, str] = {}
    for word in range(len(counts)):
        points, turns = tree.path(word)
        assert points[0] == len(counts) - 2
        assert (np.diff(points) < 0).all()
        for depth, point in enumerate(points.tolist()):
            prefix = "".join(map(str, turns[:depth]))
            assert prefixes.setdefault(point, prefix) == prefix


def test_equal_counts_make_a_flat_tree() -> None:
    assert set(np.diff(huffman_tree(np.full(64, 3)).offsets)) == {6}
    assert huffman_tree(np.array([1, 1, 1, 1])).depth == 2


def test_the_longest_way_stays_below_91() -> None:
    fibonacci = [1, 1]
    while sum(fibonacci) + fibonacci[-1] + fibonacci[-2] < 2**63:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert 80 < huffman_tree(np.array(fibonacci[::-1])).depth < 91
