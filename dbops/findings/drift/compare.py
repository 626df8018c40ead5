"""Everything declared in one database, compared with what is there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.findings.drift.columns import Known, differing_column, is_other_integer, missing_column
from dbops.findings.drift.constraints import differing_constraints
from dbops.findings.drift.indexes import differing_indexes
from dbops.findings.drift.place import Place
from dbops.findings.drift.surplus import surplus
from dbops.findings.drift.tables import missing_table, missing_triggers, tables_of_removed_apps
from dbops.findings.finding import Finding, Kind, Location, Severity, Target, Unseen
from dbops.snapshot.amounts import plural
from dbops.snapshot.declared import Declared
from dbops.snapshot.migration_files import MigrationFiles
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import Unavailable
from dbops.snapshot.spellings import Spellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dbops.snapshot.declared_rows import (
        ColumnExpression,
        DeclaredColumn,
        DeclaredConstraint,
        DeclaredIndex,
        DeclaredTable,
        DeclaredTrigger,
        OtherRelation,
        Trigger,
    )
    from dbops.snapshot.integrity_rows import Collation
    from dbops.snapshot.migration_rows import AppliedMigration, Migration
    from dbops.snapshot.snapshot import Snapshot
    from dbops.snapshot.spellings import Question

#: The sections that are compared, beside those of the schema.
SECTIONS: Final = (
    "declared_tables",
    "declared_columns",
    "declared_indexes",
    "declared_constraints",
    "declared_triggers",
    "column_expressions",
    "triggers",
    "other_relations",
    "migrations",
    "applied_migrations",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The two sides: what is `declared`, and the `schema` with what is `known` of it besides."""

    declared: Declared
    schema: Schema
    known: Known
    others: Sequence[OtherRelation]
    triggers: Mapping[int, Sequence[Trigger]]
    migrations: Sequence[Migration]
    applied: Sequence[AppliedMigration]

    @classmethod
    def of(
        cls,
        *,
        schema: Schema,
        spellings: Spellings,
        declared_tables: Iterable[DeclaredTable],
        declared_columns: Iterable[DeclaredColumn],
        declared_indexes: Iterable[DeclaredIndex],
        declared_constraints: Iterable[DeclaredConstraint],
        declared_triggers: Iterable[DeclaredTrigger],
        column_expressions: Iterable[ColumnExpression],
        triggers: Iterable[Trigger],
        other_relations: Sequence[OtherRelation],
        migrations: Sequence[Migration],
        applied_migrations: Sequence[AppliedMigration],
        collations: Iterable[Collation] | None,
    ) -> Comparison:
        """Return the comparison of these sections."""
        by_table: dict[int, list[Trigger]] = defaultdict(list)
        for trigger in triggers:
            by_table[trigger.table_oid].append(trigger)
        pending = MigrationFiles(migrations, applied_migrations).pending()
        return cls(
            declared=Declared(
                tables=declared_tables,
                columns=declared_columns,
                indexes=declared_indexes,
                constraints=declared_constraints,
                triggers=declared_triggers,
                pending={migration.app_label for migration in pending},
            ),
            schema=schema,
            known=Known(
                expressions={(one.table_oid, one.number): one.expression for one in column_expressions},
                collations=None if collations is None else {one.oid: one for one in collations},
                spellings=spellings,
            ),
            others=other_relations,
            triggers=by_table,
            migrations=migrations,
            applied=applied_migrations,
        )

    def findings(self) -> Iterator[Finding | Unseen]:
        """Iterate over all that is different, and what could not be compared."""
        with_migrations = {migration.app_label for migration in self.migrations}
        integers: dict[str, list[Finding]] = defaultdict(list)
        for declared in self.declared.managed():
            table = self.schema.resolve(declared.db_table)
            if declared.unseen is not None:
                yield Unseen(declared.model, declared.unseen)
            elif table is None:
                has_migrations = declared.app_label in with_migrations
                yield from missing_table(declared, self.schema, self.others, has_migrations=has_migrations)
            elif table.extension is None:
                place = Place(self.schema, declared, self.schema.root(table))
                integers[declared.app_label] += self._other_integers(place)
                yield from self._of_table(place)
        for app_label, found in integers.items():
            if found:
                yield _rolled_up(app_label, found)
        installed = with_migrations | {one.app_label for one in self.declared.tables}
        yield from tables_of_removed_apps(self.declared, self.schema, self.applied, installed)

    def _of_table(self, place: Place) -> Iterator[Finding | Unseen]:
        declared = place.declared
        columns = {column.name: column for column in self.declared.columns_of(declared)}
        constraints = self.declared.constraints_of(declared)
        missing = set()
        for column in columns.values():
            found = self.schema.column_named(place.table.oid, column.name)
            if found is None:
                missing.add(column.name)
                yield missing_column(place, column)
            else:
                yield from differing_column(place, column, found, self.known)
        # What needs a missing column cannot be there, and that was said.
        whole = [one for one in constraints if missing.isdisjoint(one.columns)]
        indexes = [one for one in self.declared.indexes_of(declared) if missing.isdisjoint(one.columns)]
        claimed: set[int] = set()
        yield from differing_constraints(place, whole, self.known.spellings, claimed)
        yield from differing_indexes(place, indexes, self.known.spellings, claimed)
        triggers = self.triggers.get(place.table.oid, ())
        yield from missing_triggers(place, self.declared.triggers_of(declared), triggers)
        if self.declared.is_known_in_full(declared):
            yield from surplus(place, columns, constraints, claimed, self.known)

    def _other_integers(self, place: Place) -> Iterator[Finding]:
        for declared in self.declared.columns_of(place.declared):
            column = self.schema.column_named(place.table.oid, declared.name)
            if column is not None and is_other_integer(declared, column):
                yield place.column(declared.name, f"{column.type} where the model says {declared.type}")


def unanswered(snapshot: Snapshot) -> tuple[Question, ...]:
    """Return the definitions that have to be put to a server before everything in `snapshot` can be compared."""
    schema = Schema.of(snapshot)
    collations = snapshot.section("collations")
    sections = {name: snapshot.section(name) for name in SECTIONS}
    if isinstance(schema, Unavailable) or any(isinstance(rows, Unavailable) for rows in sections.values()):
        return ()
    spellings = Spellings()
    given: dict[str, Any] = {**sections, "collations": None if isinstance(collations, Unavailable) else collations}
    for _ in Comparison.of(schema=schema, spellings=spellings, **given).findings():
        pass
    return tuple(spellings.asked)


def _rolled_up(app_label: str, found: Sequence[Finding]) -> Finding:
    first, *others = found
    columns = plural(len(found), "column")
    return Finding(
        target=Target(Kind.COLUMN, first.target.name),
        message=(
            f"{columns} of {app_label} {'keeps' if not others else 'keep'} the smaller integer that keys had when "
            "they were made; DEFAULT_AUTO_FIELD says another one now. Nothing fails before the smaller one is used up."
        ),
        severity=Severity.INFO,
        evidence={"columns": len(found)},
        location=first.location or Location(table_oid=0),
        rolled_up=tuple(finding.target.name for finding in others),
    )
