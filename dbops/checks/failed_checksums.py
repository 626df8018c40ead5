"""Damaged pages: their checksums were wrong when they were read.

Each page carries a checksum, which is written with it and looked at when it comes back from the disk. A wrong one
means that something below PostgreSQL changed the page: a disk, a controller, memory, a file system, somebody's copy of
the files while the server ran. The statement that needed the page failed, so what is counted was met; what nobody has
read yet is not in the number. It is rarely one page alone, and backups may hold the damage by now.

Without checksums the server does not notice: a damaged page gives wrong rows, or a crash, and goes into every backup.

How to fix:

Save what there is before anything else: keep the oldest good backup from being rotated away, and take a copy of the
data directory with the server stopped. The server's log names each file and block ("page verification failed …
invalid page in block 12 of relation base/5/16391"); SELECT pg_filenode_relation(0, 16391) gives the relation. An index
is rebuilt with REINDEX. A table's rows come back from a backup, or from a standby that was streaming: pages travel
through the WAL, so that its copy is its own. pg_amcheck tells which other relations are affected, and pg_dump of every
database reads every row. Then move to other hardware.

The number stays until the statistics are reset. Once the damage is mended, say so in the settings, under IGNORE, with
the reason and an end.

Checksums are switched on with the server stopped: pg_checksums --enable -D the data directory. That reads and writes
every page once; standbys are done in the same pause, or made anew. initdb does it from PostgreSQL 18 on, managed
servers do it always, or keep checksums of their own below PostgreSQL.

Not reported: other databases of the same server, which have reports of their own; checksums that a provider's server is
without, for nobody but the provider could switch them on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target
from dbops.snapshot.amounts import plural
from dbops.snapshot.names import quote_ident
from dbops.snapshot.providers import provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.integrity_rows import ChecksumFailures
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE
FOR_HEALTH = True

#: The name under which the catalogues that all databases share are kept.
_SHARED: Final = "pg_global"


def check(
    checksum_failures: tuple[ChecksumFailures, ...], settings: tuple[Setting, ...], server: tuple[Server, ...]
) -> Iterator[Finding]:
    for row in checksum_failures:
        if row.failures:
            yield _damage(row)
    is_ours = provider_of(server[0]) is None
    if is_ours and any(setting.name == "data_checksums" and setting.value == "off" for setting in settings):
        yield Finding(
            target=Target(Kind.SETTING, "data_checksums"),
            message="The server keeps no checksums: "
            "a page that the disk damages gives wrong rows, and goes into the backups unnoticed.",
            severity=Severity.INFO,
            basis=Basis.MEASURED,
        )


def _damage(row: ChecksumFailures) -> Finding:
    where = f"in {row.database}" if row.database else "in the catalogues that all databases share"
    evidence: dict[str, int | float | str] = {"failures": row.failures or 0}
    last = ""
    if row.last_failure_at is not None:
        evidence["last_failure_at"] = row.last_failure_at.isoformat(timespec="seconds")
        last = f", last at {row.last_failure_at:%Y-%m-%d %H:%M %Z}"
    return Finding(
        target=Target(Kind.DATABASE, quote_ident(row.database) if row.database else _SHARED),
        message=f"A damaged page was read {plural(row.failures or 0, 'time')} {where}{last}: "
        "something below PostgreSQL has changed its files.",
        severity=Severity.CRITICAL,
        basis=Basis.MEASURED,
        evidence=evidence,
        is_red=True,
    )
