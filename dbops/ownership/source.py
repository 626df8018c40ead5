"""Python source of migration operations, to be pasted into a migration's `operations`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.migrations.writer import MigrationWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.ownership.tables import AnyField

#: What a file made by makemigrations imports from the start.
_IMPORTED: Final = frozenset({"from django.db import migrations", "from django.db import models"})
_INDENT: Final = "    "
#: How long a line may be before its arguments get lines of their own.
_LINE: Final = 100
_DELETION: Final = re.compile(r"\bdjango\.db\.models\.deletion\.([A-Z_]+)\b")


@dataclass(frozen=True, slots=True)
class Source:
    """An operation. `imports` is what its file needs besides `migrations` and `models`."""

    text: str
    imports: frozenset[str] = frozenset()

    def with_remarks(self, *remarks: str) -> str:
        """Return the operation below comments: the imports it needs, then what else there is to do, line by line."""
        comments = (f"# {line}" for line in (*sorted(self.imports - _IMPORTED), *remarks))
        return "\n".join((*comments, self.text))


def literal(text: str) -> str:
    """Return `text` as a Python string, in double quotes unless it has some itself."""
    return repr(text) if '"' in text or not text.isprintable() else json.dumps(text, ensure_ascii=False)


def strings(texts: Sequence[str]) -> str:
    """Return a list of Python strings on one line."""
    return f"[{', '.join(literal(text) for text in texts)}]"


def operation(name: str, *arguments: str, imports: frozenset[str] = frozenset()) -> Source:
    """Return an operation of django.db.migrations, on one line if it fits."""
    return Source(_call(f"migrations.{name}", arguments), imports)


def postgres_operation(name: str, *arguments: str) -> Source:
    """Return an operation of django.contrib.postgres, on one line if it fits."""
    return Source(_call(name, arguments), frozenset({f"from django.contrib.postgres.operations import {name}"}))


def field(one: AnyField) -> Source:
    """Return a field as makemigrations writes it, with the shorter name for what `models` exports.

    Raises:
        ValueError: something in it cannot be written, a lambda for instance; makemigrations says the same.
    """
    text, imports = MigrationWriter.serialize(one)
    return Source(_DELETION.sub(r"models.\1", text), frozenset(imports - {"import django.db.models.deletion"}))


def changed(one: AnyField, wider: type[AnyField] | None = None, **changes: Any) -> AnyField:
    """Return a copy of a model's field with some arguments changed (None: left out), or of the class `wider`."""
    _, _, arguments, options = one.deconstruct()
    merged = {name: value for name, value in {**options, **changes}.items() if value is not None or name in options}
    left_out = {name for name, value in changes.items() if value is None}
    return (wider or type(one))(*arguments, **{name: merged[name] for name in merged if name not in left_out})


def run_sql(sql: Sequence[str], reverse_sql: Sequence[str] | None) -> Source:
    """Return a RunSQL of statements, each run by itself; without a reverse, going back leaves things as they are."""
    back = "migrations.RunSQL.noop" if reverse_sql is None else _statements(reverse_sql)
    return operation("RunSQL", _statements(sql), f"reverse_sql={back}")


def separate(state: Source | Sequence[Source], database: Source) -> Source:
    """Return an operation that tells the models' state one thing, or several, and the database another."""
    states = [state] if isinstance(state, Source) else state
    arguments = [
        _indented("state_operations=", [one.text for one in states], "[]"),
        _indented("database_operations=", [database.text], "[]"),
    ]
    imports = database.imports.union(*(one.imports for one in states))
    return operation("SeparateDatabaseAndState", *arguments, imports=imports)


def _statements(statements: Sequence[str]) -> str:
    if len(statements) == 1:
        return literal(statements[0])
    return _indented("", [literal(statement) for statement in statements], "[]")


def _call(function: str, arguments: Sequence[str]) -> str:
    line = f"{function}({', '.join(arguments)})"
    return line if len(line) <= _LINE and "\n" not in line else _indented(function, arguments)


def _indented(head: str, items: Sequence[str], brackets: str = "()") -> str:
    """Return `head(items)`, each item on lines of its own."""
    lines = [f"{_INDENT}{line}" for item in items for line in f"{item},".splitlines()]
    return "\n".join([head + brackets[0], *lines, brackets[1]])
