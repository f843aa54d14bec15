"""The index of a version: which one it is, made of all vectors, measured, and held against the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vecinity.indexer import ann
from vecinity.indexer.ann import Family, Index, IndexSpec, Rows, Transform
from vecinity.indexer.calibration import Calibration, calibrate, calibrate_with, hold_out, rows_without
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.dataset import Source
from vecinity.indexer.errors import GateError, SettingError
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.stored_vectors import StoredVectors, VectorType
from vecinity.indexer.tournament import Fixed, Limits, TournamentReport, fallbacks, run_tournament

_ADD_ROWS = 8_192
_SEED = 1


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What the user wants of the index; 0 and None leave it open.

    Attributes:
        family: None lets a tournament choose, where the collection is too large to be scanned.
        vector_type: As what vectors are stored. The index is made of the vectors as they are stored.
        target_recall: The gate: a build whose calibration can't reach this recall@10 is not published.
        calibration_queries: What the index is measured with beside its own items, where users ask for something else:
            texts, or a ``.npy`` file of vectors.
        max_memory_bytes: Of the index file that a tournament may choose, the vectors not counted; None: no limit.
        max_build_seconds: Of the tournament and the index that it may choose; None: no limit.
        keep_versions: How many versions stay on the disk, the new one included.
    """

    metric: Metric = Metric.COSINE
    family: Family | None = None
    nlist: int = 0
    m: int = 0
    ef_construction: int = 0
    transform: Transform = Transform.NONE
    reduced_dimension: int = 0
    subquantisers: int = 0
    vector_type: VectorType = VectorType.FLOAT32
    target_recall: float = 0.95
    calibration_queries: Source | None = None
    max_memory_bytes: int | None = None
    max_build_seconds: float | None = None
    keep_versions: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.target_recall < 1:
            raise SettingError(f"target_recall is {self.target_recall}; it must be from 0 to below 1")
        if self.keep_versions < 1:
            raise SettingError(f"keep_versions is {self.keep_versions}; it must be at least 1")
        if self.max_memory_bytes is not None or self.max_build_seconds is not None:
            given = self.family or (f"transform {self.transform}" if self.transform is not Transform.NONE else None)
            if given is not None:
                raise SettingError(f"limits on memory and build time are for the index auto, not for {given}")
        self.limits()  # which checks them

    def limits(self) -> Limits:
        """What a tournament has to keep to."""
        return Limits(self.target_recall, self.max_memory_bytes, self.max_build_seconds)


@dataclass(frozen=True, slots=True)
class MadeIndex:
    """An index of all vectors, and what was measured; `tournament` is None if none was held."""

    index: Index
    calibration: Calibration
    tournament: TournamentReport | None


def make_index(
    vectors: StoredVectors, settings: IndexSettings, queries: Vectors | None = None, progress: Progress = silent
) -> MadeIndex:
    """Choose, train, fill and measure an index.

    Args:
        vectors: float32 or float16 (rows, d), prepared for the metric, usually memory-mapped.
        queries: float32 (n, d), prepared; to calibrate with beside items held out.

    Raises:
        SettingError: A setting is out of range, or no index meets the limits.
        InputError: The vectors are too few for the index that was asked for.
    """
    return _Maker(vectors, settings, queries, progress).make()


def check_gates(calibration: Calibration, settings: IndexSettings) -> None:
    """
    Raises:
        GateError: The index does not reach the target recall at any effort.
    """
    reached = calibration.best_recall(10)
    if reached < settings.target_recall:
        raise GateError(
            f"not published: the index reaches recall@10 {reached:.3f} at its highest effort, and "
            f"{settings.target_recall} is asked of it: choose another --index, or a lower --target-recall"
        )


class _Maker:
    def __init__(
        self, vectors: StoredVectors, settings: IndexSettings, queries: Vectors | None, progress: Progress
    ) -> None:
        self._vectors = vectors
        self._settings = settings
        self._queries = queries
        self._progress = progress

    def make(self) -> MadeIndex:
        """Index and measure. Left to choose, take the next candidate where one misses the gate on these vectors."""
        settings, vectors = self._settings, self._vectors
        chosen = self._spec()
        specs, tournament = [chosen], None
        if self._free and chosen.family is not Family.FLAT:
            fixed = Fixed(settings.nlist, settings.m, settings.ef_construction)
            held_out = hold_out(len(vectors), _SEED, vectors.shape[1])
            tournament = run_tournament(
                vectors, settings.metric, held_out, settings.limits(), fixed, self._progress, seed=_SEED
            )
            specs = [entry.spec for entry in fallbacks(tournament.entries)] + [IndexSpec(Family.FLAT)]
        missed = []
        for spec in specs:
            index, calibration = self._index_as(spec)
            if calibration.best_recall(10) >= settings.target_recall:
                break
            missed.append(f"{spec.description} reached {calibration.best_recall(10):.3f} at its highest effort")
        if tournament is not None and missed:
            note = f"; built of all items, {', '.join(missed)}, so {index.spec.description} was taken"
            tournament = replace(tournament, reason=tournament.reason + note)
        return MadeIndex(index, calibration, tournament)

    @property
    def _free(self) -> bool:
        """Whether the family is open; a transform, or codes, leave only ivf-pq."""
        settings = self._settings
        return settings.family is None and settings.transform is Transform.NONE and not settings.subquantisers

    def _spec(self) -> IndexSpec:
        settings = self._settings
        return ann.choose_spec(
            settings.family,
            *self._vectors.shape,
            nlist=settings.nlist,
            # A tournament hands these to the families that have them.
            m=0 if self._free else settings.m,
            ef_construction=0 if self._free else settings.ef_construction,
            transform=settings.transform,
            reduced_dimension=settings.reduced_dimension,
            subquantisers=settings.subquantisers,
        )

    def _index_as(self, spec: IndexSpec) -> tuple[Index, Calibration]:
        vectors, rows = self._vectors, len(self._vectors)
        if spec.family is Family.FLAT:  # nothing to train, to add to or to measure: it is exact
            return Index(spec, self._settings.metric, vectors), Calibration()
        threads = available_cpus()
        ann.set_threads(threads)
        held_out = hold_out(rows, _SEED, vectors.shape[1])
        index = self._train(spec, held_out)
        self._add(index, rows_without(rows, held_out), rows - len(held_out))
        calibration = calibrate(index, held_out, self._progress)
        ann.set_threads(threads)
        if spec.can_add:
            index.add(held_out)
            index.finish()
        else:
            index = self._train(spec, held_out)
            self._add(index, rows_without(rows, held_out[:0]), rows)
        if self._queries is not None:
            calibration = calibrate_with(index, self._queries, calibration, self._progress)
        return index, calibration

    def _train(self, spec: IndexSpec, held_out: Rows) -> Index:
        """Train on rows that are not held out: lists and codes made for a query find more for it than for others."""
        vectors, rows = self._vectors, len(self._vectors)
        self._progress("train index", 0, 1, "indexes", spec.description)
        rng = np.random.default_rng(_SEED)
        drawn = rng.choice(rows, min(spec.training_rows + len(held_out), rows), replace=False)
        sample = np.sort(drawn[~np.isin(drawn, held_out)][: spec.training_rows])
        index = Index.train(spec, self._settings.metric, vectors, sample.astype(np.int64))
        self._progress("train index", 1, 1, "indexes", spec.description)
        return index

    def _add(self, index: Index, chunks: Sequence[Rows], total: int) -> None:
        done = 0
        for chunk in chunks:
            for begin in range(0, len(chunk), _ADD_ROWS):
                part = chunk[begin : begin + _ADD_ROWS]
                index.add(part)
                done += len(part)
                self._progress("add to index", done, total, "items")
        index.finish()
