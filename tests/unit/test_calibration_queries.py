"""Reading the queries that an index is to be measured with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import clustered

from vecinity.cli import app
from vecinity.indexer.ann import Family
from vecinity.indexer.build import Build
from vecinity.indexer.calibration import QUERIES_MAX, CalibrationSource
from vecinity.indexer.calibration_queries import read_calibration_queries
from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.dataset import Source
from vecinity.indexer.embedding import Reading
from vecinity.indexer.errors import InputError, UnknownWordError
from vecinity.indexer.indexing import IndexSettings
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.unknown_words import UnknownWords


class Letters:
    """A vector for each text of letters: how many it has of each. Of a text without, none."""

    kind, dimension, fingerprint = "letters", 26, "0" * 32

    def embed(self, texts: Sequence[str]) -> Vectors:
        for text in texts:
            if not any("a" <= letter <= "z" for letter in text):
                raise UnknownWordError(text, ())
        return np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)

    def canonical(self, text: str) -> str:
        return text

    def read(self, texts: Sequence[str], policy: UnknownWords = UnknownWords.ERROR) -> Reading:
        raise NotImplementedError

    def subword_vector(self, word: str) -> Vectors:
        raise NotImplementedError


def read(path: Path, metric: Metric = Metric.COSINE, *, embedder: Letters | None = None, dimension: int = 3) -> Vectors:
    return read_calibration_queries(Source(path), embedder, dimension, metric)


def saved(path: Path, vectors: object) -> Path:
    np.save(path, np.asarray(vectors))
    return path


def test_vectors_are_prepared_for_the_metric(tmp_path: Path) -> None:
    path = saved(tmp_path / "q.npy", np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]]))
    np.testing.assert_allclose(read(path), [[0.6, 0.8, 0], [0, 0, 1]], rtol=1e-6)
    np.testing.assert_allclose(read(path, Metric.DOT), [[3, 4, 0], [0, 0, 2]])


def test_of_many_a_sample_is_taken(tmp_path: Path) -> None:
    many = np.stack([np.arange(3 * QUERIES_MAX), np.ones(3 * QUERIES_MAX), np.ones(3 * QUERIES_MAX)], axis=1)
    sample = read(saved(tmp_path / "q.npy", many), Metric.DOT)
    assert len(np.unique(sample[:, 0])) == QUERIES_MAX
    assert sample[:, 0].max() > 2.9 * QUERIES_MAX and sample[:, 0].min() < 0.1 * QUERIES_MAX


def test_texts_without_a_known_word_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("ab\n123\nbb\n")
    found = read(path, Metric.DOT, embedder=Letters(), dimension=26)
    np.testing.assert_array_equal(found[:, :2], [[1, 1], [0, 2]])


def test_of_many_texts_a_sample_is_taken_too(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("".join(f"{'a' * (i % 200)}z\n" for i in range(2 * QUERIES_MAX)))
    found = read(path, Metric.DOT, embedder=Letters(), dimension=26)
    assert len(found) == QUERIES_MAX
    assert 80 < found[:, 0].mean() < 120  # the first alone would do so too; all of them say so of each half
    assert not np.array_equal(found[:200, 0], np.arange(200))


@pytest.mark.parametrize(
    ("vectors", "fault"),
    [
        (np.ones((2, 4)), "dimension 4; the collection has 3"),
        (np.ones((0, 3)), "holds no vector"),
        (np.ones(3), "2-d array"),
        (np.ones((2, 3), dtype=np.int64), "must hold floats"),
        ([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], "the vector of a query is zero"),
        ([[1.0, np.nan, 1.0]], "the vector of a query holds NaN"),
        ([[1.0, 1e300, 1.0]], "the vector of a query holds NaN or infinity"),
    ],
)
def test_bad_vectors(tmp_path: Path, vectors: object, fault: str) -> None:
    path = saved(tmp_path / "q.npy", vectors)
    with pytest.raises(InputError, match=fault) as caught:
        read(path)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("text", "embedder", "fault"),
    [
        ("", Letters(), "holds no text"),
        ("1\n2\n", Letters(), "none of the queries holds a word"),
        ("abc\n", None, "a collection without an embedder"),
    ],
)
def test_bad_texts(tmp_path: Path, text: str, embedder: Letters | None, fault: str) -> None:
    path = tmp_path / "q.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        read(path, embedder=embedder, dimension=26)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("q.npy", "q.txt"):
        with pytest.raises(InputError, match="can't be read"):
            read(tmp_path / name, embedder=Letters())


def test_a_build_measures_with_them(tmp_path: Path) -> None:
    items, queries = tmp_path / "items.txt", tmp_path / "queries.txt"
    rng = np.random.default_rng(2)
    items.write_text("".join("".join(map(chr, 97 + rng.integers(0, 26, 12))) + "\n" for _ in range(900)))
    queries.write_text("".join("".join(map(chr, 97 + rng.integers(0, 5, 30))) + "\n" for _ in range(70)))
    settings = IndexSettings(family=Family.IVF_FLAT, target_recall=0.5, calibration_queries=Source(queries))
    with Build(tmp_path / "data", "letters", settings) as build:
        report = build.from_texts(Source(items), Letters(), EmbedderRecord("letters", Letters.fingerprint))
    assert report.calibration.sources == (CalibrationSource.ITEMS, CalibrationSource.QUERIES)
    assert (report.calibration.queries, report.calibration.given_queries) == (90, 70)


def test_bad_queries_stop_a_build_before_anything_is_published(tmp_path: Path) -> None:
    saved(tmp_path / "items.npy", clustered(300, 8))
    path = saved(tmp_path / "queries.npy", np.ones((5, 9)))
    with (
        Build(tmp_path / "data", "c", IndexSettings(calibration_queries=Source(path))) as build,
        pytest.raises(InputError, match="dimension 9"),
    ):
        build.from_vectors(tmp_path / "items.npy", None)
    assert not list((tmp_path / "data").glob("collections/c/segments/*"))


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def vecinity(*arguments: object) -> tuple[int, str, str]:
        return app.main([str(argument) for argument in arguments]), *capsys.readouterr()

    saved(tmp_path / "items.npy", clustered(3_000, 16))
    saved(tmp_path / "queries.npy", np.random.default_rng(1).normal(size=(300, 16)))
    (tmp_path / "queries.csv").write_text("a,b\n1,2\n")
    build = ("build", "c", "items.npy", "--embedder", "none", "--index", "ivf-flat")
    code, _, err = vecinity(*build, "--calibration-queries", "queries.npy")
    assert code == 0, err
    code, shown, _ = vecinity("collections", "c", "--data-dir", "data")
    assert code == 0 and "\nitems\t10\t" in shown and "\nqueries\t10\t" in shown
    vector = saved(tmp_path / "v.npy", np.ones(16))
    search = ("search", "c", "--vector", vector, "--data-dir", "data")
    code, _, explained = vecinity(*search, "--explain")
    assert code == 0 and "as measured with queries" in explained and "why" in explained
    code, _, err = vecinity(*search)
    assert (code, err) == (0, "")
    code, shown, _ = vecinity(*search, "--explain", "--json")
    assert code == 0 and '"calibration_source": "queries"' in shown
    for options, fault in (
        (("--calibration-queries", "queries.csv"), "must be vectors, a .npy file, with --embedder none"),
        (("--calibration-queries", "nothing.npy"), "nothing.npy is no file"),
        (("--calibration-queries", "queries.npy", "--calibration-columns", "a"), "a .npy file has no columns"),
        (("--calibration-text-column", "a"), "--calibration-text-column goes with --calibration-queries"),
        (("--calibration-columns", "a"), "--calibration-columns goes with --calibration-queries"),
    ):
        code, _, err = vecinity(*build, *options)
        assert code != 0 and fault in " ".join(err.split()), err
