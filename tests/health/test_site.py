"""The project as it is served: many at once on a small pool, and servers that fall silent under it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.freezing import frozen, postmaster
from tests.health.conftest import CONTRACT_S, PROJECT, TOKEN

if TYPE_CHECKING:
    from dbops.embedded.postgres import Cluster
    from tests.health.conftest import Redis, Serve, Site
    from tests.servers import Database

#: The contract's own number, for the median of many; 3 ms were measured.
HEALTHY_S = 0.05
REQUESTS, AT_ONCE = 1_000, 50
POOL = {"DB_POOL_SIZE": "2", "DB_MAX_OVERFLOW": "2"}
JSON = {"Accept": "application/json"}
SESSIONS = """
SELECT application_name, count(*)::int FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1"""


def migrated(dsn: str, redis: Redis) -> str:
    found = conninfo_to_dict(dsn)
    url = f"postgresql:///{found['dbname']}?host={found['host']}&port={found['port']}&user={found['user']}"
    given = {"PATH": os.environ["PATH"], "DEBUG": "1", "DATABASE_URL": url, "REDIS_URL": redis.url}
    subprocess.run((sys.executable, "manage.py", "migrate", "-v0"), cwd=PROJECT, env=given, check=True)
    return dsn


def sessions(database: Database) -> dict[str, int]:
    """The other sessions by application, ours that are just ending aside."""
    deadline_s = time.monotonic() + 10
    while (found := dict(database.execute(SESSIONS))).get("dbops"):
        assert time.monotonic() < deadline_s, found
        time.sleep(0.02)
    return found


def test_a_thousand_requests_at_once_on_a_pool_of_four_are_answered_and_leave_no_connection(
    database: Database, redis: Redis, serve: Serve
) -> None:
    site = serve(migrated(database.dsn, redis), redis_url=redis.url, **POOL)
    site.get("/ht/")
    before = sessions(database)

    def ask(number: int) -> int:
        # Some pages use the pool meanwhile.
        answer = site.get("/tasks/" if number % 10 == 0 else "/ht/", Cookie=f"sessionid={number:032}", **JSON)
        return answer.status

    with ThreadPoolExecutor(AT_ONCE) as clients:
        found = Counter(clients.map(ask, range(REQUESTS)))
    assert found == {200: REQUESTS * 9 // 10, 302: REQUESTS // 10}
    after = sessions(database)
    assert set(after) <= {"dbops web"}
    assert after.get("dbops web", 0) <= 4
    assert before.get("dbops web", 0) <= 4


def test_a_healthy_site_answers_in_less_than_fifty_milliseconds(database: Database, redis: Redis, serve: Serve) -> None:
    site = serve(migrated(database.dsn, redis), redis_url=redis.url, **POOL)
    lasted_s = []
    for _ in range(55):
        started_s = time.monotonic()
        assert site.get("/ht/", **JSON).status == 200
        lasted_s.append(time.monotonic() - started_s)
    assert statistics.median(lasted_s[5:]) < HEALTHY_S


def timed(site: Site, path: str = "/ht/", **headers: str) -> tuple[int, str]:
    started_s = time.monotonic()
    answer = site.get(path, **{**JSON, **headers})
    lasted_s = time.monotonic() - started_s
    assert lasted_s < CONTRACT_S, f"{path} took {lasted_s:.2f} s"
    return answer.status, answer.text


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_server_that_freezes_under_the_site_is_told_in_time_and_so_is_its_return(
    cluster: Cluster, redis: Redis, serve: Serve
) -> None:
    site = serve(migrated(cluster.dsn(), redis), redis_url=redis.url, DBOPS_HEALTH_TOKEN=TOKEN, **POOL)
    assert timed(site)[0] == 200
    with frozen(postmaster(cluster)):
        time.sleep(1)  # a verdict is kept that long
        with ThreadPoolExecutor(20) as clients:
            assert {status for status, _ in clients.map(lambda _: timed(site), range(20))} == {503}
        assert timed(site, "/ht/live/")[0] == 200
        assert timed(site, "/ht/detail/", Authorization=f"Bearer {TOKEN}")[0] == 503
        assert timed(site, "/ht/detail/", Cookie="sessionid=" + "x" * 32)[0] == 503
    deadline_s = time.monotonic() + 15
    while timed(site)[0] != 200:
        assert time.monotonic() < deadline_s
    with frozen(redis.process):
        time.sleep(1)
        status, text = timed(site)
        assert (status, '"cache": "down"' in text, '"status": "degraded"' in text) == (200, True, True)
    cluster.stop()
    time.sleep(1)
    assert timed(site)[0] == 503


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_container_asks_the_server_that_runs_in_it(cluster: Cluster, redis: Redis, serve: Serve) -> None:
    site = serve(migrated(cluster.dsn(), redis), redis_url=redis.url, ALLOWED_HOSTS="shop.example.com,127.0.0.1")
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "kP4x9-Zq7Lr2Vt8Wm3Ns6Hb1Jc5Fd0Gy_TuEiOaBvXnRwQzYlMs",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "REDIS_URL": redis.url,
        "ALLOWED_HOSTS": "shop.example.com",
    }

    def ask(*options: str) -> tuple[int, str, str]:
        argv = (sys.executable, "manage.py", "dbhealth", "--url", f"http://127.0.0.1:{site.port}/ht/", *options)
        ended = subprocess.run(argv, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    status, said, complaint = ask()
    assert (status, said.splitlines()[0], complaint) == (0, "ok", "")
    assert "database: ok" in said.splitlines()
    cluster.stop()
    time.sleep(1)
    status, said, complaint = ask("--ready")
    assert (status, said.splitlines()[0], complaint) == (1, "down", "")
    assert ask("--live") == (0, "ok\n", "")
