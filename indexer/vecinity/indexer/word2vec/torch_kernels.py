"""The arithmetic of `kernels` for many windows at once, in PyTorch, so that a GPU has enough to do.

A batch is b windows: words of the thinned corpus, each with its s = 2 · window slots for neighbours. How many slots
are filled differs, and is told by a mask: a GPU likes equal lengths better than no waste. All neighbours in a window
share its noise words, and all windows of a batch are computed from the same matrices, as `reference.window_step` does
for one window (Ji et al. 2016).

**Many gradients at one point.** A frequent word has hundreds of gradients in a batch, and added up they overshoot:
one after the other, each would have seen what those before had mended. With 4,096 words a batch, training diverges.
So the rate of each row is bounded by how sharply its loss can bend. For an output row v′ that is asked of the hidden
vectors h, the loss −Σ log σ(±v′ · h) has the Hessian Σ σ(1 − σ) h hᵀ, whose greatest eigenvalue is at most
L = Σ ¼ |h|²; for a hidden vector it is likewise at most L = Σ ¼ |v′|². Gradient descent lowers such a loss at any
rate below 2 / L (Nesterov 2004, theorem 2.1.14), so the rate of a row is the lesser of the learning rate and 2 / L.
Rare words are not touched by this, and a batch of one window is plain word2vec. Nor can any learning rate diverge to
NaN: from n gradients a row moves by √(8 · n · learning_rate) at most. The theorem holds for one matrix while the
other rests; that it serves where both move is what the figures show.

Measured with skip-gram, dimension 100, 5 epochs; the loss is that of a pair and its noise, on trained text:

    words of text   in a batch                  WordSim-353   analogies   loss
    1.4 million     kernels, pair by pair           .31          .034       2.25
                    4,096, rates unbounded          .11          .003     112
                    2,600, bounded                  .32          .029       2.27
                    4,096, bounded                  .34          .029       2.28
                    16,384, bounded                 .31          .019       2.32
    7.3 million     kernels, pair by pair           .57          .213       2.02
                    4,096, bounded                  .60          .223       2.04

Ji et al. 2016: see `reference`. Nesterov 2004: "Introductory Lectures on Convex Optimization".
"""

from __future__ import annotations

import torch
from torch import Tensor

from vecinity.indexer.word2vec.encoded import SENTENCE_END

_SLOPE_MAX = 0.25  # Of σ, at 0: σ′ = σ(1 − σ) ≤ ¼.
_STABLE = 2.0


def thin(rows: Tensor, keep: Tensor, window: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Leave out the ends of sentences, and each word with the chance 1 − keep.

    Args:
        rows: int32 (m,), words, and a negative number after each sentence.
        keep: float32 (n,), the chance of each word to stay, `sampling.keep_probabilities`.

    Returns:
        words: int64 (window + kept + window,), words that stay, between 0s which are no words: so every word has
            `window` places before and behind it.
        sentences: int64, likewise; the number of each word's sentence, or −1 where there is none.
    """
    stays = torch.rand(rows.shape, generator=random, device=rows.device) < keep[rows.clamp(min=0)]
    stays &= rows != SENTENCE_END
    words = rows[stays].long()
    sentences = (rows == SENTENCE_END).cumsum(0)[stays]
    pad = torch.nn.functional.pad
    return pad(words, (window, window), value=0), pad(sentences, (window, window), value=-1)


def neighbours(
    words: Tensor, sentences: Tensor, start: int, stop: int, window: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The neighbours of the words at places `start` to `stop` (b of them), each within a reach of its own.

    Args:
        words, sentences: From `thin`; window ≤ start and stop ≤ len(words) − window.

    Returns:
        contexts: int64 (b, s), the words in the slots around each place.
        near: bool (b, s), whether a slot is in the sentence and within reach. The others hold any word.
    """
    device = words.device
    places = torch.arange(start, stop, device=device)[:, None]
    offsets = torch.arange(-window, window + 1, device=device)
    offsets = torch.cat([offsets[:window], offsets[window + 1 :]])
    reach = torch.randint(1, window + 1, places.shape, generator=random, device=device)
    slots = places + offsets
    near = (sentences[slots] == sentences[places]) & (offsets.abs() <= reach)
    return words[slots], near


def draw_targets(
    words: Tensor, thresholds: Tensor, aliases: Tensor, negative: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Each word and its noise words, from the alias table.

    Args:
        words: int64 (b,).
        thresholds, aliases: int64 (n,), `sampling.alias_table`.

    Returns:
        targets: int64 (b, 1 + negative), the word itself first.
        asked: bool, likewise; False for noise that is the word itself, which is left out as in word2vec.c.
    """
    columns = torch.randint(len(aliases), (len(words), negative), generator=random, device=words.device)
    bits = torch.randint(2**32, columns.shape, generator=random, device=words.device)
    noise = torch.where(bits <= thresholds[columns], columns, aliases[columns])
    asked = torch.nn.functional.pad(noise != words[:, None], (1, 0), value=True)
    return torch.cat([words[:, None], noise], 1), asked


def skip_gram_step(
    inputs: Tensor,
    outputs: Tensor,
    contexts: Tensor,
    near: Tensor,
    targets: Tensor,
    asked: Tensor,
    learning_rate: float,
) -> None:
    """Each neighbour's vector predicts the word of its window; both matrices float32 (n, d) are changed.

    Args:
        contexts, near: From `neighbours`.
        targets, asked: From `draw_targets`.
    """
    hidden = inputs[contexts]
    steps, bends = _predict(hidden, near.to(hidden), outputs, targets, asked, learning_rate)
    _move(inputs, contexts, steps, bends, learning_rate)


def cbow_step(
    inputs: Tensor,
    outputs: Tensor,
    contexts: Tensor,
    near: Tensor,
    targets: Tensor,
    asked: Tensor,
    learning_rate: float,
    *,
    mean: bool,
) -> None:
    """The mean or the sum of the neighbours' vectors predicts the word of a window.

    Each neighbour gets the whole step of a mean, and 1/count of that of a sum: gensim's ways, see `reference.step`.
    The arguments are those of `skip_gram_step`.
    """
    rows = inputs[contexts]
    filled = near.to(rows)
    count = filled.sum(1, keepdim=True)
    share = filled / count.clamp(min=1)
    hidden = ((share if mean else filled)[:, None, :] @ rows).contiguous()  # (b, 1, d)
    steps, bends = _predict(hidden, (count > 0).to(rows), outputs, targets, asked, learning_rate)
    gain = filled if mean else share
    _move(inputs, contexts, gain[:, :, None] * steps, filled * bends, learning_rate)


def _predict(
    hidden: Tensor, live: Tensor, outputs: Tensor, targets: Tensor, asked: Tensor, learning_rate: float
) -> tuple[Tensor, Tensor]:
    """Move the targets; return for each hidden vector its gradient, turned to ascend, and L.

    Args:
        hidden: float32 (b, h, d).
        live: float32 (b, h), 0 for hidden vectors that are none.
        targets, asked: (b, t).

    Returns:
        float32 (b, h, d) and (b, h).
    """
    rows = outputs[targets]
    asked = asked.to(rows)
    errors = -torch.sigmoid(hidden @ rows.mT)
    errors[:, :, 0] += 1  # Label − σ: the first target is the true word.
    errors *= live[:, :, None] * asked[:, None, :]
    bends_of_targets = _SLOPE_MAX * (live * hidden.square().sum(2)).sum(1, keepdim=True) * asked
    bends_of_hidden = _SLOPE_MAX * (asked * rows.square().sum(2)).sum(1, keepdim=True) * live
    _move(outputs, targets, errors.mT @ hidden, bends_of_targets, learning_rate)
    return errors @ rows, bends_of_hidden


def _move(matrix: Tensor, rows: Tensor, steps: Tensor, bends: Tensor, learning_rate: float) -> None:
    """Add to each row of `matrix` the sum of its steps, at a rate that its sum of bends L allows.

    Args:
        rows: int64 (b, r).
        steps: float32 (b, r, d), overwritten.
        bends: float32 (b, r), their parts of L.
    """
    rows = rows.flatten()
    bend = torch.zeros(len(matrix), dtype=matrix.dtype, device=matrix.device).index_add_(0, rows, bends.flatten())
    rates = (_STABLE / bend[rows]).clamp(max=learning_rate)  # 2 / 0 is infinity, hence the learning rate.
    matrix.index_add_(0, rows, steps.flatten(0, 1).mul_(rates[:, None]))
