"""What the models declare, joined with the tables that it is declared of."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from dbops.snapshot.names import truncate_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from dbops.snapshot.declared_rows import (
        DeclaredColumn,
        DeclaredConstraint,
        DeclaredIndex,
        DeclaredTable,
        DeclaredTrigger,
        OtherRelation,
    )
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema


class Declared:
    """Look-ups over what is declared in one database. `pending` are the apps with migrations still to be applied."""

    def __init__(
        self,
        *,
        tables: Iterable[DeclaredTable],
        columns: Iterable[DeclaredColumn] = (),
        indexes: Iterable[DeclaredIndex] = (),
        constraints: Iterable[DeclaredConstraint] = (),
        triggers: Iterable[DeclaredTrigger] = (),
        pending: Collection[str] = (),
    ) -> None:
        self.tables = tuple(tables)
        self.pending = frozenset(pending)
        self._columns: dict[str, list[DeclaredColumn]] = _by_table(columns)
        self._indexes: dict[str, list[DeclaredIndex]] = _by_table(indexes)
        self._constraints: dict[str, list[DeclaredConstraint]] = _by_table(constraints)
        self._triggers: dict[str, list[DeclaredTrigger]] = _by_table(triggers)

    def managed(self) -> list[DeclaredTable]:
        """Return the tables that migrations made, once each, whatever number of models share them."""
        return list(
            {
                table.db_table: table
                for table in reversed(self.tables)
                if table.is_managed and table.app_label not in self.pending
            }.values()
        )[::-1]

    def columns_of(self, table: DeclaredTable) -> Sequence[DeclaredColumn]:
        return list({column.name: column for column in reversed(self._columns.get(table.db_table, ()))}.values())[::-1]

    def indexes_of(self, table: DeclaredTable) -> Sequence[DeclaredIndex]:
        return self._indexes.get(table.db_table, ())

    def constraints_of(self, table: DeclaredTable) -> Sequence[DeclaredConstraint]:
        return self._constraints.get(table.db_table, ())

    def triggers_of(self, table: DeclaredTable) -> Sequence[DeclaredTrigger]:
        return self._triggers.get(table.db_table, ())

    def is_known_in_full(self, table: DeclaredTable) -> bool:
        """Whether every model of the table could say what it declares: else more may be declared than is known."""
        return all(
            one.unseen is None and one.app_label not in self.pending
            for one in self.tables
            if one.db_table == table.db_table
        )


def is_elsewhere(db_table: str, schema: Schema, others: Iterable[OtherRelation]) -> str | None:
    """Return the schema in which there is a table or view of this name, though none is found along the search path."""
    if '"."' in db_table:
        return None
    name = truncate_name(db_table.strip('"'))
    tables: Iterable[Table | OtherRelation] = (*schema.tables.values(), *others)
    return next((one.schema for one in tables if one.name == name), None)


def stands_on_view(db_table: str, schema: Schema, others: Iterable[OtherRelation]) -> bool:
    """Whether a view or a foreign table is what the model's name means in this database."""
    named, separator, name = db_table.strip('"').partition('"."')
    schemas, name = ((named,), name) if separator else (schema.search_path, named)
    return any(one.name == truncate_name(name) and one.schema in schemas for one in others)


def _by_table(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.db_table].append(row)
    return found
