import numpy as np

from vecinity.indexer.word2vec import sampling


def test_keep_probability_of_a_frequent_word_by_hand() -> None:
    # f/t = 0.9/0.1 = 9, so (√9 + 1)/9 = 4/9; the rare word has f/t = 1 and (1 + 1)/1 > 1.
    kept = sampling.keep_probabilities(np.array([90, 10]), 0.1)
    np.testing.assert_allclose(kept, [4 / 9, 1.0])


def test_sample_zero_keeps_everything() -> None:
    assert sampling.keep_probabilities(np.array([10**9, 1]), 0).tolist() == [1.0, 1.0]


def test_thresholds_have_the_chance_asked_for() -> None:
    thresholds = sampling.as_thresholds(np.array([1.0, 0.5, 0.25, 1e-12]))
    assert thresholds.dtype == np.uint32
    assert thresholds.tolist() == [2**32 - 1, 2**31 - 1, 2**30 - 1, 0]


def test_noise_is_the_three_quarter_power() -> None:
    np.testing.assert_allclose(sampling.noise_probabilities(np.array([16, 1])), [8 / 9, 1 / 9])


def test_alias_table_holds_exactly_the_distribution(rng: np.random.Generator) -> None:
    for counts in ([1, 1], [1000, 1], rng.zipf(1.3, 5000)):
        wanted = sampling.noise_probabilities(np.minimum(counts, 10**9))
        thresholds, aliases = sampling.alias_table(wanted)
        n = len(wanted)
        own = (thresholds.astype(np.float64) + 1) / 2**32
        held = (own + np.bincount(aliases, weights=1 - own, minlength=n)) / n
        np.testing.assert_allclose(held, wanted, atol=1e-9)


def test_learning_rate_falls_in_a_straight_line() -> None:
    rates = [sampling.learning_rate_at(progress, 0.025, 0.005) for progress in (0, 0.25, 1)]
    np.testing.assert_allclose(rates, [0.025, 0.02, 0.005])


def test_chunk_seeds_are_distinct_and_repeatable() -> None:
    seeds = {sampling.chunk_seed(s, e, c) for s in (1, 2) for e in range(5) for c in range(20)}
    assert len(seeds) == 200
    assert sampling.chunk_seed(1, 2, 3) in seeds
