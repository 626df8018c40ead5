"""The largest tables and their growth, by the numbers alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dbops.maintenance.sizes import sizes_of
from dbops.snapshot.activity_rows import Growth
from dbops.snapshot.rows import RelationSize
from dbops.snapshot.snapshot import Section, Snapshot, Unavailable
from tests.builders import a_table, an_index
from tests.setting_builders import a_server

if TYPE_CHECKING:
    from dbops.findings.maintenance import Sizes

NOW = datetime(2026, 1, 11, tzinfo=UTC)


def measured(growth: Section) -> Sizes:
    sections: dict[str, Section] = {
        "server": a_server(),
        "tables": (a_table(1, "small"), a_table(2, "large"), a_table(3, "locked")),
        "columns": (),
        "constraints": (),
        "indexes": (an_index(100, table_oid=2),),
        "relation_sizes": (
            RelationSize(oid=1, size_bytes=10),
            RelationSize(oid=2, size_bytes=50),
            RelationSize(oid=100, size_bytes=25),
        ),
        "growth": growth,
    }
    return sizes_of(Snapshot(alias="shop", database="shop", taken_at=NOW, duration_ms=1, sections=sections))


def test_the_largest_come_first_with_their_indexes_and_their_growth() -> None:
    began = NOW - timedelta(days=10)
    found = measured((Growth(subject="table_size", oid=2, moments=(began, NOW), values=(30, 50)),))
    assert [(one.name, one.size_bytes, one.index_bytes, one.growth_per_day) for one in found.tables] == [
        ("public.large", 75, 25, 2.0),
        ("public.small", 10, 0, None),
    ]
    assert found.unseen == "1 table is locked, and its size was not read"


def test_without_a_history_that_is_said() -> None:
    found = measured(Unavailable("less than a day of it is known"))
    assert found.unseen == "less than a day of it is known; 1 table is locked, and its size was not read"
