"""Reading the project's migrations, whatever state they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.migration_files import UnreadableMigrationsError, load_migrations
from dbops.ownership.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.migrations.graph import MigrationGraph
    from django.db.migrations.migration import Migration


def load_history() -> History:
    """Return the history of the installed apps' migrations; one that says why when they cannot be read."""
    try:
        return History(_in_order(load_migrations().graph))
    except UnreadableMigrationsError as error:
        return History(note=f"no migration is named, for {error}")


def _in_order(graph: MigrationGraph) -> Iterator[Migration]:
    keys = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    return (migration for key in keys if (migration := graph.nodes[key]) is not None)
