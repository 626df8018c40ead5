"""`manage.py dbbench` from its options to its figures, on real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import load_command_class
from psycopg import sql

from dbops.benchmark import server as servers
from dbops.benchmark.scratch import Scratch
from dbops.benchmark.server import server_of
from dbops.embedded.project import ProjectServers

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from tests.management.conftest import Ended, Runner
    from tests.servers import Database

ROOT = Path(__file__).parent.parent.parent
SMALL = ("--tables", 21, "--schemas", 2, "--partitions", 3, "--runs", 1)
NAME = "dbops_bench_21_4_2_3"


@pytest.fixture
def dbbench(dbanalyze: Runner) -> Callable[..., Ended]:
    def run(*arguments: object) -> Ended:
        return dbanalyze.command(load_command_class("dbops", "dbbench"), "analyze", *arguments)

    return run


def benches(database: Database) -> list[str]:
    return [name for (name,) in database.execute("SELECT datname FROM pg_database WHERE datname ~ '^dbops_bench_'")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "figures.jsonl"


def test_it_measures_says_keeps_and_leaves_nothing_behind(
    dbbench: Callable[..., Ended], shop: str, database: Database, file: Path
) -> None:
    ended = dbbench(*SMALL, "--database", shop, "--yes", "--output", file, "-v")
    assert (ended.code, ended.err) == (0, "")
    assert f"makes the database {NAME} on the server of 'shop', and drops it afterwards" in ended.out
    rows = [line[:38].strip() for line in ended.out.splitlines()]
    assert rows.count("our own SQL in psql") == rows.count("memory of that process, at most") == 1
    assert "ms  judging" in ended.out
    assert "MISSED" not in ended.out
    assert benches(database) == []
    kept: dict[str, Any] = json.loads(file.read_text())
    assert kept["size"] == {"tables": 21, "indexes_per_table": 4, "schemas": 2, "partitions": 3}
    assert kept["circumstances"]["postgresql"].startswith(f"{database.major}.")
    assert kept["circumstances"]["findings"] >= 5
    assert {name: len(runs) for name, runs in kept["runs"].items()} == dict.fromkeys(
        ("psql_s", "look_s", "own_cpu_s", "ratio", "process_s", "peak_mib"), 1
    )
    assert {"indexes", "sequence keys", "judging", "text"} <= set(kept["steps_s"])


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_kept_database_is_used_again_and_figures_are_compared(
    dbbench: Callable[..., Ended], shop: str, database: Database, file: Path
) -> None:
    dbbench(*SMALL, "--database", shop, "--yes", "--output", file, "--keep")
    assert benches(database) == [NAME]
    ended = dbbench(*SMALL, "--database", shop, "--yes", "--output", file)
    assert f"uses the kept database {NAME} on the server of 'shop', and drops it afterwards" in ended.out
    assert "since the last" in ended.out
    assert len(file.read_text().splitlines()) == 2
    assert benches(database) == []


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--plan",), 0, ""),
        ((), 2, "dbbench: this changes a server, and nobody can be asked\nHINT: add --yes to go on"),
    ],
)
def test_a_server_of_somebody_s_is_not_touched_unasked(
    dbbench: Callable[..., Ended],
    shop: str,
    database: Database,
    file: Path,
    *,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    ended = dbbench(*SMALL, "--database", shop, "--output", file, *arguments)
    assert ended.code == code
    assert ended.err.startswith(said)
    assert ended.out.startswith(f"makes the database {NAME}")
    assert not file.exists()
    assert benches(database) == []


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--database", "shoop"), "there is no alias 'shoop'"),
        (("--tables", "0"), "'0' is not a whole number from 1"),
        (("--indexes-per-table", "9"), "'9' is not a whole number from 1 to 8"),
        (("--output", "/nowhere/figures"), "cannot write /nowhere/figures"),
        (("--output", __file__), "does not hold figures of dbbench"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once(
    dbbench: Callable[..., Ended], shop: str, database: Database, arguments: tuple[str, ...], said: str
) -> None:
    ended = dbbench("--database", shop, "--yes", *arguments)
    assert ended.code == 2
    assert said.replace("there is no alias", "DATABASES has no alias") in ended.err
    assert benches(database) == []


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_another_one_at_work_is_not_disturbed(
    dbbench: Callable[..., Ended], shop: str, database: Database, file: Path
) -> None:
    with Scratch(server_of(shop), "dbops_bench_other").filled([], keep=False):
        ended = dbbench(*SMALL, "--database", shop, "--yes", "--output", file)
    assert ended.code == 5
    assert "another benchmark is at work on the server of 'shop'" in ended.err


def test_without_a_server_the_project_s_embedded_one_is_used(
    dbbench: Callable[..., Ended], settings: Settings, place: Path, file: Path
) -> None:
    project = ProjectServers(place)
    settings.EMBEDDED_SERVERS = project
    try:
        ended = dbbench(*SMALL, "--output", file)
        assert (ended.code, ended.err) == (0, "")
        assert "on the embedded server" in ended.out
    finally:
        project.reset()


def test_where_embedded_servers_are_off_it_says_what_to_do(dbbench: Callable[..., Ended], settings: Settings) -> None:
    settings.EMBEDDED_SERVERS = None
    ended = dbbench()
    assert ended.code == 2
    assert "name a server of DATABASES with --database" in ended.err


def test_without_the_extra_it_says_what_to_install(
    dbbench: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dbops.embedded.project", None)
    ended = dbbench()
    assert ended.code == 2
    assert 'HINT: pip install "dbops[psycopg,embedded]"' in ended.err


def test_options_of_an_alias_reach_psql_and_secrets_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrapper:
        vendor = "postgresql"
        settings_dict = {
            "HOST": "db.example",
            "PORT": 5433,
            "USER": "o'brien",
            "PASSWORD": "back\\slash",
            "NAME": "shop",
            "OPTIONS": {"sslmode": "require", "pool": True},
        }

    monkeypatch.setattr(servers, "connections", {"shop": Wrapper()})
    found = server_of("shop")
    assert found.environment("bench") == {
        "PGSSLMODE": "require",
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGUSER": "o'brien",
        "PGPASSWORD": "back\\slash",
        "PGDATABASE": "bench",
    }
    assert found.dsn("bench") == (
        "sslmode='require' host='db.example' port='5433' user='o\\'brien' password='back\\\\slash' dbname='bench'"
    )


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_ctrl_c_drops_what_was_begun(database: Database, file: Path) -> None:
    """A real process, interrupted while it fills its database; what cleans up is not broken off by a second Ctrl-C."""
    name = "dbops_bench_100000_4_1_0"
    command = [sys.executable, "manage.py", "dbbench", "analyze", "--database", "default", "--yes"]
    command += ["--tables", "100000", "--schemas", "1", "--partitions", "0", "--output", str(file)]
    environment = {**os.environ, "DATABASE_URL": database.server.cluster.url(database.name), "DEBUG": "1"}
    filling = sql.SQL("SELECT pg_stat_get_db_xact_commit(oid) > 20 FROM pg_database WHERE datname = {}").format(name)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as run:
        while database.execute(filling) != [(True,)] and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert (run.returncode, said.decode().splitlines()[-1]) == (2, "dbbench: interrupted")
    assert benches(database) == []
    assert not file.exists()


def test_what_the_slow_query_log_costs_is_measured_and_kept(dbanalyze: Runner, shop: str, file: Path) -> None:
    command = ("slowlog", "--statements", 50, "--runs", 2, "--database", shop, "--output", file)
    for number in (1, 2):
        ended = dbanalyze.command(load_command_class("dbops", "dbbench"), *command)
        assert ended.code in {0, 1}, ended.err  # how quick the machine is now is not for a test to say
        assert ended.out.endswith(f"kept in {file}\n")
        assert ("the last" in ended.out) == (number == 2)
        kept = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert len(kept) == number
        assert (kept[-1]["benchmark"], kept[-1]["size"]) == ("slowlog", {"statements": 50})
        for plain_us, watched_us, ratio, usual in zip(*kept[-1]["runs"].values(), strict=True):
            assert ratio == pytest.approx(watched_us / plain_us, abs=1e-3)
            assert usual == pytest.approx(1 + (watched_us - plain_us) / 200, abs=1e-3)
