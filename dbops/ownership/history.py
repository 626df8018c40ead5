"""Which migration made a model, a field, an index or a constraint."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db.migrations import operations
from django.db.models.options import normalize_together

from dbops.ownership.statements import made_names
from dbops.snapshot.names import truncate_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.migrations.migration import Migration

    from dbops.ownership.tables import AnyField

#: App label and lower-case model name.
ModelKey: TypeAlias = tuple[str, str]


class Trait(Enum):
    """What a field brings into the database."""

    COLUMN = auto()
    INDEX = auto()
    UNIQUE = auto()
    FOREIGN_KEY = auto()


@dataclass(slots=True)
class _Model:
    """A model while the migrations are followed: for everything it has, the migration that made it."""

    made_by: str | None
    fields: dict[str, dict[Trait, str]] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    constraints: dict[str, str] = field(default_factory=dict)
    unique_together: dict[tuple[str, ...], str] = field(default_factory=dict)
    index_together: dict[tuple[str, ...], str] = field(default_factory=dict)


class History:
    """The migrations, followed once in their order; renames are followed, so look-ups take the names of today.

    Only names are kept, no state is rendered. Operations are taken for what they derive from; of an operation nobody
    knows, only the `state_operations` are followed. `note` says in one line why there is no history, if there is none.
    """

    def __init__(self, migrations: Iterable[Migration] = (), *, note: str | None = None) -> None:
        self.note = note
        self._models: dict[ModelKey, _Model] = {}
        self._statements: dict[str, tuple[str, str]] = {}
        self._positions: dict[tuple[str, str], int] = {}
        for migration in migrations:
            self._app, self._migration = migration.app_label, migration.name
            self._positions[self._app, self._migration] = len(self._positions)
            for operation in migration.operations:
                self._follow(operation)

    def model(self, key: ModelKey) -> str | None:
        """Return the migration that made a model."""
        model = self._models.get(key)
        return model.made_by if model else None

    def field(self, key: ModelKey, name: str, trait: Trait = Trait.COLUMN) -> str | None:
        """Return the migration that gave a model's field its column, or its index, unique or foreign key."""
        model = self._models.get(key)
        return model.fields.get(name.lower(), {}).get(trait) if model else None

    def index(self, key: ModelKey, name: str) -> str | None:
        """Return the migration that made an index of a model's Meta, by its name in the database."""
        model = self._models.get(key)
        return model.indexes.get(name) if model else None

    def constraint(self, key: ModelKey, name: str) -> str | None:
        """Return the migration that made a constraint of a model's Meta, by its name in the database."""
        model = self._models.get(key)
        return model.constraints.get(name) if model else None

    def together(self, key: ModelKey, names: Sequence[str]) -> str | None:
        """Return the migration that made fields unique (or, long ago, indexed) together."""
        model = self._models.get(key)
        if model is None:
            return None
        fields = tuple(name.lower() for name in names)
        return model.unique_together.get(fields) or model.index_together.get(fields)

    def statement(self, name: str) -> tuple[str, str] | None:
        """Return the app and the migration whose own SQL made the index or constraint called so in the database."""
        return self._statements.get(name)

    def position(self, app_label: str, migration: str | None) -> int:
        """Return a migration's place in the order of all; an unknown one comes after all others."""
        return self._positions.get((app_label, migration or ""), len(self._positions))

    @singledispatchmethod
    def _follow(self, operation: Any) -> None:
        nested = getattr(operation, "state_operations", ())
        for one in nested if isinstance(nested, list | tuple) else ():
            self._follow(one)

    @_follow.register
    def _(self, operation: operations.RunSQL) -> None:
        self._note_statements(operation)
        for one in operation.state_operations:
            self._follow(one)

    @_follow.register
    def _(self, operation: operations.SeparateDatabaseAndState) -> None:
        for one in operation.database_operations:
            if isinstance(one, operations.RunSQL):
                self._note_statements(one)
        for one in operation.state_operations:
            self._follow(one)

    @_follow.register
    def _(self, operation: operations.CreateModel) -> None:
        model = _Model(self._migration)
        self._models[self._app, operation.name_lower] = model
        for name, made in operation.fields:
            model.fields[name.lower()] = dict.fromkeys(_traits(made), self._migration)
        for index in operation.options.get("indexes", ()):
            model.indexes[truncate_name(index.name)] = self._migration
        for constraint in operation.options.get("constraints", ()):
            model.constraints[truncate_name(constraint.name)] = self._migration
        model.unique_together = self._together({}, operation.options.get("unique_together"))
        model.index_together = self._together({}, operation.options.get("index_together"))

    @_follow.register
    def _(self, operation: operations.DeleteModel) -> None:
        self._models.pop((self._app, operation.name_lower), None)

    @_follow.register
    def _(self, operation: operations.RenameModel) -> None:
        model = self._models.pop((self._app, operation.old_name_lower), None)
        if model is not None:
            self._models[self._app, operation.new_name_lower] = model

    @_follow.register
    def _(self, operation: operations.AddField) -> None:
        fields = self._of(operation.model_name).fields
        fields[operation.name_lower] = dict.fromkeys(_traits(operation.field), self._migration)

    @_follow.register
    def _(self, operation: operations.AlterField) -> None:
        fields = self._of(operation.model_name).fields
        before = fields.get(operation.name_lower, {})
        fields[operation.name_lower] = {trait: before.get(trait, self._migration) for trait in _traits(operation.field)}

    @_follow.register
    def _(self, operation: operations.RemoveField) -> None:
        self._of(operation.model_name).fields.pop(operation.name_lower, None)

    @_follow.register
    def _(self, operation: operations.RenameField) -> None:
        model, old, new = self._of(operation.model_name), operation.old_name_lower, operation.new_name_lower
        model.fields[new] = model.fields.pop(old, {})
        for together in (model.unique_together, model.index_together):
            for names in [names for names in together if old in names]:
                together[tuple(new if name == old else name for name in names)] = together.pop(names)

    @_follow.register
    def _(self, operation: operations.AddIndex) -> None:
        self._of(operation.model_name).indexes[truncate_name(operation.index.name)] = self._migration

    @_follow.register
    def _(self, operation: operations.RemoveIndex) -> None:
        self._of(operation.model_name).indexes.pop(truncate_name(operation.name), None)

    @_follow.register
    def _(self, operation: operations.RenameIndex) -> None:
        model = self._of(operation.model_name)
        if operation.old_name:
            made_by = model.indexes.pop(truncate_name(operation.old_name), None)
        else:
            made_by = model.index_together.pop(tuple(name.lower() for name in operation.old_fields or ()), None)
        model.indexes[truncate_name(operation.new_name)] = made_by or self._migration

    @_follow.register
    def _(self, operation: operations.AddConstraint) -> None:
        self._of(operation.model_name).constraints[truncate_name(operation.constraint.name)] = self._migration

    @_follow.register
    def _(self, operation: operations.RemoveConstraint) -> None:
        self._of(operation.model_name).constraints.pop(truncate_name(operation.name), None)

    @_follow.register
    def _(self, operation: operations.AlterUniqueTogether) -> None:
        model = self._of(operation.name)
        model.unique_together = self._together(model.unique_together, operation.option_value)

    @_follow.register
    def _(self, operation: operations.AlterIndexTogether) -> None:
        model = self._of(operation.name)
        model.index_together = self._together(model.index_together, operation.option_value)

    @_follow.register
    def _(self, operation: operations.AlterOrderWithRespectTo) -> None:
        fields = self._of(operation.name).fields
        if operation.order_with_respect_to:
            fields.setdefault("_order", {Trait.COLUMN: self._migration})
        else:
            fields.pop("_order", None)

    def _of(self, name: str) -> _Model:
        """Return the state of a model of the app being followed, even if no operation was seen to make it."""
        return self._models.setdefault((self._app, name.lower()), _Model(None))

    def _together(self, before: dict[tuple[str, ...], str], now: Any) -> dict[tuple[str, ...], str]:
        sets = [tuple(name.lower() for name in names) for names in normalize_together(now)]
        return {names: before.get(names, self._migration) for names in sets}

    def _note_statements(self, operation: operations.RunSQL) -> None:
        for name in made_names(operation.sql):
            self._statements[name] = (self._app, self._migration)


def _traits(made: AnyField) -> set[Trait]:
    """Return what a field brings, told from the field alone: it belongs to no model yet."""
    traits = {Trait.COLUMN}
    if made.unique:
        traits.add(Trait.UNIQUE)
    elif getattr(made, "db_index", False):
        traits.add(Trait.INDEX)
    if made.is_relation and getattr(made, "db_constraint", False):
        traits.add(Trait.FOREIGN_KEY)
    return traits
