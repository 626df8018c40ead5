"""How the project reaches its databases, as libpq would understand its settings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from django.db import connections

from dbops.collect.django_databases import django_databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.django_rows import DjangoDatabase


class Aliases(Protocol):
    def __call__(self, **databases: dict[str, Any]) -> None: ...


POSTGRES = "django.db.backends.postgresql"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def aliases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aliases]:
    """Puts databases in place of DATABASES."""
    made: list[str] = []

    def put(**databases: dict[str, Any]) -> None:
        made.extend(databases)
        configured = connections.configure_settings({"default": {}, **databases})
        monkeypatch.setattr(connections, "settings", {alias: configured[alias] for alias in databases})

    yield put
    for alias in made:
        with suppress(AttributeError):  # never asked for, so there is no wrapper to forget
            del connections[alias]


def seen(aliases: Aliases, **values: Any) -> DjangoDatabase:
    aliases(probe={"ENGINE": POSTGRES, **values})
    (row,) = django_databases("probe")
    return row


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, "socket"),
        ({"HOST": "/run/postgresql"}, "socket"),
        ({"HOST": "@abstract"}, "socket"),
        ({"HOST": "localhost"}, "loopback"),
        ({"HOST": "127.0.0.2"}, "loopback"),
        ({"HOST": "::1"}, "loopback"),
        ({"HOST": "db.example.org"}, "network"),
        ({"HOST": "10.0.0.5"}, "network"),
        ({"HOST": "localhost,db.example.org"}, "network"),
        ({"HOST": "localhost", "OPTIONS": {"hostaddr": "10.0.0.5"}}, "network"),
        ({"OPTIONS": {"service": "shop"}}, None),
    ],
)
def test_where_a_host_is(aliases: Aliases, values: dict[str, Any], kind: str | None) -> None:
    assert seen(aliases, **values).host_kind == kind


def test_a_host_from_the_environment_counts(aliases: Aliases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.org")
    assert seen(aliases).host_kind == "network"


@pytest.mark.parametrize(
    ("options", "environment", "mode"),
    [
        ({}, None, "prefer"),
        ({}, "require", "require"),
        ({"sslmode": "verify-full"}, "disable", "verify-full"),
        ({"service": "shop"}, None, None),
        ({"service": "shop", "sslmode": "require"}, None, "require"),
    ],
)
def test_which_ssl_mode_holds(
    aliases: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
    environment: str | None,
    mode: str | None,
) -> None:
    if environment is not None:
        monkeypatch.setenv("PGSSLMODE", environment)
    assert seen(aliases, OPTIONS=options).ssl_mode == mode


def test_every_postgresql_is_told_and_nothing_secret(aliases: Aliases) -> None:
    aliases(
        main={"ENGINE": POSTGRES, "PASSWORD": "hidden"},
        replica={"ENGINE": POSTGRES, "OPTIONS": {"passfile": "hidden"}},
        files={"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        broken={"ENGINE": "no.such.engine"},
    )
    rows = list(django_databases("replica"))
    assert [(row.alias, row.is_target) for row in rows] == [("main", False), ("replica", True)]
    assert "hidden" not in str([asdict(row) for row in rows])
