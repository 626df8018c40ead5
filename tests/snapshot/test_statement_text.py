from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.snapshot.statement_text import HIDDEN, redacted, tokens, verb

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM task WHERE id = $1 LIMIT 21", "SELECT * FROM task WHERE id = $1 LIMIT 21"),
        ("SELECT 'hunter2'", f"SELECT {HIDDEN}"),
        ("SELECT 'it''s hunter2', 'b'", f"SELECT {HIDDEN}, {HIDDEN}"),
        (r"SELECT E'\'hunter2' AS a", f"SELECT {HIDDEN} AS a"),
        (r"SELECT e'a\\', b", f"SELECT {HIDDEN}, b"),
        (r"SELECT 'a\', b", f"SELECT {HIDDEN}, b"),
        ("SELECT U&'hunter2', X'ff', b'01', N'hunter2'", f"SELECT {HIDDEN}, {HIDDEN}, {HIDDEN}, {HIDDEN}"),
        ("SELECT $$hunter2$$, $a$ $$hunter2$$ $a$, $1", f"SELECT {HIDDEN}, {HIDDEN}, $1"),
        ("SELECT /* hunter2 /* nested */ hunter2 */ 1 -- hunter2\n, 2", "SELECT 1 , 2"),
        ("  SELECT\n\t1", "SELECT 1"),
        ('SELECT "Odd ""name" FROM "t"', 'SELECT "Odd ""name" FROM "t"'),
        ("CREATE ROLE a PASSWORD 'hunter2' CONNECTION LIMIT 7", f"CREATE ROLE a PASSWORD {HIDDEN} CONNECTION LIMIT ?"),
        ("ALTER ROLE a WITH PASSWORD E'hunter2'", f"ALTER ROLE a WITH PASSWORD {HIDDEN}"),
        ("COPY (SELECT * FROM a WHERE b = 1234) TO STDOUT", "COPY (SELECT * FROM a WHERE b = ?) TO STDOUT"),
        ("DECLARE \"_django_1_2\" CURSOR FOR SELECT 'hunter2'", f"DECLARE ? CURSOR FOR SELECT {HIDDEN}"),
        ('ROLLBACK TO SAVEPOINT "s1_x1"', "ROLLBACK TO SAVEPOINT ?"),
        ("SET statement_timeout = 5000", "SET statement_timeout = ?"),
        ("", ""),
    ],
)
def test_what_is_left_of_a_statement(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ALTER ROLE a PASSWORD 'hunter2",
        "SELECT E'a\\'hunter2",
        "SELECT $x$hunter2",
        "SELECT $$hunter2",
        "SELECT 1 /* hunter2",
        "SELECT 1 /* /* */ hunter2",
        "SELECT 1 -- hunter2",
        "COPY t FROM PROGRAM 'curl hunter2'",
        "/* hunter2 */ CREATE USER MAPPING FOR a SERVER s OPTIONS (password 'hunter2')",
        "DO $do$ BEGIN EXECUTE 'hunter2'; END $do$",
        "CREATE SUBSCRIPTION s CONNECTION 'password=hunter2' PUBLICATION p",
    ],
)
def test_a_secret_does_not_come_out_of_what_was_cut_off_or_quoted_oddly(text: str) -> None:
    assert SECRET not in redacted(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", "select"),
        ("/* a view */ select 1", "select"),
        ("-- a\n((SELECT 1))", "select"),
        ("(VALUES (1))", "values"),
        ("WITH a AS (SELECT 1) SELECT", "with"),
        ("  VACUUM task", "vacuum"),
        ("", ""),
        ("'x' SELECT", ""),
        ("/* SELECT", ""),
        ("; SELECT 1", ""),
    ],
)
def test_the_first_word(text: str, expected: str) -> None:
    assert verb(text) == expected


def test_the_kinds_of_tokens() -> None:
    text = "SELECT a.\"B\", $1, 1.5e3, E'x', $$y$$, %s /* c */ >= 0xff -- d"
    assert list(tokens(text)) == [
        ("word", "SELECT"),
        ("word", "a"),
        ("other", "."),
        ("quoted", '"B"'),
        ("other", ","),
        ("parameter", "$1"),
        ("other", ","),
        ("number", "1.5e3"),
        ("other", ","),
        ("string", "E'x'"),
        ("other", ","),
        ("string", "$$y$$"),
        ("other", ","),
        ("parameter", "%s"),
        ("other", ">"),
        ("other", "="),
        ("number", "0xff"),
    ]


def _plain(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escaped(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _dollar(text: str) -> str:
    return f"$q_q${text.replace('$', '')}$q_q$"


@given(
    before=st.text(alphabet="'\\\"$/*-\n ab", max_size=12),
    after=st.text(alphabet="'\\\"$/*-\n ab", max_size=12),
    quote=st.sampled_from([_plain, _escaped, _dollar]),
    head=st.sampled_from(
        ["SELECT ", "ALTER ROLE a PASSWORD ", "COPY t FROM ", "SELECT 1 /* it's */ + ", "SELECT $1, "]
    ),
    cut=st.integers(min_value=0, max_value=40),
)
def test_no_literal_survives(before: str, after: str, quote: object, head: str, cut: int) -> None:
    assert callable(quote)
    text = f"{head}{quote(f'{before}{SECRET}{after}')}, b"
    assert SECRET not in redacted(text)
    assert redacted(text).endswith(f"{HIDDEN}, b")
    assert SECRET not in redacted(text[: len(text) - cut])


def test_a_string_that_was_cut_off_behind_a_backslash() -> None:
    assert SECRET not in redacted("SELECT E'\\'hunter2\\")


@given(st.text(max_size=60))
def test_any_text_is_read_to_its_end(text: str) -> None:
    assert "\n" not in redacted(text)
    list(tokens(text))
    verb(text)
