"""Looks that are kept: one at a time for each database, the last one and no more."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from dbops import diagnose
from dbops.findings.finding import Confidence, Owner, Ownership, Severity
from dbops.findings.report import Ignored
from dbops.history import looks
from dbops.history.looks import EXPIRES_AFTER, claim, start, take
from dbops.history.storage import finding_of, results_of, store, store_failure
from dbops.models import Finding, Look
from dbops.render.json import finding_document, report_document
from tests.admin.conftest import keep
from tests.render.reports import (
    a_finding,
    a_redundant_index,
    a_report,
    a_target,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.django_db
def test_a_look_is_for_one_at_a_time() -> None:
    first = claim("default")
    assert first is not None
    assert claim("default") is None
    assert claim("replica") is not None
    store(first, a_report())
    assert claim("default") is not None


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_at_once_get_one_look() -> None:
    at_once, got = threading.Barrier(6), []

    def ask() -> None:
        at_once.wait()
        got.append(claim("default"))
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 6
    assert len([look for look in got if look is not None]) == 1


@pytest.mark.django_db
def test_a_look_whose_process_has_died_does_not_lock_for_ever() -> None:
    dead = claim("default")
    assert dead is not None
    Look.objects.filter(pk=dead.pk).update(started_at=timezone.now() - EXPIRES_AFTER - timedelta(seconds=1))
    assert claim("default") is not None
    dead.refresh_from_db()
    assert (dead.status, dead.error) == ("failed", "the process that looked ended in the middle of it")


@pytest.mark.django_db
def test_everything_of_a_report_is_kept() -> None:
    report = a_report(
        an_exhausted_sequence(is_red=True),
        an_unindexed_foreign_key(rolled_up=("public.a", "public.b"), confidence=Confidence.LOW),
        a_redundant_index(),
        skipped={"lagging_sequence": "no SELECT on it"},
        ignored=(Ignored(finding=a_finding("public.old"), reason="monthly job", until="2027-03-01"),),
        unseen=("public.x is locked",),
    )
    look = keep(report)
    look.refresh_from_db()

    document = report_document(report)
    kept = {finding["fingerprint"]: finding for finding in document.pop("findings")}
    assert look.report == document
    assert results_of(look) == report.results
    rows = list(look.findings.order_by("position"))
    assert {row.fingerprint: finding_document(finding_of(row), report) for row in rows} == kept
    assert [row.is_red for row in rows] == [True, False, False]
    assert [finding_of(row).owner.app_label for row in rows] == ["orders", "tasks", "tasks"]


@pytest.mark.django_db
def test_findings_are_kept_in_the_order_of_the_report_and_what_it_leaves_at_a_count_last() -> None:
    theirs = a_redundant_index(9, owner=Owner(ownership=Ownership.CONTRIB))
    small, large = an_unindexed_foreign_key(1), an_unindexed_foreign_key(2)
    keep(a_report(theirs, a_redundant_index(), small, large, an_exhausted_sequence()))
    found = list(Finding.objects.order_by("position").values_list("severity", "target", "is_folded"))
    assert found == [
        (Severity.CRITICAL, "public.orders_orderline_id_seq", False),
        (Severity.WARNING, large.target.name, False),
        (Severity.WARNING, small.target.name, False),
        (Severity.INFO, a_redundant_index().target.name, False),
        (Severity.INFO, theirs.target.name, True),
    ]


@pytest.mark.django_db
def test_what_is_said_of_a_finding_beside_it_is_kept() -> None:
    keep(against_a_baseline())
    assert Finding.objects.get(target="public.worse").notes == ["it is worse than in the baseline"]


@pytest.mark.django_db
def test_of_each_database_the_findings_of_the_last_look_are_kept() -> None:
    first = keep(a_report(a_finding("public.old"), a_redundant_index()))
    keep(a_report(a_finding("public.there"), target=a_target(alias="replica")))
    last = keep(a_report(a_finding("public.new")))
    assert list(Look.objects.filter(alias="default").order_by("pk")) == [first, last]
    first.refresh_from_db()
    assert (first.report or {})["score"]["value"] == 95
    assert set(Finding.objects.values_list("target", flat=True)) == {"public.new", "public.there"}


@pytest.mark.django_db
def test_a_look_that_fails_leaves_the_last_one_and_one_failure() -> None:
    done = keep(a_report(a_finding()))
    for reason in ("it is gone", "it is still gone"):
        look = claim("default")
        assert look is not None
        store_failure(look, reason)
    assert list(Look.objects.order_by("pk").values_list("status", "error")) == [
        ("done", ""),
        ("failed", "it is still gone"),
    ]
    assert done.findings.count() == 1
    keep(a_report())
    assert set(Look.objects.values_list("status", flat=True)) == {"done"}


@pytest.mark.django_db
def test_a_database_that_cannot_be_reached_is_said_to_be_without_its_password() -> None:
    nowhere = {**connections.settings["default"], "HOST": "/nowhere", "PASSWORD": "open sesame"}
    connections.settings["gone"] = nowhere
    try:
        look = claim("gone")
        assert look is not None
        take(look)
    finally:
        del connections.settings["gone"], connections["gone"]
    look.refresh_from_db()
    assert look.status == "failed"
    assert look.error.startswith("cannot connect to database 'gone'")
    assert "HINT: " in look.error
    assert "sesame" not in look.error


@pytest.mark.django_db(transaction=True)
def test_a_look_in_the_background_ends_and_gives_its_connections_back() -> None:
    has_ended = start("default")
    assert has_ended is not None
    assert has_ended(60)
    look = Look.objects.get()
    assert (look.status, look.error) == ("done", "")
    assert look.report is not None
    assert look.report["target"]["alias"] == "default"
    until = time.monotonic() + 10
    while others() and time.monotonic() < until:
        time.sleep(0.05)  # a session that was closed is seen until its process has ended
    assert others() == 0


def others() -> int:
    """How many sessions there are in the database beside this test's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        ((count,),) = cursor.fetchall()
    return int(count)


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_crashes_is_not_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_alias: str) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(looks, "diagnose_alias", crash)
    has_ended = start("default")
    assert has_ended is not None
    assert has_ended(60)
    wait_for_the_thread()
    look = Look.objects.get()
    assert (look.status, look.error) == ("failed", "the look crashed: see the log")


def wait_for_the_thread() -> None:
    """Until it has told of its end."""
    for thread in threading.enumerate():
        if thread.name == "dbops-look":
            thread.join(10)


@pytest.fixture
def no_look_can_be_committed(transactional_db: None) -> Iterator[None]:
    """The database takes every statement that ends a look well, and refuses the COMMIT."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'the disk is full'; END$$;"
            "CREATE CONSTRAINT TRIGGER refused AFTER UPDATE ON dbops_look DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW WHEN (NEW.status = 'done') EXECUTE FUNCTION refuse()"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refused ON dbops_look; DROP FUNCTION refuse()")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_cannot_be_kept_is_not_left_running(no_look_can_be_committed: None) -> None:
    has_ended = start("default")
    assert has_ended is not None
    assert has_ended(60)
    wait_for_the_thread()
    look = Look.objects.get()
    assert (look.status, look.error) == ("failed", "the look crashed: see the log")
    assert not Finding.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_our_own_tables_are_beyond_reproach() -> None:
    keep(a_report(*(a_redundant_index(number) for number in range(500))))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE dbops_look, dbops_finding")
    report = diagnose.diagnose_alias("default", app_labels=["dbops"])
    assert [(finding.check, finding.target.name) for finding in report.findings] == []
    assert report.target.table_count
