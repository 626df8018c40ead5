"""A model's table in the database, and how a finding about it is put."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Location, Severity, Target
from dbops.snapshot.amounts import format_bytes
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.declared_rows import DeclaredTable
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema


@dataclass(frozen=True, slots=True)
class Place:
    """The table of a model."""

    schema: Schema
    declared: DeclaredTable
    table: Table

    @property
    def model(self) -> str:
        return self.declared.model

    def column(self, name: str, message: str, **values: Any) -> Finding:
        """Return a finding about a column, there or not."""
        target = Target(Kind.COLUMN, qualified(self.table.schema, self.table.name, name))
        location = Location(table_oid=self.table.oid, columns=(name,))
        return Finding(target=target, message=message, location=location, **values)

    def index(self, name: str, columns: tuple[str, ...], message: str, **values: Any) -> Finding:
        """Return a finding about an index, there or not."""
        location = Location(table_oid=self.table.oid, columns=columns, index=name)
        target = Target(Kind.INDEX, qualified(self.table.schema, name))
        return Finding(target=target, message=message, location=location, **values)

    def constraint(self, name: str, columns: tuple[str, ...], message: str, **values: Any) -> Finding:
        """Return a finding about a constraint, there or not."""
        location = Location(table_oid=self.table.oid, columns=columns, constraint=name)
        target = Target(Kind.CONSTRAINT, qualified(self.table.schema, self.table.name, name))
        return Finding(target=target, message=message, location=location, **values)

    def whole(self, message: str, **values: Any) -> Finding:
        """Return a finding about the table."""
        location = Location(table_oid=self.table.oid)
        return Finding(
            target=Target(Kind.TABLE, self.table.qualified_name), message=message, location=location, **values
        )

    def alter(self, *actions: str) -> str:
        return f"ALTER TABLE {self.table.qualified_name} {', '.join(actions)};"

    def concurrently(self, statement: str) -> str:
        """Return CREATE or DROP INDEX so that writes go on meanwhile; with a partitioned table that cannot be."""
        return statement if self.table.kind == "p" else f"{statement} CONCURRENTLY"

    @property
    def size(self) -> str:
        size_bytes = self.schema.size_bytes(self.table.oid)
        return "" if size_bytes is None else f" ({format_bytes(size_bytes)})"


def mend(
    sql: Sequence[str], undo: Sequence[str] = (), *, in_transaction: bool = True, caution: str | None = None
) -> Fix:
    """Return a fix for this database alone: the models and the migrations say already what it does."""
    change = Statements(sql=tuple(sql), undo=tuple(undo), in_transaction=in_transaction, is_local=True)
    return change.fix(caution=caution)


def drop_constraint(name: str) -> str:
    return f"DROP CONSTRAINT {quote_ident(name)}"


#: What nothing warns of: queries fail, or wrong rows are let in.
LOUD = Severity.CRITICAL
