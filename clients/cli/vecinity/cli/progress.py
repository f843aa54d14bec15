"""Progress bars on standard error; silent when it is not a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class ProgressBars:
    """Shows one bar a stage, with rate and time left. Is a `vecinity.indexer.progress.Progress`.

    Use as a context: the bars end when it is left, also by an exception.
    """

    def __init__(self) -> None:
        self._progress: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> ProgressBars:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description:<16}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[count]:>24}"),
                TextColumn("{task.fields[rate]:>16}"),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
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
            return
        if stage not in self._tasks:
            self._finish_stages()
            self._tasks[stage] = self._progress.add_task(stage, total=total, count="", rate="", note="")
        task = next(task for task in self._progress.tasks if task.id == self._tasks[stage])
        speed = done / task.elapsed if task.elapsed and task.elapsed > 0.5 else 0
        self._progress.update(
            task.id,
            completed=done,
            total=total,
            count=f"{done:,}/{total:,} {unit}" if total is not None else f"{done:,} {unit}",
            rate=f"{speed:,.0f} {unit[:7]}/s" if speed else "",
            note=note,
        )

    def _finish_stages(self, but: str = "") -> None:
        for stage, task_id in self._tasks.items():
            task = next(task for task in self._progress.tasks if task.id == task_id)
            if stage != but and not task.finished:
                self._progress.update(task_id, total=task.completed or 1, completed=task.completed or 1)
