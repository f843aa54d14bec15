import pytest

from vecinity.indexer.errors import SettingError
from vecinity.indexer.word2vec import Word2VecSettings


def test_defaults_are_those_of_the_papers() -> None:
    settings = Word2VecSettings()
    assert (settings.architecture, settings.dimension, settings.window, settings.negative) == ("skip-gram", 100, 5, 5)
    assert (settings.sample, settings.min_count, settings.epochs) == (1e-4, 5, 5)
    assert (settings.learning_rate, settings.min_learning_rate, settings.seed) == (0.025, 1e-4, 1)
    assert settings.threads >= 1
    assert settings.max_vocabulary is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("architecture", "glove"),
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
        ("max_vocabulary", 1),
    ],
)
def test_out_of_range_names_field_and_value(name: str, value: object) -> None:
    with pytest.raises(SettingError) as caught:
        Word2VecSettings(**{name: value})  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{name} is {value!r}")
    assert "\n" not in str(caught.value)
