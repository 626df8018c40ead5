"""Definitions that only a server can compare, put to a scratch one: never to the server that is looked at."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.normal_forms import read_normal_forms
from dbops.errors import EmbeddedServerError
from dbops.findings.drift.compare import unanswered
from dbops.snapshot.declared_rows import NormalForm
from dbops.snapshot.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dbops.snapshot.snapshot import Snapshot
    from dbops.snapshot.spellings import Question

_REMEDY: Final = 'its expression was not compared: pip install "dbops[embedded,psycopg]" where dbops runs'
_ELSEWHERE: Final = "its expression was not compared: manage.py dbanalyze does, with a scratch server"
#: What servers answered in this process already: by major version, the table's columns, and the definition.
_answers: dict[tuple[Any, ...], NormalForm] = {}


def with_normal_forms(snapshot: Snapshot, *, may_start_server: bool = True) -> Snapshot:
    """Return `snapshot` with its section normal_forms; where anything is to be asked, a scratch server is started.

    Where none can be or may be started, the section says so of each question.
    """
    schema, asked = Schema.of(snapshot), unanswered(snapshot)
    if not asked or not isinstance(schema, Schema) or snapshot.server is None:
        return snapshot
    major = snapshot.server.major
    keys = {one: (major, _columns(schema, one), one.kind, one.type, one.text) for one in asked}
    new = [one for one in asked if keys[one] not in _answers]
    forms: Mapping[Question, NormalForm] = {}
    if new:
        forms = _asked(schema, new, major) if may_start_server else _refused(new, _ELSEWHERE)
    known = {one: _answers[key] for one, key in keys.items() if key in _answers}
    _answers.update({keys[one]: form for one, form in forms.items() if form.normal is not None})
    section = tuple(replace(form, table_oid=one.table_oid) for one, form in {**known, **forms}.items())
    return replace(snapshot, sections={**snapshot.sections, "normal_forms": section})


def _columns(schema: Schema, question: Question) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, column.type) for column in schema.columns_of(question.table_oid))


def _asked(schema: Schema, asked: Iterable[Question], major: int) -> Mapping[Question, NormalForm]:
    asked = tuple(asked)
    try:
        # The embedded servers' driver may be absent: dbops reads through psycopg2 as well.
        scratch: Any = import_module("dbops.embedded.scratch")
    except ImportError:
        return _refused(asked, _REMEDY)
    try:
        with scratch.scratch_server(major) as connection:
            forms = read_normal_forms(connection, scratch.psycopg.Error, schema, asked)
    except EmbeddedServerError as error:
        return _refused(asked, f"its expression was not compared: {error}")
    return dict(zip(asked, forms, strict=True))


def _refused(asked: Iterable[Question], reason: str) -> Mapping[Question, NormalForm]:
    return {
        one: NormalForm(
            table_oid=one.table_oid, kind=one.kind, type=one.type, text=one.text, normal=None, unseen=reason
        )
        for one in asked
    }
