"""What is advised, by the numbers alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.errors import DbopsError, UsageError
from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Target
from dbops.maintenance.rights import Right
from dbops.maintenance.vacuum_plan import Judgement, find_table, plan_of
from dbops.snapshot.rows import RelationSize
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import Section, Snapshot, Unavailable
from tests.builders import a_schema, a_table, statistics_of
from tests.setting_builders import a_server
from tests.vacuum_builders import a_holder, a_toast_table, a_vacuum, autovacuum_settings

if TYPE_CHECKING:
    from dbops.findings.vacuum_advice import VacuumPlan

NOW = datetime(2026, 1, 2, tzinfo=UTC)
AN_HOUR_AGO = NOW - timedelta(hours=1)


def planned(*rows: Any, sizes: tuple[RelationSize, ...] = (), **values: Any) -> VacuumPlan:
    """The plan for tables and their statistics; `values` are sections, or the plan's own options."""
    tables = tuple(row for row in rows if type(row) is type(a_table()))
    options = {
        name: values.pop(name)
        for name in ("rights", "chosen", "show_all", "judgement", "is_reindexing")
        if name in values
    }
    sections: dict[str, Section] = {
        "server": a_server(),
        "tables": tables,
        "columns": (),
        "indexes": (),
        "constraints": (),
        "relation_sizes": sizes,
        "settings": autovacuum_settings(),
        "table_statistics": tuple(row for row in rows if row not in tables),
        "toast_tables": (),
        "running_vacuums": (),
        "horizon_holders": (),
        **values,
    }
    snapshot = Snapshot(alias="shop", database="shop", taken_at=NOW, duration_ms=1, sections=sections)
    schema = Schema.of(snapshot)
    assert isinstance(schema, Schema)
    return plan_of(snapshot, schema, **{"rights": {}, **options})


def statements(plan: VacuumPlan) -> list[str | None]:
    return [table.statement for table in plan.tables]


@pytest.mark.parametrize(
    ("counters", "statement"),
    [
        ({"dead_rows": 2_050}, None),
        ({"dead_rows": 2_051}, "VACUUM public.task"),
        ({"inserts_since_vacuum": 3_001}, "VACUUM public.task"),
        ({"changes_since_analyze": 1_051}, "ANALYZE public.task"),
        ({"dead_rows": 2_051, "changes_since_analyze": 1_051}, "VACUUM (ANALYZE) public.task"),
    ],
)
def test_what_is_above_its_trigger_is_due(counters: dict[str, int], statement: str | None) -> None:
    plan = planned(a_table(row_estimate=10_000), statistics_of(live_rows=10_000, **counters), show_all=True)
    assert statements(plan) == [statement]


def test_how_full_the_trigger_is_and_what_part_is_dead() -> None:
    [table] = planned(a_table(row_estimate=3_000), statistics_of(live_rows=3_000, dead_rows=1_000)).tables
    assert (table.dead.trigger, round(table.dead.fill or 0, 2), table.dead_ratio) == (650, 1.54, 0.25)


def test_a_tables_own_options_win() -> None:
    own = a_table(row_estimate=10_000, options=("autovacuum_vacuum_scale_factor=0.5",))
    assert statements(planned(own, statistics_of(live_rows=10_000, dead_rows=5_000))) == []


def test_the_worst_comes_first_and_what_is_quiet_is_counted() -> None:
    plan = planned(
        a_table(1, "quiet", row_estimate=10),
        a_table(2, "analyzed", row_estimate=10),
        a_table(3, "few", row_estimate=10),
        a_table(4, "many", row_estimate=10),
        *(statistics_of(number, live_rows=10) for number in (1,)),
        statistics_of(2, live_rows=10, changes_since_analyze=90_000),
        statistics_of(3, live_rows=10, dead_rows=100),
        statistics_of(4, live_rows=10, dead_rows=200),
    )
    assert [table.name for table in plan.tables] == ["public.many", "public.few", "public.analyzed"]
    assert plan.quiet_count == 1


def test_dead_rows_of_the_toast_table_count_by_its_own_trigger() -> None:
    toast = a_toast_table(row_estimate=100, dead_rows=71)
    plan = planned(a_table(row_estimate=10), statistics_of(live_rows=10), toast_tables=(toast,))
    assert statements(plan) == ["VACUUM public.task"]


def test_a_large_table_that_nobody_counted_is_analyzed() -> None:
    plan = planned(a_table(row_estimate=None), statistics_of(), sizes=(RelationSize(oid=1, size_bytes=2**20),))
    assert statements(plan) == ["ANALYZE public.task"]


def test_what_is_being_vacuumed_is_left_alone_and_said() -> None:
    running = (a_vacuum(table_oid=1, database="shop"),)
    plan = planned(a_table(row_estimate=10), statistics_of(live_rows=10, dead_rows=900), running_vacuums=running)
    assert [(table.is_vacuumed_now, table.statement) for table in plan.tables] == [(True, None)]


def test_what_held_back_the_last_vacuum_is_named() -> None:
    holder = a_holder(started_at=AN_HOUR_AGO)
    row = statistics_of(live_rows=10, dead_rows=900, vacuumed_at=NOW - timedelta(minutes=1))
    plan = planned(a_table(row_estimate=10), row, horizon_holders=(holder, a_holder(database="other")))
    assert plan.holders == (holder,)
    assert plan.tables[0].held_by == holder


def test_partitions_come_each_with_their_root_which_is_analyzed_as_a_whole() -> None:
    root = a_table(1, "log", kind="p", row_estimate=None)
    parts = [a_table(n, f"log_{n}", is_partition=True, parent_oid=1, row_estimate=10_000) for n in (2, 3)]
    rows = [statistics_of(2, live_rows=10_000, dead_rows=9_000), statistics_of(3, live_rows=10_000)]
    plan = planned(root, *parts, *rows)
    assert [(table.root, table.statement) for table in plan.tables] == [
        ("public.log", "VACUUM public.log_2"),
        (None, "ANALYZE ONLY public.log"),
    ]
    chosen = planned(root, *parts, *rows, chosen={1}, server=a_server(version_num=150_000, version="15.1"))
    assert [table.name for table in chosen.tables] == ["public.log_2", "public.log", "public.log_3"]
    assert chosen.tables[1].statement == "ANALYZE public.log"
    assert [table.name for table in planned(root, *parts, *rows, chosen={3}).tables] == ["public.log_3"]


def a_tuning(*parts: str) -> Finding:
    return Finding(
        target=Target(Kind.TABLE, "public.log" if parts else "public.task"),
        message="It waits long.",
        fix=Statements(sql=("ALTER TABLE x SET (y);",), undo=("ALTER TABLE x RESET (y);",)).fix(),
        rolled_up=parts,
        check="untuned_large_table",
    )


def test_what_a_check_advises_for_options_is_shown_at_the_table() -> None:
    [table] = planned(
        a_table(row_estimate=10), statistics_of(live_rows=10), judgement=Judgement(findings=(a_tuning(),))
    ).tables
    assert [(one.check, one.why) for one in table.tunings] == [("untuned_large_table", "It waits long.")]
    assert table.statement is None


@pytest.mark.parametrize(
    ("parts", "shown"),
    [(("public.log_2",), "public.log_2"), (("public.log_2", "public.log_3"), "public.log")],
)
def test_of_several_partitions_it_is_shown_at_the_whole(parts: tuple[str, ...], shown: str) -> None:
    root = a_table(1, "log", kind="p", row_estimate=10)
    tables = [a_table(n, f"log_{n}", is_partition=True, parent_oid=1, row_estimate=5) for n in (2, 3)]
    rows = [statistics_of(n, live_rows=5) for n in (2, 3)]
    plan = planned(root, *tables, *rows, judgement=Judgement(findings=(a_tuning(*parts),)))
    assert [table.name for table in plan.tables] == [shown]


@pytest.mark.parametrize(("major", "words"), [(16, "GRANT boss TO web"), (17, "GRANT MAINTAIN ON public.task TO web")])
def test_what_a_role_lacks_is_said(major: int, words: str) -> None:
    plan = planned(
        a_table(row_estimate=10),
        statistics_of(live_rows=10, dead_rows=900),
        rights={1: Right(may=False, owner="boss")},
        server=a_server(version_num=major * 10_000),
    )
    assert words in (plan.tables[0].obstacle or "")


def test_without_counters_there_is_no_plan_and_without_the_rest_it_is_said() -> None:
    reason = Unavailable("a standby counts no writes")
    with pytest.raises(DbopsError, match="in shop: a standby counts no writes"):
        planned(table_statistics=reason)
    assert planned(horizon_holders=Unavailable("no")).unseen == ("horizon holders: no",)


@pytest.mark.parametrize("name", ['app."Mixed Case"', "app.Mixed Case", "Mixed Case", '"Mixed Case"'])
def test_a_table_is_found_however_it_is_written(name: str) -> None:
    table = a_table(1, "Mixed Case", schema="app")
    assert find_table(a_schema(table, search_path=("app",)), name) is table


def test_a_table_that_is_not_there_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError) as raised:
        find_table(a_schema(a_table()), "taks")
    assert raised.value.hint == "did you mean task?"
