from __future__ import annotations

from dbops.findings.changes import Statements
from dbops.findings.finding import Owner
from dbops.render.remedies import FEW_NAMES, FEW_STATEMENTS, in_words, remedies
from tests.render.reports import MINE, a_finding, an_exhausted_sequence, an_unindexed_foreign_key, with_operation


def test_the_operation_comes_first_where_there_is_one() -> None:
    operation, sql = remedies(an_unindexed_foreign_key())

    assert (operation.heading, operation.language) == ("fix in a migration of tasks with atomic = False", "python")
    assert (sql.heading, sql.language) == ("or in SQL, outside a transaction", "sql")


def test_a_plain_fix_in_a_transaction_needs_no_more_words() -> None:
    fix = Statements(sql=("SELECT 1;",)).fix()
    owners = (MINE, Owner())

    headings = [
        [remedy.heading for remedy in remedies(a_finding(fix=one, owner=owner))]
        for one in (fix, with_operation(fix, "RunSQL(1)"))
        for owner in owners
    ]

    assert headings == [
        ["fix in SQL"],
        ["fix in SQL"],
        ["fix in a migration of tasks", "or in SQL"],
        ["fix in a migration", "or in SQL"],
    ]


def test_without_code_the_page_is_named() -> None:
    assert remedies(an_exhausted_sequence()) == ()
    assert in_words(an_exhausted_sequence()).endswith("what to do: manage.py dbanalyze --explain exhausted_sequence")


def test_very_many_statements_and_names_are_counted() -> None:
    fix = Statements(sql=tuple(f"SELECT {number};" for number in range(FEW_STATEMENTS + 7))).fix()
    names = tuple(f"public.t{number}" for number in range(FEW_NAMES + 3))

    text = in_words(a_finding(fix=fix, rolled_up=names))

    assert text.splitlines()[-2:] == [f"SELECT {FEW_STATEMENTS - 1};", "-- 7 more statements"]
    assert f"public.t{FEW_NAMES - 1} and 3 more" in text
