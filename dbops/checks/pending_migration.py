"""A migration that this database has not had.

The code is written for the schema that its migrations make. Where one was not applied, the first statement that names
the missing table or column fails, which may be at once on every page, or at night in a job; a missing constraint or
index says nothing at all. It is left behind when a deployment goes out without its step "migrate", when that step
failed and nobody read its output, or when it ran on another database than the one the code uses.

The opposite is told as information: a migration that is recorded here and has no file. Its file was removed after it
had been squashed, or the code that runs here is older than the database.

How to fix:

manage.py migrate --plan shows what is left to do, and manage.py migrate does it: migrations first, then the code that
needs them. Before that, see with manage.py sqlmigrate APP NAME what a migration does to a table that is large here.
Where its change was made by hand already, manage.py migrate APP NAME --fake records it.

Records without files: once the files are removed for good, manage.py migrate APP --prune takes out the records of an
app. When the code is older than the database, deploy the newer code; or else take the migrations back, with that newer
code, by manage.py migrate APP NAME.

Not reported: migrations that a squashed one stands for, whichever of the two is recorded, and migrations of apps that
the project's routers keep out of this database.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Severity, Tag, Target
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.migration_files import MigrationFiles
from dbops.snapshot.migration_rows import TABLE_OF_MIGRATIONS
from dbops.snapshot.names import qualified, quote_literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.migration_rows import AppliedMigration, Migration

TAG = Tag.STRUCTURAL
FOR_HEALTH = True


def check(migrations: tuple[Migration, ...], applied_migrations: tuple[AppliedMigration, ...]) -> Iterator[Finding]:
    files = MigrationFiles(migrations, applied_migrations)
    recorded = {record.label for record in applied_migrations}
    pending: dict[str, list[Migration]] = defaultdict(list)
    for migration in files.pending():
        pending[migration.app_label].append(migration)
    for app_label, found in pending.items():
        applied = sum(label.startswith(f"{app_label}.") for label in recorded)
        yield _pending(app_label, found, applied)
    apps = {migration.app_label for migration in migrations}
    without: dict[str, list[AppliedMigration]] = defaultdict(list)
    for record in applied_migrations:
        if record.label not in files.known:
            without[record.app_label].append(record)
    for app_label, records in without.items():
        yield _without_file(app_label, records, is_installed=app_label in apps)


def _pending(app_label: str, found: Sequence[Migration], applied: int) -> Finding:
    first, *others = found
    if applied:
        what = f"{plural(len(found), 'migration')} of {app_label} {'was' if len(found) == 1 else 'were'} not applied"
    else:
        what = f"No migration of {app_label} was applied, of {format_count(len(found))}"
    return Finding(
        target=Target(Kind.MIGRATION, first.label),
        message=f"{what}: the code that runs with this database is written for a schema that it does not have.",
        evidence={"pending": len(found), "applied": applied},
        rolled_up=tuple(migration.label for migration in others),
    )


def _without_file(app_label: str, records: Sequence[AppliedMigration], *, is_installed: bool) -> Finding:
    first, *others = records
    what = f"{plural(len(records), 'migration')} of {app_label} {'is' if len(records) == 1 else 'are'} recorded here"
    if is_installed:
        why = "has no file: removed once it was squashed, or this code is older than the database"
        if others:
            why = "have no file: removed once they were squashed, or this code is older than the database"
        message = f"{what} and {why}."
    else:
        message = f"{what}, and no app with that label has migrations in this project."
    return Finding(
        target=Target(Kind.MIGRATION, first.label),
        message=message,
        severity=Severity.INFO,
        evidence={"without_file": len(records)},
        fix=_forget(records) if is_installed else None,
        rolled_up=tuple(record.label for record in others),
    )


def _forget(records: Sequence[AppliedMigration]) -> Fix:
    """Take out the records, and put them back with their moments: what migrate --prune does."""
    table = qualified(records[0].schema, TABLE_OF_MIGRATIONS)
    app_label = quote_literal(records[0].app_label)
    names = ", ".join(quote_literal(record.name) for record in records)
    values = ", ".join(
        f"({app_label}, {quote_literal(record.name)}, {quote_literal(record.applied_at.isoformat())})"
        for record in records
    )
    return Statements(
        sql=(f"DELETE FROM {table} WHERE app = {app_label} AND name IN ({names});",),
        undo=(f"INSERT INTO {table} (app, name, applied) VALUES {values};",),
    ).fix(caution="only when the files are gone for good: if they come back, migrate runs them again")
