"""A setting with which the server may lose or garble what it has committed.

fsync = off: the server tells a client that its data is safe while it is still in the operating system's memory. A
crash of the machine, a power failure or a host that is moved leaves files that do not fit together, which no recovery
repairs: the way back is a backup.

full_page_writes = off: a page that a crash left half written cannot be put together again from the WAL, so the table
or the index stays broken, and often nobody notices for weeks.

zero_damaged_pages = on: a page that cannot be read is replaced by an empty one, without an error, and its rows are
gone. ignore_checksum_failure = on: a page that is known to be damaged is read all the same, and what is in it goes on
into replicas, dumps and other tables. Both are for the hour in which what is left of a broken table is saved.

How to fix:

ALTER SYSTEM and a reload; neither needs a restart. After turning fsync on, run sync on the server's machine: what was
written before may still be in memory alone. full_page_writes first takes effect with the next checkpoint. ALTER
SYSTEM needs a superuser; on a managed server these settings are the provider's. Where the server was started with the
setting on its command line, it must be started without it.

What made somebody turn fsync off is usually the time that commits take. synchronous_commit = off gives most of that
back and can lose the last moment's transactions, but never breaks a file.

Not reported: synchronous_commit. fsync and full_page_writes where a storage service keeps the pages in place of files
on the server's disk (Neon, Amazon Aurora): they say nothing there, and Neon runs with fsync off. A file system that
never writes half a page (ZFS) needs no full_page_writes: say so in the settings, under IGNORE, and so of a throw-away
server for tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target
from dbops.findings.setting_fixes import set_on_server, where_to_set
from dbops.snapshot.providers import provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting

TAG = Tag.LIVE
FOR_HEALTH = True


@dataclass(frozen=True, slots=True)
class _Danger:
    """The value that is safe, what the other one does, and what applying the fix takes besides."""

    safe: str
    effect: str
    caution: str = ""


_DANGERS: Final = {
    "fsync": _Danger(
        "on",
        "a crash of the machine or a power failure leaves data files that no recovery can repair",
        "run sync on the server's machine afterwards, since what was written before may be in memory alone",
    ),
    "full_page_writes": _Danger("on", "a page that a crash leaves half written stays broken"),
    "zero_damaged_pages": _Danger("off", "a page that cannot be read is emptied without an error, its rows are gone"),
    "ignore_checksum_failure": _Danger("off", "pages known to be damaged are read as if they were right"),
}
#: What only protects files on the server's own disk.
_OF_FILES: Final = frozenset({"fsync", "full_page_writes"})
#: Where a setting comes from that the server's configuration files cannot change, in the words of the message.
_PLACES: Final = {
    "environment variable": "in the server's environment",
    "command line": "on the server's command line",
    "global": "for all roles",
    "database": "for this database",
    "user": "for this role",
    "database user": "for this role in this database",
    "client": "by the connection's own options",
}


def check(settings: tuple[Setting, ...], server: tuple[Server, ...]) -> Iterator[Finding]:
    provider = provider_of(server[0])
    is_stored_elsewhere = provider is not None and provider.has_own_storage
    for setting in settings:
        danger = _DANGERS.get(setting.name)
        if danger is None or setting.value in {None, danger.safe}:
            continue
        if is_stored_elsewhere and setting.name in _OF_FILES:
            continue
        place = f" ({_PLACES[setting.source]})" if setting.source in _PLACES else ""
        yield Finding(
            target=Target(Kind.SETTING, setting.name),
            message=f"{setting.name} is {setting.value}{place}: {danger.effect}.{where_to_set(setting, server[0])}",
            severity=Severity.CRITICAL,
            basis=Basis.MEASURED,
            evidence={"value": str(setting.value), "source": setting.source},
            fix=set_on_server(setting, danger.safe, server[0], caution=danger.caution),
            is_red=True,
        )
