from __future__ import annotations

import itertools
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.mismatched_collation import check
from dbops.findings.finding import Finding, Kind, Severity, Target
from dbops.snapshot.integrity_rows import Collation
from dbops.snapshot.rows import RelationSize
from tests.builders import a_schema, a_table, an_index
from tests.looking import apply, look
from tests.servers import Database
from tests.setting_builders import a_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

CHECK = "mismatched_collation"
MEGABYTE = 1024**2
numbers = itertools.count(1)


def a_collation(oid: int = 100, name: str = "default", **values: Any) -> Collation:
    """The database's own, of a library that has changed since."""
    given: dict[str, Any] = {
        "schema": "pg_catalog" if oid == 100 else "public",
        "provider": "c",
        "locale": "de_DE.UTF-8",
        "is_deterministic": True,
        "version": "2.31",
        "actual_version": "2.36",
    }
    return Collation(oid=oid, name=name, **{**given, **values})


def findings(*objects: Any, collations: tuple[Collation, ...] = (a_collation(),), **server: Any) -> list[Finding]:
    return list(check(a_schema(a_table(), *objects), collations, a_server(**server)))


def an_index_on_text(oid: int = 100, name: str = "task_title", **values: Any) -> Any:
    return an_index(oid, name, **{"collations": (100,), **values})


def test_the_indexes_at_risk_are_named_and_rebuilt_before_the_version_is_refreshed() -> None:
    (found,) = findings(
        an_index_on_text(100, "task_title", is_unique=True),
        an_index_on_text(101, "Task Note"),
        RelationSize(oid=100, size_bytes=3 * MEGABYTE),
        RelationSize(oid=101, size_bytes=15 * MEGABYTE),
    )
    assert found.target == Target(Kind.DATABASE, "shop")
    assert found.severity is Severity.WARNING
    assert found.message == (
        "The database's collation was recorded with version 2.31, and the C library now sorts by 2.36: "
        "2 indexes (18 MB), 1 of them unique, may miss rows."
    )
    assert found.evidence == {
        "collations": "the database's collation 2.31 → 2.36",
        "indexes": 2,
        "unique_indexes": 1,
        "at_risk": 'public."Task Note" and public.task_title',
        "size_bytes": 18 * MEGABYTE,
    }
    assert found.fix is not None
    assert found.fix.sql == (
        'REINDEX INDEX CONCURRENTLY public."Task Note";',
        "REINDEX INDEX CONCURRENTLY public.task_title;",
        "ALTER DATABASE shop REFRESH COLLATION VERSION;",
    )
    assert not found.fix.in_transaction


def test_a_size_that_was_not_seen_is_left_out() -> None:
    (found,) = findings(an_index_on_text())
    assert "size_bytes" not in found.evidence
    assert "1 index, 0 of them unique" in found.message


def test_collations_of_columns_are_told_with_the_databases() -> None:
    german = a_collation(20, "german", provider="i", version="153.14", actual_version="153.120")
    (found,) = findings(an_index_on_text(collations=(20,)), collations=(a_collation(), german))
    assert ", and so with collation public.german: 1 index" in found.message
    assert found.fix is not None
    assert found.fix.sql[-2:] == (
        "ALTER DATABASE shop REFRESH COLLATION VERSION;",
        "ALTER COLLATION public.german REFRESH VERSION;",
    )


def test_without_an_index_there_is_only_a_version_to_refresh() -> None:
    (found,) = findings(an_index(collations=(950,)))
    assert found.severity is Severity.INFO
    assert found.fix is not None
    assert found.fix.sql == ("ALTER DATABASE shop REFRESH COLLATION VERSION;",)


def test_an_exclusion_constraint_is_rebuilt_under_a_lock() -> None:
    (found,) = findings(an_index_on_text(method="gist", is_exclusion=True))
    assert found.fix is not None
    assert found.fix.sql[0] == "REINDEX INDEX public.task_title;"
    assert found.fix.caution is not None
    assert "1 exclusion constraint under a lock" in found.fix.caution


def test_many_indexes_are_rebuilt_by_one_statement() -> None:
    (found,) = findings(*(an_index_on_text(oid, f"i{oid}") for oid in range(100, 301)))
    assert found.fix is not None
    assert found.fix.sql == (
        "REINDEX DATABASE CONCURRENTLY shop;",
        "ALTER DATABASE shop REFRESH COLLATION VERSION;",
    )
    assert str(found.evidence["at_risk"]).endswith("and 181 more")


def test_on_a_standby_nothing_can_be_rebuilt() -> None:
    (found,) = findings(an_index_on_text(), is_standby=True)
    assert found.fix is None


@pytest.mark.parametrize(
    "values",
    [
        {"operator_classes": (4217,)},
        {"method": "hash", "operator_classes": (10020,)},
        {"method": "spgist"},
        {"method": "gin", "definition": "CREATE INDEX i ON t USING gin (title gin_trgm_ops)"},
        {"collations": (950,)},
        {"kind": "I"},
    ],
    ids=["bytes", "hash", "spgist", "trigrams", "C", "partitioned"],
)
def test_an_index_that_keeps_no_such_order_is_not_at_risk(values: dict[str, Any]) -> None:
    (found,) = findings(an_index_on_text(**values))
    assert found.evidence["indexes"] == 0


def test_a_hash_of_what_is_equal_but_not_the_same_depends_on_the_collation() -> None:
    loose = a_collation(20, "loose", is_deterministic=False)
    (found,) = findings(an_index_on_text(method="hash", collations=(20,)), collations=(loose,))
    assert found.evidence["indexes"] == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"version": None}, "no version was recorded"),
        ({"version": None, "actual_version": None}, "the server's library tells no version"),
    ],
)
def test_what_cannot_be_known_is_mentioned(values: dict[str, Any], reason: str) -> None:
    (found,) = findings(an_index_on_text(), collations=(a_collation(**values),))
    assert (found.severity, found.fix) == (Severity.INFO, None)
    assert "Whether the database's collation (de_DE.UTF-8) still sorts as" in found.message
    assert found.message.endswith(f"{reason}.")


@pytest.mark.parametrize(
    "values",
    [
        {"actual_version": "2.31"},
        *(
            {"version": None, "actual_version": None, "locale": locale}
            for locale in ("C", "POSIX", "C.UTF-8", "C.utf8")
        ),
        {"version": "1", "actual_version": "1", "provider": "b", "locale": "C.UTF-8"},
    ],
)
def test_silent_about(values: dict[str, Any]) -> None:
    assert findings(an_index_on_text(), collations=(a_collation(**values),)) == []


@pytest.fixture
def sorted_database(server: Server) -> Iterator[Database]:
    """A database whose collation has a version: the built-in one, or before there was that, ICU's."""
    name = f"dbops_sorted_{os.getpid()}_{next(numbers)}"
    own = "provider = builtin, locale = 'C.UTF-8'" if server.major >= 17 else "provider = icu, locale = 'de'"
    how = "builtin BUILTIN_LOCALE 'C.UTF-8'" if server.major >= 17 else "icu ICU_LOCALE 'en'"
    with server.connect() as connection, ExitStack() as opened:
        try:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER {how}".encode())
        except psycopg.errors.FeatureNotSupported as error:
            pytest.skip(f"PostgreSQL {server.major} here has no collation with a version: {error}")
        made = Database(server, name, opened)
        made.execute(f'CREATE COLLATION "Own" ({own})')
        try:
            yield made
        finally:
            opened.close()
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_old_versions_are_found_and_gone_after_rebuilding_and_refreshing(sorted_database: Database) -> None:
    database = sorted_database
    database.execute("""
        CREATE TABLE t (id int PRIMARY KEY, title text UNIQUE, code text COLLATE "C" UNIQUE, own text COLLATE "Own");
        CREATE INDEX t_own ON t (own, id);
        CREATE INDEX t_upper ON t (upper(title));
        CREATE INDEX t_like ON t (title varchar_pattern_ops);
        CREATE INDEX t_hash ON t USING hash (title);
        CREATE TABLE p (k text NOT NULL) PARTITION BY LIST (k);
        CREATE TABLE p_1 PARTITION OF p FOR VALUES IN ('a');
        CREATE INDEX p_k ON p (k);
        ALTER TABLE t ADD CONSTRAINT t_apart EXCLUDE (title WITH =);
        INSERT INTO t SELECT n, n, n, n FROM generate_series(1, 10) n;
    """)
    assert look(database, CHECK).findings == []

    database.execute("UPDATE pg_database SET datcollversion = '0.9' WHERE datname = current_database()")
    database.execute("UPDATE pg_collation SET collversion = '0.8' WHERE collname = 'Own'")
    (found,) = look(database, CHECK).findings
    assert found.target.name == database.name
    assert found.evidence["at_risk"] == (
        "public.p_1_k_idx, public.t_apart, public.t_own, public.t_title_key and public.t_upper"
    )
    assert found.evidence["unique_indexes"] == 1
    assert 'collation public."Own" 0.8' in str(found.evidence["collations"])
    assert found.fix is not None
    assert found.fix.undo == ()
    apply(database, found.fix)
    assert look(database, CHECK).findings == []


def test_a_version_that_was_never_recorded_is_mentioned(sorted_database: Database) -> None:
    sorted_database.execute("UPDATE pg_database SET datcollversion = NULL WHERE datname = current_database()")
    (found,) = look(sorted_database, CHECK).findings
    assert found.severity is Severity.INFO
    assert found.message.endswith("no version was recorded.")


def test_a_database_that_sorts_bytes_and_a_bare_role_are_fine(database: Database) -> None:
    database.execute("CREATE TABLE t (title text UNIQUE)")
    role = database.create_role(f"{database.name}_reader")
    looked = look(database, CHECK, role=role)
    assert (looked.findings, looked.result.reason) == ([], None)
