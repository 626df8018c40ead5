"""Which migration made what, told from the operations alone."""

from __future__ import annotations

from typing import Any

import psycopg.sql
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

from dbops.ownership.history import History, Trait

TASK = ("shop", "task")


def history(*steps: list[Any], app_label: str = "shop") -> History:
    """The history of migrations m1, m2, … with these operations."""
    made = []
    for number, operations in enumerate(steps, start=1):
        made.append(type("Migration", (migrations.Migration,), {"operations": operations})(f"m{number}", app_label))
    return History(made)


def create(*fields: tuple[str, models.Field[Any, Any]], name: str = "Task", **options: Any) -> migrations.CreateModel:
    return migrations.CreateModel(name, [("id", models.BigAutoField(primary_key=True)), *fields], options)


def user_key(**options: Any) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey("auth.User", models.CASCADE, **options)


def index(name: str, *fields: str) -> models.Index:
    return models.Index(fields=fields, name=name)


def positive(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(id__gt=0), name=name)


def test_a_model_comes_with_all_it_was_created_with() -> None:
    seen = history(
        [
            create(
                ("user", user_key()),
                ("code", models.CharField(unique=True)),
                indexes=[index("task_idx", "code")],
                constraints=[positive("task_check")],
                unique_together={("user", "code")},
            )
        ]
    )
    assert seen.model(TASK) == "m1"
    assert seen.field(TASK, "code", Trait.UNIQUE) == "m1"
    assert seen.field(TASK, "user", Trait.INDEX) == "m1"
    assert seen.field(TASK, "user", Trait.FOREIGN_KEY) == "m1"
    assert seen.index(TASK, "task_idx") == seen.constraint(TASK, "task_check") == "m1"
    assert seen.together(TASK, ["user", "code"]) == "m1"


def test_what_a_field_does_not_bring_nobody_made() -> None:
    seen = history([create(("user", user_key(db_index=False, db_constraint=False)), ("n", models.IntegerField()))])
    assert seen.field(TASK, "user", Trait.INDEX) is None
    assert seen.field(TASK, "user", Trait.FOREIGN_KEY) is None
    assert seen.field(TASK, "n", Trait.UNIQUE) is None
    assert seen.field(TASK, "missing") is None
    assert seen.model(("shop", "missing")) is None


def test_an_altered_field_keeps_what_it_had_and_gains_what_is_new() -> None:
    seen = history(
        [create(("code", models.IntegerField(db_index=True)))],
        [migrations.AlterField("task", "code", models.BigIntegerField(db_index=True))],
        [migrations.AlterField("Task", "Code", models.BigIntegerField(unique=True))],
    )
    assert seen.field(TASK, "code") == "m1"
    assert seen.field(TASK, "code", Trait.UNIQUE) == "m3"
    assert seen.field(TASK, "code", Trait.INDEX) is None


def test_an_index_that_was_turned_off_and_on_again_is_the_last_ones() -> None:
    off, on = (models.IntegerField(db_index=value) for value in (False, True))
    seen = history(
        [create(("code", on))],
        [migrations.AlterField("task", "code", off)],
        [migrations.AlterField("task", "code", on)],
    )
    assert seen.field(TASK, "code", Trait.INDEX) == "m3"


def test_a_field_added_again_is_the_later_one() -> None:
    seen = history(
        [create(("code", models.IntegerField()))],
        [migrations.RemoveField("task", "code")],
        [migrations.AddField("task", "code", models.TextField())],
    )
    assert seen.field(TASK, "code") == "m3"
    assert (
        history([create(("code", models.TextField()))], [migrations.RemoveField("task", "code")]).field(TASK, "code")
        is None
    )


def test_renames_are_followed_to_the_names_of_today() -> None:
    seen = history(
        [
            create(
                ("owner", user_key()),
                name="Job",
                indexes=[index("old_idx", "owner")],
                unique_together={("owner", "id")},
            )
        ],
        [migrations.RenameModel("Job", "Task"), migrations.RenameField("Task", "owner", "user")],
        [migrations.RenameIndex("Task", new_name="new_idx", old_name="old_idx")],
        [migrations.AlterModelTable("Task", "other_table")],
    )
    assert seen.model(TASK) == seen.field(TASK, "user", Trait.FOREIGN_KEY) == "m1"
    assert seen.index(TASK, "new_idx") == "m1"
    assert seen.index(TASK, "old_idx") is None
    assert seen.together(TASK, ["user", "id"]) == "m1"
    assert seen.model(("shop", "job")) is None


def test_a_model_of_the_same_name_after_a_deleted_one_starts_anew() -> None:
    seen = history(
        [create(("code", models.IntegerField()))],
        [migrations.DeleteModel("Task")],
        [create(("name", models.TextField()))],
    )
    assert seen.model(TASK) == "m3"
    assert seen.field(TASK, "code") is None


def test_indexes_and_constraints_come_and_go_concurrent_ones_too() -> None:
    seen = history(
        [create()],
        [AddIndexConcurrently("Task", index("a_idx", "id")), migrations.AddIndex("Task", index("b_idx", "id"))],
        [AddConstraintNotValid("Task", positive("a_check")), migrations.AddConstraint("Task", positive("b_check"))],
        [RemoveIndexConcurrently("Task", "b_idx"), migrations.RemoveConstraint("Task", "b_check")],
        [migrations.AlterConstraint("Task", "a_check", positive("a_check"))],
    )
    assert [seen.index(TASK, name) for name in ("a_idx", "b_idx")] == ["m2", None]
    assert [seen.constraint(TASK, name) for name in ("a_check", "b_check")] == ["m3", None]


def test_fields_that_are_together_keep_the_migration_that_put_them_together() -> None:
    seen = history(
        [create(("a", models.IntegerField()), ("b", models.IntegerField()))],
        [migrations.AlterUniqueTogether("Task", {("a", "b")}), migrations.AlterIndexTogether("Task", {("b", "a")})],
        [migrations.AlterUniqueTogether("Task", {("a", "b"), ("id", "a")})],
        [migrations.RenameIndex("Task", new_name="named_idx", old_fields=("b", "a"))],
    )
    assert seen.together(TASK, ["a", "b"]) == "m2"
    assert seen.together(TASK, ["id", "a"]) == "m3"
    assert seen.together(TASK, ["b", "a"]) is None
    assert seen.index(TASK, "named_idx") == "m2"


def test_state_operations_count_wherever_they_stand() -> None:
    class Unknown(migrations.operations.base.Operation):
        state_operations = (migrations.AddIndex("Task", index("c_idx", "id")),)

    state = [migrations.AddIndex("Task", index("a_idx", "id"))]
    seen = history(
        [create()],
        [migrations.SeparateDatabaseAndState(state_operations=state)],
        [migrations.RunSQL("SELECT 1", state_operations=[migrations.AddIndex("Task", index("b_idx", "id"))])],
        [Unknown(), migrations.RunPython(migrations.RunPython.noop)],
        [migrations.SeparateDatabaseAndState(database_operations=[migrations.AddIndex("Task", index("d_idx", "id"))])],
    )
    assert [seen.index(TASK, f"{letter}_idx") for letter in "abcd"] == ["m2", "m3", "m4", None]


def test_names_in_sql_are_found_as_the_server_keeps_them() -> None:
    seen = history(
        [migrations.RunSQL('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "Mixed ""Case" ON t (a)')],
        [
            migrations.RunSQL(
                [("create index Plain on t (a) where b = %s", [1]), "ALTER TABLE t ADD CONSTRAINT c CHECK (a)"]
            )
        ],
        [migrations.SeparateDatabaseAndState([migrations.RunSQL(f"CREATE INDEX {'x' * 70} ON t (a);")])],
        [migrations.RunSQL(migrations.RunSQL.noop)],
    )
    names = ('Mixed "Case', "plain", "c", "x" * 63, "t")
    assert [seen.statement(name) for name in names] == [
        ("shop", "m1"),
        ("shop", "m2"),
        ("shop", "m2"),
        ("shop", "m3"),
        None,
    ]


def test_operations_of_an_odd_make_are_passed_over() -> None:
    class Odd(migrations.operations.base.Operation):
        def state_operations(self) -> list[Any]:
            return []

    composed: Any = psycopg.sql.SQL("CREATE INDEX a_idx ON t (a)")
    seen = history([create()], [Odd(), migrations.RunSQL(composed), migrations.RunSQL([composed, (composed, None)])])
    assert seen.model(TASK) == "m1"
    assert seen.statement("a_idx") is None


def test_a_declared_name_is_found_as_the_server_cuts_it() -> None:
    seen = history(
        [create()],
        [migrations.AddIndex("Task", index("é" * 30, "id"))],
        [migrations.AddConstraint("Task", positive("c" * 70))],
    )
    assert seen.constraint(TASK, "c" * 63) == "m3"
    assert seen.index(TASK, "é" * 30) == "m2"


def test_the_order_column_is_there_while_there_is_an_order() -> None:
    ordered = migrations.AlterOrderWithRespectTo("Task", "user")
    assert history([create(("user", user_key()))], [ordered]).field(TASK, "_order") == "m2"
    unordered = migrations.AlterOrderWithRespectTo("Task", None)
    assert history([create(("user", user_key()))], [ordered], [unordered]).field(TASK, "_order") is None


def test_operations_on_a_model_nobody_saw_being_made_are_kept() -> None:
    seen = history([migrations.AddField("Task", "code", models.IntegerField(db_index=True))])
    assert seen.model(TASK) is None
    assert seen.field(TASK, "code", Trait.INDEX) == "m1"


def test_migrations_have_a_place_in_the_order_and_unknown_ones_come_last() -> None:
    seen = history([], [])
    assert [seen.position("shop", name) for name in ("m1", "m2", "m9", None)] == [0, 1, 2, 2]
