"""A database that runs out of multixacts.

Where several transactions lock one row at a time, as foreign keys do with the row they point to, the row carries a
multixact, a number that stands for them all. There are 4 billion of these too, with half of them ahead of any row's,
and a busy foreign key can use them up faster than transaction ids. Three million before the end the server refuses
every statement that would need one. VACUUM takes those that are no longer needed out of the rows; autovacuum is forced
to from an age of 400 million on (autovacuum_multixact_freeze_max_age), and from vacuum_multixact_failsafe_age on it
leaves out all but that.

With a history of seven days or more (manage.py dbsnapshot) it is also told in how many days the server will refuse such
statements, at the pace at which multixacts were used up. Where that is less than a week, an age of twice
autovacuum_multixact_freeze_max_age is reported.

How to fix:

First end old prepared transactions (COMMIT PREPARED or ROLLBACK PREPARED) and sessions that have been in a transaction
for long. Then VACUUM the oldest tables, in a session of their database, as their owner or a superuser; no FREEZE, no
FULL. vacuumdb --all does it in all databases. When it is over, find out why autovacuum did not do it in time.

Not reported: the ages at which autovacuum does its routine work, also where autovacuum_multixact_freeze_max_age has
been raised; how much room the members of multixacts take, which no view of these versions shows.
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
    used_ratio: float = 0.5,  # well beyond the age at which autovacuum should have come
    days_left: float = 7,  # a large table takes a day or two to vacuum, and first somebody has to see what holds it up
    critical_days_left: float = 1,  # so long a large table takes
) -> Iterator[Finding | Unseen]:
    yield from Wraparound(
        multixact=True,
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
