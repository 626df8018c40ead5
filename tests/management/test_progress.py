"""The live line: late, on terminals only, and gone afterwards."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from dbops.management import progress as module
from dbops.management.progress import shown_progress

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_nothing_is_written() -> None:
    stream = io.StringIO()

    with shown_progress(stream, "looking at shop") as step:
        assert step is None
    assert stream.getvalue() == ""


def test_what_is_quick_shows_nothing() -> None:
    stream = Terminal()

    with shown_progress(stream, "looking at shop") as step:
        assert step is not None
        step("indexes", 3, 11)
        time.sleep(0.3)
    assert stream.getvalue() == ""


def test_what_lasts_shows_the_step_even_when_none_ends_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUICK_S", 0.1)
    stream = Terminal()

    with shown_progress(stream, "looking at shop") as step:
        assert step is not None
        step("indexes", 3, 11)
        while "looking at shop: indexes" not in stream.getvalue():
            time.sleep(0.01)
    text = stream.getvalue()

    assert text.rindex("\x1b[2K") > text.rindex("looking")  # the line has been wiped
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back
