"""The migrations that the project has files of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import DEFAULT_DB_ALIAS, router

from dbops.migration_files import UnreadableMigrationsError, load_migrations
from dbops.snapshot.migration_rows import Migration
from dbops.snapshot.snapshot import Unavailable
from dbops.sources import models_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.apps.registry import Apps
    from django.db.migrations.loader import MigrationLoader

    from dbops.snapshot.snapshot import Section

    Key = tuple[str, str]


def migrations_of(alias: str, registry: Apps) -> Section:
    """Return the migrations in the order in which Django applies them, or why they cannot be read."""
    try:
        loader = load_migrations()
    except UnreadableMigrationsError as error:
        return Unavailable(str(error))
    positions = _positions(loader)
    here = _apps_in(alias, registry)
    return tuple(
        Migration(
            app_label=key[0],
            name=key[1],
            replaces=tuple(".".join(replaced) for replaced in loader.disk_migrations[key].replaces),
            runs_here=key[0] in here,
        )
        for key in sorted(loader.disk_migrations, key=lambda key: (positions[key], key))
    )


def _positions(loader: MigrationLoader) -> Mapping[Key, int]:
    """Return each migration's place in the order of all; one that is replaced has that of the squashed one."""
    graph = loader.graph
    order = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    positions = {key: position for position, key in enumerate(order)}
    squashed = {replaced: key for key, migration in loader.disk_migrations.items() for replaced in migration.replaces}
    for key in loader.disk_migrations:
        standing = key
        while standing not in positions and standing in squashed:
            standing = squashed[standing]
        positions[key] = positions.get(standing, len(order))
    return positions


def _apps_in(alias: str, registry: Apps) -> frozenset[str]:
    """Return the labels of the apps whose migrations have anything to do in the database `alias`.

    In another database than the default one those are the apps that have managed models there, and no others: such a
    database is often one that Django reads and never migrates.
    """
    keeping = {model._meta.app_label for model in models_in(alias, registry) if model._meta.managed}
    if alias == DEFAULT_DB_ALIAS:
        modelless = {config.label for config in registry.get_app_configs() if not config.models}
        keeping |= {label for label in modelless if router.allow_migrate(alias, label)}
    return frozenset(keeping)
