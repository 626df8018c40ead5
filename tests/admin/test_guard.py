"""Pages over a database that hangs, is gone, or has no connection to give."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NoReturn

import pytest
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from dbops.admin import guard
from dbops.admin.guard import silent_alias
from dbops.embedded.postgres import Cluster
from dbops.history.looks import claim, start
from dbops.models import Finding, Look
from dbops.pulse import pulse
from dbops.watch import Seen, watch
from tests.admin.conftest import FINDINGS, OVERVIEW, START, keep, text_of
from tests.freezing import frozen, postmaster
from tests.render.reports import a_finding, a_report, a_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import Client
    from pytest_django import Settings

    from tests.servers import Server, Servers

#: What the contract allows for a page over a database that hangs.
CONTRACT_S = 3.0
ON_18 = pytest.mark.parametrize("server", ["pg18"], indirect=True)


@pytest.fixture
def replica(monkeypatch: pytest.MonkeyPatch, settings: Settings, server: Server, place: Path) -> Iterator[Cluster]:
    """A server of the test's own behind the alias `replica`."""
    cluster = Cluster(place / "data", place / "socket")
    cluster.ensure_started(lambda _: [server.binaries])
    found = conninfo_to_dict(cluster.dsn())
    where = {"HOST": found["host"], "PORT": str(found["port"]), "USER": found["user"], "NAME": found["dbname"]}
    monkeypatch.setitem(connections.settings, "replica", {**connections.settings["default"], **where})
    settings.DBOPS = {"DATABASES": ["default", "replica"]}
    yield cluster
    cluster.stop()


@pytest.mark.django_db(transaction=True)
def test_pages_of_a_default_database_that_hangs_say_so_within_three_seconds(
    admin_client: Client, servers: Servers, request: pytest.FixtureRequest
) -> None:
    keep(a_report(a_finding()))
    addresses = [OVERVIEW, FINDINGS, f"{FINDINGS}{Finding.objects.get().pk}/change/"]
    for address in addresses:
        text_of(admin_client.get(address))
    chosen = servers.get(request.config.getoption("--django-server"))
    with frozen(postmaster(chosen.cluster)):
        for address in (*addresses, START):
            asked_at = time.monotonic()
            response = admin_client.post(address) if address == START else admin_client.get(address)
            lasted_s = time.monotonic() - asked_at
            assert response.status_code == 503
            page = response.content.decode()
            assert ("The site's database does not answer" in page, "default" in page) == (True, False)
            assert lasted_s < CONTRACT_S
    text_of(admin_client.get(OVERVIEW))  # and when it is back, so is the page


@ON_18
@pytest.mark.django_db(transaction=True)
def test_pages_are_quick_while_another_database_hangs_and_its_look_waits_in_the_background(
    admin_client: Client, replica: Cluster
) -> None:
    keep(a_report(a_finding("public.there"), target=a_target(alias="replica")))
    with frozen(postmaster(replica)):
        asked_at = time.monotonic()
        response = admin_client.post(START, {"database": "replica"}, follow=True)
        lasted_s = time.monotonic() - asked_at
        page = text_of(response)
        assert lasted_s < CONTRACT_S
        assert "Looking at it since" in page
        assert "public.there" in page
        look = Look.objects.get(alias="replica", status=Look.Status.RUNNING)
        assert claim("replica") is None
        until = time.monotonic() + 30
        while look.status == Look.Status.RUNNING and time.monotonic() < until:
            time.sleep(0.1)
            look.refresh_from_db()
    page = text_of(admin_client.get(OVERVIEW, {"database": "replica"}))
    assert "failed: cannot connect to database 'replica'" in page
    assert "public.there" in page
    has_ended = start("replica")
    assert has_ended is not None
    assert has_ended(60)
    assert set(Look.objects.filter(alias="replica").values_list("status", flat=True)) == {Look.Status.DONE}


@pytest.mark.django_db
def test_a_server_that_lets_nobody_in_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert silent_alias() is None
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "/nowhere")
    assert silent_alias() == "default"


@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_pulse_that_crashes_is_silence(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def crash(_alias: str) -> NoReturn:
        raise LookupError

    monkeypatch.setattr(guard, "pulse", crash)
    assert silent_alias() == "default"
    assert "the pulse crashed: see the log" in caplog.text
    for thread in threading.enumerate():
        if thread.name == "dbops-watch":
            thread.join(10)  # until it has told of its end


@pytest.mark.django_db
def test_what_was_seen_for_another_page_a_moment_ago_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(watch(pulse, "default").ask().result(10), Seen)
    assert silent_alias() is None
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "/nowhere")
    assert silent_alias() == "default"


@pytest.mark.django_db(transaction=True)
def test_requests_that_are_transactions_elsewhere_are_none_here(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    # In a transaction the row of the look would be unseen by the thread that takes it, until the page had waited.
    admin_client.post(START, {"database": "default"})
    look = Look.objects.get()
    until = time.monotonic() + 60
    while look.status == Look.Status.RUNNING and time.monotonic() < until:
        time.sleep(0.1)
        look.refresh_from_db()
    assert (look.status, look.error) == (Look.Status.DONE, "")
