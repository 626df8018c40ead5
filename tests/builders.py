"""Rows with sensible defaults, for the pure tests: what a test does not name does not matter to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dbops.snapshot import rows
from dbops.snapshot.schema import Schema

TABLE = rows.Table(
    oid=1,
    schema="public",
    name="task",
    kind="r",
    persistence="p",
    is_partition=False,
    parent_oid=None,
    has_children=False,
    owner="app",
    row_estimate=1000,
    replica_identity="d",
    options=(),
    extension=None,
    is_readable=True,
)
COLUMN = rows.Column(
    table_oid=1,
    number=1,
    name="id",
    type="bigint",
    base_type="bigint",
    collation=0,
    is_not_null=True,
    identity="",
    generated="",
    is_inherited=False,
    is_partition_key=False,
    held_by=(),
    is_readable=True,
)
INDEX = rows.Index(
    oid=100,
    table_oid=1,
    toast_of=None,
    schema="public",
    name="task_idx",
    kind="i",
    method="btree",
    columns=(1,),
    key_count=1,
    operator_classes=(3124,),
    collations=(0,),
    options=(0,),
    is_unique=False,
    nulls_not_distinct=False,
    is_primary=False,
    is_exclusion=False,
    is_immediate=True,
    is_clustered=False,
    is_replica_identity=False,
    is_valid=True,
    is_ready=True,
    is_live=True,
    is_partial=False,
    has_expressions=False,
    predicate=None,
    expressions=None,
    definition="CREATE INDEX task_idx ON public.task USING btree (id)",
    constraint_oid=None,
    parent_oid=None,
    is_being_built=False,
)
CONSTRAINT = rows.Constraint(
    oid=1000,
    table_oid=1,
    name="task_check",
    type="c",
    columns=(1,),
    referenced_table_oid=None,
    referenced_columns=(),
    index_oid=None,
    parent_oid=None,
    is_inherited=False,
    is_validated=True,
    is_enforced=True,
    is_deferrable=False,
    is_deferred=False,
    on_delete="",
    on_update="",
    definition="CHECK ((id > 0))",
)
SEQUENCE = rows.Sequence(
    oid=500,
    schema="public",
    name="task_id_seq",
    type="bigint",
    start=1,
    minimum=1,
    maximum=2**63 - 1,
    increment=1,
    cycles=False,
    used_by=((1, 1),),
    extension=None,
    is_readable=True,
)
STATISTICS = rows.TableStatistics(
    oid=1,
    live_rows=0,
    dead_rows=0,
    inserts=0,
    updates=0,
    hot_updates=0,
    deletes=0,
    changes_since_analyze=0,
    inserts_since_vacuum=0,
    vacuumed_at=None,
    autovacuumed_at=None,
    analyzed_at=None,
    autoanalyzed_at=None,
)


def a_table(oid: int = 1, name: str = "task", **values: Any) -> rows.Table:
    """A table of schema public."""
    return replace(TABLE, oid=oid, name=name, **values)


def a_column(number: int = 1, name: str = "id", type_: str = "bigint", **values: Any) -> rows.Column:
    """A column of table 1; `base_type` follows the type unless it is given."""
    values.setdefault("base_type", type_.partition("(")[0])
    return replace(COLUMN, number=number, name=name, type=type_, **values)


def an_index(oid: int = 100, name: str = "task_idx", columns: tuple[int, ...] = (1,), **values: Any) -> rows.Index:
    """A plain b-tree of table 1; operator classes, collations and options follow the number of its keys."""
    keys = values.setdefault("key_count", len(columns))
    values.setdefault("operator_classes", INDEX.operator_classes * keys)
    values.setdefault("collations", INDEX.collations * keys)
    values.setdefault("options", INDEX.options * keys)
    return replace(INDEX, oid=oid, name=name, columns=columns, **values)


def a_constraint(oid: int = 1000, name: str = "task_check", type_: str = "c", **values: Any) -> rows.Constraint:
    """A constraint of table 1."""
    return replace(CONSTRAINT, oid=oid, name=name, type=type_, **values)


def a_foreign_key(
    oid: int = 1000,
    name: str = "task_user_fk",
    columns: tuple[int, ...] = (2,),
    to: int = 2,
    to_columns: tuple[int, ...] = (1,),
    **values: Any,
) -> rows.Constraint:
    """A foreign key of table 1 to table 2."""
    values.setdefault("definition", "FOREIGN KEY (user_id) REFERENCES public.users(id)")
    values = {"on_delete": "a", "on_update": "a", **values}
    return a_constraint(
        oid, name, "f", columns=columns, referenced_table_oid=to, referenced_columns=to_columns, **values
    )


def a_sequence(oid: int = 500, name: str = "task_id_seq", **values: Any) -> rows.Sequence:
    """The identity sequence of table 1's column 1."""
    return replace(SEQUENCE, oid=oid, name=name, **values)


def statistics_of(oid: int = 1, **values: Any) -> rows.TableStatistics:
    """The counters of a table that nobody has used."""
    return replace(STATISTICS, oid=oid, **values)


def a_schema(*objects: Any, search_path: tuple[str, ...] = ("public",)) -> Schema:
    """A schema of the given rows, whatever their order."""
    kinds: dict[str, list[Any]] = {name: [] for name in ("tables", "columns", "indexes", "constraints", "sizes")}
    place = {
        rows.Table: "tables",
        rows.Column: "columns",
        rows.Index: "indexes",
        rows.Constraint: "constraints",
        rows.RelationSize: "sizes",
    }
    for one in objects:
        kinds[place[type(one)]].append(one)
    return Schema(search_path=search_path, **kinds)
