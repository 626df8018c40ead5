"""The server does not count what its statements cost: pg_stat_statements is missing, counts nothing, or forgets.

Without it nobody can say which statements make the load, which became slower, or which write temporary files: what a
log of slow statements shows are the exceptions and not what runs a million times. It ships with PostgreSQL, costs a few
per cent at the very most, and keeps no values, as constants of queries become $1, $2.

How to fix:

Where its library is loaded, CREATE EXTENSION pg_stat_statements in this database. Where it is not, add it to
shared_preload_libraries, which needs a restart of the server; managed servers have it loaded, or let it be chosen. With
pg_stat_statements.track = top it counts what clients send. It keeps pg_stat_statements.max statements; where more
different ones run, the least used are dropped and what they had counted is lost. Often they differ only by the length
of an IN list (each counts apart before PostgreSQL 18; = ANY(array) does not), by names made up for temporary tables, or
by values written into them that are no constants. Otherwise raise the limit.

Not reported: a few statements dropped now and then, and what the session that looks has chosen for itself alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target
from dbops.findings.setting_fixes import set_on_server, where_to_set
from dbops.snapshot.amounts import format_count, plural
from dbops.snapshot.names import quote_literal
from dbops.snapshot.providers import provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.fix import Fix
    from dbops.snapshot.activity_rows import Window
    from dbops.snapshot.counter_rows import StatementTracking
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE

_NAME: Final = "pg_stat_statements"
_LIBRARIES: Final = "shared_preload_libraries"
_TRACK: Final = "pg_stat_statements.track"
_MAX: Final = "pg_stat_statements.max"
#: Where a value comes from that ALTER SYSTEM overrides.
_FILES: Final = frozenset({"default", "configuration file"})
#: Where one comes from that holds for the role that looks, and perhaps for no other.
_OF_ROLE: Final = frozenset({"user", "database user"})
_CREATE: Final = Statements(
    sql=("CREATE EXTENSION pg_stat_statements;",), undo=("DROP EXTENSION pg_stat_statements;",), is_local=True
)


def check(
    statement_tracking: tuple[StatementTracking, ...],
    server: tuple[Server, ...],
    settings: tuple[Setting, ...] | None = None,
    statement_window: tuple[Window, ...] | None = None,
    *,
    evictions_per_hour: float = 1.0,  # each drops 5 %, so within a day every rare statement is lost
    few_evictions_per_hour: float = 1 / 24,  # once a day loses hardly anything that matters
    young_hours: float = 1.0,  # counted for less, a rate says nothing
    most_entries: int = 50_000,  # more of them make every look slow: mend what is different each time instead
) -> Iterator[Finding]:
    tracking, known = statement_tracking[0], {setting.name: setting for setting in settings or ()}
    if not tracking.is_loaded:
        yield _not_loaded(tracking, server[0], known.get(_LIBRARIES))
    elif tracking.schema is None:
        yield Finding(
            target=Target(Kind.EXTENSION, _NAME),
            message="The server's library counts statements already, but this database has no extension to read them.",
            severity=Severity.INFO,
            evidence={"is_loaded": "yes", "is_created": "no"},
            fix=_CREATE.fix(caution="needs a superuser, or a role that the provider trusts with it"),
        )
    elif tracking.track == "none":
        yield from _untracked(known.get(_TRACK), server[0])
    else:
        window = statement_window[0] if statement_window else None
        rate = _evictions_per_hour(tracking, server[0], young_hours)
        # What history has seen counts for more than the mean since a reset that may be long ago.
        is_evicting = window.is_lower_bound if window and window.source == "history" else rate >= few_evictions_per_hour
        if is_evicting:
            is_often = rate >= evictions_per_hour
            yield _evicting(tracking, server[0], known.get(_MAX), rate, is_often=is_often, most_entries=most_entries)


def _not_loaded(tracking: StatementTracking, server: Server, setting: Setting | None) -> Finding:
    if not tracking.is_available:
        message = (
            "pg_stat_statements is not installed on the server: it comes with PostgreSQL's contrib modules. Then "
            "add it to shared_preload_libraries, and restart."
        )
    elif tracking.schema is not None:
        message = (
            "The extension is here, but counts nothing: pg_stat_statements has to be added to "
            "shared_preload_libraries, which needs a restart."
        )
    else:
        message = (
            "Nothing counts what statements cost: pg_stat_statements has to be added to shared_preload_libraries, "
            "which needs a restart, and to be created in this database."
        )
    if setting is not None:
        message += where_to_set(setting, server)
    is_halfway = tracking.schema is not None
    return Finding(
        target=Target(Kind.EXTENSION, _NAME),
        message=message,
        severity=Severity.WARNING if is_halfway else Severity.INFO,
        evidence={"is_loaded": "no", "is_created": "yes" if is_halfway else "no"},
        fix=_preload(setting, server, create=not is_halfway) if tracking.is_available else None,
    )


def _preload(setting: Setting | None, server: Server, *, create: bool) -> Fix | None:
    """Return what has the library loaded beside the others; None where these are not to be seen or set."""
    if setting is None or setting.source not in _FILES or provider_of(server) is not None:
        return None
    old = [name.strip().strip('"') for name in (setting.value or "").split(",") if name.strip()]
    if _NAME in old:
        return None  # the file says so already: only the restart is missing, or the library could not be loaded
    made, undo = (_CREATE.sql, _CREATE.undo) if create else ((), ())
    return Statements(
        sql=(f"ALTER SYSTEM SET {_LIBRARIES} = {', '.join(map(quote_literal, [*old, _NAME]))};", *made),
        undo=(
            *undo,
            f"ALTER SYSTEM SET {_LIBRARIES} = {', '.join(map(quote_literal, old))};"
            if old  # SET … = '' names a library without a name, and the server does not start
            else f"ALTER SYSTEM RESET {_LIBRARIES};",
        ),
        in_transaction=False,
        is_local=True,
    ).fix(caution="needs a superuser, and holds once the server was restarted")


def _untracked(setting: Setting | None, server: Server) -> Iterator[Finding]:
    if setting is not None and setting.source in {"client", "session"}:
        return
    is_of_role = setting is not None and setting.source in _OF_ROLE
    where = f" for {server.session_role}, by the role's own setting" if is_of_role else ""
    message = f"pg_stat_statements is loaded but told to count nothing{where}: track is none."
    yield Finding(
        target=Target(Kind.SETTING, _TRACK),
        message=message + (where_to_set(setting, server) if setting else ""),
        severity=Severity.INFO if is_of_role else Severity.WARNING,
        evidence={"track": "none"},
        fix=set_on_server(setting, "top", server) if setting else None,
    )


def _evictions_per_hour(tracking: StatementTracking, server: Server, young_hours: float) -> float:
    if not tracking.deallocations or tracking.reset_at is None:
        return 0.0
    hours = (server.observed_at - tracking.reset_at).total_seconds() / 3600
    return tracking.deallocations / hours if hours >= young_hours else 0.0


def _evicting(
    tracking: StatementTracking,
    server: Server,
    setting: Setting | None,
    rate: float,
    *,
    is_often: bool,
    most_entries: int,
) -> Finding:
    most = tracking.most or 0
    dropped = plural(tracking.deallocations or 0, "time")
    message = (
        f"More different statements run than the {format_count(most)} that it keeps: the least used were dropped "
        f"{dropped} to make room, {rate:,.1f} times an hour, so that what they cost is not known."
    )
    return Finding(
        target=Target(Kind.SETTING, _MAX),
        message=message + (where_to_set(setting, server) if setting else ""),
        severity=Severity.WARNING if is_often else Severity.INFO,
        basis=Basis.MEASURED,
        evidence={
            "deallocations": tracking.deallocations or 0,
            "deallocations_per_hour": round(rate, 3),
            "entries": tracking.entries or 0,
            "most_entries": most,
        },
        fix=_raised(setting, server) if most * 2 <= most_entries else None,
    )


def _raised(setting: Setting | None, server: Server) -> Fix | None:
    if setting is None or not setting.value or setting.source not in _FILES or provider_of(server) is not None:
        return None
    old = int(setting.value)
    return Statements(
        sql=(f"ALTER SYSTEM SET {_MAX} = {old * 2};",),
        undo=(f"ALTER SYSTEM SET {_MAX} = {old};",),
        in_transaction=False,
        is_local=True,
    ).fix(caution="needs a superuser, holds once the server was restarted, and takes some more shared memory")
