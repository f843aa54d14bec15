"""The demo's corpus: the same seed gives the same bytes, every fact is told, and nothing is left unfilled."""

import gzip
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from vecinity.cli.demo import corpus, facts
from vecinity.cli.demo.corpus import sentences, write_corpus

LINES = 20_000


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    write_corpus(path, lines=LINES)
    return path.read_text()


def names_of_facts() -> set[str]:
    """Every word or phrase that the facts name, in lower case."""
    fields = [field for country in facts.COUNTRIES for field in country]
    fields += [word for role in facts.ROLES for word in (role.male, role.female, role.kind, *role.deeds)]
    fields += [word for animal in facts.ANIMALS for word in (animal.name, animal.young, *animal.habits)]
    fields += [word for adjective in facts.ADJECTIVES for word in (*adjective[:4], *adjective.things)]
    fields += [word for verb in facts.VERBS for word in (*verb[:3], *verb.objects)]
    return {field.lower() for field in fields}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first.txt.gz", "again.txt.gz", "other.txt.gz"))
    write_corpus(first, lines=500, seed=7)
    write_corpus(again, lines=500, seed=7)
    write_corpus(other, lines=500, seed=8)
    assert first.read_bytes() == again.read_bytes()
    assert gzip.decompress(first.read_bytes()) != gzip.decompress(other.read_bytes())


def test_the_seed_decides_across_processes(tmp_path: Path) -> None:
    """Nothing hangs on the order of a set, which changes from process to process."""
    script = (
        "import sys; from pathlib import Path; from vecinity.cli.demo.corpus import write_corpus; "
        "write_corpus(Path(sys.argv[1]), lines=300); assert 'numpy' not in sys.modules"
    )
    written = []
    for hash_seed in ("1", "2"):
        path = tmp_path / f"{hash_seed}.txt"
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)}
        subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=True)
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_gzip_holds_the_same_text(tmp_path: Path) -> None:
    plain, packed = tmp_path / "corpus.txt", tmp_path / "corpus.txt.gz"
    write_corpus(plain, lines=500)
    write_corpus(packed, lines=500)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.stat().st_size < plain.stat().st_size / 2


@pytest.mark.parametrize("lines", [0, 1, 999, 1001])
def test_writes_exactly_the_lines_asked_for(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "corpus.txt"
    write_corpus(path, lines=lines)
    assert path.read_text().count("\n") == lines


def test_lines_are_plain_lower_case_words(text: str) -> None:
    lines = text.splitlines()
    assert len(lines) == LINES
    assert {line for line in lines if not re.fullmatch(r"[a-z]+( [a-z]+){4,19}", line)} == set()
    assert len(set(lines)) > LINES / 2


def test_the_corpus_tells_every_fact(text: str) -> None:
    padded = f" {text.replace(chr(10), ' ')} "
    assert {name for name in names_of_facts() if f" {name} " not in padded} == set()


def test_sentences_are_distinct_readable_english() -> None:
    told = sentences()
    assert 1_500 <= len(told) <= 3_000
    assert len(set(told)) == len(told)
    assert told == sentences()
    assert {line for line in told if not re.fullmatch(r"[A-Z][A-Za-z]*([,:]? [A-Za-z]+){3,19}\.", line)} == set()
    assert {line for line in told if re.search(r"\b[Aa] [aeiou]|\b[Aa] heir", line)} == set()
    assert "A puppy is a young dog." in told
    assert "Paris is the capital of France, where many people speak French and pay with the euro." in told


def test_sentences_name_every_word_an_analogy_asks_for() -> None:
    words = set(re.findall(r"[a-z]+", " ".join(sentences()).lower()))
    asked = {word for country in facts.COUNTRIES for word in country[:5]}
    asked |= {word for role in facts.ROLES for word in (role.male, role.female)}
    asked |= {word for animal in facts.ANIMALS for word in (animal.name, animal.young)}
    asked |= {word for adjective in facts.ADJECTIVES for word in adjective[:4]}
    asked |= {word for verb in facts.VERBS for word in verb[:3]}
    assert asked - words == set()
    assert {word for word in asked if not re.fullmatch("[a-z]+", word)} == set()


def test_an_analogy_has_one_answer() -> None:
    """A name that stood in two pairs would make two answers right."""
    assert len(facts.COUNTRIES) >= 45
    pairs = {
        "country": [(country.name, country.capital) for country in facts.COUNTRIES],
        "nationality": [(country.nationality,) for country in facts.COUNTRIES],
        "role": [(role.male, role.female) for role in facts.ROLES],
        "animal": [(animal.name, animal.young) for animal in facts.ANIMALS],
        "adjective": [adjective[:3] for adjective in facts.ADJECTIVES],
        "verb": [verb[:3] for verb in facts.VERBS],
    }
    for kind, rows in pairs.items():
        repeated = [name for name, times in Counter(name for row in rows for name in row).items() if times > 1]
        assert repeated == [], kind


def test_opposites_are_mutual() -> None:
    opposites = {adjective.base: adjective.opposite for adjective in facts.ADJECTIVES}
    assert {base for base, opposite in opposites.items() if opposites.get(opposite) != base} == set()


@pytest.mark.parametrize("kind", ["COUNTRY", "ROLE", "ANIMAL", "ADJECTIVE", "VERB"])
def test_each_kind_of_fact_is_told_in_many_ways(kind: str) -> None:
    templates = getattr(corpus, kind) + getattr(corpus, f"{kind}_SCENES")
    assert len(set(templates)) == len(templates) >= 12
