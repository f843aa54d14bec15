"""How long work tells its caller how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called often, from the thread that started the work; must be quick and must not raise.

    Args:
        stage: What is being done, such as ``"train word2vec"``. A new name begins a new stage.
        done: Units finished in this stage.
        total: Units in all, or None when not known ahead.
        unit: Plural noun of what is counted, such as ``"words"``.
        note: A short free text, such as ``"learning rate .0123"``.
    """

    def __call__(self, stage: str, done: int, total: int | None, unit: str, note: str = "") -> None: ...


def silent(stage: str, done: int, total: int | None, unit: str, note: str = "") -> None:
    """The progress of callers who want none."""
