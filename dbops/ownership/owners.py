"""Who made what a finding lies in: the model, the field, the migration, and whose they are."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from django.apps import apps
from django.db.migrations.recorder import MigrationRecorder

from dbops.findings.finding import Owner, Ownership
from dbops.ownership.history import History, Trait
from dbops.ownership.loading import load_history
from dbops.ownership.naming import is_made_up
from dbops.ownership.project import Project
from dbops.ownership.tables import model_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from django.apps.registry import Apps

    from dbops.findings.finding import Location
    from dbops.ownership.tables import AnyField, ModelTable
    from dbops.snapshot import rows
    from dbops.snapshot.schema import Schema


class Owners:
    """Finds the owner of anything in the database of one project, or of nobody's."""

    def __init__(
        self,
        tables: Iterable[ModelTable] = (),
        *,
        bookkeeping: Iterable[str] = (),
        apps: Mapping[str, Ownership] = MappingProxyType({}),
        load: Callable[[], History] = History,
    ) -> None:
        """`bookkeeping` are Django's own tables without a model; `apps` says whose each app is, by its label; `load`
        reads the migrations when they are needed."""
        self._tables = tuple(tables)
        self._bookkeeping = frozenset(bookkeeping)
        self._apps = apps
        self._load = load
        self._found: WeakKeyDictionary[Schema, dict[int, ModelTable]] = WeakKeyDictionary()

    @classmethod
    def of_project(cls, alias: str, *, own_apps: Sequence[str] | None = None, registry: Apps = apps) -> Owners:
        """Return the owners in DATABASES[alias]; `own_apps` as in `Project`."""
        project = Project.of_settings(own_apps)
        return cls(
            model_tables(alias, registry, project),
            bookkeeping=(MigrationRecorder.Migration._meta.db_table,),
            apps={config.label: project.ownership(config) for config in registry.get_app_configs()},
            load=load_history,
        )

    @classmethod
    def of_nobody(cls) -> Owners:
        """Return the owners in a database of which no model is known: everything in it is unmanaged."""
        return cls()

    @cached_property
    def history(self) -> History:
        """The migrations of the project, read when first asked for."""
        return self._load()

    @property
    def note(self) -> str | None:
        """Why no migration can be named, in one line; None as well while nobody asked for one."""
        return self.history.note if "history" in self.__dict__ else None

    def table(self, schema: Schema, table_oid: int) -> ModelTable | None:
        """Return the model's table that a table of the database is, or is a partition of."""
        table = schema.tables.get(table_oid)
        if table is None:
            return None
        if schema not in self._found:
            self._found[schema] = self._find(schema)
        return self._found[schema].get(schema.root(table).oid)

    def owner(self, schema: Schema, location: Location | None) -> Owner:
        """Return the owner of what lies at `location`; without one it is the server's."""
        if location is None:
            return Owner(ownership=Ownership.SERVER)
        table = self.table(schema, location.table_oid) if location.model is None else self._of_model(location.model)
        if table is None:
            found = schema.tables.get(location.table_oid)
            is_bookkeeping = found is not None and found.name in self._bookkeeping
            return Owner(ownership=Ownership.CONTRIB if is_bookkeeping else Ownership.UNMANAGED)
        options = table.declaring_model._meta
        columns = _columns(schema, location)
        return Owner(
            ownership=table.ownership,
            app_label=options.app_label,
            model=options.label,
            field=_field_name(table, columns),
            migration=self._migration(schema, table, location, columns) if options.managed else None,
        )

    def of_migration(self, label: str) -> Owner:
        """Return the owner of a migration, `shop.0001_initial`; where no such app is installed it is unmanaged.

        Whoever wrote it, it is the project's own to apply.
        """
        app_label, _, name = label.partition(".")
        ownership = Ownership.MINE if app_label in self._apps else Ownership.UNMANAGED
        return Owner(ownership=ownership, app_label=app_label, migration=name)

    def _of_model(self, label: str) -> ModelTable | None:
        """Return the table that a model would have, by the model's label."""
        return next((table for table in self._tables if table.model._meta.label == label), None)

    def _find(self, schema: Schema) -> dict[int, ModelTable]:
        """Return the models' tables by oid; a managed model goes before an unmanaged one that reads the same table."""
        found: dict[int, ModelTable] = {}
        for table in self._tables:
            row = schema.resolve(table.model._meta.db_table)
            if row is not None and (row.oid not in found or found[row.oid].ownership is Ownership.UNMANAGED):
                found[row.oid] = table
        return found

    def _migration(
        self, schema: Schema, table: ModelTable, location: Location, columns: Sequence[str] | None
    ) -> str | None:
        """Return the migration that made the index, the constraint, the columns or the table at `location`.

        What no migration is known to have made has none: it was made by hand.
        """
        if location.index is not None:
            index = _index(schema, location)
            return self._named(table, index.name if index else location.index) or self._of_index(table, index, columns)
        if location.constraint is not None:
            constraint = _constraint(schema, location)
            named = self._named(table, location.constraint)
            return named or self._of_constraint(schema, table, constraint, columns)
        if columns:
            return self._of_fields(table, columns)
        return self._of_link(table) if table.link is not None else self.history.model(table.key)

    def _named(self, table: ModelTable, name: str) -> str | None:
        """Return the migration that made an index or a constraint by its name: in Meta, or in SQL of whatever app."""
        history = self.history
        if table.link is None:
            found = history.index(table.key, name) or history.constraint(table.key, name)
            if found:
                return found
        statement = history.statement(name)
        if statement is None:
            return None
        app_label, migration = statement
        return migration if app_label == table.key[0] else f"{app_label}.{migration}"

    def _of_index(self, table: ModelTable, index: rows.Index | None, columns: Sequence[str] | None) -> str | None:
        fields = table.fields(columns or ())
        if index is None or not fields or index.is_partial or index.has_expressions:
            return None
        if not (index.is_primary or index.constraint_oid is not None or is_made_up(index.name)):
            return None
        if index.is_unique:
            return self._of_unique(table, fields)
        return self._of_trait(table, fields, Trait.INDEX, Trait.UNIQUE) or self._of_together(table, fields)

    def _of_constraint(
        self, schema: Schema, table: ModelTable, constraint: rows.Constraint | None, columns: Sequence[str] | None
    ) -> str | None:
        fields = table.fields(columns or ())
        if constraint is None or not fields:
            return None
        if constraint.type in "pu":
            return self._of_unique(table, fields)
        if constraint.type == "f":
            twins = (one for one in schema.constraints_of(constraint.table_oid) if one.type == "f")
            is_alone = [one.columns for one in twins].count(constraint.columns) == 1
            if not is_alone and not is_made_up(constraint.name):
                return None
            return self._of_trait(table, fields, Trait.FOREIGN_KEY)
        if constraint.type == "c" and not (is_made_up(constraint.name) or constraint.name.endswith("_check")):
            return None
        return self._of_trait(table, fields, Trait.COLUMN)

    def _of_unique(self, table: ModelTable, fields: Sequence[AnyField]) -> str | None:
        return self._of_trait(table, fields, Trait.UNIQUE) or self._of_together(table, fields)

    def _of_fields(self, table: ModelTable, columns: Sequence[str]) -> str | None:
        """Return the migration since which all of `columns` were there."""
        made = [self._of_trait(table, [field], Trait.COLUMN) for field in table.fields(columns) or ()]
        known = [migration for migration in made if migration is not None]
        return max(known, key=lambda migration: self.history.position(table.key[0], migration), default=None)

    def _of_trait(self, table: ModelTable, fields: Sequence[AnyField], *traits: Trait) -> str | None:
        """Return the migration that gave a single field the first of `traits` that it has."""
        if table.link is not None:
            return self._of_link(table)
        if len(fields) != 1:
            return None
        made = (self.history.field(table.key, fields[0].name, trait) for trait in traits)
        return next((migration for migration in made if migration is not None), None)

    def _of_together(self, table: ModelTable, fields: Sequence[AnyField]) -> str | None:
        return self.history.together(table.key, [field.name for field in fields])

    def _of_link(self, table: ModelTable) -> str | None:
        """Return the migration that added the many-to-many field, and its whole table with it."""
        return self.history.field(table.key, table.link.name) if table.link is not None else None


def _columns(schema: Schema, location: Location) -> tuple[str, ...] | None:
    """Return the columns of what lies at `location`; None for an index with an expression, which has no columns."""
    if location.index is not None:
        index = _index(schema, location)
        if index is not None:
            return None if index.has_expressions else schema.column_names(index.table_oid, index.keys)
    if not location.columns and location.constraint is not None:
        constraint = _constraint(schema, location)
        if constraint is not None:
            return schema.column_names(constraint.table_oid, constraint.columns)
    return location.columns


def _field_name(table: ModelTable, columns: Sequence[str] | None) -> str | None:
    """Return the one field that `columns` belong to: what spans several fields is the model's."""
    if table.link is not None:
        return table.link.name
    fields = table.fields(columns or ())
    if fields and len(fields) == 1:
        return fields[0].name
    return table.generic_relation(columns) if fields and columns else None


def _index(schema: Schema, location: Location) -> rows.Index | None:
    """Return the index at `location`; of a partition's index the one it is a part of."""
    indexes = schema.indexes_of(location.table_oid)
    index = next((index for index in indexes if index.name == location.index), None)
    while index is not None and index.parent_oid is not None and index.parent_oid in schema.indexes:
        index = schema.indexes[index.parent_oid]
    return index


def _constraint(schema: Schema, location: Location) -> rows.Constraint | None:
    constraints = schema.constraints_of(location.table_oid)
    constraint = next((one for one in constraints if one.name == location.constraint), None)
    while constraint is not None and constraint.parent_oid is not None and constraint.parent_oid in schema.constraints:
        constraint = schema.constraints[constraint.parent_oid]
    return constraint
