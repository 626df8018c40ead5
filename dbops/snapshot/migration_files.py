"""The migrations that there are files of, against those that a database has recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.snapshot.migration_rows import AppliedMigration, Migration


class MigrationFiles:
    """What Django's loader makes of the files and the records: which migrations are still to be applied."""

    def __init__(self, migrations: Sequence[Migration], applied: Sequence[AppliedMigration]) -> None:
        self._recorded = {record.label for record in applied}
        self._files = {migration.label: migration for migration in migrations}
        self._squashed = {label: one for one in migrations for label in one.replaces}
        self.known = self._files.keys() | self._squashed.keys()

    def pending(self) -> Iterator[Migration]:
        """Iterate over the migrations that Django would apply now to this database.

        Of a squashed migration and those it replaces it is the squashed one, unless some of them were applied: then it
        is the rest of them, as far as their files are still there.
        """
        return (one for one in self._files.values() if one.runs_here and self._is_pending(one))

    def _is_pending(self, migration: Migration) -> bool:
        if self._is_applied(migration.label):
            return False
        squashed = self._squashed.get(migration.label)
        if squashed is not None and not self._is_begun(squashed):
            return False
        if not self._is_begun(migration):
            return True
        left = [label for label in migration.replaces if not self._is_applied(label)]
        return not all(label in self._files for label in left)

    def _is_applied(self, label: str) -> bool:
        """A squashed migration is as applied as those it replaces, whether it is recorded itself or not."""
        migration = self._files.get(label)
        if migration is None or not migration.replaces:
            return label in self._recorded
        return all(self._is_applied(replaced) for replaced in migration.replaces)

    def _is_begun(self, migration: Migration) -> bool:
        """Whether some, though not all, of what a squashed migration replaces was applied."""
        applied = [self._is_applied(label) for label in migration.replaces]
        return any(applied) and not all(applied)
