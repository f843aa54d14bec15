"""The Huffman tree of a vocabulary, for hierarchical softmax (Morin and Bengio 2005; 2013a, section 3).

Each word is a leaf, and the two rarest nodes are joined until one is left, the root. The n − 1 inner nodes each get an
output vector, and a word is predicted by the turns on the way to it: log₂ n small decisions in place of one among n.
Frequent words are near the root, so the expected way is as short as any code's (Huffman 1952).

Morin and Bengio 2005: "Hierarchical Probabilistic Neural Network Language Model".
Huffman 1952: "A Method for the Construction of Minimum-Redundancy Codes".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError

_Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True)
class HuffmanTree:
    """The way from the root to each word; that of word w is ``offsets[w]:offsets[w + 1]`` of `points` and `codes`.

    Args:
        offsets: int64 (n + 1,).
        points: int32 (total,), the inner nodes passed, 0 to n − 2. The root, first on every way, is n − 2.
        codes: uint8 (total,), the turn taken at each: 0 towards the rarer of the two branches, 1 to the other.
    """

    offsets: npt.NDArray[np.int64]
    points: _Int32s
    codes: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def depth(self) -> int:
        """Turns on the longest way: less than 91 for any int64 counts, as a way of k turns takes Fibonacci(k + 2)."""
        return int(np.diff(self.offsets).max())

    def path(self, word: int) -> tuple[_Int32s, npt.NDArray[np.uint8]]:
        """The inner nodes on the way to `word` and the turns there, int32 and uint8 (turns,)."""
        way = slice(self.offsets[word], self.offsets[word + 1])
        return self.points[way], self.codes[way]


def huffman_tree(counts: npt.NDArray[np.int64]) -> HuffmanTree:
    """Build the tree in a time that grows with the number of words alone, by two queues (van Leeuwen 1976).

    The leaves wait in one queue, rarest first; joined nodes enter the other, and as their counts only grow, it is
    sorted too. The rarest node is always the head of one of the two. Of equal counts the leaf goes first, which keeps
    the longest way short (word2vec.c takes the joined node; the expected length is the same), so equal counts give
    one tree always.

    Args:
        counts: int64 (n,), at least two, each at least 1, most frequent first as in `Vocabulary`.

    Raises:
        InputError: The counts are others.

    >>> tree = huffman_tree(np.array([5, 2, 1, 1]))  # (b (c d)) a: 0 is (c d), 1 is (b (c d)), 2 the root
    >>> [("".join(map(str, tree.path(word)[1])), tree.path(word)[0].tolist()) for word in range(4)]
    [('1', [2]), ('00', [2, 1]), ('011', [2, 1, 0]), ('010', [2, 1, 0])]
    """
    _check(counts)
    parents, turns = _join(counts.tolist())
    n = len(counts)
    depths = np.zeros(2 * n - 1, dtype=np.int32)
    for node in range(2 * n - 3, -1, -1):  # A parent comes after its children, so here it is known already.
        depths[node] = depths[parents[node]] + 1
    offsets = np.concatenate([[0], np.cumsum(depths[:n], dtype=np.int64)])
    points = np.empty(offsets[-1], dtype=np.int32)
    codes = np.empty(offsets[-1], dtype=np.uint8)
    # All words climb one step at a time; the step from depth k writes place k − 1 of the way.
    words, nodes = np.arange(n), np.arange(n)
    while len(words):
        places = offsets[words] + depths[nodes] - 1
        codes[places] = turns[nodes]
        nodes = parents[nodes]
        points[places] = nodes - n
        below_root = nodes < 2 * n - 2
        words, nodes = words[below_root], nodes[below_root]
    return HuffmanTree(offsets, points, codes)


def _check(counts: npt.NDArray[np.int64]) -> None:
    if counts.ndim != 1 or len(counts) < 2:
        raise InputError(f"the counts have shape {counts.shape}; a Huffman tree takes at least two words")
    if counts[-1] < 1 or (np.diff(counts) > 0).any():
        raise InputError("the counts of a Huffman tree must be at least 1, most frequent word first")


def _join(counts: list[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The parent of each node and its turn there, int64 and uint8 (2n − 1,): n leaves, then joined nodes by age."""
    n = len(counts)
    parents = np.zeros(2 * n - 1, dtype=np.int64)
    turns = np.zeros(2 * n - 1, dtype=np.uint8)
    totals = list(counts)
    leaf, joined = n - 1, n  # The heads of the two queues.
    for new in range(n, 2 * n - 1):
        total = 0
        for turn in (0, 1):
            if leaf >= 0 and (joined == new or totals[leaf] <= totals[joined]):
                rarest, leaf = leaf, leaf - 1
            else:
                rarest, joined = joined, joined + 1
            parents[rarest] = new
            turns[rarest] = turn
            total += totals[rarest]
        totals.append(total)
    return parents, turns
