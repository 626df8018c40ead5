"""Autovacuum is switched off for the whole server.

Every UPDATE and DELETE leaves a dead row behind. Autovacuum takes them away, keeps the planner's statistics true to
the rows, and marks the pages that index-only scans need not look up. Without it tables and indexes grow and grow, and
plans are made for the rows of months ago. It works by the counters of changed rows: without track_counts it is as
good as off.

Whatever the settings say, the server starts vacuums of its own when transaction ids run out. Those come all at once,
on the largest tables, at a time that nobody chose.

How to fix:

Switch it on again; a reload is enough. What has gathered meanwhile it then works through by itself, slowly, so as not
to disturb. It was probably switched off because it did: then make it work more often and less at a time
(autovacuum_vacuum_cost_delay, autovacuum_vacuum_scale_factor of the large tables), or switch it off for one table
during a big import. ALTER SYSTEM needs a superuser; on a managed server the setting is the provider's. Where the server
was started with the setting on its command line, it must be started without it.

Not reported: single tables that are left out, which are disabled_table_autovacuum's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Finding, Kind, Tag, Target
from dbops.findings.setting_fixes import set_on_server, where_to_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE
FOR_HEALTH = True

_NOBODY: Final = "nothing takes dead rows away, and nothing keeps the planner's statistics up to date"
#: Where track_counts comes from when it is only so for some sessions, and whose changes go uncounted then.
_SOME: Final = {
    "global": "any role's sessions",
    "database": "sessions in this database",
    "user": "this role's sessions",
    "database user": "this role's sessions in this database",
    "client": "sessions that connect with these options",
}


def check(settings: tuple[Setting, ...], server: tuple[Server, ...]) -> Iterator[Finding]:
    for setting in settings:
        if setting.name not in {"autovacuum", "track_counts"} or setting.value != "off":
            continue
        yield Finding(
            target=Target(Kind.SETTING, setting.name),
            message=_message(setting) + where_to_set(setting, server[0]),
            basis=Basis.MEASURED,
            evidence={"value": "off", "source": setting.source},
            fix=set_on_server(setting, "on", server[0]),
        )


def _message(setting: Setting) -> str:
    if setting.name == "autovacuum":
        return f"autovacuum is off: {_NOBODY}."
    if setting.source in _SOME:
        return (
            f"track_counts is off for {_SOME[setting.source]}: autovacuum knows nothing of the rows that they change, "
            "and comes too late or never."
        )
    return f"track_counts is off, and without its counters autovacuum does not run: {_NOBODY}."
