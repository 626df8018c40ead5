"""How long an index is known to have been idle, on each server that has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from dbops.counters.uses import index_servers, index_uses
from dbops.snapshot.snapshot import Snapshot, Unavailable
from tests.counters.kept import an_index, counted, keep, keep_every
from tests.session_builders import a_session
from tests.setting_builders import SERVER

if TYPE_CHECKING:
    from dbops.snapshot.activity_rows import IndexServer, IndexUse

NOON = datetime(2026, 1, 20, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def seen(
    scans: int, *, at: datetime = NOON, is_standby: bool = False, senders: tuple[Any, ...] = (), **values: Any
) -> Snapshot:
    snapshot = counted(NOON, 0, scans=scans, **values)
    return replace(
        snapshot,
        sections={**snapshot.sections, "server": (replace(SERVER, is_standby=is_standby),), "sessions": senders},
    )


def servers(snapshot: Snapshot) -> tuple[IndexServer, ...]:
    found = index_servers(snapshot)
    assert not isinstance(found, Unavailable), found
    return found


def uses(snapshot: Snapshot) -> dict[str, IndexUse]:
    found = index_uses(snapshot, servers(snapshot))
    assert not isinstance(found, Unavailable), found
    return {one.server: one for one in found}


def test_an_index_that_nobody_scanned_is_idle_since_the_first_counters() -> None:
    keep_every(DAY, NOON - 40 * DAY, NOON - DAY, scans=5)
    use = uses(seen(5))["default"]
    assert (use.oid, use.scans, use.known_since, use.idle_since) == (100, 0, NOON - 40 * DAY, NOON - 40 * DAY)


def test_it_is_idle_since_the_last_counters_that_show_its_last_scan() -> None:
    keep_every(DAY, NOON - 40 * DAY, NOON - 11 * DAY, scans=5)
    keep_every(DAY, NOON - 10 * DAY, NOON - DAY, scans=7)
    use = uses(seen(7))["default"]
    assert (use.scans, use.known_since, use.idle_since) == (2, NOON - 11 * DAY, NOON - 10 * DAY)


def test_a_scan_since_the_last_counters_is_no_idleness() -> None:
    keep_every(DAY, NOON - 40 * DAY, NOON - DAY, scans=5)
    use = uses(seen(6))["default"]
    assert (use.scans, use.idle_since) == (1, None)


def test_a_restart_begins_to_count_at_nothing() -> None:
    booted: dict[str, Any] = {"started_at": NOON - 5 * DAY}
    keep_every(DAY, NOON - 40 * DAY, NOON - 6 * DAY, scans=500)
    keep_every(DAY, NOON - 4 * DAY, NOON - DAY, scans=0, **booted)
    use = uses(seen(0, **booted))["default"]
    assert (use.scans, use.known_since, use.idle_since) == (0, NOON - 40 * DAY, NOON - 40 * DAY)
    use = uses(seen(3, **booted))["default"]
    assert use.idle_since is None


def test_counters_of_another_database_are_no_past_of_it() -> None:
    keep_every(DAY, NOON - 40 * DAY, NOON - 6 * DAY, scans=5, system_identifier=2)
    keep_every(DAY, NOON - 4 * DAY, NOON - DAY, scans=5)
    assert uses(seen(5))["default"].known_since == NOON - 4 * DAY


def test_an_index_that_was_made_meanwhile_is_known_since_then() -> None:
    keep(counted(NOON - 9 * DAY, 0))
    snapshot = seen(0)
    both = (*snapshot.sections["index_statistics"], an_index(101))  # type: ignore[misc]
    found = index_uses(replace(snapshot, sections={**snapshot.sections, "index_statistics": both}), servers(snapshot))
    assert not isinstance(found, Unavailable)
    assert {one.oid: one.known_since for one in found} == {100: NOON - 9 * DAY, 101: None}


def test_what_the_server_says_of_the_last_scan_counts_where_it_is_longer_ago() -> None:
    snapshot = seen(5)
    scanned = (an_index(scans=5, scanned_at=NOON - 90 * DAY),)
    snapshot = replace(snapshot, sections={**snapshot.sections, "index_statistics": scanned})
    keep_every(DAY, NOON - 4 * DAY, NOON - DAY, scans=5)
    assert uses(snapshot)["default"].idle_since == NOON - 90 * DAY


@override_settings(DBOPS={"DATABASES": ["default", "replica", "elsewhere"]})
def test_a_standby_behind_an_alias_is_asked_too() -> None:
    keep_every(DAY, NOON - 40 * DAY, NOON - DAY, scans=5)
    for day in range(10, 0, -1):
        keep(counted(NOON - day * DAY, 0, scans=10 - day, started_at=NOON - 12 * DAY), "replica")
        keep(counted(NOON - day * DAY, 0, scans=3, system_identifier=9), "elsewhere")
    snapshot = seen(5)
    assert [(one.name, one.is_standby, one.unseen) for one in servers(snapshot)] == [
        ("default", False, None),
        ("replica", True, None),
    ]
    found = uses(snapshot)
    assert found["default"].idle_since == NOON - 40 * DAY
    assert found["replica"].idle_since is None


def test_a_standby_that_no_alias_leads_to_is_said_to_be_unseen() -> None:
    sender = a_session(kind="walsender", application="reports", role="replicator")
    here, standby = servers(seen(5, senders=(sender,)))
    assert (here.unseen, standby.name, standby.is_standby) == (None, "reports", True)
    assert standby.unseen is not None
    assert "no alias" in standby.unseen


@override_settings(DBOPS={"DATABASES": ["default", "replica"]})
def test_a_standby_whose_counters_are_old_is_not_taken_for_seen() -> None:
    keep(counted(NOON - 5 * DAY, 0), "replica")
    assert [one.name for one in servers(seen(5))] == ["default"]
    sender = a_session(kind="walsender", application="replica")
    assert servers(seen(5, senders=(sender,)))[1].unseen is not None
