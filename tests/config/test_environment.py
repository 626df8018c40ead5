"""How a variable of the environment is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import variables

if TYPE_CHECKING:
    from config.environment import Variable


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables.declared():
        for name in variable.names:
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        (variables.DEBUG, "On", True),
        (variables.DEBUG, "0", False),
        (variables.ALLOWED_HOSTS, " a.example , ,b.example", ("a.example", "b.example")),
        (variables.DB_POOL_SIZE, "007", 7),
        (variables.DB_STATEMENT_TIMEOUT, "0.5", 0.5),
        (variables.DB_STATEMENT_TIMEOUT, "0", 0.0),
        (variables.LOG_LEVEL, "warning", "WARNING"),
        (variables.LOG_FORMAT, "JSON", "json"),
        (variables.DBOPS_PG_BIN, "/opt/pg/../postgres/bin", Path("/opt/postgres/bin")),
        (variables.REDIS_URL, "unix:///run/valkey.sock?db=1", "unix:///run/valkey.sock?db=1"),
        (variables.REDIS_URL, "redis://me:p%2Fw@h:6379/1", "redis://me:p%2Fw@h:6379/1"),
        (variables.CSRF_TRUSTED_ORIGINS, "https://a.example", ("https://a.example",)),
        (variables.SECRET_KEY, "$5-starts-with-a-dollar", "$5-starts-with-a-dollar"),
    ],
)
def test_a_value_is_read(variable: Variable[Any], text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable.name, text)
    assert variable.read() == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        (variables.DEBUG, "ture"),
        (variables.DEBUG, "2"),
        (variables.DB_POOL_SIZE, "0"),
        (variables.DB_POOL_SIZE, "-1"),
        (variables.DB_POOL_SIZE, "twenty"),
        (variables.DB_POOL_SIZE, "2.5"),
        (variables.DB_POOL_SIZE, "²"),
        (variables.DB_STATEMENT_TIMEOUT, "30s"),
        (variables.DB_STATEMENT_TIMEOUT, "nan"),
        (variables.DB_STATEMENT_TIMEOUT, "-1"),
        (variables.DB_QUERY_TIMEOUT, "0"),
        (variables.DB_QUERY_TIMEOUT, "30s"),
        (variables.DB_MAX_QUERY_TIME, "inf"),
        (variables.DB_MAX_QUERY_TIME, "-1"),
        (variables.DB_OPTIMIZATION_ENABLED, "perhaps"),
        (variables.LOG_LEVEL, "loud"),
        (variables.REDIS_URL, "localhost:6379"),
        (variables.REDIS_URL, "redis://:s3/cret@h:6379/1"),
        (variables.CSRF_TRUSTED_ORIGINS, "a.example"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_and_not_repeated(
    variable: Variable[Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable.name, text)
    with pytest.raises(ImproperlyConfigured) as refusal:
        variable.read()
    first, hint = str(refusal.value).splitlines()
    assert first == f"{variable.name} cannot be read"
    assert hint == f"HINT: it wants {variable.wanted}"


def test_unset_and_empty_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert variables.DB_POOL_SIZE.read() == 20
    monkeypatch.setenv("DB_POOL_SIZE", " ")
    assert variables.DB_POOL_SIZE.read() == 20


def test_the_older_name_counts_where_the_name_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAL_DB_URL", "postgresql:///old")
    assert variables.DATABASE_URL.is_mentioned()
    assert variables.DATABASE_URL.read() == "postgresql:///old"
    monkeypatch.setenv("DATABASE_URL", "postgresql:///new")
    assert variables.DATABASE_URL.read() == "postgresql:///new"


def test_an_error_names_the_name_that_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PA_LOG_LEVEL", "loud")
    with pytest.raises(ImproperlyConfigured, match="PA_LOG_LEVEL"):
        variables.LOG_LEVEL.read()


@pytest.mark.parametrize("variable", variables.declared(), ids=lambda variable: variable.name)
def test_every_default_can_be_given_as_a_value(variable: Variable[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if variable.default is None or variable.default == ():
        assert replace(variable, default="unset").read() == "unset"
    else:
        monkeypatch.setenv(variable.name, str(variable.default))
        assert variable.read() == variable.default
