import pytest

from vecinity.indexer.errors import SettingError
from vecinity.indexer.word2vec import Word2VecSettings


def test_defaults_are_those_of_the_papers() -> None:
    settings = Word2VecSettings()
    assert (settings.architecture, settings.dimension, settings.window, settings.negative) == ("skip-gram", 100, 5, 5)
    assert (settings.sample, settings.min_count, settings.epochs) == (1e-4, 5, 5)
    assert (settings.first_rate, settings.last_rate, settings.seed) == (0.025, 0.0025, 1)
    assert settings.threads >= 1
    assert settings.max_vocabulary is None
    assert Word2VecSettings(architecture="cbow").first_rate == 0.05
    assert Word2VecSettings(learning_rate=0.1, min_learning_rate=0.0).last_rate == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("architecture", "glove"),
        ("objective", "softmax"),
        ("phrase_passes", 5),
        ("phrase_threshold", -1.0),
        ("phrase_min_count", 0),
        ("subword_buckets", -1),
        ("subword_min", 0),
        ("subword_max", 33),
        ("dimension", 0),
        ("dimension", 4097),
        ("dimension", 2.5),
        ("dimension", True),
        ("window", 0),
        ("negative", 0),
        ("sample", -1e-9),
        ("sample", 1.1),
        ("sample", float("nan")),
        ("min_count", 0),
        ("epochs", 0),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("min_learning_rate", 0.03),
        ("threads", 0),
        ("seed", -1),
        ("seed", 10**40),
        ("learning_rate", 10**40),
        ("sample", 10**40),
        ("learning_rate", float("nan")),
        ("max_vocabulary", 1),
    ],
)
def test_out_of_range_names_field_and_value(name: str, value: object) -> None:
    with pytest.raises(SettingError) as caught:
        Word2VecSettings(**{name: value})  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{name} is {value!r}")
    assert "\n" not in str(caught.value)


def test_bounds_are_shown_exactly() -> None:
    with pytest.raises(SettingError) as caught:
        Word2VecSettings(seed=2**63)
    assert str(caught.value) == "seed is 9223372036854775808; it must be from 0 to 9,223,372,036,854,775,807"


@pytest.mark.parametrize("name", ["seed", "dimension", "sample", "learning_rate"])
@pytest.mark.parametrize("value", [10**400, -(10**5000)], ids=["large", "low"])
def test_numbers_beyond_all_bounds(name: str, value: int) -> None:
    with pytest.raises(SettingError, match=f"{name} is too large to be shown; it must be from "):
        Word2VecSettings(**{name: value})  # type: ignore[arg-type]
