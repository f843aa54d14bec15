"""word2vec one step at a time, to read and to test against: plain loops, and PyTorch to take the gradients.

Nothing imports this file but tests. What it computes, `step`, `kernels` and the trainer on a GPU compute fast. The way
to read it:

1. A *source* is what is known: rows of `inputs`, whose mean (or sum) is the hidden vector h (`hidden_vector`).
   Skip-gram: one neighbour of the word to be predicted; with subwords, that neighbour's row and those of its n-grams
   (Bojanowski et al. 2017, section 3.2). CBOW: all neighbours within the window (2013a, section 3.1).
2. A *target* is a row of `outputs` with a label, 1 or 0: a yes-or-no question about h, answered yes with the
   probability σ(v′ · h), where σ(x) = 1 / (1 + e⁻ˣ) and v′ is the row (`loss`).
   Negative sampling asks "is this the word?" of the true word and of noise words (2013b, section 2.2).
   Hierarchical softmax asks "which turn?" at each inner node on the way to the word (Morin and Bengio 2005).
3. A step changes the rows of both by −learning_rate times the gradient of the loss (`step`).
4. All pairs of a window share one set of noise words, and one step does them all (`window_step`).
5. The corpus is read word by word, a window around each (`train`).

Why such vectors are good: Goldberg and Levy 2014, "word2vec Explained", arXiv:1402.3722, derive the loss; Levy and
Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization", show that v′ · h approaches the pointwise
mutual information of the two words, less log(negative).

2013a, 2013b, Morin and Bengio: see the package and `huffman`. Bojanowski et al. 2017: "Enriching Word Vectors with
Subword Information", arXiv:1607.04606. Ji et al. 2016: "Parallelizing Word2Vec in Shared and Distributed Memory",
arXiv:1604.04661.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vecinity.indexer.word2vec.huffman import huffman_tree
from vecinity.indexer.word2vec.sampling import noise_probabilities
from vecinity.indexer.word2vec.vocabulary import Vocabulary, tokenize

Gradient = Literal["exact", "gensim"]


def hidden_vector(inputs: Tensor, sources: Tensor, *, mean: bool = True) -> Tensor:
    """h, the mean or the sum of some input vectors, (d,).

    Args:
        inputs: float (n, d).
        sources: int64 (s,), at least one row.
    """
    rows = inputs[sources]
    return rows.mean(0) if mean else rows.sum(0)


def loss(hidden: Tensor, outputs: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """How surprised h is by the answers, in nats, at least 0, ().

    The sum over the targets t of −log σ(v′_t · h) where the label is 1, and −log σ(−v′_t · h) where it is 0. With the
    true word and noise this is equation (4) of 2013b, its sign turned; with the inner nodes on the way to a word, it
    is −log of equation (3), since the answers' probabilities multiply to that of the word.

    Args:
        hidden: float (d,).
        outputs: float (n, d).
        targets: int64 (t,), rows of `outputs`; a row given twice counts twice.
        labels: float (t,), see `negative_sampling` and `hierarchical_softmax`.
    """
    scores = outputs[targets] @ hidden
    return functional.binary_cross_entropy_with_logits(scores, labels.to(scores), reduction="sum")


def negative_sampling(word: int, noise: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Targets and labels by which `word` is told from `noise`, int64 and float32 (1 + len(noise),).

    Noise that is the word itself is left out, as in word2vec.c: it would unlearn what is being learnt.

    >>> negative_sampling(3, [0, 3, 5])
    (tensor([3, 0, 5]), tensor([1., 0., 0.]))
    """
    targets = [word, *(other for other in noise if other != word)]
    return torch.tensor(targets), torch.tensor([1.0] + [0.0] * (len(targets) - 1))


def hierarchical_softmax(points: Sequence[int], codes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Targets and labels of the way to a word, `HuffmanTree.path`: the label at a node is 1 − the turn taken there.

    Args:
        points: Rows of `outputs`, which here has one for each inner node of the tree: (n − 1, d).
        codes: The turn taken at each, 0 or 1.

    >>> hierarchical_softmax([2, 1], [0, 1])
    (tensor([2, 1]), tensor([1., 0.]))
    """
    return torch.tensor([int(point) for point in points]), torch.tensor([1.0 - int(code) for code in codes])


def step(
    inputs: Tensor,
    outputs: Tensor,
    sources: Tensor,
    targets: Tensor,
    labels: Tensor,
    learning_rate: float,
    *,
    mean: bool = True,
    gradient: Gradient = "exact",
) -> float:
    """One step of stochastic gradient descent, both matrices changed in place; returns the loss before it.

    All gradients are taken at one point, before anything moves.

    The mean over s sources has an exact gradient that gives each source 1/s of that of h; for the sum, each gets the
    whole. The programs everyone compares with do otherwise, and ``gradient="gensim"`` does as they do:

    - mean: each source gets the *whole* gradient of h, as if the learning rate were s times as high. So word2vec.c,
      fastText (unsupervised) and gensim with ``cbow_mean=1``, and so `kernels`.
    - sum: each source gets *1/s* of it. So gensim with ``cbow_mean=0``; its word2vec_inner.pyx scales the hidden
      vector by 1/s under ``if cbow_mean`` and the gradient by 1/s under ``if not cbow_mean``.

    With one source the two are the same.

    Args:
        inputs, outputs: float (n, d), changed.
        sources, targets, labels: As in `hidden_vector` and `loss`.

    Worked by hand: h = (1, 0), both scores are 0, both σ are ½, so the loss is 2 log 2. The true word's row moves by
    ½ · h and the noise word's by −½ · h (here the learning rate is 1); h moves by ½ · (0, 4) − ½ · (0, 2) = (0, 1).

    >>> inputs = torch.tensor([[1.0, 0.0]])
    >>> outputs = torch.tensor([[0.0, 4.0], [0.0, 2.0]])
    >>> round(step(inputs, outputs, torch.tensor([0]), *negative_sampling(0, [1]), 1.0), 4)
    1.3863
    >>> inputs, outputs
    (tensor([[1., 1.]]), tensor([[ 0.5000,  4.0000],
            [-0.5000,  2.0000]]))
    """
    inputs_before, outputs_before = inputs.clone().requires_grad_(), outputs.clone().requires_grad_()
    hidden = hidden_vector(inputs_before, sources, mean=mean)
    surprise = loss(hidden, outputs_before, targets, labels)
    of_inputs, of_outputs, of_hidden = torch.autograd.grad(surprise, (inputs_before, outputs_before, hidden))
    outputs -= learning_rate * of_outputs
    if gradient == "exact":
        inputs -= learning_rate * of_inputs
    else:
        share = of_hidden if mean else of_hidden / len(sources)
        for source in sources.tolist():
            inputs[source] -= learning_rate * share
    return surprise.item()


def window_step(
    inputs: Tensor, outputs: Tensor, contexts: Tensor, targets: Tensor, labels: Tensor, learning_rate: float
) -> float:
    """One step of skip-gram for a whole window (Ji et al. 2016, "HogBatch"); returns the loss before it.

    Each neighbour is a source of its own, but all are asked about the same targets. Then s dot products of s · t
    vectors become one product of matrices, and rows are read and written once for the window and not once for each
    pair. With C (s, d) the neighbours' vectors, O (t, d) those of the targets and L the labels:

        S = C Oᵀ    E = learning_rate · (L − σ(S))    C += E O    O += Eᵀ C

    where both right sides are taken before anything moves. By hand what `step` leaves to autograd: the derivative
    of −log σ(s) is σ(s) − 1 and that of −log σ(−s) is σ(s), so σ(s) − label in both cases.

    Args:
        inputs, outputs: float (n, d), changed.
        contexts: int64 (s,), the neighbours' rows of `inputs`; a row given twice receives both steps.
        targets, labels: As in `loss`.
    """
    c, o = inputs[contexts], outputs[targets]
    scores = c @ o.T
    wanted = labels.to(scores).expand_as(scores)
    errors = learning_rate * (wanted - torch.sigmoid(scores))
    inputs.index_add_(0, contexts, errors @ o)
    outputs.index_add_(0, targets, errors.T @ c)
    return functional.binary_cross_entropy_with_logits(scores, wanted, reduction="sum").item()


def windows(sentence: Sequence[int], reach_max: int, random: torch.Generator) -> Iterator[tuple[int, list[int]]]:
    """Each word of a sentence and its neighbours, up to a distance drawn from 1 to `reach_max` for each word anew.

    >>> list(windows([7, 8, 9], 1, torch.Generator()))
    [(7, [8]), (8, [7, 9]), (9, [8])]
    """
    for centre, word in enumerate(sentence):
        reach = int(torch.randint(1, reach_max + 1, (), generator=random))
        near = [*sentence[max(0, centre - reach) : centre], *sentence[centre + 1 : centre + reach + 1]]
        if near:
            yield word, near


def train(
    texts: Sequence[str],
    *,
    architecture: Literal["skip-gram", "window", "cbow"] = "skip-gram",
    objective: Literal["negative-sampling", "hierarchical-softmax"] = "negative-sampling",
    dimension: int = 16,
    window: int = 2,
    negative: int = 5,
    epochs: int = 5,
    learning_rate: float = 0.05,
    seed: int = 1,
) -> tuple[Vocabulary, Tensor, Tensor]:
    """Learn from a toy corpus, about a thousand words a second.

    Left out for brevity: the thinning of frequent words, and the fall of the learning rate.

    Args:
        texts: A sentence each; every word gets a vector.
        architecture: ``"window"`` is skip-gram by `window_step`; the mean of ``"cbow"`` is stepped as gensim does.

    Returns:
        The n words, inputs float32 (n, d), and outputs float32 (n, d), or (n − 1, d) under hierarchical softmax.
    """
    sentences = [tokenize(text) for text in texts]
    tally = Counter(word for sentence in sentences for word in sentence)
    vocabulary = Vocabulary.choose(list(tally), np.array(list(tally.values())), min_count=1)
    noise_shares = torch.from_numpy(noise_probabilities(vocabulary.counts))
    tree = huffman_tree(vocabulary.counts) if objective == "hierarchical-softmax" else None
    random = torch.Generator().manual_seed(seed)
    inputs = (torch.rand(len(vocabulary), dimension, generator=random) * 2 - 1) / dimension
    outputs = torch.zeros(len(vocabulary) if tree is None else len(vocabulary) - 1, dimension)

    def question(word: int) -> tuple[Tensor, Tensor]:
        if tree is not None:
            return hierarchical_softmax(*(side.tolist() for side in tree.path(word)))
        noise = torch.multinomial(noise_shares, negative, replacement=True, generator=random)
        return negative_sampling(word, noise.tolist())

    for _ in range(epochs):
        for sentence in sentences:
            rows = [vocabulary.index[word] for word in sentence]
            for word, near in windows(rows, window, random):
                if architecture == "window":
                    window_step(inputs, outputs, torch.tensor(near), *question(word), learning_rate)
                elif architecture == "cbow":
                    step(inputs, outputs, torch.tensor(near), *question(word), learning_rate, gradient="gensim")
                else:
                    for neighbour in near:
                        step(inputs, outputs, torch.tensor([neighbour]), *question(word), learning_rate)
    return vocabulary, inputs, outputs
