"""A database that answers, has gone, has frozen, is behind a black hole, or has no connection left."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from django.test import Client
from psycopg.conninfo import make_conninfo

from dbops.health.databases import Database as Check
from dbops.health.databases import Pool
from dbops.health.probe import Status
from tests.freezing import frozen, postmaster
from tests.health.conftest import CONTRACT_S, judged
from tests.management.test_interruption import FreezingServer, freezing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.embedded.postgres import Cluster
    from tests.health.conftest import MakeDefault
    from tests.servers import Database, Server

#: From Europe to the west coast of America, and more.
ROUND_TRIP_S = 0.3
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def test_a_database_that_answers_is_ok_and_left_as_it_was(database: Database, make_default: MakeDefault) -> None:
    make_default(database.dsn)
    assert judged(Check("default")) == (Status.OK, None)
    while database.execute(SESSIONS) != [(0,)]:  # the server notices that a session has ended in its own time
        time.sleep(0.01)


def test_a_database_that_has_gone_is_down_at_once(cluster: Cluster, make_default: MakeDefault) -> None:
    make_default(cluster.dsn())
    cluster.stop()
    started_s = time.monotonic()
    status, reason = judged(Check("default"))
    assert status is Status.DOWN
    assert reason is not None
    assert time.monotonic() - started_s < CONTRACT_S


def test_a_frozen_database_is_down_in_time_and_ok_when_it_thaws(cluster: Cluster, make_default: MakeDefault) -> None:
    make_default(cluster.dsn())
    with frozen(postmaster(cluster)):
        started_s = time.monotonic()
        status, _ = judged(Check("default"))
        lasted_s = time.monotonic() - started_s
    assert (status, lasted_s < CONTRACT_S) == (Status.DOWN, True)
    deadline_s = time.monotonic() + 10
    while judged(Check("default"))[0] is not Status.OK:
        assert time.monotonic() < deadline_s


def test_a_black_hole_is_down_in_time(black_hole: int, make_default: MakeDefault) -> None:
    make_default(f"host=127.0.0.1 port={black_hole} user=u dbname=shop", connect_timeout=30)
    started_s = time.monotonic()
    status, reason = judged(Check("default"))
    assert (status, "timeout" in str(reason)) == (Status.DOWN, True)
    assert time.monotonic() - started_s < CONTRACT_S


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_server_that_freezes_once_it_has_let_us_in_is_down_in_time(
    database: Database, make_default: MakeDefault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.management.test_interruption.FROZEN_AFTER_BYTES", 100)
    with freezing(database) as server:
        make_default(make_conninfo("", host="127.0.0.1", port=server.port, user="postgres", dbname=database.name))
        started_s = time.monotonic()
        status, reason = judged(Check("default"))
        lasted_s = time.monotonic() - started_s
    assert (status, "did not answer" in str(reason)) == (Status.DOWN, True)
    assert lasted_s < CONTRACT_S


@contextmanager
def far(server: Server) -> Iterator[int]:
    """A port through which every answer of the server takes as long as from another continent."""

    class PassesOn(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as near:
                near.connect(str(server.cluster.endpoint.socket_path))
                threading.Thread(target=FreezingServer._pass_on, args=(self.request, near), daemon=True).start()
                while part := near.recv(4096):
                    time.sleep(ROUND_TRIP_S)
                    self.request.sendall(part)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), PassesOn) as door:
        door.daemon_threads = True
        serving = threading.Thread(target=door.serve_forever, args=(0.01,))
        serving.start()
        yield door.server_address[1]
        door.shutdown()
        serving.join()


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_database_on_another_continent_is_ok(database: Database, make_default: MakeDefault) -> None:
    with far(database.server) as port:
        make_default(make_conninfo("", host="127.0.0.1", port=port, user="postgres", dbname=database.name))
        said = Client().get("/ht/?format=json").json()["checks"]
    assert said["database"] == "ok"


def test_another_database_than_the_default_one_is_not_what_the_site_stands_on() -> None:
    assert Check("default").is_essential
    assert not Check("replica").is_essential


def test_an_alias_that_is_none_is_down_and_says_so() -> None:
    status, reason = judged(Check("nowhere"))
    assert (status, "no database 'nowhere'" in str(reason)) == (Status.DOWN, True)


def test_a_server_without_a_free_connection_is_degraded_where_the_pool_still_serves(
    database: Database, make_default: MakeDefault
) -> None:
    role = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 1")
    make_default(database.dsn_for(role), pool={"min_size": 1, "max_size": 1})
    pool = connections["default"].pool  # type: ignore[attr-defined]
    pool.open(wait=True, timeout=10)
    status, reason = judged(Check("default"))
    assert (status, "too many connections" in str(reason)) == (Status.DEGRADED, True)
    pool.close()
    database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    assert judged(Pool("default"))[0] is None


def test_a_server_without_a_free_connection_is_down_for_a_site_without_a_pool(
    database: Database, make_default: MakeDefault
) -> None:
    role = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    make_default(database.dsn_for(role))
    assert judged(Check("default"))[0] is Status.DOWN


def test_an_exhausted_pool_is_seen_and_hides_no_healthy_database(database: Database, make_default: MakeDefault) -> None:
    make_default(database.dsn, pool={"min_size": 1, "max_size": 1})
    assert judged(Pool("default"))[0] is None
    pool = connections["default"].pool  # type: ignore[attr-defined]
    pool.open()
    with pool.connection():
        assert judged(Pool("default"))[0] is Status.OK
        waiting = threading.Thread(target=lambda: pool.putconn(pool.getconn(timeout=30)))
        waiting.start()
        while not pool.get_stats()["requests_waiting"]:
            time.sleep(0.01)
        assert judged(Pool("default")) == (Status.DEGRADED, "1 requests wait for one of 1 connections")
        assert judged(Check("default")) == (Status.OK, None)
    waiting.join()
    assert judged(Pool("default"))[0] is Status.OK
