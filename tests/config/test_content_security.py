"""The Content-Security-Policy: with every answer, and with nothing of the site's or the admin's in its way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpResponse

from config.content_security import ContentSecurityPolicyMiddleware
from dbops.workloads.accounts.models import Permission, Role, User
from dbops.workloads.tasks.models import Task

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.test import Client, RequestFactory
    from pytest_django import Settings

    from tests.browser import OpenBrowser

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
ADMIN_PAGES = (
    "",
    "dbops_accounts/user/",
    "dbops_accounts/user/?q=ada&is_staff__exact=0",
    "dbops_accounts/user/add/",
    "dbops_accounts/user/{user}/change/",
    "dbops_accounts/user/{user}/history/",
    "dbops_accounts/user/{user}/password/",
    "dbops_accounts/user/{user}/delete/",
    "dbops_accounts/role/{role}/change/",
    "dbops_accounts/userrole/add/",
    "dbops_tasks/task/",
    "dbops_tasks/task/add/",
)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/account/login/", "/nothing/here/", "/admin/", "/account/logout/"])
def test_every_answer_carries_the_policy(client: Client, address: str) -> None:
    assert client.get(address)["Content-Security-Policy"] == POLICY


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "host", "status"),
    [("/account/login", "testserver", 301), ("/account/login/", "elsewhere.example", 400)],
    ids=["missing slash", "foreign host"],
)
def test_what_is_answered_before_any_view_carries_it_too(client: Client, address: str, host: str, status: int) -> None:
    response = client.get(address, headers={"host": host})
    assert response.status_code == status
    assert response["Content-Security-Policy"] == POLICY


def test_being_sent_to_https_carries_it_too(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/account/login/")
    assert response["Location"].startswith("https://")
    assert response["Content-Security-Policy"] == POLICY


def test_a_view_can_say_something_of_its_own(rf: RequestFactory) -> None:
    request = rf.get("/")

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

    response = ContentSecurityPolicyMiddleware(view).process_response(request, view(request))
    assert response["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize(
    ("debug", "status", "carries"), [(True, 500, False), (True, 400, False), (True, 200, True), (False, 500, True)]
)
def test_only_the_pages_that_explain_an_error_in_development_go_without(
    rf: RequestFactory, settings: Settings, debug: bool, status: int, carries: bool
) -> None:
    settings.DEBUG = debug
    middleware = ContentSecurityPolicyMiddleware(lambda _: HttpResponse())
    response = middleware.process_response(rf.get("/"), HttpResponse(status=status))
    assert ("Content-Security-Policy" in response) is carries


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/account/login/", "/account/register/", "/account/password/", "/tasks/", "/tasks/new/"]
)
def test_a_page_of_the_site_carries_no_script_or_style_inside(
    admin_client: Client, client: Client, address: str
) -> None:
    reader = client if address in {"/account/login/", "/account/register/"} else admin_client
    page = reader.get(address).content.decode()
    assert "<main" in page
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", page)


def test_the_admins_own_pages_work_under_it(browser: OpenBrowser) -> None:
    admin = User.objects.create_superuser("root@example.com")
    user = User.objects.create_user("ada@example.com", full_name="Ada")
    role = Role.objects.create(name="editor")
    role.permissions.add(Permission.objects.create(codename="press.edit_page", name="Edit"))
    user.roles.add(role)
    Task.objects.create(user=user, title="Water the plants")
    LogEntry.objects.log_actions(str(admin.pk), User.objects.filter(pk=user.pk), CHANGE, "Changed.")
    visit = browser()
    visit.log_in(admin)
    for page in ADMIN_PAGES:
        answer = visit.page.goto(f"/admin/{page.format(user=user.pk, role=role.pk)}")
        assert answer is not None
        assert answer.status == 200, page
        assert visit.complaints == [], page

    visit.page.wait_for_load_state("networkidle")

    # Its scripts run: the calendar writes a date, and the two lists take a role from one to the other.
    visit.page.get_by_text("Today", exact=True).first.click()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", visit.page.get_by_label("Due date").input_value())
    visit.page.goto(f"/admin/dbops_accounts/role/{role.pk}/change/")
    visit.page.locator("select#id_held_permissions_to").wait_for()
    assert visit.complaints == []


def test_what_the_policy_forbids_is_blocked_and_noticed(browser: OpenBrowser) -> None:
    visit = browser()
    visit.page.goto("/account/login/")
    visit.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    visit.page.evaluate("document.head.appendChild(document.createElement('script')).text = 'window.ran = true'")
    assert visit.page.evaluate("window.ran") is None
    assert len(visit.complaints) == 2
    assert all("Content Security Policy" in complaint for complaint in visit.complaints)
