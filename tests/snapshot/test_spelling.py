"""Definitions in Django's words and in the server's."""

from __future__ import annotations

import pytest

from dbops.snapshot.spelling import is_evidently_same
from dbops.snapshot.spellings import Question, Spellings, essence
from tests.snapshot.forms import a_form

SAME = [
    ('CHECK ("x" >= 0)', "CHECK ((x >= 0))"),
    ("CHECK (\"status\" = 'a')", "CHECK (((status)::text = 'a'::text))"),
    ('USING btree ("a", "b" DESC)', "USING btree (a, b DESC)"),
    ('USING btree (LOWER("name"))', "USING btree (lower((name)::text))"),
    ('USING btree ("a") WHERE ("x" = 1 AND "y" IS NOT NULL)', "USING btree (a) WHERE ((x = 1) AND (y IS NOT NULL))"),
    ('USING btree ("a") WHERE NOT "x"', "USING btree (a) WHERE (NOT x)"),
    ('CHECK ("a" IN (1, 2))', "CHECK ((a = ANY (ARRAY[1, 2])))"),
    ("\"a\" IN ('x', 'y')", "((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))"),
    (
        "\"a\" IN ('x', 'y')",
        "((a)::text = ANY (ARRAY[('x'::character varying)::text, ('y'::character varying)::text]))",
    ),
    ("\"a\" IN ('x')", "((a)::text = 'x'::text)"),
    ('("a" IN (1, 2) AND "b" >  -1)', "((a = ANY (ARRAY[1, 2])) AND (b > '-1'::integer))"),
    ('("a" - 1) > 0', "((a - 1) > 0)"),
    ('("a" = 1 OR "b" = 2 OR "c" = 3)', "((a = 1) OR (b = 2) OR (c = 3))"),
    ("''", "''::text"),
    ("-1", "'-1'::integer"),
    ("0.50", "0.50"),
    ("(STATEMENT_TIMESTAMP())", "statement_timestamp()"),
    ("'{}'::jsonb", "'{}'::jsonb"),
    ("'it''s'", "'it''s'::character varying"),
    ('USING btree ("Full Name")', 'USING btree ("Full Name")'),
    ("a != 1", "(a <> 1)"),
    ("'x'::varchar(3)", "'x'::character varying(3)"),
]
OTHER = [
    ("'x'", "'y'::text"),
    ("'Draft'", "'draft'::text"),
    ("a = 'x'", "a = x"),
    ("a", "(a)::integer"),
    ("a - 1 > 0", "a > 0"),
    ("a IN (1, 2)", "(a = ANY (ARRAY[1, 3]))"),
    ("a = 1", "a = ANY (b)"),
    ('"Name"', "name"),
    ("USING btree (a)", "USING btree (a DESC)"),
    ("USING gin (a)", "USING btree (a)"),
    # What brackets may have bound otherwise is not evident, though it may be the same.
    ("x = 1 AND (y = 2 OR z = 3)", "((x = 1) AND (y = 2)) OR (z = 3)"),
    ("(a + b) * c", "a + (b * c)"),
    ("a - (b - c)", "(a - b) - c"),
    ("NOT (a AND b)", "(NOT a) AND b"),
    ("§", "$"),
]


@pytest.mark.parametrize(("declared", "printed"), SAME)
def test_casts_brackets_and_case_that_the_server_adds_are_looked_through(declared: str, printed: str) -> None:
    assert is_evidently_same(declared, printed)
    assert is_evidently_same(printed, declared)


@pytest.mark.parametrize(("declared", "printed"), OTHER)
def test_what_may_mean_something_else_is_not_evident(declared: str, printed: str) -> None:
    assert not is_evidently_same(declared, printed)


@pytest.mark.parametrize(
    "definition",
    [
        "CHECK ((a > 0)) NOT VALID",
        "CHECK ((a > 0)) NO INHERIT NOT VALID",
        "CHECK ((a > 0)) NOT ENFORCED",
    ],
)
def test_whether_old_rows_were_looked_at_is_no_part_of_what_a_constraint_says(definition: str) -> None:
    assert essence(definition) == "CHECK ((a > 0))"


def test_how_an_index_is_stored_is_no_part_of_what_it_says() -> None:
    plain = "USING btree (a) WHERE (b > 0)"
    assert essence("USING btree (a) WITH (fillfactor='70', deduplicate_items='off') WHERE (b > 0)") == plain
    assert essence('USING btree (a) TABLESPACE "fast disk" WHERE (b > 0)') == plain


WANTED, FOUND = Question(1, "index", "USING btree (a) WHERE b BETWEEN 1 AND 2"), Question(1, "index", "USING btree (a)")


def test_what_is_not_evident_is_asked() -> None:
    spellings = Spellings()
    assert spellings.same(WANTED, FOUND) == "no server was there to print it in its own words"
    assert list(spellings.asked) == [WANTED, FOUND]


def test_a_reason_why_it_was_not_answered_is_handed_on() -> None:
    forms = [a_form(WANTED, None, unseen="out of servers"), a_form(FOUND, "x")]
    assert Spellings(forms).same(WANTED, FOUND) == "out of servers"


@pytest.mark.parametrize(
    ("wanted", "again", "found", "same"),
    [
        ("one", None, "one", True),
        ("one", "two", "two", True),  # the server's own words, read again, come out otherwise
        ("one", "two", "three", False),
        (FOUND.text, None, "three", True),  # printed exactly as the database has it
    ],
)
def test_two_definitions_are_the_same_where_a_server_prints_them_alike(
    wanted: str, again: str | None, found: str, *, same: bool
) -> None:
    forms = [a_form(WANTED, wanted, again=again), a_form(FOUND, found)]
    assert Spellings(forms).same(WANTED, FOUND) is same
