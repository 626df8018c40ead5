"""Tasks: their order, and what the database does by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, connection

from dbops.workloads.tasks.models import Task

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from dbops.workloads.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def tasks(member: User) -> list[Task]:
    due = [date(2026, 3, 2), None, date(2026, 3, 1), date(2026, 3, 1)]
    return Task.objects.bulk_create(
        Task(user=member, title=f"{'done' if done else 'open'} {number}", due_date=day, is_complete=done)
        for done in (False, True)
        for number, day in enumerate(due)
    )


def titles(tasks: object) -> list[str]:
    return [str(task) for task in tasks]  # type: ignore[attr-defined]


def test_what_is_to_do_comes_most_overdue_first_and_undated_last(tasks: list[Task]) -> None:
    assert titles(Task.objects.pending()) == ["open 2", "open 3", "open 0", "open 1"]


def test_what_is_done_comes_latest_first_and_undated_last(tasks: list[Task]) -> None:
    assert titles(Task.objects.completed()) == ["done 0", "done 3", "done 2", "done 1"]


def test_a_users_tasks_are_what_is_to_do_and_then_what_is_done(
    tasks: list[Task], member: User, admin_user: User
) -> None:
    Task.objects.create(user=admin_user, title="somebody else's")
    assert titles(Task.objects.of_user(member)) == [
        "open 2", "open 3", "open 0", "open 1", "done 2", "done 3", "done 0", "done 1"
    ]  # fmt: skip


def test_completing_and_reopening_write_only_what_changes(tasks: list[Task]) -> None:
    assert Task.objects.complete() == 4
    assert Task.objects.complete() == 0
    assert Task.objects.reopen() == 8


def test_a_row_of_plain_sql_needs_a_user_and_a_title_only(member: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO dbops_tasks_task (user_id, title) VALUES (%s, 'plain')", [member.pk])
    task = Task.objects.get()
    assert (task.description, task.is_complete, task.due_date) == ("", False, None)
    assert task.created_at == task.updated_at


LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("how", ["save", "update", "bulk_update", "sql"])
def test_the_time_of_the_last_change_is_kept_whoever_changes(member: User, how: str) -> None:
    task = Task.objects.create(user=member, title="before", created_at=LONG_AGO, updated_at=LONG_AGO)
    assert task.updated_at == LONG_AGO

    task.title = "after"
    match how:
        case "save":
            task.save()
        case "update":
            Task.objects.update(title="after")
        case "bulk_update":
            Task.objects.bulk_update([task], ["title"])
        case _:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE dbops_tasks_task SET title = 'after', updated_at = 'epoch'")

    task.refresh_from_db()
    assert task.title == "after"
    assert (datetime.now(UTC) - task.updated_at).total_seconds() < 60
    assert task.created_at == LONG_AGO


def test_deleting_a_user_by_the_orm_deletes_its_tasks_without_loading_them(
    tasks: list[Task], member: User, admin_user: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Task.objects.create(user=admin_user, title="somebody else's")

    with django_assert_max_num_queries(4) as captured:
        member.delete()

    assert not [query for query in captured.captured_queries if "dbops_tasks_task" in query["sql"]]
    assert titles(Task.objects.all()) == ["somebody else's"]


def test_deleting_users_by_a_queryset_deletes_their_tasks(tasks: list[Task], member: User) -> None:
    type(member).objects.filter(pk=member.pk).delete()
    assert not Task.objects.exists()


def test_deleting_a_user_in_plain_sql_deletes_its_tasks(tasks: list[Task], member: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dbops_accounts_user WHERE id = %s", [member.pk])
    assert not Task.objects.exists()


def test_a_task_of_nobody_is_refused(db: None) -> None:
    Task.objects.create(user_id=987_654_321, title="nobody's")
    with pytest.raises(IntegrityError):
        connection.check_constraints()
