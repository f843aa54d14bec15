"""Checks of requests that the client does not let through, or can't make."""

from __future__ import annotations

import pytest

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.service.validate import analogy, selection, similarity
from vecinity.v1 import core_pb2, search_service_pb2

LIMITS = Limits(k_max=10, batch_max=6, hits_max=100, texts_max=3, text_chars_max=20)


def of_examples(positives: list[core_pb2.Query], negatives: list[core_pb2.Query]) -> core_pb2.Query:
    return core_pb2.Query(
        examples=core_pb2.Examples(
            positives=[core_pb2.WeightedQuery(query=query) for query in positives],
            negatives=[core_pb2.WeightedQuery(query=query) for query in negatives],
        )
    )


ITEM, TEXT = core_pb2.Query(id="king"), core_pb2.Query(text="a king")


@pytest.mark.parametrize(
    ("query", "than", "fault"),
    [
        (of_examples([TEXT] * 4, []), ITEM, "hold 4 texts; the limit is 3"),
        (of_examples([TEXT] * 2, []), of_examples([TEXT], [TEXT]), "hold 4 texts; the limit is 3"),
        (of_examples([ITEM], [ITEM] * 6), ITEM, "hold 7 examples; the limit is 6"),
    ],
)
def test_closer_items_hold_no_more_examples_and_texts_than_other_requests(
    query: core_pb2.Query, than: core_pb2.Query, fault: str
) -> None:
    request = search_service_pb2.FindCloserItemsRequest(collection="words", query=query, than=than)
    with pytest.raises(InvalidArgumentError) as caught:
        similarity.find_closer_items(request, LIMITS)
    assert (caught.value.field, caught.value.fault) == ("query, than", fault)


def test_closer_items_within_the_limits() -> None:
    few = of_examples([TEXT, TEXT, ITEM], [ITEM] * 3)
    request = search_service_pb2.FindCloserItemsRequest(collection="words", query=few, than=TEXT)
    similarity.find_closer_items(request, LIMITS)


@pytest.mark.parametrize(
    ("k", "candidates", "queries", "fault"),
    [
        (5, 0, 2, ""),
        (5, 0, 3, "3 queries × 50 candidates are over 100: send fewer at once, or say fewer candidates"),
        (5, 10, 10, ""),
        (5, 10, 11, "11 queries × 10 candidates are over 100: send fewer at once, or say fewer candidates"),
    ],
)
def test_candidates_count_as_hits_whoever_chose_how_many(k: int, candidates: int, queries: int, fault: str) -> None:
    wanted = core_pb2.Selection(diversity=core_pb2.Diversity(candidates=candidates))
    if not fault:
        selection.selection(wanted, core_pb2.SearchParameters(), k, queries, LIMITS)
        return
    with pytest.raises(InvalidArgumentError) as caught:
        selection.selection(wanted, core_pb2.SearchParameters(), k, queries, LIMITS)
    assert (caught.value.field, caught.value.fault) == ("selection.diversity.candidates", fault)


def pair(left: core_pb2.Query, right: core_pb2.Query) -> search_service_pb2.QueryPair:
    return search_service_pb2.QueryPair(left=left, right=right)


def term(query: core_pb2.Query) -> search_service_pb2.AnalogyTerm:
    return search_service_pb2.AnalogyTerm(query=query)


@pytest.mark.parametrize(("members", "allowed"), [([TEXT, ITEM], True), ([TEXT, TEXT], False)])
def test_texts_of_pairs_and_of_sets_are_counted_together(members: list[core_pb2.Query], allowed: bool) -> None:
    sets = search_service_pb2.QuerySetPair(left=members, right=[ITEM])
    request = search_service_pb2.ComputeSimilarityRequest(
        collection="words", pairs=[pair(TEXT, TEXT)], set_pairs=[sets]
    )
    if allowed:
        similarity.compute_similarity(request, LIMITS)
        return
    with pytest.raises(InvalidArgumentError) as caught:
        similarity.compute_similarity(request, LIMITS)
    assert (caught.value.field, caught.value.fault) == ("pairs, set_pairs", "hold 4 texts; the limit is 3")


AVERAGE = search_service_pb2.ANALOGY_METHOD_THREE_COS_AVG


@pytest.mark.parametrize(("examples", "allowed"), [([pair(TEXT, TEXT)], True), ([pair(TEXT, TEXT)] * 2, False)])
def test_texts_of_terms_and_of_examples_are_counted_together(
    examples: list[search_service_pb2.QueryPair], allowed: bool
) -> None:
    one = search_service_pb2.SolveAnalogyRequest(
        collection="words", positives=[term(TEXT)], examples=examples, k=1, method=AVERAGE
    )
    texts = core_pb2.QueryBatch(texts=core_pb2.StringList(values=["a king", "a king"]))
    many = search_service_pb2.BatchSolveAnalogiesRequest(
        collection="words", terms=texts, term_counts=[1, 1], weights=[1, 1], examples=examples, k=1, method=AVERAGE
    )
    if allowed:
        analogy.solve_analogy(one, LIMITS)
        analogy.batch_solve_analogies(many, LIMITS)
        return
    with pytest.raises(InvalidArgumentError) as caught:
        analogy.solve_analogy(one, LIMITS)
    assert (caught.value.field, caught.value.fault) == (
        "positives, negatives, examples",
        "hold 5 texts; the limit is 3",
    )
    with pytest.raises(InvalidArgumentError) as caught:
        analogy.batch_solve_analogies(many, LIMITS)
    assert (caught.value.field, caught.value.fault) == ("terms, examples", "hold 5 texts; the limit is 3")
