"""From a URL to Django's DATABASES."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.databases import parse_database_url, with_limits, with_pool


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (
            "postgres://web:secret@db.example:5433/shop",
            {"USER": "web", "PASSWORD": "secret", "HOST": "db.example", "PORT": "5433", "NAME": "shop"},
        ),
        ("postgresql://web:p%40ss%2Fw%3Ard%25@h/shop", {"PASSWORD": "p@ss/w:rd%"}),
        ("postgresql://web:a+b@h/shop", {"PASSWORD": "a+b"}),
        ("postgresql://web@h/my+shop", {"NAME": "my+shop", "PASSWORD": ""}),
        ("postgresql://web@%2FRun%2Fpostgresql/shop", {"HOST": "/Run/postgresql", "PORT": ""}),
        ("postgresql:///shop?host=/run/postgresql", {"HOST": "/run/postgresql", "NAME": "shop"}),
        ("postgresql://web@[::1]:5432/shop", {"HOST": "::1"}),
        ("postgresql://web@a:1,b:2/shop", {"HOST": "a,b", "PORT": "1,2"}),
        ("postgresql://web@/shop?host=@abstract", {"HOST": "@abstract"}),
        (
            "postgresql://h/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            {"OPTIONS": {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}},
        ),
    ],
)
def test_a_url_is_understood_as_libpq_does(url: str, parts: dict[str, Any]) -> None:
    found = parse_database_url(url)
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert {name: found[name] for name in parts} == parts


@pytest.mark.parametrize(
    "url",
    [
        "shop",
        "mysql://web:s3cret@h/shop",
        "postgresql://web:s3cret@h",
        "postgresql://web:s3cret@h/",
        "postgresql://web:s3cret%zz@h/shop",
        "postgresql://web:s3cret/more@h/shop",
        "postgresql://web:5/s3cret@h/shop",
        "postgresql://web:more@s3cret@h/shop",
        "postgresql://web:s3cret@[::1/shop",
        "postgresql://web:s3cret@h:port/shop",
        "postgresql://web:s3cret@h/shop?colour=red",
        "host=h dbname=shop password=s3cret",
    ],
)
def test_what_is_no_such_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        parse_database_url(url)
    assert str(refusal.value).startswith("DATABASE_URL ")
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


LIMITS = {"statement_timeout": 30.0, "lock_timeout": 0.25, "idle_in_transaction_session_timeout": 0.0}


def limited(url: str, role: Any) -> dict[str, Any]:
    options: dict[str, Any] = with_limits(parse_database_url(url), role=role, connect_timeout_s=10, limits_s=LIMITS)[
        "OPTIONS"
    ]
    return options


def test_a_web_server_has_limits_and_a_command_has_none() -> None:
    web, command = limited("postgresql:///shop", "web"), limited("postgresql:///shop", "command")
    idle = "idle_in_transaction_session_timeout"
    assert web["options"] == f"-c jit=off -c statement_timeout=30000 -c lock_timeout=250 -c {idle}=0"
    assert command["options"] == f"-c jit=off -c statement_timeout=0 -c lock_timeout=0 -c {idle}=0"
    assert web["application_name"] == "dbops web"
    assert command["application_name"] == "dbops command"
    assert web["connect_timeout"] == command["connect_timeout"] == 10


def test_what_the_url_says_stays() -> None:
    options = limited("postgresql:///shop?application_name=mine&connect_timeout=3&options=", "web")
    assert (options["application_name"], options["connect_timeout"], options["options"]) == ("mine", "3", "")


def test_the_pool_keeps_its_size_and_grows_by_the_overflow() -> None:
    database = with_limits(parse_database_url("postgresql:///shop"), role="web", connect_timeout_s=1, limits_s={})
    pooled = with_pool(database, size=20, overflow=30, timeout_s=5, recycle_s=3600, pre_ping=True)
    assert pooled["OPTIONS"]["pool"] == {"min_size": 20, "max_size": 50, "timeout": 5, "max_lifetime": 3600}
    assert (pooled["CONN_MAX_AGE"], pooled["CONN_HEALTH_CHECKS"]) == (0, True)
