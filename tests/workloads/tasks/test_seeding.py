"""Seeded tasks: the same each time, for seeded users only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group

from dbops.errors import ConfigurationError
from dbops.workloads import seeding as shared
from dbops.workloads.accounts.models import User
from dbops.workloads.accounts.seeding import seed as seed_users
from dbops.workloads.tasks import seeding
from dbops.workloads.tasks.models import Task
from dbops.workloads.tasks.seeding import seed
from tests.workloads.digest import digest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

TASKS = "dbops_tasks_task"


@pytest.fixture
def users(db: None) -> Callable[[int], None]:
    return lambda number: seed_users(users=number)


def test_the_same_scale_and_seed_make_the_same_bytes_on_every_server(users: Callable[[int], None]) -> None:
    users(100)
    seed(users=100)
    assert digest(TASKS) == "1000:f39ca557b9cef2fa260f842b32fc1df8"


def test_seeding_twice_changes_nothing_and_a_lost_row_comes_back(users: Callable[[int], None]) -> None:
    users(50)
    seed(users=50)
    before = digest(TASKS)

    seed(users=50)
    assert digest(TASKS) == before

    Task.objects.filter(pk=123).delete()
    seed(users=50)
    assert digest(TASKS) == before


def test_a_larger_scale_adds_what_is_missing_and_changes_nothing(users: Callable[[int], None]) -> None:
    users(80)
    seed(users=40)
    before = digest(TASKS)

    seed(users=80)

    assert digest(TASKS, where="id <= 400") == before
    assert Task.objects.count() == 800


@pytest.mark.parametrize("tasks_per_user", [1, 3, 25])
def test_there_are_as_many_as_asked_for(users: Callable[[int], None], tasks_per_user: int) -> None:
    users(30)
    seed(users=30, tasks_per_user=tasks_per_user)
    assert Task.objects.count() == 30 * tasks_per_user


def test_a_user_who_is_a_person_gets_none(users: Callable[[int], None]) -> None:
    person = User.objects.create(pk=1, email="person@real.test", password="!")
    users(20)

    seed(users=20)

    assert not Task.objects.filter(user=person).exists()
    assert 0 < Task.objects.count() < 200


def test_users_who_are_not_there_get_none() -> None:
    seed(users=20)
    assert not Task.objects.exists()


def test_the_next_task_gets_a_key_beyond_the_seeded_ones(users: Callable[[int], None]) -> None:
    users(20)
    seed(users=20)
    assert Task.objects.create(user_id=1, title="next").pk > 200


def test_progress_counts_up_to_the_whole(users: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    users(10)
    monkeypatch.setattr(shared, "BATCH_ROWS", 40)
    told: list[tuple[int, int, str]] = []

    seed(users=10, progress=lambda *step: told.append(step))

    assert told == [(40, 100, "tasks"), (80, 100, "tasks"), (100, 100, "tasks")]


def test_users_without_an_address_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Group, "get_email_field_name", lambda: "id", raising=False)
    monkeypatch.setattr(seeding, "get_user_model", lambda: Group)

    with pytest.raises(ConfigurationError, match=r"tasks cannot be seeded for auth\.Group") as refusal:
        seed(users=1)

    assert "dbops_accounts.User" in str(refusal.value.hint)
