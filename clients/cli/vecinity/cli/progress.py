"""Progress on standard error: bars on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import Any

import typer

_WIDE = 110
"""Columns from which on there is room for long bars and notes."""
_LINE_SECONDS = 10.0
"""From one line to the next where standard error is no terminal: what is over sooner prints none."""


class ProgressBars:
    """Shows one bar a stage, with rate and time left, or lines. Is a `vecinity.indexer.progress.Progress`.

    Use as a context: the bars end when it is left, also by an exception.
    """

    def __init__(self) -> None:
        self._progress: Any = None
        self._tasks: dict[str, Any] = {}
        self._began: dict[str, int] = {}
        self._lines = _Lines()

    def __enter__(self) -> ProgressBars:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            console = Console(stderr=True)
            wide = console.width >= _WIDE
            self._progress = Progress(
                TextColumn("{task.description:<14}"),
                BarColumn(bar_width=30 if wide else 12),
                TextColumn("{task.fields[count]}"),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                *([TextColumn("{task.fields[note]}")] if wide else []),
                console=console,
                refresh_per_second=5,
            )
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._finish_stages(but="" if error is None else next(reversed(self._tasks), ""))
            self._progress.stop()

    def __call__(self, stage: str, done: int, total: int | None, unit: str, note: str = "") -> None:
        if self._progress is None:
            self._lines.show(stage, done, total, unit, note)
            return
        if stage not in self._tasks:
            self._finish_stages()
            self._tasks[stage] = self._progress.add_task(stage, total=total, count="", rate="", note="")
            self._began[stage] = done  # Not 0 where work goes on that was interrupted.
        task = next(task for task in self._progress.tasks if task.id == self._tasks[stage])
        speed = (done - self._began[stage]) / task.elapsed if task.elapsed and task.elapsed > 0.5 else 0
        self._progress.update(
            task.id,
            completed=done,
            total=total,
            count=_count(done, total, unit),
            rate=f"{speed:,.0f}/s" if speed and total != 1 else "",
            note=note,
        )

    def _finish_stages(self, but: str = "") -> None:
        for stage, task_id in self._tasks.items():
            task = next(task for task in self._progress.tasks if task.id == task_id)
            if stage != but and not task.finished:
                # The next stage has begun, so this one has done all it had to.
                done = task.total or task.completed
                self._progress.update(task_id, total=done or 1, completed=done or 1)


class _Lines:
    """Where there is no terminal: how far it is, at most once in `_LINE_SECONDS`."""

    def __init__(self) -> None:
        self._shown = self._stage_began = monotonic()
        self._stage = ""
        self._begin = 0

    def show(self, stage: str, done: int, total: int | None, unit: str, note: str) -> None:
        now = monotonic()
        if stage != self._stage:
            self._stage, self._begin, self._stage_began = stage, done, now
        if now - self._shown < _LINE_SECONDS:
            return
        self._shown = now
        seconds = now - self._stage_began
        speed = (done - self._begin) / seconds if seconds > 0.5 else 0
        rate = f"{speed:,.0f}/s" if speed and total != 1 else ""
        told = ", ".join(part for part in (_count(done, total, unit), rate, note) if part)
        typer.echo(f"{stage}: {told}" if told else stage, err=True)


def _count(done: int, total: int | None, unit: str) -> str:
    if total == 1:
        return ""
    return f"{done:,} {unit}" if total is None else f"{done:,}/{total:,} {unit}"
