"""Runs inside a generated project: answers questions about its database, in JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import django
import psycopg
from django.db import connection

from dbops.collect.django import collect_django
from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session
from dbops.findings import changes
from dbops.findings.finding import Location
from dbops.findings.index_fixes import without_nulls
from dbops.ownership.operations import with_operation
from dbops.ownership.owners import Owners
from dbops.snapshot.index_names import IndexNames
from dbops.snapshot.names import qualified
from dbops.snapshot.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.finding import Owner
    from dbops.snapshot.rows import Table


def owners_of_everything(given: dict[str, Any] | None) -> dict[str, Any]:
    """Every table, column, index and constraint with its owner: ownership, model, field, migration."""
    schema = _schema()
    owners = Owners.of_project("default", **(given or {}))
    found = {name: _told(owners.owner(schema, location)) for name, location in _locations(schema)}
    return {"owners": found, "note": owners.note}


def fixes_with_operations(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each change (its class, `at` the table, and its own fields) the fix with its operation."""
    schema = _schema()
    owners = Owners.of_project("default")
    return [_fix(schema, owners, wanted) for wanted in given]


def generic_relations(_given: None) -> list[dict[str, Any]]:
    """The section generic_relations."""
    return [asdict(row) for row in collect_django("default")["generic_relations"]]  # type: ignore[union-attr]


def _schema() -> Schema:
    connection.ensure_connection()
    dsn = connection.connection.info.dsn
    with psycopg.connect(dsn, autocommit=True) as own:
        schema = Schema.of(collect(Session(own, psycopg.Error), alias=None, database="", sections=READ_HERE))
    assert isinstance(schema, Schema)
    return schema


def _locations(schema: Schema) -> Iterator[tuple[str, Location]]:
    for table in schema.tables.values():
        yield table.qualified_name, Location(table_oid=table.oid)
        for column in schema.columns_of(table.oid):
            yield (
                qualified(table.schema, table.name, column.name),
                Location(table_oid=table.oid, columns=(column.name,)),
            )
        for index in schema.indexes_of(table.oid):
            yield f"index {index.qualified_name}", Location(table_oid=table.oid, index=index.name)
        for constraint in schema.constraints_of(table.oid):
            name = qualified(table.schema, table.name, constraint.name)
            yield f"constraint {name}", Location(table_oid=table.oid, constraint=constraint.name)


def _told(owner: Owner) -> list[str | None]:
    return [owner.ownership, owner.model, owner.field, owner.migration]


def _fix(schema: Schema, owners: Owners, wanted: dict[str, Any]) -> dict[str, Any]:
    place = wanted.pop("at")
    table = next(table for table in schema.tables.values() if table.name == place)
    change = _change(schema, table, wanted.pop("class"), wanted)
    location = Location(table_oid=table.oid)
    fix = with_operation(change.fix(), location, owners, schema)
    return {**asdict(replace(fix, change=None)), "migration": owners.owner(schema, location).app_label}


def _change(schema: Schema, table: Table, name: str, values: dict[str, Any]) -> Any:
    if name == "CreateIndex":
        parts = (
            changes.Partition(schema=part.schema, name=part.name, index_name=f"{part.name}_idx", is_partitioned=False)
            for part in schema.partitions_of(table.oid)
        )
        values = {"table": table.name, "partitions": tuple(parts), **values, "columns": tuple(values["columns"])}
    elif name == "DropIndex":
        index = next(index for index in schema.indexes_of(table.oid) if index.name == values["name"])
        values = {"definition": index.definition, **values}
    elif name == "DropConstraint":
        constraint = next(one for one in schema.constraints_of(table.oid) if one.name == values["name"])
        values = {"definition": constraint.definition, "table": table.name, **values}
    elif name == "ValidateConstraint":
        values = {"table": table.name, **values}
    elif name == "ChangeTypes":
        columns = tuple(changes.ColumnType(schema="public", **column) for column in values["columns"])
        return changes.ChangeTypes(columns=columns)
    elif name == "ReplaceIndex":
        index = next(index for index in schema.indexes_of(table.oid) if index.name == values["name"])
        fix = without_nulls(schema, index, IndexNames(schema))
        assert fix is not None
        return fix.change
    elif name == "Statements":
        return changes.Statements(sql=tuple(values["sql"]), undo=tuple(values["undo"]))
    return getattr(changes, name)(schema=table.schema, **values)


QUESTIONS = {
    "owners": owners_of_everything,
    "fixes": fixes_with_operations,
    "generic_relations": generic_relations,
}

if __name__ == "__main__":
    django.setup()
    answer = QUESTIONS[sys.argv[1]](json.load(sys.stdin))  # type: ignore[operator]
    json.dump(answer, sys.stdout)
