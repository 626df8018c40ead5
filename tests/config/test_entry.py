"""The ways into the project."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config.entry import needs_servers
from tests.config.clones import copy_project
from tests.config.conftest import DEVELOPMENT, PRODUCTION, RunPython

if TYPE_CHECKING:
    from pathlib import Path

UNREACHABLE = {**DEVELOPMENT, "DATABASE_URL": "postgresql://web:pa55word@127.0.0.1:1/shop"}


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("", False),
        ("--version", False),
        ("-h", False),
        ("help migrate", False),
        ("migrate --help", False),
        ("check --help", False),
        ("collectstatic --noinput", False),
        ("makemessages -l de", False),
        ("compilemessages", False),
        ("embedded status", False),
        ("dbanalyze --dsn -", False),
        ("dbanalyze --dsn=postgresql://h/shop", False),
        ("dbanalyze --explain duplicate_index", False),
        ("dbanalyze --list", False),
        ("dbanalyze", True),
        ("showmigrations --list", True),
        ("check", True),
        ("migrate", True),
        ("makemigrations --check", True),
        ("runserver", True),
        ("shell -c print()", True),
    ],
)
def test_servers_are_needed_by_what_asks_the_projects_database(
    line: str, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBOPS_DSN", raising=False)
    assert needs_servers(["manage.py", *line.split()]) is needed


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("dbanalyze", False),
        ("dbanalyze --strict", False),
        ("dbanalyze --database default", True),
        ("dbanalyze shop", True),
        ("migrate", True),
        ("dbshell", True),
    ],
)
def test_a_dsn_in_the_environment_stands_for_another_database_unless_one_is_named(
    line: str, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBOPS_DSN", "postgresql://h/shop")
    assert needs_servers(["manage.py", *line.split()]) is needed


def test_an_empty_dsn_in_the_environment_stands_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBOPS_DSN", " ")
    assert needs_servers(["manage.py", "dbanalyze"])


@pytest.mark.parametrize(
    "command",
    [
        ("migrate",),
        ("showmigrations",),
        ("shell", "-c", "from django.db import connection; connection.ensure_connection()"),
        ("runserver", "127.0.0.1:0"),
    ],
    ids=lambda command: command[0],
)
def test_a_server_out_of_reach_is_one_line_and_exit_2(run_python: RunPython, command: tuple[str, ...]) -> None:
    done = run_python("manage.py", *command, **UNREACHABLE)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if not line.startswith("dbops: ")]
    assert lines[0].startswith('manage.py: the database cannot be reached: connection to server at "127.0.0.1", port 1')
    assert lines[1].startswith("HINT: ")
    assert lines[2:] == []
    assert "pa55word" not in done.stderr


def test_where_it_came_from_is_shown_on_request(run_python: RunPython) -> None:
    done = run_python("manage.py", "showmigrations", "--traceback", **UNREACHABLE)
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_an_error_the_server_answered_keeps_its_traceback(run_python: RunPython, django_url: str) -> None:
    slow = "from django.db import connection as c; c.cursor().execute('SET statement_timeout = 1; SELECT pg_sleep(9)')"
    done = run_python("manage.py", "shell", "-c", slow, **DEVELOPMENT, DATABASE_URL=django_url)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "statement timeout" in done.stderr


def test_ctrl_c_is_one_line_and_exit_2(run_python: RunPython) -> None:
    """In a command of Django's own, too, and in what happens before a command runs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://web@127.0.0.1:{silent.getsockname()[1]}/shop"
        with subprocess.Popen(
            (sys.executable, "manage.py", "migrate"),
            cwd=run_python.project,
            env={"PATH": os.environ["PATH"], **DEVELOPMENT, "DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            connection, _ = silent.accept()
            with connection:
                running.send_signal(signal.SIGINT)
                out, err = running.communicate(timeout=30)
    lines = [line for line in err.splitlines() if not line.startswith("dbops: ")]
    assert (running.returncode, out, lines) == (2, "", ["manage.py: interrupted"])


def test_help_works_where_the_configuration_does_not(run_python: RunPython) -> None:
    done = run_python("manage.py", "help", SECRET_KEY="short")
    assert done.returncode == 0
    assert "migrate" in done.stdout


def without_packages(project: Path) -> list[str]:
    """What `manage.py check` says to a Python that has none."""
    done = subprocess.run(
        (sys.executable, "-S", "manage.py", "check"), cwd=project, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    return done.stderr.splitlines()


def test_a_python_without_the_packages_is_told_which_and_how(place: Path) -> None:
    first, hint = without_packages(copy_project(place / "clone"))
    assert first.endswith(f"is not installed for {sys.executable}")
    assert hint == "HINT: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"


def test_a_python_beside_the_projects_environment_is_told_to_use_that(place: Path) -> None:
    project = copy_project(place / "clone")
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").touch()
    assert without_packages(project)[1:] == ["HINT: .venv/bin/python manage.py check"]


@pytest.mark.parametrize("module", ["config.wsgi", "config.asgi"])
def test_a_web_server_has_its_pool_and_serves(run_python: RunPython, django_url: str, module: str) -> None:
    script = f"""
import json, {module}
from django.db import connection
from django.test import Client
with connection.cursor() as cursor:
    cursor.execute("SELECT current_setting('statement_timeout'), current_setting('application_name')")
    row = cursor.fetchone()
page = Client(headers={{"host": "localhost"}}).get("/", follow=True)
print(json.dumps([*row, connection.pool.get_stats()["pool_max"], page.status_code]))
connection.close_pool()
"""
    done = run_python("-c", script, **DEVELOPMENT, DATABASE_URL=django_url, DB_POOL_SIZE="2", DB_MAX_OVERFLOW="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["30s", "dbops web", 3, 200]


PRODUCTION_SITE = """
import config.wsgi
from django.test import Client
from django.db import connection
client = Client(headers={"host": "example.com", "x-forwarded-proto": "https"})
page = client.get("/account/login/")
cookie = page.cookies["csrftoken"]
style = page.content.decode().partition('rel="stylesheet" href="')[2].partition('"')[0]
found = client.get(style)
found.close()
print(page.status_code, bool(cookie["secure"]), style, found.status_code, found["Cache-Control"])
print(Client(headers={"host": "example.com"}).get("/admin/")["Location"])
print(Client(headers={"host": "elsewhere.example", "x-forwarded-proto": "https"}).get("/").status_code)
connection.close_pool()
"""


def test_production_serves_the_site_with_static_files_over_https(django_url: str, place: Path) -> None:
    project = copy_project(place / "site")
    environment = {**PRODUCTION, "DATABASE_URL": django_url, "SECURE_PROXY_SSL_HEADER": "1", "DB_POOL_SIZE": "1"}
    collected = RunPython(project)("manage.py", "collectstatic", "--noinput", "-v0", **environment)
    assert (collected.returncode, collected.stderr) == (0, "")
    done = RunPython(project)("-c", PRODUCTION_SITE, **environment)
    assert done.returncode == 0, done.stderr
    page, redirect, elsewhere = done.stdout.splitlines()
    assert re.fullmatch(r"200 True /static/site/site\.\w{12}\.css 200 max-age=\d+, public, immutable", page)
    assert redirect == "https://example.com/admin/"
    assert elsewhere == "400"
    assert "set REDIS_URL" in done.stderr
    assert not (project / ".dbops").exists()
