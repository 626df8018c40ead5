"""A connection over the network that anybody on the way can read.

Without TLS every row, and every value that somebody types into a form, crosses the network in plain sight, and can be
changed on the way. libpq's own default, sslmode=prefer, asks for encryption and goes on without it when it is told that
there is none, by the server or by somebody in between: it protects from nobody.

How to fix:

Set OPTIONS = {"sslmode": "require"} in DATABASES, better "verify-full" with sslrootcert, which also makes sure that the
server is the one that is meant; with dj-database-url and the like, ?sslmode=require in the URL. Where the server has no
certificate yet: server.crt and server.key in its data directory and ssl = on. So that nobody can come without, write
hostssl in place of host in pg_hba.conf. Where a pooler stands in between, each of the two ways has its own setting
(PgBouncer: server_tls_sslmode = require).

Not reported: Unix sockets and connections that do not leave the machine; those that Kerberos encrypts. An encrypted
one that does not insist on it is information only, and so is everything while DEBUG is on.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.django_rows import DjangoDatabase
    from dbops.snapshot.rows import DjangoSettings, Server
    from dbops.snapshot.security_rows import SessionSecurity

TAG = Tag.STRUCTURAL

#: The values of sslmode that go on without encryption when there is none to be had.
_WITHOUT: Final = frozenset({"disable", "allow", "prefer"})


def check(
    server: tuple[Server, ...],
    session_security: tuple[SessionSecurity, ...],
    django_settings: tuple[DjangoSettings, ...] | None = None,
    django_databases: tuple[DjangoDatabase, ...] | None = None,
) -> Iterator[Finding]:
    (session,) = session_security
    in_development = any(settings.debug for settings in django_settings or ())
    database = next((one for one in django_databases or () if one.is_target), None)
    mode = database.ssl_mode if database else None
    is_encrypted = session.is_ssl or session.is_gss_encrypted
    if _is_local(session):
        return
    if not is_encrypted:
        severity = Severity.WARNING
        message = f"What this project and the server say to one another crosses the network unencrypted{_cause(mode)}."
        if database is None:
            message = "The server took a connection from another machine that is not encrypted."
        elif database.host_kind in {"socket", "loopback"}:
            message = (
                "The server is reached through something on this machine, a pooler or a tunnel, and the connection "
                "that arrives at it over the network is not encrypted."
            )
    elif session.is_ssl and mode in _WITHOUT:
        severity = Severity.INFO
        message = (
            f"The connection is encrypted because the server offers it; sslmode={mode} would go on without, so that "
            "whoever stands in between can switch it off."
        )
    else:
        return
    yield Finding(
        target=Target(Kind.DATABASE, quote_ident(server[0].database)),
        message=message,
        severity=Severity.INFO if in_development else severity,
        basis=Basis.MEASURED,
        evidence=_evidence(session, mode),
    )


def _cause(mode: str | None) -> str:
    return f" (sslmode={mode})" if mode in _WITHOUT else ""


def _evidence(session: SessionSecurity, mode: str | None) -> dict[str, str]:
    known = {"client_address": session.client_address, "server_address": session.server_address, "ssl_mode": mode}
    return {name: value for name, value in known.items() if value is not None}


def _is_local(session: SessionSecurity) -> bool:
    """Whether the connection stays on the server's machine."""
    client = session.client_address
    return client is None or client == session.server_address or ipaddress.ip_address(client).is_loopback
