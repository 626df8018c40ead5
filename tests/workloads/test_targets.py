"""At 10,000 users and 100,000 tasks: what the rows are like, and which index serves which query.

How long each takes is measured by tests/benchmarks.
"""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.models import Avg, Count, Max, Q
from django.db.models.functions import Length

from dbops.workloads.accounts.models import Permission, Role, RolePermission, User, UserRole
from dbops.workloads.registry import EPOCH
from dbops.workloads.tasks.models import Task
from tests.workloads.rows import everything_seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import QuerySet
    from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="module")
def committed_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """10,000 users and 100,000 tasks, committed as the demo's are, and taken away after the last test."""
    with django_db_blocker.unblock(), everything_seeded():
        yield


@pytest.fixture
def seeded(committed_rows: None, db: None) -> None:
    """The same in a transaction that is rolled back."""


@pytest.fixture
def busiest(seeded: None) -> User:
    """The user with the most tasks, some hundreds."""
    user: User = User.objects.annotate(number=Count("tasks")).order_by("-number", "id")[0]
    return user


def test_the_scale_says_how_many_there_are(seeded: None) -> None:
    assert (User.objects.count(), Task.objects.count()) == (10_000, 100_000)


def test_tasks_are_spread_over_users_as_in_life(seeded: None, busiest: User) -> None:
    numbers = sorted(User.objects.annotate(number=Count("tasks")).values_list("number", flat=True))

    assert sum(numbers) / len(numbers) == 10
    assert 3 < median(numbers) < 8
    assert 300 < busiest.tasks.count() < 1_000
    assert numbers[0] == 0


def test_tasks_are_due_around_now_and_three_in_five_are_done(seeded: None) -> None:
    today = EPOCH.date()
    numbers = Task.objects.aggregate(
        done=Count("pk", filter=Q(is_complete=True)),
        undated=Count("pk", filter=Q(due_date=None)),
        to_come=Count("pk", filter=Q(due_date__gt=today)),
    )
    assert 55_000 < numbers["done"] < 65_000
    assert 10_000 < numbers["undated"] < 20_000
    assert 5_000 < numbers["to_come"] < 30_000
    assert Task.objects.filter(is_complete=False, due_date__lt=today).exists()


def test_texts_have_the_lengths_of_texts(seeded: None) -> None:
    lengths = Task.objects.aggregate(
        of_title=Avg(Length("title")), of_description=Avg(Length("description")), longest=Max(Length("description"))
    )
    assert 20 < lengths["of_title"] < 60
    assert 100 < lengths["of_description"] < 250
    assert lengths["longest"] > 600


def test_some_users_are_deleted_and_few_are_staff(seeded: None) -> None:
    assert 300 < User.objects.deleted().count() < 500
    assert User.objects.filter(is_staff=True).count() == 25
    assert not User.objects.filter(is_superuser=True).exists()


INDEXED: dict[str, tuple[str, Callable[[], QuerySet[Any]]]] = {
    "a user by e-mail address": (
        "dbops_user_email_lower_key",
        lambda: User.objects.filter(email__iexact="Ada.Novak77@example.com"),
    ),
    "users in order of e-mail address": ("dbops_user_email_key", lambda: User.objects.order_by("email")[:50]),
    "newest users that are not deleted": (
        "dbops_user_joined_idx",
        lambda: User.objects.not_deleted().order_by("-date_joined", "-id")[:50],
    ),
    "number of users that are not deleted": (
        "dbops_user_joined_idx",
        lambda: User.objects.not_deleted().filter(date_joined__gt=EPOCH - timedelta(days=30)),
    ),
    "a user's roles": ("dbops_userrole_key", lambda: Role.objects.held_by(User(pk=4711))),
    "a user's permissions": ("dbops_userrole_key", lambda: Permission.objects.granted_to(User(pk=4711))),
    "users of a role": (
        "dbops_userrole_role_idx",
        lambda: UserRole.objects.filter(role_id=Role.objects.get(name="administrator").pk),
    ),
    "what a user granted": ("dbops_userrole_granted_by_idx", lambda: UserRole.objects.filter(granted_by_id=401)),
    "a user's tasks": ("dbops_task_user_due_idx", lambda: Task.objects.of_user(User(pk=17))),
    "a user's pending tasks": ("dbops_task_user_due_idx", lambda: Task.objects.of_user(User(pk=17)).pending()),
    "a user's completed tasks": ("dbops_task_user_due_idx", lambda: Task.objects.of_user(User(pk=17)).completed()),
    "tasks of a deleted user (the cascade)": ("dbops_task_user_due_idx", lambda: Task.objects.filter(user_id=17)),
}


@pytest.mark.parametrize("query", INDEXED)
def test_a_query_is_served_by_the_index_that_names_it(seeded: None, query: str) -> None:
    index, queryset = INDEXED[query]
    plan = queryset().explain()
    assert index in plan
    assert "Seq Scan on dbops_accounts_user" not in plan
    assert "Seq Scan on dbops_tasks_task" not in plan


@pytest.mark.parametrize(
    ("index", "condition"),
    [
        ("dbops_rolepermission_key", {"role_id": 3}),
        ("dbops_roleperm_permission_idx", {"permission_id": 3}),
    ],
)
def test_the_small_tables_indexes_serve_once_the_tables_are_large(
    seeded: None, index: str, condition: dict[str, int]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert index in RolePermission.objects.filter(**condition).explain()


def test_the_admins_list_of_users_is_read_in_order_without_sorting(seeded: None) -> None:
    plan = User.objects.not_deleted().order_by("-date_joined", "-id")[:100].explain()
    assert "Sort" not in plan
