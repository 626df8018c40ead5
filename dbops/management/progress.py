"""One live line on the terminal while something lasts; nothing at all where it is quick, or nobody watches."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

#: Called before each step: what it is, how many steps are done, and of how many.
Step: TypeAlias = "Callable[[str, int, int], None]"

_QUICK_S: Final = 2.0


@contextmanager
def shown_progress(what: str) -> Iterator[Step | None]:
    """Show `what` and the step it is at on standard error as long as the block lasts; None where it cannot be shown.

    Not on a command's own `stderr`: Django's wrapper ends each part of the line with a line break.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeRemainingColumn(compact=True),
        console=Console(file=sys.stderr, force_terminal=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = progress.add_task(what, total=None)

    def step(name: str, done: int, total: int) -> None:
        progress.update(task, description=f"{what}: {name}", completed=done, total=total)

    # A step may last: the line appears by the clock, and not when a step ends.
    starter = Timer(_QUICK_S, progress.start)
    starter.daemon = True
    starter.start()
    try:
        yield step
    finally:
        starter.cancel()
        starter.join()
        if progress.live.is_started:
            progress.stop()
