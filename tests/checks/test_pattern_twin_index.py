from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.pattern_twin_index import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.integrity_rows import Collation
from dbops.snapshot.rows import RelationSize
from tests.builders import a_column, a_schema, a_table, an_index
from tests.index_use_builders import PRIMARY, SERVER, STANDBY, a_use, uses_in
from tests.looking import apply, look, undo
from tests.storage_builders import MB

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "pattern_twin_index"
LANGUAGE = Collation(
    oid=100,
    schema="pg_catalog",
    name="default",
    provider="c",
    locale="de_DE.UTF-8",
    is_deterministic=True,
    version="2.36",
    actual_version="2.36",
)
PLAIN = an_index(101, "slug_key", (2,), is_unique=True, collations=(100,), operator_classes=(3126,))
TWIN = an_index(
    100,
    "slug_like",
    (2,),
    operator_classes=(4217,),
    collations=(100,),
    definition="CREATE INDEX slug_like ON public.task USING btree (slug varchar_pattern_ops)",
)
USED = a_use(101, days=None, scans=7)
USES = (a_use(), USED)


def said(
    *objects: Any,
    twin: Any = TWIN,
    plain: Any = PLAIN,
    collation: int = 100,
    collations: Any = (LANGUAGE,),
    uses: Any = USES,
    servers: Any = (PRIMARY,),
    size_bytes: int | None = 20 * MB,
    **options: Any,
) -> list[Finding | Unseen]:
    column = a_column(2, "slug", "character varying(50)", collation=collation)
    size = RelationSize(oid=100, size_bytes=size_bytes)
    schema = a_schema(a_table(), a_column(1), column, twin, plain, size, *objects)
    return list(check(schema, (SERVER,), collations, uses, servers, **options))


def test_one_that_nobody_searches_by() -> None:
    (found,) = said()
    assert isinstance(found, Finding)
    assert found.target == Target(Kind.INDEX, "public.slug_like")
    assert (found.severity, found.confidence, found.basis) == (Severity.INFO, Confidence.MEDIUM, Basis.MEASURED)
    assert found.message == (
        "No query has searched by a beginning with its 20 MB for 40 days, on any server (default), while "
        "public.slug_key was used."
    )
    assert found.evidence == {
        "size_bytes": 20 * MB,
        "kept": "public.slug_key",
        "unused_days": 40,
        "servers": "default",
    }
    assert found.fix is not None
    assert found.fix.sql == ("DROP INDEX CONCURRENTLY public.slug_like;",)


@pytest.mark.parametrize(
    ("provider", "locale", "is_found"),
    [
        ("c", "C", True),
        ("c", "POSIX", True),
        ("b", "C.UTF-8", True),
        ("c", "C.UTF-8", False),
        ("i", "und", False),
        ("c", None, False),
    ],
)
def test_a_database_that_is_sorted_by_bytes_needs_no_window(provider: str, locale: str | None, is_found: bool) -> None:
    collation = replace(LANGUAGE, provider=provider, locale=locale)
    found = said(collations=(collation,), uses=None, servers=None)
    assert [type(one) for one in found] == [Finding if is_found else Unseen]
    if is_found:
        assert "serves LIKE as well" in str(found[0])
        assert len(said(collations=(collation,), uses=(a_use(days=None, scans=9), USED))) == 1


def test_a_column_that_is_sorted_by_bytes_needs_no_window() -> None:
    twin, plain = replace(TWIN, collations=(950,)), replace(PLAIN, collations=(950,))
    (found,) = said(twin=twin, plain=plain, collation=950, collations=None, uses=None, servers=None)
    assert isinstance(found, Finding)
    assert (found.confidence, found.basis) == (Confidence.HIGH, Basis.STRUCTURAL)


@pytest.mark.parametrize(
    ("days", "size_bytes", "options", "is_found"),
    [
        (35, MB, {}, True),
        (34.9, MB, {}, False),
        (34.9, MB, {"unused_days": 34}, True),
        (35, MB - 1, {}, False),
        (35, MB - 1, {"smallest_bytes": 9}, True),
    ],
)
def test_the_thresholds(days: float, size_bytes: int, options: dict[str, Any], is_found: bool) -> None:
    found = said(uses=(a_use(days=days, scans=2), USED), size_bytes=size_bytes, **options)
    assert [type(one) for one in found] == [Finding] * is_found


def test_a_large_one_is_a_warning() -> None:
    (found,) = said(size_bytes=100 * MB)
    assert isinstance(found, Finding)
    assert found.severity is Severity.WARNING


def test_one_that_is_used_somewhere_or_beside_an_idle_one_is_not_reported() -> None:
    assert said(uses=(a_use(days=None, scans=1), USED)) == []
    standby = (PRIMARY, STANDBY)
    assert said(uses=(a_use(), a_use(server="replica", days=2, scans=1), USED), servers=standby) == []
    assert said(uses=(a_use(), a_use(101))) == []


def test_what_is_not_known_is_said_once() -> None:
    reason = (
        "whether 1 index for LIKE may go cannot be told: it is not known of every server that none used it for 35 days"
    )
    assert said(uses=(a_use(days=9), USED)) == [Unseen("shop", reason)]
    assert said(servers=(PRIMARY, replace(STANDBY, unseen="no alias"))) == [Unseen("shop", reason)]
    assert said(uses=None, servers=None) == [Unseen("shop", reason)]
    (locked,) = said(size_bytes=None)
    assert "another session has locked it" in str(locked)


@pytest.mark.parametrize(
    "options",
    [
        {"twin": replace(TWIN, operator_classes=(3126,), is_partial=True, predicate="(id > 5)")},
        {"twin": replace(TWIN, is_partial=True, predicate="(id > 5)")},
        {"twin": replace(TWIN, is_unique=True)},
        {"twin": replace(TWIN, is_valid=False)},
        {"twin": an_index(100, "two", (2, 1), operator_classes=(4217, 3124), collations=(100, 0))},
        {"plain": replace(PLAIN, is_partial=True, predicate="(id > 5)")},
        {"plain": replace(PLAIN, is_valid=False)},
        {"plain": replace(PLAIN, collations=(950,))},
        {"plain": replace(PLAIN, method="hash")},
        {"plain": replace(PLAIN, columns=(1,))},
        {"plain": an_index(101, "two", (2, 1), operator_classes=(3126, 3124), collations=(100, 0))},
    ],
)
def test_others_are_no_twins(options: dict[str, Any]) -> None:
    assert said(**options) == []


def planted(database: Database, column: str = "slug varchar(50) COLLATE language") -> None:
    database.execute("CREATE COLLATION language (provider = libc, locale = 'C.UTF-8')")  # for the server, not C
    database.execute(f"CREATE TABLE post (id int PRIMARY KEY, {column} UNIQUE)")
    database.execute("INSERT INTO post SELECT i, 'slug ' || i FROM generate_series(1, 50000) i")
    database.execute('CREATE INDEX "Post; like" ON post (slug varchar_pattern_ops)')


@pytest.mark.parametrize("column", ["slug varchar(50) COLLATE language", 'slug varchar(50) COLLATE "C"'])
def test_a_real_one_is_dropped_and_brought_back(database: Database, column: str) -> None:
    planted(database, column)
    used = ("post_slug_key",)
    (found,) = look(database, CHECK, sections=uses_in(database, used)).findings
    assert found.target.name == 'public."Post; like"'
    apply(database, found.fix)
    assert look(database, CHECK, sections=uses_in(database, used)).result.outcome is Outcome.OK
    undo(database, found.fix)
    (again,) = look(database, CHECK, sections=uses_in(database, used)).findings
    assert (again.target, again.fix) == (found.target, found.fix)


def test_a_used_one_stays(database: Database) -> None:
    planted(database)
    used = ("post_slug_key", "Post; like")
    assert look(database, CHECK, sections=uses_in(database, used)).result.outcome is Outcome.OK


def test_an_index_sorted_by_bytes_really_serves_like(database: Database) -> None:
    planted(database, 'slug varchar(50) COLLATE "C"')
    (found,) = look(database, CHECK).findings
    apply(database, found.fix)
    plan = str(database.execute("EXPLAIN SELECT id FROM post WHERE slug LIKE 'slug 4999%'"))
    assert "post_slug_key" in plan
