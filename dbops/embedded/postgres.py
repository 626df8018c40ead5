"""A private PostgreSQL: made, started and stopped by us, reached through a Unix socket that is closed to others."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.pq import Ping

from dbops.embedded.account import Account, server_account
from dbops.embedded.binaries import reachable_binaries
from dbops.embedded.data_directory import MARKER, SETTINGS, data_major, make_data_directory
from dbops.embedded.endpoint import PORT, SUPERUSER, Endpoint, RunningServer
from dbops.embedded.invocation import manage
from dbops.embedded.places import check_socket_path, is_locked, locked, own_directory, write_file
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dbops.embedded.binaries import Binaries

START_TIMEOUT_S = 300  # recovery after a crash takes its time; a server that died is noticed at once
STOP_TIMEOUT_S = 60
ORPHANS_TIMEOUT_S = 15
PROCESSES = Path("/proc")  # not on every system
LOG_LIMIT_BYTES = 16 * 1024**2
_LINE_PREFIX = re.compile(r"^\S+ \S+ \S+ \[\d+\] ")

OBSERVED: Mapping[str, str] = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "compute_query_id": "on",
    "track_io_timing": "on",
    "track_activity_query_size": "16kB",
}
"""What dbops wants to see of a server and is off by default."""

QUICK_BUT_UNSAFE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Cluster:
    """A data directory and the server for it.

    `socket_dir` is the only door: its mode 0700 is the authentication. `durable` false trades the safety of the data
    in a crash for speed. `prepare` is called after every start, before anybody is told that the server runs.
    """

    data_dir: Path
    socket_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    durable: bool = True
    account: Account = field(default_factory=server_account)
    prepare: Callable[[Cluster], None] | None = None

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.socket_dir)

    @property
    def log_path(self) -> Path:
        return self.data_dir / "server.log"

    def dsn(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        return self.endpoint.dsn(database, user=user)

    def url(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        return self.endpoint.url(database, user=user)

    def is_running(self) -> bool:
        """Whether any process of the server lives: a zombie does not, one that still starts does."""
        return is_locked(self._marker) or self.endpoint.ping() is not Ping.NO_RESPONSE

    def ensure_started(self, find: Callable[[int | None], Sequence[Binaries]]) -> bool:
        """Start the server unless it runs; any number of processes may ask at once. True if it was started now.

        `find` is asked for the programs only when they are needed, with the major version of the data at hand; it
        gives them best first, and new data is made by the first that can.
        Raises EmbeddedServerError when the server cannot be started, with what it said.
        """
        if self.endpoint.running() is not None:
            return False
        check_socket_path(self.endpoint.socket_path)
        own_directory(self.socket_dir, self.account)
        with self._starting():
            if self.endpoint.running() is not None:
                return False
            candidates = find(data_major(self.data_dir))
            binaries = candidates[0]
            started = self.endpoint.ping() is Ping.NO_RESPONSE
            if started:
                binaries = self._start(candidates)
            self._wait_until_ready()
            if self.prepare is not None:
                self.prepare(self)
            server = RunningServer(
                binaries.version, binaries.source, data_dir=str(self.data_dir), programs_dir=str(binaries.directory)
            )
            self.endpoint.record(server, self.account)
        return started

    def stop(self) -> bool:
        """End the server, sessions and all, with nothing lost. True if it ran."""
        if not self.socket_dir.exists() and not is_locked(self._marker):
            return False
        own_directory(self.socket_dir, self.account)
        with self._starting():
            return self._stop()

    def reset(self) -> bool:
        """Stop the server and destroy its data. True if there was data. Only a directory made by us is touched."""
        own_directory(self.socket_dir, self.account)
        with self._starting():
            if not self.data_dir.exists():
                return False
            if not self._marker.exists():
                raise EmbeddedServerError(
                    f"{self.data_dir} was not made by dbops, so it is not removed",
                    hint="remove it yourself, if you may",
                )
            self._stop()
            shutil.rmtree(self.data_dir)
        return True

    @property
    def _marker(self) -> Path:
        """Made with the data directory. The server holds its lock for as long as one of its processes lives."""
        return self.data_dir / MARKER

    @property
    def _pid_path(self) -> Path:
        return self.data_dir / "postmaster.pid"

    def _starting(self) -> AbstractContextManager[int]:
        return locked(
            self.socket_dir / "start.lock",
            self.account,
            timeout_s=START_TIMEOUT_S,
            busy=f"another process has been starting or stopping the server of {self.data_dir} for {START_TIMEOUT_S} s",
        )

    def _start(self, candidates: Sequence[Binaries]) -> Binaries:
        """Start the server of the first candidate that can; gives its programs where the account reaches them."""
        if self.data_dir.exists():
            self._check_data(candidates[0])
            binaries = reachable_binaries(candidates[0], self.account)
        else:
            binaries = self._make_data(candidates)
        orphans = f"processes of an earlier server still work on {self.data_dir}"
        with locked(self._marker, self.account, timeout_s=ORPHANS_TIMEOUT_S, busy=orphans) as lock:
            self._clear_leftovers()
            write_file(self.data_dir / SETTINGS, self._settings_text(), self.account)
            if self.log_path.exists() and self.log_path.stat().st_size > LOG_LIMIT_BYTES:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
            server = (binaries.program("postgres"), "-D", self.data_dir)
            self.account.spawn(server, log_path=self.log_path, keep_open=lock)
        return binaries

    def _make_data(self, candidates: Sequence[Binaries]) -> Binaries:
        """A server whose programs and libraries are of different packages cannot load plpgsql: then the next is tried.

        Raises the first one's EmbeddedServerError when none can.
        """
        errors = []
        for candidate in candidates:
            try:
                binaries = reachable_binaries(candidate, self.account)
                make_data_directory(self.data_dir, binaries, self.account)
            except EmbeddedServerError as error:
                errors.append(error)
            else:
                return binaries
        raise errors[0]

    def _check_data(self, binaries: Binaries) -> None:
        own_directory(self.data_dir, self.account)
        if not self._marker.exists():
            raise EmbeddedServerError(
                f"{self.data_dir} was not made by dbops, so no server is started on it",
                hint="remove it if it is not needed, or set DATABASE_URL to a server that is running",
            )
        major = data_major(self.data_dir)
        if major != binaries.major:
            raise EmbeddedServerError(
                f"{self.data_dir} holds data of PostgreSQL {major}, and the server here is {binaries.version}",
                hint=f"install PostgreSQL {major}, or destroy the data and begin anew with  {manage('embedded reset')}",
            )

    def _clear_leftovers(self) -> None:
        """Remove what a killed server left, where PostgreSQL itself would take a zombie for a live server.

        Called with the marker locked, so that no process of a server of ours lives; one that was started by hand on
        this directory holds no lock and is left to PostgreSQL's own judgement.
        """
        pid = self._pid()
        if pid is None or not self._is_served_by(pid):
            for path in (self._pid_path, self.endpoint.socket_path, Path(f"{self.endpoint.socket_path}.lock")):
                path.unlink(missing_ok=True)
        self.endpoint.forget()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.endpoint.ping() is not Ping.OK:
            if not self.is_running():
                raise EmbeddedServerError(
                    f"PostgreSQL did not start on {self.data_dir}: {self._last_words()}",
                    hint=f"its log is {self.log_path}",
                )
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"PostgreSQL on {self.data_dir} was not ready after {START_TIMEOUT_S} s: {self._last_words()}",
                    hint=f"its log is {self.log_path}",
                )
            time.sleep(0.01)

    def _stop(self) -> bool:
        self.endpoint.forget()
        if not self.is_running():
            return False
        for signal_number, patience_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, ORPHANS_TIMEOUT_S)):
            pid = self._pid()
            if pid is not None and self._is_served_by(pid):
                os.kill(pid, signal_number)
            elif signal_number == signal.SIGINT:
                continue  # what a killed server left behind ends by itself, or not at all
            deadline = time.monotonic() + patience_s
            while time.monotonic() < deadline:
                if not self.is_running():
                    return True
                time.sleep(0.01)
        raise EmbeddedServerError(
            f"the server of {self.data_dir} does not end", hint=f"see its processes with  fuser -v {self._marker}"
        )

    def _pid(self) -> int | None:
        """The postmaster's, as it wrote it."""
        try:
            return int(self._pid_path.read_text(encoding="utf-8").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _is_served_by(self, pid: int) -> bool:
        """Whether the pid is that of a live server of this directory, and not of a zombie or some other program."""
        if not PROCESSES.exists():
            return _exists(pid)
        process = PROCESSES / str(pid)
        try:
            if os.fsencode(self.data_dir) in (process / "cmdline").read_bytes():
                return True
            return (process / "cwd").readlink() == self.data_dir
        except (FileNotFoundError, PermissionError):
            return False

    def _settings_text(self) -> str:
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            **OBSERVED,
            **({} if self.durable else QUICK_BUT_UNSAFE),
            **self.settings,
        }
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
        return "# Written by dbops at every start. ALTER SYSTEM overrules it.\n" + "".join(lines)

    def _last_words(self) -> str:
        try:
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return "it wrote no log"
        return "; ".join(_LINE_PREFIX.sub("", line) for line in lines[-3:]) or "its log is empty"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
