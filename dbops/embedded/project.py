"""The servers of one project: where they are follows from the project's directory, so every process knows it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from dbops.embedded.account import Account, server_account
from dbops.embedded.binaries import Binaries, find_binaries
from dbops.embedded.endpoint import PORT, Endpoint
from dbops.embedded.invocation import manage
from dbops.embedded.places import own_directory, private_name
from dbops.embedded.postgres import Cluster
from dbops.embedded.provision import DATABASE, ROLE, provision
from dbops.embedded.valkey import Valkey, find_valkey
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKETS_DIRECTORY = Path("/tmp")  # noqa: S108 -- a socket's path must be short; ownership is checked before use
DATA_DIRECTORY = Path("/var/tmp")  # noqa: S108 -- as above, and it outlives a restart of the machine
HOME = ".dbops"


@dataclass(frozen=True)
class ProjectServers:
    """PostgreSQL and Valkey for the project in `project_dir`. Made and asked for its addresses it starts nothing.

    `pg_bin` is the directory of PostgreSQL's programs where it was chosen by hand.
    """

    project_dir: Path
    pg_bin: Path | None = None

    @property
    def socket_dir(self) -> Path:
        return SOCKETS_DIRECTORY / private_name(self.project_dir, os.geteuid())

    @property
    def database(self) -> Mapping[str, str]:
        """The project's database in the words of Django's DATABASES."""
        return {"HOST": str(self.socket_dir), "PORT": str(PORT), "USER": ROLE, "PASSWORD": "", "NAME": DATABASE}

    @property
    def cache_url(self) -> str | None:
        """The cache's address; None where there is no program for one."""
        return None if find_valkey() is None else f"unix://{self.socket_dir / 'valkey.sock'}?db=1"

    @cached_property
    def account(self) -> Account:
        return server_account([path.lstat().st_uid for path in self._data_dirs if path.exists()])

    @cached_property
    def cluster(self) -> Cluster:
        """Asks the file system where the data is or can be."""
        return Cluster(self._data_dir(), self.socket_dir, account=self.account, prepare=provision)

    @cached_property
    def valkey(self) -> Valkey:
        return Valkey(self.socket_dir, self.account)

    def ensure_started(self, *, postgres: bool = True, valkey: bool = True) -> bool:
        """Start what does not run of those asked for; a few milliseconds when all runs. True if one was started now.

        Raises EmbeddedServerError, whatever the machine refuses: a full disk, no right to change the account.
        """
        started = False
        try:
            if postgres and Endpoint(self.socket_dir).running() is None:
                self._make_home()
                started = self.cluster.ensure_started(self._find)
            program = find_valkey()
            if valkey and program is not None:
                started = self.valkey.ensure_started(program) or started
        except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
            raise EmbeddedServerError(
                f"the embedded servers cannot be started: {str(error).strip()}",
                hint="set DATABASE_URL and REDIS_URL to servers that are running",
            ) from error
        return started

    def stop(self) -> bool:
        """True if one ran."""
        stopped = [self.valkey.stop(), self.cluster.stop()]
        return any(stopped)

    def reset(self) -> bool:
        """Stop both, destroy the data and leave nothing behind. True if there was data."""
        self.valkey.stop()
        destroyed = self.cluster.reset()
        shutil.rmtree(self.socket_dir)
        outside = self._data_dirs[1].parent
        if self.cluster.data_dir.parent == outside and outside.exists():
            outside.rmdir()
        return destroyed

    def summary(self, *, postgres: bool = True, valkey: bool = True) -> str:
        """What runs of those asked for, in one line: which server, where its data is, how to stop it."""
        parts = []
        server = Endpoint(self.socket_dir).running() if postgres else None
        if server is not None:
            parts.append(f"PostgreSQL {server.version} ({server.source}), data in {server.data_dir}")
        cache = self.valkey.running() if valkey else None
        if cache is not None:
            parts.append(f"{cache.name} {cache.version} ({cache.source})")
        return f"{' · '.join(parts)} · stop: {manage('embedded stop')}" if parts else "no embedded server runs"

    @property
    def _data_dirs(self) -> tuple[Path, Path]:
        """Where the data can be: inside the project; outside, where the server's account cannot reach the inside."""
        outside = DATA_DIRECTORY / private_name(self.project_dir, os.geteuid())
        return self.project_dir / HOME / "postgres", outside / "postgres"

    def _data_dir(self) -> Path:
        for path in self._data_dirs:
            if path.exists() and path.lstat().st_uid == self.account.uid:
                return path
        inside, outside = self._data_dirs
        parent = inside.parent if inside.parent.exists() else self.project_dir
        usable = not inside.exists() and os.access(parent, os.W_OK | os.X_OK) and self.account.can_enter(parent)
        return inside if usable else outside

    def _make_home(self) -> None:
        parent = self.cluster.data_dir.parent
        if parent != self.project_dir / HOME:
            own_directory(parent, self.account)
        elif not parent.exists():
            parent.mkdir(exist_ok=True)
            parent.chmod(0o755)  # whatever the umask: the server's account has to pass

    def _find(self, major: int | None) -> list[Binaries]:
        return find_binaries(self.pg_bin, major=major)
