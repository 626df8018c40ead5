"""`manage.py demo` in a fresh clone with an empty home directory, as root and as an ordinary user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest

from config.faults import FAULTS, SCHEMA
from dbops.embedded.provision import DATABASE, ROLE
from tests.people import TESTS_OWN

if TYPE_CHECKING:
    from tests.config.clones import Clone

SMALL = ("demo", "--scale", "0.01")
LOGS_IN = (
    "from django.contrib.auth import authenticate as a; from django.db import connection as c;"
    "print(bool(a(username='demo@example.org', password={password!r})), end=' ')"
)
FOUND = {
    "duplicate_index",
    "exhausted_sequence",
    "invalid_index",
    "lagging_sequence",
    "missing_primary_key",
    "redundant_index",
    "unindexed_foreign_key",
    "unlogged_table",
    "unsuitable_column_type",
    "unvalidated_constraint",
}
as_tests_own = pytest.mark.parametrize("somebody", [TESTS_OWN], indirect=True)


def test_the_demo_fills_plants_finds_and_says_how_to_log_in(clone: Clone) -> None:
    first = clone.manage(*SMALL)
    assert first.returncode == 0, first.stderr
    for fault in FAULTS:
        assert fault.title in first.stderr
    assert set(re.findall(r"^(?:CRITICAL|WARNING|INFO) +(\w+)", first.stdout, re.MULTILINE)) == FOUND
    password = first.stdout.rpartition("with the password")[2].split()[0]
    assert clone.manage("shell", "-c", LOGS_IN.format(password=password)).stdout.endswith("True ")

    again = clone.manage(*SMALL)
    assert again.returncode == 0, again.stderr
    assert set(re.findall(r"^(?:CRITICAL|WARNING|INFO) +(\w+)", again.stdout, re.MULTILINE)) == FOUND
    assert list(clone.person.home.iterdir()) == []

    removed = clone.manage("demo", "--remove")
    assert (removed.returncode, removed.stderr) == (0, "the planted faults are gone\n")
    healthy = clone.manage("dbanalyze", "--fail-on", "warning")
    assert healthy.returncode == 0, healthy.stdout
    assert "Nothing wrong was found" in healthy.stdout
    assert clone.manage("demo", "--remove").stderr == "there were no planted faults\n"


@as_tests_own
def test_a_schema_of_that_name_that_is_somebody_elses_is_left_alone(clone: Clone) -> None:
    made = clone.manage("embedded", "start")
    assert made.returncode == 0, made.stderr
    clone.manage("embedded", "psql", "--", "-c", f"CREATE SCHEMA {SCHEMA}; CREATE TABLE {SCHEMA}.precious (id int)")
    refused = clone.manage(*SMALL)
    assert refused.returncode == 2
    assert f"HINT: rename it: ALTER SCHEMA {SCHEMA}" in refused.stderr
    kept = clone.manage("embedded", "psql", "--", "-Atc", f"SELECT count(*) FROM {SCHEMA}.precious")
    assert kept.stdout == "0\n"


@as_tests_own
def test_a_second_demo_at_the_same_time_says_so(clone: Clone) -> None:
    assert clone.manage("embedded", "start").returncode == 0
    session = psycopg.connect(host=str(clone.socket_dir), user=ROLE, dbname=DATABASE, autocommit=True)
    with session:
        session.execute("SELECT pg_advisory_lock(hashtext(%s))", [SCHEMA])
        for arguments in (SMALL, ("demo", "--remove")):
            refused = clone.manage(*arguments)
            assert refused.returncode == 5
            assert refused.stderr.startswith("demo: another demo is at work on this database\nHINT: ")
    assert clone.manage("demo", "--remove").returncode == 0


@as_tests_own
def test_the_demo_never_writes_into_a_database_of_somebodys_own(clone: Clone, django_url: str) -> None:
    refused = clone.manage("demo", DATABASE_URL=django_url, DEBUG="1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "not the embedded database" in refused.stderr
    assert "HINT: unset DATABASE_URL" in refused.stderr


@as_tests_own
@pytest.mark.parametrize("scale", ["0", "-1", "0.0001", "much", "nan", "1000"])
def test_a_scale_that_makes_no_sense_is_refused(clone: Clone, scale: str) -> None:
    refused = clone.manage("demo", f"--scale={scale}")
    assert refused.returncode == 2
    assert f"--scale: '{scale}' is not a number from 0.001 to 100" in refused.stderr


@as_tests_own
def test_an_address_that_cannot_be_served_is_refused_before_anything_is_done(clone: Clone) -> None:
    refused = clone.manage(*SMALL, "--serve", "nowhere")
    assert refused.returncode == 2
    assert "--serve: 'nowhere' is not a port" in refused.stderr
    assert "migrating" not in refused.stderr
