"""What migrations declare beside the models: triggers, and foreign keys whose ON DELETE the database carries out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from django.db.migrations import RunSQL, SeparateDatabaseAndState

from dbops.migration_files import UnreadableMigrationsError, load_migrations
from dbops.snapshot.declared_rows import DeclaredConstraint, DeclaredTrigger
from dbops.snapshot.names import truncate_name
from dbops.snapshot.snapshot import Unavailable
from dbops.sources import models_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.apps.registry import Apps
    from django.db.models import Model

    from dbops.snapshot.snapshot import Section

_NAME: Final = r'("(?:[^"]|"")+"|[^\W\d][\w$]*)'
_STEP: Final = re.compile(
    rf"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?TRIGGER\s+{_NAME}\s[^;]*?\sON\s+{_NAME}(?![\w$]*\.)"
    rf"|\bDROP\s+TRIGGER\s+(?:IF\s+EXISTS\s+)?{_NAME}\s+ON\s+{_NAME}",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class Declarations:
    """The operations of all migrations, followed once in their order.

    An operation of a class that has `declared_triggers(model)` (names of triggers) or `declared_on_delete` (a letter as
    in `Constraint.on_delete`, with `field_name`) is asked; in RunSQL, CREATE TRIGGER and DROP TRIGGER are read.
    """

    def __init__(self, alias: str, registry: Apps) -> None:
        self._models = {(m._meta.app_label, m._meta.model_name): m for m in models_in(alias, registry)}
        self._triggers: dict[tuple[str, str], DeclaredTrigger] = {}
        self._actions: dict[tuple[str, str], str] = {}
        self.unavailable: Unavailable | None = None
        try:
            graph = load_migrations().graph
        except UnreadableMigrationsError as error:
            self.unavailable = Unavailable(str(error))
            return
        for key in dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf)):
            migration = graph.nodes[key]
            for operation in _flat(migration.operations if migration is not None else ()):
                self._follow(operation, key)

    def triggers(self) -> Section:
        """Return the triggers that the models' tables have to have."""
        return self.unavailable or tuple(self._triggers.values())

    def with_actions(self, constraint: DeclaredConstraint) -> DeclaredConstraint:
        """Return a foreign key with the ON DELETE that an operation gives it."""
        place = (constraint.db_table, constraint.columns[0] if constraint.columns else "")
        action = self._actions.get(place) if constraint.type == "f" else None
        return constraint if action is None else replace(constraint, on_delete=action)

    def _follow(self, operation: Any, key: tuple[str, str]) -> None:
        if isinstance(operation, RunSQL):
            for name, table, is_made in _statements(operation.sql):
                self._triggers.pop((table, name), None)
                if is_made and table in {model._meta.db_table for model in self._models.values()}:
                    self._add(table, name, key)
            return
        model = self._models.get((key[0], str(getattr(operation, "model_name", "")).lower()))
        if model is None:
            return
        for name in operation.declared_triggers(model) if hasattr(operation, "declared_triggers") else ():
            self._add(model._meta.db_table, name, key)
        action = getattr(operation, "declared_on_delete", None)
        column = _column(model, operation) if action else None
        if action and column:
            self._actions[model._meta.db_table, column] = action

    def _add(self, table: str, name: str, key: tuple[str, str]) -> None:
        self._triggers[table, name] = DeclaredTrigger(db_table=table, name=truncate_name(name), migration=".".join(key))


def _column(model: type[Model], operation: Any) -> str | None:
    return next((f.column for f in model._meta.local_concrete_fields if f.name == operation.field_name), None)


def _flat(operations: Iterable[Any]) -> Iterator[Any]:
    """Iterate over the operations that change the database."""
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _statements(sql: Any) -> Iterator[tuple[str, str, bool]]:
    """Iterate over the triggers that RunSQL's `sql` makes (True) or drops: name, table, which of the two."""
    parts = sql if isinstance(sql, list | tuple) else [sql]
    for part in parts:
        text = part[0] if isinstance(part, list | tuple) else part
        for found in _STEP.finditer(_COMMENT.sub(" ", text) if isinstance(text, str) else ""):
            is_made = found[1] is not None
            name, table = (found[1], found[2]) if is_made else (found[3], found[4])
            yield _unquoted(name), _unquoted(table), is_made


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
