"""Definitions as a server prints them: each is made on an empty table of a scratch server, read back, and undone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dbops.snapshot.declared_rows import NormalForm
from dbops.snapshot.names import quote_ident, quote_literal
from dbops.snapshot.spellings import essence

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dbops.snapshot.schema import Schema
    from dbops.snapshot.spellings import Question

_TABLE: Final = "public.dbops_scratch"
_NAME: Final = "dbops_form"
#: What a project's types, operator classes and functions come from, as far as the scratch server has it.
_EXTENSIONS: Final = (
    "btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray isn ltree pg_trgm pgcrypto postgis "
    "seg unaccent uuid-ossp vector"
).split()
_MAKE: Final = {
    "index": f"CREATE INDEX {_NAME} ON {_TABLE} {{text}}",
    "constraint": f"ALTER TABLE {_TABLE} ADD CONSTRAINT {_NAME} {{text}}",
    "default": f"ALTER TABLE {_TABLE} ADD COLUMN {_NAME} {{type}} DEFAULT {{text}}",
    "generated": f"ALTER TABLE {_TABLE} ADD COLUMN {_NAME} {{type}} GENERATED ALWAYS AS ({{text}}) STORED",
}
_OF_COLUMN: Final = (
    "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a "
    "ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum) "
    f"WHERE a.attrelid = '{_TABLE}'::regclass AND a.attname = '{_NAME}'"
)
_READ: Final = {
    "index": f"SELECT regexp_replace(pg_get_indexdef('public.{_NAME}'::regclass), '^.*? USING ', 'USING ')",
    "constraint": f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{_NAME}'",
    "default": _OF_COLUMN,
    "generated": _OF_COLUMN,
}


def read_normal_forms(
    connection: Any, error: type[Exception], schema: Schema, asked: Collection[Question]
) -> tuple[NormalForm, ...]:
    """Return what a scratch server, whose driver raises `error`, makes of each definition.

    The tables have the columns of those in `schema` that the definitions name, with the types that they have there.
    """
    by_table: dict[int, list[Question]] = {}
    for question in asked:
        by_table.setdefault(question.table_oid, []).append(question)
    tables = {oid: _table(schema, questions) for oid, questions in by_table.items()}
    forms = {one: _form(connection, error, tables[one.table_oid], one) for one in asked}
    if any(form.unseen for form in forms.values()):
        _create_extensions(connection)
        forms = {
            one: form if form.unseen is None else _form(connection, error, tables[one.table_oid], one)
            for one, form in forms.items()
        }
    return tuple(forms.values())


def _create_extensions(connection: Any) -> None:
    _run(connection, "SET client_min_messages = error")
    for name in _EXTENSIONS:
        if _run(connection, f"SELECT 1 FROM pg_available_extensions WHERE name = {quote_literal(name)}"):
            _run(connection, f"CREATE EXTENSION IF NOT EXISTS {quote_ident(name)} CASCADE")


def _table(schema: Schema, questions: Sequence[Question]) -> str:
    texts = " ".join(question.text for question in questions)
    columns = schema.columns_of(questions[0].table_oid)
    named = [f"{quote_ident(column.name)} {column.type}" for column in columns if column.name in texts]
    return f"CREATE TABLE {_TABLE} ({', '.join(named)})"


def _form(connection: Any, error: type[Exception], table: str, question: Question) -> NormalForm:
    form = NormalForm(
        table_oid=question.table_oid, kind=question.kind, type=question.type, text=question.text, normal=None
    )
    try:
        normal = _printed(connection, table, question, question.text)
        return replace(form, normal=normal, again=_printed(connection, table, question, normal))
    except error as refused:
        lines = str(refused).strip().splitlines() or [type(refused).__name__]
        return replace(form, unseen=f"a scratch server cannot make it ({lines[0]}): compare by hand")


def _printed(connection: Any, table: str, question: Question, text: str) -> str:
    """Make the table and the thing, read it as it is read elsewhere, names in full, and undo both."""
    _run(connection, "BEGIN")
    try:
        _run(connection, table)
        _run(connection, _MAKE[question.kind].format(text=text, type=question.type))
        _run(connection, "SET LOCAL search_path = ''")
        ((printed,),) = _run(connection, _READ[question.kind])
        return essence(printed)
    finally:
        _run(connection, "ROLLBACK")


def _run(connection: Any, statement: str) -> list[Any]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []
