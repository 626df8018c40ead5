"""One fingerprint for the application's text and for the server's, and different ones for different statements."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.snapshot.statement_text import fingerprint, normalised


@pytest.mark.parametrize(
    ("ours", "servers"),
    [
        (
            'SELECT "t"."a" FROM "t" WHERE "t"."id" = %s LIMIT 21',
            'SELECT "t"."a" FROM "t" WHERE "t"."id" = $1 LIMIT $2',
        ),
        ("select A\n\tfrom T -- why\nwhere /* a view */ B = 5;", "SELECT a FROM t WHERE b = $1"),
        ("SELECT a FROM t WHERE b IN (%s, %s, %s)", "SELECT a FROM t WHERE b IN ($1)"),
        ("SELECT a FROM t WHERE b IN (%s, %s, %s)", "SELECT a FROM t WHERE b IN ($1 /*, ... */)"),
        ("SELECT a FROM t WHERE b IN %s", "SELECT a FROM t WHERE b IN ($1, $2)"),
        ("SELECT a FROM t WHERE b = ANY(%s)", "SELECT a FROM t WHERE b = ANY(ARRAY[$1, $2])"),
        ("SELECT a FROM t WHERE b = ANY(%s)", "SELECT a FROM t WHERE b = ANY(ARRAY[$1 /*, ... */]::text[])"),
        ("SELECT (%s)::integer[]", "SELECT (ARRAY[ARRAY[$1,$2],ARRAY[$3,$4]])::integer[]"),
        ("SELECT a FROM t WHERE (b, c) IN ((%s, %s), (%s, %s))", "SELECT a FROM t WHERE (b, c) IN (($1, $2))"),
        ("INSERT INTO t (a, b) VALUES (%s, %s), (%s, %s)", "INSERT INTO t (a, b) VALUES ($1, $2)"),
        ("INSERT INTO t (a, b) VALUES (DEFAULT, %s), (DEFAULT, %s)", "INSERT INTO t (a, b) VALUES (DEFAULT, $1)"),
        ("SELECT a FROM t WHERE b > %s", "SELECT a FROM t WHERE b > $1::timestamptz"),
        ("SELECT a FROM t WHERE b > %s", "SELECT a FROM t WHERE b > $1::timestamp(3) with time zone"),
        ("SELECT a FROM t WHERE b > %s", "SELECT a FROM t WHERE b > $1::double precision"),
        ("SELECT a FROM t WHERE b > %s", 'SELECT a FROM t WHERE b > $1::"Odd schema"."Type"[]'),
        ("SELECT a FROM t WHERE b > %s", "SELECT a FROM t WHERE b > $1::pg_catalog.numeric(10, 2)::text"),
        ("SELECT -5, a - 5, a-5, a - -5", "SELECT $1, a - $2, a-$3, a - $4"),
        ("SELECT a FROM t WHERE b > now() - INTERVAL '1 day'", "SELECT a FROM t WHERE b > now() - INTERVAL $1"),
        ("SELECT EXTRACT(YEAR FROM a), EXTRACT(%s FROM a)", "SELECT EXTRACT($1 FROM a), EXTRACT($2 FROM a)"),
        ("UPDATE t SET a = NULL, b = true WHERE c IS NOT NULL", "UPDATE t SET a = $1, b = $2 WHERE c IS NOT NULL"),
        ("SELECT CASE WHEN a THEN %s ELSE NULL END", "SELECT CASE WHEN a THEN $1 ELSE $2 END"),
        ("SELECT a FROM t WHERE (b %% %s) = %s", "SELECT a FROM t WHERE (b % $1) = $2"),
        ("SELECT a FROM t WHERE b = %(name)s", "SELECT a FROM t WHERE b = $1"),
        ("SELECT a FROM t WHERE b LIKE 'x%%'", "SELECT a FROM t WHERE b LIKE $1"),
        ("SELECT E'a\\'b', $$c$$, U&'d', X'ff', 1.5e3", "SELECT $1, $2, $3, $4, $5"),
        ('SAVEPOINT "s1_x1"', "SAVEPOINT $1"),
        ('ROLLBACK TO SAVEPOINT "s1_x1"', 'ROLLBACK TO SAVEPOINT "s2_x9"'),
    ],
)
def test_what_differs_in_values_alone_is_one_statement(ours: str, servers: str) -> None:
    assert normalised(ours) == normalised(servers)
    assert fingerprint(ours) == fingerprint(servers)
    assert re.fullmatch(r"[0-9a-f]{16}", fingerprint(ours))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ('SELECT "A" FROM t', 'SELECT "a" FROM t'),
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b > 1"),
        ("SELECT a FROM t WHERE b IS NULL", "SELECT a FROM t WHERE b IS NOT NULL"),
        ("SELECT a FROM t WHERE b IS NULL", "SELECT a FROM t WHERE b IS TRUE"),
        ("SELECT a FROM t WHERE b IS NOT TRUE", "SELECT a FROM t WHERE b IS NOT FALSE"),
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 1 LIMIT 1"),
        ("SELECT a::int FROM t", "SELECT a::text FROM t"),
        ("SELECT a - 1", "SELECT a + 1"),
        ("SELECT a - b", "SELECT a"),
        ("SELECT extract(year FROM a)", "SELECT f(year)"),
        ("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (DEFAULT)"),
    ],
)
def test_what_differs_otherwise_is_another_statement(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


_NAME = st.from_regex(r'[a-z][a-z_]{0,6}|"[A-Z][A-Za-z ]{0,6}"', fullmatch=True)
_VALUE = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(alphabet="ab'\"%$(),-/*? ", max_size=12).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.sampled_from(["NULL", "true", "FALSE", "%s", "%(a)s", "$7", "'2026-01-01'::date", "'{1,2}'::int4[]"]),
    st.lists(st.integers(), min_size=1, max_size=4).map(lambda items: f"ARRAY{items}"),
)
_SPACE = st.sampled_from([" ", "\n", "\t ", " /* c */ ", " -- it's\n", " /* /* ) */ '*/ "])


@given(
    names=st.lists(_NAME, min_size=1, max_size=4),
    table=_NAME,
    values=st.lists(_VALUE, min_size=1, max_size=6),
    limit=_VALUE,
    space=_SPACE,
    upper=st.booleans(),
)
def test_values_white_space_comments_and_case_make_no_difference(
    *, names: list[str], table: str, values: list[str], limit: str, space: str, upper: bool
) -> None:
    """A statement with any values has the fingerprint of the one with the server's parameters."""

    def statement(separator: str, value: str, listed: str) -> str:
        return separator.join(
            [
                "SELECT",
                ", ".join(names),
                "FROM",
                table,
                "WHERE",
                names[0],
                "=",
                value,
                "AND",
                names[0],
                "IN",
                "(",
                listed,
                ")",
            ]
        )

    ours = statement(space, limit, f"{space},{space}".join(values))
    if upper:
        ours = ours.replace("SELECT", "select").replace("WHERE", "where").replace(" IN ", " in ")
    assert normalised(ours) == normalised(statement(" ", "$1", "$2"))


@given(
    columns=st.integers(1, 4),
    rows=st.integers(1, 5),
    others=st.integers(1, 5),
)
def test_how_many_rows_are_inserted_makes_no_difference(columns: int, rows: int, others: int) -> None:
    def insert(count: int, value: str) -> str:
        row = f"({', '.join([value] * columns)}, DEFAULT)"
        return f"INSERT INTO t VALUES {', '.join([row] * count)} RETURNING id"

    assert fingerprint(insert(rows, "%s")) == fingerprint(insert(others, "$1"))


@given(st.text(max_size=80))
def test_any_text_has_a_fingerprint_and_its_normal_form_the_same(text: str) -> None:
    assert len(fingerprint(text)) == 16
    assert not re.search(r"'[^…]", normalised(f"SELECT '{text.replace(chr(39), '')}'"))
