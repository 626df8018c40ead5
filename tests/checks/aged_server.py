"""Servers of their own that are near the end of their transaction ids or multixacts, made so by pg_resetwal.

Something named `forgotten` holds the first ones, so that autovacuum, which comes at once, changes nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg

from dbops.analysis.runner import analyze, select
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dbops.findings.finding import Finding
    from tests.servers import Server

_FILE_BYTES: Final = 32 * 8192


@dataclass(frozen=True)
class Ageing:
    """What holds the first ids, what ends it, and how the server gets to `next_id`: in which file that is looked up."""

    hold: tuple[str, ...]
    end: str
    next_id: int
    option: tuple[str, str]
    folder: str
    ids_per_file: int


#: A prepared transaction would do as well, but with one that old a server starts by writing gigabytes of pg_subtrans.
TRANSACTIONS: Final = Ageing(
    hold=("SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')",),
    end="SELECT pg_drop_replication_slot('forgotten')",
    next_id=1_200_000_000,
    option=("-x", "1200000000"),
    folder="pg_xact",
    ids_per_file=_FILE_BYTES * 4,
)
#: A lock on a row makes the transaction a member of multixacts to come.
MULTIXACTS: Final = Ageing(
    hold=(
        "CREATE TABLE task AS SELECT 1 AS id",
        "BEGIN",
        "SELECT FROM task FOR SHARE",
        "PREPARE TRANSACTION 'forgotten'",
    ),
    end="ROLLBACK PREPARED 'forgotten'",
    next_id=1_700_000_000,
    option=("-m", "1700000000,1"),
    folder="pg_multixact/offsets",
    ids_per_file=_FILE_BYTES // 4,
)


@contextmanager
def aged(server: Server, place: Path, ageing: Ageing) -> Iterator[Cluster]:
    """Run a server that has come to its `next_id`, with the first ids held."""
    account = server.cluster.account
    account.take(place)
    settings = {"max_prepared_transactions": "1", "wal_level": "logical"}
    cluster = Cluster(place / "data", place / "socket", settings=settings, durable=False, account=account)
    cluster.ensure_started(lambda _: [server.binaries])
    try:
        run(cluster, ageing.hold)
        cluster.stop()
        segment = cluster.data_dir / ageing.folder / f"{ageing.next_id // ageing.ids_per_file:04X}"
        segment.write_bytes(bytes(_FILE_BYTES))
        account.take(segment)
        reset = account.run([server.binaries.program("pg_resetwal"), *ageing.option, "-D", cluster.data_dir])
        assert reset.returncode == 0, reset.stderr
        cluster.ensure_started(lambda _: [server.binaries])
        yield cluster
    finally:
        cluster.stop()


def run(cluster: Cluster, statements: tuple[str, ...]) -> None:
    """Run statements one by one."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def told(cluster: Cluster, check: str) -> dict[str, Finding]:
    """What a check says of the server's databases, by name."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="")
    return {finding.target.name: finding for finding in analyze(snapshot, select(only=[check])).findings}
