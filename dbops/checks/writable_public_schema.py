"""A schema in which everybody may create objects.

Up to PostgreSQL 14 every new database let every role create in the schema public, and an upgrade keeps that as it was.
Where it holds, whoever can log in, a reporting role or a guest, can make a function or a table there that takes the
place of one that other people's statements mean: an unqualified name is looked for along the search path, and for a
function the better match wins. What it does then runs with the rights of the one who was deceived, up to a superuser's
(CVE-2018-1058). It also lets anybody fill the disk.

How to fix:

REVOKE CREATE … FROM PUBLIC. Roles that own tables there and have no other right to create, the one that runs migrate
most likely, are granted it by name first.

Not reported: schemas of extensions. While DEBUG is on it is information only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Severity, Tag, Target
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import DjangoSettings, Server
    from dbops.snapshot.security_rows import SchemaGrants

TAG = Tag.LIVE


def check(
    server: tuple[Server, ...],
    schema_grants: tuple[SchemaGrants, ...],
    django_settings: tuple[DjangoSettings, ...] | None = None,
) -> Iterator[Finding]:
    in_development = any(settings.debug for settings in django_settings or ())
    for schema in schema_grants:
        if schema.is_open and schema.extension is None:
            yield Finding(
                target=Target(Kind.SCHEMA, quote_ident(schema.schema)),
                message=_message(schema, is_searched=schema.schema in server[0].search_path),
                severity=Severity.INFO if in_development else Severity.WARNING,
                fix=_fix(schema),
            )


def _message(schema: SchemaGrants, *, is_searched: bool) -> str:
    told = f"Every role that can connect may create tables and functions in {quote_ident(schema.schema)}"
    if is_searched:
        return f"{told}, which is on the search path: one of them may be taken for what a statement means."
    return f"{told}."


def _fix(schema: SchemaGrants) -> Fix:
    create = f"CREATE ON SCHEMA {quote_ident(schema.schema)}"
    named = ", ".join(quote_ident(role) for role in schema.creators)
    return Statements(
        sql=(*([f"GRANT {create} TO {named};"] if named else []), f"REVOKE {create} FROM PUBLIC;"),
        undo=(f"GRANT {create} TO PUBLIC;", *([f"REVOKE {create} FROM {named};"] if named else [])),
    ).fix(caution="a role that made no table there yet, and was to, needs GRANT CREATE of its own")
