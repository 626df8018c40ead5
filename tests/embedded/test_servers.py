"""The fixtures themselves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.servers import Database


def test_a_database_is_empty_and_its_own(database: Database) -> None:
    assert database.execute("SELECT current_database()") == [(database.name,)]
    assert database.execute("SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    assert database.connect().info.server_version // 10_000 == database.major


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_test_can_ask_for_one_version(database: Database) -> None:
    assert database.major == 18


@pytest.mark.parametrize("server", ["pg15"], indirect=True)
def test_a_role_has_no_rights_but_those_given(database: Database) -> None:
    role = database.create_role("dbops_reader")
    database.execute("CREATE TABLE t (); REVOKE ALL ON t FROM public")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.connect(role).execute("SELECT * FROM t")


KILLED = """
import os, signal
def test_killed(server):
    print(server.cluster.data_dir, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_servers_end_with_the_tests_even_when_those_are_killed(place: Path) -> None:
    (place / "test_killed.py").write_text(KILLED)
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-qs",
        "-p",
        "tests.servers",
        "-p",
        "no:randomly",
        "-c",
        "/dev/null",
        ".",
    )
    killed = subprocess.run(
        command,
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    directory = Path(killed.stdout.splitlines()[-1]).parents[1]
    assert directory.name.startswith("dbops-tests-")
    deadline = time.monotonic() + 20
    while directory.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not directory.exists()
