"""A function that runs with its owner's rights and looks up names on its caller's search path.

A SECURITY DEFINER function does what its owner may do. Unless it sets a search path of its own, the names in it are
looked for along the path of whoever calls it, and the caller can put a schema of theirs in front: a table, function or
operator there takes the place of the one that was meant, and runs, or is read and written, with the owner's rights. A
path that leaves out pg_temp is searched in temporary tables first all the same.

How to fix:

ALTER FUNCTION … SET search_path with the schemas that the function needs and pg_temp as the last. The statement given
here keeps the schemas that it finds its names in today, as far as the looking role's path is everybody's; where the
body names its schemas in full, pg_catalog, pg_temp is enough. Put the same into the migration that creates the
function: CREATE OR REPLACE without it takes it away again.

Not reported: functions of extensions; those in C; those whose body is SQL that was parsed when they were created
(BEGIN ATOMIC), for their names are fixed; those that nobody but the owner may call; a path that was set empty.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Severity, Tag, Target
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server
    from dbops.snapshot.security_rows import DefinerFunction

TAG = Tag.LIVE

#: Languages whose bodies are no statements with names in them.
_COMPILED: Final = frozenset({"c", "internal"})
_TEMPORARY: Final = "pg_temp"
_ELEMENT: Final = re.compile(r'"(?:[^"]|"")*"|[^,\s]+')
_EMPTY: Final = '""'


def check(server: tuple[Server, ...], definer_functions: tuple[DefinerFunction, ...]) -> Iterator[Finding]:
    for function in definer_functions:
        if function.is_parsed or not function.is_callable or function.language in _COMPILED:
            continue
        kind = "procedure" if function.kind == "p" else "function"
        rights = f"the rights of {quote_ident(function.owner)}"
        if function.is_owned_by_superuser:
            rights += ", a superuser"
        if function.search_path is None:
            severity = Severity.WARNING
            message = (
                f"The {kind} runs with {rights}, and looks up its names on the caller's search path: "
                "a caller can slip in objects of their own."
            )
            after = _path(server[0], function)
        elif _is_open_to_temporary_tables(function.search_path):
            severity = Severity.INFO
            message = (
                f"The {kind} runs with {rights}, and its search path does not say where {_TEMPORARY} comes: "
                "a caller's temporary table comes before every other."
            )
            after = f"{function.search_path}, {_TEMPORARY}"
        else:
            continue
        yield Finding(
            target=Target(Kind.FUNCTION, function.signature),
            message=message,
            severity=severity,
            evidence={"owner": function.owner},
            fix=_fix(function, after),
        )


def _is_open_to_temporary_tables(path: str) -> bool:
    elements = _ELEMENT.findall(path)
    return _TEMPORARY not in elements and any(element != _EMPTY for element in elements)


def _path(server: Server, function: DefinerFunction) -> str:
    schemas = dict.fromkeys(("pg_catalog", *server.search_path, function.schema))
    return ", ".join([*(quote_ident(schema) for schema in schemas), _TEMPORARY])


def _fix(function: DefinerFunction, after: str) -> Fix:
    alter = f"ALTER {'PROCEDURE' if function.kind == 'p' else 'FUNCTION'} {function.signature}"
    before = function.search_path
    return Statements(
        sql=(f"{alter} SET search_path = {after};",),
        undo=(f"{alter} RESET search_path;" if before is None else f"{alter} SET search_path = {before};",),
    ).fix(caution=None if before else "names in schemas that are not listed are not found any more")
