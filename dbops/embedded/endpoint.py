"""The door to a private PostgreSQL: one Unix socket in a directory of its own. Knows nothing of programs and data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from dbops.embedded.places import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.embedded.account import Account

SUPERUSER = "postgres"
PORT = 5432


@dataclass(frozen=True)
class RunningServer:
    """What the process that started the server leaves for others to know."""

    version: str
    source: str
    data_dir: str
    programs_dir: str


@dataclass(frozen=True)
class Endpoint:
    socket_dir: Path

    @property
    def socket_path(self) -> Path:
        return self.socket_dir / f".s.PGSQL.{PORT}"

    def dsn(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        return make_conninfo("", host=str(self.socket_dir), port=PORT, user=user, dbname=database)

    def url(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{quote(user, safe='')}@{host}:{PORT}/{quote(database, safe='')}"

    def ping(self) -> Ping:
        """Ask the server: OK, REJECT (starting up or shutting down) or NO_RESPONSE. Logs nothing on the server."""
        return Ping(PGconn.ping(f"{self.dsn()} connect_timeout=5".encode()))

    def running(self) -> RunningServer | None:
        """The server, when it was prepared for use and answers: a few milliseconds, nothing is started."""
        try:
            record = json.loads(self._record_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, PermissionError):
            # No record, or a directory that is not ours: whoever starts a server will look at it and say so.
            return None
        return RunningServer(**record) if self.ping() is Ping.OK else None

    def record(self, server: RunningServer, account: Account) -> None:
        write_file(self._record_path, json.dumps(asdict(server)), account)

    def forget(self) -> None:
        self._record_path.unlink(missing_ok=True)

    @property
    def _record_path(self) -> Path:
        return self.socket_dir / "server.json"
