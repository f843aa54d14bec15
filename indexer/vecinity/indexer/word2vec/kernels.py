"""How the corpus is walked: which words of a sentence meet, and against which targets.

Two float32 matrices are learnt: `inputs`, the word vectors that are kept, and `outputs`, one vector for each word as
something to be predicted (with hierarchical softmax: one for each inner node of the tree). For each position of a
sentence, frequent words thinned out:

1. `aim` collects its targets: the word itself and noise words, or the nodes on its path in the tree. It runs one
   position ahead, so that the rows have come from memory when they are needed.
2. The words around it give the hidden vectors. Skip-gram: each word's row is one. CBOW: there is one, the mean or sum
   of the rows. With subwords a word counts as its own row and those of its character n-grams (`rows_of`).
3. `exchange` learns, and where a hidden vector was made from several rows, `spread` hands its change on to them.

Kernels run without the GIL. Several threads run them on the same matrices without locks: two that touch one row at
once may lose a little of one update, which costs no quality as rows are many (Recht et al. 2011, "Hogwild!").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecinity.indexer.word2vec.compiling import compiled, inlined
from vecinity.indexer.word2vec.draws import below, draw_noise, next_sentence, next_state
from vecinity.indexer.word2vec.matrices import LINE_BYTES
from vecinity.indexer.word2vec.simd import (
    VECTOR_BYTES,
    add,
    address,
    load,
    multiply,
    multiply_add,
    pointer,
    prefetch,
    splat,
    store,
    subtract,
)
from vecinity.indexer.word2vec.step import LABELS, NO_TARGET, SLOTS, TARGETS, exchange, loss_of
from vecinity.indexer.word2vec.workspace import Tables, Workspace, unbound_tables, unbound_workspace

_Floats = npt.NDArray[np.float32]
_Int32s = npt.NDArray[np.int32]
_Int64s = npt.NDArray[np.int64]

_ZERO = np.float32(0)
_ONE = np.float32(1)


@inlined
def fetch(row: int, row_bytes: int) -> None:
    """Prefetch the row at an address."""
    for j in range(0, row_bytes, LINE_BYTES):
        prefetch(row + j)


@inlined
def set_target(work: Workspace, first_step: int, i: int, row: int, label: np.float32) -> None:
    """Make `row` (an address) target i, counted from `first_step` on, as `exchange` wants it."""
    step, place = first_step + i // TARGETS, i % TARGETS
    work.targets[step * TARGETS + place] = row
    for j in range(step * LABELS + place, (step + 1) * LABELS, SLOTS):
        work.labels[j] = label


@inlined
def aim(
    word: int,
    words: int,
    negative: int,
    outputs: int,
    row_bytes: int,
    tables: Tables,
    work: Workspace,
    first_step: int,
    state: np.uint64,
) -> tuple[int, np.uint64]:
    """Put the targets of `word` into the steps of `work` from `first_step` on, and prefetch them.

    Args:
        words: n.
        negative: Noise words wanted; 0 for the path in the tree instead.
        outputs: Address of the matrix.

    Returns:
        How many steps of `TARGETS` they take, and the next random state.
    """
    if negative == 0:
        begin = tables.path_starts[word]
        count = tables.path_starts[word + 1] - begin
        for i in range(count):
            row = outputs + tables.path_nodes[begin + i] * row_bytes
            set_target(work, first_step, i, row, tables.path_labels[begin + i])
            fetch(row, row_bytes)
    else:
        count, state = draw_noise(word, words, tables, work.noise, negative, state)
        row = outputs + word * row_bytes
        set_target(work, first_step, 0, row, _ONE)
        fetch(row, row_bytes)
        for i in range(count):
            row = outputs + work.noise[i] * row_bytes
            set_target(work, first_step, i + 1, row, _ZERO)
            fetch(row, row_bytes)
        count += 1
    steps = (count + TARGETS - 1) // TARGETS
    for i in range(count, steps * TARGETS):
        set_target(work, first_step, i, address(work.pooled), NO_TARGET)
    return steps, state


@inlined
def rows_of(
    word: int, inputs: int, row_bytes: int, subwords: bool, tables: Tables, members: _Int64s, count: int
) -> int:
    """Append to `members`, of which `count` are taken, the addresses of a word's own row and of its n-grams' rows."""
    members[count] = inputs + word * row_bytes
    count += 1
    if subwords:
        for i in range(tables.gram_starts[word], tables.gram_starts[word + 1]):
            members[count] = inputs + tables.gram_rows[i] * row_bytes
            count += 1
    return count


@inlined
def pool(members: _Int64s, first: int, last: int, scale: np.float32, hidden: int, row_bytes: int) -> None:
    """Write `scale` times the sum of the rows at `members[first:last]` to `hidden`, and again behind it."""
    factor = splat(scale)
    for j in range(hidden, hidden + row_bytes, VECTOR_BYTES):
        pooled = load(members[first] + j - hidden)
        for i in range(first + 1, last):
            pooled = add(pooled, load(members[i] + j - hidden))
        pooled = multiply(factor, pooled)
        store(j, pooled)
        store(j + row_bytes, pooled)


@inlined
def spread(members: _Int64s, first: int, last: int, scale: np.float32, hidden: int, row_bytes: int) -> None:
    """Add `scale` times what `hidden` has changed since `pool` to each row at `members[first:last]`."""
    factor = splat(scale)
    for j in range(hidden, hidden + row_bytes, VECTOR_BYTES):
        change = subtract(load(j), load(j + row_bytes))
        for i in range(first, last):
            row = members[i] + j - hidden
            store(row, multiply_add(factor, change, load(row)))


@inlined
def learn(
    hidden: _Int64s,
    first: int,
    last: int,
    row_bytes: int,
    work: Workspace,
    first_step: int,
    steps: int,
    learning_rate: np.float32,
    measure: bool,
) -> float:
    """All steps of one position for the vectors at `hidden[first:last]`, or, to `measure`, only their loss."""
    loss = 0.0
    for step in range(first_step, first_step + steps):
        if measure:
            loss += loss_of(hidden, first, last, work.targets, work.labels, step, row_bytes, work.products)
        else:
            exchange(hidden, first, last, work.targets, work.labels, step, row_bytes, learning_rate, work.products)
    return loss


@compiled
def train_chunk(
    inputs: _Floats,
    outputs: _Floats,
    rows: _Int32s,
    shared: Tables,
    own: Workspace,
    window: int,
    negative: int,
    cbow: bool,
    mean: bool,
    learning_rate: np.float32,
    seed: np.uint64,
    measure: bool,
    stop: npt.NDArray[np.uint8],
) -> tuple[int, float]:
    """Learn from every position of a chunk of the corpus once, or measure the loss there.

    Args:
        inputs, outputs: float32 (≥ n, padded d), `Matrices.inputs` and `Matrices.outputs`, updated unless `measure`.
        rows: int32 (chunk,), sentences each closed by a negative number.
        shared: The tables.
        own: `workspace(…)` of this thread, for the same settings.
        window: The farthest neighbour; each position draws its reach from 1 to this.
        negative: Noise words for each position; 0 takes the tree instead (hierarchical softmax).
        cbow: Whether the words around a position make one hidden vector; skip-gram otherwise.
        mean: Whether that one is their mean; otherwise their sum.
        learning_rate: float32, of the whole chunk.
        seed: uint64; the same seed draws the same windows, words and noise.
        measure: Change nothing and add up the loss.
        stop: uint8 (1,); another thread sets it to 1 to end the call early.

    Returns:
        Pairs of a hidden vector and a position, and the sum of their losses (equation (4) of 2013b, negated; 0.0
        unless `measure`).
    """
    tables, work = unbound_tables(shared), unbound_workspace(own)
    words, subwords = len(shared.aliases), len(shared.gram_starts) > 1
    steps_max = len(own.targets) // (2 * TARGETS)
    row_bytes = inputs.shape[1] * 4
    input_rows, output_rows = address(inputs), address(outputs)
    pooled = address(own.pooled) + row_bytes
    corpus, end = pointer(rows), len(rows)
    ended = pointer(stop)
    state = seed
    pairs = 0
    loss = 0.0
    position = 0
    while position < end:
        length, position, state = next_sentence(corpus, position, end, tables.keep, work.sentence, state)
        if length < 2:
            continue
        for i in range(min(length, window + 1)):
            fetch(input_rows + work.sentence[i] * row_bytes, row_bytes)
        next_steps = 0
        for centre in range(-1, length):
            # The targets of this position and those of the next take turns in the two halves of `work.targets`.
            first_step, steps = (centre & 1) * steps_max, next_steps
            if centre + 1 < length:
                word = work.sentence[centre + 1]
                next_steps, state = aim(
                    word, words, negative, output_rows, row_bytes, tables, work, steps_max - first_step, state
                )
            if centre < 0:
                continue
            if ended[0]:
                return pairs, loss
            if centre + window + 1 < length:
                fetch(input_rows + work.sentence[centre + window + 1] * row_bytes, row_bytes)
            state = next_state(state)
            reach = below(state, window) + 1
            count = members = 0
            for near in range(max(0, centre - reach), min(length, centre + reach + 1)):
                if near != centre:
                    members = rows_of(
                        work.sentence[near], input_rows, row_bytes, subwords, tables, work.members, members
                    )
                    count += 1
                    work.ends[count] = members
            if cbow:
                work.ends[1], count = members, 1
            pairs += count
            if not (cbow or subwords):
                loss += learn(work.members, 0, count, row_bytes, work, first_step, steps, learning_rate, measure)
                continue
            # As in gensim and fastText each row gets the whole change of a mean, and of a sum its share: not the
            # gradient, which would be the other way about, but what their learning rates are made for. The n-grams
            # of a word are always averaged: of a sum, long words would get more than short ones.
            work.hidden[0] = pooled
            for i in range(count):
                first, last = work.ends[i], work.ends[i + 1]
                share = _ONE / np.float32(last - first)
                average = mean or not cbow
                pool(work.members, first, last, share if average else _ONE, pooled, row_bytes)
                loss += learn(work.hidden, 0, 1, row_bytes, work, first_step, steps, learning_rate, measure)
                if not measure:
                    spread(work.members, first, last, _ONE if average else share, pooled, row_bytes)
    return pairs, loss
