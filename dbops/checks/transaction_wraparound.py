"""A database that runs out of transaction ids.

Every transaction that writes takes the next of 4 billion ids, and half of them lie ahead of any row's. A row has to be
frozen by VACUUM before it is that old; otherwise it would be taken for one of the future, so three million ids before
the end the server refuses every write, in all its databases. Autovacuum sees to that as a matter of routine, whatever
its settings, from an age of 200 million on (autovacuum_freeze_max_age). Where half of all ids are used, it has not
managed: because it is held up by an old transaction, a prepared one, a replication slot or a standby; because it is
cancelled or too slow; or because a table cannot be vacuumed at all. From vacuum_failsafe_age on, VACUUM leaves out all
but freezing, and so should everybody.

With a history of seven days or more (manage.py dbsnapshot) it is also told in how many days the server will refuse
writes, at the pace at which ids were used up. Where that is less than a week, an age of twice
autovacuum_freeze_max_age is reported.

How to fix:

First end what holds the oldest rows: COMMIT PREPARED or ROLLBACK PREPARED, pg_terminate_backend(), or
pg_drop_replication_slot(). Then VACUUM the oldest tables, in a session of their database, as their owner or a
superuser; no FREEZE, no FULL. vacuumdb --all does it in all databases. There is no need of single-user mode. When it
is over, find out why autovacuum did not do it in time.

Not reported: the ages at which autovacuum does its routine work, also where autovacuum_freeze_max_age has been raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Tag
from dbops.findings.wraparound import Wraparound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.findings.finding import Finding, Unseen
    from dbops.snapshot.activity_rows import Growth
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.vacuum_rows import DatabaseAge, HorizonHolder, TableAge

TAG = Tag.LIVE
FOR_HEALTH = True


def check(
    server: tuple[Server, ...],
    settings: tuple[Setting, ...],
    database_ages: tuple[DatabaseAge, ...],
    table_ages: tuple[TableAge, ...] | None = None,
    horizon_holders: tuple[HorizonHolder, ...] | None = None,
    growth: tuple[Growth, ...] | None = None,
    *,
    used_ratio: float = 0.5,  # five times the age at which autovacuum should have come
    days_left: float = 7,  # a large table takes a day or two to vacuum, and first somebody has to see what holds it up
    critical_days_left: float = 1,  # so long a large table takes
) -> Iterator[Finding | Unseen]:
    yield from Wraparound(
        multixact=False,
        server=server[0],
        settings=settings,
        databases=database_ages,
        tables=table_ages or (),
        holders=horizon_holders or (),
        growth=growth or (),
        used_ratio=used_ratio,
        days_left=days_left,
        critical_days_left=critical_days_left,
    ).findings()
