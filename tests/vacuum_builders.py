"""Rows about VACUUM with sensible defaults, and the server's settings as they come, for the pure tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dbops.snapshot.vacuum_rows import DatabaseAge, HorizonHolder, RunningVacuum, TableAge, ToastTable
from tests.setting_builders import a_setting

if TYPE_CHECKING:
    from dbops.snapshot.setting_rows import Setting

TOAST: Final = ToastTable(table_oid=1, oid=11, options=(), row_estimate=0, live_rows=0, dead_rows=0)
#: PostgreSQL 18's own.
DEFAULTS: Final = {
    "autovacuum": "on",
    "track_counts": "on",
    "autovacuum_max_workers": "3",
    "autovacuum_vacuum_threshold": "50",
    "autovacuum_vacuum_scale_factor": "0.2",
    "autovacuum_vacuum_max_threshold": "100000000",
    "autovacuum_vacuum_insert_threshold": "1000",
    "autovacuum_vacuum_insert_scale_factor": "0.2",
    "autovacuum_analyze_threshold": "50",
    "autovacuum_analyze_scale_factor": "0.1",
    "autovacuum_freeze_max_age": "200000000",
    "autovacuum_multixact_freeze_max_age": "400000000",
    "vacuum_failsafe_age": "1600000000",
    "vacuum_multixact_failsafe_age": "1600000000",
}


def autovacuum_settings(**values: str | None) -> tuple[Setting, ...]:
    """The settings that autovacuum goes by, with the defaults but for `values`; None leaves one out."""
    return tuple(a_setting(name, value) for name, value in {**DEFAULTS, **values}.items() if value is not None)


def a_toast_table(table_oid: int = 1, **values: Any) -> ToastTable:
    """The empty TOAST table of a table."""
    return replace(TOAST, table_oid=table_oid, oid=10 + table_oid, **values)


def a_holder(kind: str = "session", name: str = "web@report", **values: Any) -> HorizonHolder:
    """A session of another role, an old one; it took its snapshot when it began, unless told otherwise."""
    given = {"pid": None, "database": "shop", "xid_age": 5_000_000, "started_at": None, "is_hidden": False}
    return HorizonHolder(kind=kind, name=name, **{**given, "held_since": values.get("started_at"), **values})


def a_vacuum(pid: int = 5, **values: Any) -> RunningVacuum:
    """A worker of autovacuum at work in another database."""
    return RunningVacuum(pid=pid, **{"database": "other", "table_oid": None, "is_autovacuum": True, **values})


def a_database_age(name: str = "shop", **values: Any) -> DatabaseAge:
    """The ages of the database that is looked at, which are young."""
    return DatabaseAge(name=name, **{"is_here": True, "xid_age": 5, "multixact_age": 0, **values})


def a_table_age(name: str = "task", **values: Any) -> TableAge:
    """The ages of a table of schema public, which are young."""
    given = {"schema": "public", "is_toast": False, "is_temporary": False, "xid_age": 5, "multixact_age": 0}
    return TableAge(name=name, **{**given, **values})
