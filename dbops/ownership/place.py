"""The table that a change is made to, seen from the model it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbops.ownership import source
from dbops.ownership.source import literal
from dbops.ownership.statements import along_search_path, lenient
from dbops.snapshot.names import truncate_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import BaseConstraint, Index

    from dbops.ownership.owners import Owners
    from dbops.ownership.source import Source
    from dbops.ownership.tables import AnyField, ModelTable
    from dbops.snapshot import rows
    from dbops.snapshot.schema import Schema


@dataclass(frozen=True, slots=True)
class Place:
    """A table, the model whose it is, and where to look things up."""

    row: rows.Table
    table: ModelTable
    schema: Schema
    owners: Owners

    @property
    def name(self) -> str:
        """The model's name."""
        return self.table.model._meta.object_name or ""

    @property
    def model(self) -> str:
        """The model's name as Python source, the first argument of its operations."""
        return literal(self.name)

    @property
    def is_in_named_schema(self) -> bool:
        """Whether the model itself names the schema, by a `db_table` like `schema"."table`."""
        return '"."' in self.table.model._meta.db_table

    def fields(self, columns: Sequence[str]) -> list[AnyField] | None:
        """Return the fields kept in `columns`; None when a column is no field's, or the model is not in migrations."""
        return None if self.table.link is not None or not columns else self.table.fields(columns)

    def index(self, schema: str, name: str) -> rows.Index | None:
        """Return an index of the table."""
        indexes = self.schema.indexes_of(self.row.oid)
        return next((index for index in indexes if (index.schema, index.name) == (schema, name)), None)

    def meta_index(self, name: str) -> Index | None:
        """Return what Meta.indexes calls so."""
        indexes = () if self.table.link is not None else self.table.model._meta.indexes
        return next((index for index in indexes if truncate_name(index.name) == name), None)

    def meta_constraint(self, name: str) -> BaseConstraint | None:
        """Return what Meta.constraints calls so."""
        constraints = () if self.table.link is not None else self.table.model._meta.constraints
        return next((constraint for constraint in constraints if truncate_name(constraint.name) == name), None)

    def run_sql(self, sql: Sequence[str], reverse_sql: Sequence[str] | None) -> Source:
        """Return a RunSQL of statements that run on every copy of the database, wherever its tables are found."""
        back = None if reverse_sql is None else [self._portable(statement) for statement in reverse_sql]
        return source.run_sql([self._portable(statement) for statement in sql], back)

    def _portable(self, statement: str) -> str:
        return lenient(statement if self.is_in_named_schema else along_search_path(statement, self.row.schema))
