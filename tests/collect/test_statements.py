"""Sections read by a statement: definitions as the server prints them, and what takes too long in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.collect import statements
from dbops.collect.session import Session
from dbops.collect.sql_files import statement
from dbops.collect.statements import read_statement
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from tests.servers import Database

#: Indexes of every shape that the section puts together itself, and of those that it leaves to the server.
INDEXES = """
    CREATE SCHEMA "Odd Name";
    CREATE TYPE mood AS ENUM ('sad', 'fine');
    CREATE DOMAIN short AS varchar(9);
    CREATE TABLE "Odd Name"."select" (
        id bigint PRIMARY KEY, "from" text UNIQUE, v varchar(9), c char(3), n name, o oid, b boolean, u uuid, m mood,
        d short, a integer[], t timestamptz, i inet, x numeric(5, 2), j jsonb, g text COLLATE "C", r int4range,
        y "char", UNIQUE (v, c), EXCLUDE USING gist (r WITH &&)
    );
    SET search_path = "Odd Name";
    CREATE INDEX "quo""ted" ON "select" ("from", v DESC, c NULLS FIRST, x DESC NULLS LAST);
    CREATE INDEX ON "select" (v varchar_pattern_ops, g text_pattern_ops, c bpchar_pattern_ops);
    CREATE INDEX ON "select" ("from" COLLATE "C", g COLLATE "POSIX");
    CREATE INDEX ON "select" (g);
    CREATE INDEX ON "select" (n, v text_ops);
    CREATE INDEX ON "select" (o, b, u, m, d, a, t, i, y);
    CREATE INDEX ON "select" (id) INCLUDE (x);
    CREATE INDEX ON "select" (id) WHERE b;
    CREATE INDEX ON "select" (lower(v), id);
    CREATE INDEX ON "select" (id) WITH (fillfactor = 70);
    CREATE UNIQUE INDEX ON "select" (x, id) NULLS NOT DISTINCT;
    CREATE INDEX ON "select" USING gin (j jsonb_path_ops);
    CREATE INDEX ON "select" USING hash (u);
    CREATE TABLE parts (id integer, t timestamptz) PARTITION BY RANGE (id);
    CREATE TABLE part PARTITION OF parts FOR VALUES FROM (1) TO (9);
    CREATE INDEX ON parts (t, id);
    CREATE INDEX ON ONLY parts (id);
    CREATE TABLE late (gone integer, kept text);
    ALTER TABLE late DROP COLUMN gone;
    CREATE INDEX ON late (kept);
    CREATE OPERATOR CLASS backward FOR TYPE integer USING btree AS
        OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(integer, integer);
    CREATE INDEX ON parts (id backward);
"""
COMPARED = """
    SELECT count(*), count(*) FILTER (WHERE definition IS DISTINCT FROM pg_get_indexdef(oid::oid)),
           min(definition) FILTER (WHERE definition IS DISTINCT FROM pg_get_indexdef(oid::oid))
    FROM ({section}) i
"""


def test_definitions_are_letter_by_letter_those_of_the_server(database: Database) -> None:
    database.execute(INDEXES)
    database.execute("SET search_path = ''")
    ((count, different, example),) = database.execute(COMPARED.format(section=statement("indexes", database.major)))
    assert (count, different, example) == (23, 0, None)


def test_what_is_read_in_parts_is_what_is_read_as_a_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.execute(INDEXES)
    session = Session(database.connect(), psycopg.Error)
    for section in ("tables", "columns", "indexes", "constraints", "relation_sizes", "table_statistics"):
        with session.transaction():
            whole = read_statement(session, section, database.major)
            parts = statements._read_parts(session, section, statement(section, database.major))
        assert isinstance(whole, tuple)
        assert isinstance(parts, tuple)
        assert len(whole) == len(parts) > 0
        assert set(whole) == set(parts)


#: Sixteen rows of which each takes a tenth of a second.
SLOW = """
    SELECT n::bigint AS oid, (CASE WHEN pg_sleep(0.1) IS NULL THEN 0 ELSE n END)::bigint AS size_bytes
    FROM generate_series(1, 16) n  -- a comment at the end
"""


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_statement_that_takes_too_long_is_run_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "statement", lambda *_: SLOW)
    session = Session(database.connect(), psycopg.Error, statement_timeout_ms=1_000)
    with session.transaction():
        found = read_statement(session, "relation_sizes", database.major)
    assert isinstance(found, tuple)
    assert sorted((row.oid, row.size_bytes) for row in found) == [(number, number) for number in range(1, 17)]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
@pytest.mark.parametrize("section", ["relation_sizes", "settings"])
def test_what_takes_too_long_in_parts_or_has_none_says_so(
    database: Database, section: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "statement", lambda *_: SLOW.replace("0.1", "9"))
    session = Session(database.connect(), psycopg.Error, statement_timeout_ms=50)
    with session.transaction():
        found = read_statement(session, section, database.major)
    assert found == Unavailable(f"{section.replace('_', ' ')}: canceling statement due to statement timeout")
