"""What is done with an answer, and with none."""

from __future__ import annotations

import io
import os
import pty
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.management.base import OutputWrapper

from dbops.errors import UsageError
from dbops.management.confirmation import confirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASK = {"plan": False, "unasked": False}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], int]]:
    """Makes standard input a terminal, on which somebody has typed this."""
    terminal, inside = pty.openpty()
    with open(inside) as stdin:  # noqa: PTH123 -- a descriptor
        monkeypatch.setattr(sys, "stdin", stdin)
        yield lambda keys: os.write(terminal, keys)
    os.close(terminal)


def test_yes_goes_on(typed: Callable[[bytes], int]) -> None:
    typed(b" yes\n")
    assert confirmed("drops it", ASK, OutputWrapper(io.StringIO()))


@pytest.mark.parametrize("keys", [b"no\n", b"\n", b"y\n", b"\x04"], ids=["no", "nothing", "y", "Ctrl-D"])
def test_anything_else_does_nothing_and_says_so(typed: Callable[[bytes], int], keys: bytes) -> None:
    typed(keys)
    plan = io.StringIO()
    with pytest.raises(UsageError, match=r"^nothing was done$"):
        confirmed("drops it", ASK, OutputWrapper(plan))
    assert plan.getvalue() == "drops it\n"
