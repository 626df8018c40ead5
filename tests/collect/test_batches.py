"""Many reads together: one that fails costs itself alone, and all of them have to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.collect import batches
from dbops.collect.batches import read_each
from dbops.collect.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database

pytestmark = pytest.mark.parametrize("server", ["pg18"], indirect=True)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """In its transaction."""
    session = Session(database.connect(), psycopg.Error)
    with session.transaction():
        yield session


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_read_that_fails_costs_itself_alone(session: Session, size: int) -> None:
    queries = [f"{number} AS number" for number in range(5)]
    queries[3] = "1 / 0"
    answers = read_each(session, queries, batch=size)
    assert answers[3] == "division by zero"
    assert [answer for answer in answers if not isinstance(answer, str)] == [{"number": n} for n in (0, 1, 2, 4)]


def test_what_there_was_no_time_for_says_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_BUDGET_S", 0.0)
    assert read_each(session, ["1 AS number", "2 AS number"]) == ["not enough time"] * 2
