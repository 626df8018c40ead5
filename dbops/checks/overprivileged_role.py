"""The application's role may do what no application needs.

The role that the application logs in as is the role of whoever finds a hole in it. SQL injection as an ordinary role
reads and writes the application's tables; as a superuser it runs programs on the server and rewrites its
configuration. CREATEROLE makes further roles and gives them rights. BYPASSRLS sets aside every row-level security
policy, and a superuser is above them, too. REPLICATION copies the whole server, all databases and the passwords'
digests with it. A role has these also when it is a member of one that has: SET ROLE is one more statement.

How to fix:

ALTER ROLE … NOSUPERUSER and so on; by a superuser. The role keeps what it owns and what it was granted. What it used
without either is refused afterwards: grant that. Migrations that create extensions may need a superuser (not for the
trusted ones, such as pg_trgm, citext, hstore and unaccent, which the database's owner may create): let an
administrator create those.

The role that initdb made (postgres, as a rule) is a superuser for good. Make the application a role of its own, let it
own the application's tables, and put it into DATABASES.

Not reported: CREATEDB, which the tests' databases need. With --dsn nothing is, as it is a person who looks then. While
DEBUG is on it is information only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Severity, Tag, Target
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import DjangoSettings
    from dbops.snapshot.security_rows import ReachableRole, RoleAttributes, SessionSecurity

TAG = Tag.LIVE


def check(
    session_security: tuple[SessionSecurity, ...],
    reachable_roles: tuple[ReachableRole, ...],
    django_settings: tuple[DjangoSettings, ...],
) -> Iterator[Finding]:
    (session,) = session_security
    own = _attributes(session)
    # A superuser may become anybody, so that what it is a member of adds nothing.
    others = () if session.is_superuser else tuple(role for role in reachable_roles if role.role != session.role)
    if not own and not others:
        return
    attributes = dict.fromkeys(own)
    for other in others:
        attributes |= dict.fromkeys(_attributes(other))
    evidence = {"attributes": ", ".join(attributes)}
    if others:
        evidence["roles"] = ", ".join(dict.fromkeys(other.role for other in others))
    yield Finding(
        target=Target(Kind.ROLE, quote_ident(session.role)),
        message=_message(session, own, others),
        severity=Severity.INFO if django_settings[0].debug else Severity.WARNING,
        evidence=evidence,
        fix=_fix(session, own, others),
    )


def _attributes(role: RoleAttributes) -> tuple[str, ...]:
    told = {
        "SUPERUSER": role.is_superuser,
        "CREATEROLE": role.can_create_roles,
        "BYPASSRLS": role.bypasses_row_security,
        "REPLICATION": role.can_replicate,
    }
    return tuple(name for name, is_set in told.items() if is_set)


def _message(session: SessionSecurity, own: tuple[str, ...], others: tuple[ReachableRole, ...]) -> str:
    role = quote_ident(session.role)
    if session.is_superuser:
        message = f"The application logs in as {role}, a superuser: one hole in it opens the whole server"
        if session.is_bootstrap:
            message += ". It is the role that initdb made, which cannot be anything less"
        return f"{message}."
    parts = []
    if own:
        parts.append(f"has {', '.join(own)}")
    parts += [
        f"may become {quote_ident(other.role)}, which has {', '.join(_attributes(other))}"
        for other in {other.role: other for other in others}.values()
    ]
    return f"The application's role {role} {' and '.join(parts)}: so has whoever finds a hole in the application."


def _fix(session: SessionSecurity, own: tuple[str, ...], others: tuple[ReachableRole, ...]) -> Fix | None:
    if session.is_bootstrap:
        return None
    role = quote_ident(session.role)
    vias = [quote_ident(via) for via in dict.fromkeys(other.via for other in others)]
    sql, undo = [], []
    if own:
        sql.append(f"ALTER ROLE {role} {' '.join(f'NO{name}' for name in own)};")
        undo.append(f"ALTER ROLE {role} {' '.join(own)};")
    sql += [f"REVOKE {via} FROM {role};" for via in vias]
    undo += [f"GRANT {via} TO {role};" for via in vias]
    return Statements(sql=tuple(sql), undo=tuple(undo)).fix(
        caution="what the role neither owns nor was granted is refused to it afterwards"
    )
