"""Sessions for the pure tests, and sessions that are held open on a real server."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg

from dbops.snapshot.session_rows import Session
from tests import setting_builders

if TYPE_CHECKING:
    from tests.servers import Database

SERVER = replace(setting_builders.SERVER, role="monitor", is_monitor=True)
SESSION = Session(
    pid=11,
    role="web",
    is_superuser=False,
    application="shop",
    database="shop",
    is_here=True,
    kind="client backend",
    state="active",
    wait_event=None,
    state_s=1.5,
    transaction_s=2.5,
    transaction_start="2026-01-02 00:00:00.000000+00",
    has_written=False,
    snapshot_age=None,
    query_id=None,
    command=None,
    waiting_s=None,
    lock_type=None,
    lock_mode=None,
    lock_relation=None,
    blocked_by=(),
    role_settings=(),
)


def a_session(pid: int = 11, **values: Any) -> Session:
    """A session of web@shop that has just begun to work."""
    return replace(SESSION, pid=pid, **values)


def a_hidden_session(pid: int = 11, **values: Any) -> Session:
    """What a role without pg_monitor sees of another role's session."""
    nothing = dict.fromkeys(
        ("kind", "state", "wait_event", "state_s", "transaction_s", "transaction_start", "query_id")
    )
    return a_session(pid, **{**nothing, **values})


def connect_as(database: Database, role: str, application: str = "shop", **options: Any) -> psycopg.Connection:
    """A session of `role` that says which application it is; in autocommit mode unless told otherwise.

    It is closed after the test whether it lives or was ended from outside.
    """
    options = {"autocommit": True, **options}
    connection = psycopg.connect(database.dsn_for(role), application_name=application, **options)
    database._opened.callback(connection.close)
    return connection


def wait_until(database: Database, condition: str, *parameters: Any) -> None:
    """Wait until the server says so: `condition` is SQL over pg_stat_activity."""
    deadline = time.monotonic() + 30
    while not database.execute(f"SELECT 1 FROM pg_stat_activity WHERE {condition}", *parameters):
        assert time.monotonic() < deadline, condition
        time.sleep(0.01)
