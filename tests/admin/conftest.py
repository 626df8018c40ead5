"""Looks that are there without looking, people with and without rights, and pages read as text."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Protocol

import pytest
from django.test import Client

from dbops import watch
from dbops.history.looks import claim
from dbops.history.storage import store
from dbops.workloads.accounts.models import Permission, Role, User

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test.client import _MonkeyPatchedWSGIResponse as Response

    from dbops.findings.report import Report
    from dbops.models import Look

OVERVIEW = "/admin/dbops/look/"
START = "/admin/dbops/look/start/"
FINDINGS = "/admin/dbops/finding/"


def keep(report: Report) -> Look:
    """Keep `report` as if its database had just been looked at."""
    assert report.target.alias is not None
    look = claim(report.target.alias)
    assert look is not None
    store(look, report)
    return look


def text_of(response: Response) -> str:
    """What a page's main part says, without its tags, in one line."""
    assert response.status_code == 200, response
    main = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


class MakeStaff(Protocol):
    def __call__(self, *permissions: str) -> Client: ...


@pytest.fixture
def staff(db: None) -> MakeStaff:
    """A client logged in as somebody of the staff with these permissions and no other."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user("sam@example.com", full_name="Sam Staff", is_staff=True)
        role = Role.objects.create(name="database")
        role.permissions.set(Permission.objects.create(codename=f"dbops.{name}", name=name) for name in permissions)
        role.user_roles.create(user=user)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture(autouse=True)
def _nothing_seen_before() -> Iterator[None]:
    yield
    watch._watches.clear()
