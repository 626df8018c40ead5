"""What is logged, and how."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

from config.logs import JsonFormatter
from tests.config.conftest import DEVELOPMENT

if TYPE_CHECKING:
    from tests.config.conftest import RunPython

QUERY = """
from django.db import connection
connection.cursor().execute("SELECT length(%s)", ["s3cret"])
"""


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("shop.orders", logging.WARNING, __file__, 1, "%d left of %s", (3, "ä\n"), None)
    vars(made).update(extra)
    return made


def test_json_is_one_object_per_line() -> None:
    line = JsonFormatter().format(record(status_code=404, request=object()))
    assert "\n" not in line
    shown = json.loads(line)
    assert shown.pop("time").endswith("+00:00")
    assert shown == {"level": "WARNING", "logger": "shop.orders", "message": "3 left of ä\n", "status_code": 404}


def test_json_has_the_exception() -> None:
    failed = record()
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        failed.exc_info = sys.exc_info()
    assert "ZeroDivisionError: division by zero" in json.loads(JsonFormatter().format(failed))["exception"]


def test_statements_are_logged_on_request_without_their_parameters(run_python: RunPython, django_url: str) -> None:
    environment = {**DEVELOPMENT, "DATABASE_URL": django_url, "LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}
    silent = run_python("manage.py", "shell", "-c", QUERY, **environment)
    assert (silent.returncode, "SELECT length" in silent.stderr) == (0, False), silent.stderr
    done = run_python("manage.py", "shell", "-c", QUERY, **environment, DATABASE_ECHO="1")
    logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    statements = [each["message"] for each in logged if each["logger"] == "dbops.statements"]
    assert [message for message in statements if message.endswith("ms: SELECT length(%s)")]
    assert "s3cret" not in done.stdout + done.stderr


def test_the_pool_is_logged_on_request(run_python: RunPython, django_url: str) -> None:
    script = (
        "import config.wsgi; from django.db import connection as c; c.ensure_connection(); c.close(); c.close_pool()"
    )
    environment = {**DEVELOPMENT, "DATABASE_URL": django_url, "DB_POOL_SIZE": "1"}
    assert "psycopg.pool" not in run_python("-c", script, **environment).stderr
    assert "psycopg.pool" in run_python("-c", script, **environment, DB_ECHO_POOL="on").stderr
