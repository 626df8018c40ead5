"""Commands run in this process, as the command line runs them, and databases behind aliases."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import load_command_class
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.core.management.base import BaseCommand
    from pytest_django import DjangoDbBlocker

    from tests.servers import Database


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Runner:
    """Runs a command with its arguments and an optional line of standard input."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def command(self, command: BaseCommand, *arguments: object, stdin: str = "") -> Ended:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            command.run_from_argv(["manage.py", "dbanalyze", *map(str, arguments)])
        written = self.capsys.readouterr()
        return Ended(int(ended.value.code or 0), written.out, written.err)

    def __call__(self, *arguments: object, stdin: str = "") -> Ended:
        return self.command(load_command_class("dbops", "dbanalyze"), *arguments, stdin=stdin)


@pytest.fixture
def dbanalyze(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.delenv("DBOPS_DSN", raising=False)
    return Runner(capsys, monkeypatch)


@pytest.fixture
def make_alias(
    monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[[str, str], str]]:
    """Put the database of a DSN behind a new alias of DATABASES; gives the alias back."""

    made: list[str] = []

    def make(alias: str, dsn: str) -> str:
        made.append(alias)
        found = conninfo_to_dict(dsn)
        where: dict[str, Any] = {
            "NAME": found.get("dbname"),
            "HOST": found.get("host", ""),
            "PORT": str(found.get("port", "")),
            "USER": found.get("user", ""),
            "PASSWORD": "",
        }
        monkeypatch.setitem(connections.settings, alias, {**connections.settings["default"], **where})
        return alias

    with django_db_blocker.unblock():
        yield make
    for alias in made:
        with suppress(AttributeError):  # never asked for, so there is no wrapper to forget
            del connections[alias]


@pytest.fixture
def shop(make_alias: Callable[[str, str], str], database: Database) -> str:
    """The alias `shop` of the test's own database."""
    return make_alias("shop", database.dsn)
