"""The operations on tables with rows in them, forwards and back, in a transaction and outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, migrations, models
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

from dbops.workloads.operations import KeepUpdatedAt, SetDatabaseOnDelete

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.migrations.operations.base import Operation

pytestmark = pytest.mark.django_db(transaction=True)


def key() -> models.BigAutoField[Any, Any]:
    return models.BigAutoField(primary_key=True)


def reference(**options: Any) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey("shelf.Shelf", models.DO_NOTHING, **options)


SHELF = migrations.CreateModel("Shelf", [("id", key())])
BOOK = migrations.CreateModel(
    "Book",
    [("id", key()), ("shelf", reference(null=True)), ("changed_at", models.DateTimeField(db_default=Now()))],
)


class Shelves:
    """Tables of two models that are in no app, changed by operations as a migration would."""

    def __init__(self) -> None:
        self.state = ProjectState()

    def apply(self, *operations: Operation, atomic: bool = True) -> None:
        with connection.schema_editor(atomic=atomic) as editor:
            for operation in operations:
                before = self.state.clone()
                operation.state_forwards("shelf", self.state)
                operation.database_forwards("shelf", editor, before, self.state)

    def take_back(self, operation: Operation) -> None:
        with connection.schema_editor() as editor:
            operation.database_backwards("shelf", editor, self.state, self.state)

    @staticmethod
    def execute(sql: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def constraint(self) -> list[tuple[Any, ...]]:
        return self.execute(
            "SELECT confdeltype, convalidated, condeferrable, condeferred FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = 'shelf_book'::regclass"
        )


@pytest.fixture
def shelves(transactional_db: None) -> Iterator[Shelves]:
    shelves = Shelves()
    yield shelves
    shelves.execute("DROP TABLE IF EXISTS shelf_book, shelf_shelf")
    shelves.execute("DROP FUNCTION IF EXISTS shelf_book_set_changed_at()")


@pytest.fixture
def filled(shelves: Shelves) -> Shelves:
    shelves.apply(SHELF, BOOK)
    shelves.execute("INSERT INTO shelf_shelf SELECT FROM generate_series(1, 2)")
    shelves.execute("INSERT INTO shelf_book (shelf_id) SELECT 1 + n % 2 FROM generate_series(1, 10) AS n")
    return shelves


def test_a_constraint_of_the_same_migration_is_made_once_and_cascades(shelves: Shelves) -> None:
    shelves.apply(SHELF, BOOK, SetDatabaseOnDelete("Book", "shelf", "CASCADE"))
    assert shelves.constraint() == [("c", True, True, True)]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_constraint_with_rows_under_it_is_replaced_and_validated(filled: Shelves, atomic: bool) -> None:
    filled.apply(SetDatabaseOnDelete("Book", "shelf", "CASCADE"), atomic=atomic)

    assert filled.constraint() == [("c", True, True, True)]
    filled.execute("DELETE FROM shelf_shelf WHERE id = 1")
    assert filled.execute("SELECT DISTINCT shelf_id, count(*) FROM shelf_book GROUP BY 1") == [(2, 5)]


def test_set_null_keeps_the_rows(filled: Shelves) -> None:
    filled.apply(SetDatabaseOnDelete("Book", "shelf", "SET NULL"))

    filled.execute("DELETE FROM shelf_shelf WHERE id = 1")

    assert filled.execute("SELECT count(*) FROM shelf_book WHERE shelf_id IS NULL") == [(5,)]


def test_going_back_makes_the_plain_constraint(filled: Shelves) -> None:
    operation = SetDatabaseOnDelete("Book", "shelf", "CASCADE")
    filled.apply(operation)
    filled.take_back(operation)

    assert filled.constraint() == [("a", True, True, True)]
    with pytest.raises(IntegrityError):
        filled.execute("DELETE FROM shelf_shelf WHERE id = 1")


def test_rows_written_in_the_same_transaction_do_not_stop_it(filled: Shelves) -> None:
    insert = migrations.RunSQL("INSERT INTO shelf_book (shelf_id) VALUES (1)")

    filled.apply(insert, SetDatabaseOnDelete("Book", "shelf", "CASCADE"))

    assert filled.constraint() == [("c", True, True, True)]


def test_a_constraint_that_was_renamed_is_found(filled: Shelves) -> None:
    (name,) = filled.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'shelf_book'::regclass AND contype = 'f'"
    )
    filled.execute(f'ALTER TABLE shelf_book RENAME CONSTRAINT "{name[0]}" TO "Books on a shelf"')

    filled.apply(SetDatabaseOnDelete("Book", "shelf", "CASCADE"))

    assert filled.constraint() == [("c", True, True, True)]


def test_only_a_foreign_key_has_an_on_delete(filled: Shelves) -> None:
    with pytest.raises(TypeError, match=r"shelf\.Book\.changed_at is not a foreign key"):
        filled.apply(SetDatabaseOnDelete("Book", "changed_at", "CASCADE"))


def test_the_trigger_keeps_the_time_until_it_is_taken_back(filled: Shelves) -> None:
    operation = KeepUpdatedAt("Book", "changed_at")
    longest_ago = "UPDATE shelf_book SET changed_at = 'epoch'"
    written = "SELECT DISTINCT changed_at > now() - interval '1 minute' FROM shelf_book"

    filled.apply(operation)
    filled.execute(longest_ago)
    assert filled.execute(written) == [(True,)]

    filled.take_back(operation)
    filled.execute(longest_ago)
    assert filled.execute(written) == [(False,)]
    assert filled.execute("SELECT FROM pg_proc WHERE proname LIKE 'shelf%'") == []


def test_only_a_time_can_be_kept(filled: Shelves) -> None:
    with pytest.raises(TypeError, match=r"shelf\.Book\.shelf is not a DateTimeField"):
        filled.apply(KeepUpdatedAt("Book", "shelf"))


@pytest.mark.parametrize("operation", [SetDatabaseOnDelete("Book", "shelf", "CASCADE"), KeepUpdatedAt("Book")])
def test_an_operation_says_what_it_does_and_can_be_written_down(operation: Operation) -> None:
    name, arguments, keywords = operation.deconstruct()
    again = type(operation)(*arguments, **keywords)

    assert "Book" in operation.describe()
    assert operation.migration_name_fragment.startswith("book_")
    assert name == type(operation).__name__
    assert vars(again) == vars(operation)


def test_sqlmigrate_names_the_constraint_of_a_table_that_is_not_there_yet(shelves: Shelves) -> None:
    operation = SetDatabaseOnDelete("Book", "shelf", "CASCADE")
    for create in (SHELF, BOOK):
        create.state_forwards("shelf", shelves.state)
    with connection.schema_editor(collect_sql=True) as editor:
        operation.database_forwards("shelf", editor, shelves.state, shelves.state)

    shelves.state = ProjectState()
    shelves.apply(SHELF, BOOK)
    for statement in editor.collected_sql:
        shelves.execute(statement)

    assert shelves.constraint() == [("c", True, True, True)]


def test_squashing_moves_nothing_of_the_table_across() -> None:
    book = [BOOK, SetDatabaseOnDelete("Book", "shelf", "CASCADE"), migrations.RemoveField("Book", "changed_at")]
    assert MigrationOptimizer().optimize(book, "shelf") == book

    other = [SHELF, book[1], migrations.AddField("Shelf", "room", models.IntegerField(default=0))]
    assert len(MigrationOptimizer().optimize(other, "shelf")) == 2


def test_the_workloads_go_to_nothing_and_come_back() -> None:
    try:
        call_command("migrate", "dbops_accounts", "zero", verbosity=0)
        tables = connection.introspection.table_names()
        assert not [name for name in tables if name.startswith(("dbops_accounts_", "dbops_tasks_"))]
        assert Shelves.execute("SELECT FROM pg_proc WHERE proname LIKE 'dbops%'") == []
    finally:
        call_command("migrate", verbosity=0)

    assert "dbops_tasks_task" in connection.introspection.table_names()
