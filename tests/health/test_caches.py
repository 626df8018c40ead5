"""A cache that keeps, has gone, has frozen or is behind a black hole."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from dbops.health.caches import Cache
from dbops.health.probe import Status
from tests.freezing import frozen
from tests.health.conftest import CONTRACT_S, judged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.health.conftest import Redis

BACKENDS = ("django_redis.cache.RedisCache", "django.core.cache.backends.redis.RedisCache")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_redis_that_keeps_is_ok_and_nothing_of_ours_stays_in_it(backend: str, redis: Redis, make_cache: Any) -> None:
    make_cache(backend, redis.url)
    assert judged(Cache("default")) == (Status.OK, None)
    assert redis.valkey._ask("KEYS *") == "*0"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_redis_that_has_gone_is_down(backend: str, redis: Redis, make_cache: Any) -> None:
    make_cache(backend, redis.url)
    redis.valkey.stop()
    started_s = time.monotonic()
    assert judged(Cache("default"))[0] is Status.DOWN
    assert time.monotonic() - started_s < CONTRACT_S


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_frozen_redis_is_down_in_time_whatever_the_cache_itself_would_wait(
    backend: str, redis: Redis, make_cache: Any
) -> None:
    make_cache(backend, redis.url)
    process = redis.process
    with frozen(process):
        started_s = time.monotonic()
        assert judged(Cache("default"))[0] is Status.DOWN
        assert time.monotonic() - started_s < CONTRACT_S
    time.sleep(1)  # a verdict is kept that long
    assert judged(Cache("default")) == (Status.OK, None)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_black_hole_is_down_in_time(backend: str, black_hole: int, make_cache: Any) -> None:
    make_cache(backend, f"redis://127.0.0.1:{black_hole}/0")
    started_s = time.monotonic()
    assert judged(Cache("default"))[0] is Status.DOWN
    assert time.monotonic() - started_s < CONTRACT_S


def test_a_redis_whose_sentinels_are_gone_is_down_and_says_so(make_cache: Any, settings: Any) -> None:
    settings.DJANGO_REDIS_CONNECTION_FACTORY = "django_redis.pool.SentinelConnectionFactory"
    make_cache(
        BACKENDS[0],
        "redis://shop/0",
        CLIENT_CLASS="django_redis.client.SentinelClient",
        CONNECTION_POOL_CLASS="redis.sentinel.SentinelConnectionPool",
        SENTINELS=[("127.0.0.1", 1)],
    )
    status, reason = judged(Cache("default"))
    assert (status, "MasterNotFoundError" in str(reason)) == (Status.DOWN, True), reason


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_redis_that_takes_nothing_in_is_down(backend: str, redis: Redis, make_cache: Any) -> None:
    make_cache(backend, redis.url)
    assert redis.valkey._ask("CONFIG SET maxmemory-policy noeviction") == "+OK"
    assert redis.valkey._ask("CONFIG SET maxmemory 1") == "+OK"
    status, reason = judged(Cache("default"))
    assert (status, "OutOfMemory" in str(reason)) == (Status.DOWN, True)


def test_files_and_memory_are_asked_through_the_cache(place: Path, make_cache: Any) -> None:
    make_cache("django.core.cache.backends.filebased.FileBasedCache", place / "cache")
    assert judged(Cache("default")) == (Status.OK, None)
    assert not list((place / "cache").iterdir())


def test_a_cache_that_has_no_place_is_down(place: Path, make_cache: Any) -> None:
    (place / "cache").write_text("not a directory")
    make_cache("django.core.cache.backends.filebased.FileBasedCache", place / "cache")
    assert judged(Cache("default"))[0] is Status.DOWN


def test_a_cache_that_keeps_nothing_by_design_is_not_judged(make_cache: Any) -> None:
    make_cache("django.core.cache.backends.dummy.DummyCache")
    assert judged(Cache("default"))[0] is None


def test_a_backend_that_is_none_is_down_and_says_so(make_cache: Any) -> None:
    make_cache("shop.NoSuchCache")
    status, reason = judged(Cache("default"))
    assert (status, "shop.NoSuchCache" in str(reason)) == (Status.DOWN, True)


def test_the_site_stands_on_the_cache_where_sessions_are_in_it_alone(settings: Any) -> None:
    assert not Cache("default").is_essential
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    assert Cache("default").is_essential
    assert not Cache("other").is_essential
