"""The file systems that the server's files lie on, where they can be seen from here.

A path that the server names may exist on this machine too and be another server's, or the same path of another
container. So nothing is said of a data directory that is not proven to be this server's: its control file and its
postmaster.pid have to say what the server says.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.session import LookError
from dbops.snapshot.counter_rows import DiskSpace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dbops.collect.session import Session

DATA: Final = "data"
WAL: Final = "wal"
#: What the server says of itself. pg_control_…() read the control file at that moment. Locks: none.
_SERVER: Final = """
    SELECT (SELECT setting FROM pg_settings WHERE name = 'data_directory')             AS data_directory,
           current_setting('port')::int                                                AS port,
           extract(epoch FROM pg_postmaster_start_time())::float8                      AS started_at_s,
           s.system_identifier                                                         AS system_identifier,
           s.catalog_version_no                                                        AS catalog_version,
           extract(epoch FROM s.pg_control_last_modified)::bigint                      AS modified_at_s,
           (c.checkpoint_lsn - '0/0')::bigint                                          AS checkpoint,
           c.redo_wal_file                                                             AS wal_file
    FROM pg_control_system() AS s, pg_control_checkpoint() AS c
"""
#: The tablespaces that lie elsewhere. Locks: none.
_TABLESPACES: Final = """
    SELECT oid::bigint AS oid, spcname::text AS name FROM pg_tablespace
    WHERE pg_tablespace_location(oid) <> '' ORDER BY spcname
"""
#: The beginning of ControlFileData (pg_control.h): system_identifier, two versions, state, time, checkPoint.
_CONTROL: Final = struct.Struct("@QIIiqQ")
#: Lines of postmaster.pid (miscadmin.h, LOCK_FILE_LINE_…), counted from 0.
_STARTED_LINE: Final = 2
_PORT_LINE: Final = 3
#: The process writes down when it began, the server tells when it was ready to start up; the first is rounded down.
_STARTED_APART_S: Final = 60
#: A checkpoint may end between what the server says and what the file says: then both are asked again.
_ATTEMPTS: Final = 3


class _UnseenError(Exception):
    """why a place cannot be seen from here"""


@dataclass(frozen=True, slots=True)
class _Place:
    """What lies somewhere, and the file that is there if it is this server's."""

    name: str
    path: Path
    proof: Path


def read_disk_space(session: Session, seen: Mapping[str, Any]) -> tuple[DiskSpace, ...]:
    """Return the file systems of the data directory, of WAL and of tablespaces; each is listed once.

    What lies on another machine, or cannot be proven to be this server's, says so.
    """
    try:
        server = _own_server(session)
        tablespaces = session.read(_TABLESPACES)
    except LookError as error:
        return (_unseen(DATA, f"the server does not say where its files are ({error})"),)
    except _UnseenError as error:
        return (_unseen(DATA, str(error)),)
    return tuple(_spaces(server, seen["server"][0].major, tablespaces))


def _own_server(session: Session) -> Mapping[str, Any]:
    """Return what the server says of itself, where the data directory is proven to be its own.

    Raises:
        _UnseenError: it is not, or that cannot be known.
    """
    reason = ""
    for _attempt in range(_ATTEMPTS):
        (server,) = session.read(_SERVER)
        if server["data_directory"] is None:
            message = "this role may not see where the server's files are: GRANT pg_monitor TO it"
            raise _UnseenError(message)
        try:
            if _is_own(Path(server["data_directory"]), server):
                return server  # type: ignore[no-any-return]  # a row by column name
            reason = "the directory of that name on this machine is another server's"
        except FileNotFoundError:
            reason = "its files are not on this machine"
        except (OSError, ValueError, struct.error) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else "it is not as it should be"
            reason = f"its data directory cannot be proven to be on this machine ({what.lower()})"
            break
    raise _UnseenError(reason)


def _is_own(directory: Path, server: Mapping[str, Any]) -> bool:
    lines = (directory / "postmaster.pid").read_text(errors="replace").splitlines()
    with (directory / "global/pg_control").open("rb") as file:
        system, _, catalog_version, _, modified_at_s, checkpoint = _CONTROL.unpack(file.read(_CONTROL.size))
    apart_s = server["started_at_s"] - int(lines[_STARTED_LINE]) if len(lines) > _PORT_LINE else None
    return (
        apart_s is not None
        and 0 <= apart_s <= _STARTED_APART_S
        and int(lines[_PORT_LINE]) == server["port"]
        and (system, catalog_version, modified_at_s, checkpoint)
        == (
            server["system_identifier"] % 2**64,
            server["catalog_version"],
            server["modified_at_s"],
            server["checkpoint"],
        )
    )


def _spaces(server: Mapping[str, Any], major: int, tablespaces: list[Any]) -> Iterator[DiskSpace]:
    """Iterate over the file systems, each with the first place on it."""
    data = Path(server["data_directory"])
    folder = f"PG_{major}_{server['catalog_version']}"
    places = [
        _Place(DATA, data, data / "global/pg_control"),
        _Place(WAL, data / "pg_wal", data / "pg_wal" / server["wal_file"]),
        *(_Place(one["name"], (path := data / "pg_tblspc" / str(one["oid"])), path / folder) for one in tablespaces),
    ]
    devices: set[int] = set()
    for place in places:
        try:
            path = place.path.resolve(strict=True)
            place.proof.lstat()
            device, space = path.stat().st_dev, os.statvfs(path)
        except OSError as error:
            reason = f"it cannot be seen from here ({(error.strerror or type(error).__name__).lower()})"
            yield _unseen(place.name, reason)
            continue
        if device in devices:
            continue
        devices.add(device)
        # As df has it: without what is kept for root.
        usable = space.f_blocks - space.f_bfree + space.f_bavail
        if usable <= 0:
            yield _unseen(place.name, "its file system does not say how large it is")
            continue
        yield DiskSpace(
            place=place.name,
            path=str(path),
            total_bytes=usable * space.f_frsize,
            free_bytes=space.f_bavail * space.f_frsize,
            unseen=None,
        )


def _unseen(place: str, reason: str) -> DiskSpace:
    return DiskSpace(place=place, path="", total_bytes=None, free_bytes=None, unseen=reason)
