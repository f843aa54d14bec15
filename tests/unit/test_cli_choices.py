"""The command line names its choices itself, so that --help imports nothing heavy: they are those of the rest."""

from __future__ import annotations

from enum import StrEnum

import pytest

from vecinity import client
from vecinity.cli.building.index_options import IndexFamily, MetricName, TransformName, VectorTypeName
from vecinity.cli.query.analogy import Method
from vecinity.cli.query.options import UnknownWordsChoice
from vecinity.indexer.ann import Family, Transform
from vecinity.indexer.metric import Metric
from vecinity.indexer.stored_vectors import VectorType
from vecinity.service.planner import Strategy


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Method, client.AnalogyMethod),
        (UnknownWordsChoice, client.UnknownWords),
        (TransformName, Transform),
        (MetricName, Metric),
        (VectorTypeName, VectorType),
        (client.Metric, Metric),
        (client.Strategy, Strategy),
    ],
)
def test_choices(ours: type[StrEnum], theirs: type[StrEnum]) -> None:
    # A client may meet values of a newer server.
    assert {member.value for member in ours} - {"unknown"} == {member.value for member in theirs}


def test_families() -> None:
    assert {family.value for family in IndexFamily} == {"auto", *(family.value for family in Family)}
