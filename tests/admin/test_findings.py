"""The list of findings, and the page of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.models import Finding
from tests.admin.conftest import FINDINGS, keep, text_of
from tests.render.reports import (
    a_finding,
    a_redundant_index,
    a_report,
    a_target,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings


def page_of(client: Client, **lookup: str) -> str:
    return text_of(client.get(f"{FINDINGS}{Finding.objects.get(**lookup).pk}/change/"))


@pytest.mark.django_db
def test_the_list_is_worst_first_and_can_be_searched_and_filtered(admin_client: Client) -> None:
    keep(a_report(a_redundant_index(), an_unindexed_foreign_key(), an_exhausted_sequence()))
    page = text_of(admin_client.get(FINDINGS))
    order = ["public.orders_orderline_id_seq", "public.task.task_user_fk", "public.task_0_idx"]
    assert sorted(order, key=page.index) == order
    assert "1 finding" in text_of(admin_client.get(FINDINGS, {"q": "orderline"}))
    assert "1 finding" in text_of(admin_client.get(FINDINGS, {"severity__exact": "warning"}))
    assert "2 findings" in text_of(admin_client.get(FINDINGS, {"app_label": "tasks"}))


@pytest.mark.django_db
def test_the_database_is_named_where_there_are_several(admin_client: Client, settings: Settings) -> None:
    keep(a_report(a_finding()))
    assert "By database" not in text_of(admin_client.get(FINDINGS))
    settings.DBOPS = {"DATABASES": ["default", "replica"]}
    keep(a_report(a_finding(), target=a_target(alias="replica")))
    page = text_of(admin_client.get(FINDINGS))
    assert "By database All default replica" in page
    assert "1 finding" in text_of(admin_client.get(FINDINGS, {"look__alias": "replica"}))


@pytest.mark.django_db
def test_what_was_found_in_a_database_that_is_not_looked_at_any_more_is_not_listed(
    admin_client: Client, settings: Settings
) -> None:
    settings.DBOPS = {"DATABASES": ["default", "replica"]}
    for alias in ("default", "replica", "gone"):
        keep(a_report(a_finding(f"public.in_{alias}"), target=a_target(alias=alias)))
    page = text_of(admin_client.get(FINDINGS))
    assert "By database All default replica" in page
    assert "2 findings" in page
    assert "gone" not in page
    settings.DBOPS = {"DATABASES": ["default"]}
    page = text_of(admin_client.get(FINDINGS))
    assert "1 finding" in page
    assert "By database" not in page


@pytest.mark.django_db
def test_a_finding_has_everything_that_mends_and_explains_it(admin_client: Client) -> None:
    finding = an_unindexed_foreign_key(rolled_up=("public.task_p1", "public.task_p2"))
    assert finding.fix is not None
    keep(a_report(finding))
    page = page_of(admin_client)
    assert finding.fix.operation is not None
    for part in (
        finding.message,
        "Fix in a migration of tasks with atomic = False",
        finding.fix.operation,
        "Or in SQL, outside a transaction",
        *finding.fix.sql,
        "Undo in SQL",
        *finding.fix.undo,
        "The same with 2 more public.task_p1 public.task_p2",
        "rows 100,000",
        "table size 17 MB",
        "Model tasks.Task.user",
        "Made by migration 0003_task_user",
        "Whose it is mine",
        finding.fingerprint("default"),
        "Why it matters",
        "How to fix it",
    ):
        assert part in page


@pytest.mark.django_db
def test_a_finding_that_no_code_mends_says_what_to_do(admin_client: Client) -> None:
    keep(a_report(an_exhausted_sequence()))
    page = page_of(admin_client)
    assert "There is no code that mends it by itself" in page
    assert "How to fix it" in page


@pytest.mark.django_db
def test_a_finding_of_a_check_that_is_gone_is_shown_all_the_same(admin_client: Client) -> None:
    keep(a_report(an_exhausted_sequence()))
    Finding.objects.update(check_name="check_of_another_version")
    assert "check_of_another_version: public.orders_orderline_id_seq" in page_of(admin_client)
