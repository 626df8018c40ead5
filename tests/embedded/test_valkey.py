"""A private Valkey or Redis."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from dbops.embedded.places import own_directory
from dbops.embedded.valkey import Valkey, ValkeyProgram, find_valkey
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

START = """
import sys
from pathlib import Path
from dbops.embedded.valkey import Valkey, ValkeyProgram
print(Valkey(Path(sys.argv[1])).ensure_started(ValkeyProgram(Path(sys.argv[2]), sys.argv[3])))
"""


def programs() -> list[ValkeyProgram]:
    """What PATH has, and the wheel's."""
    found = [find_valkey()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        found.append(find_valkey())
    return list(dict.fromkeys(program for program in found if program is not None))


@pytest.fixture(params=["PATH", "wheel"])
def program(request: pytest.FixtureRequest) -> ValkeyProgram:
    for found in programs():
        if found.source == request.param:
            return found
    pytest.skip(f"no valkey-server or redis-server from: {request.param}")


@pytest.fixture
def valkey(place: Path) -> Iterator[Valkey]:
    server = Valkey(place / "socket")
    yield server
    server.stop()


def client(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(f"unix://{valkey.socket_path}?db=1")


def pid_of(valkey: Valkey) -> int:
    with client(valkey) as connection:
        return int(connection.info("server")["process_id"])


def test_it_starts_once_serves_and_stops_with_nothing_kept(valkey: Valkey, program: ValkeyProgram) -> None:
    assert valkey.running() is None
    assert valkey.ensure_started(program)
    assert not valkey.ensure_started(program)
    running = valkey.running()
    assert running is not None
    assert running.source == program.source
    with client(valkey) as connection:
        connection.set("key", "value")
        assert connection.get("key") == b"value"
        assert int(connection.config_get("maxmemory")["maxmemory"]) == 128 * 1024**2
        info = connection.info("server")
        assert running.version in (info.get("valkey_version"), info["redis_version"])
    assert valkey.stop()
    assert not valkey.stop()
    assert [path.name for path in valkey.socket_dir.iterdir() if path.suffix in {".rdb", ".aof"}] == []
    assert valkey.ensure_started(program)
    with client(valkey) as connection:
        assert connection.get("key") is None


def test_only_we_can_reach_it(valkey: Valkey, program: ValkeyProgram) -> None:
    valkey.ensure_started(program)
    assert valkey.socket_path.stat().st_mode & 0o077 == 0
    assert Path(f"/proc/{pid_of(valkey)}").stat().st_uid == valkey.account.uid


def test_six_processes_at_once_give_one_server(valkey: Valkey, program: ValkeyProgram) -> None:
    starters = [
        subprocess.Popen(
            (sys.executable, "-c", START, valkey.socket_dir, program.path, program.source),
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    answers = sorted(process.communicate(timeout=60)[0].strip() for process in starters)
    assert answers == ["False"] * 5 + ["True"]


def test_it_starts_again_after_kill_9(valkey: Valkey, program: ValkeyProgram) -> None:
    valkey.ensure_started(program)
    os.kill(pid_of(valkey), signal.SIGKILL)
    assert valkey.ensure_started(program)


def test_a_program_that_is_no_valkey_is_refused(valkey: Valkey) -> None:
    own_directory(valkey.socket_dir, valkey.account)
    with pytest.raises(EmbeddedServerError, match="does not say its version"):
        valkey.ensure_started(ValkeyProgram(Path("/bin/true"), "PATH"))


def test_path_comes_first_and_without_any_there_is_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "redis-server").write_text("#!/bin/sh\n")
    (place / "redis-server").chmod(0o755)
    monkeypatch.setenv("PATH", str(place))
    assert find_valkey() == ValkeyProgram(place / "redis-server", "PATH")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert find_valkey() is None
