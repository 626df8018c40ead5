"""A table that is not as its model declares it, though all migrations are applied.

Django trusts what is recorded in django_migrations and never looks at the tables again. When they are something else,
by a change made by hand, a migration that was faked or edited after it ran, a restored dump, or an operation that
replaced what another one had set up, nothing says so: a missing index shows as slowness, a missing constraint as rows
that should not be there, a missing column as a page that fails.

Every managed model of this database is compared: its columns (type, NOT NULL, collation, default, generated expression,
identity), primary key, unique, foreign-key, check and exclusion constraints (what they say, ON DELETE, whether they are
deferred) and indexes, by what they are and not by what they are called. So are the triggers that RunSQL in a migration
makes and no later one drops, and those of operations that say what they make. What the server printed in other words is
compared after a server has printed both sides: a scratch one that is started on this machine for that, never the one
that is looked at. Where none can be started, and in the admin, whose processes start none, the report names what was
not compared.

A missing table, column or unique constraint, and a default or identity without which INSERT fails, are critical. What
the database has beyond the models is information, told once for each table; so are the tables of apps that migrations
are recorded of and that are not installed any more, and keys of a smaller integer than DEFAULT_AUTO_FIELD says now.
Indexes beyond the models are not told of: of what use those are, other checks say.

How to fix:

First manage.py makemigrations --check: where a model was changed and no migration made, make and apply that one. What
is left then is this database's own, and no migration can mend it, for to Django it is there already: run the SQL of the
fix. Where the database is right, change the model; manage.py makemigrations then writes an operation, which manage.py
migrate --fake records. For a missing table, manage.py sqlmigrate APP NAME shows what makes it.

Not reported: models of apps with migrations still to be applied (pending_migration tells of those), unmanaged models,
models that stand on a view or a foreign table, models of other databases, names that an older Django or somebody else
chose, keys fed by a serial's sequence where Django would make an identity column now, and types that are not the
server's own as long as they are called the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.drift.compare import Comparison
from dbops.findings.finding import Finding, Tag, Unseen
from dbops.snapshot.spellings import Spellings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.declared_rows import (
        ColumnExpression,
        DeclaredColumn,
        DeclaredConstraint,
        DeclaredIndex,
        DeclaredTable,
        DeclaredTrigger,
        NormalForm,
        OtherRelation,
        Trigger,
    )
    from dbops.snapshot.integrity_rows import Collation
    from dbops.snapshot.migration_rows import AppliedMigration, Migration
    from dbops.snapshot.schema import Schema

TAG = Tag.STRUCTURAL


def check(
    schema: Schema,
    declared_tables: tuple[DeclaredTable, ...],
    declared_columns: tuple[DeclaredColumn, ...],
    declared_indexes: tuple[DeclaredIndex, ...],
    declared_constraints: tuple[DeclaredConstraint, ...],
    declared_triggers: tuple[DeclaredTrigger, ...],
    column_expressions: tuple[ColumnExpression, ...],
    triggers: tuple[Trigger, ...],
    other_relations: tuple[OtherRelation, ...],
    migrations: tuple[Migration, ...],
    applied_migrations: tuple[AppliedMigration, ...],
    normal_forms: tuple[NormalForm, ...],
    collations: tuple[Collation, ...] | None = None,
) -> Iterator[Finding | Unseen]:
    yield from Comparison.of(
        schema=schema,
        spellings=Spellings(normal_forms),
        declared_tables=declared_tables,
        declared_columns=declared_columns,
        declared_indexes=declared_indexes,
        declared_constraints=declared_constraints,
        declared_triggers=declared_triggers,
        column_expressions=column_expressions,
        triggers=triggers,
        other_relations=other_relations,
        migrations=migrations,
        applied_migrations=applied_migrations,
        collations=collations,
    ).findings()
