"""A first day, in Chromium: somebody registers, keeps tasks, finds what is wrong with the database, and mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from dbops.workloads.accounts.models import User
from dbops.workloads.tasks.models import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser import OpenBrowser

PASSWORD = "correct horse battery"


@pytest.fixture
def index_too_many(transactional_db: None) -> Iterator[str]:
    """On the tasks' own table, so that it has a model and a fix as a migration."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX task_user_again ON dbops_tasks_task (user_id)")
    yield "public.task_user_again"
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS task_user_again")


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_from_registering_to_a_fault_that_is_mended(browser: OpenBrowser, index_too_many: str, width: int) -> None:
    visit = browser(width=width)
    page = visit.page
    page.goto("/account/register/")
    page.get_by_label("E-mail address").fill("Ada@Example.com")
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    for title in ("Water the plants", "Read the report"):
        page.goto("/tasks/")
        page.get_by_role("link", name="New task").or_(page.get_by_role("link", name="Write down")).first.click()
        page.get_by_label("Title").fill(title)
        page.get_by_role("button", name="Save").click()
        page.get_by_text(title).first.wait_for()
    assert Task.objects.filter(user__email__iexact="ada@example.com").count() == 2

    User.objects.filter(email__iexact="ada@example.com").update(is_staff=True, is_superuser=True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/admin/")
    page.locator("main").get_by_role("link", name="Overview", exact=True).click()
    page.get_by_role("button", name="Look now").click()
    page.get_by_role("button", name="Look again").wait_for()
    page.get_by_role("link", name=index_too_many).first.click()
    page.get_by_text("dbops_tasks.Task.user").first.wait_for()
    code = page.locator(".dbops-code").filter(has_text="DROP INDEX CONCURRENTLY public.task_user_again;").first
    code.get_by_role("button", name="Copy").click()
    code.get_by_text("Copied").wait_for()
    fix = page.evaluate("navigator.clipboard.readText()")
    assert visit.width_of_content() <= width
    assert visit.complaints == []

    with connection.cursor() as cursor:  # what was copied is what a person would paste into psql
        cursor.execute(fix)
    page.goto("/admin/")
    page.locator("main").get_by_role("link", name="Overview", exact=True).click()
    page.get_by_role("button", name="Look again").click()
    page.get_by_role("link", name=index_too_many).first.wait_for(state="detached")
    assert visit.complaints == []
