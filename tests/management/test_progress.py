"""The live line: late, on terminals only, and gone afterwards."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING

from dbops.management import progress as module
from dbops.management.progress import shown_progress

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def look(monkeypatch: pytest.MonkeyPatch, *, term: str = "xterm", until: str = "") -> str:
    """What a terminal gets to see of a look that lasts 0.3 s, or until it has seen that."""
    terminal = Terminal()
    with monkeypatch.context() as during:
        during.setattr(sys, "stderr", terminal)
        during.setenv("TERM", term)
        with shown_progress("looking at shop") as step:
            if step is not None:
                step("indexes", 3, 11)
            time.sleep(0.3)
            while until not in terminal.getvalue():
                time.sleep(0.01)
    return terminal.getvalue()


def test_without_a_terminal_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)

    with shown_progress("looking at shop") as step:
        assert step is None
    assert stream.getvalue() == ""


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch) == ""


def test_what_lasts_shows_the_step_even_when_none_ends_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUICK_S", 0.1)

    text = look(monkeypatch, until="looking at shop: indexes")

    assert text.rindex("\x1b[2K") > text.rindex("looking")  # the line has been wiped
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back


def test_a_terminal_that_cannot_wipe_a_line_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUICK_S", 0.0)

    assert look(monkeypatch, term="dumb") == ""
