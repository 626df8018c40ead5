from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.saturated_autovacuum import check
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from tests.builders import a_schema, a_table
from tests.looking import look
from tests.servers import Database, Server
from tests.session_builders import a_hidden_session, a_session, wait_until
from tests.setting_builders import a_server
from tests.vacuum_builders import a_vacuum, autovacuum_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECK = "saturated_autovacuum"


def a_worker(pid: int, transaction_s: float | None, **values: Any) -> Any:
    given = {"role": None, "application": "", "kind": "autovacuum worker", "database": "shop", **values}
    return a_session(pid, transaction_s=transaction_s, **given)


BUSY = (a_worker(1, 60), a_worker(2, 3600), a_worker(3, 900, database="other"))


def said(*sessions: Any, settings: Any = None, server: Any = None, **sections: Any) -> list[Finding | Unseen]:
    server = server or a_server(is_monitor=True)
    return list(check(settings or autovacuum_settings(), sessions, server, **sections))


def finding(*sessions: Any, **sections: Any) -> Finding:
    (found,) = said(*sessions, **sections)
    assert isinstance(found, Finding)
    return found


def test_workers_that_are_all_busy_for_long() -> None:
    found = finding(*BUSY, a_session(4, transaction_s=9000))
    assert found.target == Target(Kind.SETTING, "autovacuum_max_workers")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "All 3 workers of autovacuum are busy, the longest for 1 h in shop: until one of them is done, no other table "
        "is vacuumed or analyzed, in any database."
    )
    assert found.evidence == {"workers": 3, "oldest_s": 3600, "databases": "other and shop"}
    assert found.fix is None


def test_the_table_is_named_where_it_is_known() -> None:
    vacuums = (a_vacuum(1, table_oid=9), a_vacuum(2, table_oid=1))
    assert " for 1 h at public.task: " in finding(*BUSY, running_vacuums=vacuums, schema=a_schema(a_table())).message
    assert " for 1 h in shop: " in finding(*BUSY, running_vacuums=vacuums[:1], schema=a_schema(a_table())).message


def test_the_only_worker() -> None:
    settings = autovacuum_settings(autovacuum_max_workers="1")
    found = finding(a_worker(1, 7200, database=None), settings=settings)
    assert found.message.startswith("Autovacuum's only worker is busy for 2 h: until it is done, ")


@pytest.mark.parametrize(
    "sessions",
    [
        BUSY[:2],
        (*BUSY[:2], a_worker(3, 59)),
        (*BUSY[:2], a_worker(3, None)),
        (BUSY[0], a_worker(2, 3599), BUSY[2]),
        (*BUSY[:2], a_session(3, command="VACUUM", transaction_s=9000)),
    ],
    ids=["one is free", "one has just come", "one is between tables", "not for long", "one is a person"],
)
def test_silent_about(sessions: Any) -> None:
    assert said(*sessions) == []


def test_silent_where_autovacuum_is_off() -> None:
    assert said(*BUSY, settings=autovacuum_settings(autovacuum="off")) == []


def test_a_role_that_does_not_see_the_workers_says_so() -> None:
    hidden = a_hidden_session(1, role=None)
    (unseen,) = said(hidden, server=a_server())
    assert unseen == Unseen(
        "autovacuum_max_workers", "this role may not see what autovacuum's workers do: GRANT pg_monitor TO it"
    )


@pytest.fixture
def prompt(server: Server, place: Path) -> Iterator[Database]:
    """A database of a server whose autovacuum, a single worker, comes every second."""
    account = server.cluster.account
    account.take(place)
    settings = {"autovacuum_naptime": "1s", "autovacuum_max_workers": "1"}
    cluster = Cluster(place / "data", place / "socket", settings=settings, durable=False, account=account)
    cluster.ensure_started(lambda _: [server.binaries])
    try:
        with ExitStack() as opened:
            yield Database(Server(cluster, server.binaries), "postgres", opened)
    finally:
        cluster.stop()


def test_a_worker_at_a_slow_table_is_seen(prompt: Database) -> None:
    prompt.execute(
        "CREATE TABLE slow (id int) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
    )
    prompt.execute("INSERT INTO slow SELECT generate_series(1, 20000)")
    prompt.execute("DELETE FROM slow")
    prompt.execute("SELECT pg_stat_force_next_flush()")
    wait_until(prompt, "pid IN (SELECT pid FROM pg_stat_progress_vacuum WHERE relid = 'slow'::regclass)")
    (found,) = look(prompt, CHECK, longest_s=0, every_s=0).findings
    assert found.target.name == "autovacuum_max_workers"
    assert " at public.slow: " in found.message
    assert look(prompt, CHECK).findings == []
    assert look(prompt, CHECK, role=prompt.create_role("watching", pg_monitor=True), longest_s=0, every_s=0).findings
    bare = look(prompt, CHECK, role=prompt.create_role("bare"), longest_s=0, every_s=0)
    assert bare.findings == []
    assert "may not see what autovacuum's workers do" in str(bare.result.reason)
