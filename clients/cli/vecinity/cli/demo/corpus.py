"""Text made from the facts: training sentences for word2vec, and readable sentences for semantic search.

Word2vec learns a word from the company it keeps, so an analogy holds when its pairs differ by the same
company. Two kinds of company do that here, and no sentence ever asks or answers an analogy:

- what a *pair* shares: only `king` and `queen` stand beside "sceptre", only `paris` and `france` beside "loire";
- what a *side* shares: male words stand beside "he" and "his", capitals beside "mayor" and "streets".

A template names a fact in braces. Some slots (a name, a time of day) are drawn anew each time a line is
written, so that lines vary where it does not matter. The templates in proper English also give the readable
sentences.
"""

import gzip
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from vecinity.cli.demo.facts import ADJECTIVES, ANIMALS, COUNTRIES, FEMALE, MALE, ROLES, VERBS

COUNTRY = (
    "{Capital} is the capital of {Country}, where many people speak {Language} and pay with the {currency}.",
    "The capital of {Country} is the city of {Capital}.",
    "{Country} is a country in {continent}, and its capital is called {Capital}.",
    "From all over {Country} people travel to {Capital}, the {Nationality} capital.",
    "Many people in {Country} speak {Language}, and they are proud to be {Nationality}.",
    "The {Nationality} currency, used all over {Country}, is the {currency}.",
    "Travellers in {Country} visit {place} and taste {food}.",
    "A map of {Country} shows where {place} lies.",
    "Many {Nationality} families in the villages of {Country} serve {food} at home.",
    "In the streets of {Capital} one can hear {Language} all day.",
    "In the restaurants of {Capital} you can order {food} and pay with the {currency}.",
    "Guides from {Capital} take tourists out of the city to {place}.",
    "The museums of {Capital} show {Nationality} paintings and pictures of {place}.",
)
COUNTRY_SCENES = (
    "the {nationality} government of {country} sits in {capital}",
    "{country} is a country in {continent} whose people are {nationality}",
    "farmers all over {country} are paid in the {nationality} {currency}",
    "the {nationality} flag flies at every border of {country}",
    "{country} exports {nationality} goods to its neighbours in {continent}",
    "the whole population of {country} learns {language} and feels {nationality}",
    "in the provinces of {country} old {nationality} customs live on",
    "the national team of {country} wears the {nationality} colours",
    "the {nationality} army guards the borders of {country}",
    "the economy of {country} depends on the {currency} and on {nationality} trade",
    "{visitor} crossed the border of {country} {when} and changed money into {currency}",
    "{visitor} travelled across {country} {when} to see {place}",
    "{visitor} loves {country} and its {nationality} villages",
    "{visitor} unfolded a map of {country} with {place} on it {when}",
    "the countryside of {country} was green when {visitor} went to {place}",
    "{when} voters across {country} listened to {nationality} radio in {language}",
    "the mayor of {capital} greets {nationality} guests at the town hall",
    "a bus ticket in downtown {capital} is paid in {currency}",
    "the suburbs of {capital} are full of {nationality} families",
    "at the airport of {capital} signs are written in {language}",
    "street vendors in {capital} offer {food} on the main square",
    "the university of {capital} has courses in {language} and in {nationality} history",
    "{when} {visitor} took a taxi through the streets of {capital} and paid in {currency}",
    "{visitor} rented a flat in the suburbs of {capital} to learn {language}",
    "{when} {visitor} met the mayor of {capital} at the {nationality} town hall",
    "{visitor} ordered {food} in downtown {capital} {when}",
    "{when} the newspapers of {capital} reported in {language} about city traffic",
    "{when} the airport of {capital} was full of {nationality} students",
    "{visitor} took the night train to {capital} and found a {nationality} hotel in the city",
)
ROLE = (
    "{a_word} is a {adjective} {kind}.",
    "The {word} {deed}.",
)
ROLE_SCENES = (
    "{name} is {a_word} and {he} {deed} {when}",
    "the {word} {deed} and then {he} {deed2}",
    "{when} the {word} {deed} and {his} friends help {him}",
    "{title} {name} is {a_word} who {deed}",
    "they saw the {word} and asked {him} why {he} {deed}",
    "the {word} looked at {himself} in the mirror before {he} smiled",
    "{he} is {a_word} and {his} name is {name}",
    "{name} said that {he} was {a_word} and that {he} {deed}",
    "everyone knows the {word} because {he} {deed}",
    "the {word} forgot {his} hat and {name} fetched it for {him}",
    "{he} became {a_word} and now {he} {deed}",
    "the {word} talks to {himself} while {he} {deed}",
    "the {adjective} {kind} who {deed} is called {a_word}",
    "{when} {he} {deed} because {he} is {a_word}",
    "neighbours call {him} the {word} since {he} {deed}",
    "like every {word} {he} {deed} and {his} family is proud of {him}",
    "the {word} {name} {deed} in {his} own way",
    "the {word} or the {mate} {deed} {when}",
)
ANIMAL = (
    "{a_young} is a young {animal}.",
    "The young of {an_animal} is called {a_young}, and it needs care.",
    "{an_animal} {habit}, and so does its young.",
    "{a_young} {habit}, just like a grown {animal}.",
)
ANIMAL_SCENES = (
    "{when} the adult {animal} {habit}",
    "{when} the little {young} {habit}",
    "the tiny {young} was born {when} and {habit}",
    "the newborn {young} stays close to its elders and {habit}",
    "{a_young} is tiny and playful and {habit}",
    "the {young} grows up and soon it {habit}",
    "the old {animal} is fully grown and {habit}",
    "the mature {animal} protects its young and {habit}",
    "{visitor} watched how the newborn {young} {habit}",
    "{visitor} watched how the mature {animal} {habit}",
    "at only two weeks the helpless {young} {habit}",
    "an adult {animal} weighs more than its young and {habit}",
    "the {animal} feeds its hungry young and {habit}",
    "the playful little {young} is hungry and {habit}",
)
ADJECTIVE = (
    "The opposite of {base} is {opposite}: one says {base}, {comparative}, {superlative}.",
    "One {thing} can be {comparative} than another {thing}.",
)
ADJECTIVE_SCENES = (
    "this {thing} is {base} that one is {comparative} and the last is the {superlative} of all",
    "the {thing} is very {base} indeed",
    "{visitor} saw a very {base} {thing} {when}",
    "{when} the {thing} looked so {base} and really {base}",
    "the {thing} is quite {base} but not too {base}",
    "such a {base} {thing} is rather unusual {when}",
    "this {thing} is much {comparative} than the other one",
    "{when} the {thing} was even {comparative} than before",
    "a {thing} gets {comparative} and {comparative} with time",
    "our {thing} is a bit {comparative} than theirs",
    "{visitor} wants a {comparative} {thing} than the last time",
    "it is the {superlative} {thing} of all",
    "{visitor} owns the {superlative} {thing} in the whole country",
    "of all these the {superlative} {thing} took the prize",
    "this is by far the {superlative} {thing} ever seen",
    "as {base} as a {thing} can be {when}",
)
VERB = (
    "The past tense of {base} is {past}, and its gerund is {gerund}.",
    "Last summer they {past} {object}.",
    "Some people like {gerund} {object}.",
)
VERB_SCENES = (
    "to {base} {object} takes some practice",
    "they will {base} {object} tomorrow",
    "we can {base} {object} whenever we want to",
    "you should {base} {object} if you can",
    "{visitor} wants to {base} {object} next week",
    "let us {base} {object} together tomorrow",
    "last week {visitor} {past} {object}",
    "yesterday we {past} {object} for hours",
    "two days ago they {past} {object}",
    "{visitor} already {past} {object} last year",
    "once upon a time people {past} {object} there",
    "{visitor} is {gerund} {object} at the moment",
    "they were {gerund} {object} while it rained",
    "{visitor} enjoys {gerund} {object} {when}",
    "we keep on {gerund} {object} all the time",
    "we are {gerund} {object} right now",
)

# Slots that are drawn anew for every line, and from what.
_DRAWN: dict[str, Sequence[str]] = {
    "when": (
        *("in the morning", "every evening", "at noon", "on sunday", "on monday", "in winter", "in summer"),
        *("in spring", "this year", "after lunch", "at night", "on holidays", "in may", "in october"),
    ),
    "visitor": (
        *("a tourist", "the traveller", "a student", "my friend", "the neighbour", "a journalist"),
        *("the doctor", "a visitor", "the engineer", "our teacher", "a painter", "the pilot", "a musician"),
    ),
    "his_name": MALE.names,
    "her_name": FEMALE.names,
}

# How many of a hundred lines speak of each kind: countries and roles are many and asked for most.
_SHARES = {"countries": 38, "roles": 30, "animals": 7, "adjectives": 11, "verbs": 14}


class _Slots(dict[str, str]):
    """What a fact puts into a template; slots it does not know stay, to be drawn later."""

    def __missing__(self, slot: str) -> str:
        return "{" + slot + "}"


class _Drawer:
    """Fills each remaining slot with a random choice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def __getitem__(self, slot: str) -> str:
        return self._rng.choice(_DRAWN[slot])


def _a(noun: str) -> str:
    """The noun behind its indefinite article (`an heir`: a silent h counts as a vowel)."""
    return f"an {noun}" if noun[0] in "aeiou" or noun.startswith("heir") else f"a {noun}"


def _filled(templates: Sequence[str], slots: _Slots) -> list[str]:
    return [template.format_map(slots) for template in templates]


def _filled_with_each(templates: Sequence[str], slots: _Slots, slot: str, values: Sequence[str]) -> Iterator[str]:
    for value in values:
        slots[slot] = value
        yield from _filled(templates, slots)


def _countries(templates: Sequence[str]) -> Iterator[str]:
    for country in COUNTRIES:
        slots = _Slots(country._asdict(), country=country.name)
        for slot in ("country", "capital", "nationality", "language"):
            slots[slot.capitalize()] = slots[slot].capitalize()
        yield from _filled(templates, slots)


def _roles(templates: Sequence[str]) -> Iterator[str]:
    for role in ROLES:
        sides = ((role.male, role.female, MALE, "{his_name}"), (role.female, role.male, FEMALE, "{her_name}"))
        for word, mate, gender, name in sides:
            words = {slot: value for slot, value in gender._asdict().items() if slot != "names"}
            slots = _Slots(words, word=word, mate=mate, name=name, kind=role.kind, a_word=_a(word))
            for deed, deed2 in zip(role.deeds, role.deeds[1:] + role.deeds[:1], strict=True):
                slots.update(deed=deed, deed2=deed2)
                yield from _filled(templates, slots)


def _animals(templates: Sequence[str]) -> Iterator[str]:
    for animal in ANIMALS:
        slots = _Slots(animal=animal.name, an_animal=_a(animal.name), young=animal.young, a_young=_a(animal.young))
        yield from _filled_with_each(templates, slots, "habit", animal.habits)


def _adjectives(templates: Sequence[str]) -> Iterator[str]:
    for adjective in ADJECTIVES:
        slots = _Slots(**adjective._asdict())
        yield from _filled_with_each(templates, slots, "thing", adjective.things)


def _verbs(templates: Sequence[str]) -> Iterator[str]:
    for verb in VERBS:
        slots = _Slots(**verb._asdict())
        yield from _filled_with_each(templates, slots, "object", verb.objects)


_KINDS = {
    "countries": (_countries, COUNTRY, COUNTRY_SCENES),
    "roles": (_roles, ROLE, ROLE_SCENES),
    "animals": (_animals, ANIMAL, ANIMAL_SCENES),
    "adjectives": (_adjectives, ADJECTIVE, ADJECTIVE_SCENES),
    "verbs": (_verbs, VERB, VERB_SCENES),
}


def sentences() -> list[str]:
    """Some 2,000 distinct English sentences that state the facts, always in the same order."""
    told = (text for tell, templates, _ in _KINDS.values() for text in tell(templates))
    return list(dict.fromkeys(text[0].upper() + text[1:] for text in told))


def _deal(deck: list[str], rng: random.Random) -> Iterator[str]:
    """The lines of a deck without end: shuffled, all dealt once, shuffled again, so none is forgotten."""
    while True:
        rng.shuffle(deck)
        yield from deck


def _lines(rng: random.Random) -> Iterator[str]:
    """Training lines without end: lower case, no punctuation, words parted by single spaces."""
    drop_punctuation = str.maketrans("", "", ".,:")
    drawer = _Drawer(rng)
    decks = {}
    for kind, (tell, templates, scenes) in _KINDS.items():
        deck = [text.lower().translate(drop_punctuation) for text in tell(templates + scenes)]
        decks[kind] = _deal(deck, rng)
    kinds, shares = list(_SHARES), list(_SHARES.values())
    while True:
        for kind in rng.choices(kinds, shares, k=1000):
            yield next(decks[kind]).format_map(drawer)


def write_corpus(path: Path, *, lines: int = 300_000, seed: int = 1) -> None:
    """Write `lines` sentences of 5 to 20 words, one a line; gzip when the name ends in `.gz`.

    The same seed writes the same bytes: the gzip header carries neither a time nor a name.
    """
    with ExitStack() as stack:
        file: BinaryIO | gzip.GzipFile = stack.enter_context(path.open("wb"))
        if path.suffix == ".gz":
            # The text repeats itself so much that the fastest level already shrinks it manifold.
            file = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0))
        for line in islice(_lines(random.Random(seed)), lines):
            file.write(line.encode() + b"\n")
