from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from dbops.analysis.runner import analyze, select
from dbops.checks.filling_disk import check
from dbops.collect.postgres import collect
from dbops.collect.session import Session
from dbops.embedded.postgres import Cluster
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.counter_rows import DiskSpace
from dbops.snapshot.rows import DatabaseSize
from tests.activity_builders import a_growth
from tests.looking import Looked, look
from tests.setting_builders import a_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Database, Server

CHECK: Final = "filling_disk"
GB: Final = 1024**3
#: Not even the disk of a busy machine is reported.
ANY: Final[dict[str, Any]] = {"used_ratio": 2.0, "critical_ratio": 2.0}
ELSEWHERE: Final = "its files are not on this machine"
CONFIGURE: Final = 'give its size as limit_bytes of filling_disk in DBOPS["CHECKS"]'


def a_space(used: int, place: str = "data", **values: Any) -> DiskSpace:
    """A file system of 100 GB of which so many are used."""
    given = {"path": f"/srv/{place}", "total_bytes": 100 * GB, "free_bytes": (100 - used) * GB, "unseen": None}
    return DiskSpace(place=place, **{**given, **values})


def an_unseen(place: str = "data", reason: str = ELSEWHERE) -> DiskSpace:
    return DiskSpace(place=place, path="", total_bytes=None, free_bytes=None, unseen=reason)


def said(*spaces: DiskSpace, size: int = GB, growth: Any = None, **thresholds: Any) -> list[Finding | Unseen]:
    return list(check(a_server(), spaces, (DatabaseSize(size_bytes=size),), growth, **thresholds))


def finding(*spaces: DiskSpace, **options: Any) -> Finding:
    (found,) = said(*spaces, **options)
    assert isinstance(found, Finding)
    return found


def test_a_full_disk_says_how_full_and_what_happens_then() -> None:
    found = finding(a_space(84))
    assert found.target == Target(Kind.DISK, "data")
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.MEASURED, Confidence.HIGH)
    assert found.message == (
        "84 % of the file system of the data directory (/srv/data) is used (84 GB of 100 GB); when it is full, the "
        "server stops, as it cannot write WAL."
    )
    assert found.evidence == {
        "used_bytes": 84 * GB,
        "total_bytes": 100 * GB,
        "used_ratio": 0.84,
        "path": "/srv/data",
    }
    assert (found.fix, found.location, found.is_red) == (None, None, False)


@pytest.mark.parametrize(
    ("used", "severity", "is_red"),
    [
        (79, None, False),
        (80, Severity.WARNING, False),
        (89, Severity.WARNING, False),
        (90, Severity.CRITICAL, False),
        (94, Severity.CRITICAL, False),
        (95, Severity.CRITICAL, True),
        (100, Severity.CRITICAL, True),
    ],
)
def test_thresholds(used: int, severity: Severity | None, is_red: bool) -> None:
    found = [(one.severity, one.is_red) for one in said(a_space(used)) if isinstance(one, Finding)]
    assert found == ([] if severity is None else [(severity, is_red)])


def test_thresholds_can_be_set() -> None:
    assert finding(a_space(50), used_ratio=0.5).severity is Severity.WARNING
    assert finding(a_space(50), critical_ratio=0.5).severity is Severity.CRITICAL
    growing = a_growth("disk", place="data", per_day=GB, to=50 * GB)
    assert finding(a_space(50), growth=(growing,), days_left=60).severity is Severity.WARNING


def test_where_wal_lies_elsewhere_it_is_that_which_stops_the_server() -> None:
    data, wal, archive = said(a_space(81), a_space(82, "wal"), a_space(83, "Old Data"))
    assert isinstance(data, Finding)
    assert isinstance(wal, Finding)
    assert isinstance(archive, Finding)
    assert data.message.endswith("when it is full, every write fails that needs more room there.")
    assert wal.message.startswith("82 % of the file system of WAL (/srv/wal)")
    assert wal.message.endswith("the server stops, as it cannot write WAL.")
    assert archive.target == Target(Kind.DISK, '"Old Data"')
    assert 'of the tablespace "Old Data" (/srv/Old Data)' in archive.message


def test_with_few_days_left_it_is_told_however_empty_it_is() -> None:
    found = finding(a_space(60), growth=(a_growth("disk", place="data", per_day=4 * GB, days=14, to=60 * GB),))
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.ESTIMATED, Confidence.MEDIUM)
    assert found.message.endswith(
        "the server stops, as it cannot write WAL. At the pace of the last 14 days (4.0 GB a day), that is in 10 days."
    )
    assert (found.evidence["days_left"], found.evidence["bytes_per_day"]) == (10.0, 4 * GB)
    assert found.evidence["measured_days"] == 14.0
    soon = finding(a_space(80), growth=(a_growth("disk", place="data", per_day=8 * GB, days=10, to=80 * GB),))
    assert (soon.severity, soon.basis, soon.is_red) == (Severity.CRITICAL, Basis.ESTIMATED, False)
    assert soon.message.endswith("that is in 2 days.")


@pytest.mark.parametrize(
    "growth",
    [
        a_growth("disk", place="data", per_day=2 * GB, days=14, to=60 * GB),
        a_growth("disk", place="data", per_day=20 * GB, days=2, to=60 * GB),
        a_growth("disk", place="data", values=(20 * GB, 20 * GB, 59 * GB, 60 * GB, 60 * GB)),
        a_growth("disk", place="data", values=(20 * GB, 40 * GB, 60 * GB, 60 * GB, 60 * GB)),
        a_growth("disk", place="data", values=(70 * GB, 75 * GB, 50 * GB, 55 * GB, 60 * GB)),
        a_growth("disk", place="wal", per_day=4 * GB, days=14, to=60 * GB),
        a_growth("database_size", per_day=4 * GB, days=14, to=60 * GB),
    ],
    ids=[
        "days enough",
        "measured for two days",
        "one load",
        "a load over half of the time",
        "cleared away regularly",
        "another disk's",
        "the database's",
    ],
)
def test_silent_where_nothing_is_known_to_fill_it_soon(growth: Any) -> None:
    assert said(a_space(60), growth=(growth,)) == []


def test_without_a_disk_the_database_is_held_against_what_it_may_have() -> None:
    found = finding(an_unseen(), size=85 * GB, limit_bytes=100 * GB)
    assert found.target == Target(Kind.DATABASE, "shop")
    assert found.message == (
        "85 % of what the settings allow the database is used (85 GB of 100 GB); when it is full, its host may refuse "
        "every write."
    )
    assert finding(an_unseen(), size=96 * GB, limit_bytes=100 * GB).is_red
    growing = a_growth("database_size", per_day=5 * GB, days=10, to=50 * GB)
    soon = finding(an_unseen(), size=50 * GB, limit_bytes=100 * GB, growth=(growing,))
    assert soon.evidence["days_left"] == 10.0
    assert said(an_unseen(), size=50 * GB, limit_bytes=100 * GB) == []


def test_a_disk_that_cannot_be_seen_is_said_with_what_helps() -> None:
    assert said(an_unseen()) == [Unseen("data", f"{ELSEWHERE}; {CONFIGURE}")]
    assert said(a_space(1), an_unseen("wal", "gone"), limit_bytes=9 * GB) == [Unseen("wal", "gone")]
    assert list(check(a_server(), None, None, None, limit_bytes=GB)) == []


def test_a_roomy_disk_is_fine_and_one_with_other_thresholds_is_found(database: Database) -> None:
    looked = look(database, CHECK, **ANY)
    assert (looked.findings, looked.result.outcome) == ([], Outcome.OK)
    (found,) = look(database, CHECK, used_ratio=0.0).findings
    assert found.evidence["path"] == str(database.server.cluster.data_dir)


def test_a_limit_is_held_against_the_database(database: Database) -> None:
    ((size,),) = database.execute("SELECT pg_database_size(current_database())")
    bare = database.create_role(f"{database.name}_bare")
    looked = look(database, CHECK, role=bare, limit_bytes=round(size * 1.02))
    (found,) = looked.findings
    assert (found.target.name, found.is_red, looked.result.reason) == (database.name, True, None)
    fine = look(database, CHECK, role=bare, limit_bytes=10 * size)
    assert (fine.findings, fine.result.outcome) == ([], Outcome.OK)


def test_a_role_that_may_not_see_where_the_files_are_says_so(database: Database) -> None:
    looked = look(database, CHECK, role=database.create_role(f"{database.name}_bare"))
    assert looked.result.outcome is Outcome.SKIPPED
    assert looked.result.reason == (
        f"this role may not see where the server's files are: GRANT pg_monitor TO it; {CONFIGURE}: data"
    )
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    assert look(database, CHECK, role=monitor, **ANY).result.outcome is Outcome.OK


@contextmanager
def mounted(path: Path, megabytes: int) -> Iterator[Path]:
    """A small file system of its own at `path`."""
    path.mkdir(exist_ok=True)
    options = f"size={megabytes}m,mode=0755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@contextmanager
def own_server(server: Server, place: Path, data_dir: Path) -> Iterator[Cluster]:
    server.cluster.account.take(place)
    server.cluster.account.take(data_dir.parent)
    settings = {"min_wal_size": "32MB", "max_wal_size": "64MB"}
    cluster = Cluster(data_dir, place / "socket", settings=settings, durable=False, account=server.cluster.account)
    cluster.ensure_started(lambda _: [server.binaries])
    try:
        yield cluster
    finally:
        cluster.stop()


def looked_at(cluster: Cluster, **thresholds: Any) -> Looked:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        sections = ("disk_space", "database_size")
        snapshot = collect(Session(connection, psycopg.Error), alias=None, database="", sections=sections)
    analysis = analyze(snapshot, select(only=[CHECK]), thresholds={CHECK: thresholds})
    return Looked(analysis.results[0], list(analysis.findings))


def fill(path: Path, share: float) -> None:
    """Write so much to the file system of `path` that so large a share of it is used."""
    ballast = path / "ballast"
    ballast.unlink(missing_ok=True)
    space = os.statvfs(path)
    left = int(space.f_blocks * (share - 1)) + space.f_bavail
    ballast.write_bytes(bytes(left * space.f_frsize))


def test_a_disk_that_fills_up_is_found_until_room_is_made(server: Server, place: Path) -> None:
    with mounted(place / "disk", 150) as disk, own_server(server, place, disk / "data") as cluster:
        assert looked_at(cluster).findings == []
        fill(disk, 0.86)
        (found,) = looked_at(cluster).findings
        assert (found.target.name, found.severity, found.is_red) == ("data", Severity.WARNING, False)
        assert found.evidence["total_bytes"] == 150 * 1024**2
        assert abs(found.evidence["used_ratio"] - 0.86) < 0.03  # type: ignore[operator]
        fill(disk, 0.96)
        (found,) = looked_at(cluster).findings
        assert (found.severity, found.is_red) == (Severity.CRITICAL, True)
        (disk / "ballast").unlink()
        assert looked_at(cluster).findings == []


def test_wal_and_tablespaces_on_other_disks_are_looked_at_too(server: Server, place: Path) -> None:
    with (
        mounted(place / "one", 40) as one,
        mounted(place / "two", 120) as two,
        own_server(server, place, place / "data") as cluster,
    ):
        for folder in (one / "space", two / "wal"):
            folder.mkdir()
            cluster.account.take(folder)
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE \"Old\" LOCATION '{one / 'space'}'")
        cluster.stop()
        wal = cluster.data_dir / "pg_wal"
        move = f"mv {wal}/* {two}/wal/ && rmdir {wal} && ln -s {two}/wal {wal}"
        assert cluster.account.run(["sh", "-c", move]).returncode == 0
        cluster.ensure_started(lambda _: [server.binaries])
        fill(one, 0.92)
        fill(two, 0.83)
        found = {one.target.name: one for one in looked_at(cluster).findings if one.target.name != "data"}
        assert {name: one.severity for name, one in found.items()} == {
            "wal": Severity.WARNING,
            '"Old"': Severity.CRITICAL,
        }
        assert found["wal"].evidence["path"] == str(two / "wal")
        (one / "space").rename(one / "gone")
        looked = looked_at(cluster)
        assert set(looked.targets) - {"data"} == {"wal"}
        assert looked.result.reason == "it cannot be seen from here (no such file or directory): Old"
        (one / "gone").rename(one / "space")


def test_growth_of_the_days_to_come_is_of_the_disk(database: Database) -> None:
    (space,) = look(database, CHECK, used_ratio=0.0).findings
    used = int(space.evidence["used_bytes"])
    free = int(space.evidence["total_bytes"]) - used
    growing = a_growth("disk", place="data", per_day=free / 9, days=10, to=used)
    (found,) = look(database, CHECK, sections={"growth": (growing,)}, **ANY).findings
    assert (found.severity, found.basis) == (Severity.WARNING, Basis.ESTIMATED)
    still = replace(growing, values=(used,) * 5)
    assert look(database, CHECK, sections={"growth": (still,)}, **ANY).findings == []
