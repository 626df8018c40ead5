"""The application's role may do what no application needs.

The role that the application logs in as is the role of whoever finds a hole in it. SQL injection as an ordinary role
reads and writes the application's tables; as a superuser it runs programs on the server and rewrites its
configuration. CREATEROLE makes further roles and gives them rights. BYPASSRLS sets aside every row-level security
policy, and a superuser is above them, too. REPLICATION copies the whole server, all databases and the passwords'
digests with it. A role has these also when it is a member of one that has, for SET ROLE is one more statement; from
PostgreSQL 16 on the membership has to allow that, or to have the ADMIN OPTION, with which a role allows it to itself.
Members of pg_execute_server_program run programs on the server's machine; those of pg_write_server_files can get there
by what they write, and those of pg_read_server_files read all that the server can.

How to fix:

ALTER ROLE … NOSUPERUSER and so on, and REVOKE of such memberships, GRANTED BY whoever granted them; by a superuser. The
role keeps what it owns and what it was granted. What it used without either is refused afterwards: grant that.
Migrations that create extensions may need a superuser (not for the trusted ones, such as pg_trgm, citext, hstore and
unaccent, which the database's owner may create): let an administrator create those.

The role that initdb made (postgres, as a rule) is a superuser for good. Make the application a role of its own, let it
own the application's tables, and put it into DATABASES. The same goes for the role that a provider of managed servers
hands out: it is there to administer the database, and what it has is not yours to take away.

Not reported: CREATEDB, which the tests' databases need. With --dsn nothing is, as it is a person who looks then. While
DEBUG is on it is information only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Severity, Tag, Target
from dbops.snapshot.amounts import listed
from dbops.snapshot.names import quote_ident
from dbops.snapshot.providers import provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import DjangoSettings, Server
    from dbops.snapshot.security_rows import ReachableRole, RoleAttributes, SessionSecurity

TAG = Tag.LIVE

#: What members of the predefined roles may do beside the database.
_PREDEFINED: Final = {
    "pg_execute_server_program": "run programs on the server",
    "pg_write_server_files": "write the server's files",
    "pg_read_server_files": "read the server's files",
}


def check(
    session_security: tuple[SessionSecurity, ...],
    reachable_roles: tuple[ReachableRole, ...],
    django_settings: tuple[DjangoSettings, ...],
    server: tuple[Server, ...],
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
    evidence = {"attributes": ", ".join(attributes)} if attributes else {}
    if others:
        evidence["roles"] = ", ".join(dict.fromkeys(other.role for other in others))
    provider = provider_of(server[0])
    advice = f" On {provider.name} give it a role of its own, which owns its tables." if provider else ""
    yield Finding(
        target=Target(Kind.ROLE, quote_ident(session.role)),
        message=_message(session, own, others) + advice,
        severity=Severity.INFO if django_settings[0].debug else Severity.WARNING,
        evidence=evidence,
        fix=None if session.is_bootstrap or provider else _fix(session, own, others),
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
    parts += dict.fromkeys(_what_it_may(other) for other in others)
    return f"The application's role {role} {listed(parts)}: so may whoever finds a hole in the application."


def _what_it_may(other: ReachableRole) -> str:
    if other.role in _PREDEFINED:
        return f"may {_PREDEFINED[other.role]} ({other.role})"
    return f"may become {quote_ident(other.role)}, which has {', '.join(_attributes(other))}"


def _fix(session: SessionSecurity, own: tuple[str, ...], others: tuple[ReachableRole, ...]) -> Fix:
    role = quote_ident(session.role)
    sql, undo = [], []
    if own:
        sql.append(f"ALTER ROLE {role} {' '.join(f'NO{name}' for name in own)};")
        undo.append(f"ALTER ROLE {role} {' '.join(own)};")
    sql += dict.fromkeys(f"REVOKE {quote_ident(one.via)} FROM {role}{_granted_by(one)};" for one in others)
    undo += dict.fromkeys(f"GRANT {quote_ident(one.via)} TO {role}{_options(one)}{_granted_by(one)};" for one in others)
    caution = "what the role neither owns nor was granted is refused to it afterwards"
    if any(one.is_admin for one in others):
        caution += "; where it has granted a membership on to others, revoke that first"
    return Statements(sql=tuple(sql), undo=tuple(undo)).fix(caution=caution)


def _granted_by(grant: ReachableRole) -> str:
    """A grant is taken back as the one who gave it: nobody else's REVOKE, a superuser's neither, touches it."""
    return "" if grant.grantor is None else f" GRANTED BY {quote_ident(grant.grantor)}"


def _options(grant: ReachableRole) -> str:
    if grant.inherits is None or grant.can_set is None:
        return " WITH ADMIN OPTION" if grant.is_admin else ""
    options = {"ADMIN": grant.is_admin, "INHERIT": grant.inherits, "SET": grant.can_set}
    return " WITH " + ", ".join(f"{name} {str(is_given).upper()}" for name, is_given in options.items())
