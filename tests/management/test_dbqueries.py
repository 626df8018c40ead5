"""`manage.py dbqueries` from its options to what it says, on real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import load_command_class

from tests.render.schemas import validator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.management.conftest import Ended, Runner
    from tests.servers import Database

    Run = Callable[..., Ended]

ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)


@pytest.fixture
def dbqueries(dbanalyze: Runner) -> Run:
    def run(*arguments: object) -> Ended:
        return dbanalyze.command(load_command_class("dbops", "dbqueries"), *arguments)

    return run


@pytest.fixture
def busy(database: Database) -> Database:
    """A database in which one statement took most of the time, and another ran most often."""
    database.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE task (id int PRIMARY KEY, title text)")
    database.execute("INSERT INTO task SELECT n, 'secret ' || n FROM generate_series(1, 30000) n")
    database.execute("ANALYZE task")
    for number in range(30):
        database.execute(f"SELECT title FROM task WHERE id = {number}")
    database.execute("SELECT count(*) FROM task a JOIN task b ON a.title = b.title WHERE a.title < 'secret 2'")
    return database


def found(ended: Ended) -> dict[str, Any]:
    document = json.loads(ended.out)
    validator("dbqueries").validate(document)
    [database] = document["databases"]
    return dict(database)


def of(document: dict[str, Any], start: str) -> dict[str, Any]:
    [one] = [one for one in document["statements"] if (one["text"] or "").startswith(start)]
    return dict(one)


def test_without_history_the_window_is_the_servers_own(busy: Database, dbqueries: Run) -> None:
    ended = dbqueries("--dsn", busy.dsn)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{busy.name} · PostgreSQL {busy.major}.")
    words = " ".join(ended.out.split())
    assert "(pg_stat_statements, the server's own)" in words
    assert "no history is kept (manage.py dbsnapshot keeps one)" in words
    assert "SELECT title FROM task WHERE id = $1" in ended.out
    assert "secret" not in ended.out


def test_the_json_is_as_promised_and_ranked(busy: Database, dbqueries: Run, tmp_path: Path) -> None:
    by_calls = found(dbqueries("--dsn", busy.dsn, "--format", "json", "--by", "calls", "--limit", "1"))
    [first] = by_calls["statements"]
    assert (first["text"], first["calls"], first["tables"]) == (
        "SELECT title FROM task WHERE id = $1",
        30,
        ["public.task"],
    )
    assert first["share"] == pytest.approx(30 / by_calls["totals"]["calls"])
    assert (first["p95_ms"], first["before"]["trend"]) == (None, "unknown")
    file = tmp_path / "queries.json"
    assert dbqueries("--dsn", busy.dsn, "--format", "json", "--output", file).out == ""
    everything = json.loads(file.read_text())["databases"][0]["statements"]
    assert [one["total_ms"] for one in everything] == sorted((one["total_ms"] for one in everything), reverse=True)


def test_one_in_full_and_its_plan(busy: Database, dbqueries: Run) -> None:
    listed = found(dbqueries("--dsn", busy.dsn, "--format", "json", "--by", "calls", "--limit", "1"))
    query_id = listed["statements"][0]["query_id"]
    ended = dbqueries("--dsn", busy.dsn, "--query", query_id)
    assert ended.code == 0
    assert f"\nquery {query_id}\n" in ended.out
    assert "in 30 calls" in ended.out
    assert "p95: not known" in ended.out
    ended = dbqueries("--dsn", busy.dsn, "--explain", query_id)
    assert ended.code == 0
    assert "Index Scan using task_pkey on public.task" in ended.out
    assert "not carried out" in ended.out
    plan = found(dbqueries("--dsn", busy.dsn, "--explain", query_id, "--format", "json"))["plan"]
    assert [one["kind"] for one in plan["remarks"]] == ["dominant_node"]
    assert sum(one["own_cost_share"] for one in plan["nodes"]) == pytest.approx(1)


def test_without_the_extension_it_says_how_to_turn_it_on(database: Database, dbqueries: Run) -> None:
    ended = dbqueries("--dsn", database.dsn)
    assert (ended.code, ended.out) == (2, "")
    assert "dbqueries: pg_stat_statements is not here: CREATE EXTENSION pg_stat_statements\nHINT: " in ended.err
    assert ended.err.endswith("has no extension to read them.\nCREATE EXTENSION pg_stat_statements;\n")
    database.execute("CREATE EXTENSION pg_stat_statements")
    assert dbqueries("--dsn", database.dsn).code == 0


def test_a_bare_role_is_told_what_it_does_not_see(busy: Database, dbqueries: Run) -> None:
    role = busy.create_role(f"{busy.name}_bare")
    ended = dbqueries("--dsn", busy.dsn_for(role), "--format", "json")
    assert ended.code == 0
    document = found(ended)
    assert [note for note in document["notes"] if "statements of other roles were not seen" in note]
    assert not [one for one in document["statements"] if "FROM task" in (one["text"] or "")]


def test_a_time_asked_for_that_nobody_kept_is_a_warning(busy: Database, dbqueries: Run) -> None:
    ended = dbqueries("--dsn", busy.dsn, "--since", "1h")
    assert ended.code == 4
    assert "nothing was kept since the time asked for" in " ".join(ended.out.split())


@ONE_VERSION
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--query", "5"), "no statement 5 ran since"),
        (("--explain", "5"), "no statement 5 ran since"),
        (("--query", "5", "--explain", "5"), "exclude each other"),
        (("--database", "nowhere"), "exclude each other"),
    ],
)
def test_what_cannot_be_done_ends_with_2(busy: Database, dbqueries: Run, arguments: tuple[str, ...], said: str) -> None:
    ended = dbqueries("--dsn", busy.dsn, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


@ONE_VERSION
@pytest.mark.parametrize("option", ["--since=tomorrow", "--since=2999-01-01", "--limit=0", "--query=x"])
def test_what_makes_no_sense_is_refused(busy: Database, dbqueries: Run, option: str) -> None:
    ended = dbqueries("--dsn", busy.dsn, option)
    assert ended.code == 2
    assert option.partition("=")[2] in ended.err


@ONE_VERSION
@pytest.mark.django_db(transaction=True)
def test_with_history_it_is_compared_with_the_time_before(busy: Database, shop: str, dbqueries: Run) -> None:
    from datetime import timedelta

    from dbops.counters.recording import record
    from dbops.models import Counters

    def run(times: int, extra: str = "") -> None:
        for number in range(times):
            busy.execute(f"SELECT title FROM task WHERE id = {number}{extra}")

    record(shop)
    run(60)
    record(shop)
    first, second = Counters.objects.filter(alias=shop).order_by("taken_at")
    for kept, days in ((first, 5), (second, 1)):
        Counters.objects.filter(pk=kept.pk).update(taken_at=kept.taken_at - timedelta(days=days))
    run(55)
    busy.execute("CREATE TABLE fresh AS SELECT 1 AS a")
    busy.execute("SELECT a FROM fresh")

    document = found(dbqueries("--database", shop, "--format", "json", "--limit", "1000"))

    assert document["window"]["source"] == "history"
    assert document["baseline"]["source"] == "history"
    same = of(document, "SELECT title FROM task WHERE id")
    assert (same["calls"], same["before"]["calls"]) == (55, 60)
    assert same["before"]["trend"] in {"steady", "slower", "faster"}
    assert of(document, "SELECT a FROM fresh")["before"]["trend"] == "new"
    assert [one for one in document["statements"] if one["text"] is None] == []
