"""`manage.py embedded` in a fresh clone with an empty home directory, as root and as an ordinary user."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dbops.embedded.project import DATA_DIRECTORY
from tests.config.clones import Clone, cloned
from tests.config.conftest import PRODUCTION
from tests.people import TESTS_OWN, Person, person

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_ANSWERS = "from django.db import connection as c; c.ensure_connection(); print(c.settings_dict['USER'])"
CACHE_ANSWERS = "from django.core.cache import cache; cache.set('k', 'v'); print(cache.get('k'))"

as_root = pytest.mark.parametrize("somebody", ["root"], indirect=True)
as_tests_own = pytest.mark.parametrize("somebody", [TESTS_OWN], indirect=True)


def test_a_day_with_the_embedded_servers(clone: Clone) -> None:
    before = clone.manage("embedded", "status")
    assert (before.returncode, before.stdout.count("does not run")) == (1, 2)

    first = clone.manage("shell", "-c", DATABASE_ANSWERS)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "dbops"
    line = first.stderr.splitlines()[0]
    assert line.startswith("dbops: PostgreSQL ")
    assert f"data in {clone.project}/.dbops/postgres · " in line
    assert line.endswith(f"stop: {clone.person.python[0]} manage.py embedded stop")

    status = clone.manage("embedded", "status")
    assert (status.returncode, status.stdout.count(" runs")) == (0, 2), status.stdout
    assert clone.manage("shell", "-c", "pass").stderr == ""  # it runs already, and nobody looks on

    asked = clone.manage("embedded", "psql", "--", "-Atc", "select current_user, current_database()")
    assert (asked.returncode, asked.stdout) == (0, "dbops|dbops\n"), asked.stderr
    asked = clone.manage("embedded", "psql", "--", "-d", "postgres", "-Atc", "select current_database()")
    assert (asked.returncode, asked.stdout) == (0, "postgres\n"), asked.stderr
    asked = clone.manage("embedded", "psql", "--superuser", "--", "-Atc", "create table kept (); select 1/0")
    assert (asked.returncode, "division by zero" in asked.stderr) == (1, True)
    assert "ready to accept connections" in clone.manage("embedded", "logs").stdout

    stopped = clone.manage("embedded", "stop")
    assert (stopped.returncode, stopped.stderr) == (0, "embedded: stopped\n")
    assert clone.manage("embedded", "stop").stderr == "embedded: no embedded server runs\n"
    refused = clone.manage("embedded", "psql")
    assert refused.returncode == 2
    assert "manage.py embedded start" in refused.stderr
    assert list(clone.person.home.iterdir()) == []


@as_tests_own
def test_reset_destroys_only_when_told_to(clone: Clone) -> None:
    assert clone.manage("embedded", "start").returncode == 0
    data_dir = clone.project / ".dbops/postgres"
    planned = clone.manage("embedded", "reset", "--plan")
    said = f"stops the embedded servers and destroys {data_dir}\n"
    assert (planned.returncode, planned.stdout) == (0, said)
    unasked = clone.manage("embedded", "reset")
    assert unasked.returncode == 2
    assert "HINT: say  embedded reset --yes" in unasked.stderr
    assert reset_on_a_terminal(clone, answer="y") == 2
    assert reset_on_a_terminal(clone, answer="\x04") == 2, "Ctrl-D"
    assert clone.manage("embedded", "status").returncode == 0

    assert reset_on_a_terminal(clone, answer="yes") == 0
    assert not data_dir.exists()
    assert not clone.socket_dir.exists()
    assert clone.manage("embedded", "reset").stderr == "embedded: there is no data to destroy\n"


def reset_on_a_terminal(clone: Clone, *, answer: str) -> int:
    """Its exit code."""
    terminal, inside = pty.openpty()
    try:
        os.write(terminal, f"{answer}\n".encode())
        command = (sys.executable, "manage.py", "embedded", "reset")
        return subprocess.run(
            command, cwd=clone.project, stdin=inside, capture_output=True, timeout=60, check=False
        ).returncode
    finally:
        os.close(terminal)
        os.close(inside)


@as_tests_own
def test_reset_stops_a_cache_that_runs_alone(clone: Clone, django_url: str) -> None:
    started = clone.manage("shell", "-c", CACHE_ANSWERS, DATABASE_URL=django_url, DEBUG="1")
    assert "PostgreSQL" not in started.stderr
    assert clone.manage("embedded", "status").stdout.count("does not run") == 1

    done = clone.manage("embedded", "reset", "--yes")

    assert (done.returncode, done.stdout) == (0, "stops the embedded servers\n"), done.stderr
    assert clone.manage("embedded", "status").stdout.count("does not run") == 2


@as_tests_own
def test_a_server_that_runs_but_is_not_used_is_not_named(clone: Clone) -> None:
    assert "PostgreSQL" in clone.manage("embedded", "start").stderr

    elsewhere = clone.manage("runserver", "127.0.0.1:0", DATABASE_URL="postgresql://web@127.0.0.1:1/shop", DEBUG="1")

    line = elsewhere.stderr.splitlines()[0]
    assert line.startswith("dbops: ")
    assert "PostgreSQL" not in line


@as_root
def test_below_a_directory_closed_to_the_server_root_keeps_the_data_outside(somebody: Person, place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with cloned(somebody, closed / "clone") as clone:
        done = clone.manage("shell", "-c", CACHE_ANSWERS)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "v"), done.stderr
        outside = clone.data_dir().parent
        assert outside.parent == DATA_DIRECTORY
        assert closed.stat().st_mode & 0o777 == 0o700
        assert not (clone.project / ".dbops").exists()
        assert clone.manage("embedded", "reset", "--yes").returncode == 0
        assert not outside.exists()


@as_root
def test_root_and_an_ordinary_user_can_use_the_same_clone(clone: Clone, place: Path) -> None:
    assert clone.manage("embedded", "start").returncode == 0
    home = place / "other-home"
    home.mkdir(mode=0o700)
    other = Clone(person("ordinary user", home), clone.project)
    try:
        started = other.manage("embedded", "start")
        assert started.returncode == 0, started.stderr
        assert other.data_dir() != clone.project / ".dbops/postgres"
        assert clone.manage("embedded", "status").returncode == 0
    finally:
        other.manage("embedded", "reset", "--yes")


@as_root
def test_a_socket_directory_that_another_user_planted_is_refused(clone: Clone) -> None:
    planted = clone.socket_dir
    planted.mkdir(mode=0o700)
    os.chown(planted, 1, 1)
    try:
        done = clone.manage("migrate")
        assert done.returncode == 2
        assert done.stderr.startswith(f"manage.py: {planted} belongs to ")
        assert "HINT: " in done.stderr
    finally:
        planted.rmdir()


@as_tests_own
def test_in_production_nothing_is_started_unless_told(clone: Clone) -> None:
    refused = clone.manage("embedded", "start", **PRODUCTION)
    assert refused.returncode == 2
    assert "HINT: set DBOPS_EMBEDDED=1" in refused.stderr
    assert not clone.socket_dir.exists()
    allowed = clone.manage("embedded", "start", **PRODUCTION, DBOPS_EMBEDDED="1")
    assert allowed.returncode == 0, allowed.stderr
    assert "DATABASE_URL is set" in allowed.stderr


@as_tests_own
def test_commands_without_a_database_start_nothing(clone: Clone) -> None:
    for line in ("help", "migrate --help", "collectstatic --noinput -v0"):
        assert clone.manage(*line.split()).returncode == 0
    assert not clone.socket_dir.exists()
    assert not (clone.project / ".dbops").exists()


@as_tests_own
def test_a_start_that_fails_is_one_line_its_hint_and_exit_2(clone: Clone, place: Path) -> None:
    nothing = place / "nothing"
    nothing.mkdir()
    done = clone.manage("migrate", DBOPS_PG_BIN=str(nothing))
    assert done.returncode == 2
    assert done.stderr.startswith("manage.py: DBOPS_PG_BIN has no PostgreSQL")
    assert len(done.stderr.splitlines()) == 2
