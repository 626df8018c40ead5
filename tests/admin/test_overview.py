"""The overview of a database: what it says, to what it can be narrowed, and who sees it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dbops.findings.finding import Owner, Ownership, Severity
from dbops.findings.report import CheckResult, Ignored, Outcome
from dbops.history.looks import EXPIRES_AFTER, claim
from dbops.history.storage import store_failure
from dbops.models import Finding, Look
from tests.admin.conftest import FINDINGS, OVERVIEW, START, keep, text_of
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

    from dbops.findings.fix import Fix
    from dbops.findings.report import Report
    from tests.admin.conftest import MakeStaff

THEIRS = Owner(ownership=Ownership.CONTRIB, app_label="auth", model="auth.User")


def an_index_fix() -> Fix:
    fix = a_redundant_index().fix
    assert fix is not None
    return fix


def a_mixed_report() -> Report:
    return a_report(
        an_exhausted_sequence(),
        *(an_unindexed_foreign_key(number) for number in range(5)),
        a_redundant_index(1, fix=replace(an_index_fix(), caution="reads 86 MB")),
        a_redundant_index(2, owner=THEIRS),
        skipped={"lagging_sequence": "no SELECT on it", "unlogged_table": "no SELECT on it"},
    )


def checks_on(page: str) -> list[str]:
    return re.findall(r"(?:critical|warning|info) ([a-z_]+_[a-z_]+)", page)


@pytest.mark.django_db
def test_a_database_that_was_never_looked_at_is_not_called_healthy(admin_client: Client) -> None:
    page = text_of(admin_client.get(OVERVIEW))
    assert "default was not looked at yet." in page
    assert "Look now" in page
    assert "Nothing wrong" not in page
    assert "Score" not in page


@pytest.mark.django_db
def test_the_score_is_shown_with_its_terms(admin_client: Client) -> None:
    keep(a_mixed_report())
    page = text_of(admin_client.get(OVERVIEW))
    assert "80 of 100 , the lower of both" in page
    assert "Now , the running database 80 = 100 − 20 exhausted_sequence" in page
    assert "Wear , the schema and settings 90 = 100 − 10 unindexed_foreign_key" in page


@pytest.mark.django_db
def test_a_red_condition_is_said_to_cap_the_score(admin_client: Client) -> None:
    keep(a_report(an_exhausted_sequence(is_red=True)))
    assert "30 = 100 − 20 exhausted_sequence , and at most 30 while exhausted_sequence holds" in text_of(
        admin_client.get(OVERVIEW)
    )


@pytest.mark.django_db
def test_findings_are_shown_worst_first_with_evidence_and_fix(admin_client: Client) -> None:
    report = a_mixed_report()
    keep(report)
    page = text_of(admin_client.get(OVERVIEW))
    assert checks_on(page) == ["exhausted_sequence", "unindexed_foreign_key", "redundant_index"]
    assert "1 critical 5 warning 1 info" in page
    worst = report.findings[5]
    assert worst.fix is not None
    assert page.index(worst.target.name) < page.index(report.findings[4].target.name)
    assert "table size 86 MB" in page
    assert worst.fix.operation is not None
    assert worst.fix.operation in page
    assert worst.fix.sql[0] in page
    assert "Caution: reads 86 MB" in page


@pytest.mark.django_db
def test_a_finding_that_no_code_mends_leads_to_what_to_do(admin_client: Client, staff: MakeStaff) -> None:
    keep(a_report(an_exhausted_sequence()))
    assert "No code mends it by itself: what to do" in text_of(admin_client.get(OVERVIEW))
    page = text_of(staff("view_look").get(OVERVIEW))
    assert "No code mends it by itself: manage.py dbanalyze --explain exhausted_sequence" in page


@pytest.mark.django_db
def test_of_many_findings_of_a_check_the_worst_are_shown_and_the_rest_is_behind_a_link(admin_client: Client) -> None:
    report = a_mixed_report()
    keep(report)
    response = admin_client.get(OVERVIEW)
    page = text_of(response)
    shown = [finding.target.name for finding in report.findings if finding.target.name in page]
    assert len([name for name in shown if name.endswith("user_fk")]) == 3
    assert "All 5 of unindexed_foreign_key" in page
    (link,) = re.findall(r'href="([^"]+)">All 5 of', response.content.decode())
    listed = text_of(admin_client.get(link.replace("&amp;", "&")))
    assert "5 findings" in listed
    assert "exhausted_sequence public" not in listed


@pytest.mark.django_db
def test_the_list_behind_that_link_has_as_many_as_it_says(admin_client: Client) -> None:
    mine = [a_redundant_index(number) for number in range(4)]
    keep(a_report(*mine, a_redundant_index(9, owner=THEIRS)))
    for query, count in (({}, 4), ({"check": "redundant_index"}, 5)):
        (link,) = re.findall(rf'href="([^"]+)">All {count} of', admin_client.get(OVERVIEW, query).content.decode())
        assert f"{count} findings" in text_of(admin_client.get(link.replace("&amp;", "&")))


@pytest.mark.django_db
def test_other_peoples_remarks_are_counted_and_shown_when_asked_for(admin_client: Client) -> None:
    keep(a_mixed_report())
    page = text_of(admin_client.get(OVERVIEW))
    assert "1 remark on tables of contrib apps" in page
    assert "public.task_2_idx" not in page
    theirs = text_of(admin_client.get(OVERVIEW, {"ownership": "contrib"}))
    assert "public.task_2_idx" in theirs
    assert checks_on(theirs.partition("Findings")[2]) == ["redundant_index"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "checks"),
    [
        ({"severity": "critical"}, ["exhausted_sequence"]),
        ({"severity": "warning"}, ["unindexed_foreign_key"]),
        ({"app": "orders"}, ["exhausted_sequence"]),
        ({"app": "tasks", "severity": "info"}, ["redundant_index"]),
        ({"check": "redundant_index"}, ["redundant_index"]),
        ({"ownership": "mine", "app": "tasks"}, ["unindexed_foreign_key", "redundant_index"]),
        ({"severity": "critical", "app": "tasks"}, []),
        ({"check": "'; DROP TABLE dbops_look --"}, []),
    ],
    ids=lambda value: "-".join(value.values())[:20] if isinstance(value, dict) else None,
)
def test_it_can_be_narrowed(admin_client: Client, query: dict[str, str], checks: list[str]) -> None:
    keep(a_mixed_report())
    response = admin_client.get(OVERVIEW, query)
    page = text_of(response).partition("Findings")[2]
    assert checks_on(page.partition("What was not seen")[0]) == checks
    assert ("No finding matches the filter." in page) == (not checks)
    assert "Clear all filters" in text_of(response)


@pytest.mark.django_db
def test_a_filter_says_how_many_its_links_would_show(admin_client: Client) -> None:
    keep(a_mixed_report())
    page = text_of(admin_client.get(OVERVIEW, {"app": "tasks"}))
    assert "By severity All (6) critical (0) warning (5) info (1)" in page
    assert "By app All (8) auth (1) orders (1) tasks (6)" in page


@pytest.mark.django_db
def test_what_was_not_seen_is_said_with_the_reason_and_what_would_help(admin_client: Client) -> None:
    report = a_mixed_report()
    crashed = CheckResult(
        check="duplicate_index", tag=report.results[1].tag, outcome=Outcome.CRASHED, reason="KeyError: 7"
    )
    results = tuple(crashed if one.check == crashed.check else one for one in report.results)
    keep(replace(report, results=results, unseen=("public.x is locked by another session",)))
    page = text_of(admin_client.get(OVERVIEW)).partition("What was not seen")[2]
    assert "duplicate_index crashed KeyError: 7" in page
    assert "lagging_sequence, unlogged_table skipped no SELECT on it" in page
    assert "public.x is locked by another session" in page
    assert "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO its_role; -- so for every schema" in page
    assert "6 ok, 3 found, 2 skipped, 1 crashed." in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("report", "words"),
    [
        (a_report(), "Nothing wrong was found."),
        (a_report(skipped={"unlogged_table": "no SELECT"}), "Nothing wrong was found in what could be seen."),
        (a_report(target=a_target(table_count=0)), "There is no table in this database"),
        (
            a_report(results=tuple(replace(one, outcome=Outcome.SKIPPED, reason="no") for one in a_report().results)),
            "Nothing was looked at. This says nothing about the database's health.",
        ),
        (a_report(interrupted="the connection was lost"), "The look was interrupted: the connection was lost."),
    ],
    ids=["fine", "partly", "empty", "blind", "interrupted"],
)
def test_nothing_found_is_told_from_nothing_seen(admin_client: Client, report: Report, words: str) -> None:
    keep(report)
    page = text_of(admin_client.get(OVERVIEW))
    assert words in page
    assert ("Nothing wrong was found." in page) is (words == "Nothing wrong was found.")


@pytest.mark.django_db
def test_ignored_findings_are_named_with_the_reason(admin_client: Client) -> None:
    keep(a_report(ignored=(Ignored(finding=a_finding("public.old"), reason="monthly job", until="2027-03-01"),)))
    assert "unindexed_foreign_key public.old monthly job 2027-03-01" in text_of(admin_client.get(OVERVIEW))


@pytest.mark.django_db
def test_a_failed_look_is_said_and_the_older_one_shown(admin_client: Client) -> None:
    keep(a_mixed_report())
    look = claim("default")
    assert look is not None
    store_failure(look, "cannot connect to database 'default'\nHINT: check it")
    page = text_of(admin_client.get(OVERVIEW))
    assert "failed: cannot connect to database 'default' HINT: check it" in page
    assert "What follows is older" in page
    assert "exhausted_sequence" in page


@pytest.mark.django_db
def test_a_running_look_is_said_and_the_page_loads_itself_again(admin_client: Client) -> None:
    keep(a_mixed_report())
    assert 'http-equiv="refresh"' not in admin_client.get(OVERVIEW).content.decode()
    claim("default")
    response = admin_client.get(OVERVIEW)
    assert "Looking at it since" in text_of(response)
    assert 'http-equiv="refresh"' in response.content.decode()
    assert "Look again" not in text_of(response)
    assert "exhausted_sequence" in text_of(response)


@pytest.mark.django_db
def test_a_look_whose_process_has_died_is_said_to_have_failed_and_can_be_begun_again(admin_client: Client) -> None:
    keep(a_mixed_report())
    claim("default")
    running = Look.objects.filter(status=Look.Status.RUNNING)
    Look.objects.update(started_at=timezone.now() - EXPIRES_AFTER - timedelta(seconds=1))
    response = admin_client.get(OVERVIEW)
    page = text_of(response)
    assert "failed: the process that looked ended in the middle of it" in page
    assert "Looking at it since" not in page
    assert 'http-equiv="refresh"' not in response.content.decode()
    assert "Look again" in page
    assert "exhausted_sequence" in page
    assert running.exists(), "a page that is read writes nothing"


@pytest.mark.django_db
def test_each_database_has_its_page(admin_client: Client, settings: Settings) -> None:
    settings.DBOPS = {"DATABASES": ["default", "replica"]}
    keep(a_report(a_finding("public.here")))
    keep(a_report(a_finding("public.there"), target=a_target(alias="replica")))
    first = text_of(admin_client.get(OVERVIEW))
    other = text_of(admin_client.get(OVERVIEW, {"database": "replica"}))
    assert ("public.here" in first, "public.there" in first) == (True, False)
    assert ("public.here" in other, "public.there" in other) == (False, True)
    assert "Overview of default" in text_of(admin_client.get(OVERVIEW, {"database": "unknown"}))


@pytest.mark.django_db
def test_names_from_the_database_are_text_and_never_markup(admin_client: Client) -> None:
    keep(a_report(a_finding('public."<script>alert(1)</script>"', message="<b>bold</b>")))
    for address in (OVERVIEW, FINDINGS, f"{FINDINGS}{Finding.objects.get().pk}/change/"):
        page = admin_client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<b>bold" not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.django_db
@pytest.mark.parametrize("address", [OVERVIEW, FINDINGS])
def test_a_page_costs_the_same_however_much_was_found(admin_client: Client, address: str) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            text_of(admin_client.get(address))
        return len(captured)

    keep(a_report(a_finding()))
    few = statements()
    many = [an_unindexed_foreign_key(number) for number in range(100)]
    keep(a_report(an_exhausted_sequence(), *many, *(a_redundant_index(number) for number in range(100))))
    # A filter of the list asks only where there is a choice; it does not ask more than that.
    assert statements() <= few + 1
    assert few <= 14


@pytest.mark.django_db
def test_reading_a_page_looks_at_nothing(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("a page that is read has looked")

    monkeypatch.setattr("dbops.history.looks.diagnose_alias", never)
    for address in (OVERVIEW, FINDINGS, START):
        admin_client.get(address)
    assert not Look.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_looking_again_by_post_shows_what_is_there_now(admin_client: Client) -> None:
    response = admin_client.post(START, {"database": "default"}, follow=True)
    assert response.redirect_chain == [(f"{OVERVIEW}?database=default", 302)]
    look = Look.objects.get()
    while look.status == Look.Status.RUNNING:  # a busy machine
        look.refresh_from_db()
    assert look.status == Look.Status.DONE, look.error
    assert "of 100" in text_of(admin_client.get(OVERVIEW))


@pytest.mark.django_db
def test_looking_again_wants_post_and_a_known_database(admin_client: Client) -> None:
    assert admin_client.get(START).status_code == 405
    assert admin_client.post(START, {"database": "unknown"}).status_code == 403
    assert admin_client.post(START).status_code == 403


@pytest.mark.django_db
def test_looking_again_wants_the_token_of_its_form(staff: MakeStaff) -> None:
    client = staff("view_look", "start_look")
    client.handler.enforce_csrf_checks = True
    assert client.post(START, {"database": "default"}).status_code == 403
    assert not Look.objects.exists()


@pytest.mark.django_db
def test_who_may_see_nothing_does_not_see_the_section(staff: MakeStaff) -> None:
    client = staff()
    look = keep(a_mixed_report())
    pk = look.findings.all()[0].pk
    for address in (OVERVIEW, FINDINGS, f"{FINDINGS}{pk}/change/"):
        assert client.get(address).status_code == 403
    assert client.post(START, {"database": "default"}).status_code == 403
    assert "dbops" not in client.get("/admin/").content.decode().partition("<main")[2]


@pytest.mark.django_db
def test_who_may_only_see_the_overview_gets_no_further(staff: MakeStaff) -> None:
    client = staff("view_look")
    keep(a_mixed_report())
    response = client.get(OVERVIEW)
    page = text_of(response)
    assert "exhausted_sequence" in page
    assert "Look again" not in page
    assert FINDINGS not in response.content.decode()
    assert client.get(FINDINGS).status_code == 403
    assert client.post(START, {"database": "default"}).status_code == 403


@pytest.mark.django_db
def test_who_may_only_see_findings_sees_no_overview(staff: MakeStaff) -> None:
    client = staff("view_finding")
    keep(a_mixed_report())
    assert client.get(OVERVIEW).status_code == 403
    assert "8 findings" in text_of(client.get(FINDINGS))


@pytest.mark.django_db
def test_strangers_are_sent_to_log_in_without_a_word_to_the_database(client: Client) -> None:
    with CaptureQueriesContext(connections["default"]) as captured:
        response = client.get(OVERVIEW)
    assert response.status_code == 302
    assert len(captured) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["add/", "1/", "1/delete/", "1/history/", "1/change/"])
@pytest.mark.parametrize("section", [OVERVIEW, FINDINGS])
def test_there_are_no_pages_to_write_by_hand(admin_client: Client, section: str, page: str) -> None:
    keep(a_report())
    # The page of a finding that is not there sends to the start, which says so.
    assert admin_client.get(section + page).status_code in {302, 404}
    assert admin_client.post(section + page, {"target": "x", "alias": "x"}).status_code in {302, 403, 404}
    assert (Look.objects.count(), Finding.objects.count()) == (1, 0)


@pytest.mark.django_db
def test_a_finding_cannot_be_changed(admin_client: Client) -> None:
    finding = keep(a_report(a_finding())).findings.get()
    assert admin_client.post(f"{FINDINGS}{finding.pk}/change/", {"target": "x"}).status_code == 403
    assert Finding.objects.get().target == finding.target


@pytest.mark.django_db
def test_the_severities_are_all_styled() -> None:
    from django.contrib.staticfiles import finders

    path = finders.find("dbops/admin.css")
    assert isinstance(path, str)
    with open(path) as sheet:  # noqa: PTH123
        style = sheet.read()
    assert {one.value for one in Severity} >= set(re.findall(r"\.dbops-(critical|warning|info)", style))
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)|rgb\(|hsl\(", style), "a colour of our own breaks dark mode"
