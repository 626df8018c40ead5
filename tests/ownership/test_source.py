"""Python source that means what it was written from."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from django.conf import settings
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from dbops.ownership import source
from dbops.ownership.statements import along_search_path, lenient


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_as_a_literal(text: str) -> None:
    assert ast.literal_eval(source.literal(text)) == text
    assert ast.literal_eval(source.strings([text, "x"])) == [text, "x"]


def test_a_literal_is_in_double_quotes_unless_it_has_some() -> None:
    assert source.literal("it's") == '"it\'s"'
    assert source.literal('the "one"') == "'the \"one\"'"


@pytest.mark.parametrize(
    ("field", "text", "imports"),
    [
        (
            models.ForeignKey("sessions.Session", models.SET_NULL, null=True),
            "models.ForeignKey(null=True, on_delete=models.SET_NULL, to='sessions.session')",
            set(),
        ),
        (
            models.ForeignKey("sessions.Session", models.SET(max)),
            "models.ForeignKey(on_delete=models.SET(builtins.max), to='sessions.session')",
            {"import builtins"},
        ),
        (
            models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE),
            "models.ForeignKey(on_delete=models.CASCADE, to=settings.AUTH_USER_MODEL)",
            {"from django.conf import settings"},
        ),
        (
            models.DateField(default=ast.parse),
            "models.DateField(default=ast.parse)",
            {"import ast"},
        ),
    ],
    ids=["on delete", "set", "setting", "function"],
)
def test_a_field_is_written_with_what_it_needs_to_be_imported(field: Any, text: str, imports: set[str]) -> None:
    written = source.field(field)
    assert written.text == text
    assert written.imports - {"from django.db import models"} == imports


def test_a_changed_field_differs_in_nothing_else() -> None:
    field = models.IntegerField("how many", db_index=True, null=True, db_column="n")
    changed = source.changed(field, models.BigIntegerField, db_index=False)
    assert source.field(changed).text == "models.BigIntegerField(db_column='n', null=True, verbose_name='how many')"
    assert source.field(source.changed(field, db_column=None)).text == (
        "models.IntegerField(db_index=True, null=True, verbose_name='how many')"
    )


@pytest.mark.parametrize(
    ("statement", "written"),
    [
        ("DROP INDEX CONCURRENTLY public.a;", "DROP INDEX CONCURRENTLY IF EXISTS public.a;"),
        ("DROP INDEX a;", "DROP INDEX IF EXISTS a;"),
        ("CREATE UNIQUE INDEX CONCURRENTLY a ON t (b);", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a ON t (b);"),
        ("CREATE INDEX IF NOT EXISTS a ON t (b);", "CREATE INDEX IF NOT EXISTS a ON t (b);"),
        ('ALTER TABLE s."a b" DROP CONSTRAINT c;', 'ALTER TABLE s."a b" DROP CONSTRAINT IF EXISTS c;'),
        ("ALTER SEQUENCE a AS bigint;", "ALTER SEQUENCE IF EXISTS a AS bigint;"),
        ("ALTER TABLE a SET LOGGED;", "ALTER TABLE a SET LOGGED;"),
    ],
)
def test_a_statement_does_nothing_where_nothing_is_to_be_done(statement: str, written: str) -> None:
    assert lenient(statement) == written


@pytest.mark.parametrize(
    ("statement", "schema", "written"),
    [
        ("DROP INDEX app.i;", "app", "DROP INDEX i;"),
        ('ALTER TABLE "My App".t SET LOGGED;', "My App", "ALTER TABLE t SET LOGGED;"),
        ("CREATE INDEX i ON app.t (lower(app.f(x)))", "app", "CREATE INDEX i ON t (lower(app.f(x)))"),
        ("DROP INDEX myapp.i;", "app", "DROP INDEX myapp.i;"),
        (
            "ALTER TABLE app.t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES app.u(id);",
            "app",
            "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(id);",
        ),
    ],
)
def test_tables_are_found_along_the_search_path(statement: str, schema: str, written: str) -> None:
    assert along_search_path(statement, schema) == written
