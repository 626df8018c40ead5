from __future__ import annotations

from dbops.snapshot.lock_trees import lock_trees
from tests.session_builders import a_session


def trees(*waits: tuple[int, tuple[int, ...], float]) -> dict[int, list[int]]:
    """Roots with those who wait behind them, out of (pid, blocked by, waiting seconds)."""
    sessions = [a_session(pid, blocked_by=ahead, waiting_s=waiting_s) for pid, ahead, waiting_s in waits]
    found = lock_trees([a_session(1), a_session(2), *sessions])
    return {root: [session.pid for session in behind] for root, behind in found.items()}


def test_nobody_waits() -> None:
    assert trees() == {}


def test_the_root_is_who_waits_for_nobody_however_long_the_queue() -> None:
    assert trees((10, (1,), 9.0), (11, (10,), 8.0), (12, (1, 10, 11), 20.0)) == {1: [12, 10, 11]}


def test_who_waits_behind_several_counts_for_each() -> None:
    assert trees((10, (1, 2), 9.0), (11, (2,), 10.0)) == {1: [10], 2: [11, 10]}


def test_a_circle_has_no_root_and_does_not_turn_for_ever() -> None:
    assert trees((10, (11,), 1.0), (11, (10,), 1.0)) == {}


def test_who_waits_behind_a_circle_with_a_way_out_is_there() -> None:
    assert trees((10, (11,), 3.0), (11, (10, 2), 2.0), (12, (10,), 1.0)) == {2: [10, 11, 12]}


def test_a_prepared_transaction_is_a_root_without_a_process() -> None:
    assert trees((10, (0,), 1.0)) == {0: [10]}
