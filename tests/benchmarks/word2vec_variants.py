"""Other ways to train skip-gram than `kernels.train_chunk`, to show what each of its tricks brings.

Most are `walk` with other settings: the product's walk over a chunk, made of the product's functions, but for how many
neighbours share their noise, how far ahead rows are fetched, and what one step does. All have the arguments of
`product`. They are compiled in each process: numba's cache on disk tells functions apart by file and line only.

Sources: word2vec.c of Mikolov et al. 2013b; Ji et al. 2016 ("HogBatch", arXiv:1604.04661); Rengasamy et al. 2017
("pSGNScc", doi:10.1145/3149704.3149768); Randall et al. 2021 ("FULL-W2V", doi:10.1145/3447818.3460373).
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numpy as np

from vecinity.indexer.word2vec import kernels, matrices, simd, step
from vecinity.indexer.word2vec import workspace as product_workspace
from vecinity.indexer.word2vec.simd import VECTOR_BYTES, add, address, load, multiply_add, pointer, store
from vecinity.indexer.word2vec.step import LABELS, NO_TARGET, SLOTS, TARGETS

Kernel = Callable[..., int]

WHOLE_WINDOW = 1_000_000  # Neighbours that share their noise: more than any window has.
TURNS_MAX = 3
BLAS_ROWS = 64
ONE, ZERO = np.float32(1), np.float32(0)
TABLE_SIZE, TABLE_END = 1000, np.float32(6)
SIGMOIDS = (1 / (1 + np.exp(-(np.arange(TABLE_SIZE) / TABLE_SIZE * 2 - 1) * 6))).astype(np.float32)


def compiled(function: Any, *, inline: bool = False) -> Any:
    """As `step.compiled`, but without the cache on disk."""
    fastmath = kernels.train_chunk.targetoptions["fastmath"]
    return numba.njit(nogil=True, fastmath=fastmath, error_model="numpy", forceinline=inline)(function)


def inlined(function: Any) -> Any:
    return compiled(function, inline=True)


def changed(function: Any, **others: Any) -> Any:
    """A compiled function of the product that calls `others` instead of the functions of those names."""
    plain = function.py_func
    return inlined(FunctionType(plain.__code__, plain.__globals__ | others, plain.__name__))


def workspace(dimension: int, window: int, negative: int, tables: kernels.Tables) -> kernels.Workspace:
    """The product's workspace with room for what any variant needs; `negative` at most 5, `window` at most 5."""
    steps, ring, columns = TURNS_MAX * 2 * window, 2 * window + 1, matrices.padded(dimension)
    return product_workspace.workspace(dimension, window, negative, tables)._replace(
        hidden=np.zeros(ring, dtype=np.int64),
        pooled=matrices.zeros(1 + 2 * ring, columns),
        targets=np.zeros(steps * TARGETS, dtype=np.int64),
        labels=np.zeros(steps * LABELS, dtype=np.float32),
        products=matrices.zeros(BLAS_ROWS, columns).reshape(-1),
    )


def product(
    inputs: Any, outputs: Any, rows: Any, tables: Any, own: Any, window: int, negative: int, rate: Any, seed: Any
) -> int:
    """`kernels.train_chunk` for skip-gram: pairs trained on."""
    rest = (window, negative, False, True, rate, seed, False, np.zeros(1, dtype=np.uint8))
    return kernels.train_chunk(inputs, outputs, rows, tables, own, *rest)[0]


@inlined
def no_fetch(row, row_bytes):
    pass


@inlined
def keep_noise(word_row, work, before, own_step, row_bytes):
    """Give a step its own word and the noise of the step `before`, less that word."""
    kernels.set_target(work, own_step, 0, word_row, ONE)
    kernels.fetch(word_row, row_bytes)
    for i in range(1, TARGETS):
        row, label = work.targets[before * TARGETS + i], work.labels[before * LABELS + i]
        if row == word_row:
            row, label = address(work.pooled), NO_TARGET
        kernels.set_target(work, own_step, i, row, label)


def walk(
    learn: Any = step.exchange, *, group: int = WHOLE_WINDOW, ahead: int = 1, positions: int = 1, ring: bool = False
) -> Kernel:
    """A kernel that walks as the product does.

    Args:
        learn: What one step does, with the arguments of `step.exchange`.
        group: Neighbours of a position that share their noise, and so a step; 1 is pair by pair.
        ahead: Positions from the draw of noise, when rows are fetched, to its use; 0 never fetches, inputs neither.
        positions: Successive positions that share their noise, each with its own word besides; for whole windows.
            pSGNScc goes further: it looks up later windows whose own word is among the noise, and multiplies them all
            with the same six targets at once. Here nothing is looked up: rows and draws are saved, not arithmetic.
        ring: FULL-W2V's lifetime reuse: an input row is copied when it comes into reach, learnt on as a copy, and what
            has changed is added to the matrix when it leaves.
    """
    aim = kernels.aim if ahead else changed(kernels.aim, fetch=no_fetch)
    turns = ahead + 1

    @compiled
    def train(inputs, outputs, rows, shared, own, window, negative, learning_rate, seed):
        tables, work = kernels.unbound_tables(shared), kernels.unbound_workspace(own)
        words, steps_max, slots = len(shared.aliases), 2 * window, 2 * window + 1
        row_bytes = inputs.shape[1] * 4
        input_rows, output_rows = address(inputs), address(outputs)
        copies = address(own.pooled) + row_bytes
        corpus, end = pointer(rows), len(rows)
        state = seed
        pairs = position = 0
        while position < end:
            length, position, state = kernels.next_sentence(corpus, position, end, tables.keep, work.sentence, state)
            if length < 2:
                continue
            for i in range(min(length, window + ahead) if ahead else 0):
                kernels.fetch(input_rows + work.sentence[i] * row_bytes, row_bytes)
            for planned in range(-window if ring else 0, length + ahead):
                if 0 <= planned < length:
                    word, own_step = work.sentence[planned], planned % turns * steps_max
                    state = kernels.next_state(state)
                    reach = kernels.below(state, window) + 1
                    work.ends[planned % turns] = reach
                    count = min(length, planned + reach + 1) - max(0, planned - reach) - 1
                    if planned % positions:
                        before = (planned - 1) % turns * steps_max
                        keep_noise(output_rows + word * row_bytes, work, before, own_step, row_bytes)
                    else:
                        for i in range(own_step, own_step + (count + group - 1) // group):
                            _, state = aim(word, words, negative, output_rows, row_bytes, tables, work, i, state)
                centre = planned - ahead
                if ring and centre + window >= 0:
                    slot = (centre + window) % slots
                    copy = copies + 2 * slot * row_bytes
                    if centre - window - 1 >= 0:
                        kernels.spread(work.hidden, slot, slot + 1, ONE, copy, row_bytes)
                    if centre + window < length:
                        work.hidden[slot] = input_rows + work.sentence[centre + window] * row_bytes
                        kernels.pool(work.hidden, slot, slot + 1, ONE, copy, row_bytes)
                if centre < 0:
                    continue
                if ahead and centre + window + ahead < length:
                    kernels.fetch(input_rows + work.sentence[centre + window + ahead] * row_bytes, row_bytes)
                own_step, reach = centre % turns * steps_max, work.ends[centre % turns]
                count = 0
                for near in range(max(0, centre - reach), min(length, centre + reach + 1)):
                    if near != centre:
                        row = input_rows + work.sentence[near] * row_bytes
                        work.members[count] = copies + 2 * (near % slots) * row_bytes if ring else row
                        count += 1
                pairs += count
                for i in range(0, count, group):
                    now, last = own_step + i // group, min(i + group, count)
                    learn(
                        work.members, i, last, work.targets, work.labels, now, row_bytes, learning_rate, work.products
                    )
            for i in range(max(0, length - window - 1) if ring else length, length):
                slot = i % slots
                kernels.spread(work.hidden, slot, slot + 1, ONE, copies + 2 * slot * row_bytes, row_bytes)
        return pairs

    return train


@compiled
def plain_pairs(inputs, outputs, rows, shared, own, window, negative, learning_rate, seed):
    """word2vec.c's way: noise for each pair, and plain loops over rows, each of which LLVM vectorises by itself."""
    tables = kernels.unbound_tables(shared)
    corpus, end = pointer(rows), len(rows)
    sentence, noise = pointer(own.sentence), pointer(own.noise)
    gradient = np.empty(inputs.shape[1], dtype=np.float32)
    state = seed
    pairs = position = 0
    while position < end:
        length, position, state = kernels.next_sentence(corpus, position, end, tables.keep, sentence, state)
        for centre in range(length):
            state = kernels.next_state(state)
            reach = kernels.below(state, window) + 1
            for near in range(max(0, centre - reach), min(length, centre + reach + 1)):
                if near == centre:
                    continue
                hidden, word = inputs[sentence[near]], np.int64(sentence[centre])
                count, state = kernels.draw_noise(word, len(shared.aliases), tables, noise, negative, state)
                gradient[:] = 0
                for i in range(count + 1):
                    output = outputs[noise[i - 1] if i else word]
                    dot = ZERO
                    for j in range(len(hidden)):
                        dot += hidden[j] * output[j]
                    error = (np.float32(i == 0) - ONE / (ONE + np.exp(-dot))) * learning_rate
                    for j in range(len(hidden)):
                        gradient[j] += error * output[j]  # Before `output` moves.
                        output[j] += error * hidden[j]
                for j in range(len(hidden)):
                    hidden[j] += gradient[j]
                pairs += 1
    return pairs


@inlined
def by_exp(x):
    return ONE / (ONE + np.exp(-x))


@inlined
def by_table(x):
    """word2vec.c's table: 1,000 values of σ from −6 to 6, 0 and 1 beyond."""
    if x >= TABLE_END:
        return ONE
    return SIGMOIDS[int((x + TABLE_END) * np.float32(TABLE_SIZE / 12))] if x > -TABLE_END else ZERO


def exchange_with(sigmoid: Any) -> Any:
    """`exchange`, with σ of one number at a time."""

    @inlined
    def to_errors(products, count, labels, first_label, learning_rate):
        for g in range(count):
            for i in range(TARGETS):
                error = labels[first_label + i] - sigmoid(products[SLOTS * g + i])
                products[SLOTS * g + i] = learning_rate * error

    return changed(step.exchange, to_errors=to_errors)


@inlined
def gather(addresses, first, buffer):
    for i in range(buffer.shape[0]):
        for j in range(0, buffer.shape[1] * 4, VECTOR_BYTES):
            store(address(buffer) + i * buffer.shape[1] * 4 + j, load(addresses[first + i] + j))


@inlined
def scatter(addresses, first, buffer):
    for i in range(buffer.shape[0]):
        for j in range(0, buffer.shape[1] * 4, VECTOR_BYTES):
            row = addresses[first + i] + j
            store(row, add(load(row), load(address(buffer) + i * buffer.shape[1] * 4 + j)))


@inlined
def exchange_by_blas(hidden, begin, end, targets, labels, own_step, row_bytes, learning_rate, products):
    """HogBatch as published: rows are gathered, three products of matrices are BLAS's, and changes are scattered."""
    count = end - begin
    room = numba.carray(products, (BLAS_ROWS, row_bytes // 4))  # Row 0 is `products`.
    near, near_change = room[1 : 1 + count], room[11 : 11 + count]
    far, far_change = room[21 : 21 + TARGETS], room[31 : 31 + TARGETS]
    errors = room[41][: count * TARGETS].reshape(count, TARGETS)
    gather(hidden, begin, near)
    gather(targets, own_step * TARGETS, far)
    np.dot(near, far.T, errors)
    for i in range(count * TARGETS):
        products[i // TARGETS * SLOTS + i % TARGETS] = errors[i // TARGETS, i % TARGETS]
    step.to_errors(products, count, labels, own_step * LABELS, learning_rate)
    for i in range(count * TARGETS):
        errors[i // TARGETS, i % TARGETS] = products[i // TARGETS * SLOTS + i % TARGETS]
    np.dot(errors, far, near_change)
    np.dot(errors.T, near, far_change)
    scatter(hidden, begin, near_change)
    scatter(targets, own_step * TARGETS, far_change)


@inlined
def no_step(hidden, begin, end, targets, labels, own_step, row_bytes, learning_rate, products):
    """A step that learns nothing."""


@inlined
def only_products(hidden, begin, end, targets, labels, own_step, row_bytes, learning_rate, products):
    """The first third of a step."""
    step.multiply_all(hidden, begin, end, targets, own_step * TARGETS, row_bytes, products)


@inlined
def only_errors(hidden, begin, end, targets, labels, own_step, row_bytes, learning_rate, products):
    """A step but for its two updates."""
    step.multiply_all(hidden, begin, end, targets, own_step * TARGETS, row_bytes, products)
    step.to_errors(products, end - begin, labels, own_step * LABELS, learning_rate)


CHAIN_CYCLES = 6
FREE_VECTORS = 8


@compiled
def chain(times, x):
    """`CHAIN_CYCLES` · `times` instructions of one cycle, each of which needs the one before (Marsaglia's xorshift)."""
    for _ in range(times):
        x ^= x << np.uint64(13)
        x ^= x >> np.uint64(7)
        x ^= x << np.uint64(17)
    return x


@compiled
def free_multiply_adds(times, numbers):
    """`FREE_VECTORS` · `times` multiply-adds of vectors, none of which waits for another: all that a core can do.

    `numbers` are float32 (≥ `FREE_VECTORS`,), all different, or LLVM sees that one product is enough.
    """
    at = address(numbers)
    x, a, b, c, d = simd.splat_at(at), simd.splat_at(at), simd.splat_at(at + 4), simd.splat_at(at + 8), load(at)
    e, f, g, h = simd.splat_at(at + 12), simd.splat_at(at + 16), simd.splat_at(at + 20), simd.splat_at(at + 24)
    for _ in range(times):
        a, b, c, d = multiply_add(x, x, a), multiply_add(x, x, b), multiply_add(x, x, c), multiply_add(x, x, d)
        e, f, g, h = multiply_add(x, x, e), multiply_add(x, x, f), multiply_add(x, x, g), multiply_add(x, x, h)
    store(at, add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))))
