"""Limits on attempts: exact under load in every cache that a site may have, and never in the way when it has none."""

from __future__ import annotations

import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from dbops.embedded.valkey import Valkey, find_valkey
from dbops.workloads import rate_limits
from dbops.workloads.rate_limits import Attempt, RateLimit, attempt, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import RequestFactory
    from pytest_django import Settings

LIMIT = RateLimit("knock", attempts=3, window_s=3600)


@pytest.fixture
def valkey(place: Path) -> Iterator[Valkey]:
    server = Valkey(place / "socket")
    yield server
    server.stop()


@pytest.fixture
def running_valkey(valkey: Valkey, settings: Settings) -> Valkey:
    start(valkey)
    settings.CACHES = caches_in(valkey)
    return valkey


def start(valkey: Valkey) -> None:
    program = find_valkey()
    if program is None:
        pytest.skip("there is no Valkey or Redis on this machine")
    valkey.ensure_started(program)


def caches_in(valkey: Valkey) -> dict[str, Any]:
    options = {"SOCKET_CONNECT_TIMEOUT": 0.2, "SOCKET_TIMEOUT": 0.2}
    return {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"unix://{valkey.socket_path}?db=1",
            "OPTIONS": options,
        }
    }


@pytest.fixture(params=["memory", "files", "valkey"])
def any_cache(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> None:
    if request.param == "files":
        settings.CACHES = {
            "default": {"BACKEND": "config.file_cache.LockedFileBasedCache", "LOCATION": str(tmp_path / "cache")}
        }
    elif request.param == "valkey":
        request.getfixturevalue("running_valkey")


def is_let_through(who: str, limit: RateLimit = LIMIT) -> bool:
    return not attempt(limit.of(who)).retry_after_s


def test_as_many_as_the_limit_says_and_for_each_by_itself(any_cache: None) -> None:
    assert [is_let_through("ada") for _ in range(5)] == [True, True, True, False, False]
    assert is_let_through("eve")
    assert is_let_through("ada", RateLimit("ring", attempts=3, window_s=3600))
    assert 0 < attempt(LIMIT.of("ada")).retry_after_s <= 3600


def test_what_is_given_back_does_not_count(any_cache: None) -> None:
    for _ in range(10):
        right = attempt(LIMIT.of("ada"))
        assert not right.retry_after_s
        right.give_back()
    assert [is_let_through("ada") for _ in range(4)] == [True, True, True, False]


def test_no_more_get_through_when_all_come_at_once(any_cache: None) -> None:
    limit = RateLimit("rush", attempts=20, window_s=3600)
    with ThreadPoolExecutor(12) as threads:
        let_through = list(threads.map(lambda _: is_let_through("ada", limit), range(120)))
    assert let_through.count(True) == 20


def test_the_count_outlives_the_default_timeout_of_the_cache(any_cache: None, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "TIMEOUT": 1}}
    assert [is_let_through("ada") for _ in range(4)][-1] is False
    time.sleep(1.1)
    assert not is_let_through("ada")


def test_who_waited_may_try_again(any_cache: None) -> None:
    limit = RateLimit("short", attempts=1, window_s=1)
    while not (refused := attempt(limit.of("ada"))).retry_after_s:
        pass
    time.sleep(refused.retry_after_s)
    assert is_let_through("ada", limit)


def test_of_several_limits_one_that_refuses_is_enough_and_the_next_does_not_count() -> None:
    wide, narrow = (RateLimit(name, attempts=n, window_s=3600) for name, n in (("wide", 9), ("narrow", 1)))
    attempt(narrow.of("ada"))
    assert attempt(narrow.of("ada"), wide.of("ada")).retry_after_s
    assert [is_let_through("ada", wide) for _ in range(10)].count(True) == 9


def test_the_cache_learns_nobodys_address(running_valkey: Valkey) -> None:
    attempt(LIMIT.of("ada@example.com", "192.0.2.7"))
    (key,) = cache.keys("*")  # type: ignore[attr-defined]
    assert "rate:knock:" in key
    assert "ada" not in key
    assert "192" not in key


def test_reaching_a_limit_is_logged_once_and_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(9):
        attempt(LIMIT.of("ada@example.com"))
    assert [record.getMessage() for record in caplog.records] == ["limit reached: knock, 3 attempts"]


def test_without_its_cache_a_limit_lets_everybody_through_and_says_so_once(
    valkey: Valkey, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "PAUSE_S", 0.0)
    caplog.set_level(logging.INFO, "dbops.rate_limits")
    settings.CACHES = caches_in(valkey)
    assert all(is_let_through("ada") for _ in range(6))
    (said,) = caplog.records
    assert said.levelname == "ERROR"
    assert said.getMessage().startswith("the cache cannot be reached, so attempts are not limited: ")

    start(valkey)
    assert [is_let_through("ada") for _ in range(4)] == [True, True, True, False]
    assert "the cache can be reached again" in caplog.records[1].getMessage()


def test_a_cache_that_hides_its_failures_lets_everybody_through_too(valkey: Valkey, settings: Settings) -> None:
    settings.CACHES = caches_in(valkey)
    settings.CACHES["default"]["OPTIONS"]["IGNORE_EXCEPTIONS"] = True
    assert all(is_let_through("ada") for _ in range(6))


def test_a_cache_that_hangs_is_left_alone_for_a_while(running_valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    pid = cache.client.get_client().info()["process_id"]  # type: ignore[attr-defined]
    counted = attempt(LIMIT.of("ada"))
    os.kill(pid, signal.SIGSTOP)
    try:
        counted.give_back()
        assert is_let_through("ada")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert len(caplog.records) == 1
    assert all(is_let_through("ada") for _ in range(9)), "it is not asked yet, though it answers again"


def test_a_refusal_says_when_to_try_again(rf: RequestFactory) -> None:
    response = refusal(rf.post("/"), Attempt(retry_after_s=61))
    assert response.status_code == 429
    assert response["Retry-After"] == "61"
    assert "Try again in 2 minutes." in response.content.decode()
