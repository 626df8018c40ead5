"""What waits to be written takes little room, and what found none is counted."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from dbops.slow_queries.buffer import Buffer, Taken

AT = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = AT.replace(second=0)


def test_executions_of_one_statement_in_one_minute_are_counted_together() -> None:
    buffer = Buffer()
    assert not buffer
    for duration_ms in (120.0, 130.0, None):
        buffer.add("default", "aa", AT, duration_ms)
    buffer.add("default", "aa", AT + timedelta(minutes=1), 120.0)
    buffer.add("replica", "aa", AT, 120.0)
    taken = buffer.take()
    assert {key: one.count for key, one in taken.durations.items()} == {
        ("default", MINUTE, "aa"): 3,
        ("default", MINUTE + timedelta(minutes=1), "aa"): 1,
        ("replica", MINUTE, "aa"): 1,
    }
    assert (taken.dropped, taken.dropped_at, bool(buffer)) == (0, None, False)


def test_what_finds_no_room_is_counted_and_what_has_its_place_goes_on() -> None:
    buffer = Buffer(most=2)
    for fingerprint in ("aa", "bb", "cc", "aa", "dd"):
        buffer.add("default", fingerprint, AT, 120.0)
    taken = buffer.take()
    assert ({key[2]: one.count for key, one in taken.durations.items()}, taken.dropped) == ({"aa": 2, "bb": 1}, 2)
    assert taken.dropped_at == AT
    assert buffer.take() == Taken({})


def test_what_could_not_be_written_comes_back_beside_what_is_new() -> None:
    buffer = Buffer(most=2)
    for fingerprint in ("aa", "bb", "cc"):
        buffer.add("default", fingerprint, AT, 120.0)
    taken = buffer.take()
    buffer.add("default", "aa", AT, 150.0)
    buffer.add("default", "ee", AT, 150.0)
    buffer.put_back(taken, AT + timedelta(minutes=1))
    again = buffer.take()
    assert {key[2]: one.count for key, one in again.durations.items()} == {"aa": 2, "ee": 1}
    assert (again.dropped, again.dropped_at) == (2, AT + timedelta(minutes=1))


def test_many_threads_lose_nothing() -> None:
    buffer = Buffer()

    def add() -> None:
        for _ in range(500):
            buffer.add("default", "aa", AT, 120.0)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.count for one in buffer.take().durations.values()) == 4_000
