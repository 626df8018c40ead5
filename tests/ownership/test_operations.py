"""Which changes have an operation, and which have none because the models would bring back what was dropped."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import migrations, models

from dbops.findings.changes import (
    ChangeTypes,
    ColumnType,
    CreateIndex,
    DropConstraint,
    DropIndex,
    RebuildIndex,
    Statements,
    TextsToUuid,
    ValidateConstraint,
)
from dbops.findings.finding import Location
from dbops.ownership.naming import field_index_name, foreign_key_names, unique_names
from dbops.ownership.operations import with_operation
from tests.builders import a_constraint, a_foreign_key, a_schema, a_table, an_index
from tests.ownership.sample import a_migration, a_model, owners_of, registry, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = "ownership_task"
UNIQUE = models.UniqueConstraint(fields=["user", "kind"], name="one_kind")


def operation_for(
    change: Any,
    *objects: Any,
    rank: Callable[[], Any] = models.IntegerField,
    meta: dict[str, Any] | None = None,
    at: int = 1,
) -> str | None:
    """The operation for a change of the table of Task(id, user, kind, code, rank) with these further objects."""
    with registry() as isolated:
        user = a_model("User")
        task = a_model(
            "Task",
            meta=meta,
            user=models.ForeignKey(user, models.CASCADE),
            kind=models.IntegerField(),
            code=models.CharField(max_length=9, unique=True),
            rank=rank(),
        )
        made = a_migration("m1", migrations.RunSQL("ALTER TABLE t ADD CONSTRAINT by_sql CHECK (true) NOT VALID"))
        schema = a_schema(*rows_of(task), *rows_of(user, 2), *objects)
        return with_operation(change.fix(), Location(table_oid=at), owners_of(isolated, made), schema).operation


def name_of(kind: Any, field: str) -> Any:
    """A name that Django gives something of Task's field."""
    with registry() as isolated:
        user = a_model("User")
        code: Any = models.CharField(max_length=9)
        task = a_model("Task", user=models.ForeignKey(user, models.CASCADE), code=code)
        tables = {table.model: table for table in owners_of(isolated)._tables}
        return kind(tables[task], task._meta.get_field(field))


USER_INDEX = name_of(field_index_name, "user")
USER_KEY, USER_KEY_AGAIN = name_of(foreign_key_names, "user")
CODE_KEY, _ = name_of(unique_names, "code")


def drop(index: Any) -> DropIndex:
    return DropIndex(schema="public", name=index.name, definition=f"CREATE INDEX {index.name} ON public.{TABLE} (a)")


def drop_constraint(constraint: Any) -> DropConstraint:
    return DropConstraint(schema="public", table=TABLE, name=constraint.name, definition=str(constraint.definition))


def create(*columns: str, **values: Any) -> CreateIndex:
    return CreateIndex(**{"schema": "public", "table": TABLE, "columns": columns, "name": "task_new_idx", **values})


def types(*columns: tuple[str, str, str], new_type: str = "bigint") -> ChangeTypes:
    changed = (
        ColumnType(schema="public", table=table, column=column, old_type=old, new_type=new_type)
        for table, column, old in columns
    )
    return ChangeTypes(columns=tuple(changed))


def test_an_index_on_fields_goes_into_the_models_meta() -> None:
    assert operation_for(create("user_id", "kind")) == (
        "# from django.contrib.postgres.operations import AddIndexConcurrently\n"
        '# in Task.Meta.indexes: models.Index(fields=["user", "kind"], name="task_new_idx")\n'
        'AddIndexConcurrently("Task", models.Index(fields=["user", "kind"], name="task_new_idx"))'
    )


def test_an_index_that_the_model_declares_is_made_under_its_name_in_the_sql_too() -> None:
    declared = [models.Index(fields=["kind", "code"], name="kind_code_idx")]
    for columns, name in ((("user_id",), USER_INDEX), (("kind", "code"), "kind_code_idx")):
        operation = operation_for(create(*columns), meta={"indexes": declared})
        assert operation is not None
        assert f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON ownership_task" in operation
        assert "migrate instead" in operation.splitlines()[0]
        assert "AddIndex" not in operation


def test_the_fixs_own_sql_takes_the_declared_name() -> None:
    with registry() as isolated:
        user = a_model("User")
        schema = a_schema(*rows_of(a_model("Task", user=models.ForeignKey(user, models.CASCADE))))
        fix = with_operation(create("user_id").fix(caution="slow"), Location(table_oid=1), owners_of(isolated), schema)
    assert fix.sql == (f"CREATE INDEX CONCURRENTLY {USER_INDEX} ON public.ownership_task (user_id);",)
    assert fix.undo == (f"DROP INDEX CONCURRENTLY public.{USER_INDEX};",)
    assert fix.caution == "slow"


def test_an_index_on_a_column_of_no_field_is_made_by_sql() -> None:
    operation = operation_for(create("extra"))
    assert operation is not None
    assert operation.startswith("migrations.RunSQL(")


def test_a_partial_index_of_the_model_is_not_the_one_that_is_missing() -> None:
    partial = models.Index(fields=["kind"], name="some_idx", condition=models.Q(kind=1))
    assert "AddIndexConcurrently" in (operation_for(create("kind"), meta={"indexes": [partial]}) or "")


def test_a_foreign_keys_own_index_stays_unless_the_model_declares_another_that_starts_with_it() -> None:
    index = an_index(100, USER_INDEX, (2,))
    assert operation_for(drop(index), index) is None
    for meta in (
        {"constraints": [UNIQUE]},
        {"unique_together": [("user", "kind")]},
        {"indexes": [models.Index(fields=["-user", "kind"], name="user_kind_idx")]},
    ):
        operation = operation_for(drop(index), index, meta=meta)
        assert operation is not None
        assert "db_index=False" in operation
        assert "models.CASCADE" in operation
    some = models.Q(kind=1)
    partial = models.UniqueConstraint(fields=["user"], condition=some, name="some")
    assert operation_for(drop(index), index, meta={"constraints": [partial]}) is None
    partial_index = models.Index(fields=["user"], condition=some, name="some")
    assert operation_for(drop(index), index, meta={"indexes": [partial_index]}) is None


def test_the_index_of_an_ordinary_field_needs_no_other() -> None:
    index = an_index(100, "ownership_task_rank_a1b2c3d4", (5,))
    operation = operation_for(drop(index), index, rank=lambda: models.IntegerField(db_index=True))
    assert operation is not None
    assert 'AlterField("Task", "rank", models.IntegerField())' in operation


def test_the_two_indexes_of_a_text_field_come_and_go_together() -> None:
    plain, twin = (an_index(oid, f"ownership_task_rank_a1b2c3d4{end}", (5,)) for oid, end in ((1, ""), (2, "_like")))

    def text() -> Any:
        return models.CharField(max_length=9, db_index=True)

    assert operation_for(drop(twin), plain, twin, rank=text) is None
    assert operation_for(drop(plain), plain, twin, rank=text) is None
    assert operation_for(drop(plain), plain, rank=text) is not None


@pytest.mark.parametrize(
    "index",
    [
        an_index(100, USER_INDEX, (2,), is_valid=False),
        an_index(100, "ownership_task_code_a1b2c3d4_like", (4,)),
        an_index(100, CODE_KEY, (4,), is_unique=True, constraint_oid=1000),
        an_index(100, "ownership_task_user_id_kind_a1b2c3d4_uniq", (2, 3), is_unique=True, constraint_oid=1000),
    ],
    ids=["invalid", "like", "unique", "unique together"],
)
def test_an_index_that_the_models_would_bring_back_has_no_operation(index: Any) -> None:
    assert operation_for(drop(index), index, meta={"constraints": [UNIQUE]}) is None


@pytest.mark.parametrize(
    "index",
    [
        an_index(100, "by_hand", (2,)),
        an_index(100, "by_hand", (4,), is_unique=True),
        an_index(100, "ownership_task_kind_a1b2c3d4", (3,)),
        an_index(100, "ownership_task_user_id_a1b2c3d4", (2,), is_partial=True),
        an_index(100, "ownership_task_user_id_kind_a1b2c3d4_idx", (2, 3)),
    ],
    ids=["plain", "unique", "left over from a field", "partial", "left over from fields together"],
)
def test_an_index_that_the_models_know_nothing_of_is_dropped_by_sql(index: Any) -> None:
    operation = operation_for(drop(index), index)
    assert operation is not None
    assert operation.startswith("migrations.RunSQL(")
    assert f'DROP INDEX CONCURRENTLY IF EXISTS {index.name};"' in operation


def test_of_two_indexes_named_by_django_the_one_named_otherwise_than_now_is_the_leftover() -> None:
    own, old = an_index(100, USER_INDEX, (2,)), an_index(101, "old_table_user_id_a1b2c3d4", (2,))
    assert (operation_for(drop(old), own, old) or "").startswith("migrations.RunSQL(")
    assert operation_for(drop(old), old) is None


def test_a_field_that_cannot_be_written_has_no_operation() -> None:
    index = an_index(100, "ownership_task_rank_a1b2c3d4", (5,))
    assert operation_for(drop(index), index, rank=lambda: models.IntegerField(db_index=True, default=lambda: 1)) is None


def test_an_index_of_meta_goes_by_its_name_and_one_of_a_partitioned_table_at_once() -> None:
    index = an_index(100, "kind_idx", (3,))
    meta = {"indexes": [models.Index(fields=["kind"], name="kind_idx")]}
    assert "RemoveIndexConcurrently" in (operation_for(drop(index), index, meta=meta) or "")
    whole = DropIndex(schema="public", name="kind_idx", definition="CREATE INDEX", is_partitioned=True)
    assert operation_for(whole, index, meta=meta) == (
        '# no longer in Task.Meta.indexes\nmigrations.RemoveIndex("Task", "kind_idx")'
    )


def test_a_unique_index_of_metas_constraints_goes_as_a_constraint() -> None:
    some = models.UniqueConstraint(fields=["kind"], condition=models.Q(kind=1), name="some")
    index = an_index(100, "some", (3,), is_unique=True, is_partial=True)
    assert 'migrations.RemoveConstraint("Task", "some")' in (
        operation_for(drop(index), index, meta={"constraints": [some]}) or ""
    )


def test_of_an_automatic_many_to_many_table_only_what_was_made_by_hand_can_go() -> None:
    with registry() as isolated:
        links: Any = models.ManyToManyField("User")
        task = a_model("Task", users=links)
        a_model("User")
        through: Any = task._meta.get_field("users").remote_field
        own, by_hand = an_index(100, "ownership_task_users_task_id_a1b2c3d4", (2,)), an_index(101, "by_hand", (2,))
        own_key = a_foreign_key(1000, "ownership_task_users_task_id_a1b2c3d4_fk_ownership_task_id", (2,))
        key_by_hand = a_foreign_key(1001, "key_by_hand", (2,))
        schema = a_schema(*rows_of(through.through), own, by_hand, own_key, key_by_hand)

        def operation(change: Any) -> str | None:
            return with_operation(change.fix(), Location(table_oid=1), owners_of(isolated), schema).operation

        assert operation(drop(own)) is None
        assert (operation(drop(by_hand)) or "").startswith("migrations.RunSQL(")
        assert operation(replace(drop_constraint(own_key), table="ownership_task_users")) is None
        twin = replace(drop_constraint(key_by_hand), table="ownership_task_users")
        assert (operation(twin) or "").startswith("migrations.RunSQL(")
        new = create("user_id", table="ownership_task_users")
        assert (operation(new) or "").startswith("migrations.RunSQL(")
        key = ValidateConstraint(schema="public", table="ownership_task_users", name="x_a1b2c3d4_fk_y")
        assert (operation(key) or "").startswith("migrations.RunSQL(")


@pytest.mark.parametrize(
    ("name", "is_known"), [(USER_KEY, True), ("by_sql", True), ("one_kind", True), ("other", False)]
)
def test_only_a_constraint_that_other_databases_have_too_is_validated_by_a_migration(name: str, is_known: bool) -> None:
    change = ValidateConstraint(schema="public", table=TABLE, name=name)
    operation = operation_for(change, meta={"constraints": [UNIQUE]})
    assert (operation is not None) == is_known
    if operation:
        assert operation.endswith(f'ValidateConstraint("Task", "{name}")')


def test_a_foreign_key_that_is_a_fields_stays() -> None:
    key, again = a_foreign_key(1000, USER_KEY, (2,)), a_foreign_key(1001, USER_KEY_AGAIN, (2,))
    by_hand, old = a_foreign_key(1002, "by_hand", (2,)), a_foreign_key(1003, "old_a1b2c3d4_fk_user_id", (2,))
    assert operation_for(drop_constraint(key), key) is None
    assert operation_for(drop_constraint(by_hand), by_hand) is None
    assert operation_for(drop_constraint(key), key, by_hand) is None
    assert operation_for(drop_constraint(again), again, by_hand) is None
    assert operation_for(drop_constraint(old), old, by_hand) is None
    for twin, rest in ((by_hand, key), (old, key), (old, again)):
        operation = operation_for(drop_constraint(twin), twin, rest)
        assert operation is not None
        assert f"ALTER TABLE ownership_task DROP CONSTRAINT IF EXISTS {twin.name};" in operation
        assert "REFERENCES public" not in operation


def test_a_unique_constraint_goes_the_way_it_was_declared() -> None:
    together = a_constraint(
        1000, "ownership_task_user_id_kind_a1b2c3d4_uniq", "u", columns=(2, 3), definition="UNIQUE (a)"
    )
    by_hand = a_constraint(1001, "by_hand", "u", columns=(2, 3), definition="UNIQUE (a)")
    own = a_constraint(1002, CODE_KEY, "u", columns=(4,), definition="UNIQUE (code)")
    meta = {"unique_together": [("user", "kind"), ("user", "code")]}
    assert operation_for(drop_constraint(together), together, meta=meta) == (
        "# ('user', 'kind') no longer in Task.Meta.unique_together\n"
        'migrations.AlterUniqueTogether("Task", {("user", "code")})'
    )
    assert operation_for(drop_constraint(together), together, by_hand, meta=meta) is None
    only = {"unique_together": [("user", "kind")]}
    assert (operation_for(drop_constraint(together), together, meta=only) or "").endswith('("Task", set())')
    assert operation_for(drop_constraint(own), own) is None
    assert "DROP CONSTRAINT IF EXISTS by_hand" in (operation_for(drop_constraint(by_hand), by_hand, meta=meta) or "")


def test_keys_and_the_checks_of_fields_stay_and_checks_by_hand_go() -> None:
    key = a_constraint(1000, "ownership_task_pkey", "p", definition="PRIMARY KEY (id)")
    positive = a_constraint(1001, "ownership_task_kind_a1b2c3d4_check", columns=(3,))
    by_hand = a_constraint(1002, "by_hand", columns=(3,))
    assert operation_for(drop_constraint(key), key) is None
    assert operation_for(drop_constraint(positive), positive) is None
    assert operation_for(drop_constraint(by_hand), by_hand) is not None
    assert operation_for(drop_constraint(by_hand)) is None


def test_a_type_that_the_model_asks_for_already_is_changed_in_the_database_alone() -> None:
    operation = operation_for(types((TABLE, "user_id", "integer")))
    assert operation == (
        "migrations.RunSQL(\n"
        '    "ALTER TABLE ownership_task ALTER COLUMN user_id TYPE bigint;",\n'
        "    reverse_sql=migrations.RunSQL.noop,\n"
        ")"
    )
    assert operation_for(types((TABLE, "code", "text"), new_type="character varying(9)")) is not None


def test_a_type_that_the_models_must_follow_is_altered_where_django_has_the_field() -> None:
    operation = operation_for(types((TABLE, "kind", "integer")))
    assert operation == (
        '# in Task: kind = models.BigIntegerField(...)\nmigrations.AlterField("Task", "kind", models.BigIntegerField())'
    )
    for other in (
        types((TABLE, "kind", "integer"), new_type="uuid"),
        types((TABLE, "code", "varchar"), new_type="uuid"),
        types((TABLE, "code", "varchar")),
        types((TABLE, "kind", "integer"), (TABLE, "rank", "integer")),
        types((TABLE, "kind", "integer"), ("elsewhere", "kind", "integer")),
        types((TABLE, "extra", "integer")),
        types((TABLE, "kind", "integer"), ("ownership_user", "id", "bigint"), new_type="numeric"),
    ):
        assert operation_for(other) is None


def test_an_automatic_key_becomes_an_explicit_bigger_one() -> None:
    with registry() as isolated:
        user = a_model(
            "User", id=models.AutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID")
        )
        task = a_model("Task", user=models.ForeignKey(user, models.CASCADE), kind=models.IntegerField())
        schema = a_schema(*rows_of(task), *rows_of(user, 2))
        change = types(("ownership_user", "id", "integer"), (TABLE, "user_id", "integer"))
        owners = owners_of(isolated)
        without_its_key = types((TABLE, "kind", "integer"), (TABLE, "user_id", "integer"))
        assert with_operation(without_its_key.fix(), Location(table_oid=1), owners, schema).operation is None
        at_key = with_operation(change.fix(), Location(table_oid=2), owners, schema).operation
        at_reference = with_operation(change.fix(), Location(table_oid=1), owners, schema).operation
    assert at_key == (
        "# in User: id = models.BigAutoField(primary_key=True)\n"
        'migrations.AlterField("User", "id", models.BigAutoField(primary_key=True, serialize=False))'
    )
    assert at_reference is None


def test_statements_become_sql_when_they_can_be_undone_in_every_database() -> None:
    logged = Statements(sql=("ALTER TABLE public.ownership_task SET LOGGED;",), undo=("SELECT '%';", 'SELECT "x";'))
    assert operation_for(logged) == (
        "migrations.RunSQL(\n"
        '    "ALTER TABLE ownership_task SET LOGGED;",\n'
        "    reverse_sql=[\n"
        "        \"SELECT '%';\",\n"
        "        'SELECT \"x\";',\n"
        "    ],\n"
        ")"
    )
    assert operation_for(Statements(sql=("SELECT setval('s', 9);",))) is None
    assert operation_for(Statements(sql=("SELECT setval('s', 9);",), undo=("SELECT 1;",), is_local=True)) is None


def test_statements_that_name_partitions_are_this_databases_own() -> None:
    with registry() as isolated:
        schema = a_schema(*rows_of(a_model("Task"), kind="p"))
        change = Statements(sql=("ALTER TABLE part SET LOGGED;",), undo=("ALTER TABLE part SET UNLOGGED;",))
        assert with_operation(change.fix(), Location(table_oid=1), owners_of(isolated), schema).operation is None


def test_what_concerns_one_database_alone_has_no_operation() -> None:
    assert operation_for(RebuildIndex(schema="public", name="x")) is None
    assert operation_for(create("user_id", table="elsewhere")) is None
    partition = a_table(9, "part", is_partition=True, parent_oid=1)
    assert operation_for(create("user_id", table="part"), partition, at=9) is None


def test_a_table_placed_in_a_schema_by_its_model_keeps_the_schema() -> None:
    with registry() as isolated:
        task = a_model("Task", kind=models.IntegerField(), meta={"db_table": 'archive"."task'})
        index = an_index(100, "by_hand", (2,), schema="archive")
        schema = a_schema(
            *[row for row in rows_of(task) if hasattr(row, "number")], a_table(1, "task", schema="archive"), index
        )
        change = DropIndex(schema="archive", name="by_hand", definition="CREATE INDEX by_hand ON archive.task (kind)")
        operation = with_operation(change.fix(), Location(table_oid=1), owners_of(isolated), schema).operation
    assert operation is not None
    assert "DROP INDEX CONCURRENTLY IF EXISTS archive.by_hand;" in operation


def test_a_declared_index_in_a_schema_that_is_not_searched_is_dropped_by_its_whole_name() -> None:
    meta = {"db_table": 'archive"."task', "indexes": [models.Index(fields=["kind"], name="declared")]}
    with registry() as isolated:
        task = a_model("Task", kind=models.IntegerField(), meta=meta)
        columns = [row for row in rows_of(task) if hasattr(row, "number")]
        index = an_index(100, "declared", (2,), schema="archive")
        schema = a_schema(*columns, a_table(1, "task", schema="archive"), index)
        change = DropIndex(schema="archive", name="declared", definition="CREATE INDEX declared ON archive.task (kind)")
        operation = with_operation(change.fix(), Location(table_oid=1), owners_of(isolated), schema).operation
    assert operation is not None
    assert operation.startswith("# no longer in Task.Meta.indexes\nmigrations.SeparateDatabaseAndState(")
    assert 'migrations.RemoveIndex("Task", "declared")' in operation
    assert "DROP INDEX CONCURRENTLY IF EXISTS archive.declared;" in operation


@pytest.mark.parametrize(
    ("field", "operation"),
    [
        (lambda: models.CharField(max_length=36, unique=True), "models.UUIDField(unique=True)"),
        (lambda: models.CharField(max_length=36, default=uuid.uuid4), "models.UUIDField(default=uuid.uuid4)"),
        (lambda: models.CharField(max_length=36, default="x"), None),
        (lambda: models.SlugField(max_length=36), None),
    ],
)
def test_texts_become_uuid_as_the_field_does(field: Callable[[], Any], operation: str | None) -> None:
    column = ColumnType(schema="public", table=TABLE, column="rank", old_type="character varying(36)", new_type="uuid")
    change = TextsToUuid(columns=(column,), sql=(f"ALTER TABLE public.{TABLE} A;",), undo=("B;",))
    found = operation_for(change, rank=field)
    if operation is None:
        assert found is None
    else:
        assert found is not None
        (*_, remark, last) = found.splitlines()
        assert remark == "# in Task: rank = models.UUIDField(...)"
        assert last == f'migrations.AlterField("Task", "rank", {operation})'


def test_texts_that_the_model_has_as_uuid_change_in_the_database_alone() -> None:
    column = ColumnType(schema="public", table=TABLE, column="rank", old_type="character varying(36)", new_type="uuid")
    change = TextsToUuid(columns=(column,), sql=("A;",), undo=("B;",))
    assert operation_for(change, rank=models.UUIDField) == (
        'migrations.RunSQL("A;", reverse_sql=migrations.RunSQL.noop)'
    )
    assert operation_for(replace(change, columns=(replace(column, column="extra"),))) is None
