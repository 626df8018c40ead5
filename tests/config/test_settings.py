"""The settings under every kind of environment, each in a process of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.config.conftest import PRODUCTION, SECRET, RunPython

SHOW = """
import json, sys
from config import entry
entry.role = sys.argv[1]
from django.conf import settings
def plain(value):
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
print(json.dumps({name: getattr(settings, name) for name in sys.argv[2:]}, default=plain))
"""


def show(run_python: RunPython, *names: str, role: str = "command", **environment: str) -> dict[str, Any]:
    done = run_python("-c", SHOW, role, *names, DJANGO_SETTINGS_MODULE="config.settings", **environment)
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def refusal(run_python: RunPython, **environment: str) -> str:
    """What manage.py says, which has to be one line and its hint, and exit 2."""
    done = run_python("manage.py", "check", **environment)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    first, hint = done.stderr.splitlines()
    assert first.startswith("manage.py: ")
    assert hint.startswith("HINT: ")
    return done.stderr


def test_with_nothing_set_it_is_development_on_embedded_servers(run_python: RunPython) -> None:
    shown = show(run_python, "DEBUG", "EMBEDDED_POSTGRES", "SESSION_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "DATABASES")
    default = shown.pop("DATABASES")["default"]
    assert shown == {
        "DEBUG": True,
        "EMBEDDED_POSTGRES": True,
        "SESSION_COOKIE_SECURE": False,
        "SECURE_SSL_REDIRECT": False,
    }
    assert default["HOST"].rpartition("/")[2].startswith("dbops-")
    assert "pool" not in default["OPTIONS"]


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REAL_DB_URL", "ALLOWED_HOSTS"])
def test_one_variable_of_production_ends_development_even_when_it_is_empty(run_python: RunPython, name: str) -> None:
    assert "SECRET_KEY is not set, and DEBUG is off" in refusal(run_python, **{name: ""})


def test_debug_can_be_asked_for_with_a_database(run_python: RunPython) -> None:
    url = PRODUCTION["DATABASE_URL"]
    shown = show(run_python, "DEBUG", "EMBEDDED_POSTGRES", "EMBEDDED_VALKEY", DEBUG="1", DATABASE_URL=url)
    assert shown == {"DEBUG": True, "EMBEDDED_POSTGRES": False, "EMBEDDED_VALKEY": shown["EMBEDDED_VALKEY"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is too easy to guess"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY is too easy to guess"),
        ({"SECRET_KEY": "django-insecure-" + SECRET}, "SECRET_KEY is too easy to guess"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is not set"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set, and embedded servers are for development"),
        ({"DATABASE_URL": "postgresql://web:pa55word%zz@h/shop"}, "DATABASE_URL cannot be read as a URL"),
        ({"DB_POOL_SIZE": "many"}, "DB_POOL_SIZE cannot be read"),
        ({"SECURE_SSL_REDIRECT": "maybe"}, "SECURE_SSL_REDIRECT cannot be read"),
    ],
)
def test_production_refuses_what_is_missing_or_wrong(
    run_python: RunPython, change: dict[str, str], message: str
) -> None:
    said = refusal(run_python, **{**PRODUCTION, **change})
    assert message in said
    assert "pa55word" not in said
    assert "django-insecure-" not in said


def test_development_without_embedded_servers_wants_a_url(run_python: RunPython) -> None:
    assert "DATABASE_URL is not set" in refusal(run_python, DBOPS_EMBEDDED="0")


def test_production_can_be_told_to_use_embedded_servers(run_python: RunPython) -> None:
    environment = {**PRODUCTION, "DATABASE_URL": "", "DBOPS_EMBEDDED": "1"}
    assert show(run_python, "DEBUG", "EMBEDDED_POSTGRES", **environment) == {"DEBUG": False, "EMBEDDED_POSTGRES": True}


def test_production_is_safe_by_default(run_python: RunPython) -> None:
    names = ("DEBUG", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS")
    shown = show(run_python, *names, "SECURE_PROXY_SSL_HEADER", "EMBEDDED_SERVERS", "STORAGES", **PRODUCTION)
    assert shown.pop("STORAGES")["staticfiles"]["BACKEND"] == "whitenoise.storage.CompressedManifestStaticFilesStorage"
    assert shown == {
        "DEBUG": False,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 0,
        "SECURE_PROXY_SSL_HEADER": None,
        "EMBEDDED_SERVERS": None,
    }


def test_production_does_what_it_is_told(run_python: RunPython) -> None:
    shown = show(
        run_python,
        *("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER", "CSRF_TRUSTED_ORIGINS", "CACHES"),
        **PRODUCTION,
        SECURE_SSL_REDIRECT="off",
        SECURE_HSTS_SECONDS="3600",
        SECURE_PROXY_SSL_HEADER="on",
        CSRF_TRUSTED_ORIGINS="https://shop.example",
        REDIS_URL="rediss://:s3cret@cache.example:6380/2",
    )
    assert shown.pop("CACHES")["default"] == {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "rediss://:s3cret@cache.example:6380/2",
        "KEY_PREFIX": "dbops",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 2},
    }
    assert shown == {
        "SECURE_SSL_REDIRECT": False,
        "SECURE_HSTS_SECONDS": 3600,
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
        "CSRF_TRUSTED_ORIGINS": ["https://shop.example"],
    }


def test_what_dbops_can_be_told(run_python: RunPython) -> None:
    told = {"DB_OPTIMIZATION_ENABLED": "no", "DB_QUERY_TIMEOUT": "1.5", "DB_MAX_QUERY_TIME": "250"}
    shown = show(run_python, "DBOPS", **PRODUCTION, **told)["DBOPS"]
    assert shown == {"ENABLED": False, "QUERY_TIMEOUT_S": 1.5, "SLOW_QUERY_MS": 250, "HEALTH_TOKEN": None}


def test_the_cache_without_a_server_is_in_files_that_all_processes_share(run_python: RunPython) -> None:
    cache = show(run_python, "CACHES", **PRODUCTION)["CACHES"]["default"]
    assert cache["BACKEND"].endswith("FileBasedCache")
    assert cache["OPTIONS"] == {"MAX_ENTRIES": 100_000}


def test_only_the_web_server_has_a_pool_and_limits(run_python: RunPython) -> None:
    variables = {"DB_POOL_SIZE": "3", "DB_MAX_OVERFLOW": "4", "DB_POOL_PRE_PING": "no", "DB_STATEMENT_TIMEOUT": "7"}
    web = show(run_python, "DATABASES", role="web", **PRODUCTION, **variables)["DATABASES"]["default"]
    command = show(run_python, "DATABASES", **PRODUCTION, **variables)["DATABASES"]["default"]
    assert web["OPTIONS"]["pool"] == {"min_size": 3, "max_size": 7, "timeout": 30, "max_lifetime": 3600}
    assert not web["CONN_HEALTH_CHECKS"]
    assert "statement_timeout=7000" in web["OPTIONS"]["options"]
    assert "pool" not in command["OPTIONS"]
    assert "statement_timeout=0" in command["OPTIONS"]["options"]


def test_check_deploy_finds_nothing_in_production(run_python: RunPython, django_url: str) -> None:
    environment = {**PRODUCTION, "DATABASE_URL": django_url, "SECURE_HSTS_SECONDS": "3600"}
    done = run_python("manage.py", "check", "--deploy", "--fail-level", "INFO", **environment)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_check_deploy_speaks_of_hsts_until_it_is_set(run_python: RunPython, django_url: str) -> None:
    done = run_python("manage.py", "check", "--deploy", **{**PRODUCTION, "DATABASE_URL": django_url})
    assert "security.W004" in done.stderr
    assert done.stderr.count("security.") == 1
