"""Migration operations for what Django's models cannot say: ON DELETE in the database, and a kept `updated_at`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from django.db.backends.ddl_references import Statement
from django.db.backends.utils import truncate_name
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.models import DateTimeField, ForeignKey

from dbops.snapshot.names import MAX_NAME_BYTES

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState
    from django.db.models import Model


class _ModelOperation(Operation):
    """An operation on one model's table that leaves the model's state as it is."""

    category = OperationCategory.ALTERATION

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Django's state has no word for it."""

    def references_model(self, name: str, app_label: str) -> bool:
        """Keeps the optimizer from moving the table's own operations across; `app_label` is not known here."""
        return name.lower() == self.model_name.lower()

    def _model(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, state: ProjectState
    ) -> type[Model] | None:
        """The model as it is in `state`, or None where a router keeps it off this database."""
        model = state.apps.get_model(app_label, self.model_name)
        return model if self.allow_migrate_model(schema_editor.connection.alias, model) else None


class SetDatabaseOnDelete(_ModelOperation):
    """Makes the database carry out a foreign key's ON DELETE, for plain SQL as for the ORM.

    The field says `on_delete=DO_NOTHING`, so the ORM leaves the referring rows alone and does not load them, and one
    migration is quiet under `makemigrations --check` on every supported Django (6.1 has DB_CASCADE, 5.2 has not).
    The constraint is made anew under its own name as `NOT VALID` and then validated: in a migration with
    `atomic = False` a large table is then locked against writes for an instant only, and read under a lock that
    lets writes pass. Going back makes the plain constraint, in the same two steps.

    A later AlterField that rebuilds the constraint (another type, another target) makes a plain one: put this
    operation after it again.
    """

    def __init__(self, model_name: str, field_name: str, action: Literal["CASCADE", "SET NULL"]) -> None:
        super().__init__(model_name)
        self.field_name = field_name
        self.action = action

    @property
    def declared_on_delete(self) -> str:
        """What the foreign key has to say in the database, as pg_constraint has it: the models do not tell."""
        return {"CASCADE": "c", "SET NULL": "n"}[self.action]

    def describe(self) -> str:
        return f"Let the database {self.action} {self.model_name}.{self.field_name} on delete"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name}_{self.field_name}_on_delete".lower()

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if model := self._model(app_label, schema_editor, to_state):
            self._rebuild(schema_editor, model, f" ON DELETE {self.action}")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if model := self._model(app_label, schema_editor, to_state):
            self._rebuild(schema_editor, model, "")

    def _rebuild(self, schema_editor: BaseDatabaseSchemaEditor, model: type[Model], on_delete: str) -> None:
        quote = schema_editor.quote_name
        field = model._meta.get_field(self.field_name)
        if not isinstance(field, ForeignKey):
            raise TypeError(f"{model._meta.label}.{self.field_name} is not a foreign key")
        table, target = model._meta.db_table, field.target_field
        name = self._forget_pending(schema_editor, table, field.column)
        drop = ""
        if name is None:
            name = self._existing_name(schema_editor, model, field)
            # A check still waiting for the end of the transaction would keep the constraint from being dropped.
            schema_editor.execute(f"SET CONSTRAINTS {name} IMMEDIATE", params=None)
            drop = f"DROP CONSTRAINT {name}, "
        # One statement, so that the table is at no time without the constraint, even outside a transaction.
        schema_editor.execute(
            f"ALTER TABLE {quote(table)} {drop}ADD CONSTRAINT {name} FOREIGN KEY ({quote(field.column)})"
            f" REFERENCES {quote(target.model._meta.db_table)} ({quote(str(target.column))}){on_delete}"
            " DEFERRABLE INITIALLY DEFERRED NOT VALID",
            params=None,
        )
        schema_editor.execute(f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {name}", params=None)

    @staticmethod
    def _forget_pending(schema_editor: BaseDatabaseSchemaEditor, table: str, column: str) -> str | None:
        """Takes back a constraint CreateModel left to the end of the migration; its quoted name if there is one."""
        for statement in list(schema_editor.deferred_sql):
            if (
                isinstance(statement, Statement)
                and "FOREIGN KEY" in statement.template
                and statement.parts["column"].references_column(table, column)
            ):
                schema_editor.deferred_sql.remove(statement)
                return str(statement.parts["name"])
        return None

    @staticmethod
    def _existing_name(
        schema_editor: BaseDatabaseSchemaEditor, model: type[Model], field: ForeignKey[Model, Model]
    ) -> str:
        """The quoted name the constraint has in the database; the one Django would give it where there is no table yet
        (`sqlmigrate` of migrations that were not applied)."""
        with schema_editor.connection.cursor() as cursor:
            constraints = schema_editor.connection.introspection.get_constraints(cursor, model._meta.db_table)
        for name, constraint in constraints.items():
            if constraint["foreign_key"] and constraint["columns"] == [field.column]:
                return schema_editor.quote_name(name)
        return str(schema_editor._fk_constraint_name(model, field, "_fk_%(to_table)s_%(to_column)s"))  # type: ignore[attr-defined]  # noqa: SLF001


class KeepUpdatedAt(_ModelOperation):
    """A trigger that writes the time of the statement into `field_name` whenever a row is updated.

    It holds for every client: the ORM's `save()` and `update()`, bulk updates and plain SQL alike. What an UPDATE
    says about the column is overruled; an INSERT is left alone, so give the field `db_default=Now()`.
    The function and the trigger are the table's own and go with it in reverse.
    """

    def __init__(self, model_name: str, field_name: str = "updated_at") -> None:
        super().__init__(model_name)
        self.field_name = field_name

    def declared_triggers(self, model: type[Model]) -> list[str]:
        """The triggers that the model's table has to have: the models do not tell."""
        return [self._name(model)]

    def describe(self) -> str:
        return f"Keep {self.model_name}.{self.field_name} by a trigger"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name}_keep_{self.field_name}".lower()

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if model := self._model(app_label, schema_editor, to_state):
            field = model._meta.get_field(self.field_name)
            if not isinstance(field, DateTimeField):
                raise TypeError(f"{model._meta.label}.{self.field_name} is not a DateTimeField")
            table, name = self._quoted(schema_editor, model)
            column = schema_editor.quote_name(str(field.column))
            schema_editor.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN NEW.{column} := statement_timestamp(); RETURN NEW; END $$",
                params=None,
            )
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()", params=None
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if model := self._model(app_label, schema_editor, to_state):
            table, name = self._quoted(schema_editor, model)
            schema_editor.execute(f"DROP TRIGGER {name} ON {table}", params=None)
            schema_editor.execute(f"DROP FUNCTION {name}()", params=None)

    def _quoted(self, schema_editor: BaseDatabaseSchemaEditor, model: type[Model]) -> tuple[str, str]:
        """The table, and the one name its function and its trigger share."""
        return schema_editor.quote_name(model._meta.db_table), schema_editor.quote_name(self._name(model))

    def _name(self, model: type[Model]) -> str:
        return truncate_name(f"{model._meta.db_table}_set_{self.field_name}", MAX_NAME_BYTES)
