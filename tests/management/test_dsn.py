from __future__ import annotations

import io

import pytest

from dbops.errors import UsageError
from dbops.management.dsn import looks_like_dsn, read_dsn


@pytest.fixture(autouse=True)
def _without_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBOPS_DSN", raising=False)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:geheim@db.example/shop",
        "postgres://me:geheim@db.example/shop",
        "POSTGRESQL://me:geheim@db.example",
        "postgresql://me:gehe/im@db.example/shop",
        "postgresql://me:gehe?im@db.example/shop",
        "postgresql://me:gehe@im@db.example/shop",
        "postgresql://me@a,b/shop?password=geheim",
        "postgresql://db.example/shop?user=me&password=geheim",
        "postgresql://me@db.example/shop?pass%77ord=geheim",
        "postgresql://me@db.example/shop?sslpassword=geheim",
        "host=db.example password=geheim",
        "password = 'geheim' host=db.example",
        "host=db.example PASSWORD=geheim",
        "  host=db.example\tpassword=geheim",
        "mysql://me:geheim@db.example/shop",
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(dsn: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_dsn(dsn, io.StringIO())

    assert "the DSN has a password in it" in str(refused.value)
    assert "gehe" not in str(refused.value)
    assert "DBOPS_DSN" in str(refused.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me@db.example:5432/shop",
        "postgresql://db.example",
        "postgresql:///shop?host=/tmp&port=5433",
        "postgresql://me@[::1]:5432/shop",
        "postgresql://me%40corp@a:1,b:2/shop",
        "host=/tmp dbname=shop passfile=/home/me/.pgpass",
        "service=shop",
    ],
)
def test_a_dsn_without_password_is_taken_as_it_is(dsn: str) -> None:
    assert read_dsn(dsn, io.StringIO()) == dsn


def test_a_line_of_standard_input_may_hold_a_password() -> None:
    stdin = io.StringIO("postgresql://me:geheim@db.example/shop\nnot this\n")

    assert read_dsn("-", stdin) == "postgresql://me:geheim@db.example/shop"


def test_the_variable_may_hold_a_password_and_the_option_wins_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBOPS_DSN", "postgresql://me:geheim@db.example/shop")

    assert read_dsn(None, io.StringIO()) == "postgresql://me:geheim@db.example/shop"
    assert read_dsn("service=other", io.StringIO()) == "service=other"


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DBOPS_DSN", value)

    assert read_dsn(None, io.StringIO()) is None


@pytest.mark.parametrize(
    "text",
    [
        "geheim",
        "me:geheim@db.example/shop",
        "",
        "postgresql://me:gehe/im@db.example/shop",
        "postgresql://me:mehr@geheim@db.example/shop",
    ],
)
def test_what_cannot_be_read_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_dsn("-", io.StringIO(f"{text}\n"))
    assert "gehe" not in str(refused.value)

    if text:
        monkeypatch.setenv("DBOPS_DSN", text)
        with pytest.raises(UsageError) as refused:
            read_dsn(None, io.StringIO())
        assert "gehe" not in str(refused.value)
        assert "DBOPS_DSN" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "is_dsn"),
    [
        ("postgresql://a/b", True),
        ("host=a", True),
        ("host = a", True),
        ("shop", False),
        ("my-db", False),
        ("", False),
    ],
)
def test_a_dsn_in_a_wrong_place_is_recognised(text: str, is_dsn: bool) -> None:
    assert looks_like_dsn(text) is is_dsn
