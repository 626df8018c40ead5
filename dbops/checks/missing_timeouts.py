"""The application's role has no limit on how long it works, waits for a lock, or holds a transaction open.

Without statement_timeout one bad statement, a report without a WHERE or a plan that went wrong, runs for as long as it
likes, long after whoever asked for it has gone; a few of them take all the workers. Without lock_timeout a request that
meets a lock waits for as long as the other one holds it, and everything that comes after queues up behind. Without
idle_in_transaction_session_timeout a process that hangs between two statements, on a call to another service or in a
debugger, keeps its locks and holds back vacuum in the whole database until somebody ends it.

How to fix:

Give the limits to the role, in the database, as the fix does, or to Django's connections, as "options" in OPTIONS of
DATABASES: "-c statement_timeout=30000". They hold for new sessions. The numbers are where to begin: a statement may
take as long as a request may.

A limit of the role holds for migrations, imports and dumps by that role, too. Let these say otherwise: another role,
PGOPTIONS="-c statement_timeout=0", or OPTIONS that depend on what runs.

Not reported: a limit that the connection, the role or the database sets to 0 outright, for that was decided;
lock_timeout where statement_timeout ends the wait as well is only mentioned. transaction_timeout (17) ends what
statement_timeout and idle_in_transaction_session_timeout would. A limit that is SET after connecting, by a
connection_created handler, is not seen: set it aside under IGNORE, or say it in OPTIONS, which costs no round trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Finding, Kind, Severity, Tag, Target
from dbops.snapshot.amounts import listed
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.rows import DjangoSettings, Server
    from dbops.snapshot.security_rows import SessionSecurity
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.STRUCTURAL

#: What the fix proposes.
_PROPOSED: Final = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}
#: What may happen without each.
_RISKS: Final = {
    "statement_timeout": "a bad statement runs on after whoever asked for it has gone",
    "lock_timeout": "a request that meets a lock waits for as long as it is held",
    "idle_in_transaction_session_timeout": "a process that hangs in a transaction keeps its locks and hinders vacuum",
}
#: Which other limits end the same.
_COVERS: Final = {
    "statement_timeout": ("transaction_timeout",),
    "lock_timeout": ("statement_timeout", "transaction_timeout"),
    "idle_in_transaction_session_timeout": ("transaction_timeout",),
}
#: Where a value comes from that nobody chose for this role or this database.
_UNDECIDED: Final = frozenset({"default", "configuration file", "command line", "environment variable"})


def check(
    settings: tuple[Setting, ...],
    server: tuple[Server, ...],
    session_security: tuple[SessionSecurity, ...],
    django_settings: tuple[DjangoSettings, ...],
) -> Iterator[Finding]:
    known = {setting.name: setting for setting in settings}
    limited = {name for name, setting in known.items() if setting.value != "0"}
    missing = [name for name in _PROPOSED if name in known and _is_missing(known[name])]
    exposed = [name for name in missing if not limited.intersection(_COVERS[name])]
    # A lock that is waited for no longer than the statement lasts is worth a word; the others are settled.
    told = exposed or [name for name in missing if name == "lock_timeout"]
    if not told:
        return
    role, database = session_security[0].role, server[0].database
    scope = f"ROLE {quote_ident(role)} IN DATABASE {quote_ident(database)}"
    is_development = django_settings[0].debug
    yield Finding(
        target=Target(Kind.ROLE, quote_ident(role)),
        message=f"{role} has no {listed(told)}: {'; '.join(_RISKS[name] for name in told)}.",
        severity=Severity.WARNING if exposed and not is_development else Severity.INFO,
        evidence={"missing": ", ".join(told)},
        fix=Statements(
            sql=tuple(f"ALTER {scope} SET {name} = '{_PROPOSED[name]}';" for name in told),
            undo=tuple(f"ALTER {scope} RESET {name};" for name in told),
        ).fix(caution=f"holds for new sessions of {role}, those of migrations and imports as well"),
    )


def _is_missing(setting: Setting) -> bool:
    return setting.value == "0" and setting.source in _UNDECIDED
