"""How things have grown, by counters that were kept of a real database and of made-up ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from dbops.counters import growth as module
from dbops.counters.growth import growth
from dbops.counters.recording import record
from dbops.counters.store import store
from dbops.counters.windows import with_history
from dbops.diagnose import diagnose_alias
from dbops.findings.finding import Basis
from dbops.findings.report import Outcome
from dbops.models import Counters
from dbops.snapshot.counter_rows import DiskSpace, StatisticsEpoch
from dbops.snapshot.forecast import by_subject, forecast
from dbops.snapshot.key_rows import KeyRange
from dbops.snapshot.rows import DatabaseSize, SequenceValue
from dbops.snapshot.snapshot import Snapshot, Unavailable
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.snapshot.activity_rows import Growth
    from dbops.snapshot.snapshot import Section
    from tests.servers import Database

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 30, 12, 30, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TOO_SHORT = Unavailable("less than a day of it is known: manage.py dbsnapshot keeps a history")
SEQUENCE = ("sequence", 500, 0, "")


def seen(days_ago: float, value: int | None = None, **epoch: Any) -> Snapshot:
    """What is seen so long before noon: a sequence that stands at `value`, and as many of all else."""
    at = NOON - days_ago * DAY
    counted = {
        "system_identifier": 1,
        "database_oid": 5,
        "started_at": at - HOUR,
        "database_reset_at": None,
        "server_reset_at": None,
        "observed_at": at,
        "next_xid": 7 * value if value else None,
        "next_multixact": value,
        **epoch,
    }
    sections: dict[str, Section] = {"statistics_epoch": (StatisticsEpoch(**counted),)}
    if value is not None:
        sections |= {
            "sequence_values": (SequenceValue(sequence_oid=500, last_value=value, is_called=True, unseen=None),),
            "key_ranges": (KeyRange(table_oid=1, column=2, smallest_key=1, largest_key=value, unseen=None),),
            "database_size": (DatabaseSize(size_bytes=100 * value),),
            "disk_space": (
                DiskSpace(place="data", path="/d", total_bytes=10_000, free_bytes=10_000 - value, unseen=None),
                DiskSpace(place="wal", path="/w", total_bytes=None, free_bytes=None, unseen="not here"),
            ),
        }
    return Snapshot(alias="default", database="shop", taken_at=at, duration_ms=1, sections=sections)


def keep(*snapshots: Snapshot, tier: str = Counters.Tier.DAY) -> None:
    for snapshot in snapshots:
        store("default", snapshot, Counters.Tier(tier))


def grown(snapshot: Snapshot) -> dict[tuple[str, int, int, str], Growth]:
    found = growth(snapshot)
    assert not isinstance(found, Unavailable), found
    return dict(by_subject(found))


def values_of(snapshot: Snapshot, what: tuple[str, int, int, str] = SEQUENCE) -> Sequence[int]:
    return grown(snapshot)[what].values


def test_all_that_is_measured_has_its_growth() -> None:
    keep(*(seen(days, 128 - days) for days in range(30, 0, -1)))
    found = grown(seen(0, 128))
    assert set(found) == {
        SEQUENCE,
        ("key", 1, 2, ""),
        ("database_size", 0, 0, ""),
        ("disk", 0, 0, "data"),
        ("xid", 0, 0, ""),
        ("multixact", 0, 0, ""),
    }
    one = found[SEQUENCE]
    assert one.moments == tuple(NOON - days * DAY for days in (28, 21, 14, 7, 0))
    assert one.values == (100, 107, 114, 121, 128)
    assert found["xid", 0, 0, ""].values == (700, 749, 798, 847, 896)
    assert found["database_size", 0, 0, ""].values[-1] == 12_800
    assert found["disk", 0, 0, "data"].values == one.values


def test_less_than_a_day_is_too_short() -> None:
    keep(seen(0.9, 100))
    assert growth(seen(0, 128)) == TOO_SHORT
    keep(seen(1, 90))
    assert values_of(seen(0, 128)) == (90, 128)


def test_what_is_older_than_four_weeks_is_left_out() -> None:
    keep(seen(29, 1), seen(27, 90), seen(2, 100))
    assert values_of(seen(0, 128)) == (90, 128)


def test_counters_stand_for_a_border_that_are_near_it() -> None:
    """Of the borders at 21, 14 and 7 days the second has none within half a part."""
    keep(seen(28, 1), seen(24, 2), seen(19, 3), seen(6, 5), seen(3, 6))
    found = grown(seen(0, 7))[SEQUENCE]
    assert found.values == (1, 3, 5, 7)
    assert [(NOON - at) // DAY for at in found.moments] == [28, 19, 6, 0]


def test_another_server_s_counters_and_another_database_s_are_not_its_own() -> None:
    keep(seen(20, 1, system_identifier=2), seen(16, 2, database_oid=6), seen(10, 90, started_at=NOON - 90 * DAY))
    assert values_of(seen(0, 128)) == (90, 128)
    store("other", replace(seen(25, 5), alias="other"), Counters.Tier.DAY)
    assert values_of(seen(0, 128)) == (90, 128)


def test_without_knowing_which_server_it_is_nothing_is_compared() -> None:
    keep(seen(10, 90, system_identifier=None))
    said = Unavailable("which server it is was not seen")
    assert growth(seen(0, 128, system_identifier=None)) == said
    assert growth(replace(seen(0, 128), sections={})) == said
    assert growth(replace(seen(0, 128), alias=None)) == said


def test_counters_between_the_hours_have_no_sequences_and_are_passed_over() -> None:
    keep(seen(28, 1), seen(14, 3))
    keep(seen(21.001), seen(20.999), tier=Counters.Tier.HOUR)
    keep(seen(20.9, 2), tier=Counters.Tier.HOUR)
    assert values_of(seen(0, 7)) == (1, 2, 3, 7)
    # Where only ids are asked for they do.
    ids = seen(0, 7)
    alone = replace(ids, sections={"statistics_epoch": ids.sections["statistics_epoch"]})
    keep(seen(7.01, next_xid=5), tier=Counters.Tier.HOUR)
    assert grown(alone)["xid", 0, 0, ""].values == (7, 21, 5, 49)


def test_few_counters_are_read_where_none_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A section that was never kept, such as after an upgrade of dbops."""
    keep(*(seen(2 - minute / 100) for minute in range(100)), tier=Counters.Tier.HOUR)
    tried = []
    whole = module._moment

    def counted(*given: Any) -> Any:
        tried.append(given)
        return whole(*given)

    monkeypatch.setattr(module, "_moment", counted)
    assert growth(seen(0, 7)) == TOO_SHORT
    assert len(tried) < 10


def test_what_is_new_is_measured_since_it_is_there() -> None:
    keep(seen(28), seen(27, 1))
    new = SequenceValue(sequence_oid=501, last_value=1, is_called=True, unseen=None)
    for days, value in ((14, 2), (7, 3), (0.5, 4)):
        one = seen(days, 10 * value)
        known = (*one.sections["sequence_values"], replace(new, last_value=value))  # type: ignore[misc]
        keep(replace(one, sections={**one.sections, "sequence_values": known}))
    last = seen(0, 50)
    newest = replace(new, sequence_oid=502)
    rows = (*last.sections["sequence_values"], replace(new, last_value=9), newest)  # type: ignore[misc]
    found = grown(replace(last, sections={**last.sections, "sequence_values": rows}))
    assert found["sequence", 501, 0, ""].values == (2, 3, 9)
    assert ("sequence", 502, 0, "") not in found
    assert found[SEQUENCE].values == (1, 20, 30, 50)


def test_what_could_not_be_read_has_no_value_there() -> None:
    keep(*(seen(days, 128 - days) for days in (28, 21, 14, 7)))
    Counters.objects.filter(taken_at=NOON - 14 * DAY).delete()
    hidden = seen(14, 114)
    unread = SequenceValue(sequence_oid=500, last_value=None, is_called=None, unseen="locked by another session")
    keep(replace(hidden, sections={**hidden.sections, "sequence_values": (unread,)}))
    assert values_of(seen(0, 128)) == (100, 107, 121, 128)
    now = seen(0, 128)
    assert SEQUENCE not in grown(replace(now, sections={**now.sections, "sequence_values": (unread,)}))


def test_multixacts_that_begin_again_go_on() -> None:
    numbers = (2**32 - 100, 2**32 - 50, 25, 60, 90)
    keep(*(seen(days, number) for days, number in zip((28, 21, 14, 7), numbers, strict=False)))
    assert values_of(seen(0, 90), ("multixact", 0, 0, "")) == (
        2**32 - 100,
        2**32 - 50,
        2**32 + 25,
        2**32 + 60,
        2**32 + 90,
    )


def test_it_is_a_section_of_the_history() -> None:
    keep(seen(8, 100), seen(6, 102), seen(4, 104), seen(2, 106))
    found = with_history(seen(0, 108), {"growth"}).section("growth")
    assert not isinstance(found, Unavailable)
    ahead = forecast(by_subject(found)[SEQUENCE], 20)
    assert ahead is not None
    assert (ahead.per_day, ahead.days_left, ahead.is_firm) == (1, 20, True)


def aged(snapshot: Snapshot, days: float) -> Snapshot:
    """A real snapshot as if it had been taken so many days earlier."""
    (epoch,) = snapshot.sections["statistics_epoch"]  # type: ignore[misc]
    earlier = replace(epoch, observed_at=epoch.observed_at - days * DAY)
    sections = {**snapshot.sections, "statistics_epoch": (earlier,)}
    return replace(snapshot, alias="default", taken_at=snapshot.taken_at - days * DAY, sections=sections)


def test_a_real_database_is_measured_by_what_it_did(database: Database) -> None:
    database.execute("CREATE TABLE task (id serial PRIMARY KEY); CREATE TABLE code (id int PRIMARY KEY, note text)")
    database.execute("CREATE SEQUENCE down INCREMENT -5")
    other = database.connect(autocommit=False)
    for week in range(5):
        database.execute("INSERT INTO task SELECT nextval('task_id_seq') FROM generate_series(1, 600)")
        database.execute(f"INSERT INTO code SELECT n, repeat('x', 900) FROM generate_series({week}00, {week}99) n")
        database.execute("SELECT nextval('down') FROM generate_series(1, 60)")
        for _ in range(10):
            database.execute("SELECT pg_current_xact_id()")
        with other.transaction():
            other.execute("SELECT FROM code WHERE id = 1 FOR SHARE")
            database.execute("SELECT FROM code WHERE id = 1 FOR SHARE")
        snapshot = aged(snapshot_of(database), 24 - 6 * week)
        if week < 4:
            keep(snapshot)
    oids = dict(database.execute("SELECT relname::text, oid::bigint FROM pg_class WHERE relnamespace = 2200"))
    found = grown(snapshot)
    for_task = forecast(found["sequence", oids["task_id_seq"], 0, ""], 700_000)
    assert for_task is not None
    assert for_task.per_day == pytest.approx(100, rel=0.01)
    assert for_task.days_left == pytest.approx(7000, rel=0.01)
    for_down = forecast(found["sequence", oids["down"], 0, ""], 100, step=-5)
    assert for_down is not None
    assert for_down.per_day == pytest.approx(10, rel=0.01)
    assert found["key", oids["code"], 1, ""].values == (99, 199, 299, 399, 499)
    xids, multixacts = found["xid", 0, 0, ""].values, found["multixact", 0, 0, ""].values
    assert all(later - earlier >= 14 for earlier, later in pairwise(xids))
    assert multixacts[-1] - multixacts[0] >= 4
    assert found["table_size", oids["code"], 0, ""].values[-1] > found["table_size", oids["code"], 0, ""].values[0]
    assert found["database_size", 0, 0, ""].values[-1] > found["database_size", 0, 0, ""].values[0]
    assert len(found["disk", 0, 0, "data"].values) == 5


@pytest.mark.django_db(transaction=True)
def test_a_look_at_an_alias_foretells_by_what_was_kept_of_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE foretold MAXVALUE 1000000")
        try:
            for days in (24, 18, 12, 6, 0):
                cursor.execute("SELECT setval('foretold', %s)", [400_000 - 10_000 * days])
                taken = record("default")
                Counters.objects.filter(taken_at__gte=taken.taken_at).delete()
                if days:
                    keep(aged(taken, days))
            (result,) = (report := diagnose_alias("default", only=["exhausted_sequence"])).results
        finally:
            cursor.execute("DROP SEQUENCE foretold")
    (found,) = report.findings
    assert (found.target.name, found.basis, result.outcome) == ("public.foretold", Basis.ESTIMATED, Outcome.FOUND)
    assert found.message.endswith("At the pace of the last 24 days (10,000 a day), that is in 60 days.")
    assert found.evidence["days_left"] == pytest.approx(60, abs=0.1)
    assert diagnose_alias("default", only=["exhausted_sequence"]).results[0].outcome is Outcome.OK
