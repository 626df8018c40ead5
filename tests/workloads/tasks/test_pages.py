"""The pages of a user's own tasks."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dbops.workloads.accounts import seeding as accounts
from dbops.workloads.accounts.models import User
from dbops.workloads.tasks import seeding as tasks
from dbops.workloads.tasks.models import Task

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(member: User, client: Client) -> Client:
    client.force_login(member)
    return client


@pytest.fixture
def task(member: User) -> Task:
    return Task.objects.create(user=member, title="Water the plants", due_date=date(2026, 3, 1))


@pytest.fixture
def other(db: None) -> Task:
    return Task.objects.create(user=User.objects.create_user("eve@example.com"), title="Somebody else's")


def make(user: User, number: int, **values: Any) -> None:
    Task.objects.bulk_create(Task(user=user, title=f"task {i}", **values) for i in range(number))


def titles(client: Client, query: str = "") -> list[str]:
    return [task.title for task in client.get(f"/tasks/{query}").context["tasks"]]


@pytest.mark.parametrize("page", ["", "new/", "{pk}/", "{pk}/delete/"])
def test_a_page_wants_a_log_in_and_is_kept_by_nobody(client: Client, member: User, task: Task, page: str) -> None:
    address = f"/tasks/{page.format(pk=task.pk)}"
    assert client.get(address)["Location"] == f"/account/login/?next={address}"
    client.force_login(member)
    response = client.get(address)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]


def test_the_start_leads_to_the_tasks_or_to_log_in(client: Client, member: User) -> None:
    assert client.get("/", follow=True).redirect_chain == [("/tasks/", 302), ("/account/login/?next=/tasks/", 302)]
    client.force_login(member)
    assert client.get("/", follow=True).redirect_chain == [("/tasks/", 302)]


def test_only_the_staff_is_shown_the_way_to_the_admin(visitor: Client, member: User) -> None:
    assert 'href="/admin/"' not in visitor.get("/tasks/").content.decode()
    User.objects.update(is_staff=True)
    assert 'href="/admin/"' in visitor.get("/tasks/").content.decode()


def test_the_tabs_show_all_pending_and_completed(visitor: Client, member: User, other: Task) -> None:
    for title, due, done in (("b", 2, False), ("a", 1, False), ("x", 1, True), ("y", 3, True)):
        Task.objects.create(user=member, title=title, due_date=date(2026, 3, due), is_complete=done)
    Task.objects.create(user=member, title="undated")
    assert titles(visitor) == ["a", "b", "undated", "x", "y"]
    assert titles(visitor, "?status=pending") == ["a", "b", "undated"]
    assert titles(visitor, "?status=completed") == ["y", "x"]
    assert titles(visitor, "?status=nonsense") == ["a", "b", "undated", "x", "y"]
    tabs = visitor.get("/tasks/").context["tabs"]
    assert tabs == [{"status": s, "count": n} for s, n in (("all", 5), ("pending", 3), ("completed", 2))]


@pytest.mark.parametrize("status", ["all", "pending", "completed"])
def test_the_list_costs_the_same_for_one_task_and_for_many(visitor: Client, member: User, status: str) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert visitor.get(f"/tasks/?status={status}").status_code == 200
        return len(captured)

    make(member, 1)
    make(member, 1, is_complete=True)
    for_one = cost()
    make(member, 30)
    make(member, 30, is_complete=True)
    assert cost() == for_one == 4, "the session, the user, the counts, one page of tasks"


def test_a_long_list_has_pages_and_the_nearest_stands_in_for_one_that_is_not_there(
    visitor: Client, member: User
) -> None:
    make(member, 45)
    assert [len(titles(visitor, f"?page={page}")) for page in (1, 2, 3, 9, "x", -1)] == [20, 20, 5, 5, 20, 5]
    page = visitor.get("/tasks/?status=pending&page=2").content.decode()
    assert "Page 2 of 3" in page
    assert "?status=pending&amp;page=3" in page


@pytest.mark.parametrize(
    ("query", "done", "words"),
    [
        ("", None, "Write down your first task."),
        ("?status=completed", None, "Nothing is done yet."),
        ("?status=pending", True, "Nothing is left to do."),
        ("?status=completed", False, "Nothing is done yet."),
    ],
)
def test_an_empty_list_says_why(visitor: Client, member: User, query: str, done: bool | None, words: str) -> None:
    if done is not None:
        make(member, 1, is_complete=done)
    assert words in visitor.get(f"/tasks/{query}").content.decode()


def test_what_should_be_done_already_is_marked(visitor: Client, member: User) -> None:
    today = timezone.localdate()
    for title, days, done in (("late", -1, False), ("today", 0, False), ("done late", -1, True)):
        Task.objects.create(user=member, title=title, due_date=today + timedelta(days), is_complete=done)
    Task.objects.create(user=member, title="undated")
    page = visitor.get("/tasks/")
    assert [task.title for task in page.context["tasks"] if task.is_overdue] == ["late"]
    assert page.content.decode().count(">Overdue<") == 1


def test_a_task_is_created_for_the_one_who_asks(visitor: Client, member: User, other: Task) -> None:
    given = {"title": " Buy milk ", "description": "<b>two</b>", "due_date": "2026-03-01"}
    response = visitor.post("/tasks/new/", {**given, "user": other.user_id, "is_complete": "on"}, follow=True)
    task = Task.objects.get(title="Buy milk")
    assert (task.user, task.description, task.due_date, task.is_complete) == (
        member, "<b>two</b>", date(2026, 3, 1), False,
    )  # fmt: skip
    page = response.content.decode()
    assert "“Buy milk” is on your list." in page
    assert "&lt;b&gt;two" in page
    assert "<b>two" not in page


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"title": ""}, "title"),
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "nul \x00"}, "title"),
        ({"due_date": "tomorrow"}, "due_date"),
        ({"due_date": "2026-02-30"}, "due_date"),
    ],
)
def test_what_cannot_be_kept_is_said_at_its_field(visitor: Client, values: dict[str, str], wrong: str) -> None:
    response = visitor.post("/tasks/new/", {"title": "x", "description": "", "due_date": "", **values})
    assert set(response.context["form"].errors) == {wrong}
    page = response.content.decode()
    assert f'aria-describedby="id_{wrong}_error"' in page
    assert f'id="id_{wrong}_error"' in page
    assert not Task.objects.exists()


def test_a_task_is_changed_and_the_form_has_what_it_was(visitor: Client, task: Task) -> None:
    page = visitor.get(f"/tasks/{task.pk}/").content.decode()
    assert 'value="Water the plants"' in page
    assert 'value="2026-03-01"' in page
    visitor.post(
        f"/tasks/{task.pk}/", {"title": "Water them", "description": "all", "due_date": "", "is_complete": "on"}
    )
    task.refresh_from_db()
    assert (task.title, task.description, task.due_date, task.is_complete) == ("Water them", "all", None, True)


def test_completing_and_reopening_twice_does_no_harm(visitor: Client, task: Task) -> None:
    for action, is_complete in (("complete", True), ("complete", True), ("reopen", False), ("reopen", False)):
        assert visitor.post(f"/tasks/{task.pk}/{action}/")["Location"] == "/tasks/"
        task.refresh_from_db()
        assert task.is_complete is is_complete


def test_deleting_asks_first(visitor: Client, task: Task) -> None:
    assert "“Water the plants” will be gone for good." in visitor.get(f"/tasks/{task.pk}/delete/").content.decode()
    assert Task.objects.exists()
    assert visitor.post(f"/tasks/{task.pk}/delete/")["Location"] == "/tasks/"
    assert not Task.objects.exists()


@pytest.mark.parametrize("action", ["complete", "reopen"])
def test_nothing_is_marked_by_following_a_link(visitor: Client, task: Task, action: str) -> None:
    assert visitor.get(f"/tasks/{task.pk}/{action}/").status_code == 405


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("page", ["{pk}/", "{pk}/delete/", "{pk}/complete/", "{pk}/reopen/"])
def test_somebody_elses_task_is_not_found_and_stays_as_it_is(
    visitor: Client, other: Task, method: str, page: str
) -> None:
    before = Task.objects.values().get()
    response = getattr(visitor, method)(f"/tasks/{page.format(pk=other.pk)}", {"title": "mine", "due_date": ""})
    assert response.status_code == (405 if method == "get" and page.endswith(("complete/", "reopen/")) else 404)
    assert Task.objects.values().get() == before


@pytest.mark.parametrize("pk", [0, 987654321, 10**30])
def test_a_task_that_is_not_there_is_not_found(visitor: Client, pk: int) -> None:
    assert visitor.get(f"/tasks/{pk}/").status_code == 404


@pytest.mark.parametrize(
    ("query", "back"),
    [
        ("?status=pending&page=2", "/tasks/?status=pending&page=2"),
        ("?status=all&page=1", "/tasks/?page=1"),
        ("?status=//evil.example&page=%0d%0aX:y&next=//evil.example", "/tasks/"),
    ],
)
def test_one_comes_back_to_the_list_as_it_was_seen(visitor: Client, task: Task, query: str, back: str) -> None:
    assert visitor.post(f"/tasks/{task.pk}/complete/{query}")["Location"] == back


def test_the_pages_queries_use_the_composite_index(visitor: Client) -> None:
    """At a tenth of the scale that the targets are stated at."""
    accounts.seed(users=1_000)
    tasks.seed(users=1_000)
    user = User.objects.get(pk=500)
    for queryset in (
        Task.objects.of_user(user),
        Task.objects.of_user(user).pending(),
        Task.objects.of_user(user).completed(),
    ):
        (plan,) = json.loads(queryset[:20].explain(format="json"))
        scans = {node["Node Type"]: node for node in nodes(plan["Plan"]) if "Relation Name" in node}
        (name,) = {node.get("Index Name") for node in nodes(plan["Plan"]) if "Index Name" in node}
        assert name == "dbops_task_user_due_idx"
        assert "Seq Scan" not in scans


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
