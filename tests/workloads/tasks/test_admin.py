"""The admin of tasks: what it costs and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.workloads.accounts.models import User
from dbops.workloads.tasks.models import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

pytestmark = pytest.mark.django_db

TASKS = "/admin/dbops_tasks/task/"


@pytest.mark.parametrize("query", ["", "?is_complete__exact=0", "?q=example", "?due_date__year=2026"])
def test_the_list_costs_the_same_for_one_row_and_for_many(
    statements_of_page: Callable[[str], int], member: User, query: str
) -> None:
    def make(number: int) -> None:
        for i in range(number):
            user = User.objects.create_user(f"user{number}.{i}@example.com")
            Task.objects.create(user=user, title="task", due_date=f"2026-0{1 + i % 9}-01")

    make(2)
    for_few = statements_of_page(TASKS + query)
    make(30)

    assert statements_of_page(TASKS + query) == for_few


def test_tasks_are_completed_and_reopened_by_actions(admin_client: Client, member: User) -> None:
    task = Task.objects.create(user=member, title="task")

    for action, message, is_complete in (
        ("mark_complete", "1 marked as complete.", True),
        ("mark_complete", "0 marked as complete.", True),
        ("reopen", "1 reopened.", False),
    ):
        response = admin_client.post(TASKS, {"action": action, "_selected_action": [task.pk]}, follow=True)
        assert message in response.content.decode()
        task.refresh_from_db()
        assert task.is_complete is is_complete


def test_a_task_is_added_and_changed(admin_client: Client, member: User) -> None:
    assert "updated" not in admin_client.get(f"{TASKS}add/").content.decode().lower()
    added = admin_client.post(f"{TASKS}add/", {"user": member.pk, "title": "new", "due_date": "2026-03-01"})
    assert added.status_code == 302

    task = Task.objects.get()
    assert "Updated at" in admin_client.get(f"{TASKS}{task.pk}/change/").content.decode()
    admin_client.post(f"{TASKS}{task.pk}/change/", {"user": member.pk, "title": "old", "is_complete": "on"})

    changed = Task.objects.get()
    assert (changed.title, changed.is_complete, changed.due_date) == ("old", True, None)
    assert changed.updated_at > task.updated_at


def test_tasks_are_found_by_title_and_by_their_users_address(admin_client: Client, member: User) -> None:
    Task.objects.create(user=member, title="Water the plants")
    for term in ("plants", "mia.member"):
        assert "Water the plants" in admin_client.get(TASKS, {"q": term}).content.decode()
    assert "Water the plants" not in admin_client.get(TASKS, {"q": "cactus"}).content.decode()
