from __future__ import annotations

from typing import Any

import pytest

from dbops.snapshot.column_uses import UNREAD, checks_over, expressions_over, special_indexes
from dbops.snapshot.key_columns import TableColumn
from tests.builders import a_column, a_constraint, a_schema, a_table, an_index

CODE = TableColumn(a_table(), a_column(1, "code", "text"))
ODD = TableColumn(a_table(), a_column(1, 'The "Code"', "text"))


def expressions(one: TableColumn, **index: Any) -> list[str]:
    return list(expressions_over(a_schema(an_index(columns=(0,), **index)), one))


def specials(one: TableColumn, keys: str) -> list[str]:
    index = an_index(definition=f"CREATE INDEX task_idx ON public.task USING btree ({keys})")
    return [found.name for found in special_indexes(a_schema(index), one)]


@pytest.mark.parametrize("text", ["lower(code)", "(code || 'x')", "code", "((code)::text = 'a'::text)"])
def test_an_expression_that_names_the_column_is_found(text: str) -> None:
    assert expressions(CODE, has_expressions=True, expressions=text) == [text]
    assert expressions(CODE, is_partial=True, predicate=text) == [text]


@pytest.mark.parametrize("text", ["lower(zipcode)", "lower(code_2)", 'lower("code")', 'lower(""code"")'])
def test_an_expression_that_names_another_column_is_not(text: str) -> None:
    assert expressions(CODE, has_expressions=True, expressions=text) == []


def test_a_quoted_name_is_looked_for_as_the_server_writes_it() -> None:
    text = 'lower("The ""Code""")'
    assert expressions(ODD, has_expressions=True, expressions=text) == [text]


def test_what_could_not_be_read_may_name_it() -> None:
    assert expressions(CODE, has_expressions=True, expressions=None) == [UNREAD]
    assert list(checks_over(a_schema(a_constraint(definition=None)), CODE)) == [UNREAD]


def test_checks_are_found_by_their_columns() -> None:
    schema = a_schema(
        a_constraint(1, "mine"),
        a_constraint(2, "others", columns=(2,)),
        a_constraint(3, "key", "u", definition="UNIQUE (code)"),
    )
    assert list(checks_over(schema, CODE)) == ["CHECK ((id > 0))"]


@pytest.mark.parametrize(
    "keys",
    [
        "code varchar_pattern_ops",
        "a, code text_pattern_ops DESC",
        'code COLLATE "C" public.gin_trgm_ops',
        'code COLLATE pg_catalog."C" text_pattern_ops',
    ],
)
def test_an_operator_class_of_its_own_makes_an_index_special(keys: str) -> None:
    assert specials(CODE, keys) == ["task_idx"]


@pytest.mark.parametrize(
    "keys", ["code", "code DESC", 'code COLLATE "C"', "code, a text_pattern_ops", "zip_code text_ops"]
)
def test_an_index_with_the_default_operator_class_is_not_special(keys: str) -> None:
    assert specials(CODE, keys) == []


def test_a_quoted_column_has_special_indexes_too() -> None:
    assert specials(ODD, '"The ""Code""" text_pattern_ops') == ["task_idx"]
