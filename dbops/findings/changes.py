"""Changes of the schema that a fix makes: each knows its SQL, its undo, and how it must be run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from dbops.findings.fix import Fix
from dbops.snapshot.names import qualified, quote_ident

#: How the definitions of constraints begin that an index upholds: these cannot be NOT VALID.
_WITH_INDEX: Final = ("UNIQUE", "PRIMARY KEY", "EXCLUDE")
#: How the definitions of constraints end that are to come back without looking at the rows.
_UNPROVED: Final = ("NOT VALID", "NOT ENFORCED")


class Change(Protocol):
    """A change of the schema."""

    def fix(self, *, caution: str | None = None) -> Fix:
        """Return the SQL that makes the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition that has to get its own part of an index: where it hangs, and whether it is partitioned itself.

    `existing` is the definition of an index that it has already and that can become the part, under `index_name`.
    """

    schema: str
    name: str
    index_name: str
    is_partitioned: bool
    existing: str | None = None
    partitions: tuple[Partition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex:
    """A new b-tree index over plain columns, built without stopping writes.

    `tail` is all that follows the table's name, where it is more than the columns (USING … WHERE …).
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    name: str
    partitions: tuple[Partition, ...] = ()
    is_partitioned: bool = False
    tail: str | None = None

    def fix(self, *, caution: str | None = None) -> Fix:
        if self.is_partitioned:
            sql = tuple(self._on_partitions(self.schema, self.table, self.name, self.partitions))
        else:
            sql = (self._create("INDEX CONCURRENTLY", self.schema, self.table, self.name),)
        drop = "DROP INDEX" if self.is_partitioned else "DROP INDEX CONCURRENTLY"
        return Fix(
            sql=sql,
            undo=(f"{drop} {qualified(self.schema, self.name)};", *self._restored(self.partitions)),
            in_transaction=False,
            caution=caution,
            change=self,
        )

    def _create(self, what: str, schema: str, table: str, name: str) -> str:
        return f"CREATE {what} {quote_ident(name)} ON {qualified(schema, table)} {self._end};"

    @property
    def _end(self) -> str:
        return self.tail or f"({', '.join(map(quote_ident, self.columns))})"

    def _on_partitions(self, schema: str, table: str, name: str, partitions: tuple[Partition, ...]) -> list[str]:
        """A partitioned table's index is made ON ONLY it, invalid; it turns valid when the last part is attached."""
        sql = [f"CREATE INDEX {quote_ident(name)} ON ONLY {qualified(schema, table)} {self._end};"]
        for partition in partitions:
            part = partition.index_name
            if partition.existing is None and partition.is_partitioned:
                sql += self._on_partitions(partition.schema, partition.name, part, partition.partitions)
            elif partition.existing is None:
                sql.append(self._create("INDEX CONCURRENTLY", partition.schema, partition.name, part))
            sql.append(f"ALTER INDEX {qualified(schema, name)} ATTACH PARTITION {qualified(partition.schema, part)};")
        return sql

    def _restored(self, partitions: tuple[Partition, ...]) -> list[str]:
        """What was attached goes with the whole, so that undoing has to build it again."""
        sql = []
        for partition in partitions:
            if partition.existing is not None:
                sql.append(_create_again(partition.existing, partition.index_name, partition.is_partitioned))
            sql += self._restored(partition.partitions)
        return sql


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex:
    """An index that goes; `definition` is its own CREATE INDEX, which brings it back."""

    schema: str
    name: str
    definition: str
    is_partitioned: bool = False

    def fix(self, *, caution: str | None = None) -> Fix:
        if self.is_partitioned:
            return Fix(
                sql=(f"DROP INDEX {qualified(self.schema, self.name)};",),
                undo=(_create_again(self.definition, self.name, is_partitioned=True),),
                caution=caution
                or "locks the table and all its partitions for a moment: an index of a partitioned table "
                "cannot be dropped concurrently",
                change=self,
            )
        return Fix(
            sql=(f"DROP INDEX CONCURRENTLY {qualified(self.schema, self.name)};",),
            undo=(_create_again(self.definition, self.name, is_partitioned=False),),
            in_transaction=False,
            caution=caution,
            change=self,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceIndex:
    """An index that takes another one's place: it is built first, so that queries always have one."""

    create: CreateIndex
    drop: DropIndex

    def fix(self, *, caution: str | None = None) -> Fix:
        create, drop = self.create.fix(), self.drop.fix()
        return Fix(
            sql=(*create.sql, *drop.sql),
            undo=(*drop.undo, *create.undo),
            in_transaction=False,
            caution="; ".join(filter(None, (caution, drop.caution))) or None,
            change=self,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildIndex:
    """An index that is built anew beside the old one."""

    schema: str
    name: str

    def fix(self, *, caution: str | None = None) -> Fix:
        return Fix(
            sql=(f"REINDEX INDEX CONCURRENTLY {qualified(self.schema, self.name)};",),
            in_transaction=False,
            caution=caution,
            change=self,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConstraint:
    """A constraint that goes; `definition` is what follows ADD CONSTRAINT name."""

    schema: str
    table: str
    name: str
    definition: str

    def fix(self, *, caution: str | None = None) -> Fix:
        table, name = qualified(self.schema, self.table), quote_ident(self.name)
        add = f"ALTER TABLE {table} ADD CONSTRAINT {name} {self.definition}"
        validate = f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
        is_as_it_was = self.definition.startswith(_WITH_INDEX) or self.definition.endswith(_UNPROVED)
        return Fix(
            sql=(f"ALTER TABLE {table} DROP CONSTRAINT {name};",),
            undo=(f"{add};",) if is_as_it_was else (f"{add} NOT VALID;", validate),
            caution=caution,
            change=self,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateConstraint:
    """A NOT VALID constraint whose old rows are checked now; reads and writes go on meanwhile."""

    schema: str
    table: str
    name: str

    def fix(self, *, caution: str | None = None) -> Fix:
        return Fix(
            sql=(f"ALTER TABLE {qualified(self.schema, self.table)} VALIDATE CONSTRAINT {quote_ident(self.name)};",),
            caution=caution,
            change=self,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """A column and the type it gets; `using` is the expression that converts the old value, where a cast is needed."""

    schema: str
    table: str
    column: str
    old_type: str
    new_type: str
    using: str | None = None
    undo_using: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTypes:
    """Columns that change their types together, and the sequences whose type follows (schema, name, old, new type)."""

    columns: tuple[ColumnType, ...] = ()
    sequences: tuple[tuple[str, str, str, str], ...] = ()

    def fix(self, *, caution: str | None = None) -> Fix:
        sql = [_alter_sequence(schema, name, new) for schema, name, _, new in self.sequences]
        sql += [_alter_type(column, column.new_type, column.using) for column in self.columns]
        undo = [_alter_type(column, column.old_type, column.undo_using) for column in reversed(self.columns)]
        undo += [_alter_sequence(schema, name, old) for schema, name, old, _ in self.sequences]
        return Fix(sql=tuple(sql), undo=tuple(undo), caution=caution, change=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsToUuid:
    """Columns of text that become uuid together; the statements also move what stands in the way, and put it back."""

    columns: tuple[ColumnType, ...]
    sql: tuple[str, ...]
    undo: tuple[str, ...]

    def fix(self, *, caution: str | None = None) -> Fix:
        return Fix(sql=self.sql, undo=self.undo, caution=caution, change=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Any other change: what to run, and what undoes it.

    `is_local` marks what concerns this database alone: where a sequence stands, a key that got lost. Other databases of
    the same models never had the fault, and the change would fail there or do harm.
    """

    sql: tuple[str, ...]
    undo: tuple[str, ...] = ()
    in_transaction: bool = True
    is_local: bool = False

    def fix(self, *, caution: str | None = None) -> Fix:
        return Fix(sql=self.sql, undo=self.undo, in_transaction=self.in_transaction, caution=caution, change=self)


def _create_again(definition: str, name: str, is_partitioned: bool) -> str:
    """Return the server's CREATE INDEX of an index as a statement that brings all of it back, its parts too."""
    before, _, after = definition.partition(f"INDEX {quote_ident(name)} ON ")
    if not after:
        return f"{definition};"
    concurrently = "" if is_partitioned else "CONCURRENTLY "
    return f"{before}INDEX {concurrently}{quote_ident(name)} ON {after.removeprefix('ONLY ')};"


def _alter_type(column: ColumnType, new_type: str, using: str | None) -> str:
    conversion = f" USING {using}" if using else ""
    table, name = qualified(column.schema, column.table), quote_ident(column.column)
    return f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {new_type}{conversion};"


def _alter_sequence(schema: str, name: str, new_type: str) -> str:
    return f"ALTER SEQUENCE {qualified(schema, name)} AS {new_type};"
