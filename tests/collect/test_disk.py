"""A directory that only has the same name as the server's is not taken for it."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.collect import disk
from dbops.collect.disk import read_disk_space
from dbops.collect.session import Session
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dbops.snapshot.counter_rows import DiskSpace
    from tests.servers import Database


@pytest.fixture
def elsewhere(database: Database, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what proves the data directory, at the place where the server is made to say that its files are."""
    data = database.server.cluster.data_dir
    (place / "global").mkdir()
    (place / "pg_wal").mkdir()
    for name in ("postmaster.pid", "global/pg_control"):
        shutil.copy(data / name, place / name)
    named = f"'{place}'"
    said = disk._SERVER.replace("(SELECT setting FROM pg_settings WHERE name = 'data_directory')", named)
    assert said != disk._SERVER
    monkeypatch.setattr(disk, "_SERVER", said)
    return place


def spaces(database: Database) -> tuple[DiskSpace, ...]:
    with closing(database.connect()) as connection:
        session = Session(connection, psycopg.Error)
        with session.transaction():
            return read_disk_space(session, snapshot_of(database).sections)


def change(path: Path, by: Callable[[bytes], bytes]) -> None:
    path.write_bytes(by(path.read_bytes()))


def line(number: int, add: int) -> Callable[[bytes], bytes]:
    """What adds to the number in a line of postmaster.pid."""

    def changed(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        lines[number] = b"%d\n" % (int(lines[number]) + add)
        return b"".join(lines)

    return changed


def byte(number: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:number] + bytes([content[number] ^ 1]) + content[number + 1 :]


def test_what_proves_to_be_the_servers_is_taken(database: Database, elsewhere: Path) -> None:
    seen = spaces(database)
    assert (seen[0].place, seen[0].path, seen[0].unseen) == ("data", str(elsewhere), None)
    # WAL is not there: it is on no disk that can be seen.
    assert [(one.place, one.unseen) for one in seen[1:]] == [
        ("wal", "it cannot be seen from here (no such file or directory)")
    ]


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("postmaster.pid", line(2, 61)),
        ("postmaster.pid", line(2, -61)),
        ("postmaster.pid", line(3, 1)),
        ("global/pg_control", byte(0)),
        ("global/pg_control", byte(12)),
        ("global/pg_control", byte(24)),
        ("global/pg_control", byte(32)),
    ],
    ids=["started later", "started earlier", "port", "system", "catalogue", "written", "checkpoint"],
)
def test_another_server_s_directory_of_that_name_is_not(
    database: Database, elsewhere: Path, file: str, changed: Callable[[bytes], bytes]
) -> None:
    change(elsewhere / file, changed)
    (unseen,) = spaces(database)
    assert (unseen.total_bytes, unseen.unseen) == (
        None,
        "the directory of that name on this machine is another server's",
    )


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        (
            "global/pg_control",
            b"",
            "its data directory cannot be proven to be on this machine (it is not as it should be)",
        ),
        (
            "postmaster.pid",
            b"1\n/\nx\ny\n",
            "its data directory cannot be proven to be on this machine (it is not as it should be)",
        ),
        ("postmaster.pid", b"1\n", "the directory of that name on this machine is another server's"),
        ("postmaster.pid", None, "its files are not on this machine"),
    ],
)
def test_what_is_not_whole_proves_nothing(
    database: Database, elsewhere: Path, file: str, content: bytes | None, reason: str
) -> None:
    (elsewhere / file).unlink()
    if content is not None:
        (elsewhere / file).write_bytes(content)
    (unseen,) = spaces(database)
    assert unseen.unseen == reason


def test_a_directory_that_may_not_be_read_is_not_known(
    database: Database, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an account meets that is not the server's, which these tests may well be."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(elsewhere), "read_text", refuse)
    (unseen,) = spaces(database)
    assert unseen.unseen == "its data directory cannot be proven to be on this machine (permission denied)"


def test_a_server_that_keeps_it_to_itself_says_why(database: Database) -> None:
    role = database.create_role(f"{database.name}_bare", pg_monitor=True)
    database.execute("REVOKE EXECUTE ON FUNCTION pg_control_checkpoint() FROM PUBLIC")
    try:
        (unseen,) = snapshot_of(database, role=role).sections["disk_space"]  # type: ignore[misc]
    finally:
        database.execute("GRANT EXECUTE ON FUNCTION pg_control_checkpoint() TO PUBLIC")
    assert unseen.unseen.startswith("the server does not say where its files are (permission denied")
